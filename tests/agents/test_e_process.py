"""The stopping rule "e-process": what it follows, when it answers, and what it ships."""

import numpy as np
import pytest
from play import play

import agents
from agents.allocations.uniform import Uniform
from agents.stopping import make_rule
from bandit_env.stats import e_process
from bandit_env.world.task import Task


def decide(visits, conversions, rule="e-process", memory="all", **task):
    """What an agent declares on the day after the last update; counts of each update (T, K)."""
    visits, conversions = np.asarray(visits, float), np.asarray(conversions, float)
    arms = visits.shape[1]
    agent = Uniform(stopping=rule, memory=memory)
    agent.reset(Task(arms, 100, min_days=len(visits), **task), 1, np.random.default_rng(0))
    for day in range(len(visits) + 1):
        totals = {"visits": visits[:day].sum(axis=0)[None], "conversions": conversions[:day].sum(axis=0)[None]}
        action = agent.act(totals | {"day": np.full((1, 1), float(day))}, np.zeros(1, int))
    arm = int(action[0, :-1].argmax()) if action[0, -1] else -1
    return arm, bool(agent.claims_winner(np.zeros(1, int), np.array([arm]))[0])


def test_it_stops_where_the_e_process_of_the_updates_reaches_one_over_alpha():
    rng = np.random.default_rng(1)
    agent = Uniform(stopping="e-process")
    ended = play(agent, np.tile([0.04, 0.08], (40, 1)), Task(2, 200, min_days=3, max_days=60), seed=2)
    assert (ended.stopping_update < 60).any()
    visits = rng.multinomial(200, [0.5, 0.5], 60)
    conversions = rng.binomial(visits, [0.04, 0.08])
    log_e = e_process.log_e_values(conversions, visits)[:, 1]
    first = int(np.argmax(log_e >= np.log(20))) + 1
    assert decide(visits[:first], conversions[:first]) == (1, True)
    assert decide(visits[: first - 1], conversions[: first - 1]) == (-1, False)


@pytest.mark.parametrize("memory", [{"memory": "window", "days": 1}, {"memory": "discounted", "factor": 0.5}])
def test_it_reads_what_came_whatever_the_memory(memory):
    visits, conversions = np.full((30, 2), 200), np.tile([8, 16], (30, 1))
    assert decide(visits, conversions, memory=memory) == decide(visits, conversions) == (1, True)


def test_it_ships_the_variation_that_is_ahead_by_most_or_the_control_when_all_are_behind():
    visits = np.full((30, 3), 200)
    assert decide(visits, np.tile([8, 20, 24], (30, 1))) == (2, True)
    assert decide(visits, np.tile([24, 8, 10], (30, 1))) == (0, True)
    assert decide(visits, np.tile([24, 8, 24], (30, 1))) == (-1, False)
    assert decide(visits, np.tile([24, 8, 24], (30, 1)), leaves=(None, None, 20)) == (0, True)


def test_a_common_season_is_no_evidence():
    """Weights that follow the days of many conversions: pooled rates differ, those of each update do not."""
    visits = np.array([[90, 10], [10, 90]] * 30)
    conversions = np.array([[9, 1], [4, 36]] * 30)
    assert decide(visits, conversions) == (-1, False)
    assert decide(visits, conversions, rule="repeated-test") == (1, True)


def test_equal_arms_are_claimed_to_differ_at_most_at_the_level():
    """References: at most alpha at any time, here under Thompson sampling, 60 looks; 3 standard errors above .05."""
    ended = play(
        agents.make("thompson", stopping="e-process"), np.full((400, 2), 0.1), Task(2, 100, max_days=60), seed=3
    )
    assert ended.claims.mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_e_bh_names_at_least_as_many():
    log_e = np.log([[1.0, 35.0, 50.0]])
    assert e_process.e_bh(log_e).sum() > e_process.bonferroni(log_e).sum()
    assert make_rule({"rule": "e-process", "adjust": "e-bh"}).adjust == "e-bh"
    with pytest.raises(ValueError, match="adjust is 'holm'; expected one of bonferroni, e-bh"):
        make_rule({"rule": "e-process", "adjust": "holm"})


def test_late_conversions_void_its_promise_but_break_nothing():
    visits, conversions = np.full((5, 2), 20), np.full((5, 2), 2)
    visits[3] = 1
    assert decide(visits, conversions) == (-1, False)
