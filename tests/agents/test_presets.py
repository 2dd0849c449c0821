"""Presets of platforms: what their pages say, on counts worked out by hand."""

import numpy as np
import pytest
from play import first_action, observe

import agents
from bandit_env.world.task import Task


def weights(name, conversions, visits, day=30.0, **arguments):
    return first_action(agents.make(name, **arguments), conversions, visits, day=day, max_days=60)[0][0]


@pytest.mark.parametrize(
    ("conversions", "visits", "expected"),
    [
        ([49, 90], [1000, 1000], [1 / 2, 1 / 2]),  # too few conversions
        ([60, 90], [999, 1000], [1 / 2, 1 / 2]),  # too few visits
        ([100, 101], [1000, 1000], [1 / 2, 1 / 2]),  # P(best) .53
        ([100, 112], [1000, 1000], [1 / 3, 2 / 3]),  # .81
        ([90, 150], [1000, 1000], [0.1, 0.9]),  # above .999
        ([90, 150, 100], [1000, 1000, 1000], [0.2 / 3, 0.8 + 0.2 / 3, 0.2 / 3]),
    ],
)
def test_adobe_serves_the_leader_by_steps(conversions, visits, expected):
    found = weights("adobe-auto-allocate", conversions, visits, stopping=None)
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["growthbook", "amplitude"])
def test_a_hundred_visits_of_every_arm_come_first(name):
    assert weights(name, [5, 20], [99, 100]) == pytest.approx([0.5, 0.5])
    assert weights(name, [5, 20], [100, 100])[1] > 0.9


def test_growthbook_serves_every_arm_one_in_a_hundred():
    assert weights("growthbook", [10, 900], [10_000, 10_000]) == pytest.approx([0.01, 0.99], abs=1e-6)
    assert agents.make("growthbook").parameters["memory"]["days"] == 1


@pytest.mark.parametrize("name", ["growthbook", "amplitude"])
def test_all_users_served_count_towards_the_least_whatever_the_memory_makes_of_them(name):
    """On day 1 arm 1 was served nothing, so that period-weighted rates know of arm 0 the 60 visits of day 2 only."""
    agent = agents.make(name)
    agent.reset(Task(num_arms=2, visits_per_day=160, max_days=60), 1, np.random.default_rng(0))
    for day, visits, conversions in ((0, [0, 0], [0, 0]), (1, [160, 0], [16, 0]), (2, [220, 100], [22, 30])):
        action = agent.act(observe(conversions, visits, day), np.arange(1))
    assert action[0, 1] > 0.9
    agent.reset(agent.task, 1, np.random.default_rng(0))
    assert agent.act(observe([22, 29], [220, 99], 2), np.arange(1))[0, :2].tolist() == [0.5, 0.5]


def test_statsig_explores_and_then_ends_at_its_threshold():
    assert weights("statsig-autotune", [5, 20], [100, 100], day=0.5, winner_threshold=0.999999) == pytest.approx(
        [0.5, 0.5]
    )
    for threshold, expected in ((0.95, 1), (0.9999, -1)):
        _, declared, claims = first_action(
            agents.make("statsig-autotune", winner_threshold=threshold), [9, 20], [100, 100]
        )  # P(best) .987
        assert (declared[0], claims[0]) == (expected, expected == 1)


def test_google_s_rule_is_the_article_s_to_the_letter():
    agent = agents.make("google-2013")
    assert agent == agents.make("google-2013", stopping="beats-control | value-remaining")
    _, declared, claims = first_action(agent, [100, 140, 141], [1000, 1000, 1000])
    assert (declared[0], claims[0]) == (2, True)  # both beat the control; which is the better is not known


@pytest.mark.parametrize(
    ("name", "task", "said"),
    [
        ("google-2013", Task(2, 100, updates_per_day=2, min_days=14), 0),
        ("google-2013", Task(2, 100, min_days=14), 1),
        ("google-2013", Task(2, 100), 2),
        ("statsig-autotune", Task(2, 100, updates_per_day=24), 0),
        ("statsig-autotune", Task(2, 100), 1),
        ("amplitude", Task(2, 100), 0),
    ],
)
def test_what_only_a_scenario_can_set_is_remarked_where_it_differs(name, task, said):
    assert len(agents.make(name).remarks(task)) == said


@pytest.mark.parametrize("name", ["adobe-auto-allocate", "amplitude", "google-2013", "growthbook", "statsig-autotune"])
def test_a_preset_is_dated_and_links_to_its_page(name):
    agent = agents.make(name)
    page, _, date = agent.source.partition(" ")
    assert page.startswith("https://")
    assert date.strip("()")[-4:].isdigit()
    assert page in " ".join(type(agent).__doc__.split())
    conversions = np.array([[20.0, 30.0]])
    assert weights(name, conversions, np.full((1, 2), 400.0)).sum() == pytest.approx(1)
