"""The players of docs/learned.md's tables: finalists are the pairs that they are named after; Gittins' index by day."""

import numpy as np
import pytest
from loading import load

from agents.allocations.gittins import index_table
from bandit_env.world.task import Task


@pytest.fixture(scope="module")
def by_day():
    return load("gittins_by_day")


def test_finalists_are_the_pairs_of_their_names():
    pairs = load("evaluate_pairs").pairs()
    for label, player in load("evaluate_learned").FINALISTS.items():
        assert {"stopping": None, **player} == pairs[label]


def test_gittins_index_by_day_is_the_one_by_visit_where_a_day_is_a_visit(by_day):
    horizon = 20
    known = index_table(horizon, (1.0, 1.0))
    table = by_day.index_table(horizon, 1, 1.0, 1.0, np.linspace(0, 1, 8001), horizon)
    for left in range(1, horizon + 1):
        for served in range(horizon - left + 1):
            total = left + served
            place = total * (total + 1) * (total + 2) // 6 + served * (served + 1) // 2
            # between known rates 1/8000 apart the script interpolates
            assert table[left, served, : served + 1] == pytest.approx(known[place : place + served + 1], abs=1e-5)


def test_gittins_index_by_day_looks_ahead_a_day(by_day):
    # Two days of two visits, Beta(1, 1): 0, 1, 2 conversions with 1/3 each, posterior means 1/4, 1/2, 3/4. With known
    # rate q in [1/2, 3/4] one goes on after two conversions only: 2 q 2 = 1 + (2 q + 2 q + 2 3/4) / 3.
    table = by_day.index_table(2, 2, 1.0, 1.0, np.linspace(0, 1, 1001), 4)
    assert table[2, 0, 0] == pytest.approx(9 / 16, abs=1e-6)
    assert table[1, 1, :3] == pytest.approx([1 / 4, 1 / 2, 3 / 4], abs=1e-6)


def test_gittins_index_by_day_serves_one_arm(by_day):
    agent, task = by_day.GittinsByDay(prior=(4, 96)), Task(2, 10, max_days=5)
    agent.reset(task, 2, np.random.default_rng(0))
    seen = {
        "visits": np.array([[0.0, 0], [10, 0]]),
        "conversions": np.array([[0.0, 0], [0, 0]]),
        "day": np.array([[0.0], [1]]),
    }
    assert agent.act(seen, np.arange(2)).tolist() == [[1, 0, 0], [0, 1, 0]]
