"""When an allocation's weights come into force: warm-ups, changes every so many days, and the least share of an arm."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents import _check
from agents.evidence import Evidence, Floats, State
from agents.part import Part
from bandit_env.world.task import Task


class Weighing(Protocol):
    """What has weights."""

    def weights(self, evidence: Evidence) -> Floats:
        """Serving weights, shape (n, K)."""


@dataclass(frozen=True)
class Schedule(Part):
    """Turns an allocation's weights into those that are served; `agents.allocation.Allocation` tells its fields."""

    warm_up_days: float = 0
    every_days: float = 0
    floor: float = 0.0

    def __post_init__(self) -> None:
        _check.non_negative("warm_up_days", self.warm_up_days)
        _check.non_negative("every_days", self.every_days)
        _check.share("floor", self.floor)

    def check_task(self, task: Task) -> None:
        if self.floor * task.num_arms > 1:
            raise ValueError(f"floor is {self.floor}; expected at most 1 / {task.num_arms} for {task.num_arms} arms")

    def new_state(self, task: Task, num_experiments: int) -> State:
        if not self.every_days:
            return {}
        return {
            "weights": np.zeros((num_experiments, task.num_arms)),  # those in force
            "available": np.zeros((num_experiments, task.num_arms), dtype=bool),  # at the last update
            "warming": np.zeros(num_experiments, dtype=bool),  # at the last update
        }

    def serve(self, allocation: Weighing, evidence: Evidence) -> Floats:
        """The weights to serve, shape (n, K)."""
        if not (self.warm_up_days or self.every_days):
            return self._over_present(allocation, evidence)
        warming = self.warming(evidence)
        if not self.every_days:
            return self._change(allocation, evidence, evidence.equal_weights, ~warming)
        state, rows = evidence.state_of(self), evidence.experiments
        due = self.due(evidence)
        equal = (warming | (evidence.day == 0))[:, None]
        weights = np.where(equal, evidence.equal_weights, state["weights"][rows])
        weights = self._change(allocation, evidence, weights, due)
        state["weights"][rows], state["available"][rows], state["warming"][rows] = weights, evidence.available, warming
        return weights

    def warming(self, evidence: Evidence) -> NDArray[np.bool_]:
        """Whether an experiment is in a warm-up, shape (n,)."""
        warming = evidence.day < self.warm_up_days
        for join in evidence.task.joins:
            warming |= (evidence.day >= join) & (evidence.day < join + self.warm_up_days)
        return warming

    def due(self, evidence: Evidence) -> NDArray[np.bool_]:
        """Whether an experiment's weights change now, other than to equal ones, shape (n,)."""
        state, rows = evidence.state_of(self), evidence.experiments
        turns = evidence.day / self.every_days
        due = np.abs(turns - np.rint(turns)) < 1e-9
        due |= state["warming"][rows]
        due |= (evidence.available != state["available"][rows]).any(axis=1)  # also where it is seen for the first time
        return due & (evidence.day > 0) & ~self.warming(evidence)

    def _change(self, allocation: Weighing, evidence: Evidence, weights: Floats, due: NDArray[np.bool_]) -> Floats:
        """`weights`, with new ones where they are due."""
        rows = np.flatnonzero(due)
        if rows.size:
            weights[rows] = self._over_present(allocation, evidence if due.all() else evidence.at(rows))
        return weights

    def _over_present(self, allocation: Weighing, evidence: Evidence) -> Floats:
        """The allocation's weights over the arms that are there, with their floor."""
        weights = allocation.weights(evidence)
        count: int | NDArray[np.intp] = evidence.task.num_arms
        if not evidence.all_available:
            weights, count = np.where(evidence.available, weights, 0.0), evidence.num_available
            total = weights.sum(axis=1, keepdims=True)
            weights = np.where(total > 0, weights / np.where(total > 0, total, 1), evidence.equal_weights)
        if not self.floor:
            return weights
        shares = self.floor + (1 - count * self.floor) * weights
        return evidence.present(shares, otherwise=0.0)
