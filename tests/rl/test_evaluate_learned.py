"""The tables of docs/learned.md: one play to the horizon stands for all stopping rules, and no pair is left out."""

import csv
import importlib.util
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import agents
import bandit_env  # noqa: F401
from agents.gittins import GRID, _offsets, index_table
from agents.stopping import make_rule
from bandit_env import plugins
from bandit_env.envs.task import Task

SCRIPTS = Path(__file__).parents[2] / "scripts"


def load(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tables():
    return load("evaluate_learned")


@pytest.fixture(scope="module")
def by_day():
    return load("gittins_by_day")


@pytest.mark.parametrize(
    ("allocation", "prior"),
    [
        ("thompson", (4, 96)),
        ("thompson", (1, 1)),
        ("uniform", (4, 96)),
        ("successive-elimination", (1, 1)),
        ("posterior-index 2.5", (4, 96)),
    ],
)
def test_one_play_finds_what_every_pair_finds_alone(tables, allocation, prior):
    player = {"name": allocation, **tables.ALLOCATIONS[allocation], "prior": list(prior)}
    rules = {label: (make_rule(rule), prior) for label, rule in tables.RULES.items()}
    together = tables.play_with_rules(tables.DAILY, player, rules, 200)
    assert together.keys() == tables.RULES.keys()
    for label, rule in tables.RULES.items():
        alone = tables.play(tables.DAILY, {label: {**player, "stopping": rule}}, 200)[label]
        np.testing.assert_array_equal(together[label]["loss"], alone["loss"], err_msg=label)
        np.testing.assert_array_equal(together[label]["day"], alone["day"], err_msg=label)


def test_batches_do_not_matter(tables, monkeypatch):
    player, rules = {"name": "thompson"}, {"a": (make_rule("value-remaining"), (4, 96))}
    whole = tables.play_with_rules(tables.DAILY, player, rules, 50)["a"]["loss"]
    monkeypatch.setattr(tables, "BATCH", 20)
    np.testing.assert_array_equal(tables.play_with_rules(tables.DAILY, player, rules, 50)["a"]["loss"], whole)


def test_every_agent_and_every_rule_is_played(tables):
    played = {arguments.get("name", label) for label, arguments in tables.ALLOCATIONS.items()}
    assert played | set(tables.NOT_ALLOCATIONS) == set(agents.available())
    classes = {type(make_rule(rule)).__name__ for rule in tables.RULES.values() if rule is not None}
    names = plugins.available("bandit_env.stopping_rules")
    assert classes - {"AnyOf"} == {plugins.load("bandit_env.stopping_rules", name).__name__ for name in names}


@pytest.mark.parametrize("name", ["bayes-optimal", "gittins"])
def test_what_is_left_out_refuses_the_task(tables, name):
    task = gym.make("bandit_env/DailyTraffic-v0", **tables.DAILY).unwrapped.task
    with pytest.raises(ValueError, match="visit by visit"):
        agents.make(name).reset(task, 1, np.random.default_rng(0))


def test_pairs_said_not_to_read_the_prior_do_not(tables):
    free = tables.WITHOUT_PRIOR
    for allocation in free & tables.ALLOCATIONS.keys():
        rules = {
            (label, prior): (make_rule(tables.RULES[label]), prior)
            for label in free & tables.RULES.keys()
            for prior in (tables.TOLD, tables.NOT_TOLD)
        }
        player = {"name": allocation, **tables.ALLOCATIONS[allocation]}
        told, not_told = (
            tables.play_with_rules(tables.DAILY, {**player, "prior": prior}, rules, 40)
            for prior in (tables.TOLD, tables.NOT_TOLD)
        )
        for label, prior in rules:
            np.testing.assert_array_equal(told[label, prior]["loss"], not_told[label, tables.TOLD]["loss"])


def test_finished_allocations_are_not_played_again(tables, tmp_path, monkeypatch, capsys):
    kept = ("greedy", "thompson")
    monkeypatch.setattr(tables, "ALLOCATIONS", {name: tables.ALLOCATIONS[name] for name in kept})
    command = ["evaluate_learned.py", "pairs", "--folder", str(tmp_path), "--replications"]
    monkeypatch.setattr(sys, "argv", [*command, "50"])
    tables.main()
    first = capsys.readouterr()
    assert first.err.splitlines() == ["played: greedy", "played: thompson", "played: thompson, uniform prior"]
    with (tmp_path / "pairs.csv").open(newline="") as text:
        rows = list(csv.DictReader(text))
    labels = {
        f"{row['allocation']}, {row['rule']}{', uniform prior' if row['prior'] == 'uniform' else ''}" for row in rows
    }
    assert len(labels) == len(rows)
    assert labels == tables.pairs().keys()
    losses = [float(row["loss"]) for row in rows]
    assert losses == sorted(losses)
    assert f"{len(rows)} pairs, R = 50" in first.out

    (tmp_path / "thompson.csv").unlink()
    tables.main()
    again = capsys.readouterr()
    assert again.err.splitlines() == ["played: thompson"]
    assert again.out == first.out
    monkeypatch.setattr(sys, "argv", [*command, "60"])
    tables.main()
    assert len(capsys.readouterr().err.splitlines()) == 3  # other settings: nothing is taken over


def test_gittins_index_by_day_is_the_one_by_visit_where_a_day_is_a_visit(by_day):
    horizon = 20
    known, offsets = index_table(horizon, (1.0, 1.0)), _offsets(horizon)
    table = by_day.index_table(horizon, 1, 1.0, 1.0, np.linspace(0, 1, GRID), horizon)
    for left in range(1, horizon + 1):
        for served in range(horizon - left + 1):
            for s in range(served + 1):
                place = offsets[left] + s * (horizon - left + 1) + served - s
                assert table[left, served, s] == pytest.approx(known[place], abs=1e-9)


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
