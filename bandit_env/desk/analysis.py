"""A running experiment, judged from its counts: what is known, what to do tomorrow, and how long it will go on.

>>> from bandit_env.desk import analyse
>>> result = analyse({"visits": [1000, 1000], "conversions": [40, 50]})
>>> round(result.arms[1].probability_best, 6), round(result.value_remaining.quantile_95, 6)
(0.858381, 0.123964)
"""

import math
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bandit_env.desk import agents, verdicts
from bandit_env.desk.agents import Player, Stopping
from bandit_env.desk.checks import checks
from bandit_env.desk.findings import Check
from bandit_env.desk.forecast import Situation
from bandit_env.desk.forecast import forecast as look_ahead
from bandit_env.desk.reasons import Facts
from bandit_env.desk.result import Analysis, Arm, ValueRemaining
from bandit_env.desk.table import Counts, read
from bandit_env.engines.engine import Engine
from bandit_env.errors import ExperimentError
from bandit_env.experiment.sweep import Watcher, choose_engine
from bandit_env.stats import posterior
from bandit_env.stats.estimates import lift_interval, rate_interval
from bandit_env.tables.cells import Floats
from bandit_env.tables.history import read_history
from bandit_env.world.scenario import MAX_COUNT
from bandit_env.world.task import Task

if TYPE_CHECKING:
    import pandas as pd

RECENT = 14  # days that tell the traffic to come
LEVEL = 0.95
CARE = 0.01  # of the champion's rate: what the value remaining is held against
FORECAST_ARMS = 64  # with more, a forecast takes minutes: only when asked for
UNIFORM = (1.0, 1.0)


def analyse(
    table: "str | Path | pd.DataFrame | Mapping[str, Any]",
    *,
    control: str | None = None,
    columns: Mapping[str, str] | None = None,
    cumulative: bool = False,
    prior: tuple[float, float] | None = None,
    history: "str | Path | pd.DataFrame | Mapping[str, Any] | None" = None,
    agent: str = "thompson",
    stopping: Stopping = None,
    knobs: Mapping[str, Any] | None = None,
    day: float | None = None,
    visits_per_day: int | None = None,
    min_days: float = 14,
    max_days: int = 1000,
    forecast: bool = True,
    replications: int | None = None,
    seed: int = 0,
    executor: Executor | int | None = 1,
    engine: Engine | None = None,
    watcher: Watcher | None = None,
) -> Analysis:
    """Judge a running experiment.

    Args:
        table: a CSV or Parquet file, a data frame or a mapping of columns: `arm`, `visits`, `conversions`, and for a
            row per day and arm `day` or `date`; optionally `weight`, the share of its day's traffic that an arm was to
            be served.
        control: the control's name; by default the first arm's.
        columns: what the columns are called: {"visits": "impressions"}.
        cumulative: the rows hold running totals.
        prior: (a, b) of the Beta prior of every rate; by default the agent's, or uniform.
        history: past experiments (`experiment`, `arm`, `visits`, `conversions`) from which the prior is fitted.
        agent: who splits tomorrow's traffic: a name, or an experiment file.
        stopping: the rule asked for, as in an experiment file; by default the agent's own, or value remaining.
        knobs: further arguments of the agent: {"floor": 0.05}.
        day: days served; by default the table's.
        visits_per_day: the traffic to come; by default the mean of the table's last 14 days.
        min_days: no stop before this day, counted from the experiment's beginning.
        max_days: the horizon, counted likewise.
        forecast: play the days left, where the day and the traffic are known.
        replications: futures of the forecast; by default 2,000, and none with more than 64 arms.
        seed: of the forecast.
        executor: where the forecast is played, as in `bandit_env.experiment.run`.
        engine: the same, as an engine; for the command line.
        watcher: told how the forecast is getting on.

    Raises:
        TableError: a table that cannot be read (an `ExperimentError` and a `ValueError`).
        ExperimentError: an agent, a rule or a number that cannot be.
    """
    if prior is not None and history is not None:
        raise ExperimentError("both a prior and a history came; expected one of them")
    counts = read(table, columns=columns, control=control, cumulative=cumulative)
    given, came_from = _prior(prior, history)
    player = agents.choose(agent, stopping, given, knobs)
    given = given or _own_prior(player)
    came_from = came_from or ("uniform" if given is None else "the agent's")
    now, traffic = verdicts.day_of(counts, day), _traffic(counts, visits_per_day)
    _check_known(player, now, traffic)
    result = _judge(counts, player, given, came_from, now, traffic, min_days, max_days)
    why_not = _why_no_forecast(forecast, counts, now, traffic, max_days, replications)
    if why_not is not None:
        return replace(result, no_forecast=why_not)
    assert now is not None
    assert traffic is not None
    ahead = look_ahead(
        Situation(counts.total_visits, counts.total_conversions, result.prior, now, traffic, min_days, max_days),
        player,
        replications=replications or 2000,
        seed=seed,
        engine=engine or choose_engine(executor),
        watcher=watcher,
    )
    return replace(result, forecast=ahead)


def _judge(
    counts: Counts,
    player: Player,
    given: tuple[float, float] | None,
    came_from: str,
    now: float | None,
    traffic: int | None,
    min_days: float,
    max_days: int,
) -> Analysis:
    """All but the forecast."""
    task = _task(counts, traffic, min_days, max_days)
    facts = Facts(counts, given or UNIFORM)
    split, said = agents.replay(player.going_on.build(), counts, task, min_days if now is None else now)
    said += agents.remarks(player.build(), task)
    quantile = posterior.potential_value_remaining(facts.conversions, facts.visits, prior=facts.prior)
    return Analysis(
        arms=_arms(facts, split.weights[-1]),
        value_remaining=ValueRemaining(float(quantile), facts.value_below(CARE)),
        verdicts=tuple(verdicts.verdicts(player, counts, task, now, facts)),
        forecast=None,
        no_forecast=None,
        checks=(*checks(counts, given), *(Check("agent", message) for message in said)),
        counts=counts,
        prior=facts.prior,
        prior_from=came_from,
        agent=player.label,
        rule=player.rule,
        day=now,
        visits_per_day=traffic,
        min_days=min_days,
        max_days=max_days,
    )


def _prior(prior: tuple[float, float] | None, history: Any) -> tuple[tuple[float, float] | None, str]:
    if history is not None:
        fitted = read_history(history)
        return (fitted.a, fitted.b), fitted.told
    if prior is None:
        return None, ""
    a, b = (float(part) for part in prior)
    if not (0 < a < math.inf and 0 < b < math.inf):
        raise ExperimentError(f"--prior: found {a:g} {b:g}; expected two positive numbers")
    return (a, b), "given"


def _own_prior(player: Player) -> tuple[float, float] | None:
    """The prior in the agent's own settings, where it has one that is not uniform."""
    own = player.arguments.get("prior")
    return None if own is None else (float(own[0]), float(own[1]))


def _traffic(counts: Counts, visits_per_day: int | None) -> int | None:
    """Visits of a day to come: as told, else the mean of the table's last days."""
    if visits_per_day is not None:
        if not 1 <= visits_per_day <= MAX_COUNT or visits_per_day != int(visits_per_day):
            raise ExperimentError(f"--visits-per-day: found {visits_per_day}; expected a whole number of at least 1")
        return int(visits_per_day)
    if counts.days is None:
        return None
    recent = counts.days > counts.days[-1] - RECENT
    mean = counts.visits[recent].sum() / min(RECENT, int(counts.days[-1]))
    return round(mean) or None


def _task(counts: Counts, traffic: int | None, min_days: float, max_days: int) -> Task:
    if not (max_days >= 1 and max_days == int(max_days)):
        raise ExperimentError(f"--max-days: found {max_days}; expected a whole number of at least 1")
    if not 0 <= min_days <= max_days:
        raise ExperimentError(f"--min-days: found {min_days:g}; expected at least 0 and at most --max-days, {max_days}")
    stand_in = max(1, int(counts.total_visits.sum()))  # where traffic is not known, most agents do not ask for it
    return Task(len(counts.names), traffic or stand_in, 1, min_days, max_days)


def _check_known(player: Player, day: float | None, traffic: int | None) -> None:
    """A trained policy looks at the day and the traffic; others do without."""
    if agents.looks_at_traffic(player.build()) and (day is None or traffic is None):
        missing = [name for name, value in (("--day", day), ("--visits-per-day", traffic)) if value is None]
        raise ExperimentError(f"agent {player.label!r} goes by the day and the traffic; give {' and '.join(missing)}")


def _why_no_forecast(
    wanted: bool, counts: Counts, day: float | None, traffic: int | None, max_days: int, replications: int | None
) -> str | None:
    if not wanted:
        return "No forecast was wanted."
    if day is None or traffic is None:
        missing = [name for name, value in (("--day", day), ("--visits-per-day", traffic)) if value is None]
        return f"No forecast: the table does not tell the day and the traffic; give {' and '.join(missing)}."
    if day >= max_days:
        return f"No forecast: the horizon of {max_days} days has passed; --max-days sets a later one."
    if replications is None and len(counts.names) > FORECAST_ARMS:
        return f"No forecast: of {len(counts.names):,} arms it takes long; --replications asks for it all the same."
    return None


def _arms(facts: Facts, weights: Floats) -> tuple[Arm, ...]:
    s, v = facts.conversions, facts.visits
    low, high = rate_interval(s, v, LEVEL, facts.prior)
    lift_low, lift_high = lift_interval(s, v, LEVEL, 0, facts.prior)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = s / v
        lift = rate / rate[0] - 1
    lift[0] = 0  # also where the control has no conversion
    return tuple(
        Arm(
            name,
            int(v[k]),
            int(s[k]),
            _finite(rate[k]),
            (float(low[k]), float(high[k])),
            _finite(lift[k]),
            (float(lift_low[k]), float(lift_high[k])),
            float(facts.best[k]),
            float(facts.beats[k]),
            max(0.0, float(facts.loss[k])),
            float(weights[k]),
        )
        for k, name in enumerate(facts.names)
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
