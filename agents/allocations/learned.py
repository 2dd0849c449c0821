"""A trained policy, played as an agent like any other."""

import warnings
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.allocation import Allocation
from agents.evidence import Evidence
from agents.policy import RANGES, Policy
from agents.stopping import StoppingRule
from bandit_env.world.task import Task


@dataclass(eq=False)
class Learned(Allocation):
    """Serves the arms by a small network that was trained to lose few conversions.

    A policy that learned to stop does so by itself, unless another stopping rule is given, and ships the arm with the
    largest score without claiming that it is better. The network sees posteriors from `prior`, as other allocations do.

    Attributes:
        path: a weights file, or the name of shipped weights: "per-visit", "daily", "daily-cost", ...

    >>> Learned(path="per-visit").policy.kind
    'per-visit'
    """

    path: str = field(default="daily", kw_only=True)

    formula: ClassVar[str] = (
        "argmax_i score_i (per visit) or w = softmax(score) (daily), score_i = e^t (mean_i + sd_i u_i) / s; "
        "u, t: the network's"
    )
    source: ClassVar[str] = "trained by scripts/train_evolution.py or scripts/train_ppo.py (see docs/learned.md)"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.policy = Policy.load(self.path)
        if self.policy.stops and self._rule is None:
            self._rule = _OwnStop(self.policy)

    @property
    def parameters(self) -> dict[str, Any]:
        """The constructor's arguments, defaults included, as plain data; the policy's own stop is in its file."""
        return super().parameters | ({"stopping": None} if isinstance(self._rule, _OwnStop) else {})

    @property
    def made_of(self) -> dict[str, str]:
        """The digest of the weights, by their file: a run does not go on with others of the same name."""
        return {self.path: self.policy.digest}

    def check_task(self, task: Task) -> None:
        """Refuse a task that is not of the kind that the policy was trained for.

        Raises:
            ValueError: a policy for single visits asked to split a day's traffic, or the other way round.
        """
        super().check_task(task)
        per_update = task.visits_per_day / task.updates_per_day
        fitting = "per-visit" if per_update == 1 else "daily"
        if self.policy.kind != fitting:
            raise ValueError(
                f"the weights {str(self.path)!r} were trained for {self.policy.kind} tasks; "
                f"this one has {per_update:g} visits in an update, a {fitting} task"
            )

    def reset(self, task: Task, num_experiments: int, rng: np.random.Generator) -> None:
        """Prepare for a batch of new experiments; warns where the task lies outside of what was trained.

        Raises:
            ValueError: as `check_task`.
        """
        super().reset(task, num_experiments, rng)
        for name in [name for name in RANGES if name in self.policy.trained]:
            low, high = self.policy.trained[name]
            value = getattr(task, name)
            if not low <= value <= high:
                warnings.warn(
                    f"the weights {str(self.path)!r} were trained for {name} from {low:g} to {high:g}; "
                    f"this task has {value:g}, and what they do there is untested",
                    stacklevel=2,
                )

    def weights(self, evidence: Evidence) -> NDArray[np.float64]:
        """The policy's split, shape (n, K)."""
        return self.policy.weights(_scores(self.policy, evidence)[0])


@dataclass(frozen=True, eq=False)
class _OwnStop(StoppingRule):
    """Stops where the policy's own stop score is above 0, and ships the arm with the largest score."""

    policy: Policy

    def decide(self, evidence: Evidence) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        scores, stop = _scores(self.policy, evidence)
        return np.where(stop > 0, scores.argmax(axis=1), -1), np.zeros(len(evidence), dtype=bool)


def _scores(policy: Policy, evidence: Evidence) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    task = evidence.task
    return policy.scores(
        evidence.conversions,
        evidence.visits,
        evidence.day,
        task.max_days,
        task.visits_per_day,
        evidence.prior,
    )
