"""Intervals from counts alone: of one rate, and of two rates' difference."""

import numpy as np
from numpy.typing import ArrayLike

from bandit_env.stats.checks import Floats, check_control, check_counts, check_level, check_prior


def rate_interval(
    conversions: ArrayLike, visits: ArrayLike, level: float = 0.95, prior: ArrayLike = (1, 1)
) -> tuple[Floats, Floats]:
    """The equal-tailed credible interval of every rate: quantiles of Beta(conversions + a, visits - conversions + b).

    Args:
        conversions, visits: counts, shape (..., K).
        level: the probability inside, in (0, 1).
        prior: the Beta prior's (alpha, beta).

    Returns:
        (low, high), each of shape (..., K).

    Raises:
        ValueError: a count, level or prior that is none; says which, where, and what was expected.

    >>> low, high = rate_interval([40, 50], [1000, 1000])
    >>> low.round(4), high.round(4)
    (array([0.0296, 0.0382]), array([0.054 , 0.0653]))
    """
    from scipy.special import betainccinv, betaincinv

    check_level(level)
    s, v = check_counts(conversions, visits)
    alpha, beta = check_prior(prior)
    tail = (1 - level) / 2
    return np.asarray(betaincinv(s + alpha, v - s + beta, tail)), np.asarray(betainccinv(s + alpha, v - s + beta, tail))


def wald_interval(conversions: ArrayLike, visits: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """The textbook's interval of a rate, p -+ z sqrt(p (1 - p)/n): for comparison, as it fails for small counts.

    Args:
        conversions, visits: counts, shape (..., K).
        level: the nominal coverage, in (0, 1).

    Returns:
        (low, high), each of shape (..., K), not cut at 0 and 1; NaN without visits.

    Raises:
        ValueError: a count or level that is none.

    >>> low, high = wald_interval([40, 50], [1000, 1000])
    >>> low.round(4), high.round(4)
    (array([0.0279, 0.0365]), array([0.0521, 0.0635]))
    """
    s, v = check_counts(conversions, visits)
    z = _critical(level)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = s / v
        reach = z * np.sqrt(p * (1 - p) / v)
    return p - reach, p + reach


def wilson_interval(conversions: ArrayLike, visits: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Wilson's score interval of a rate: where |p - q| = z sqrt(q (1 - q)/n) (Wilson 1927, JASA 22).

    Args:
        conversions, visits: counts, shape (..., K).
        level: the nominal coverage, in (0, 1).

    Returns:
        (low, high), each of shape (..., K); 0 and 1 without visits.

    Raises:
        ValueError: a count or level that is none.

    >>> low, high = wilson_interval([40, 50], [1000, 1000])
    >>> low.round(4), high.round(4)
    (array([0.0295, 0.0381]), array([0.054 , 0.0653]))
    """
    s, v = check_counts(conversions, visits)
    z = _critical(level)
    # Newcombe (1998), Statistics in Medicine 17, 857-872, method 3, with 2 n p = 2 s
    centre, reach = 2 * s + z**2, z * np.sqrt(z**2 + 4 * s * (v - s) / np.maximum(v, 1))
    return np.where(s > 0, (centre - reach) / (2 * (v + z**2)), 0.0), np.where(
        s < v, (centre + reach) / (2 * (v + z**2)), 1.0
    )


def newcombe_interval(
    conversions: ArrayLike, visits: ArrayLike, level: float = 0.95, control: int = 0
) -> tuple[Floats, Floats]:
    """Newcombe's interval of each rate less the control's, from the two Wilson intervals.

    Newcombe (1998), "Interval estimation for the difference between independent proportions", Statistics in Medicine
    17, 873-890, method 10: d - sqrt((p - l)^2 + (u' - p')^2), d + sqrt((u - p)^2 + (p' - l')^2), the control's primed.

    Args:
        conversions, visits: counts, shape (..., K).
        level: the nominal coverage, in (0, 1).
        control: the arm that differences are taken from.

    Returns:
        (low, high), each of shape (..., K), the control's own 0; NaN without visits.

    Raises:
        ValueError: a count or level that is none, or no such control.

    >>> low, high = newcombe_interval([40, 50], [1000, 1000])
    >>> low.round(4), high.round(4)
    (array([ 0.    , -0.0084]), array([0.    , 0.0286]))
    """
    s, v = check_counts(conversions, visits)
    control = check_control(control, v.shape[-1])
    low, high = wilson_interval(s, v, level)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = s / v
    p0, low0, high0 = p[..., control, None], low[..., control, None], high[..., control, None]
    lower = p - p0 - np.sqrt((p - low) ** 2 + (high0 - p0) ** 2)
    upper = p - p0 + np.sqrt((high - p) ** 2 + (p0 - low0) ** 2)
    lower[..., control] = upper[..., control] = 0.0
    return lower, upper


def _critical(level: float) -> float:
    from scipy.special import ndtri

    check_level(level)
    return float(-ndtri((1 - level) / 2))
