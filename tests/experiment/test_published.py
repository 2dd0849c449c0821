"""The runner against published figures, and against our own independent simulation of the same algorithms.

[S] is printed in Scott, "Multi-armed Bandit Experiments" (Google Analytics, 23 January 2013). [M] is an independent
simulation of the same experiment (plain NumPy, exact P(best) by Gauss-Legendre quadrature), as mean +- one standard
error. A statistic passes within 4 sqrt(se_ours^2 + se_theirs^2); every seed here is the year of the article, fixed
before the first run.
"""

import math

import numpy as np
import pytest

from bandit_env.experiment import run

SEED = 2013
AB = {"rates": [0.04, 0.05], "max_days": 5000}
SIX = {"rates": [0.04, 0.05, 0.045, 0.03, 0.02, 0.035], "max_days": 5000}
VALUE_REMAINING = {"name": "thompson", "stopping": "value-remaining"}
LITERAL = {"name": "thompson", "stopping": "beats-control | value-remaining"}


def play(world, agent, replications, **kwargs):
    result = run(world, [agent], replications, seed=SEED, executor=1, traces=0, **kwargs)
    assert not result.failures
    return result.cells[0].episodes


def assert_near(values, expected, se_expected=0.0):
    """The mean of `values` agrees with a mean that was estimated elsewhere."""
    values = np.asarray(values, dtype=float)
    tolerance = 4 * math.hypot(values.std(ddof=1) / math.sqrt(values.size), se_expected)
    assert abs(values.mean() - expected) < tolerance, f"{values.mean():.4f} is not {expected} +- {tolerance:.4f}"


@pytest.fixture(scope="module")
def ab_rows():
    return play(AB, VALUE_REMAINING, 20_000)


def test_ab_stopping_day(ab_rows):
    """[M] mean 49.61 +- .16 days, median 30, 95 % quantile 148; [S] 175 of 223 days saved."""
    days = ab_rows["stopping_day"]
    assert_near(days, 49.61, 0.16)
    # A quantile's standard error is sqrt(q (1 - q) / n) / density; the density at the median is about .014 a day, at
    # the 95 % quantile about .0006.
    assert abs(days.quantile(0.5) - 30) <= 4 * 0.5 / math.sqrt(20_000) / 0.014
    assert abs(days.quantile(0.95) - 148) <= 4 * math.sqrt(0.05 * 0.95 / 20_000) / 0.0006


def test_ab_conversions_saved(ab_rows):
    """[M] 97.59 +- .05 against a classical cost of 111.65; [S] 97.5."""
    assert_near(111.65 - ab_rows["regret"], 97.59, 0.05)


def test_ab_correct(ab_rows):
    """[M] 96.39 +- .06 %; [S] 482 of 500."""
    assert_near(ab_rows["correct"], 0.9639, 0.0006)


def test_ab_longer_than_classical(ab_rows):
    """[M] 1.29 % of 100,000; [S] 5 of 500."""
    assert_near(ab_rows["stopping_day"] > 223, 0.0129, math.sqrt(0.0129 * 0.9871 / 100_000))


def test_ab_reversed():
    """[M] R = 20,000: 173.7 days saved (the standard error is that of R = 100,000, scaled), 97.7 +- .1, 96.33 %."""
    rows = play({**AB, "rates": [0.05, 0.04]}, VALUE_REMAINING, 10_000)
    assert_near(223 - rows["stopping_day"], 173.7, 0.16 * math.sqrt(5))
    assert_near(111.65 - rows["regret"], 97.7, 0.1)
    assert_near(rows["correct"], 0.9633, 0.0006 * math.sqrt(5))


@pytest.mark.parametrize(
    ("agent", "days", "correct", "regret"),
    [
        ({"name": "uniform", "stopping": "value-remaining"}, 43, 0.984, 21.7),
        ({"name": "epsilon-greedy", "epsilon": 0.1, "stopping": "value-remaining"}, 103, None, None),
    ],
    ids=["uniform", "epsilon-greedy"],
)
def test_ab_other_allocations(agent, days, correct, regret):
    """[M], printed to so many digits only: half a unit of the last one is allowed as well."""
    rows = play(AB, agent, 10_000)
    assert_near(rows["stopping_day"], days, 0.5)
    if correct is not None:
        assert_near(rows["correct"], correct, 0.0005)
        assert_near(rows["regret"], regret, 0.05)


def test_six_arms_value_remaining():
    """[M] 335 +- 6 days, 1,125 conversions saved of 1,224.56, 98 % pick the best arm."""
    rows = play(SIX, VALUE_REMAINING, 2_000)
    assert_near(rows["stopping_day"], 335, 6)
    assert_near(rows["correct"], 0.98, 0.005)


def test_six_arms_literal_rule():
    """[M] 75 to 80 days, 1,177 to 1,180 conversions saved, 77 to 80 % pick .05, 98 % pick .05 or .045."""
    rows = play(SIX, LITERAL, 4_000)
    days, saved = rows["stopping_day"], 1224.56 - rows["regret"]
    assert 75 - 4 * days.sem() < days.mean() < 80 + 4 * days.sem()
    assert 1177 - 4 * saved.sem() < saved.mean() < 1180 + 4 * saved.sem()
    correct = rows["correct"].astype(float)
    assert 0.77 - 4 * correct.sem() < correct.mean() < 0.80 + 4 * correct.sem()
    assert_near(rows["declared_arm"].isin([1, 2]), 0.98, 0.005)


def test_classical_power():
    """The power that it was designed for, .95, is met within the error; half a per cent is for the discreteness."""
    rows = play(AB, {"name": "uniform-classical", "baseline": 0.04, "target": 0.05}, 10_000)
    assert set(rows["stopping_day"]) == {224.0}  # 2 x 11,166 visits at 100 a day
    assert_near(rows["claimed_winner"] & (rows["declared_arm"] == 1), 0.95, 0.00125)


def test_classical_size():
    """Under equal rates the two-sided test rejects in 5 %, on its own design."""
    classical = {"name": "uniform-classical", "baseline": 0.04, "target": 0.05}
    rows = play({**AB, "rates": [0.04, 0.04]}, classical, 10_000)
    assert_near(rows["claimed_winner"], 0.05, 0.00125)


def test_notebook():
    """[M] R = 4,000: 198.2 +- 3.0 pulls of the worse arm in 10,000 visits."""
    notebook = {"rates": [0.5, 0.6], "visits_per_day": 1, "min_days": 0, "max_days": 10_000}
    rows = play(notebook, {"name": "thompson"}, 300)
    assert_near(rows["visits_0"], 198.2, 3.0)
    assert (rows["visits"] == 10_000).all()
    assert (rows["declared_arm"] == -1).all()
