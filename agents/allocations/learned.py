"""A trained policy, played as an agent like any other."""

import warnings
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.allocation import Allocation
from agents.evidence import Evidence
from agents.policy import Policy
from agents.stopping import StoppingRule
from bandit_env.stats.prior import log_odds_against
from bandit_env.world.task import Task

TASK_RANGES = ("num_arms", "visits_per_day", "max_days", "updates_per_day")  # of `Policy.trained`
CONTRADICTED = 1e5  # a prior that is right is warned of once in so many batches at most


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
        self._num_experiments = num_experiments
        told = self.prior != (1.0, 1.0)  # the uniform prior tells nothing
        self._held_against_data = not told
        a, b = self.prior
        facts = {"prior_mean": a / (a + b), "prior_strength": a + b} if told else {}
        for name, value in {**{name: getattr(task, name) for name in TASK_RANGES}, **facts}.items():
            low, high = self.policy.trained.get(name, (value, value))
            if not low <= value <= high:
                self._warn(f"were trained for {name} from {low:g} to {high:g}; this task has {value:g}")

    def weights(self, evidence: Evidence) -> NDArray[np.float64]:
        """The policy's split, shape (n, K); warns, once, of data that contradict the prior."""
        self._hold_prior_against(evidence)
        return self.policy.weights(_scores(self.policy, evidence)[0])

    def _hold_prior_against(self, evidence: Evidence) -> None:
        """Warn where rates uniform on [0, 1] are likelier than the prior told, by CONTRADICTED on the batch's mean.

        Under the prior that mean is a martingale that begins at 1, whoever splits the traffic: it ever exceeds x with
        probability 1 / x at most (Ville 1939, "Etude critique de la notion de collectif"). Asked after 1, 2, 4, 8, ...
        updates.
        """
        update = int(evidence.update.max(initial=0))
        if self._held_against_data or not update or update & (update - 1):
            return
        odds = log_odds_against(evidence.raw_conversions, evidence.raw_visits, self.prior)
        most = float(odds.max())
        if most + np.log(np.exp(odds - most).sum() / self._num_experiments) > np.log(CONTRADICTED):
            a, b = self.prior
            self._held_against_data = True
            self._warn(f"were told the prior Beta({a:g}, {b:g}), which hardly allows for the conversions that are seen")

    def _warn(self, what: str) -> None:
        warnings.warn(f"the weights {str(self.path)!r} {what}, and what they do there is untested", stacklevel=3)


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
        task.updates_per_day,
    )
