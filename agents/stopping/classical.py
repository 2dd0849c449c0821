"""Stopping rules of the classical test: a sample size fixed beforehand, then one look."""

from dataclasses import dataclass, replace
from math import ceil
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import _check
from agents.evidence import Evidence
from agents.stopping.rule import Decision, StoppingRule, declare
from bandit_env.stats.power import sample_size, two_proportion_test
from bandit_env.world.task import Task


@dataclass(frozen=True)
class FixedSample(StoppingRule):
    """Stops once the planned visits are served, then tests every variation against the control.

    Two-sided pooled z-tests, each at alpha / (K - 1) (Bonferroni). Ships the significant variation with the
    highest rate, and the control when no variation is significantly better. A shipped variation is claimed;
    the control is claimed when it is significantly better than every variation. Ends when all arms *together*
    have K times the planned visits.

    Attributes:
        baseline: conversion rate of the control in the plan. An experiment file that leaves it out has the
            control's rate in the scenario.
        target: conversion rate of a variation in the plan; in an experiment file by default the best other rate.
        power: chance to find that variation.
        alpha: level of the test, all comparisons together.
        visits_per_arm: the planned visits per arm, in place of `baseline` and `target`.
    """

    baseline: float | None = None
    target: float | None = None
    power: float = 0.95
    alpha: float = 0.05
    visits_per_arm: float | None = None
    formula: ClassVar[str] = (
        "after the planned visits, |z| > z_{1 - alpha / (2 (K - 1))}, z = (rate_j - rate_0) / sqrt(p q (1 / "
        "n_j + 1 / n_0)), p pooled"
    )
    source: ClassVar[str] = 'Fleiss, Levin and Paik (2003), "Statistical Methods for Rates and Proportions", chapter 4'
    promise: ClassVar[str] = "a level of alpha, and the planned power"

    def __post_init__(self) -> None:
        if self.visits_per_arm is not None and (self.baseline is not None or self.target is not None):
            raise ValueError("expected either baseline and target, or visits_per_arm alone")
        _check.fraction("alpha", self.alpha)
        if self.visits_per_arm is not None:
            _check.positive("visits_per_arm", self.visits_per_arm)
            return
        for name in ("baseline", "target"):
            if getattr(self, name) is not None:
                _check.fraction(name, getattr(self, name))
        if self._has_plan:
            self.planned_visits(num_arms=2)  # raises what sample_size has to say about the plan

    @property
    def _has_plan(self) -> bool:
        return self.visits_per_arm is not None or (self.baseline is not None and self.target is not None)

    def planned(self, baseline: float, target: float) -> "FixedSample":
        if self._has_plan:
            return self
        return replace(
            self,
            baseline=baseline if self.baseline is None else self.baseline,
            target=target if self.target is None else self.target,
        )

    def check_task(self, task: Task) -> None:
        if not self._has_plan:
            raise ValueError(
                "the fixed-sample test has no plan: expected either baseline and target, or visits_per_arm alone; an "
                "experiment file takes them from a scenario's rates, where these are given and the best other rate is "
                "not the control's"
            )

    def planned_visits(self, num_arms: int) -> int:
        """Visits of all arms together after which the rule stops: K times the visits per arm, rounded up."""
        per_arm = self.visits_per_arm
        if per_arm is None:
            if self.baseline is None or self.target is None:
                raise ValueError("the fixed-sample test has no plan: expected baseline and target, or visits_per_arm")
            per_arm = sample_size(self.baseline, self.target, self.power, self.alpha, comparisons=num_arms - 1)
        return num_arms * ceil(per_arm)

    def ends_by(self, task: Task) -> float:
        return min(task.max_days, self.planned_visits(task.num_arms) / task.visits_per_day)

    def decide(self, evidence: Evidence) -> Decision:
        stop = evidence.total_served >= self.planned_visits(evidence.task.num_arms)
        if not stop.any():
            return np.full(len(stop), -1), stop
        z, p_value = two_proportion_test(evidence.conversions, evidence.visits)
        arm, claims = winner(z, p_value <= self.alpha / (evidence.task.num_arms - 1), evidence.rate, evidence.available)
        return declare(stop, arm), claims & stop


def winner(
    z: NDArray[np.float64],
    significant: NDArray[np.bool_],
    rate: NDArray[np.float64],
    available: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The arm to ship after tests against the control, and whether it is claimed to be better.

    Args:
        z: test statistics against arm 0, positive where the arm is ahead, shape (n, K).
        significant: which of them are significant, shape (n, K); column 0 is ignored.
        rate: observed rates, shape (n, K).
        available: the arms that are there, shape (n, K); None is all. Others are neither shipped nor compared with.

    Returns:
        The significantly better arm with the highest rate, the first on ties, or 0 (n,); whether it is
        claimed (n,): always for a variation, and for the control where every variation is significantly worse.
    """
    there = np.ones_like(significant) if available is None else available
    better = significant & (z > 0) & there
    better[:, 0] = False
    found = np.logical_or.reduce(better, axis=1)
    arm = np.where(found, np.where(better, rate, -1.0).argmax(axis=1), 0)
    worse = (significant & (z < 0))[:, 1:]
    control_wins = (worse | ~there[:, 1:]).all(axis=1) & worse.any(axis=1)
    return arm, np.logical_or(found, control_wins)
