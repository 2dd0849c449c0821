"""Before an experiment: how long will it take, how often is it wrong, and what does it save?"""

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from bandit_env.engines.engine import Engine
from bandit_env.errors import ExperimentError
from bandit_env.experiment import config
from bandit_env.experiment.results import Run
from bandit_env.experiment.sweep import Watcher, execute
from bandit_env.views import summary, tables

BANDIT = "thompson"
HORIZON = 5000  # days, by default: no plan is longer, unless its classical test is


def plan(
    rates: Sequence[float],
    *,
    visits_per_day: int,
    updates_per_day: int,
    min_days: float,
    max_days: int | None,
    baseline: float | None,
    target: float | None,
    replications: int,
    seed: int,
    engine: Engine,
    watcher: Watcher | None = None,
) -> Run:
    """Simulate a planned test: Thompson sampling until little value remains, against the classical test.

    Args:
        rates: the rates that the planner thinks possible, control first.
        visits_per_day: traffic of one day, in visits.
        updates_per_day: new serving weights per day.
        min_days: no stop before this day.
        max_days: the horizon, in days; None is HORIZON, or the classical test's days where those are more.
        baseline: the control's rate in the classical test's plan; by default the first rate.
        target: the rate that the classical test is designed to find; by default the best other rate.
        replications: simulated tests.
        seed: of the simulation.
        engine: where the work is done.
        watcher: told how the simulation is getting on.

    Raises:
        ExperimentError: a value that cannot be.
    """
    if len(rates) < 2:
        raise ExperimentError(f"--rates: found {len(rates)}; expected at least 2, the control first")
    for rate in rates:
        if not 0 <= rate <= 1:
            raise ExperimentError(f"--rates: found {rate:g}; expected rates from 0 to 1")
    baseline = rates[0] if baseline is None else baseline
    target = max(rates[1:]) if target is None else target
    if baseline == target:
        raise ExperimentError(
            f"no classical test can tell {baseline:g} from {target:g}; give --target the rate that it is to find"
        )
    table: dict[str, Any] = {
        "name": "plan",
        "seed": seed,
        "replications": replications,
        "traces": 0,
        "scenario": {
            "rates": list(rates),
            "visits_per_day": visits_per_day,
            "updates_per_day": updates_per_day,
            "min_days": min_days,
            "max_days": HORIZON if max_days is None else max_days,
        },
        "classical": {"baseline": baseline, "target": target},
        "agents": [
            {"name": BANDIT, "stopping": "value-remaining"},
            {"name": "uniform-classical", "baseline": baseline, "target": target},
        ],
    }
    if len(rates) > 2:
        rule = {"name": BANDIT, "label": f"{BANDIT}, until any variation beats the control"}
        table["agents"].insert(1, rule | {"stopping": "beats-control | value-remaining"})
    experiment = config.resolve(table)
    if max_days is None and experiment.about[0]["classical"]["days"] > HORIZON:
        table["scenario"]["max_days"] = math.ceil(experiment.about[0]["classical"]["days"])
        experiment = config.resolve(table)
    return execute(experiment, engine=engine, watcher=watcher)


def show(run: Run, console: Console) -> None:
    """The table, and the answer in words."""
    for table in tables.tables(run, console.width):
        console.print(table)
    lines = summary.summarise(run)
    bandit, classical = lines.iloc[0], lines.iloc[-1]
    test, horizon = run.cells[0].classical, run.cells[0].task.max_days
    assert test is not None
    ships = _percent(classical.correct) if horizon >= test.days else "cut by the horizon"
    saved = f"saves {'at most ' * bool(bandit.undecided)}{bandit.conversions_saved:,.1f} conversions"
    console.print(
        f"The classical test takes {test.days:g} days ({test.visits:,.0f} visits). {bandit.agent.capitalize()} takes "
        f"{'at least ' * bool(bandit.undecided)}{bandit.mean_day:.0f} days on average: {_quantiles(bandit)}, "
        f"and {_longer(bandit, test.days, horizon)}. It ships the best arm in {_percent(bandit.correct)} of the tests "
        f"(classical: {ships}) and {saved}."
    )
    if bandit.undecided:
        console.print(
            f"{_percent(bandit.undecided)} were undecided after {horizon:,g} days, the horizon, and were cut there."
        )
    if horizon < test.days:
        console.print(
            f"The horizon of {horizon:,g} days is too short for the classical test: {_percent(classical.undecided)} of "
            f"its tests were cut there. Give --max-days at least {math.ceil(test.days)}, or leave it out."
        )


def _quantiles(row: Any) -> str:
    """Within how many days half of the tests, and 95 % of them, end: as far as the horizon lets one see."""
    half = "the median is at least" if summary.is_cut(row, 0.5) else "half of the tests end within"
    most = "the 95 % quantile is at least" if summary.is_cut(row, 0.95) else "95 % within"
    return f"{half} {row['median_day']:g}, {most} {row['q95_day']:g}"


def _longer(row: Any, days: float, horizon: float) -> str:
    """How many take longer than the classical test: all that were cut before its end may."""
    if horizon < days and row.undecided:
        return f"{_percent(row.undecided)} were cut before the classical test's end"
    return f"{_percent(row.longer)} take longer than the classical test"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
