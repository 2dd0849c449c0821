"""The classical test of two proportions: how many visits it needs, its power, and the test itself.

Unless asked otherwise, formulae are those of R's `power.prop.test` and `prop.test(correct = FALSE)`: normal
approximation, pooled variance under the null hypothesis, two-sided, no continuity correction.
"""

from math import isfinite, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bandit_env.stats.checks import check_control, check_counts


def sample_size(
    baseline: float,
    target: float,
    power: float = 0.95,
    alpha: float = 0.05,
    comparisons: int = 1,
    *,
    alternative: str = "two-sided",
    ratio: float = 1.0,
    variance: str = "pooled",
) -> float:
    """Visits per arm that give the test of `target` against `baseline` the wanted power.

    n = (z_{1-alpha/2} sqrt(2 p q) + z_power sqrt(p1 q1 + p2 q2))^2 / (p1 - p2)^2, with p = (p1 + p2) / 2 and
    q = 1 - p: Fleiss, Levin and Paik (2003), "Statistical Methods for Rates and Proportions", eq. 4.14, and
    R's `power.prop.test`; with unequal arms eq. 4.19, 2 p q becoming p q (1 + 1/ratio) at the pooled rate and
    p2 q2 becoming p2 q2/ratio. The chance of a significant result in the wrong direction does not count as power
    (R's `strict = FALSE`).

    Args:
        baseline: conversion rate of the control, in (0, 1).
        target: conversion rate of the variation that should be found, in (0, 1), different from `baseline`.
        power: chance of finding it, in (0, 1), above `alpha / 2`.
        alpha: level of the test, in (0, 1), shared by the comparisons.
        comparisons: tests against the control, each at level alpha / comparisons (Bonferroni).
        alternative: "two-sided", or "one-sided": all of alpha on the side of the target.
        ratio: visits of the variation for each visit of the control.
        variance: under equal rates, "pooled" as above, or "baseline": both arms at the control's rate, as Evan
            Miller's calculator has it (evanmiller.org/ab-testing/sample-size.html).

    Returns:
        Visits of the control, and of every arm where `ratio` is 1; not rounded.

    Raises:
        ValueError: an argument outside its range.

    >>> round(sample_size(0.04, 0.05), 2)
    11165.99
    >>> round(sample_size(0.20625, 0.21625, power=0.8, variance="baseline"))
    25835
    """
    test = _Test(alpha, comparisons, alternative, ratio, variance)
    spread_null, spread = test.spreads(baseline, target)
    _require_open_unit("power", power)
    z = test.critical * spread_null + _quantile(power) * spread
    if z <= 0:
        least = "alpha / 2" if alternative == "two-sided" else "alpha"
        raise ValueError(f"power is {power}; expected more than about {least} = {test.tail}")
    return float((z / (baseline - target)) ** 2)


def power(
    visits: float,
    baseline: float,
    target: float,
    alpha: float = 0.05,
    comparisons: int = 1,
    *,
    alternative: str = "two-sided",
    ratio: float = 1.0,
    variance: str = "pooled",
) -> float:
    """Chance that the test finds `target` better than `baseline`; the inverse of `sample_size`.

    Args:
        visits: visits of the control, and of every arm where `ratio` is 1; positive.
        baseline: conversion rate of the control, in (0, 1).
        target: conversion rate of the variation, in (0, 1), different from `baseline`.
        alpha: level of the test, in (0, 1), shared by the comparisons.
        comparisons: tests against the control, each at level alpha / comparisons (Bonferroni).
        alternative, ratio, variance: as in `sample_size`.

    Raises:
        ValueError: an argument outside its range.

    >>> round(power(50, 0.50, 0.75), 7)  # R: power.prop.test(n = 50, p1 = .50, p2 = .75)
    0.7401659
    """
    test = _Test(alpha, comparisons, alternative, ratio, variance)
    _require_visits(visits)
    return test.power(visits, baseline, target)


def smallest_target(
    visits: float,
    baseline: float,
    power: float = 0.8,
    alpha: float = 0.05,
    comparisons: int = 1,
    *,
    alternative: str = "two-sided",
    ratio: float = 1.0,
    variance: str = "pooled",
) -> float:
    """The smallest rate above `baseline` that the test finds with the wanted power: the minimum detectable effect.

    Args:
        visits: visits of the control, and of every arm where `ratio` is 1; positive.
        baseline: conversion rate of the control, in (0, 1).
        power: chance of finding it, in (0, 1), above `alpha / 2`.
        alpha: level of the test, in (0, 1), shared by the comparisons.
        comparisons: tests against the control, each at level alpha / comparisons (Bonferroni).
        alternative, ratio, variance: as in `sample_size`, of which this is the inverse.

    Returns:
        The target's rate; its lift is this over `baseline` less 1.

    Raises:
        ValueError: an argument outside its range, or too few visits to find even a rate of nearly 1.

    >>> round(smallest_target(sample_size(0.04, 0.05, power=0.8), 0.04), 10)
    0.05
    """
    from scipy.optimize import brentq

    test = _Test(alpha, comparisons, alternative, ratio, variance)
    _require_visits(visits)
    _require_open_unit("baseline", baseline)
    _require_open_unit("power", power)
    if power <= test.tail:
        raise ValueError(f"power is {power}; expected more than the chance without any difference, {test.tail}")
    low, high = baseline + 1e-12 * (1 - baseline), 1 - 1e-12
    if not low < high or test.power(visits, baseline, high) < power:
        raise ValueError(f"visits is {visits}; expected more: even a rate of 1 is found with less than power {power}")
    return float(brentq(lambda target: test.power(visits, baseline, target) - power, low, high, xtol=1e-15, rtol=1e-13))


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

    Raises:
        ValueError: a count that is none, such as conversions above visits; or no such control.

    >>> z, p = two_proportion_test([447, 558], [11165, 11165])
    >>> z.round(4), p.round(4)
    (array([0.    , 3.5829]), array([1.e+00, 3.e-04]))
    """
    from scipy.special import ndtr

    s, n = check_counts(conversions, visits)
    control = check_control(control, n.shape[-1])
    s_control, n_control = s[..., control, None], n[..., control, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (s + s_control) / (n + n_control)
        variance = pooled * (1 - pooled) * (1 / n + 1 / n_control)
        z = (s / n - s_control / n_control) / np.sqrt(variance)
    z = np.where(np.isfinite(z) & (variance > 0), z, 0.0)
    z[..., control] = 0.0
    return z, 2 * ndtr(-np.abs(z))


class _Test:
    """A test of two proportions: level, side, how its arms share the traffic, variance under equal rates."""

    def __init__(self, alpha: float, comparisons: int, alternative: str, ratio: float, variance: str) -> None:
        _require_open_unit("alpha", alpha)
        if not comparisons >= 1:
            raise ValueError(f"comparisons is {comparisons}; expected at least 1")
        if alternative not in ("two-sided", "one-sided"):
            raise ValueError(f"alternative is {alternative!r}; expected 'two-sided' or 'one-sided'")
        if not (isfinite(ratio) and ratio > 0):
            raise ValueError(
                f"ratio is {ratio}; expected a positive number, visits of the variation to one of the control"
            )
        if variance not in ("pooled", "baseline"):
            raise ValueError(f"variance is {variance!r}; expected 'pooled' or 'baseline'")
        self.ratio, self.variance = ratio, variance
        self.tail = alpha / comparisons / (2 if alternative == "two-sided" else 1)
        self.critical = -_quantile(self.tail)  # what z must exceed

    def spreads(self, baseline: float, target: float) -> tuple[float, float]:
        """Standard deviation of the difference at one visit of the control: under equal rates, and under the two."""
        _require_open_unit("baseline", baseline)
        _require_open_unit("target", target)
        if baseline == target:
            raise ValueError(f"baseline and target are both {target}; expected two different rates")
        mean = (baseline + self.ratio * target) / (1 + self.ratio) if self.variance == "pooled" else baseline
        null = mean * (1 - mean) * (1 + 1 / self.ratio)
        return sqrt(null), sqrt(baseline * (1 - baseline) + target * (1 - target) / self.ratio)

    def power(self, visits: float, baseline: float, target: float) -> float:
        from scipy.special import ndtr

        spread_null, spread = self.spreads(baseline, target)
        return float(ndtr((sqrt(visits) * abs(baseline - target) - self.critical * spread_null) / spread))


def _require_visits(visits: float) -> None:
    if not (isfinite(visits) and visits > 0):
        raise ValueError(f"visits is {visits}; expected a positive number of visits per arm")


def _require_open_unit(name: str, value: float) -> None:
    if not 0 < value < 1:  # also refuses NaN
        raise ValueError(f"{name} is {value}; expected a number between 0 and 1, both excluded")


def _quantile(probability: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(probability))
