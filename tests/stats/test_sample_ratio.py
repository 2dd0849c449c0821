"""The sequential sample-ratio test against its formula and an enumeration."""

import itertools
from math import comb, exp, lgamma, log

import numpy as np
import pytest

from bandit_env.stats.sample_ratio import p_value, p_values_by_day


def test_lindon_and_malek_s_statistic():
    assert p_value([156, 212], [0.5, 0.5]) == pytest.approx(0.0748645, abs=5e-8)

    def by_hand(visits, shares, k):
        parameters = [k * share for share in shares]
        mixture = (
            lgamma(k) - lgamma(k + sum(visits)) + sum(lgamma(a + n) - lgamma(a) for a, n in zip(parameters, visits))
        )
        return min(1, exp(sum(n * log(share) for n, share in zip(visits, shares)) - mixture))

    for visits, shares, k in (([30, 80, 40], [0.2, 0.5, 0.3], 100), ([30, 80, 70], [0.2, 0.5, 0.3], 20)):
        assert p_value(visits, shares, k) == pytest.approx(by_hand(visits, shares, k), rel=1e-10)


def test_days_of_constant_shares_are_their_total():
    days = np.array([[30, 12, 9], [25, 10, 14], [40, 11, 3]])
    shares = [0.5, 0.2, 0.3]
    totals = p_value(days.cumsum(0), shares, 50)
    np.testing.assert_allclose(p_values_by_day(days, shares, 50), np.minimum.accumulate(totals), rtol=1e-10)


def test_the_mean_of_e_is_one_when_shares_follow_the_data():
    """Over all paths of three days of five visits, each day's shares decided by the days before."""
    traffic, mean, chance_of_any = 5, 0.0, 0.0
    for path in itertools.product(range(traffic + 1), repeat=3):
        chance, shares, before = 1.0, [], 0
        for n in path:
            share = [0.5, 0.2, 0.8][np.sign(before) if shares else 0]  # -1 is the last
            shares.append([share, 1 - share])
            chance *= comb(traffic, n) * share**n * (1 - share) ** (traffic - n)
            before += 2 * n - traffic
        days = [[n, traffic - n] for n in path]
        p = p_values_by_day(days, shares, k=8)
        chance_of_any += chance * (p[-1] <= 0.5)
        # E itself, where p is not cut: from the days' formula
        mean += chance * e_value(days, shares, 8)
    assert mean == pytest.approx(1, abs=1e-12)
    assert chance_of_any <= 0.5


def e_value(days, shares, k):
    """The product of each day's Dirichlet-multinomial over multinomial likelihoods, straight from the docstring."""
    e = 1.0
    visits, planned = np.zeros(2), np.zeros(2)
    for n, share in zip(np.array(days), np.array(shares)):
        tilted = share * (k * share + visits) / (k * share + planned)
        a = (k + visits.sum()) * tilted / tilted.sum()
        log_ratio = lgamma(a.sum()) - lgamma(a.sum() + n.sum())
        log_ratio += sum(lgamma(x + m) - lgamma(x) - m * log(q) for x, m, q in zip(a, n, share))
        e *= exp(log_ratio)
        visits, planned = visits + n, planned + n.sum() * share
    assert p_values_by_day(days, shares, k)[-1] <= min(1, 1 / e) + 1e-12
    return e


def test_a_mismatch_is_found_under_moving_weights():
    rng = np.random.default_rng(8)
    shares = rng.dirichlet([5, 5], 30)
    honest = np.array([rng.multinomial(1000, w) for w in shares])
    lost = honest - rng.binomial(honest, [0.0, 0.08])  # one arm's visits are not all counted
    assert p_values_by_day(honest, shares)[-1] > 0.05
    assert p_values_by_day(lost, shares)[-1] < 1e-4
    batch = p_values_by_day(np.stack([honest, lost]), shares)
    assert batch.shape == (2, 30)
    assert (np.diff(batch, axis=-1) <= 0).all()


def test_arms_without_a_share():
    assert p_value([156, 212, 0], [0.5, 0.5, 0]) == pytest.approx(0.0748645, abs=5e-8)
    assert p_value([0, 0], [0.5, 0.5]) == 1
    late = p_values_by_day([[50, 0], [30, 30]], [[1, 0], [0.5, 0.5]])
    assert ((late > 0) & (late <= 1)).all()


@pytest.mark.parametrize(
    ("visits", "expected", "k", "message"),
    [
        ([5, 6], [0.5, 0.6], 100, "sum to 1.1; expected shares that sum to 1"),
        ([5, 6], [-0.5, 1.5], 100, r"expected\[0\] is -0.5"),
        ([5, 6], [0.5, 0.3, 0.2], 100, r"expected has shape \(3,\)"),
        ([5, 6], [0, 1], 100, r"visits\[0\] is 5.0; expected 0"),
        ([5, np.nan], [0.5, 0.5], 100, r"visits\[1\] is nan"),
        ([5], [1], 100, "K at least 2 arms"),
        ([5, 6], [0.5, 0.5], 0, "k is 0"),
    ],
)
def test_bad_arguments_are_named(visits, expected, k, message):
    with pytest.raises(ValueError, match=message):
        p_value(visits, expected, k)
