"""Estimates from sums per update against their formulas visit by visit, published tables, and an enumeration."""

import numpy as np
import pytest
from scipy import stats

from bandit_env.stats.estimates import (
    AIPW,
    METHODS,
    estimate_difference,
    estimate_rates,
    rate_interval,
    streaming,
    wald_interval,
)
from bandit_env.stats.posterior import probability_best
from bandit_env.stats.power import two_proportion_test


def a_log(seed=3, updates=12, arms=3):
    """Counts and weights per update, shape (T, K)."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.full(arms, 3.0), updates)
    visits = np.array([rng.multinomial(40, w) for w in weights])
    return rng.binomial(visits, np.linspace(0.2, 0.5, arms)), visits, weights


def visit_by_visit(conversions, visits, weights, weighting):
    """G and h of every visit and arm, shape (V, K), straight from the definition."""
    g, h = [], []
    updates, arms = visits.shape
    for t in range(updates):
        before = visits[:t].sum(0)
        mean = np.where(before > 0, conversions[:t].sum(0) / np.maximum(before, 1), 0.0)
        for arm in range(arms):
            for i in range(visits[t, arm]):
                y = float(i < conversions[t, arm])
                served = np.arange(arms) == arm
                g.append(mean + served * (y - mean) / weights[t])
                h.append(np.sqrt(weights[t]) if weighting == "sqrt" else np.ones(arms))
    return np.array(g), np.array(h)


@pytest.mark.parametrize(("method", "weighting"), [("aipw", "sqrt"), ("aipw-equal", "equal")])
def test_aipw_is_its_formula_visit_by_visit(method, weighting):
    conversions, visits, weights = a_log()
    g, h = visit_by_visit(conversions, visits, weights, weighting)
    q = (h * g).sum(0) / h.sum(0)
    # Hadad et al. (2021), equations 5 and 11
    variance = (h**2 * (g - q) ** 2).sum(0) / h.sum(0) ** 2
    rates = estimate_rates(conversions, visits, weights, weighting=weighting)
    np.testing.assert_allclose(rates.value, q, rtol=1e-12)
    np.testing.assert_allclose(rates.standard_error, np.sqrt(variance), rtol=1e-12)
    cross = (h[:, 2] * h[:, 1] * (g[:, 2] - q[2]) * (g[:, 1] - q[1])).sum() / (h[:, 2].sum() * h[:, 1].sum())
    difference = estimate_difference(conversions, visits, weights, arm=2, control=1, method=method)
    assert difference.value == pytest.approx(q[2] - q[1], rel=1e-12)
    assert difference.standard_error == pytest.approx(np.sqrt(variance[2] + variance[1] - 2 * cross), rel=1e-12)


def test_batched_ols_is_its_formula():
    conversions, visits, _ = a_log()
    conversions[4], visits[5, 1], conversions[5, 1] = 0, 0, 0  # an update without conversions, one without the arm
    z, scales = [], []
    for c, n in zip(conversions, visits):
        total, converted = n[0] + n[1], c[0] + c[1]
        if n[0] and n[1] and 0 < converted < total:
            spread = converted * (total - converted) * n[0] * n[1] / (total**2 * (total - 1))
            z.append((c[1] - converted * n[1] / total) / np.sqrt(spread))
            scales.append((c[1] / n[1] - c[0] / n[0]) / z[-1])
    assert len(z) == 9  # one more has no conversion of the two arms
    estimate = estimate_difference(conversions, visits, method="batched-ols")
    assert estimate.z == pytest.approx(sum(z) / np.sqrt(len(z)), rel=1e-12)
    differences = np.array(z) * scales
    assert ((differences - estimate.value) / scales).sum() == pytest.approx(0, abs=1e-10)


def test_stratified_z_is_the_mantel_haenszel_test():
    # R, data UCBAdmissions: mantelhaen.test(UCBAdmissions, correct = FALSE): M^2 = 1.5246, p-value = 0.2169
    admitted = np.array([[512, 89], [353, 17], [120, 202], [138, 131], [53, 94], [22, 24]])
    rejected = np.array([[313, 19], [207, 8], [205, 391], [279, 244], [138, 299], [351, 317]])
    estimate = estimate_difference(admitted, admitted + rejected, method="stratified")
    assert estimate.z**2 == pytest.approx(1.5246, abs=5e-5)
    assert estimate.p_value == pytest.approx(0.2169, abs=5e-5)


def test_of_one_large_update_all_tests_are_the_pooled_test():
    """Up to the hypergeometric variance's N - 1, and for AIPW with equal weights its unpooled variance."""
    conversions, visits = [[4100, 4300]], [[100_000, 100_000]]
    z, _ = two_proportion_test(conversions[0], visits[0])
    for method in METHODS:
        estimate = estimate_difference(conversions, visits, [[0.5, 0.5]], method=method)
        assert estimate.value == pytest.approx(0.002, rel=1e-9)
        assert estimate.z == pytest.approx(z[1], rel=0.05 if "aipw" in method else 1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_experiments_that_drop_out_and_batches_do_not_disturb_each_other(method):
    logs = [a_log(seed, updates) for seed, updates in ((1, 9), (2, 4), (3, 9))]
    sums = streaming(method, 3, 3)
    for t in range(9):
        rows = np.array([i for i, log in enumerate(logs) if t < len(log[1])])
        c, n, w = (np.array([logs[i][part][t] for i in rows], float) for part in range(3))
        sums.update(w, n, c, rows)
    together = sums.difference()
    assert (together.value[:, 0] == 0).all()
    assert (together.standard_error[:, 0] == 0).all()
    for i, (c, n, w) in enumerate(logs):
        for arm in (1, 2):
            alone = estimate_difference(c, n, w, arm=arm, method=method)
            assert together.value[i, arm] == alone.value
            assert together.standard_error[i, arm] == alone.standard_error
    assert sums.difference(np.array([1])).value[0, 2] == together.value[1, 2]


def test_leading_axes():
    logs = [a_log(seed) for seed in range(4)]
    c, n, w = (np.array([log[part] for log in logs]).reshape(2, 2, 12, 3) for part in range(3))
    rates = estimate_rates(c, n, w)
    assert rates.value.shape == (2, 2, 3)
    np.testing.assert_array_equal(rates.value[1, 0], estimate_rates(c[1, 0], n[1, 0], w[1, 0]).value)
    assert estimate_difference(c, n, w).value.shape == (2, 2)


def test_an_arm_that_is_not_there_is_left_out():
    """As if the updates before its arrival had not been, for the arm itself."""
    c, n, w = a_log(5, 10, 2)
    early_n, early_c = np.array([[30.0, 0.0]]), np.array([[6.0, 0.0]])
    joined, later = AIPW(1, 2), AIPW(1, 2)
    joined.update(np.array([[1.0, 0.0]]), early_n, early_c, available=np.array([[True, False]]))
    for t in range(10):
        for sums in (joined, later):
            sums.update(w[None, t], n[None, t].astype(float), c[None, t].astype(float))
    assert joined.rates().value[0, 1] == pytest.approx(later.rates().value[0, 1], rel=1e-12)
    assert joined.rates().value[0, 0] != later.rates().value[0, 0]


def five_days_of_twenty(rates=(0.3, 0.5), days=5, traffic=20):
    """P(visits of arm 0, conversions of each) after Thompson sampling: every path, as the state is all it needs."""
    size = days * traffic
    state = np.zeros((size + 1, size + 1, size + 1))  # visits of arm 0, conversions of arm 0, of arm 1
    state[0, 0, 0] = 1.0
    for day in range(days):
        sent = day * traffic
        after = np.zeros_like(state)
        v, c0, c1 = np.indices((sent + 1,) * 3)
        there = (c0 <= v) & (c1 <= sent - v)
        weight = np.full((sent + 1,) * 3, 0.5)
        counts = np.stack([c0[there], c1[there]], -1), np.stack([v[there], sent - v[there]], -1)
        weight[there] = probability_best(*counts)[:, 0].clip(0, 1)
        p = state[: sent + 1, : sent + 1, : sent + 1]
        for n in range(traffic + 1):
            moved = p * stats.binom.pmf(n, traffic, weight)
            first = stats.binom.pmf(np.arange(n + 1), n, rates[0])
            second = stats.binom.pmf(np.arange(traffic - n + 1), traffic - n, rates[1])
            moved = sum(q * np.pad(moved, ((0, 0), (0, 0), (j, traffic - n - j))) for j, q in enumerate(second))
            for i, q in enumerate(first):
                after[n : n + sent + 1, i : i + sent + 1, : moved.shape[2]] += q * moved
        state = after
    return state


@pytest.fixture(scope="module")
def paths():
    state = five_days_of_twenty()
    v, c0, c1 = np.nonzero(state)
    p = state[v, c0, c1]
    both = (v > 0) & (v < 100)
    return p[both], np.stack([c0, c1], -1)[both], np.stack([v, 100 - v], -1)[both], 1 - p[both].sum()


def test_five_days_of_twenty(paths):
    """Two arms .3 v .5, uniform prior, weights 1/2 on day 1, Thompson, multinomial split, no stop: all paths.

    The expected values were made by another enumeration of all paths, checked by simulation.
    """
    p, conversions, visits, missing = paths
    assert abs(missing) < 1e-12
    observed = conversions / visits
    np.testing.assert_allclose(p @ visits, [24.271463, 75.728537], rtol=0, atol=5e-7)
    np.testing.assert_allclose(p @ observed, [0.26612809, 0.49357624], rtol=0, atol=1e-7)
    assert (0.5 - 0.3) * (p @ visits)[0] == pytest.approx(4.854293, abs=5e-7)  # regret
    for interval, expected in ((wald_interval, [0.889672, 0.935348]), (rate_interval, [0.966867, 0.944624])):
        low, high = interval(conversions, visits)
        covered = (low <= [0.3, 0.5]) & (high >= [0.3, 0.5])
        np.testing.assert_allclose(p @ covered, expected, rtol=0, atol=5.1e-7)
    z, _ = two_proportion_test(conversions, visits)
    assert p @ (np.abs(z[:, 1]) > 1.96) == pytest.approx(0.405237, abs=5.1e-7)


def test_the_bias_is_a_covariance(paths):
    """Bias of an observed rate under a fixed horizon = -Cov(observed rate, visits)/E[visits] (Wald's identity)."""
    p, conversions, visits, _ = paths
    observed, mean_visits = conversions / visits, p @ visits
    covariance = p @ (observed * visits) - (p @ observed) * mean_visits
    np.testing.assert_allclose(p @ observed - [0.3, 0.5], -covariance / mean_visits, rtol=0, atol=1e-10)


C, N, W = [[2, 3], [1, 5]], [[50, 50], [30, 70]], [[0.5, 0.5], [0.3, 0.7]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [[0.5, 0.5], [0.3, 0.6]]}, r"weights\[1\] sum to 0.9"),
        ({"weights": [[0.5, 0.5], [0.3, 0.700002]]}, r"weights\[1\] sum to 1.000002"),
        ({"weights": [[0.5, 0.5], [-0.3, 1.3]]}, r"weights\[1, 0\] is -0.3; expected a share"),
        ({"weights": [[0.5, np.nan], [0.3, 0.7]]}, r"weights\[0, 1\] is nan"),
        ({"weights": [[0.5, 0.5], [0.0, 1.0]]}, r"weights\[1, 0\] is 0 where visits\[1, 0\] is 30"),
        ({"weights": [[0.5, 0.5], [0.0009, 0.9991]]}, r"weights\[1, 0\] is 0.0009; expected at least 0.001"),
        ({"weights": [0.5, 0.3, 0.2]}, r"weights have shape \(3,\); expected the visits' \(2, 2\)"),
        ({"weights": None}, "weights is None; expected the served weights"),
        ({"method": "magic"}, "unknown method 'magic'; expected one of aipw, aipw-equal, batched-ols, stratified"),
        ({"arm": 1, "control": -1}, "arm and control are both 1; expected two different arms"),
        ({"arm": 2}, "arm is 2; expected an arm's index"),
        ({"control": 5}, "control is 5; expected an arm's index"),
        ({"conversions": [[2, 3], [1, 71]]}, r"conversions\[1, 1\] is 71.0; expected a number from 0 to"),
        ({"visits": [[50, 50], [30, np.nan]]}, r"visits\[1, 1\] is nan"),
        ({"visits": [50, 50, 50]}, "do not broadcast"),
        ({"conversions": [2, 3], "visits": [50, 50]}, r"have shape \(2,\); expected \(\.\.\., T, K\)"),
        ({"least_weight": 1.0}, "least_weight is 1.0"),
    ],
)
def test_bad_logs_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        estimate_difference(**({"conversions": C, "visits": N, "weights": W} | change))


@pytest.mark.parametrize(
    ("weights", "visits", "message"),
    [
        ([[0.5, 0.5], [0.3, 0.6]], [[9, 9], [9, 9]], r"weights\[1\] sum to 0.9; expected 1"),
        (
            [[0.5, 0.5], [0.0, 1.0]],
            [[9, 9], [1, 9]],
            r"weights\[1, 0\] is 0 where visits\[1, 0\] is 1.0; expected above 0",
        ),
        ([[0.5, 0.5], [0.0002, 0.9998]], [[9, 9], [0, 9]], r"weights\[1, 0\] is 0.0002; expected at least 0.001"),
    ],
)
def test_a_stream_refuses_weights_that_cannot_be(weights, visits, message):
    for method in ("aipw", "aipw-equal"):
        sums = streaming(method, 2, 2)
        with pytest.raises(ValueError, match=message):
            sums.update(np.array(weights), np.array(visits, float), np.ones((2, 2)))
        assert not sums.h.any()  # nothing was added
    streaming("stratified", 2, 2).update(np.array(weights), np.array(visits, float), np.ones((2, 2)))  # reads none


def test_no_such_method_or_control():
    with pytest.raises(ValueError, match="unknown method 'wald'; expected one of aipw, aipw-equal, batched-ols"):
        streaming("wald", 1, 2)
    for method in METHODS:
        with pytest.raises(ValueError, match="control is 2; expected an arm's index, from -2 to 1"):
            streaming(method, 1, 2, control=2)


def test_what_is_allowed():
    rounded = [[0.5, 0.5 + 1e-7], [0.3, 0.7]]  # weights in a log are rounded
    estimate_rates(C, N, rounded)
    estimate_rates(C, N, [[0.5, 0.5], [0.0009, 0.9991]], least_weight=0)
    estimate_difference([[2, 3], [0, 5]], [[50, 50], [0, 100]], [[0.5, 0.5], [0, 1]], least_weight=0)
    for level in (0, 1, -0.5, 1.95, np.nan):
        with pytest.raises(ValueError, match=f"level is {level}; expected a number between 0 and 1, both excluded"):
            estimate_rates(C, N, W).interval(level)
    with pytest.raises(ValueError, match="weighting is 'root'"):
        AIPW(1, 2, weighting="root")
    low, high = estimate_rates(C, N, W).interval(0.9)
    rates = estimate_rates(C, N, W)
    np.testing.assert_allclose((high - low) / rates.standard_error, 2 * 1.6448536, rtol=1e-7)


def test_nothing_to_tell_is_nan_and_z_zero():
    for method in ("batched-ols", "stratified"):
        estimate = estimate_difference([[0, 0]], [[50, 0]], method=method)
        assert np.isnan(estimate.value)
        assert estimate.z == 0
        assert estimate.p_value == 1
