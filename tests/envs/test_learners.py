"""The ids to learn on: by id alone, flat and of the order of 1, native equal to single, with history and trials."""

import itertools

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import bandit_env  # noqa: F401
from bandit_env.envs.testing import check_vector_env
from bandit_env.stats.features import LEARNER_FEATURES, arm_features

DAILY, MENU, VISITS = (f"bandit_env/{name}-v0" for name in ("LearnDaily", "LearnDailyMenu", "LearnPerVisit"))
SHORT = {DAILY: {"max_days": 5, "min_days": 2}, MENU: {"max_days": 5, "min_days": 2}, VISITS: {"horizon": 6}}
ALL = pytest.mark.parametrize("name", [DAILY, MENU, VISITS])


@ALL
def test_an_id_alone_is_a_task(name):
    single, vector = gym.make(f"bandit_env:{name}"), gym.make_vec(name, num_envs=3)
    assert vector.unwrapped.num_envs == 3
    assert not isinstance(vector.unwrapped, gym.vector.SyncVectorEnv)
    for space in (single.observation_space, vector.single_observation_space):
        assert isinstance(space, gym.spaces.Box)
        assert (space.shape, space.dtype) == ((8,), np.float32)
    rates = vector.reset(seed=0)[1]["rates"]
    assert (rates != vector.reset()[1]["rates"]).all()  # drawn anew
    check_env(single.unwrapped)


@ALL
@pytest.mark.parametrize("world", [{}, {"rates": [1.0, 0.9]}, {"prior": [4, 96], "num_arms": 3}])
def test_observations_are_features_of_the_order_of_one(name, world):
    env = gym.make_vec(name, num_envs=16, **world)
    env.action_space.seed(1)
    seen = [env.reset(seed=0)[0]] + [env.step(env.action_space.sample())[0] for _ in range(120)]
    size = np.abs(np.stack(seen))
    assert size.max() <= 10
    assert 0.1 < np.quantile(size, 0.5) < 3


@ALL
def test_observations_are_those_of_the_counts(name):
    env = gym.make(name, **SHORT[name])
    env.reset(seed=4)
    env.action_space.seed(0)
    seen, *_ = env.step(env.action_space.sample())
    world = env.unwrapped.world
    prior = (1, 1) if name == VISITS else (4, 96)
    task = env.unwrapped.task
    args = (world.conversions, world.visits, world.day, task.max_days, task.visits_per_day, prior, LEARNER_FEATURES)
    np.testing.assert_array_equal(seen, arm_features(*args).astype(np.float32).reshape(-1))


@ALL
@pytest.mark.parametrize("shown", [{}, {"history": True, "episodes_per_world": 2}])
def test_native_conforms_and_equals_single(name, shown):
    world = SHORT[name] | shown
    check_vector_env(
        lambda mode: gym.make_vec(name, num_envs=3, autoreset_mode=mode, **world),
        single=lambda: gym.make(name, **world),
        steps=30,
    )


def test_history_is_the_last_action_and_reward():
    env = gym.make(VISITS, history=True, rates=[0.2, 0.5, 0.6], horizon=5)
    assert env.reset(seed=0)[0][-4:].tolist() == [0, 0, 0, 0]
    seen, reward, *_ = env.step(1)
    np.testing.assert_allclose(seen[-4:], [0, 1, 0, reward], rtol=1e-6)
    assert reward == pytest.approx(-0.1)
    env = gym.make(MENU, history=True)
    env.reset(seed=0)
    seen, reward, *_ = env.step(3)
    np.testing.assert_allclose(seen[-4:], [0.8, 0.2, 0, reward], rtol=1e-6)


def test_episodes_of_a_world_share_its_rates_and_a_seed_begins_another():
    env = gym.make_vec(VISITS, num_envs=4, horizon=2, episodes_per_world=3, history=True)
    firsts = [env.reset(seed=0)[1]["rates"]]
    for _ in range(5):
        for _ in range(3):  # two pulls, and the step that begins anew
            seen, *_, infos = env.step(np.zeros(4, int))
        firsts.append(infos["rates"])
        assert (seen[:, -3] == (len(firsts) % 3 != 1)).all()  # the history goes on within a world
    same = [(a == b).all() for a, b in itertools.pairwise(firsts)]
    assert same == [True, True, False, True, True]
    assert (env.reset()[1]["rates"] != firsts[-1]).all()
    env.reset(seed=0)
    np.testing.assert_array_equal(env.reset(seed=0)[1]["rates"], firsts[0])


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        (DAILY, {"max_dais": 3}, TypeError, "unexpected keyword argument 'max_dais'; did you mean 'max_days'"),
        (DAILY, {"features": ["meen"]}, ValueError, "unknown feature 'meen'"),
        (DAILY, {"features": "mean"}, ValueError, "expected a list of names"),
        (DAILY, {"feature_prior": [0, 1]}, ValueError, "expected \\(a, b\\), two numbers above 0"),
        (DAILY, {"episodes_per_world": 0}, ValueError, "episodes_per_world is 0"),
        (MENU, {"allocations": [[1, 2, 3]]}, ValueError, r"expected \(M, 2\)"),
        (VISITS, {"max_days": 3}, TypeError, "unexpected keyword argument 'max_days'"),
    ],
)
@pytest.mark.parametrize("make", [gym.make, lambda name, **kwargs: gym.make_vec(name, num_envs=2, **kwargs)])
def test_bad_arguments(make, name, arguments, error, message):
    with pytest.raises(error, match=message):
        make(name, **arguments)
