"""A simple rule near the Bayes-optimal one: the posterior mean plus a bonus that shrinks as the horizon nears."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import _check
from agents.allocations.ucb import IndexPolicy
from agents.evidence import Evidence


@dataclass(eq=False)
class PosteriorIndex(IndexPolicy):
    """Serves the arm with the largest posterior mean + c sd (days left / horizon)^exponent.

    What is learned today pays on the days left, so that the bonus ends with them. `exponent = 0.5` is c' sd
    sqrt(days left) with c' = c / sqrt(horizon), which makes c comparable between horizons; 0 keeps the bonus
    constant.

    Attributes:
        c: standard deviations of bonus on the first day.
        exponent: how the bonus falls with the days left.
    """

    c: float = 1.0
    exponent: float = 0.5
    formula: ClassVar[str] = "argmax_a mean_a + c sd_a (days left / horizon)^exponent, mean and sd of the posterior"
    source: ClassVar[str] = 'Lai (1987), "Adaptive treatment allocation and the multi-armed bandit problem"; simplified'

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.non_negative("c", self.c)
        _check.non_negative("exponent", self.exponent)

    def index(self, evidence: Evidence) -> NDArray[np.float64]:
        left = np.clip(1 - evidence.day / evidence.task.max_days, 0, 1)
        return evidence.posterior_mean + self.c * (left**self.exponent)[:, None] * evidence.posterior_sd
