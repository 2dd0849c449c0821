"""The classical test of two proportions: how many visits it needs, its power, and the test itself.

All formulae are those of R's `power.prop.test` and `prop.test(correct = FALSE)`: normal approximation, pooled
variance under the null hypothesis, two-sided, no continuity correction.
"""

from math import isfinite, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray


def sample_size(
    baseline: float, target: float, power: float = 0.95, alpha: float = 0.05, comparisons: int = 1
) -> float:
    """Visits per arm that give the two-sided test of `target` against `baseline` the wanted power.

    n = (z_{1-alpha/2} sqrt(2 p q) + z_power sqrt(p1 q1 + p2 q2))^2 / (p1 - p2)^2, with p = (p1 + p2) / 2 and
    q = 1 - p: Fleiss, Levin and Paik (2003), "Statistical Methods for Rates and Proportions", eq. 4.14, and
    R's `power.prop.test`. The chance of a significant result in the wrong direction does not count as power
    (R's `strict = FALSE`).

    Args:
        baseline: conversion rate of the control, in (0, 1).
        target: conversion rate of the variation that should be found, in (0, 1), different from `baseline`.
        power: chance of finding it, in (0, 1), above `alpha / 2`.
        alpha: level of the test, in (0, 1), shared by the comparisons.
        comparisons: tests against the control, each at level alpha / comparisons (Bonferroni).

    Returns:
        Visits per arm; not rounded.

    Raises:
        ValueError: an argument outside its range.

    >>> round(sample_size(0.04, 0.05), 2)
    11165.99
    """
    spread_null, spread = _spreads(baseline, target)
    level = _level(alpha, comparisons)
    _require_open_unit("power", power)
    z = _critical(level) * spread_null + _quantile(power) * spread
    if z <= 0:
        raise ValueError(f"power is {power}; expected more than about alpha / 2 = {level / 2}")
    return float((z / (baseline - target)) ** 2)


def power(visits: float, baseline: float, target: float, alpha: float = 0.05, comparisons: int = 1) -> float:
    """Chance that the two-sided test finds `target` better than `baseline`; the inverse of `sample_size`.

    Args:
        visits: visits per arm, positive.
        baseline: conversion rate of the control, in (0, 1).
        target: conversion rate of the variation, in (0, 1), different from `baseline`.
        alpha: level of the test, in (0, 1), shared by the comparisons.
        comparisons: tests against the control, each at level alpha / comparisons (Bonferroni).

    Raises:
        ValueError: an argument outside its range.

    >>> round(power(50, 0.50, 0.75), 7)  # R: power.prop.test(n = 50, p1 = .50, p2 = .75)
    0.7401659
    """
    from scipy.special import ndtr

    spread_null, spread = _spreads(baseline, target)
    level = _level(alpha, comparisons)
    if not (isfinite(visits) and visits > 0):
        raise ValueError(f"visits is {visits}; expected a positive number of visits per arm")
    return float(ndtr((sqrt(visits) * abs(baseline - target) - _critical(level) * spread_null) / spread))


def two_proportion_test(
    conversions: ArrayLike, visits: ArrayLike, control: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The pooled z-test of every arm against the control.

    z = (p_j - p_c) / sqrt(p q (1/n_j + 1/n_c)), p the rate of the two arms pooled: R's `prop.test(correct =
    FALSE)`, whose X-squared is z^2. Where nothing can be told (an arm without visits; no conversion, or
    nothing but conversions) z is 0 and the p-value 1.

    Args:
        conversions: shape (..., K).
        visits: shape (..., K).
        control: the arm that the others are tested against.

    Returns:
        z, positive where the arm is ahead of the control, and the two-sided p-value; both (..., K), and 0 and
        1 at the control itself.
    """
    from scipy.special import ndtr

    s, n = np.broadcast_arrays(np.asarray(conversions, np.float64), np.asarray(visits, np.float64))
    s_control, n_control = s[..., control, None], n[..., control, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (s + s_control) / (n + n_control)
        variance = pooled * (1 - pooled) * (1 / n + 1 / n_control)
        z = (s / n - s_control / n_control) / np.sqrt(variance)
    z = np.where(np.isfinite(z) & (variance > 0), z, 0.0)
    z[..., control] = 0.0
    return z, 2 * ndtr(-np.abs(z))


def _spreads(baseline: float, target: float) -> tuple[float, float]:
    """Standard deviation of the difference at one visit per arm: under equal rates, and under the two."""
    _require_open_unit("baseline", baseline)
    _require_open_unit("target", target)
    if baseline == target:
        raise ValueError(f"baseline and target are both {target}; expected two different rates")
    mean = (baseline + target) / 2
    return sqrt(2 * mean * (1 - mean)), sqrt(baseline * (1 - baseline) + target * (1 - target))


def _level(alpha: float, comparisons: int) -> float:
    _require_open_unit("alpha", alpha)
    if not comparisons >= 1:
        raise ValueError(f"comparisons is {comparisons}; expected at least 1")
    return alpha / comparisons


def _require_open_unit(name: str, value: float) -> None:
    if not 0 < value < 1:  # also refuses NaN
        raise ValueError(f"{name} is {value}; expected a number between 0 and 1, both excluded")


def _critical(level: float) -> float:
    """What |z| must exceed for a two-sided p-value below `level`."""
    return -_quantile(level / 2)


def _quantile(probability: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(probability))
