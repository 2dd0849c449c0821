"""A prior from past experiments: the maximum of the beta-binomial likelihood (empirical Bayes); a prior against data.

>>> past = fit_beta([40, 90, 38, 61, 22, 30], [1000, 1100, 900, 1300, 1000, 800])
>>> round(past.a, 4), round(past.b, 3), past.flat
(7.4459, 157.168, False)
>>> alike = fit_beta([40, 55, 38, 61, 47, 30], [1000, 1100, 900, 1300, 1000, 800])
>>> alike.no_spread, round(alike.visits_low)
(True, 695)
"""

from dataclasses import dataclass
from math import exp, inf, log, log1p, nan
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bandit_env.stats.checks import check_counts

Floats = NDArray[np.float64]

LEAST = 1e-10  # spread 1/(a + b), below which the rates do not differ at all
STIRLING = 30.0  # from here on, asymptotic series
BEND = [(-1) ** k / ((k + 1) * (k + 2)) for k in range(12)]  # ((1 + t) log(1 + t) - t)/t^2
FLAT = 1.92  # log-likelihood: half of 3.84, the 95 % quantile of chi-square with one degree of freedom


@dataclass(frozen=True)
class BetaFit:
    """A Beta prior fitted to past rates.

    Attributes:
        a, b: its parameters; inf where the rates do not differ (their ratio is `mean` : 1 - `mean`).
        mean: of the rates, a/(a + b).
        a_error, b_error: standard errors of a and b, by the curvature of the likelihood; NaN where there is no spread.
        visits: a + b, the number of visits that the prior is worth.
        visits_low, visits_high: a 95 % interval of it by the likelihood ratio; `visits_high` is inf where equal rates
            cannot be excluded.
        log_likelihood: at the maximum.
        flat: the likelihood is nearly flat: equal rates, that is a prior worth any number of visits, fit within the
            95 % interval. The maximum is exact, and says little.
        no_spread: the maximum is at equal rates: the groups differ less than chance alone makes them.
    """

    a: float
    b: float
    mean: float
    a_error: float
    b_error: float
    visits: float
    visits_low: float
    visits_high: float
    log_likelihood: float
    flat: bool
    no_spread: bool


def fit_beta(conversions: ArrayLike, visits: ArrayLike) -> BetaFit:
    """Fit Beta(a, b) to the rates of past arms, by the beta-binomial likelihood.

    log L = sum_i log B(a + s_i, b + v_i - s_i) - log B(a, b) (binomial coefficients left out), at its maximum to 1e-6
    relative, in mean a/(a + b) and pseudo-visits a + b.

    Args:
        conversions, visits: of each arm, shape (n,) or any other; arms without visits tell nothing.

    Raises:
        ValueError: a count that is none; fewer than two arms with visits; no conversion, or nothing but conversions.

    >>> fit = fit_beta([2, 3, 1], [100, 100, 100])
    >>> fit.no_spread, fit.a, round(fit.mean, 6)
    (True, inf, 0.02)
    """
    s, v = check_counts(conversions, visits, "(n,)")
    s, v = s[v > 0].astype(np.float64), v[v > 0].astype(np.float64)
    if len(v) < 2:
        raise ValueError(f"{len(v)} arms have visits; expected at least two, to see how rates differ")
    if not 0 < s.sum() < v.sum():
        raise ValueError(f"{s.sum():g} of {v.sum():g} visits converted; expected some that did and some that did not")
    return _Likelihood(s, v).fit()


def log_odds_against(conversions: ArrayLike, visits: ArrayLike, prior: tuple[float, float]) -> Floats:
    """How much likelier the counts are with rates uniform on [0, 1] than with rates from the prior Beta(a, b).

    sum_k log m(s_k, v_k; 1, 1) - log m(s_k, v_k; a, b), m the beta-binomial likelihood. As visits come in, its
    exponential is a martingale of mean 1 where the rates do come from the prior, whoever splits the traffic.

    Args:
        conversions, visits: of each arm, shape (..., K).
        prior: (a, b).

    Returns:
        Natural logarithms, shape (...,).

    >>> bool(log_odds_against([2, 3], [100, 100], (4, 96)) < 0 < log_odds_against([30, 25], [100, 100], (4, 96)))
    True
    """
    from scipy.special import betaln

    s, v = np.asarray(conversions, np.float64), np.asarray(visits, np.float64)
    a, b = prior
    told = betaln(a + s, b + v - s) - betaln(a, b)
    return np.asarray((betaln(1 + s, 1 + v - s) - told).sum(axis=-1))


class _Likelihood:
    """The beta-binomial log-likelihood, in the mean and the spread r = 1/(a + b), which is 0 at equal rates.

    Every difference is taken before it cancels, so that it is smooth down to r = 0, where the likelihood is flat.
    """

    def __init__(self, conversions: Floats, visits: Floats) -> None:
        self.counts = conversions, visits - conversions, visits
        self.pooled = float(conversions.sum() / visits.sum())

    def __call__(self, mean: float, r: float) -> float:
        s, f, v = self.counts
        equal = s.sum() * log(mean) + f.sum() * log1p(-mean)
        if r == 0:
            return float(equal)
        return float(equal + (_rise(mean / r, s) + _rise((1 - mean) / r, f) - _rise(1 / r, v)).sum())

    def profile(self, r: float) -> tuple[float, float]:
        """The largest log-likelihood at r, and the mean where it is."""
        from scipy.optimize import minimize_scalar

        if r == 0:
            return self(self.pooled, 0.0), self.pooled
        centre = log(self.pooled / (1 - self.pooled))
        found = minimize_scalar(
            lambda y: -self(1 / (1 + exp(-y)), r), bounds=(centre - 4, centre + 4), options={"xatol": 1e-9}
        )
        return -float(found.fun), 1 / (1 + exp(-float(found.x)))

    def fit(self) -> BetaFit:
        spreads = np.exp(np.linspace(log(LEAST), log(100.0), 61))
        levels = [self.profile(float(r))[0] for r in spreads]
        best = int(np.argmax(levels))
        equal, _ = self.profile(0.0)
        if best == 0 or levels[best] <= equal:
            return self._equal(equal)
        mean = self.profile(float(spreads[best]))[1]
        a, b = self._climb(mean / spreads[best], (1 - mean) / spreads[best])
        _, hessian = self._derivatives(a, b)
        errors = np.sqrt(np.diag(np.linalg.inv(-hessian)))
        top = self(a / (a + b), 1 / (a + b))
        flat = equal > top - FLAT
        low = inf if flat else 1 / self._crossing(top - FLAT, 1e-3 * LEAST, 1 / (a + b))
        high = 1 / self._crossing(top - FLAT, 1e6, 1 / (a + b))
        return BetaFit(a, b, a / (a + b), float(errors[0]), float(errors[1]), a + b, high, low, top, flat, False)

    def _equal(self, level: float) -> BetaFit:
        least = 1 / self._crossing(level - FLAT, 1e6, LEAST)
        return BetaFit(inf, inf, self.pooled, nan, nan, inf, least, inf, level, True, True)

    def _crossing(self, level: float, outer: float, inner: float) -> float:
        """The spread between `inner`, where the profile is above the level, and `outer` where it crosses it."""
        from scipy.optimize import brentq

        def above(y: float) -> float:
            return self.profile(exp(y))[0] - level

        if above(log(outer)) > 0:
            return outer
        return exp(brentq(above, log(inner), log(outer), xtol=1e-8))

    def _climb(self, a: float, b: float) -> tuple[float, float]:
        """Newton's method in the logarithms of a and b."""
        x = np.log([a, b])
        for _ in range(200):
            p = np.exp(x)
            gradient, hessian = self._derivatives(float(p[0]), float(p[1]))
            slope = p * gradient
            curvature = np.outer(p, p) * hessian + np.diag(slope)
            values, vectors = np.linalg.eigh(curvature)
            # uphill also where the likelihood is not concave
            step = vectors @ ((vectors.T @ slope) / np.maximum(np.abs(values), 1e-300))
            step *= 0.5 / max(0.5, np.abs(step).max())
            x += step
            if np.abs(step).max() < 1e-11:
                break
        return float(exp(x[0])), float(exp(x[1]))

    def _derivatives(self, a: float, b: float) -> tuple[Floats, Floats]:
        """Gradient and Hessian in (a, b)."""
        s, f, v = self.counts
        both, both2 = _digamma_rise(a + b, v).sum(), _trigamma_rise(a + b, v).sum()
        gradient = np.array([_digamma_rise(a, s).sum() - both, _digamma_rise(b, f).sum() - both])
        own = np.diag([_trigamma_rise(a, s).sum(), _trigamma_rise(b, f).sum()])
        return gradient, own - both2


def _rise(x: float, n: Floats) -> Floats:
    """log(gamma(x + n)/gamma(x)) - n log(x): about n (n - 1)/(2 x) for large x, without cancellation."""
    from scipy.special import gammaln

    if x < STIRLING:
        return np.asarray(gammaln(x + n) - gammaln(x) - n * log(x))
    t = n / x
    log_ = np.log1p(t)
    series = np.polynomial.polynomial.polyval(t, BEND)
    bend = np.where(t < 0.05, series * t * t, (1 + t) * log_ - t)
    end = x + n
    return np.asarray(x * bend - 0.5 * log_ + _remainder(end) - _remainder(x))


def _remainder(x: Any) -> Any:
    """Of Stirling's series for log(gamma(x))."""
    q = 1 / (x * x)
    return (1 / 12 - q * (1 / 360 - q * (1 / 1260 - q / 1680))) / x


def _digamma_rise(x: float, n: Floats) -> Floats:
    """The digamma function at x + n less that at x."""
    from scipy.special import digamma

    if x < STIRLING:
        return np.asarray(digamma(x + n) - digamma(x))
    end = x + n
    p, q = 1 / (x * x), 1 / (end * end)
    tail = n * (x + end) * p * q * (1 / 12 - (p + q) / 120 + (p * p + p * q + q * q) / 252)
    return np.asarray(np.log1p(n / x) + 0.5 * n / (x * end) + tail)


def _trigamma_rise(x: float, n: Floats) -> Floats:
    """The trigamma function at x + n less that at x."""
    from scipy.special import polygamma

    if x < STIRLING:
        return np.asarray(polygamma(1, x + n) - polygamma(1, x))
    end = x + n
    p, q = 1 / x, 1 / end
    d = -n * p * q  # q - p
    return np.asarray(
        d * (1 + 0.5 * (p + q) + (p * p + p * q + q * q) / 6 - (q**4 + q**3 * p + q * q * p * p + q * p**3 + p**4) / 30)
    )
