"""The beta-binomial fit against published data and mpmath."""

import mpmath as mp
import numpy as np
import pytest
from scipy.stats import betabinom

from bandit_env.stats.prior import fit_beta, log_odds_against

# Gelman et al., Bayesian Data Analysis, table 5.1: (tumours, rats) in 71 groups
RATS = [
    *[(0, 20)] * 7, *[(0, 19)] * 4, *[(0, 18)] * 2, (0, 17), *[(1, 20)] * 4, *[(1, 19)] * 2, *[(1, 18)] * 2,
    (2, 25), (2, 24), (2, 23), *[(2, 20)] * 6, (1, 10), (5, 49), (2, 19), (5, 46), (3, 27), (2, 17), (7, 49), (7, 47),
    (3, 20), (3, 20), (2, 13), (9, 48), (10, 50), *[(4, 20)] * 7, (10, 48), *[(4, 19)] * 3, (5, 22), (11, 46), (12, 49),
    *[(5, 20)] * 2, (6, 23), (5, 19), (6, 22), *[(6, 20)] * 3, (16, 52), (15, 47), (15, 46), (9, 24), (4, 14),
]  # fmt: skip
# Efron and Morris (1975), JASA 70: hits of 18 players in their first 45 at bats
HITS = [18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7]


def maximum(conversions, visits, a, b):
    """The maximum of the likelihood near (a, b), at 40 digits, where the gradient is 0."""

    def gradient(a, b):
        both = sum(mp.digamma(a + b + v) - mp.digamma(a + b) for v in visits)
        first = sum(mp.digamma(a + s) - mp.digamma(a) for s in conversions)
        return first - both, sum(mp.digamma(b + v - s) - mp.digamma(b) for s, v in zip(conversions, visits)) - both

    with mp.workdps(40):
        return [float(x) for x in mp.findroot(gradient, (a, b))]


def test_rat_tumours():
    fit = fit_beta(*np.transpose(RATS))
    assert (len(RATS), sum(s for s, _ in RATS)) == (71, 267)
    assert (fit.a, fit.b) == pytest.approx((2.341614, 14.114801), rel=1e-6)
    assert (fit.a, fit.b) == pytest.approx(maximum(*zip(*RATS), 2.34, 14.1), rel=1e-10)
    assert not fit.flat
    assert not fit.no_spread
    assert fit.visits_low < fit.visits == fit.a + fit.b < fit.visits_high
    assert 0.5 < fit.a_error < 1.2  # the posterior's spread in the book's figure 5.2


def test_errors_are_those_of_the_curvature():
    s, v = np.transpose(RATS)
    fit = fit_beta(s, v)

    def level(a, b):
        terms = (mp.log(mp.beta(a + int(x), b + int(n - x))) - mp.log(mp.beta(a, b)) for x, n in zip(s, v))
        return mp.fsum(terms)

    with mp.workdps(30):
        orders = [(2, 0), (1, 1), (0, 2)]
        aa, ab, bb = (float(mp.diff(level, (fit.a, fit.b), order)) for order in orders)
        assert fit.log_likelihood == pytest.approx(float(level(fit.a, fit.b)), rel=1e-12)
        low = level(fit.mean * fit.visits_low, (1 - fit.mean) * fit.visits_low)
    covariance = np.linalg.inv([[-aa, -ab], [-ab, -bb]])
    assert (fit.a_error, fit.b_error) == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-6)
    assert fit.log_likelihood - low == pytest.approx(1.92, abs=0.1)  # the mean that fits best moves a little


def test_eighteen_players_hardly_differ():
    fit = fit_beta(HITS, [45] * 18)
    assert fit.flat  # and says so
    assert not fit.no_spread
    assert fit.visits_high == np.inf
    assert (fit.a, fit.b) == pytest.approx(maximum(HITS, [45] * 18, fit.a * 1.001, fit.b), rel=1e-6)


def test_groups_that_differ_less_than_chance_makes_them():
    fit = fit_beta([2, 3, 1], [100, 100, 100])
    assert fit.no_spread
    assert fit.flat
    assert (fit.a, fit.b, fit.mean) == (np.inf, np.inf, 0.02)
    assert np.isnan(fit.a_error)
    assert 0 < fit.visits_low < fit.visits_high == np.inf


def test_large_experiments():
    rng = np.random.default_rng(4)
    visits = rng.integers(10**4, 10**6, 40)
    conversions = rng.binomial(visits, rng.beta(40, 960, 40))
    fit = fit_beta(conversions, visits)
    expected = maximum([int(s) for s in conversions], [int(v) for v in visits], fit.a * 1.0001, fit.b)
    assert (fit.a, fit.b) == pytest.approx(expected, rel=1e-6)
    assert abs(fit.a - 40) < 4 * fit.a_error


def test_arms_without_visits_tell_nothing():
    assert fit_beta([5, 0, 9, 30], [100, 0, 80, 90]) == fit_beta([[5, 9, 30]], [[100, 80, 90]])


@pytest.mark.parametrize(
    ("conversions", "visits", "message"),
    [
        ([3], [10], "1 arms have visits; expected at least two"),
        ([3, 0], [10, 0], "1 arms have visits"),
        ([0, 0], [10, 10], "0 of 20 visits converted"),
        ([10, 10], [10, 10], "20 of 20 visits converted"),
        ([3, 11], [10, 10], r"conversions\[1\] is 11.0"),
        ([3, np.nan], [10, 10], r"conversions\[1\] is nan"),
    ],
)
def test_bad_history_is_named(conversions, visits, message):
    with pytest.raises(ValueError, match=message):
        fit_beta(conversions, visits)


def test_odds_against_a_prior_are_a_ratio_of_beta_binomials():
    s, v = np.array([[3, 30], [0, 5]]), np.array([[100, 100], [40, 7]])
    expected = betabinom.logpmf(s, v, 1, 1) - betabinom.logpmf(s, v, 4, 96)
    np.testing.assert_allclose(log_odds_against(s, v, (4, 96)), expected.sum(axis=1), rtol=1e-10)


def test_odds_against_a_prior_that_is_right_are_1_on_average():
    s = np.arange(51)
    odds = np.exp(log_odds_against(s[:, None], np.full((51, 1), 50), (4, 96)))
    assert odds @ betabinom.pmf(s, 50, 4, 96) == pytest.approx(1, rel=1e-10)
