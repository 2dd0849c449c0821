"""Before an experiment: how long will it take, how often is it wrong, and what does it save?"""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from bandit_env.engines.engine import Engine
from bandit_env.errors import ExperimentError
from bandit_env.experiment import config
from bandit_env.experiment.results import Run
from bandit_env.experiment.sweep import Watcher, execute
from bandit_env.views import report, summary

BANDIT = "thompson"


def plan(
    rates: Sequence[float],
    *,
    visits_per_day: int,
    updates_per_day: int,
    min_days: float,
    max_days: int,
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
        max_days: the horizon, in days.
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
            "max_days": max_days,
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
    return execute(config.resolve(table), engine=engine, watcher=watcher)


def show(run: Run, console: Console) -> None:
    """The table, and the answer in words."""
    for table in report.tables(run, console.width):
        console.print(table)
    lines = summary.summarise(run)
    bandit, classical = lines.iloc[0], lines.iloc[-1]
    test = run.cells[0].classical
    assert test is not None
    console.print(
        f"The classical test takes {test.days:g} days ({test.visits:,.0f} visits). {bandit.agent.capitalize()} takes "
        f"{bandit.mean_day:.0f} days on average: half of the tests end within {bandit.median_day:g}, 95 % within "
        f"{bandit.q95_day:g}, and {_percent(bandit.longer)} take longer than the classical test. It ships the best arm "
        f"in {_percent(bandit.correct)} of the tests (classical: {_percent(classical.correct)}) and saves "
        f"{bandit.conversions_saved:,.1f} conversions."
    )
    if bandit.undecided:
        console.print(f"{_percent(bandit.undecided)} were undecided after {run.cells[0].task.max_days:g} days.")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
