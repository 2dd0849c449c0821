"""Intervals from counts against published examples, mpmath, SciPy and closed forms."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from bandit_env.stats.estimates import (
    Difference,
    Lift,
    difference_interval,
    lift_interval,
    newcombe_interval,
    rate_interval,
    wald_interval,
    wilson_interval,
)
from bandit_env.stats.posterior import potential_value_remaining, probability_beats, probability_best

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


@pytest.mark.parametrize(
    "interval", [rate_interval, wald_interval, wilson_interval, newcombe_interval, lift_interval, difference_interval]
)
def test_bad_arguments_are_named(interval):
    for level in (0, 1, -0.95, 95, np.nan):
        with pytest.raises(ValueError, match=f"level is {level}; expected a number between 0 and 1, both excluded"):
            interval([1, 2], [10, 10], level=level)
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


# Made by make_estimates_reference.py beside this file: mpmath at 30 digits.
REFERENCE = json.loads(Path(__file__).with_name("estimates_reference.json").read_text())


@pytest.mark.parametrize("case", REFERENCE, ids=lambda c: f"{c['conversions']}-{c['visits']}-{c['prior']}")
def test_stored_distributions(case):
    """Distribution function, density and quantile of lift and difference; the rates' quantiles."""
    counts = case["conversions"], case["visits"]
    for posterior, points in (
        (Lift(*counts, prior=case["prior"]), case["lift"]),
        (Difference(*counts, prior=case["prior"]), case["difference"]),
    ):
        x, cdf, pdf = np.array(points, dtype=float).T
        np.testing.assert_allclose(posterior.cdf(x[:, None])[:, 1], cdf, rtol=0, atol=1e-9)
        np.testing.assert_allclose(posterior.pdf(x[:, None])[:, 1], pdf, rtol=1e-8)
        quantiles = posterior.quantile(cdf[:, None])[:, 1]
        size = np.abs(1 + x) if isinstance(posterior, Lift) else 1.0
        assert (np.abs(quantiles - x) <= 1e-8 * size).all()
    for arm in range(2):
        for x, q in case["rate"][arm]:
            tail = min(2 * min(float(q), 1 - float(q)), 1 - 1e-12)  # 1 less the level of which this is an end
            ends = rate_interval(*counts, level=1 - tail, prior=case["prior"])
            assert ends[float(q) > 0.5][arm] == pytest.approx(float(x), rel=1e-9)


# with large counts, Gauss-Legendre over SciPy's distribution functions
LARGE = [
    ([447, 558], [11165, 11165]),
    ([3, 4000], [10, 100_000]),
    ([4000, 3], [100_000, 10]),
    ([95_000, 995], [100_000, 1000]),
]


def below(conversions, visits, move, back):
    """P(arm <= move(control)) by 24 nodes in each piece of either arm's rates, cut at kinks; `back` inverts `move`."""
    (a0, a1), (b0, b1) = np.add(conversions, 1), np.subtract(visits, conversions) + 1
    ends = special.betaincinv(a0, b0, 1e-14), special.betainccinv(a0, b0, 1e-14)
    others = special.betaincinv(a1, b1, 1e-14), special.betainccinv(a1, b1, 1e-14)
    cuts = back(np.r_[np.linspace(*others, 61), 0, 1])
    edges = np.unique(np.r_[np.linspace(*ends, 61), np.clip(cuts, *ends)])
    nodes, weights = np.polynomial.legendre.leggauss(24)
    half = np.diff(edges)[:, None] / 2
    p = edges[:-1, None] + half * (nodes + 1)
    return (half * weights * stats.beta.pdf(p, a0, b0) * special.betainc(a1, b1, np.clip(move(p), 0, 1))).sum()


@pytest.mark.parametrize(("conversions", "visits"), LARGE)
def test_against_distribution_functions_of_scipy(conversions, visits):
    for level in (0.5, 0.95):
        tail = (1 - level) / 2
        for order, (_, x) in zip((tail, 1 - tail), lift_interval(conversions, visits, level)):
            at = below(conversions, visits, lambda p, x=x: (1 + x) * p, lambda p, x=x: p / (1 + x))
            assert at == pytest.approx(order, abs=1e-9)
        for order, (_, x) in zip((tail, 1 - tail), difference_interval(conversions, visits, level)):
            at = below(conversions, visits, lambda p, x=x: p + x, lambda p, x=x: p - x)
            assert at == pytest.approx(order, abs=1e-9)


@pytest.mark.parametrize(
    ("conversions", "visits"),
    [
        ([40, 50], [1000, 1000]),
        ([40_000_000, 40_001_000], [10**9, 10**9]),
        ([10**9 - 40, 10**9 - 9], [10**9, 10**9]),
        ([400, 10**7 * 5], [10**4, 10**9]),
        ([0, 0], [10**9, 50]),
        ([10, 20, 30, 33], [100, 102, 120, 130]),
    ],
)
def test_lift_and_value_remaining_agree(conversions, visits):
    """Of two arms, value remaining is the lift over the champion: other code, other method."""
    lift, best = Lift(conversions, visits), probability_beats(conversions, visits)
    np.testing.assert_allclose(1 - lift.cdf(0.0)[1:], best[1:], rtol=0, atol=1e-9)
    pair = [[conversions[0], conversions[-1]], [visits[0], visits[-1]]]
    champion = int(probability_best(*pair)[1] > 0.5)
    for q in (0.9, 0.975):
        expected = potential_value_remaining(*pair, q)
        found = Lift(*pair, control=champion).quantile(q)[1 - champion]
        assert max(found, 0) == pytest.approx(expected, abs=1e-8 * (1 + expected))


def test_closed_forms_without_visits():
    # two uniform rates: P(ratio > x) = 1/(2 x) for x > 1; the difference is triangular
    low, high = lift_interval([0, 0], [0, 0])
    assert (low[1], high[1]) == pytest.approx((-0.95, 19), rel=1e-9)
    low, high = difference_interval([0, 0], [0, 0])
    assert high[1] == pytest.approx(1 - np.sqrt(0.05), abs=1e-9)
    assert low[1] == pytest.approx(-high[1], abs=1e-9)
    np.testing.assert_allclose(Lift([0, 0], [0, 0]).pdf([[-0.5], [1.0]])[:, 1], [0.5, 0.125], rtol=1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@example([(0.5, 0.5), (0.625, 3.625)], 1.0)
@example([(0.0, 0.0), (0.0, 3.0)], 0.5)
@example([(0.0, 0.0), (0.0, 7.0)], 0.5)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 7)), min_size=2, max_size=4), st.sampled_from([0.5, 1.0, 3.0]))
def test_quantiles_invert_distribution_functions(arms, prior):
    visits = np.array([int(10**size) for _, size in arms])
    conversions = np.array([int(share * v) for (share, _), v in zip(arms, visits)])
    for posterior in (Lift(conversions, visits, prior=(prior, 1)), Difference(conversions, visits, prior=(prior, 1))):
        for q in (0.001, 0.025, 0.5, 0.975, 0.999):
            found = posterior.quantile(q)
            # a lift near -1 is one of few doubles: the level lies between those of its neighbours
            low, high = (posterior.cdf(np.nextafter(found, end))[1:] for end in (-np.inf, np.inf))
            assert (low - 2e-8 <= q).all()
            assert (q <= high + 2e-8).all()


def test_swapped_arms_mirror():
    for conversions, visits in (([3, 9], [10, 12]), ([0, 400], [2000, 3000])):
        low, high = lift_interval(conversions, visits)
        low_back, high_back = lift_interval(conversions, visits, control=1)
        assert (1 + low[1]) * (1 + high_back[0]) == pytest.approx(1, rel=1e-8)
        low, high = difference_interval(conversions, visits)
        low_back, high_back = difference_interval(conversions, visits, control=-1)
        assert (low[1], high[1]) == pytest.approx((-high_back[0], -low_back[0]), abs=1e-9)


def test_means():
    lift = Lift([40, 50, 45], [1000, 1000, 900], prior=(2, 3))
    # E[rate] E[1/rate_control] - 1, E[1/rate] = (n - 1)/(a - 1)
    np.testing.assert_allclose(lift.mean(), [0, 52 / 1005 * 1004 / 41 - 1, 47 / 905 * 1004 / 41 - 1], rtol=1e-12)
    assert Lift([0, 5], [100, 100]).mean().tolist() == [0, np.inf]
    assert np.isfinite(Lift([1, 5], [100, 100]).mean()).all()
    difference = Difference([40, 50], [1000, 1000])
    assert difference.mean()[1] == pytest.approx(10 / 1002, rel=1e-12)
    x = np.linspace(-0.1, 0.1, 2001)[:, None]
    assert integrate.trapezoid(difference.pdf(x)[:, 1], x[:, 0]) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("control", [1, 2, -1])
@pytest.mark.parametrize("posterior", [Lift, Difference])
def test_any_arm_can_be_the_control(posterior, control):
    """The same as with the control moved to the first place."""
    conversions, visits = np.array([[4, 50, 45], [7, 8, 0]]), np.array([[100, 1000, 900], [60, 90, 30]])
    order = [control % 3, *(arm for arm in range(3) if arm != control % 3)]
    found = posterior(conversions, visits, control=control, prior=(2, 3))
    expected = posterior(conversions[:, order], visits[:, order], prior=(2, 3))
    for name, arguments in (("mean", ()), ("pdf", (0.01,)), ("cdf", (0.01,)), ("quantile", (0.3,))):
        ours, theirs = (getattr(one, name)(*arguments) for one in (found, expected))
        np.testing.assert_allclose(ours[:, order], theirs, rtol=1e-9, err_msg=name)
    for ours, theirs in zip(found.interval(0.9), expected.interval(0.9), strict=True):
        np.testing.assert_allclose(ours[:, order], theirs, rtol=1e-9)


def test_shapes_and_limits():
    conversions, visits = np.arange(12).reshape(2, 2, 3), np.full((2, 2, 3), 50)
    low, high = lift_interval(conversions, visits, control=2)
    assert low.shape == high.shape == (2, 2, 3)
    assert (low[..., 2] == 0).all()
    assert (high[..., 2] == 0).all()
    one_low, _ = lift_interval(conversions[1, 0], visits[1, 0], control=2)
    np.testing.assert_array_equal(low[1, 0], one_low)
    lift, difference = Lift([4, 5], [50, 50]), Difference([4, 5], [50, 50])
    assert lift.cdf([[-1.0], [-2.0], [np.inf]])[:, 1].tolist() == [0, 0, 1]
    assert difference.cdf([[-1.0], [1.0], [2.0]])[:, 1].tolist() == [0, 1, 1]
    assert lift.pdf(-1.0)[1] == difference.pdf(1.5)[1] == 0
    assert lift.cdf([[-0.1], [0.0]])[:, 0].tolist() == [0, 1]
    for bad in (0, 1, np.nan):
        with pytest.raises(ValueError, match="q is"):
            lift.quantile(bad)
    with pytest.raises(ValueError, match="K at least 2 arms"):
        lift_interval([4], [50])
