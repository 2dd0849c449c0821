"""Tasks as a distribution: drawn anew by each episode, the same for a seed, whatever lies beside a row."""

import json

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import data_equivalence
from scipy import stats

import bandit_env  # noqa: F401
from bandit_env.envs.testing import check_vector_env
from bandit_env.envs.wrappers import AllocationMenu, AllocationMenuVector, ArmFeatures, ArmFeaturesVector
from bandit_env.stats.features import arm_features
from bandit_env.world.action import encode_action

RAW, DAILY, MENU = (f"bandit_env/{name}-v0" for name in ("DailyTraffic", "LearnDaily", "LearnDailyMenu"))
BANDIT, VISITS = (f"bandit_env/{name}-v0" for name in ("BernoulliBandit", "LearnPerVisit"))
STEP = {"effect": "step", "day": {"distribution": "uniform", "low": 0, "high": 3}, "factor": 0.5}
WEEK = {"effect": "weekday", "factors": [1, 1, 1, 0.9, 1, 1, 1]}
EFFECTS = {"distribution": "choice", "values": [[], [STEP], [{"effect": "walk", "sd": 0.3}, STEP], [WEEK]]}
PRIOR = {
    "mean": {"distribution": "uniform", "low": 0.05, "high": 0.2},
    "strength": {"distribution": "log-uniform", "low": 20, "high": 200},
}
TABLE = {
    "prior": PRIOR,
    "visits_per_day": {"distribution": "log-uniform", "low": 10, "high": 1000},
    "max_days": {"distribution": "uniform", "low": 3, "high": 6},
    "min_days": {"distribution": "uniform", "low": 0, "high": 3},
    "effects": EFFECTS,
}
PULLS = {"prior": PRIOR, "horizon": {"distribution": "uniform", "low": 2, "high": 6}, "effects": EFFECTS}


def of_generator(rng):
    """The like of TABLE, in a function."""
    days = int(rng.integers(3, 7))
    task = {"max_days": days, "min_days": float(rng.integers(0, days)), "visits_per_day": int(rng.integers(10, 99))}
    if rng.random() < 0.5:
        return task | {"rates": rng.random(2).tolist()}
    walk = [{"effect": "walk", "sd": rng.random()}] * int(rng.integers(0, 3))
    return task | {"prior": rng.uniform(1, 9, 2).tolist(), "effects": walk}


def pulls_of_generator(rng):
    return {"rates": rng.random(2), "horizon": rng.integers(2, 7)}


CASES = [(RAW, TABLE), (RAW, of_generator), (DAILY, TABLE), (DAILY, of_generator), (MENU, TABLE), (BANDIT, PULLS),
         (BANDIT, pulls_of_generator), (VISITS, PULLS)]  # fmt: skip


@pytest.mark.parametrize(("name", "sampler"), CASES)
def test_native_conforms_and_equals_single(name, sampler):
    """In all three autoreset modes, with masked resets, bit for bit."""
    check_vector_env(
        lambda mode: gym.make_vec(name, num_envs=4, autoreset_mode=mode, sampler=sampler),
        single=lambda: gym.make(name, sampler=sampler),
        steps=60,
    )


def firsts(env, episodes, seed):
    """The tasks, first-day rates and base rates of some episodes in a row, of each row of an environment."""
    world, found = env.unwrapped.world, []
    for episode in range(episodes):
        env.reset(seed=seed if episode == 0 else None)
        tasks = env.unwrapped.tasks if hasattr(env.unwrapped, "tasks") else [env.unwrapped.task]
        found.append((tasks, world.base_rates.copy(), world.rates.copy()))
    return found


@pytest.mark.parametrize("sampler", [TABLE, of_generator])
def test_a_row_draws_its_tasks_from_its_seed_alone(sampler):
    many = firsts(gym.make_vec(RAW, num_envs=5, sampler=sampler), 4, seed=20)
    again = firsts(gym.make_vec(RAW, num_envs=2, sampler=sampler), 4, seed=23)
    alone = firsts(gym.make(RAW, sampler=sampler), 4, seed=24)
    assert len({str(tasks) for tasks, *_ in many}) == 4  # anew in each episode
    for one, two, three in zip(many, again, alone, strict=True):
        assert one[0][3:] == two[0]
        assert one[0][4:] == three[0]
        for i in (1, 2):
            np.testing.assert_array_equal(one[i][3:], two[i])
            np.testing.assert_array_equal(one[i][4:], three[i])


def test_the_order_of_the_table_does_not_matter():
    backwards = dict(reversed(TABLE.items()))
    first, second = (firsts(gym.make_vec(RAW, num_envs=5, sampler=s), 2, 0) for s in (TABLE, backwards))
    assert [tasks for tasks, *_ in first] == [tasks for tasks, *_ in second]


@pytest.mark.parametrize(("name", "key"), [(RAW, "visits_per_day"), (DAILY, "max_days"), (VISITS, "horizon")])
def test_a_sampler_of_one_task_is_that_task(name, key):
    """What is certain draws nothing, so the rows are those of the plain environment.

    The lump sum at the end is added up day by day, so that its last digits may differ.
    """
    world = {"prior": [3, 30], "num_arms": 3} | ({"horizon": 20} if name == VISITS else {"max_days": 20})
    plain = gym.make_vec(name, num_envs=6, **world | {key: 17})
    drawn = gym.make_vec(name, num_envs=6, **world, sampler={key: 17})
    for env in (plain, drawn):
        env.action_space.seed(2)
        env.reset(seed=3)
    for _ in range(60):
        action = plain.action_space.sample()
        (seen, reward, ended, _, infos), (expected, pay, over, _, told) = drawn.step(action), plain.step(action)
        assert data_equivalence(seen, expected, exact=True)
        np.testing.assert_array_equal(ended, over)
        np.testing.assert_allclose(reward, pay, rtol=1e-13)
        assert infos.keys() == told.keys()
        for one in told:
            np.testing.assert_allclose(infos[one], told[one], rtol=1e-13 if one.endswith("_after") else 0)


def test_tasks_have_their_distribution():
    n = 4000
    env = gym.make_vec(RAW, num_envs=n, num_arms=3, sampler=TABLE | {"effects": [], "min_days": 1})
    rates = env.reset(seed=5)[1]["base_rates"]
    tasks = env.unwrapped.tasks
    assert {task.min_days for task in tasks} == {1}
    assert stats.chisquare([sum(task.max_days == day for task in tasks) for day in range(3, 7)]).pvalue > 1e-6
    visits = np.array([task.visits_per_day for task in tasks])
    assert stats.kstest(np.log(visits), stats.uniform(np.log(10), np.log(100)).cdf).pvalue > 1e-6
    # E rate = E mean = .125; Var rate = Var mean + E[mean (1 - mean)] E[1 / (strength + 1)], by integrating both
    assert abs(rates.mean() - 0.125) < 4 * rates.std() / np.sqrt(n)
    inverse = (np.log(200 / 201) - np.log(20 / 21)) / np.log(10)  # mean of 1 / (s + 1), log s uniform
    within = (0.125 - (0.125**2 + 0.15**2 / 12)) * inverse
    spread = rates.var(axis=1, ddof=1)  # of three arms of one task: the variance within it
    assert abs(spread.mean() - within) < 4 * spread.std() / np.sqrt(n)


def test_a_task_holds_to_its_horizon_traffic_and_effects():
    """Each row ends after its own days, is served its own traffic, and its rates follow its own effects."""
    n = 40
    env = gym.make_vec(RAW, num_envs=n, autoreset_mode="Disabled", rates=[0.4, 0.6], sampler={
        "visits_per_day": {"distribution": "uniform", "low": 5, "high": 99},
        "max_days": {"distribution": "uniform", "low": 2, "high": 9},
        "effects": [{"effect": "step", "day": {"distribution": "uniform", "low": 0, "high": 9}, "factor": 0.5}],
    })  # fmt: skip
    env.reset(seed=0)
    tasks, action = env.unwrapped.tasks, np.tile(encode_action([0.5, 0.5]), (n, 1))
    halves = np.zeros(n, int)
    for day in range(10):
        running = np.array([day < task.max_days for task in tasks])
        *_, terminated, _, info = env.step(action)
        served = np.array([task.visits_per_day for task in tasks])
        np.testing.assert_array_equal(info["served"][running], served[running])
        np.testing.assert_array_equal(terminated, [day >= task.max_days for task in tasks])
        halved = info["rates"][:, 1] == 0.3
        halves += halved & running
        assert set(info["rates"][running, 1]) <= {0.3, 0.6}
        if day == 9:
            break
    assert len(set(halves.tolist())) > 4  # the step comes on days of their own


def test_a_horizon_of_ones_own_in_the_lump_and_the_features():
    """A declared arm is charged for the days that are left of its row's own horizon, and features know both."""
    days = {"distribution": "uniform", "low": 10, "high": 90}
    visits = {"distribution": "uniform", "low": 10, "high": 90}
    features = ["day", "log_left", "mean"]
    env = gym.make_vec(DAILY, num_envs=8, rates=[0.1, 0.3], min_days=0, autoreset_mode="SameStep", features=features,
                       sampler={"max_days": days, "visits_per_day": visits})  # fmt: skip
    env.reset(seed=1)
    tasks = env.unwrapped.tasks
    seen, *_ = env.step(np.tile(encode_action([0.5, 0.5]), (8, 1)))
    world = env.unwrapped.world
    for row, task in enumerate(tasks):
        args = (world.conversions[row], world.visits[row], 1, task.max_days, task.visits_per_day, (1, 1), features)
        np.testing.assert_array_equal(seen[row], arm_features(*args).astype(np.float32).reshape(-1))
    _, rewards, *_ = env.step(np.tile(encode_action([1.0, 0.0], declared=0), (8, 1)))
    left = [(task.max_days - 1) * task.visits_per_day * 0.2 for task in tasks]
    np.testing.assert_allclose(rewards, -np.array(left))


def test_episodes_of_a_world_share_its_task():
    env = gym.make_vec(VISITS, num_envs=6, episodes_per_world=2, sampler=PULLS)
    (first, rates, _), (second, same, _), (third, *_) = firsts(env, 3, seed=4)
    assert first == second != third
    np.testing.assert_array_equal(rates, same)


def test_a_table_survives_json_and_functions_copies():
    env = gym.make_vec(DAILY, num_envs=3, sampler=TABLE)
    json.loads(env.spec.to_json())
    again = gym.make_vec(EnvSpec.from_json(env.spec.to_json()))
    np.testing.assert_array_equal(env.reset(seed=1)[1]["base_rates"], again.reset(seed=1)[1]["base_rates"])


def test_wrappers_know_that_tasks_are_drawn():
    single, native = gym.make(RAW, sampler=TABLE), gym.make_vec(RAW, num_envs=2, sampler=TABLE)
    sync = gym.make_vec(RAW, num_envs=2, vectorization_mode="sync", sampler=TABLE)
    for env, features, menu in (
        (single, ArmFeatures, AllocationMenu),
        (native, ArmFeaturesVector, AllocationMenuVector),
        (sync, ArmFeaturesVector, AllocationMenuVector),
    ):
        with pytest.raises(ValueError, match="draws its tasks from a sampler"):
            features(env)
        assert isinstance(menu(env).action_space, (gym.spaces.Discrete, gym.spaces.MultiDiscrete))
    with pytest.raises(ValueError, match="`tasks` has them all"):
        _ = native.unwrapped.task


def test_counts_of_a_row_fit_the_task_that_it_draws():
    env = gym.make(RAW, sampler={"max_days": {"distribution": "choice", "values": [20, 60]}})
    start = {"visits": [9, 9], "conversions": [1, 1], "day": 40}
    fits = 0
    for seed in range(8):
        try:
            assert env.reset(seed=seed, options=start)[0]["day"] == 40
            fits += env.unwrapped.task.max_days == 60
        except ValueError as error:
            assert "the day is 40 in row 0; expected at most 20 in the task that it has drawn" in str(error)  # noqa: PT017
    assert 0 < fits < 8


DAYS = {"distribution": "uniform", "low": 0, "high": 7}


@pytest.mark.parametrize("sampler", [{"min_days": DAYS}, lambda rng: {"min_days": rng.uniform(0, 7)}])
def test_no_drawn_task_may_end_before_all_arms_were_served_a_day(sampler):
    env = gym.make(RAW, rates=[0.1, 0.2, 0.3], joins=[0, 2, 4], max_days=9, sampler=sampler)
    found = []
    for seed in range(12):
        env.reset(seed=seed)
        terminated, least = False, env.unwrapped.task.min_days
        while not terminated:
            observation, _, terminated, _, info = env.step(encode_action([1, 1, 1], 2))
        assert info["stopping_day"] == np.ceil(least)
        assert observation["visits"].min() > 0
        found.append(least)
    assert min(found) == 5 < max(found)


def test_a_longer_horizon_than_a_function_was_tried_with_fits_the_observation_space():
    seldom = lambda rng: {"max_days": 40 if rng.random() < 0.002 else 3}  # noqa: E731
    env = gym.make_vec(RAW, num_envs=2000, autoreset_mode="Disabled", sampler=seldom)
    assert env.unwrapped.world.scenario.max_days == 3  # of those that it was tried with
    env.reset(seed=0)
    for _ in range(5):
        observations = env.step(np.tile(encode_action([1, 1]), (2000, 1)))[0]
    assert observations["day"].max() == 5
    assert observations in env.observation_space
    table = gym.make(RAW, sampler={"max_days": {"distribution": "uniform", "low": 3, "high": 40}})
    assert table.observation_space["day"].high == 40


def not_reproducible():
    numbers = iter(range(10**6))
    return lambda rng: {"max_days": 20 + next(numbers)}


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (3, "sampler is 3; expected a table of rates, prior, visits_per_day, max_days, min_days, effects, or a func"),
        ({"max_dais": 3}, "sampler.max_dais: unknown key; did you mean 'max_days'"),
        ({"num_arms": 3}, "sampler.num_arms: unknown key"),
        ({"rates": [0.1, 0.2], "prior": [1, 1]}, "draws rates and prior together"),
        ({"max_days": {"distribution": "uniform", "low": 0, "high": 9}}, "impossible task, max_days = 0: "),
        ({"max_days": {"distribution": "uniform", "low": 10, "high": 90}, "min_days": 14}, "min_days is 14; expected"),
        ({"min_days": {"distribution": "uniform", "low": 1, "high": 99}}, "min_days is 99"),
        ({"prior": {"mean": {"distribution": "uniform", "low": 0, "high": 0.1}, "strength": 9}}, "prior holds 0.0"),
        ({"prior": {"mean": 0.1}}, "prior has the keys mean; expected mean and strength"),
        ({"prior": [[1, 1], [1, 1], [1, 1]]}, "num_arms is 2, but 3 arms came"),
        ({"rates": {"distribution": "uniform", "low": 0.5, "high": 1.5}}, r"rates\[0\] is 1.5; expected a rate"),
        ({"visits_per_day": {"distribution": "log-uniform", "low": 1, "high": 2**50}}, "expected at most 2\\*\\*53"),
        ({"visits_per_day": None}, "sampler.visits_per_day may draw None"),
        ({"effects": {"distribution": "choice", "values": [[], [{"effect": "stp"}]]}}, "unknown effect 'stp'"),
        ({"effects": [{"effect": "step", "day": 1, "factor": {"distribution": "uniform", "low": -1, "high": 1}}]},
         "factor is -1; expected a number of at least 0"),
        (lambda rng: {"max_days": 20 * int(rng.integers(0, 9))}, "impossible task, max_days = 0"),
        (lambda rng: {"max_dayz": 2}, "what sampler returned.max_dayz: unknown key"),
        (lambda rng: 7, "sampler returned 7; expected a dict"),
        (not_reproducible(), "expected all chance to come from the generator"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("make", [gym.make, lambda name, **kwargs: gym.make_vec(name, num_envs=2, **kwargs)])
def test_a_sampler_of_impossible_tasks_is_refused(make, sampler, message):
    for name in (RAW, DAILY):
        with pytest.raises(ValueError, match=message):
            make(name, max_days=60, sampler=sampler)


def test_a_rare_impossible_task_of_a_function_is_refused_when_it_comes():
    env = gym.make_vec(RAW, num_envs=2000, sampler=lambda rng: {"max_days": -1 if rng.random() < 0.002 else 9})
    with pytest.raises(ValueError, match="impossible task, max_days = -1"):
        env.reset(seed=0)
