"""Successive elimination: equal traffic to the arms that may still be the best."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import _check
from agents.allocation import Allocation
from agents.evidence import Evidence, State
from agents.stopping.always_valid import confidence_bounds
from bandit_env.world.task import Task


@dataclass(eq=False)
class SuccessiveElimination(Allocation):
    """Drops an arm, for good, once its upper confidence bound is below another arm's lower bound.

    The bounds hold at all times together (see `confidence_bounds`), so that the best arm is dropped with
    probability at most delta. The authors' Hoeffding bounds hold for any reward in [0, 1] and are many times
    wider at small rates.

    Attributes:
        delta: chance to drop the best arm, shared by the arms.
    """

    delta: float = 0.05
    formula: ClassVar[str] = (
        "w = 1 / (arms left); arm a is dropped once upper_a < max_j lower_j, bounds that hold for all times "
        "at 1 - delta"
    )
    source: ClassVar[str] = "Even-Dar, Mannor and Mansour (2006), JMLR 7, section 3.2"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.fraction("delta", self.delta)

    def new_state(self, task: Task, num_experiments: int) -> State:
        return {"active": np.ones((num_experiments, task.num_arms), dtype=bool)}

    def update_state(self, evidence: Evidence) -> None:
        remembered = evidence.state_of(self)["active"]
        active = remembered[evidence.experiments]
        lower, upper = confidence_bounds(evidence.conversions, evidence.visits, self.delta / active.shape[1])
        best_lower = np.where(active & evidence.available, lower, 0).max(axis=1, keepdims=True)
        remembered[evidence.experiments] = active & (upper >= best_lower)

    def weights(self, evidence: Evidence) -> NDArray[np.float64]:
        """Equal shares of the arms that are left; of all that are there, where none of those left is."""
        active = evidence.state_of(self)["active"][evidence.experiments] & evidence.available
        active |= ~active.any(axis=1, keepdims=True) & evidence.available
        shares: NDArray[np.float64] = active / active.sum(axis=1, keepdims=True)
        return shares
