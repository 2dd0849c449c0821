"""Scenarios: what is accepted, in which form, and how the rest is refused."""

import dataclasses
import inspect
import json

import numpy as np
import pytest

from bandit_env.envs.daily_traffic import DailyTrafficEnv, DailyTrafficVectorEnv
from bandit_env.world.scenario import Scenario
from bandit_env.world.task import Task


def test_default_is_the_article():
    scenario = Scenario()
    assert scenario.rates == (0.04, 0.05)
    assert scenario.loss_days == 1000
    assert scenario.task == Task(num_arms=2, visits_per_day=100, updates_per_day=1, min_days=14, max_days=1000)


def test_the_least_duration_that_nobody_set_is_two_weeks_or_the_horizon():
    assert (Scenario().min_days, Scenario(max_days=10).min_days, Scenario(max_days=20).min_days) == (14, 10, 14)


def test_arms_are_equal_where_their_rates_are():
    assert Scenario(rates=[0.1, 0.1]).equal_arms
    assert Scenario(rates=[0.1, 0.1]).equal_base_rates
    assert not Scenario(rates=[0.1, 0.2]).equal_arms
    assert not Scenario(rates=[0.1, 0.2]).equal_base_rates
    assert not Scenario(prior=[1, 1], num_arms=2).equal_arms


def test_one_prior_for_all_arms_or_one_for_each():
    assert Scenario(prior=[4, 96], num_arms=3).prior == ((4, 96),) * 3
    assert Scenario(prior=[[1, 1], [2, 8]]).prior == ((1, 1), (2, 8))
    assert Scenario(prior=[[1, 1], [2, 8]]).task.num_arms == 2
    assert Scenario(prior=[1, 1], num_arms=2).rates is None


def test_whole_numbers_may_come_as_floats_and_arrays_as_rates():
    scenario = Scenario(rates=np.array([0.1, 0.2]), visits_per_day=1e6, max_days=np.int64(30))
    assert scenario.rates == (0.1, 0.2)
    assert (type(scenario.visits_per_day), scenario.visits_per_day) == (int, 1_000_000)
    assert (type(scenario.max_days), scenario.max_days) == (int, 30)


@pytest.mark.parametrize(
    "scenario", [Scenario(), Scenario(prior=[4, 96], num_arms=3, updates_per_day=2, min_days=0.5, reward="regret")]
)
def test_arguments_survive_json_and_make_the_same_scenario(scenario):
    assert Scenario(**json.loads(json.dumps(scenario.arguments()))) == scenario


@pytest.mark.parametrize(
    ("min_days", "updates_per_day", "expected"),
    [
        (14, 1, 14),
        (14, 2, 28),
        (0, 1, 0),
        (0.5, 1, 1),
        (0.5, 2, 1),
        (0.1, 10, 1),
        (0.3, 10, 3),
        (1.1, 3, 4),
        (0.7, 10, 7),
    ],
)
def test_min_updates_is_the_first_update_on_or_after_min_days(min_days, updates_per_day, expected):
    scenario = Scenario(min_days=min_days, updates_per_day=updates_per_day)
    assert scenario.min_updates == expected
    assert scenario.min_updates / updates_per_day >= min_days
    assert scenario.min_updates == 0 or (scenario.min_updates - 1) / updates_per_day < min_days


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rates": [0.5]}, "rates has 1 arm; expected at least 2"),
        ({"rates": []}, "rates has 0 arms; expected at least 2"),
        ({"rates": [0.5, 1.5]}, r"rates\[1\] is 1\.5; expected a rate in \[0, 1\]"),
        ({"rates": [0.5, float("nan")]}, r"rates\[1\] is nan; expected a rate in \[0, 1\]"),
        ({"rates": [-0.1, 0.5]}, r"rates\[0\] is -0\.1"),
        ({"rates": ["a", "b"]}, r"rates is \['a', 'b'\]; expected numbers"),
        ({"rates": ["0.1", "0.2"]}, "expected numbers"),
        ({"rates": [True, False]}, "expected numbers"),
        ({"rates": [[0.1, 0.2], [0.3]]}, "expected numbers"),
        ({"rates": [[0.1, 0.2], [0.3, 0.4]]}, r"rates has shape \(2, 2\); expected one number per arm"),
        ({"rates": 0.5}, r"rates has shape \(\); expected one number per arm"),
        ({"rates": [0.1, 0.2], "prior": [1, 1]}, "rates and prior came together; expected one of them"),
        ({"rates": [0.1, 0.2], "num_arms": 3}, "num_arms is 3, but 2 arms came"),
        ({"prior": [1, 1]}, r"prior is one \(a, b\) and num_arms is missing"),
        ({"prior": [1, 1], "num_arms": 1}, "num_arms is 1; expected a whole number of at least 2"),
        ({"prior": [[1, 1]]}, "prior has 1 arm; expected at least 2"),
        ({"prior": [1, 1], "num_arms": 10**30}, "num_arms is 1,000,000,.*; expected at most 100,000"),
        ({"prior": [[1, 1]] * 3, "num_arms": 2}, "num_arms is 2, but 3 arms came"),
        ({"prior": [0, 1], "num_arms": 2}, r"prior holds 0\.0; expected numbers above 0 and at most 1e\+12"),
        ({"prior": [[1, 1], [9.757, 1e300]]}, r"prior holds 1e\+300; expected numbers above 0 and at most 1e\+12"),
        ({"prior": [float("inf"), 1], "num_arms": 2}, "prior holds inf"),
        ({"prior": [1, 2, 3], "num_arms": 2}, r"prior has shape \(3,\)"),
        ({"prior": "uniform", "num_arms": 2}, "prior is 'uniform'; expected numbers"),
        ({"visits_per_day": 0}, "visits_per_day is 0; expected a whole number of at least 1"),
        ({"visits_per_day": 2.5}, r"visits_per_day is 2\.5; expected a whole number"),
        ({"visits_per_day": True}, "visits_per_day is True; expected a whole number"),
        ({"visits_per_day": "many"}, "visits_per_day is 'many'; expected a whole number"),
        ({"visits_per_day": float("inf")}, "visits_per_day is inf; expected a whole number"),
        ({"visits_per_day": 10**13}, r"visits_per_day \* max_days is 10,000,000,000,000,000; expected at most 2\*\*53"),
        ({"updates_per_day": 0}, "updates_per_day is 0; expected a whole number of at least 1"),
        ({"updates_per_day": 10**7}, "updates_per_day is 10,000,000; expected at most"),
        ({"max_days": -5}, "max_days is -5; expected a whole number of at least 1"),
        ({"max_days": 1.5}, "max_days is 1.5; expected a whole number"),
        ({"loss_days": 999}, "loss_days is 999; expected at least max_days, 1000"),
        ({"loss_days": 2.5}, "loss_days is 2.5; expected a whole number"),
        ({"loss_days": 10**15}, r"visits_per_day \* loss_days is 100,000,000,000,000,000; expected at most 2\*\*53"),
        ({"min_days": -1}, "min_days is -1; expected at least 0 and at most max_days, 1000"),
        ({"max_days": 10, "min_days": 14}, "min_days is 14; expected at least 0 and at most max_days, 10"),
        ({"min_days": float("nan")}, "min_days is nan; expected a finite number"),
        ({"cost_per_day": float("inf")}, "cost_per_day is inf; expected a finite number"),
        ({"cost_per_day": None}, "cost_per_day is None; expected a finite number"),
        ({"split": "even"}, "split is 'even'; expected one of 'multinomial', 'proportional'"),
        ({"reward": "profit"}, "reward is 'profit'; expected one of 'conversions', 'regret'"),
        ({"reward": ["conversions"]}, r"reward is \['conversions'\]; expected one of"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        Scenario(**arguments)


@pytest.mark.parametrize(
    ("cls", "others"), [(DailyTrafficEnv, set()), (DailyTrafficVectorEnv, {"num_envs", "autoreset_mode"})]
)
def test_environments_take_the_scenario_s_arguments_with_its_defaults(cls, others):
    defaults = {name: p.default for name, p in inspect.signature(cls).parameters.items()}
    ours = {field.name: field.default for field in dataclasses.fields(Scenario)}
    assert set(defaults) == set(ours) | {"render_mode", "sampler"} | others
    assert {name: defaults[name] for name in ours} == ours
