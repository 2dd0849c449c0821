"""The players of docs/learned.md's tables: finalists are the pairs that they are named after; Gittins' index by day."""

import csv

import numpy as np
import pytest
from loading import load

from agents.allocations.gittins import index_table
from agents.policy import Policy
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


@pytest.fixture(scope="module")
def tasks():
    return load("evaluate_daily")


def test_held_out_tasks_lie_in_the_range_of_the_training(tasks):
    trained = Policy.load("daily").trained
    held_out = tasks.held_out()
    assert len(set(held_out)) == 40
    for task in held_out:
        facts = {"num_arms": task.arms, "visits_per_day": task.visits, "max_days": task.days}
        facts |= {"updates_per_day": task.updates, "prior_strength": task.a + task.b}
        facts |= {"prior_mean": task.a / (task.a + task.b)}
        assert all(trained[name][0] <= value <= trained[name][1] for name, value in facts.items()), task
        assert 1 <= task.least_days <= task.days
    assert {task.arms for task in held_out} >= {2, 10}
    assert 20 <= sum(task.told for task in held_out) <= 30


def test_ratio_of_losses_and_its_interval(tasks):
    rng = np.random.default_rng(0)
    other = rng.gamma(2, 3, (2000, 400))
    mine = 0.8 * other + rng.normal(0, 1, other.shape)
    found = [tasks.compare(a, b) for a, b in zip(mine, other, strict=True)]
    covers = np.mean([abs(verdict.ratio - 0.8) < verdict.half for verdict in found])
    assert covers == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / 2000) ** 0.5)


def test_losses_are_kept_and_those_of_other_weights_played_again(tasks, tmp_path, monkeypatch):
    played = []

    def play(world, players, replications):
        played.extend(players)
        return {label: {"loss": np.full(replications, 2.0)} for label in players}

    monkeypatch.setattr(tasks, "play", play)
    task = tasks.held_out()[0]
    for again, count in ((False, 10), (False, 10), (True, 11)):
        tasks.losses(task, 0, 5, tmp_path, again)
        assert len(played) == count
    assert played[-1] == tasks.LEARNED


def test_kept_table_is_of_the_held_out_tasks(tasks):
    with (tasks.DOCS / "daily_tasks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [tuple(row[name] for name in tasks.HeldOut._fields) for row in rows]
    assert kept == [tuple(str(value) for value in task) for task in tasks.held_out()]
    for row in rows:
        others = {name: float(loss) for name, loss in row.items() if name.startswith("loss of index") and loss}
        best = min(others, key=others.__getitem__)
        if row["best other"].startswith("index"):
            assert best == f"loss of {row['best other']}"
