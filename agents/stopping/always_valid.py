"""Stopping rules that may look at any time: mixture SPRT, confidence sequences, generalised likelihood ratio."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import _check
from agents.evidence import Evidence
from agents.stopping.classical import winner
from agents.stopping.rule import Decision, StoppingRule, declare

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MixtureSPRT(StoppingRule):
    """Stops when the mixture likelihood ratio of some variation against the control reaches 1 / alpha.

    Each variation has alpha / (K - 1). Ships the leading variation that is significantly better, or the
    control once it is significantly better than every variation; claims what it ships. Always valid for equal
    traffic and large counts (the likelihood ratio is that of a normal approximation); no such claim is made
    for adaptive traffic.

    Attributes:
        alpha: level, all comparisons together.
        variance: of the mixing normal distribution of the difference of two rates; tau^2 in the paper.
    """

    alpha: float = 0.05
    variance: float = 1e-4
    source: ClassVar[str] = "Johari, Koomen, Pekelis and Walsh (2022), Operations Research 70, eq. 9"

    def __post_init__(self) -> None:
        _check.fraction("alpha", self.alpha)
        _check.positive("variance", self.variance)

    def decide(self, evidence: Evidence) -> Decision:
        log_ratio = log_mixture_ratio(evidence.conversions, evidence.visits, self.variance)
        rate = evidence.rate
        significant = log_ratio >= np.log((evidence.task.num_arms - 1) / self.alpha)
        arm, claims = winner(rate - rate[:, :1], significant, rate)
        return declare(claims, arm), claims


def log_mixture_ratio(conversions: Floats, visits: Floats, variance: float) -> Floats:
    """Logarithm of the mixture likelihood ratio of every arm against arm 0, shape (n, K); 0 for arm 0 itself.

    Lambda = sqrt(v / (v + tau2)) exp(tau2 d^2 / (2 v (v + tau2))), d the difference of the observed rates and
    v = p_j q_j / n_j + p_0 q_0 / n_0 its estimated variance; 1 where v is 0.
    """
    visits_or_one = np.maximum(visits, 1)
    rate = conversions / visits_or_one
    spread = rate * (1 - rate) / visits_or_one
    v = spread + spread[:, :1]
    difference = rate - rate[:, :1]
    known = (v > 0) & (visits > 0) & (visits[:, :1] > 0)
    known[:, 0] = False
    v = np.where(known, v, 1.0)
    ratio = variance * difference**2 / (2 * v * (v + variance)) - np.log1p(variance / v) / 2
    return np.where(known, ratio, 0.0)


@dataclass(frozen=True)
class ConfidenceSequence(StoppingRule):
    """Stops when the leader's confidence bound lies above all others'; claims it.

    Every arm has a confidence sequence at level alpha / K, so that with probability 1 - alpha all intervals
    hold at all times. Holds for every allocation that is decided before the visits it serves, adaptive ones
    as well.

    Attributes:
        alpha: level, all arms together.
        mixture: (a, b) of the Beta distribution over which the likelihood is mixed. The level holds for any.
    """

    alpha: float = 0.05
    mixture: tuple[float, float] = (1.0, 1.0)
    source: ClassVar[str] = "Howard, Ramdas, McAuliffe and Sekhon (2021), Annals of Statistics 49, proposition 7"

    def __post_init__(self) -> None:
        _check.fraction("alpha", self.alpha)
        object.__setattr__(self, "mixture", _check.beta_prior(self.mixture, name="mixture"))

    def decide(self, evidence: Evidence) -> Decision:
        level = self.alpha / evidence.task.num_arms
        lower, upper = confidence_bounds(evidence.conversions, evidence.visits, level, self.mixture)
        leader = lower.argmax(axis=1)
        rows = np.arange(len(leader))
        best_lower = lower[rows, leader]
        upper[rows, leader] = -np.inf
        stop = best_lower > upper.max(axis=1)
        return declare(stop, leader), stop


def confidence_bounds(
    conversions: Floats, visits: Floats, alpha: float, mixture: tuple[float, float] = (1.0, 1.0)
) -> tuple[Floats, Floats]:
    """Bounds that hold for an arm's rate at all numbers of visits together with probability 1 - alpha.

    The mixture of the likelihood ratio over a Beta(a, b) is a martingale at the true rate q, so that by
    Ville's inequality B(s + a, f + b) / B(a, b) stays below q^s (1 - q)^f / alpha: Robbins (1970); Howard et
    al. (2021), proposition 7. All such q are those with n kl(s / n, q) <= log(1 / alpha) + log of the largest
    likelihood over the mixed one.

    Args:
        conversions: shape (n, K).
        visits: shape (n, K).
        alpha: chance that the rate is ever outside.
        mixture: (a, b) of the Beta distribution.

    Returns:
        lower (n, K) and upper (n, K); 0 and 1 for an arm without visits.
    """
    from scipy.special import betaln, xlogy

    from agents._kernels import kl_upper

    a, b = mixture
    visits_or_one = np.maximum(visits, 1)
    rate = conversions / visits_or_one
    failures = visits - conversions
    largest = xlogy(conversions, rate) + xlogy(failures, failures / visits_or_one)
    mixed = betaln(conversions + a, failures + b) - betaln(a, b)
    bound = (largest - mixed - np.log(alpha)) / visits_or_one
    lower, upper = 1 - kl_upper(1 - rate, bound), kl_upper(rate, bound)
    return np.where(visits > 0, lower, 0.0), np.where(visits > 0, upper, 1.0)


@dataclass(frozen=True)
class GeneralizedLikelihoodRatio(StoppingRule):
    """Chernoff's rule: stops when the leader is told from every other arm by the likelihood ratio; claims it.

    min_b Z_b > log((log(t) + 1) / delta), Z_b = n_a kl(rate_a, m) + n_b kl(rate_b, m) with m the rate of arms
    a and b pooled, t all visits. The threshold is the one of the authors' experiments; what they prove needs
    a larger one, and the error stays below delta in practice.

    Attributes:
        delta: wanted bound on the chance to claim a wrong arm.
    """

    delta: float = 0.05
    source: ClassVar[str] = "Garivier and Kaufmann (2016), COLT, sections 3.2 and 6"

    def __post_init__(self) -> None:
        _check.fraction("delta", self.delta)

    def decide(self, evidence: Evidence) -> Decision:
        statistic, leader = likelihood_ratio(evidence.conversions, evidence.visits)
        threshold = np.log((np.log(np.maximum(evidence.total_visits, 1)) + 1) / self.delta)
        stop = statistic > threshold
        return declare(stop, leader), stop


def likelihood_ratio(conversions: Floats, visits: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """The least log likelihood ratio of the leader against another arm (n,), and the leader (n,)."""
    from scipy.special import xlogy

    rate = conversions / np.maximum(visits, 1)
    leader = rate.argmax(axis=1)
    rows = np.arange(len(leader))[:, None]
    pooled_conversions = conversions + conversions[rows, leader[:, None]]
    pooled_visits = visits + visits[rows, leader[:, None]]
    own = xlogy(conversions, rate) + xlogy(visits - conversions, 1 - rate)
    pooled_rate = pooled_conversions / np.maximum(pooled_visits, 1)
    pooled = xlogy(pooled_conversions, pooled_rate) + xlogy(pooled_visits - pooled_conversions, 1 - pooled_rate)
    ratio = own + own[rows, leader[:, None]] - pooled
    ratio[rows[:, 0], leader] = np.inf
    return ratio.min(axis=1), leader
