"""A memory that averages rates over periods, so that weights which follow a season do not look like a difference."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import _check
from agents.evidence import Evidence, Floats, State
from agents.memories.memory import Memory
from bandit_env.world.task import Task


@dataclass(frozen=True)
class PeriodWeighted(Memory):
    """Averages an arm's rates of the periods, weighted by all arms' traffic in them: sum N_p c_p / n_p over sum N_p.

    A season or a trend that all arms share then moves all averages alike, whatever the weights were. The average counts
    as the visits that know a rate as well: (sum N_p)^2 / sum N_p^2 / n_p, all of them where the weights never changed.
    Periods that lack a visit of an arm are skipped, and all before an arm joined.

    Attributes:
        days: length of a period, over which weights should be constant; None is an update.
    """

    days: float | None = None
    formula: ClassVar[str] = (
        "rate_a = sum_p N_p c_pa / n_pa / sum_p N_p, counting as (sum_p N_p)^2 / sum_p (N_p^2 / n_pa) visits"
    )
    source: ClassVar[str] = (
        'Cochran (1977), "Sampling Techniques", section 5.4 (stratified means); '
        "in bandits: GrowthBook's period weights, Optimizely's epochs"
    )

    def __post_init__(self) -> None:
        if self.days is not None:
            _check.positive("days", self.days)

    def new_state(self, task: Task, num_experiments: int) -> State:
        arms = (num_experiments, task.num_arms)
        per_arm = {name: np.zeros(arms) for name in ("visits", "conversions", "rate", "inverse")}
        per_experiment = {name: np.zeros(num_experiments) for name in ("traffic", "period")}
        return per_arm | per_experiment | {"available": np.tile(task.available(np.zeros(1)), (num_experiments, 1))}

    def counts(self, evidence: Evidence) -> tuple[Floats, Floats]:
        """`visits` and `conversions` are the open period's; `traffic`, `rate`, `inverse` sum over the closed ones."""
        state, rows = evidence.state_of(self), evidence.experiments
        kept = {name: array[rows] for name, array in state.items()}
        there = evidence.available
        served = np.maximum(evidence.update - 1, 0) / evidence.task.updates_per_day  # day of the update just served
        period = np.floor(served / self.days + 1e-9) if self.days is not None else evidence.update
        ends = period > kept["period"]
        for name, now in self._with_open(kept, there).items():
            kept[name] = np.where(ends[:, None] if now.ndim == 2 else ends, now, kept[name])
        for name, new in (("visits", evidence.new_visits), ("conversions", evidence.new_conversions)):
            kept[name] = np.where(ends[:, None], 0, kept[name]) + new
        joined = (there & ~kept["available"]).any(axis=1)
        for name in ("visits", "conversions", "rate", "inverse", "traffic"):
            kept[name][joined] = 0
        kept["period"], kept["available"] = period, there
        for name, array in kept.items():
            state[name][rows] = array
        total = self._with_open(kept, there)
        known = (total["inverse"] > 0) & there
        visits = np.where(known, total["traffic"][:, None] ** 2 / np.where(known, total["inverse"], 1), 0.0)
        rate = total["rate"] / np.maximum(total["traffic"], 1)[:, None]
        return visits, np.minimum(visits * rate, visits)

    @staticmethod
    def _with_open(kept: State, there: NDArray[np.bool_]) -> dict[str, Floats]:
        """The sums over periods with the open one among them, where it lacks no arm that is there."""
        visits, traffic = kept["visits"], kept["visits"].sum(axis=1)
        whole = (traffic > 0) & ((visits > 0) | ~there).all(axis=1)
        weight = np.where(whole, traffic, 0)[:, None] / np.where(visits > 0, visits, np.inf)
        return {
            "traffic": kept["traffic"] + np.where(whole, traffic, 0),
            "rate": kept["rate"] + weight * kept["conversions"],
            "inverse": kept["inverse"] + weight * traffic[:, None],
        }
