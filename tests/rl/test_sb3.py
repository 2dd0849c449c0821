"""Stable-Baselines3: its checker, its algorithms, and our adapter against its own way of making vector environments."""

import gymnasium as gym
import numpy as np
import pytest

import bandit_env  # noqa: F401
from bandit_env.envs.wrappers import AllocationMenu, AllocationMenuVector, ArmFeatures, ArmFeaturesVector

sb3 = pytest.importorskip("stable_baselines3", reason="needs the extra: pip install 'bandit-env[rl]'")

import torch  # noqa: E402
from stable_baselines3.common.env_checker import check_env  # noqa: E402
from stable_baselines3.common.env_util import make_vec_env  # noqa: E402
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor  # noqa: E402

from bandit_env.rl.sb3 import NativeVecEnv, make_native_vec_env  # noqa: E402

torch.set_num_threads(1)  # small networks: more threads only wait for each other

pytestmark = [
    pytest.mark.extra,
]

DAILY, VISITS = "bandit_env/DailyTraffic-v0", "bandit_env/BernoulliBandit-v0"
NAMES = ("mean", "log_visits", "day", "gap")
WORLDS = {
    DAILY: {"prior": [4, 96], "num_arms": 3, "max_days": 6, "min_days": 2, "reward": "regret"},
    VISITS: {"prior": [1, 1], "num_arms": 3, "horizon": 7},
}


def assert_same(found, expected):
    """Equal dicts or arrays, to the bit."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_same(found[key], expected[key])
    else:
        np.testing.assert_array_equal(found, expected)
        assert np.asarray(found).dtype == np.asarray(expected).dtype


def assert_same_transitions(native, slow, steps):
    """Play both side by side with the same random actions; returns how many episodes ended."""
    assert native.observation_space == slow.observation_space
    assert native.action_space == slow.action_space
    native.seed(11)
    slow.seed(11)
    assert_same(native.reset(), slow.reset())
    assert_same(dict(enumerate(native.reset_infos)), dict(enumerate(slow.reset_infos)))
    slow.action_space.seed(5)
    ended = 0
    for _ in range(steps):
        actions = np.array([slow.action_space.sample() for _ in range(slow.num_envs)])
        ours, theirs = native.step(actions), slow.step(actions)
        for found, expected in zip(ours[:3], theirs[:3], strict=True):
            assert_same(found, expected)
        assert_same(dict(enumerate(ours[3])), dict(enumerate(theirs[3])))
        assert_same(dict(enumerate(native.reset_infos)), dict(enumerate(slow.reset_infos)))
        ended += ours[2].sum()
    return ended


@pytest.mark.parametrize("num_envs", [1, 64])
@pytest.mark.parametrize("env_id", WORLDS)
def test_adapter_hands_over_the_same_transitions(env_id, num_envs):
    slow = DummyVecEnv([lambda: gym.make(env_id, **WORLDS[env_id])] * num_envs)
    native = make_native_vec_env(env_id, num_envs, **WORLDS[env_id])
    assert assert_same_transitions(native, slow, steps=30) >= 4 * num_envs


def test_adapter_over_wrappers_hands_over_the_same_transitions():
    world = WORLDS[DAILY]
    slow = DummyVecEnv([lambda: AllocationMenu(ArmFeatures(gym.make(DAILY, **world), names=NAMES))] * 5)
    envs = gym.make_vec(DAILY, num_envs=5, autoreset_mode="SameStep", **world)
    native = NativeVecEnv(AllocationMenuVector(ArmFeaturesVector(envs, names=NAMES)))
    assert assert_same_transitions(native, slow, steps=30) >= 20


def test_world_without_chance():
    world = {"rates": [0, 1], "split": "proportional", "max_days": 5, "min_days": 1}
    native = make_native_vec_env(DAILY, 64, **world)
    native.reset()
    observation, reward, *_ = native.step(np.tile(np.float32([0.25, 0.75, 0]), (64, 1)))
    assert observation["visits"].tolist() == [[25, 75]] * 64
    assert reward.tolist() == [75] * 64
    assert_same_transitions(native, DummyVecEnv([lambda: gym.make(DAILY, **world)] * 64), steps=12)


def test_options_reach_every_row():
    native = make_native_vec_env(DAILY, 3, seed=1)
    native.set_options([{"rates": [0.1, 0.2]}, {"rates": [0.3, 0.4]}, {"rates": [0.5, 0.6]}])
    native.reset()
    assert [info["rates"].tolist() for info in native.reset_infos] == [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]
    native.set_options([{"rates": [0.1, 0.2]}, {}, {}])
    with pytest.raises(ValueError, match="options differ between environments"):
        native.reset()


def test_attributes_methods_and_wrappers():
    native = NativeVecEnv(ArmFeaturesVector(gym.make_vec(DAILY, num_envs=3, autoreset_mode="SameStep")))
    assert native.get_attr("task", indices=[0, 2]) == [native.env.unwrapped.task] * 2
    assert native.env_is_wrapped(ArmFeaturesVector) == [True] * 3
    assert native.env_is_wrapped(AllocationMenuVector) == [False] * 3
    native.set_attr("note", 5)
    assert native.get_attr("note") == [5] * 3
    with pytest.raises(ValueError, match="in some rows only"):
        native.set_attr("note", 5, indices=0)
    with pytest.raises(AttributeError, match="nothing"):
        native.get_attr("nothing")


@pytest.mark.parametrize(("terminated", "truncated"), [(True, False), (False, True), (True, True)])
def test_an_end_is_a_time_limit_s_only_where_nothing_else_ended_it(terminated, truncated):
    """As SB3's DummyVecEnv has it: "TimeLimit.truncated" is truncated and not terminated."""

    class Ends(gym.vector.VectorWrapper):
        def step(self, actions):
            observations, rewards, ends, _, infos = self.env.step(actions)
            return observations, rewards, ends & terminated, ends & truncated, infos

    world = {"max_days": 2, "min_days": 2, "autoreset_mode": "SameStep"}
    native = NativeVecEnv(Ends(gym.make_vec(DAILY, num_envs=2, **world)))
    native.reset()
    told = []
    for _ in range(3):
        *_, dones, infos = native.step(np.zeros((2, 3), np.float32))
        told.append((dones.tolist(), [info["TimeLimit.truncated"] for info in infos]))
    assert told[:2] == [([False] * 2, [False] * 2)] * 2
    assert told[2] == ([True] * 2, [truncated and not terminated] * 2)


def test_other_autoreset_mode_is_refused():
    with pytest.raises(ValueError, match='expected autoreset_mode="SameStep"'):
        NativeVecEnv(gym.make_vec(DAILY, num_envs=2))


@pytest.mark.filterwarnings("ignore:We recommend you to use a symmetric")  # advice on scaling, not a fault
@pytest.mark.filterwarnings("ignore:Your observation  has an unconventional shape")
@pytest.mark.parametrize("env_id", WORLDS)
def test_sb3_checker(env_id):
    check_env(gym.make(env_id, **WORLDS[env_id]).unwrapped)
    check_env(ArmFeatures(gym.make(env_id, **WORLDS[env_id]), names=NAMES))


ALGORITHMS = [
    (DAILY, "PPO", {"n_steps": 16, "batch_size": 32, "n_epochs": 1}),
    (DAILY, "A2C", {}),
    (DAILY, "SAC", {"learning_starts": 16, "batch_size": 16, "buffer_size": 200}),
    (VISITS, "PPO", {"n_steps": 16, "batch_size": 32, "n_epochs": 1}),
    (VISITS, "DQN", {"learning_starts": 16, "batch_size": 16, "buffer_size": 200}),
]


@pytest.mark.parametrize("native", [False, True], ids=["make_vec_env", "native"])
@pytest.mark.parametrize(("env_id", "algorithm", "settings"), ALGORITHMS)
def test_algorithms_train(env_id, algorithm, settings, native):
    make = make_native_vec_env if native else make_vec_env
    kwargs = WORLDS[env_id] if native else {"env_kwargs": WORLDS[env_id]}
    envs = make(env_id, n_envs=4, seed=0, **kwargs)
    model = getattr(sb3, algorithm)(
        "MultiInputPolicy", VecMonitor(envs) if native else envs, gamma=1.0, seed=0, device="cpu", **settings
    )
    before = [parameter.clone() for parameter in model.policy.parameters()]
    model.learn(140)
    assert any((b != a).any() for b, a in zip(before, model.policy.parameters(), strict=True))
    assert model.num_timesteps >= 140
    assert model.ep_info_buffer[0]["l"] in range(3, 8)


def test_dqn_on_a_menu_of_allocations():
    envs = gym.make_vec(DAILY, num_envs=4, autoreset_mode="SameStep", **WORLDS[DAILY])
    envs = VecMonitor(NativeVecEnv(AllocationMenuVector(ArmFeaturesVector(envs, names=NAMES))))
    model = sb3.DQN("MlpPolicy", envs, gamma=1.0, learning_starts=16, batch_size=16, buffer_size=200, seed=0)
    model.learn(128)
    assert model.predict(envs.reset(), deterministic=True)[0].shape == (4,)
