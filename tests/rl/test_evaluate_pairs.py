"""The pairs of docs/learned.md: one play to the horizon stands for all stopping rules, and no pair is left out."""

import csv
import sys

import gymnasium as gym
import numpy as np
import pytest
from loading import load

import agents
import bandit_env  # noqa: F401
from agents.stopping import make_rule
from bandit_env import plugins


@pytest.fixture(scope="module")
def tables():
    return load("evaluate_pairs")


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
    known = {plugins.load("bandit_env.stopping_rules", name).__name__ for name in names}
    assert classes - {"AnyOf"} == known - {"EProcess"}  # it remembers: not asked about days of another play


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
    command = ["evaluate_pairs.py", "--folder", str(tmp_path), "--replications"]
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
