"""When weights come into force, and what arms that come and go are served: on days written out by hand."""

import numpy as np
import pytest

import agents
from agents.allocation import Allocation
from agents.stopping import After
from bandit_env.world.action import decode_action
from bandit_env.world.task import Task


class ByDay(Allocation):
    """Gives arm 0 a share that tells the day, 1 / (2 + day), and the others the rest in equal parts."""

    def weights(self, evidence):
        first = 1 / (2 + evidence.day[:, None])
        others = (1 - first) / (evidence.task.num_arms - 1)
        return np.concatenate([first, np.repeat(others, evidence.task.num_arms - 1, axis=1)], axis=1)


def served(agent, task, days):
    """Weights on each day, (days, K), of an agent that sees no traffic."""
    agent.reset(task, 2, np.random.default_rng(0))
    zero = np.zeros((2, task.num_arms))
    weights = []
    for update in range(round(days * task.updates_per_day)):
        day = np.full((2, 1), update / task.updates_per_day)
        action = agent.act({"visits": zero, "conversions": zero, "day": day}, np.arange(2))
        assert (action[0] == action[1]).all()
        weights.append(decode_action(action)[0][0])
    return np.array(weights)


def days_of(weights):
    """The day that the first arm's share tells of; "=" where all shares are equal."""
    day = np.rint(1 / weights[:, 0] - 2).astype(int)
    return ["=" if np.ptp(row[row > 0]) < 1e-6 else day for row, day in zip(weights, day)]


THREE = Task(3, 100)


def test_weights_change_every_so_many_days_and_are_equal_until_then():
    found = days_of(served(ByDay(every_days=4), THREE, 10))
    assert found == ["=", "=", "=", "=", 4, 4, 4, 4, 8, 8]


def test_a_warm_up_is_equal_and_its_end_changes_the_weights_on_any_day():
    assert days_of(served(ByDay(warm_up_days=3), THREE, 6)) == ["=", "=", "=", 3, 4, 5]
    found = days_of(served(ByDay(warm_up_days=3, every_days=5), THREE, 12))
    assert found == ["=", "=", "=", 3, 3, 5, 5, 5, 5, 5, 10, 10]


def test_within_a_day_weights_change_with_whole_turns():
    found = served(ByDay(every_days=1), Task(3, 100, updates_per_day=2), 3)
    assert (found[0::2] == found[1::2]).all()
    assert found[2::2, 0] == pytest.approx([1 / 3, 1 / 4], rel=1e-6)


def test_an_arm_that_joins_starts_a_warm_up_and_one_that_leaves_changes_the_weights():
    task = Task(3, 100, joins=(0, 0, 5), leaves=(None, 9, None))
    weights = served(ByDay(warm_up_days=2, every_days=4), task, 12)
    assert (weights[:5, 2] == 0).all()
    assert (weights[9:, 1] == 0).all()
    assert weights.sum(axis=1) == pytest.approx(1)
    assert (weights[:2, :2] == 0.5).all()  # the first warm-up
    assert weights[2, 0] == pytest.approx(0.25 / (0.25 + 0.375), rel=1e-6)  # day 2 of ByDay, over two arms
    assert (weights[3] == weights[2]).all()
    assert weights[4, 0] == pytest.approx((1 / 6) / (1 / 6 + 5 / 12), rel=1e-6)
    assert weights[5:7] == pytest.approx(1 / 3)  # the warm-up of the arm that joined
    assert weights[7] == pytest.approx([1 / 9, 4 / 9, 4 / 9], rel=1e-6)  # its end
    assert weights[8] == pytest.approx([0.1, 0.45, 0.45], rel=1e-6)  # a multiple of four
    assert weights[9:] == pytest.approx(np.tile([1 / 11, 0, 5 / 11], (3, 1)) / (6 / 11), rel=1e-6)  # arm 1 has left


def test_a_floor_is_over_the_arms_that_are_there():
    task = Task(3, 100, joins=(0, 0, 2))
    weights = served(ByDay(floor=0.1), task, 4)
    share = 0.5 / (0.5 + 0.25)  # day 0, of two arms
    assert weights[0] == pytest.approx([0.1 + 0.8 * share, 0.1 + 0.8 * (1 - share), 0], rel=1e-6)
    assert weights[2] == pytest.approx(0.1 + 0.7 * np.array([1 / 4, 3 / 8, 3 / 8]), rel=1e-6)


@pytest.mark.parametrize(
    "name", ["thompson", "tempered-thompson", "top-two-thompson", "uniform", "kl-ucb", "ucb1", "epsilon-greedy",
             "successive-elimination", "track-and-stop", "bayes-ucb", "posterior-index"]
)  # fmt: skip
def test_arms_that_are_there_are_served_as_if_they_were_alone(name):
    visits = np.array([[400.0, 380.0, 0.0, 390.0]])
    conversions = np.array([[40.0, 50.0, 0.0, 30.0]])
    task = Task(4, 100, joins=(0, 0, 20, 0), leaves=(None, None, None, 5))
    agent = agents.make(name)
    agent.reset(task, 1, np.random.default_rng(0))
    action = agent.act({"visits": visits, "conversions": conversions, "day": np.full((1, 1), 7.0)}, np.zeros(1, int))
    alone = agents.make(name)
    alone.reset(Task(2, 100), 1, np.random.default_rng(0))
    two = {"visits": visits[:, :2], "conversions": conversions[:, :2], "day": np.full((1, 1), 7.0)}
    assert (action[0, 2:] == 0).all()
    if name == "successive-elimination":  # its level is shared by all arms that there will be
        assert action[0, :2] == pytest.approx([0.5, 0.5])
    else:
        assert action[0, :2] == pytest.approx(alone.act(two, np.zeros(1, int))[0, :2], abs=1e-7)


@pytest.mark.parametrize("rule", ["value-remaining", "probability-best", "expected-loss"])
def test_posterior_rules_ask_about_the_arms_that_are_there(rule):
    """The arm that has left was the best by far; of the two that stay one is clearly better."""
    task = Task(3, 100, leaves=(None, None, 5))
    agent = agents.make("thompson", stopping=rule)
    agent.reset(task, 1, np.random.default_rng(0))
    visits, conversions = np.full((1, 3), 1e4), np.array([[400.0, 800.0, 3000.0]])
    action = agent.act({"visits": visits, "conversions": conversions, "day": np.full((1, 1), 7.0)}, np.zeros(1, int))
    assert action[0].tolist() == [0, 1, 0, 1]


def test_an_arm_that_has_left_is_not_declared():
    class Last(After):
        def decide(self, evidence):
            return np.full(len(evidence), evidence.task.num_arms - 1), np.ones(len(evidence), bool)

    agent = agents.make("thompson", stopping=Last())
    agent.reset(Task(3, 100, leaves=(None, None, 5)), 2, np.random.default_rng(0))
    zero = np.zeros((2, 3))
    action = agent.act({"visits": zero, "conversions": zero, "day": np.array([[4.0], [5.0]])}, np.arange(2))
    assert action[:, -1].tolist() == [1, 0]
    assert agent.claims_winner(np.arange(2), np.array([2, 2])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"warm_up_days": -1}, "warm_up_days is -1; expected a number of at least 0"),
        ({"every_days": "week"}, "every_days is 'week'; expected a number of at least 0"),
        ({"floor": 1.5}, "floor is 1.5; expected a number from 0 to 1"),
    ],
)
def test_bad_schedules_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        agents.make("uniform", **arguments)


@pytest.mark.parametrize("rule", ["repeated-test", "mixture-sprt", "confidence-sequence", "glr"])
def test_tests_compare_the_arms_that_are_there(rule):
    """The arm that has left is ahead of all; of the others arm 1 is; where that has left too, there is no claim."""
    visits, conversions = np.full((1, 3), 1e4), np.array([[400.0, 800.0, 3000.0]])
    for leaves, expected in (((None, None, 5), 1), ((None, 5, 5), 0)):
        agent = agents.make("uniform", stopping=rule)
        agent.reset(Task(3, 100, leaves=leaves), 1, np.random.default_rng(0))
        action = agent.act(
            {"visits": visits, "conversions": conversions, "day": np.full((1, 1), 7.0)}, np.zeros(1, int)
        )
        declared = action[0, :-1].argmax() if action[0, -1] else -1
        claims = agent.claims_winner(np.zeros(1, int), np.array([declared]))[0]
        assert claims == (expected == 1)
        assert declared == 1 if expected == 1 else declared in (0, -1)


def test_the_fixed_sample_counts_what_was_served_whatever_the_memory():
    agent = agents.make(
        "uniform", stopping={"rule": "fixed-sample", "visits_per_arm": 300}, memory={"memory": "window", "days": 1}
    )
    agent.reset(Task(2, 100), 1, np.random.default_rng(0))
    for day in range(8):
        counts = np.full((1, 2), 50.0 * day)
        action = agent.act(
            {"visits": counts, "conversions": counts / 50, "day": np.full((1, 1), float(day))}, np.zeros(1, int)
        )
        assert (action[0, -1] == 1) == (day >= 6)
    assert "a level of alpha" in agent.remarks(Task(2, 100))[0]
