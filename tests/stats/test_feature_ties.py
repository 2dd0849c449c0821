"""Ties in features, as they are documented; the other features are tested where learners use them."""

from math import sqrt

import pytest

from bandit_env.stats.features import arm_features


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 0, 1)])
def test_of_tied_rivals_the_one_with_the_fewest_visits_counts(order):
    # posterior means .6, .5 and .5, variances m (1 - m)/(visits + 3)
    conversions, visits = [5, 1, 10], [8, 2, 20]
    gaps = arm_features([conversions[i] for i in order], [visits[i] for i in order], 1, 10, names=["gap"])[:, 0]
    assert gaps[order.index(0)] == pytest.approx(0.1 / sqrt(0.24 / 11 + 0.25 / 5), rel=1e-12)
    assert gaps[order.index(2)] == pytest.approx(-0.1 / sqrt(0.24 / 11 + 0.25 / 23), rel=1e-12)
