"""Experiments that begin from counts: environments, scenarios, and whole runs."""

import gymnasium as gym
import numpy as np
import pytest

from bandit_env.envs.daily_traffic import DailyTrafficEnv, DailyTrafficVectorEnv
from bandit_env.experiment import run
from bandit_env.world.action import encode_action
from bandit_env.world.scenario import Scenario

COUNTS = {"visits": [400, 600], "conversions": [10, 30], "day": 10.5}
WORLD = {"rates": [0.25, 0.5], "visits_per_day": 8, "updates_per_day": 2, "max_days": 20, "min_days": 11}


def test_a_reset_from_counts_goes_on_from_there():
    env = DailyTrafficEnv(**WORLD, loss_days=30)
    observation, _ = env.reset(seed=0, options=COUNTS)
    assert observation["visits"].tolist() == [400, 600]
    assert observation["conversions"].tolist() == [10, 30]
    assert observation["day"].tolist() == [10.5]
    observation, _, terminated, _, info = env.step(encode_action([0, 1], 0))  # before min_days: traffic as usual
    assert (observation["visits"].tolist(), observation["day"].tolist()) == ([404, 600], [11])
    assert not terminated
    *_, terminated, _, info = env.step(encode_action([0, 1], 0))
    assert terminated
    assert info["stopping_day"] == 11
    assert info["regret_after"] == 9 * 8 * 0.25  # by the days left, though 1,004 visits are more than 20 days have
    assert info["loss_after"] == 19 * 8 * 0.25
    observation, _ = env.reset()
    assert observation["visits"].tolist() == [0, 0]
    assert observation["day"].tolist() == [0]


def test_an_update_in_the_middle_of_a_day_is_that_update_s_traffic():
    env = DailyTrafficEnv(visits_per_day=101, updates_per_day=2, max_days=2, min_days=0)
    env.reset(seed=0, options={"visits": [7, 7], "conversions": [0, 0], "day": 0.5})
    assert [env.step(encode_action([1, 1]))[-1]["served"] for _ in range(3)] == [51, 50, 51]
    _, _, terminated, _, _ = env.step(encode_action([1, 1]))
    assert terminated


def test_rows_of_a_vector_environment_begin_where_they_are_told():
    env = DailyTrafficVectorEnv(3, rates=[0.1, 0.2], min_days=0, autoreset_mode="Disabled")
    observations, _ = env.reset(seed=3, options={"visits": [[5, 5], [0, 9], [1, 2]], "conversions": [0, 1], "day": 4})
    assert observations["visits"].tolist() == [[5, 5], [0, 9], [1, 2]]
    assert observations["conversions"].tolist() == [[0, 1]] * 3
    assert observations["day"].tolist() == [[4], [4], [4]]
    mask = np.array([False, True, True])
    options = {"visits": [3, 3], "conversions": [1, 0], "day": [1, 2, 3], "reset_mask": mask}
    observations, _ = env.reset(options=options)
    assert observations["visits"].tolist() == [[5, 5], [3, 3], [3, 3]]
    assert observations["day"].tolist() == [[4], [2], [3]]
    single = DailyTrafficEnv(rates=[0.1, 0.2], min_days=0)
    single.reset(seed=3, options={"visits": [5, 5], "conversions": [0, 1], "day": 4})
    action = encode_action([0.3, 0.7])
    assert (env.step(np.tile(action, (3, 1)))[0]["visits"][0] == single.step(action)[0]["visits"]).all()


def test_a_bandit_begins_from_pulls():
    env = gym.make("bandit_env/BernoulliBandit-v0", horizon=10)
    observation, _ = env.reset(seed=0, options={"visits": [3, 5], "conversions": [1, 1], "day": 8})
    assert observation["elapsed"].tolist() == [8]
    assert [env.step(0)[2] for _ in range(2)] == [False, True]
    with pytest.raises(ValueError, match=r"options\['day'\] is 10; expected whole updates.* from day 0 to 9"):
        env.reset(options={"day": 10})


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_a_scenario_with_a_start_begins_every_episode_from_it(mode):
    env = DailyTrafficVectorEnv(2, start={"visits": [4, 4], "conversions": [1, 2], "day": 3}, max_days=5, min_days=3,
                                autoreset_mode=mode)  # fmt: skip
    observations, _ = env.reset(seed=0)
    assert observations["day"].tolist() == [[3], [3]]
    for _ in range(2 if mode == "NextStep" else 1):
        observations, *_ = env.step(encode_action(np.eye(2), [0, 1]))
    assert observations["visits"].tolist() == [[4, 4], [4, 4]]
    assert observations["day"].tolist() == [[3], [3]]


def test_a_run_from_counts_is_that_of_environments_reset_to_them():
    world = {"prior": [[11, 391], [31, 571]], "visits_per_day": 100, "max_days": 40, "loss_days": 60}
    start = {"visits": [400, 600], "conversions": [10, 30], "day": 10}
    played = run(world | {"start": start}, [{"name": "uniform", "stopping": "probability-best"}], 50, seed=4, traces=1)
    cell = played.cells[0]
    rows = cell.episodes
    assert rows["stopping_day"].between(14, 40).all()
    assert rows["stopping_day"].nunique() > 5
    assert (rows["visits"] == 1000 + 100 * (rows["stopping_day"] - 10)).all()
    gap = rows["rate_0"].where(rows["rate_0"] < rows["rate_1"], rows["rate_1"]).rsub(rows["best_rate"])
    served_worse = np.where(rows["rate_0"] < rows["rate_1"], rows["visits_0"] - 400, rows["visits_1"] - 600)
    np.testing.assert_allclose(rows["regret"], served_worse * gap, atol=1e-9)
    wrong = rows[~rows["correct"] & (rows["declared_arm"] >= 0)]
    np.testing.assert_allclose(wrong["regret_after"], ((40 - wrong["stopping_day"]) * 100 * gap[wrong.index]))
    np.testing.assert_allclose(wrong["loss"] - wrong["regret"], ((60 - wrong["stopping_day"]) * 100 * gap[wrong.index]))
    assert cell.curves["day"].iloc[0] == 11
    assert (cell.curves["value_n"] > 0).tolist()[:5] == [False] * 4 + [True]  # from day 14 on
    assert cell.traces[0].day[0] == 10
    assert cell.traces[0].visits[0].tolist() == [400, 600]


def test_a_run_from_counts_counts_its_updates_from_the_first_day():
    start = {"visits": [400, 600], "conversions": [10, 30], "day": 10.5}
    world = {"rates": [0.04, 0.05], "updates_per_day": 2, "min_days": 14, "max_days": 20, "start": start}
    cell = run(world, ["uniform"], 5, seed=4, traces=1).cells[0]
    assert cell.curves["day"].tolist() == [day / 2 for day in range(22, 41)]  # at the end of each update
    assert cell.traces[0].day.tolist() == [day / 2 for day in range(21, 40)]
    first = cell.curves["day"][cell.curves["value_n"] > 0].iloc[0]
    assert 14.5 <= first <= 16  # from day 14 on, on a grid of updates


def test_starts_survive_json():
    scenario = Scenario(start={"visits": np.array([4.0, 4.0]), "conversions": [1, 2]})
    assert scenario.start == {"visits": [4, 4], "conversions": [1, 2], "day": 0}
    assert Scenario(**scenario.arguments()) == scenario


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"visits": [1, 2]}, "start.visits came alone; expected visits and conversions together"),
        ({"visits": [1, 2, 3], "conversions": [0, 0]}, r"start.visits has shape \(3,\); expected \(2,\)"),
        ({"visits": [1, 2.5], "conversions": [0, 0]}, "start.visits holds 2.5; expected whole numbers of at least 0"),
        ({"visits": [1, -2], "conversions": [0, 0]}, "start.visits holds -2; expected whole numbers of at least 0"),
        ({"visits": [1, 2], "conversions": [0, 3]}, r"start.conversions\[1\] is 3; expected at most the visits, 2"),
        ({"visits": "ab", "conversions": [0, 3]}, "start.visits is 'ab'; expected numbers"),
        ({"day": 0.3}, "start.day is 0.3; expected whole updates, of which a day has 1, from day 0 to 1000"),
        ({"day": 1001}, "start.day is 1001; expected"),
        ({"day": [1, 2]}, r"start.day has shape \(2,\); expected \(\)"),
        ({"days": 3}, "start.days: unknown key; did you mean 'day'"),
        ([1, 2], r"start is \[1, 2\]; expected a table of visits, conversions and day"),
    ],
)
def test_refuses(start, message):
    with pytest.raises(ValueError, match=message):
        Scenario(start=start)


def test_a_vector_environment_names_the_row():
    env = DailyTrafficVectorEnv(2)
    with pytest.raises(ValueError, match=r"options\['conversions'\]\[1, 0\] is 5; expected at most the visits, 4"):
        env.reset(options={"visits": [[9, 9], [4, 9]], "conversions": [5, 0]})
