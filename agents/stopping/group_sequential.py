"""Stopping rules with looks planned beforehand: group-sequential boundaries, and the naive repeated test."""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import ClassVar

import numpy as np

from agents import _check
from agents.evidence import Evidence
from agents.stopping.boundaries import SHAPES, boundaries
from agents.stopping.classical import winner
from agents.stopping.rule import Decision, StoppingRule, declare
from bandit_env.stats.power import two_proportion_test
from bandit_env.world.task import Task


@dataclass(frozen=True)
class RepeatedTest(StoppingRule):
    """Peeking: the fixed-sample test at every update, at its nominal level; stops at the first "significance".

    Ships the leading variation that is significantly better, or the control once it is significantly better
    than every variation, and claims what it ships. Here to show what it does to the error rate.

    Attributes:
        alpha: nominal level of each look, all comparisons together (Bonferroni).
    """

    alpha: float = 0.05
    formula: ClassVar[str] = "|z| > z_{1 - alpha / (2 (K - 1))} at any update"
    source: ClassVar[str] = "Armitage, McPherson and Rowe (1969), Journal of the Royal Statistical Society A 132"

    def __post_init__(self) -> None:
        _check.fraction("alpha", self.alpha)

    def decide(self, evidence: Evidence) -> Decision:
        z, p_value = two_proportion_test(evidence.conversions, evidence.visits)
        arm, claims = winner(z, p_value <= self.alpha / (evidence.task.num_arms - 1), evidence.rate, evidence.available)
        return declare(claims, arm), claims


@dataclass(frozen=True)
class GroupSequential(StoppingRule):
    """Tests at planned looks against boundaries that keep the level over all of them; ends at the last look.

    At each look the pooled z-test of every variation against the control, two-sided, each with alpha / (K -
    1). Ships a variation that crosses, or the control once it is ahead of every variation by as much, and
    claims what it ships; at the last look, or at the first update after it, ships the control, unclaimed, if
    nothing crosses. Looks before `min_days` are not planned; the last one is made then if all are.

    Attributes:
        shape: "pocock" and "obrien-fleming": z above c, and above c / sqrt(share of the visits), at equally
            spaced looks; "pocock-spending" and "obrien-fleming-spending": the level is spent by the functions
            of Lan and DeMets.
        looks: number of equally spaced looks, or "all" for every update.
        days: day of the last look; None stands for the horizon.
        alpha: two-sided level, all looks and comparisons together.
    """

    shape: str = "obrien-fleming"
    looks: int | str = 5
    days: float | None = None
    alpha: float = 0.05
    formula: ClassVar[str] = (
        "|z| > c_k at look k: c (pocock), c / sqrt(share of the visits) (obrien-fleming), or by alpha spent "
        "(Lan and DeMets)"
    )
    source: ClassVar[str] = (
        "Pocock (1977), Biometrika 64; O'Brien and Fleming (1979), Biometrics 35; Lan and DeMets (1983), Biometrika 70"
    )
    promise: ClassVar[str] = "a level of alpha over all looks"

    def __post_init__(self) -> None:
        _check.choice("shape", self.shape, SHAPES)
        _check.fraction("alpha", self.alpha)
        if self.looks != "all":
            _check.whole("looks", self.looks)
        if self.days is not None:
            _check.positive("days", self.days)

    def ends_by(self, task: Task) -> float:
        return task.max_days if self.days is None else min(self.days, task.max_days)

    def decide(self, evidence: Evidence) -> Decision:
        task = evidence.task
        planned = plan_looks(task, self.looks, self.days)
        bounds = boundaries(self.shape, tuple(look / planned[-1] for look in planned), self.alpha / (task.num_arms - 1))
        update = np.rint(evidence.day * task.updates_per_day).astype(np.intp)
        look = np.minimum(np.searchsorted(planned, update), len(planned) - 1)
        looking = np.asarray(planned)[look] == update
        last = update >= planned[-1]
        if not (looking | last).any():
            return np.full(len(update), -1), looking
        z, _ = two_proportion_test(evidence.conversions, evidence.visits)
        crossed = np.abs(z) >= np.asarray(bounds)[look, None]
        arm, claims = winner(z, crossed & (looking | last)[:, None], evidence.rate, evidence.available)
        return declare(claims | last, arm), claims


@lru_cache(maxsize=32)
def plan_looks(task: Task, looks: int | str, days: float | None) -> tuple[int, ...]:
    """The updates after which the data are looked at: equally spaced, rounded up, none before `min_days`."""
    last = max(1, round((task.max_days if days is None else days) * task.updates_per_day))
    count = last if looks == "all" else min(int(looks), last)
    first = ceil(task.min_days * task.updates_per_day)
    planned = sorted({ceil(k * last / count) for k in range(1, count + 1)})
    return tuple(look for look in planned if look >= first) or (last,)
