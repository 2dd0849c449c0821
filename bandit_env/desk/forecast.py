"""How long an experiment will go on: it is played to its end, many times, from the counts that it has.

Each replication draws the rates from the posterior, Beta(a + conversions, b + visits - conversions) of each arm, begins
from the counts on their day, and is played by the agent and its stopping rule: the posterior-predictive distribution of
the days left. Where the prior is that of the rates, the true outcome's rank among the replications is uniform.

A memory, or a rule that remembers, meets the counts that there are as those of a single update.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bandit_env.desk.agents import Player
from bandit_env.engines.engine import Engine
from bandit_env.errors import ExperimentError
from bandit_env.experiment import config
from bandit_env.experiment.results import Run
from bandit_env.experiment.sweep import Watcher, execute
from bandit_env.tables.cells import Floats

QUANTILES = (0.2, 0.5, 0.8, 0.95)
WITHIN = (7, 14, 28)


@dataclass(frozen=True)
class Situation:
    """An experiment as it stands.

    Attributes:
        visits, conversions: totals, shape (K,).
        prior: (a, b) of every rate.
        day: days served.
        visits_per_day: the traffic to come.
        min_days, max_days: no stop before the one; the horizon; counted from the experiment's beginning.
    """

    visits: Floats
    conversions: Floats
    prior: tuple[float, float]
    day: float
    visits_per_day: int
    min_days: float
    max_days: int

    def scenario(self) -> dict[str, Any]:
        """What is to come as a scenario of an experiment file."""
        a, b = self.prior
        misses = self.visits - self.conversions
        return {
            "name": "forecast",
            "prior": [[a + s, b + f] for s, f in zip(self.conversions.tolist(), misses.tolist())],
            "start": {
                "visits": [int(v) for v in self.visits],
                "conversions": [int(s) for s in self.conversions],
                "day": self.day,
            },
            "visits_per_day": self.visits_per_day,
            "min_days": self.min_days,
            "max_days": self.max_days,
        }


@dataclass(frozen=True)
class Forecast:
    """The days that an experiment has left, over replications of its future.

    Attributes:
        days: of every replication, shape (R,), sorted; those that never decide last to the horizon.
        undecided: share of the replications that reach the horizon.
        ships_best: share that ships the best arm, of those that decide; None where none does.
        day, visits_per_day, max_days: as in `Situation`.
        agent, rule: who plays.
        seed: of the replications.
    """

    days: Floats
    undecided: float
    ships_best: float | None
    day: float
    visits_per_day: int
    max_days: int
    agent: str
    rule: str
    seed: int

    def quantile(self, q: float) -> float:
        """Days left: a share q of the replications is done within so many."""
        return float(np.quantile(self.days, q, method="inverted_cdf"))

    def within(self, days: float) -> float:
        """The chance to be decided within so many days; the undecided are not, however near the horizon."""
        decided = self.days[: round(len(self.days) * (1 - self.undecided))]
        return float(np.searchsorted(decided, days, side="right")) / len(self.days)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "days_left": {f"{q:g}": self.quantile(q) for q in QUANTILES},
            "done_within": {f"{days}": self.within(days) for days in WITHIN},
            "ships_best": self.ships_best,
            "undecided": self.undecided,
            "day": self.day,
            "visits_per_day": self.visits_per_day,
            "max_days": self.max_days,
            "agent": self.agent,
            "rule": self.rule,
            "replications": len(self.days),
            "seed": self.seed,
        }


def forecast(
    now: Situation, player: Player, *, replications: int, seed: int, engine: Engine, watcher: Watcher | None = None
) -> Forecast:
    """Play the experiment to its end, so many times.

    Args:
        now: the experiment as it stands.
        player: the agent and its stopping rule.
        replications: futures to play.
        seed: the same seed gives the same futures.
        engine: where the work is done.
        watcher: told how it is getting on.

    Raises:
        ExperimentError: a value that cannot be, or an agent that failed.
    """
    run = play(now, player, replications, seed, engine, watcher)
    rows = run.cells[0].columns(["stopping_day", "declared_arm", "correct"])
    decided = rows["declared_arm"].to_numpy() >= 0
    days = rows["stopping_day"].to_numpy() - now.day
    order = np.lexsort((days, ~decided))
    return Forecast(
        days[order],
        float((~decided).mean()),
        float(rows["correct"].to_numpy()[decided].mean()) if decided.any() else None,
        now.day,
        now.visits_per_day,
        now.max_days,
        player.label,
        player.rule,
        seed,
    )


def play(
    now: Situation, player: Player, replications: int, seed: int, engine: Engine, watcher: Watcher | None = None
) -> Run:
    """The replications themselves, as a run of one cell."""
    table = {
        "name": "forecast",
        "replications": replications,
        "seed": seed,
        "traces": 0,
        "scenario": now.scenario(),
        "agents": [player.table()],
    }
    run = execute(config.resolve(table), engine=engine, watcher=watcher)
    if run.failures:
        raise ExperimentError(run.failures[0])
    return run
