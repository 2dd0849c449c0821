"""Thompson sampling, a batch of visits at a time."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import _check
from agents.allocation import Allocation
from agents.evidence import Evidence
from agents.memories import PeriodWeighted


@dataclass(eq=False)
class Thompson(Allocation):
    """Serves every arm in proportion to the probability that it is the best: weights = P(best | data).

    The exact share that a draw of the posterior per visit has in expectation; with one visit an update it
    *is* per-visit Thompson sampling.
    """

    formula: ClassVar[str] = "w_a = P(rate_a is the largest | data), rate_a ~ Beta(a + c_a, b + n_a - c_a)"
    source: ClassVar[str] = (
        'Thompson (1933), Biometrika 25; Scott (2010), "A modern Bayesian look at the multi-armed bandit"'
    )

    def weights(self, evidence: Evidence) -> NDArray[np.float64]:
        """P(best), shape (n, K)."""
        return evidence.probability_best


@dataclass(eq=False)
class TemperedThompson(Allocation):
    """Thompson sampling that is made bolder or more careful: P(best)^gamma, normalised.

    weights = P(best)^gamma / sum_j P(best_j)^gamma. gamma > 1 exploits sooner, gamma < 1 explores longer; a `floor`
    keeps every arm's estimate alive, as experimentation platforms do. (Chapelle and Li, 2011, temper the posterior
    of the rates instead, which gives other weights.)

    Attributes:
        gamma: exponent of P(best); 1 is plain Thompson sampling.
    """

    gamma: float = 1.0
    formula: ClassVar[str] = "w_a = P(best_a)^gamma / sum_j P(best_j)^gamma"
    source: ClassVar[str] = 'Thall and Wathen (2007), "Practical Bayesian adaptive randomisation in clinical trials"'

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.positive("gamma", self.gamma)

    def weights(self, evidence: Evidence) -> NDArray[np.float64]:
        best = evidence.probability_best
        bold = (best / best.max(axis=1, keepdims=True)) ** self.gamma  # the largest is 1: no underflow of all
        shares: NDArray[np.float64] = bold / bold.sum(axis=1, keepdims=True)
        return shares


@dataclass(eq=False)
class PeriodWeightedThompson(Thompson):
    """Thompson sampling on rates averaged over periods, which a season that all arms share does not mislead.

    The memory "period-weighted" (see `agents.memories.PeriodWeighted`), with a period for each stretch of constant
    weights: `every_days`, or an update.
    """

    formula: ClassVar[str] = "w_a = P(rate_a is the largest), of rates sum_p N_p c_pa / n_pa / sum_p N_p over periods p"
    source: ClassVar[str] = PeriodWeighted.source

    def __post_init__(self) -> None:
        if self.memory is None or self.memory == "all":
            _check.non_negative("every_days", self.every_days)
            self.memory = PeriodWeighted(self.every_days or None)
        super().__post_init__()
        if not isinstance(self._memory, PeriodWeighted):
            raise ValueError(f"memory is {self.memory!r}; expected none: 'period-weighted' is its own")


@dataclass(eq=False)
class TopTwoThompson(Allocation):
    """Draws a leader from P(best) and serves it with probability beta, else a challenger drawn from the others.

    With alpha = P(best), weight_i = alpha_i (beta + (1 - beta) sum_{j != i} alpha_j / (1 - alpha_j)): the
    exact share of the algorithm that redraws until a second arm comes out on top. Made to find the best arm,
    not to earn.

    Attributes:
        beta: probability to serve the leader.
    """

    beta: float = 0.5
    formula: ClassVar[str] = "w_i = P_i (beta + (1 - beta) sum_{j != i} P_j / (1 - P_j)), P_i = P(best_i)"
    source: ClassVar[str] = 'Russo (2020), "Simple Bayesian algorithms for best-arm identification", section 3.3'

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.fraction("beta", self.beta)

    def weights(self, evidence: Evidence) -> NDArray[np.float64]:
        best = evidence.probability_best
        num_arms = best.shape[1]
        weights = self.beta * best
        for leader in range(num_arms):
            others = best.copy()
            others[:, leader] = 0
            rest = others.sum(axis=1, keepdims=True)  # 1 - alpha_j, without cancellation when alpha_j is nearly 1
            certain = rest[:, 0] <= 0
            others[certain] = evidence.available[certain]  # no challenger is left to draw: any of them
            others[certain, leader] = 0
            rest[certain] = np.maximum(others[certain].sum(axis=1, keepdims=True), 1)
            weights += (1 - self.beta) * best[:, leader, None] * others / rest
        return weights
