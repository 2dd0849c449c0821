"""What tables of distributions draw: their laws, their edges, and what is refused."""

import numpy as np
import pytest
from scipy import stats

from bandit_env.world.streams import seed_streams
from bandit_env.world.tasks.distributions import read_node

FALSE_ALARM = 1e-6  # of each statistical test here; seeds are fixed


def draw(given, n=20_000, key="", seed=1):
    streams, rows = np.zeros((n, 4), np.uint64), np.arange(n)
    seed_streams(streams, rows, rows.astype(np.uint64) + np.uint64(seed))
    return read_node(given, "sampler.x", key).draw(streams, rows)


@pytest.mark.parametrize(
    ("table", "law"),
    [
        ({"distribution": "uniform", "low": -2, "high": 5}, stats.uniform(-2, 7)),
        ({"distribution": "log-uniform", "low": 0.01, "high": 1000}, stats.loguniform(0.01, 1000)),
        ({"distribution": "beta", "a": 4, "b": 96}, stats.beta(4, 96)),
    ],
)
def test_numbers_have_their_distribution(table, law):
    assert stats.kstest(draw(table), law.cdf).pvalue > FALSE_ALARM


@pytest.mark.parametrize("kind", ["uniform", "log-uniform"])
def test_whole_numbers_reach_both_ends(kind):
    drawn = draw({"distribution": kind, "low": 2, "high": 5}, key="max_days")
    ends = np.arange(2, 7)
    expected = np.diff(ends if kind == "uniform" else np.log(ends))
    observed = [(drawn == day).sum() for day in range(2, 6)]
    assert sum(observed) == drawn.size
    assert stats.chisquare(observed, expected / expected.sum() * drawn.size).pvalue > FALSE_ALARM


def test_choices_by_weight_hold_distributions():
    inner = {"effect": "step", "day": {"distribution": "uniform", "low": 3, "high": 4}, "factor": 0.5}
    drawn = draw({"distribution": "choice", "values": [[], [inner], ["never"]], "weights": [3, 1, 0]}, key="effects")
    many = [len(value) for value in drawn]
    assert stats.binomtest(sum(many), len(many), 0.25).pvalue > FALSE_ALARM
    days = [value[0]["day"] for value in drawn if value]
    assert set(days) == {3, 4}
    assert stats.binomtest(days.count(3), len(days), 0.5).pvalue > FALSE_ALARM


def test_a_row_draws_the_same_whatever_lies_beside_it():
    table = {"distribution": "choice", "values": [1, {"distribution": "uniform", "low": 0, "high": 1}, 2]}
    assert draw(table, 50, seed=7).tolist()[40] == draw(table, 1, seed=47).tolist()[0]


def test_what_is_certain_draws_nothing():
    streams = np.zeros((2, 4), np.uint64)
    node = read_node({"mean": 0.1, "days": [1, [2, 3]]}, "sampler.x")
    assert node.draw(streams, np.arange(2)).tolist() == [{"mean": 0.1, "days": [1, [2, 3]]}] * 2
    assert not streams.any()


def test_edges_are_low_high_and_each_alone():
    number = {"distribution": "uniform", "low": 1, "high": 9}
    choice = {"distribution": "choice", "values": [7, 5, 6], "weights": [1, 1, 0]}
    node = read_node([number, choice, 3], "sampler.x")
    assert sorted(node.edges) == [[1, 5, 3], [1, 7, 3], [1, 7, 3], [9, 5, 3], [9, 5, 3], [9, 7, 3]]
    assert (node.edges[0], node.edges[-1]) == ([1, 5, 3], [9, 7, 3])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"distribution": "unifrom"}, "sampler.x.distribution is 'unifrom'; expected one of 'uniform', 'log-uniform'"),
        ({"distribution": ["uniform"]}, "expected one of 'uniform'"),
        ({"distribution": "uniform", "low": 1}, "sampler.x is 'uniform' without 'high'"),
        ({"distribution": "uniform", "low": 1, "hgih": 2}, "sampler.x.hgih: unknown key; did you mean 'high'"),
        ({"distribution": "uniform", "low": 2, "high": 1}, "sampler.x.low is 2, above high, 1"),
        ({"distribution": "uniform", "low": "a", "high": 1}, "sampler.x.low is 'a'; expected a finite number"),
        ({"distribution": "uniform", "low": 0, "high": float("inf")}, "sampler.x.high is inf"),
        ({"distribution": "log-uniform", "low": 0, "high": 1}, "sampler.x.low is 0; expected a number above 0"),
        ({"distribution": "beta", "a": 0, "b": 1}, "expected two numbers above 0"),
        ({"distribution": "choice", "values": []}, "sampler.x.values is empty"),
        ({"distribution": "choice", "values": 3}, "sampler.x.values is 3; expected a list"),
        ({"distribution": "choice", "values": [1, 2], "weights": [1]}, "expected one for each of the values"),
        ({"distribution": "choice", "values": [1, 2], "weights": [0, 0]}, "not all 0"),
        ({"distribution": "choice", "values": [{"distribution": "beta", "a": 1}]}, r"sampler.x.values\[0\] is 'beta'"),
    ],
)
def test_what_is_no_distribution(table, message):
    with pytest.raises(ValueError, match=message):
        read_node(table, "sampler.x")


def test_whole_numbers_have_whole_ends():
    with pytest.raises(ValueError, match=r"sampler.x.low is 1\.5; expected a whole number"):
        read_node({"distribution": "uniform", "low": 1.5, "high": 3}, "sampler.x", "visits_per_day")
