"""The classical test against R, SciPy and the article."""

import numpy as np
import pytest
from scipy import stats

from bandit_env.stats.power import power, sample_size, smallest_target, two_proportion_test

# Scott (2013) prints 22,330 visits in all for 4 % v 5 % and 91,842 for six arms at alpha .05 / 5; it
# truncates. The decimals are those of the same formula at 30 digits.
ARTICLE = [(1, 11165.988322, 11165), (5, 15307.802791, 15307)]


@pytest.mark.parametrize(("comparisons", "visits", "printed"), ARTICLE)
def test_the_article_s_sample_sizes(comparisons, visits, printed):
    n = sample_size(0.04, 0.05, comparisons=comparisons)
    assert n == pytest.approx(visits, abs=1e-6)
    assert int(n) == printed


def test_r_power_prop_test():
    # R's manual, example(power.prop.test): n = 50, p1 = .50, p2 = .75 has power = 0.7401659; power = .90 has
    # n = 76.7
    assert power(50, 0.50, 0.75) == pytest.approx(0.7401659, abs=5e-8)
    assert sample_size(0.50, 0.75, power=0.90) == pytest.approx(76.70693, abs=5e-6)  # R prints 76.7 (76.70693)


@pytest.mark.parametrize(
    ("baseline", "target", "wanted", "alpha", "comparisons"),
    [(0.04, 0.05, 0.95, 0.05, 1), (0.3, 0.2, 0.8, 0.01, 3), (0.5, 0.51, 0.99, 0.1, 7)],
)
def test_power_is_the_inverse_of_sample_size(baseline, target, wanted, alpha, comparisons):
    n = sample_size(baseline, target, wanted, alpha, comparisons)
    assert power(n, baseline, target, alpha, comparisons) == pytest.approx(wanted, abs=1e-12)
    assert sample_size(target, baseline, wanted, alpha, comparisons) == pytest.approx(n, rel=1e-12)


def test_the_test_is_the_chi_square_test_of_the_two_by_two_table():
    conversions, visits = np.array([[440, 558], [12, 9], [500, 700]]), np.array([[11165, 11165], [40, 45], [900, 1100]])
    z, p_value = two_proportion_test(conversions, visits)
    for row in range(3):
        table = [conversions[row], visits[row] - conversions[row]]
        expected = stats.chi2_contingency(table, correction=False)
        assert z[row, 1] ** 2 == pytest.approx(expected.statistic, rel=1e-10)
        assert p_value[row, 1] == pytest.approx(expected.pvalue, rel=1e-10)
    assert (z[:, 0] == 0).all()
    assert (p_value[:, 0] == 1).all()
    assert np.sign(z[:, 1]).tolist() == [1, -1, 1]


def test_every_arm_is_tested_against_the_named_control():
    z, _ = two_proportion_test([30, 40, 50], [1000, 1000, 1000], control=1)
    z_pair, _ = two_proportion_test([40, 50], [1000, 1000])
    assert z[1] == 0
    assert z[0] < 0 < z[2]
    assert z[2] == pytest.approx(z_pair[1], rel=1e-14)


@pytest.mark.parametrize(
    ("conversions", "visits"), [([0, 0], [0, 0]), ([0, 3], [0, 9]), ([0, 0], [50, 60]), ([50, 60], [50, 60])]
)
def test_where_nothing_can_be_told_the_p_value_is_one(conversions, visits):
    z, p_value = two_proportion_test(conversions, visits)
    assert z.tolist() == [0, 0]
    assert p_value.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 0.05), "baseline is 0.0; expected a number between 0 and 1"),
        ((0.04, 1.2), "target is 1.2"),
        ((0.04, float("nan")), "target is nan"),
        ((0.04, 0.04), "baseline and target are both 0.04"),
        ((0.04, 0.05, 1.0), "power is 1.0"),
        ((0.04, 0.05, 0.02), "power is 0.02; expected more than"),
        ((0.04, 0.05, 0.95, 0.0), "alpha is 0.0"),
        ((0.04, 0.05, 0.95, 0.05, 0), "comparisons is 0; expected at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        sample_size(*arguments)


def test_power_needs_visits():
    with pytest.raises(ValueError, match="visits is 0; expected a positive number"):
        power(0, 0.04, 0.05)


def test_evan_miller_s_calculator():
    # evanmiller.org/ab-testing/sample-size.html: 20.625 % and 1 point, 5 %, 80 %: 25,835; R, pooled: 26,155
    assert round(sample_size(0.20625, 0.21625, 0.8, variance="baseline")) == 25835
    assert round(sample_size(0.20625, 0.21625, 0.8)) == 26155
    # R: power.prop.test(p1 = .012, p2 = .0132, power = .8)
    assert sample_size(0.012, 0.0132, 0.8) == pytest.approx(135_623.54, abs=5e-3)


def test_one_sided_is_two_sided_at_twice_the_level():
    one = sample_size(0.04, 0.05, 0.8, 0.05, alternative="one-sided")
    assert one == pytest.approx(sample_size(0.04, 0.05, 0.8, 0.1), rel=1e-14)
    # R: power.prop.test(p1 = .50, p2 = .75, power = .9, alternative = "one.sided"): n = 62.15
    assert sample_size(0.5, 0.75, 0.9, alternative="one-sided") == pytest.approx(
        ((1.6448536 * np.sqrt(2 * 0.625 * 0.375) + 1.2815516 * np.sqrt(0.25 + 0.1875)) / 0.25) ** 2, rel=1e-6
    )


def test_unequal_arms():
    # Fleiss, Levin and Paik, eq. 4.19, by its terms
    p0, p1, r = 0.25, 0.4, 0.5
    pooled = (p0 + r * p1) / (r + 1)
    z, z_power = stats.norm.ppf(0.995), stats.norm.ppf(0.95)
    spread = np.sqrt((r + 1) * pooled * (1 - pooled)), np.sqrt(r * p0 * (1 - p0) + p1 * (1 - p1))
    expected = (z * spread[0] + z_power * spread[1]) ** 2 / (r * (p1 - p0) ** 2)
    assert sample_size(p0, p1, 0.95, 0.01, ratio=r) == pytest.approx(expected, rel=1e-12)
    equal = sample_size(0.04, 0.05, 0.8)
    assert sample_size(0.04, 0.05, 0.8, ratio=1e9) < equal < sample_size(0.04, 0.05, 0.8, ratio=0.5)


@pytest.mark.parametrize("design", [{}, {"alternative": "one-sided"}, {"ratio": 0.25}, {"variance": "baseline"}])
def test_designs_invert(design):
    n = sample_size(0.012, 0.0132, 0.8, 0.05, 2, **design)
    assert power(n, 0.012, 0.0132, 0.05, 2, **design) == pytest.approx(0.8, abs=1e-12)
    assert smallest_target(n, 0.012, 0.8, 0.05, 2, **design) == pytest.approx(0.0132, rel=1e-10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alternative": "less"}, "alternative is 'less'; expected 'two-sided' or 'one-sided'"),
        ({"ratio": 0}, "ratio is 0"),
        ({"ratio": float("nan")}, "ratio is nan"),
        ({"variance": "miller"}, "variance is 'miller'"),
        ({"visits": float("nan")}, "visits is nan"),
        ({"visits": -5}, "visits is -5"),
        ({"visits": 2}, "even a rate of 1 is found with less than power"),
        ({"power": 0.01}, "power is 0.01; expected more than the chance"),
        ({"baseline": 1.0}, "baseline is 1.0"),
    ],
)
def test_bad_designs_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        smallest_target(**({"visits": 1000, "baseline": 0.04} | change))


@pytest.mark.parametrize(
    ("conversions", "visits", "message"),
    [
        ([44700, 45489], [8502, 8279], r"conversions\[0\] is 44700.0; expected a number from 0 to visits\[0\] = 8502"),
        ([4, float("nan")], [50, 50], r"conversions\[1\] is nan"),
        ([4, -1], [50, 50], r"conversions\[1\] is -1.0"),
        ([4, 5], [50, float("nan")], r"visits\[1\] is nan"),
        ([0, 0], [-50, 50], r"visits\[0\] is -50.0"),
        ([1, 2, 3], [50, 50], "do not broadcast"),
    ],
)
def test_counts_that_cannot_be_are_named(conversions, visits, message):
    with pytest.raises(ValueError, match=message):
        two_proportion_test(conversions, visits)


def test_no_such_control():
    with pytest.raises(ValueError, match="control is 2"):
        two_proportion_test([4, 5], [50, 50], control=2)
