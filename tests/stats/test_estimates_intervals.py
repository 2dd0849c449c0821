"""Intervals from counts against published examples."""

import numpy as np
import pytest
from scipy import stats

from bandit_env.stats.estimates import newcombe_interval, rate_interval, wald_interval, wilson_interval

# Newcombe (1998), Statistics in Medicine 17, 857-872, table I: Wald's (method 1) and Wilson's (method 3) 95 % intervals
ONE = [
    (81, 263, (0.2522, 0.3638), (0.2553, 0.3662)),
    (15, 148, (0.0527, 0.1500), (0.0624, 0.1605)),
    (0, 20, (0.0, 0.0), (0.0, 0.1611)),
    (1, 29, (-0.0319, 0.1009), (0.0061, 0.1718)),
]
# Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10: first rate less second
TWO = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 20, 0.6791, 1.0),
    (10, 10, 0, 10, 0.6075, 1.0),
]


@pytest.mark.parametrize(("conversions", "visits", "wald", "wilson"), ONE)
def test_newcombe_s_table_of_one_proportion(conversions, visits, wald, wilson):
    for interval, printed in ((wald_interval, wald), (wilson_interval, wilson)):
        low, high = interval([conversions], [visits])
        assert (low[0], high[0]) == pytest.approx(printed, abs=1.01e-4 if interval is wald_interval else 5.1e-5)


@pytest.mark.parametrize(("s1", "n1", "s0", "n0", "low", "high"), TWO)
def test_newcombe_s_table_of_differences(s1, n1, s0, n0, low, high):
    lower, upper = newcombe_interval([s0, s1], [n0, n1])
    assert (lower[1], upper[1]) == pytest.approx((low, high), abs=5.1e-5)
    assert lower[0] == upper[0] == 0
    mirrored, _ = newcombe_interval([s0, s1], [n0, n1], control=1)
    assert mirrored[0] == pytest.approx(-upper[1], abs=1e-15)


def test_wilson_solves_the_score_equation():
    low, high = wilson_interval([30, 0, 9], [100, 9, 9], level=0.9)
    for bound, p, n in ((low[0], 0.3, 100), (high[0], 0.3, 100), (high[1], 0.0, 9), (low[2], 1.0, 9)):
        assert abs(p - bound) / np.sqrt(bound * (1 - bound) / n) == pytest.approx(stats.norm.ppf(0.95), rel=1e-12)
    assert wilson_interval([0], [0]) == (0, 1)


@pytest.mark.parametrize("interval", [rate_interval, wald_interval, wilson_interval, newcombe_interval])
def test_bad_arguments_are_named(interval):
    with pytest.raises(ValueError, match="level is 0; expected a number between 0 and 1"):
        interval([1, 2], [10, 10], level=0)
    with pytest.raises(ValueError, match=r"conversions\[1\] is 12.0"):
        interval([1, 12], [10, 10])
    with pytest.raises(ValueError, match=r"visits\[0\] is -1.0"):
        interval([1, 2], [-1, 10])
    low, high = interval(np.ones((3, 1, 2)), np.full((2, 2), 10), level=0.5)
    assert low.shape == high.shape == (3, 2, 2)


def test_no_such_control_or_prior():
    with pytest.raises(ValueError, match="control is 2"):
        newcombe_interval([1, 2], [10, 10], control=2)
    with pytest.raises(ValueError, match="prior is"):
        rate_interval([1, 2], [10, 10], prior=(0, 1))
