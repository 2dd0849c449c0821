"""A memory for conversions that arrive late: visits count as far as their conversions can have been seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agents import _check
from agents.evidence import Evidence, Floats, State
from agents.memories.memory import Memory
from bandit_env.world.task import Task


@dataclass(frozen=True)
class DelayCorrected(Memory):
    """Counts a visit with the chance that its conversion, if there is one, has arrived. The delays are known.

    With geometric delays of mean m days, g = 1 / (1 + m updates_per_day): visits of update s count 1 - (1 - g)^(t - s +
    1) at the end of update t, by the recursion unripe = (unripe + new) (1 - g), visits = all - unripe; never less than
    the conversions seen. The posterior is Beta(a + c, b + visits - c).

    Attributes:
        mean_days: mean delay in days, one number or one per arm; 0 is no delay.
    """

    mean_days: float | Sequence[float]
    formula: ClassVar[str] = (
        "visits of update s count 1 - (1 - g)^(t - s + 1) after update t, g = 1 / (1 + mean_days x updates_per_day)"
    )
    source: ClassVar[str] = (
        'Vernade, Cappé and Perchet (2017), "Stochastic bandit models for delayed conversions", UAI, section 3'
    )

    def __post_init__(self) -> None:
        if isinstance(self.mean_days, str) or not isinstance(self.mean_days, Sequence):
            _check.non_negative("mean_days", self.mean_days)
            return
        for arm, mean in enumerate(self.mean_days):
            _check.non_negative(f"mean_days[{arm}]", mean)
        object.__setattr__(self, "mean_days", tuple(self.mean_days))

    def check_task(self, task: Task) -> None:
        if isinstance(self.mean_days, tuple) and len(self.mean_days) != task.num_arms:
            raise ValueError(
                f"mean_days has {len(self.mean_days)} numbers; expected one, or one for each of {task.num_arms} arms"
            )

    def new_state(self, task: Task, num_experiments: int) -> State:
        return {"unripe": np.zeros((num_experiments, task.num_arms))}

    def counts(self, evidence: Evidence) -> tuple[Floats, Floats]:
        unripe, rows = evidence.state_of(self)["unripe"], evidence.experiments
        mean_updates = np.asarray(self.mean_days, dtype=np.float64) * evidence.task.updates_per_day
        unripe[rows] = (unripe[rows] + evidence.new_visits) * (mean_updates / (1 + mean_updates))
        visits = np.maximum(evidence.raw_visits - unripe[rows], evidence.raw_conversions)
        return visits, evidence.raw_conversions
