"""The classical test against R, SciPy and the article."""

import numpy as np
import pytest
from scipy import stats

from bandit_env.stats.power import power, sample_size, two_proportion_test

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
