"""Posterior features of arms, against formulas written out in plain Python and against SciPy."""

import math

import numpy as np
import pytest
from scipy import stats

from bandit_env.stats.features import FEATURES, LARGEST_GAP, arm_features

ALL = tuple(FEATURES)
CONVERSIONS = np.array([[3, 5, 1], [0, 0, 0], [10, 400, 60]], dtype=float)
VISITS = np.array([[10, 10, 10], [0, 0, 0], [1000, 4000, 1000]], dtype=float)
DAY = np.array([5.0, 0.0, 60.0])


def column(name, conversions=CONVERSIONS, visits=VISITS, day=DAY, **kwargs):
    return arm_features(conversions, visits, day, 60, 100, names=[name], **kwargs)[..., 0]


def test_mean_and_sd_are_those_of_the_beta_posterior():
    posterior = stats.beta(CONVERSIONS + 4, VISITS - CONVERSIONS + 96)
    np.testing.assert_allclose(column("mean", prior=(4, 96)), posterior.mean(), rtol=1e-14)
    np.testing.assert_allclose(column("sd", prior=(4, 96)), posterior.std(), rtol=1e-12)


def test_logit_and_precision_hold_both_parameters_of_the_posterior():
    odds = 10 ** column("logit", prior=(4, 96))
    strength = 10 ** column("log_precision", prior=(4, 96))
    np.testing.assert_allclose(strength * odds / (1 + odds), CONVERSIONS + 4, rtol=1e-12)
    np.testing.assert_allclose(strength / (1 + odds), VISITS - CONVERSIONS + 96, rtol=1e-12)


def test_clocks():
    assert column("day")[:, 0].tolist() == [5 / 60, 0, 1]
    np.testing.assert_allclose(column("log_left")[:, 0], np.log10([5501, 6001, 1]), rtol=1e-14)
    np.testing.assert_allclose(column("log_visits")[2], np.log10([1001, 4001, 1001]), rtol=1e-14)


def test_what_the_arms_share():
    assert column("log_batch", updates_per_day=4)[:, 0].tolist() == [math.log10(25)] * 3
    assert column("log_arms")[:, 1].tolist() == [math.log10(3)] * 3
    np.testing.assert_allclose(column("log_strength", prior=(4, 96)), 2, rtol=1e-15)


def test_gap_is_the_distance_to_the_best_of_the_others():
    # arms of 10 visits: means 4/12, 6/12, 2/12, variances m (1 - m) / 13
    sd = [math.sqrt(m * (1 - m) / 13) for m in (4 / 12, 6 / 12, 2 / 12)]
    expected = [
        -2 / 12 / math.hypot(sd[0], sd[1]),
        2 / 12 / math.hypot(sd[0], sd[1]),
        -4 / 12 / math.hypot(sd[2], sd[1]),
    ]
    np.testing.assert_allclose(column("gap")[0], expected, rtol=1e-12)
    assert column("gap")[1].tolist() == [0, 0, 0]


def test_gap_is_clipped():
    gap = column("gap", [[0, 1e6]], [[1e6, 1e6]], [0.0])
    assert gap.tolist() == [[-LARGEST_GAP, LARGEST_GAP]]


def test_probability_best_is_the_exact_one():
    # 2 of 100 and 20 of 1000, uniform prior: by two quadratures at 30 digits that agree
    found = column("probability_best", [[2, 20]], [[100, 1000]], [1.0])
    assert found[0, 0] == pytest.approx(0.64619696338436, abs=1e-10)


@pytest.mark.parametrize("num_arms", [2, 3, 7])
def test_permuting_arms_permutes_rows_also_where_means_tie(num_arms):
    rng = np.random.default_rng(1)
    visits = rng.integers(0, 6, (500, num_arms)) * 2.0  # few counts: many equal means with unequal visits
    conversions = np.floor(visits * rng.choice([0, 0.5, 1], (500, num_arms)))
    day = rng.uniform(0, 60, 500)
    order = rng.permutation(num_arms)
    names = [name for name in ALL if name != "probability_best"]
    features = arm_features(conversions, visits, day, 60, names=names)
    permuted = arm_features(conversions[:, order], visits[:, order], day, 60, names=names)
    np.testing.assert_array_equal(permuted, features[:, order])


def test_a_row_is_the_same_in_any_batch_and_leading_axes_are_kept():
    batch = arm_features(CONVERSIONS, VISITS, DAY, 60, 100, names=ALL)
    assert batch.shape == (3, 3, len(ALL))
    for row in range(3):
        np.testing.assert_array_equal(
            arm_features(CONVERSIONS[row], VISITS[row], DAY[row], 60, 100, names=ALL), batch[row]
        )


def test_unknown_feature_is_named():
    with pytest.raises(ValueError, match=r"unknown feature 'means'.*known: mean, sd"):
        arm_features(CONVERSIONS, VISITS, DAY, 60, names=["means"])


def test_one_arm_is_refused():
    with pytest.raises(ValueError, match=r"shape \(1,\); expected at least two arms"):
        arm_features([1], [2], 0, 60)


def test_single_precision_is_the_double_one_rounded():
    """Large counts have their logarithms from a series where the result is float32."""
    rng = np.random.default_rng(3)
    visits = np.floor(10 ** rng.uniform(0, 12, (2000, 3)))
    counts = np.floor(visits * rng.random((2000, 3))), visits, rng.uniform(0, 9, 2000), 9, 10**5, (0.3, 7.0)
    names = [name for name in FEATURES if name != "probability_best"]
    double, single = (arm_features(*counts, names, dtype) for dtype in (np.float64, np.float32))
    np.testing.assert_array_max_ulp(double.astype(np.float32), single, 1)


def test_each_experiment_may_have_a_horizon_and_a_traffic_of_its_own():
    visits, days, traffic = np.array([[3.0, 5.0], [0.0, 1.0]]), np.array([10, 20]), np.array([7, 9])
    own = arm_features(visits / 2, visits, [1, 2], days, traffic, names=["day", "log_left"])
    for i in range(2):
        alone = arm_features(visits[i] / 2, visits[i], i + 1, days[i], traffic[i], names=["day", "log_left"])
        np.testing.assert_array_equal(own[i], alone)
    np.testing.assert_allclose(own[:, 0], [[0.1, np.log10(64)], [0.1, np.log10(163)]])
