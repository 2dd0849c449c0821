"""The conditional e-process against full sums, enumerations of all paths, and a published-style simulation."""

import itertools
from math import comb, log

import numpy as np
import pytest
from scipy import optimize, stats

from bandit_env.stats.e_process import (
    LOG_PRIOR,
    NODES,
    always_valid_p_values,
    bonferroni,
    bounds,
    confidence_sequence,
    current_log_e,
    e_bh,
    log_e_values,
    new_state,
    update_state,
)
from bandit_env.stats.posterior import probability_best


def log_mgf(n, converted, total, d, origin=0):
    """Log sum_x Hyp(x) exp(d (x - origin)), in extended precision: ratios of neighbouring terms, no gamma function."""
    low, high = max(0, converted - (total - n)), min(n, converted)
    x = np.arange(low, high, dtype=np.longdouble)
    ratios = (n - x) * (converted - x) / ((x + 1) * (total - n - converted + x + 1))
    terms = np.concatenate([[0], np.cumsum(np.log(ratios))])
    x = np.arange(low, high + 1, dtype=np.longdouble)

    def log_sum(values):
        return values.max() + np.log(np.exp(values - values.max()).sum())

    return float(log_sum(terms + np.longdouble(d) * (x - origin)) - log_sum(terms))


COUNTS = [  # visits of the arm, conversions of both, visits of both
    (1, 1, 2),
    (3, 7, 9),
    (50, 5, 100),
    (50, 50, 100),
    (60, 300, 1000),
    (5000, 450, 10_000),
    (500, 5000, 10_000),
    (9990, 4000, 10_000),
    (1000, 40_000, 10**6),
    (500_000, 200, 10**6),
    (500_000, 1000, 10**6),
    (500_000, 45_000, 10**6),
    (50_000, 500_000, 10**6),
    (1_117_056, 1_449_249, 1_492_705),
    (900_000, 999_000, 10**6),
]


@pytest.mark.parametrize(("n", "converted", "total"), COUNTS)
def test_the_denominator_is_the_full_sum(n, converted, total):
    """At all nodes, within 1e-10: few values are summed one by one, of many no more than some fifty nodes are."""
    own = (max(0, converted - (total - n)) + min(n, converted)) // 2  # the arm's conversions: any that can be
    state = new_state(1, 2)
    update_state(state, [[converted - own, own]], [[total - n, n]])
    for j in range(0, 49, 4):
        expected = -log_mgf(n, converted, total, NODES[j], own)
        assert state[0, 1, j] == pytest.approx(expected, abs=1e-10, rel=1e-15)


def test_one_update_by_hand():
    # 2 of 3 v 0 of 1: X is 1 or 2 with chance 1/2 each, as Hyp(1) = C(3, 1) C(1, 1)/C(4, 2)
    ratio = np.exp(2 * NODES) / (0.5 * np.exp(NODES) + 0.5 * np.exp(2 * NODES))
    expected = log((np.exp(LOG_PRIOR) * ratio).sum())
    assert log_e_values([[0, 2]], [[1, 3]])[0, 1] == pytest.approx(expected, abs=1e-14)
    assert np.exp(LOG_PRIOR).sum() == pytest.approx(1, abs=1e-14)
    np.testing.assert_allclose(
        LOG_PRIOR - LOG_PRIOR[24], stats.norm.logpdf(NODES, 0, 0.3) - stats.norm.logpdf(0, 0, 0.3)
    )


def thompson(conversions, visits, log_e):
    return probability_best(conversions.sum(1), visits.sum(1))[:, 1]


def follow_the_leader(conversions, visits, log_e):
    rates = conversions.sum(1) / np.maximum(visits.sum(1), 1)
    return np.where(rates[:, 1] > rates[:, 0], 0.9, np.where(rates[:, 1] < rates[:, 0], 0.1, 0.5))


def adversary(conversions, visits, log_e):
    """Splits evenly while the evidence is weak, and starves one arm when luck has made it strong."""
    return np.where(log_e[:, -1, 1] > 0.1, 0.02, np.where(log_e[:, -1, 1] < 0, 0.5, 0.7))


@pytest.mark.parametrize("allocation", [thompson, follow_the_leader, adversary])
def test_the_mean_is_one_under_equal_rates(allocation):
    """Over every path of three updates of four visits, both arms' rate moving from day to day."""
    traffic, season = 4, (0.5, 0.2, 0.7)
    splits = [(n, c0, c1) for n in range(traffic + 1) for c0 in range(traffic - n + 1) for c1 in range(n + 1)]
    chance = np.ones(1)
    visits = conversions = np.zeros((1, 0, 2), int)
    log_e = np.zeros((1, 0, 2))
    for rate in season:
        shape = len(chance)
        w = np.full(shape, 0.5) if log_e.shape[1] == 0 else allocation(conversions, visits, log_e)
        parts = []
        for n, c0, c1 in splits:
            p = stats.binom.pmf(n, traffic, w)
            p = p * stats.binom.pmf(c0, traffic - n, rate) * stats.binom.pmf(c1, n, rate)
            new_v, new_c = np.tile([[traffic - n, n]], (shape, 1)), np.tile([[c0, c1]], (shape, 1))
            logs = ((visits, new_v), (conversions, new_c))
            parts.append((chance * p, *(np.concatenate([log, new[:, None]], axis=1) for log, new in logs)))
        chance, visits, conversions = (np.concatenate(part) for part in zip(*parts))
        log_e = log_e_values(conversions, visits)
        assert chance.sum() == pytest.approx(1, abs=1e-12)
        assert chance @ np.exp(log_e[:, -1, 1]) == pytest.approx(1, abs=1e-12)
    for alpha in (0.9, 0.8, 0.7):
        assert chance @ (log_e[:, :, 1].max(1) >= log(1 / alpha)) <= alpha


def test_how_often_it_rejects():
    """223 days of 100 visits at equal weights, some day with E >= 20; R = 1,500.

    Our own independent simulation (R = 5,000 and more): 2.4 +- .1 % on .04 v .04, 79.3 +- .3 % on .04 v .05.
    """
    rng = np.random.default_rng(20220310)
    for rates, expected, error in (([0.04, 0.04], 0.024, 0.001), ([0.04, 0.05], 0.793, 0.003)):
        second = rng.binomial(100, 0.5, (1500, 223))
        visits = np.stack([100 - second, second], -1)
        state, highest = new_state(1500, 2), np.zeros(1500)
        for t in range(223):
            value = update_state(state, rng.binomial(visits[:, t], rates), visits[:, t])
            highest = np.maximum(highest, value[:, 1])
        share = (highest >= log(20)).mean()
        tolerance = 4 * np.hypot(error, np.sqrt(expected * (1 - expected) / 1500))
        assert share == pytest.approx(expected, abs=tolerance)


def three_updates(seed=1, arms=3, rows=4, traffic=60):
    rng = np.random.default_rng(seed)
    visits = rng.multinomial(traffic, np.full(arms, 1 / arms), (rows, 5))
    return rng.binomial(visits, np.linspace(0.1, 0.3, arms)), visits


def test_pairs_with_the_control_are_separate_tests():
    conversions, visits = three_updates()
    log_e = log_e_values(conversions, visits, control=2)
    assert log_e.shape == (4, 5, 3)
    assert (log_e[..., 2] == 0).all()
    pair = log_e_values(conversions[..., [2, 0]], visits[..., [2, 0]])
    np.testing.assert_array_equal(log_e[..., 0], pair[..., 1])
    np.testing.assert_allclose(log_e[1, 3], log_e_values(conversions[1, :4], visits[1, :4], control=-1)[-1], rtol=0)


def test_streams_that_drop_out():
    conversions, visits = three_updates()
    state = new_state(4, 3)
    for t in range(5):
        rows = np.arange(4) if t < 2 else np.array([0, 3])
        value = update_state(state, conversions[rows, t], visits[rows, t], rows=rows)
    log_e = log_e_values(conversions, visits)
    np.testing.assert_array_equal(value, log_e[[0, 3], -1])
    np.testing.assert_allclose(current_log_e(state)[[1, 2]], log_e[[1, 2], 1], rtol=0, atol=1e-13)


def test_updates_that_tell_nothing_change_nothing():
    log_e = log_e_values([[1, 4], [0, 0], [3, 3], [0, 3], [0, 0]], [[9, 9], [9, 9], [3, 3], [0, 9], [0, 0]])
    assert (log_e[:, 1] == log_e[0, 1]).all()


def log_ratio(d, conversions, visits):
    """Log-likelihood ratio of the log odds ratio d to 0, straight from its definition."""
    return -sum(log_mgf(n[1], c[0] + c[1], n[0] + n[1], d, c[1]) for c, n in zip(conversions, visits))


@pytest.mark.parametrize(("rates", "level"), [((0.2, 0.3), 0.95), ((0.3, 0.28), 0.8), ((0.35, 0.3), 0.5)])
def test_the_confidence_sequence_inverts_the_e_process(rates, level):
    rng = np.random.default_rng(7)
    visits = rng.multinomial(400, [0.4, 0.6], 6)
    conversions = rng.binomial(visits, rates)
    low, high = confidence_sequence(conversions, visits, level)
    log_e = log_e_values(conversions, visits)[-1, 1]

    def left(d):
        return log_ratio(d, conversions, visits) - (log_e - log(1 / (1 - level)))

    top = optimize.minimize_scalar(lambda d: -left(d), bounds=(-1.2, 1.2), method="bounded").x
    assert low[-1, 1] == pytest.approx(optimize.brentq(left, -1.2, top, xtol=1e-13), abs=1e-8)
    assert high[-1, 1] == pytest.approx(optimize.brentq(left, top, 1.2, xtol=1e-13), abs=1e-8)
    assert (low[:, 0] == 0).all()
    assert (high[:, 0] == 0).all()


def test_zero_is_outside_exactly_where_e_reaches_its_level():
    conversions, visits = three_updates(seed=11, arms=2, rows=200, traffic=200)
    log_e = log_e_values(conversions, visits)[..., 1]
    low, high = confidence_sequence(conversions, visits, 0.9)
    outside = (low[..., 1] > 0) | (high[..., 1] < 0)
    assert 50 < outside.sum() < 950
    np.testing.assert_array_equal(outside, log_e >= log(10))


def test_beyond_the_nodes_the_interval_is_wider_than_need_be():
    """Rates .1 v .5: the log odds ratio is 2.2, beyond all nodes."""
    conversions, visits = [[100, 500]], [[1000, 1000]]
    low, high = confidence_sequence(conversions, visits)
    log_e = log_e_values(conversions, visits)[-1, 1]

    def left(d):
        return log_ratio(d, conversions, visits) - (log_e - log(20))

    # the chord at the last nodes still rises: nothing is known of the upper end
    assert high[0, 1] == np.inf
    assert low[0, 1] < 2.2
    conversions = [[330, 640]]  # 1.278, and the chord falls
    low, high = confidence_sequence(conversions, visits)
    log_e = log_e_values(conversions, visits)[-1, 1]
    exact = optimize.brentq(left, 1.28, 3)
    assert exact <= high[0, 1]


def test_naming_arms():
    log_e = np.log([[1, 30, 59, 61], [5, 1, 25, 60], [1, 2, 3, 4], [100, 1, 1, 1]])
    # alpha .05, three arms: Bonferroni wants 60; e-BH 60, 30, 20 for the largest, two and three
    assert bonferroni(log_e).tolist() == [
        [False, False, False, True],
        [False, False, False, True],
        [False] * 4,
        [False] * 4,
    ]
    assert e_bh(log_e).tolist() == [
        [False, True, True, True],
        [False, False, False, True],
        [False] * 4,
        [False] * 4,
    ]
    assert e_bh(np.log([30, 1, 59, 61]), control=1).tolist() == [True, False, True, True]
    assert bonferroni(np.log([20, 1]), control=1).tolist() == [True, False]


def test_e_bh_is_its_definition():
    rng = np.random.default_rng(5)
    for log_e in rng.normal(2.5, 1.5, (200, 6)):
        named = e_bh(log_e, 0.1)
        e = np.exp(log_e[1:])
        sizes = [k for k in range(1, 6) if k * np.sort(e)[-k] >= 5 / 0.1]
        assert named.sum() == (max(sizes) if sizes else 0)
        assert not named[0]
        if named.any():
            assert e[named[1:]].min() >= np.sort(e)[-max(sizes)]


def test_p_values():
    p = always_valid_p_values([[[0, -1.0], [0, 2.0], [0, 1.0]]])
    np.testing.assert_allclose(p[0, :, 1], [1, np.exp(-2), np.exp(-2)])
    assert (p[..., 0] == 1).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: log_e_values([[1, 4.5]], [[9, 9]]), r"conversions\[0, 1\] is 4.5; expected a whole number"),
        (lambda: log_e_values([[1, 10]], [[9, 9]]), r"conversions\[0, 1\] is 10.0; expected a number from 0"),
        (lambda: log_e_values([1, 4], [9, 9]), r"shape \(2,\); expected \(\.\.\., T, K\)"),
        (lambda: log_e_values([[1, 4]], [[9, 9]], control=2), "control is 2"),
        (lambda: confidence_sequence([[1, 4]], [[9, 9]], level=1.5), "level is 1.5"),
        (lambda: bounds(new_state(1, 2), np.zeros((1, 2)), control=3), "control is 3"),
        (lambda: update_state(new_state(2, 2), [[1, 4]], [[9, 9]]), r"shape \(1, 2\); expected \(2, 2\), a row for"),
        (lambda: bonferroni([0.0, 1.0], alpha=0), "alpha is 0;"),
        (lambda: e_bh([1.0]), r"log_e has shape \(1,\)"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_hypergeometric_of_the_reference_is_one():
    """`log_mgf` above, the yardstick, against combinations counted out."""
    for n, converted, total, d in itertools.product([2, 5], [1, 4], [7, 9], [-1.0, 0.3]):
        sum_ = sum(comb(n, x) * comb(total - n, converted - x) * np.exp(d * x) for x in range(converted + 1))
        assert log_mgf(n, converted, total, d) == pytest.approx(log(sum_ / comb(total, converted)), abs=1e-12)
