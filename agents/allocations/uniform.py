"""Equal traffic: alone, or as the classical test."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.allocation import Allocation
from agents.evidence import Evidence
from agents.stopping import FixedSample
from bandit_env.world.task import Task


@dataclass(eq=False)
class Uniform(Allocation):
    """Serves all arms equally."""

    formula: ClassVar[str] = "w_a = 1 / K"
    source: ClassVar[str] = 'Fisher (1935), "The Design of Experiments"'

    def weights(self, evidence: Evidence) -> NDArray[np.float64]:
        """1 / K, shape (n, K)."""
        return evidence.equal_weights

    def least_weight(self, task: Task) -> float:
        """1 / K."""
        return 1 / task.num_arms


@dataclass(eq=False)
class UniformClassical(Uniform):
    """The classical experiment: equal traffic for the sample size of the power calculation, then the test.

    Attributes:
        baseline: conversion rate of the control in the plan. An experiment file that leaves it out has the
            control's rate in the scenario.
        target: conversion rate that a variation should have to be found; in an experiment file by default the
            best other rate.
        power: chance to find it.
        alpha: level of the test, shared by the comparisons (Bonferroni).
        stopping: made from these; not to be given.
    """

    baseline: float | None = None
    target: float | None = None
    power: float = 0.95
    alpha: float = 0.05
    stopping: FixedSample = field(init=False)
    formula: ClassVar[str] = (
        "w_a = 1 / K; n = (z_{1-alpha/2} sqrt(2 p q) + z_{power} sqrt(p_0 q_0 + p_1 q_1))^2 / (p_1 - p_0)^2 "
        "visits an arm, alpha / (K - 1) each"
    )
    source: ClassVar[str] = FixedSample.source

    def __post_init__(self) -> None:
        self.stopping = FixedSample(self.baseline, self.target, self.power, self.alpha)
        super().__post_init__()

    def planned(self, baseline: float, target: float) -> dict[str, Any]:
        return {
            name: rate
            for name, rate, given in (("baseline", baseline, self.baseline), ("target", target, self.target))
            if given is None
        }
