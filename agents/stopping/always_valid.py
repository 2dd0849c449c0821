"""Stopping rules that may look at any time: mixture SPRT, confidence sequences, generalised likelihood ratio."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import _check
from agents.evidence import Evidence, or_one
from agents.stopping.classical import winner
from agents.stopping.rule import Decision, StoppingRule, declare

Floats = NDArray[np.float64]

THRESHOLDS = ("practical", "proved")  # of the generalised likelihood ratio


@dataclass(frozen=True)
class MixtureSPRT(StoppingRule):
    """Stops when the mixture likelihood ratio of some variation against the control reaches 1 / alpha.

    Each variation has alpha / (K - 1). Ships the leading variation that is significantly better, or the
    control once it is significantly better than every variation; claims what it ships. The variance is that
    of no difference, p q (1 / n_k + 1 / n_0) with p the rate of both arms together: a normal approximation,
    good for large counts. Equation 9 of the paper has p_k q_k / n_k + p_0 q_0 / n_0 in its place
    (`log_mixture_ratio`), which a starved arm whose few visits all ended alike makes far too small, and which
    is zero for rates 0 and 1. The paper's proof is for traffic that does not follow the data.

    Attributes:
        alpha: level, all comparisons together.
        variance: of the mixing normal distribution of the difference of two rates, in absolute terms (tau^2
            in the paper); 1e-4, which suits rates of some per cent, where neither it nor `relative_sd` is given.
        relative_sd: in place of `variance`: tau as a fraction of the control's rate under no difference, which
            is that of both arms together. 0.25 at a rate of 4 % is a variance of 1e-4.
    """

    alpha: float = 0.05
    variance: float | None = None
    relative_sd: float | None = None
    formula: ClassVar[str] = (
        "sqrt(v / (v + tau^2)) exp(tau^2 d^2 / (2 v (v + tau^2))) >= (K - 1) / alpha, d = rate_j - rate_0, v "
        "= p q (1 / n_j + 1 / n_0)"
    )
    source: ClassVar[str] = "Johari, Koomen, Pekelis and Walsh (2022), Operations Research 70, eq. 9"
    promise: ClassVar[str] = "a level of alpha at all times together"

    def __post_init__(self) -> None:
        _check.fraction("alpha", self.alpha)
        _check.one_of_two(self, "variance", "relative_sd", default=1e-4)

    def decide(self, evidence: Evidence) -> Decision:
        variance = np.asarray(self.variance, np.float64)
        if self.relative_sd is not None:
            variance = (self.relative_sd * _pooled_rate(evidence.conversions, evidence.visits)) ** 2
        log_ratio = log_pooled_mixture_ratio(evidence.conversions, evidence.visits, variance)
        rate = evidence.rate
        significant = log_ratio >= np.log((evidence.task.num_arms - 1) / self.alpha)
        arm, claims = winner(rate - rate[:, :1], significant, rate, evidence.available)
        return declare(claims, arm), claims


def log_pooled_mixture_ratio(conversions: Floats, visits: Floats, variance: Floats | float = 1e-4) -> Floats:
    """Logarithm of the mixture likelihood ratio of every arm against arm 0 with the variance of no difference.

    Lambda = sqrt(v / (v + tau2)) exp(tau2 d^2 / (2 v (v + tau2))), d the difference of the observed rates and
    v = p q (1 / n_k + 1 / n_0), p the rate of both arms together: Johari et al. (2022), eq. 9, with v pooled.

    Args:
        conversions: shape (n, K).
        visits: shape (n, K).
        variance: tau2, a number or shape (n, K).

    Returns:
        Shape (n, K); 0 for arm 0 itself, and where an arm has no visits or p is 0 or 1.
    """
    pooled, visits_or_one = _pooled_rate(conversions, visits), or_one(visits)
    v = pooled * (1 - pooled) * (1 / visits_or_one + 1 / visits_or_one[:, :1])
    return _log_ratio(conversions, visits, v, variance)


def _pooled_rate(conversions: Floats, visits: Floats) -> Floats:
    """The rate of every arm and arm 0 together, shape (n, K)."""
    return np.asarray((conversions + conversions[:, :1]) / or_one(visits + visits[:, :1]))


def log_mixture_ratio(conversions: Floats, visits: Floats, variance: float = 1e-4) -> Floats:
    """The same as published, with v = p_k q_k / n_k + p_0 q_0 / n_0, each arm at its own rate; 0 where v is 0."""
    visits_or_one = or_one(visits)
    rate = conversions / visits_or_one
    spread = rate * (1 - rate) / visits_or_one
    return _log_ratio(conversions, visits, spread + spread[:, :1], variance)


def _log_ratio(conversions: Floats, visits: Floats, v: Floats, tau2: Floats | float) -> Floats:
    rate = conversions / or_one(visits)
    difference = rate - rate[:, :1]
    known = (v > 0) & (visits > 0) & (visits[:, :1] > 0)
    known[:, 0] = False
    v = np.where(known, v, 1.0)
    ratio = tau2 * difference**2 / (2 * v * (v + tau2)) - np.log1p(tau2 / v) / 2
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
    formula: ClassVar[str] = (
        "lower_a > max_{j != a} upper_j, {p: B(a + c, b + n - c) / (B(a, b) p^c (1 - p)^(n - c)) < K / alpha} per arm"
    )
    source: ClassVar[str] = "Howard, Ramdas, McAuliffe and Sekhon (2021), Annals of Statistics 49, proposition 7"
    promise: ClassVar[str] = "a level of alpha at all times together"

    def __post_init__(self) -> None:
        _check.fraction("alpha", self.alpha)
        object.__setattr__(self, "mixture", _check.beta_prior(self.mixture, name="mixture"))

    def decide(self, evidence: Evidence) -> Decision:
        level = self.alpha / evidence.task.num_arms
        lower, upper = confidence_bounds(evidence.conversions, evidence.visits, level, self.mixture)
        lower, upper = evidence.present(lower), evidence.present(upper)
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
    visits_or_one = or_one(visits)
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

    min_b Z_b > threshold, Z_b = n_a kl(rate_a, m) + n_b kl(rate_b, m) with a the leader, m the rate of arms a
    and b pooled, and t the visits of all arms.

    What is proved is one-sided: with threshold log(2 t (K - 1) / delta) and one best arm, another one is ever
    claimed with probability at most delta, whatever the allocation (theorem 10). On K equal arms, where every
    claim is false, the same proof gives K / (K - 1) times delta: 2 delta for two. The threshold of the authors'
    experiments, log((log(t) + 1) / delta), is far smaller and has no such proof: on two arms of rate .5, with
    a look after every pair of visits for 10^5 visits and delta = .05, it claims one in a tenth of all
    experiments. docs/error_rates.md has its measured levels.

    Attributes:
        delta: bound on the chance to claim a wrong arm, where the threshold is proved.
        threshold: "practical", that of the authors' experiments; or "proved".
    """

    delta: float = 0.05
    threshold: str = "practical"
    formula: ClassVar[str] = (
        "min_b n_a kl(rate_a, m_b) + n_b kl(rate_b, m_b) > log((log(t) + 1) / delta), or log(2 t (K - 1) / delta)"
    )
    source: ClassVar[str] = "Garivier and Kaufmann (2016), COLT, sections 3.2 and 6, theorem 10"
    promise: ClassVar[str] = "an error of at most delta at all times together"

    def __post_init__(self) -> None:
        _check.fraction("delta", self.delta)
        _check.choice("threshold", self.threshold, THRESHOLDS)

    def decide(self, evidence: Evidence) -> Decision:
        statistic, leader = likelihood_ratio(evidence.conversions, evidence.visits, evidence.available)
        t = np.maximum(evidence.total_visits, 1)
        growth = np.log(t) + 1 if self.threshold == "practical" else 2 * t * (evidence.task.num_arms - 1)
        stop = statistic > np.log(growth / self.delta)
        return declare(stop, leader), stop


def likelihood_ratio(
    conversions: Floats, visits: Floats, available: NDArray[np.bool_] | None = None
) -> tuple[Floats, NDArray[np.intp]]:
    """The least log likelihood ratio of the leader against another arm (n,), and the leader (n,).

    Of the arms that are `available`, (n, K): all, where it is None.
    """
    from scipy.special import xlogy

    rate = conversions / or_one(visits)
    leader = (rate if available is None else np.where(available, rate, -1.0)).argmax(axis=1)
    rows = np.arange(len(leader))[:, None]
    pooled_conversions = conversions + conversions[rows, leader[:, None]]
    pooled_visits = visits + visits[rows, leader[:, None]]
    own = xlogy(conversions, rate) + xlogy(visits - conversions, 1 - rate)
    pooled_rate = pooled_conversions / or_one(pooled_visits)
    pooled = xlogy(pooled_conversions, pooled_rate) + xlogy(pooled_visits - pooled_conversions, 1 - pooled_rate)
    ratio = own + own[rows, leader[:, None]] - pooled
    ratio[rows[:, 0], leader] = np.inf
    if available is not None:
        ratio[~available] = np.inf
    return ratio.min(axis=1), leader
