"""The result table, against SciPy and by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from bandit_env.experiment import run
from bandit_env.views.summary import summarise, summarise_arms, wilson, with_interval

WORLD = {"rates": [0.04, 0.05], "max_days": 60}


@pytest.fixture(scope="module")
def result():
    agents = {"rule": {"name": "thompson", "stopping": "value-remaining"}, "classical": "uniform"}
    return run(WORLD, agents, 200, seed=5, executor=1, classical={"visits": 22330, "days": 40})


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (482, 500), (500, 500), (1, 3)])
def test_wilson_is_scipys(successes, trials):
    expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_interval_of_a_mean_is_scipys():
    values = np.random.default_rng(0).exponential(size=50)
    low, high = stats.norm.interval(0.95, values.mean(), stats.sem(values))
    assert with_interval("x", values) == pytest.approx({"x": values.mean(), "x_low": low, "x_high": high}, abs=1e-12)
    assert math.isnan(with_interval("x", [3.0])["x_low"])


def test_columns_by_hand(result):
    table = summarise(result)
    rows = result.cells[0].episodes
    first = table.iloc[0]
    assert first["mean_day"] == rows["stopping_day"].mean()
    assert first["median_day"] == rows["stopping_day"].median()
    assert first["q95_day"] == rows["stopping_day"].quantile(0.95)
    assert first["max_day"] == rows["stopping_day"].max()
    assert first["days_saved"] == pytest.approx(40 - rows["stopping_day"].mean())
    assert first["conversions_saved"] == pytest.approx(22330 * 0.005 - rows["regret"].mean())
    assert first["worst_saved"] == pytest.approx(22330 * 0.005 - rows["regret"].max())
    assert first["longer"] == (rows["stopping_day"] > 40).mean()
    assert first["undecided"] == (rows["declared_arm"] == -1).mean() > 0
    assert (first["correct_low"], first["correct_high"]) == wilson(int(rows["correct"].sum()), 200)


def test_difference_is_paired_with_the_first_agent(result):
    table = summarise(result)
    assert math.isnan(table["difference"][0])
    gaps = result.cells[1].episodes["regret"] - result.cells[0].episodes["regret"]
    low, high = stats.norm.interval(0.95, gaps.mean(), stats.sem(gaps))
    assert table.loc[1, ["difference", "difference_low", "difference_high"]].tolist() == pytest.approx(
        [gaps.mean(), low, high]
    )


def test_arms(result):
    rows = result.cells[0].episodes
    arms = summarise_arms(result.cells[0])
    assert arms["rate"].tolist() == [0.04, 0.05]
    assert arms["traffic"].sum() == pytest.approx(1)
    assert arms["traffic"][1] == pytest.approx((rows["visits_1"] / rows["visits"]).mean())
    assert arms["estimate"][0] == rows["conversions_0"].sum() / rows["visits_0"].sum()
    assert arms["picked"][1] == (rows["declared_arm"] == 1).mean()


def test_savings_are_empty_without_a_classical_test_or_with_drawn_rates():
    alone = run(WORLD, ["uniform"], 5, executor=1)
    prior = {"prior": [4, 96], "num_arms": 2, "max_days": 20}
    drawn = run(prior, ["uniform"], 5, executor=1, classical={"visits": 100})
    for result in (alone, drawn):
        row = summarise(result).iloc[0]
        assert row[["days_saved", "conversions_saved", "worst_saved", "longer"]].isna().all()
        assert not math.isnan(row["regret"])


def test_classical_test_defaults_to_the_power_calculation():
    """2 x ceil(11,165.99) visits (R: power.prop.test(p1=.04, p2=.05, power=.95)), 224 days of 100."""
    classical = run(WORLD, ["uniform"], 5, executor=1, classical={}).cells[0].classical
    assert (classical.visits, classical.days) == (22332, 224)
    assert classical.cost([0.04, 0.05]) == pytest.approx(111.66)
