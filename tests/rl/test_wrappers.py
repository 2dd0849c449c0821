"""Wrappers for learners: the same thing for single and vector environments, and rebuilt from their spec."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import bandit_env  # noqa: F401
from bandit_env.envs.testing import check_vector_env
from bandit_env.envs.wrappers import (
    AllocationMenu,
    AllocationMenuVector,
    ArmFeatures,
    ArmFeaturesVector,
    FlatCounts,
    FlatCountsVector,
)
from bandit_env.stats.features import DEFAULT_FEATURES, arm_features

DAILY, VISITS = "bandit_env/DailyTraffic-v0", "bandit_env/BernoulliBandit-v0"
WORLD = {"prior": [4, 96], "num_arms": 3, "max_days": 4, "min_days": 1}
NAMES = ("mean", "log_left", "gap")


def test_features_are_those_of_the_counts_shown():
    bare = gym.make(DAILY, **WORLD)
    wrapped = ArmFeatures(gym.make(DAILY, **WORLD), prior=(4, 96))
    counts, _ = bare.reset(seed=3)
    seen, _ = wrapped.reset(seed=3)
    action = np.array([0.2, 0.5, 0.3, 0], np.float32)
    for _ in range(4):
        expected = arm_features(
            counts["conversions"], counts["visits"], counts["day"][0], 4, 100, (4, 96), DEFAULT_FEATURES
        )
        assert seen.shape == (3, len(DEFAULT_FEATURES))
        assert seen.dtype == np.float32
        np.testing.assert_array_equal(seen, expected.astype(np.float32))
        counts = bare.step(action)[0]
        seen = wrapped.step(action)[0]


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize(
    ("env_id", "world"), [(DAILY, WORLD), (VISITS, {"prior": [1, 1], "num_arms": 3, "horizon": 5})]
)
def test_vector_wrapper_equals_single_wrappers_across_episode_ends(env_id, world, mode):
    autoreset = gym.vector.AutoresetMode(mode)
    vector = ArmFeaturesVector(gym.make_vec(env_id, num_envs=3, autoreset_mode=mode, **world), names=NAMES)
    singles = gym.vector.SyncVectorEnv(
        [lambda: ArmFeatures(gym.make(env_id, **world), names=NAMES)] * 3, autoreset_mode=autoreset
    )
    assert vector.observation_space == singles.observation_space
    assert vector.single_observation_space.shape == (3, len(NAMES))
    np.testing.assert_array_equal(vector.reset(seed=7)[0], singles.reset(seed=7)[0])
    ended = 0
    singles.action_space.seed(1)
    for _ in range(13):
        actions = singles.action_space.sample()
        if env_id == DAILY:
            actions[:, -1] *= np.arange(3) == 1  # only the second may stop early
        ours, theirs = vector.step(actions), singles.step(actions)
        for found, expected in zip(ours[:4], theirs[:4], strict=True):
            np.testing.assert_array_equal(found, expected)
        ended += ours[2].sum()
        if mode == "SameStep" and ours[2].any():
            for row in np.flatnonzero(ours[2]):
                np.testing.assert_array_equal(ours[4]["final_obs"][row], theirs[4]["final_obs"][row])
    assert ended >= 6


def test_default_menu_of_two_arms():
    menu = AllocationMenu(gym.make(DAILY)).menu
    expected = [[0.5, 0.5, 0], [1, 0, 0], [0, 1, 0], [0.8, 0.2, 0], [0.2, 0.8, 0], [1, 0, 1], [0, 1, 1]]
    np.testing.assert_array_equal(menu, np.array(expected, np.float32))


def test_default_menu_of_three_arms():
    """Uniform, each alone, four fifths for each and a tenth for either other, then the three ways to stop."""
    menu = AllocationMenu(gym.make(DAILY, rates=[0.1, 0.2, 0.3])).menu
    most = [[0.8, 0.1, 0.1, 0], [0.1, 0.8, 0.1, 0], [0.1, 0.1, 0.8, 0]]
    alone = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    stop = [[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]]
    np.testing.assert_allclose(menu, [[1 / 3] * 3 + [0], *alone, *most, *stop], rtol=1e-6)
    np.testing.assert_allclose(menu[:7, :3].sum(axis=1), 1, rtol=1e-6)


def test_own_menu_serves_and_declares_what_was_chosen():
    env = AllocationMenu(gym.make(DAILY, rates=[0, 1], min_days=0, split="proportional"), allocations=[[3, 1]])
    assert env.action_space == gym.spaces.Discrete(3)
    env.reset(seed=0)
    assert env.step(np.int64(0))[0]["visits"].tolist() == [75, 25]
    *_, terminated, _, info = env.step(np.int64(2))
    assert terminated
    assert info["declared_arm"] == 1


def test_menu_of_a_vector_environment():
    world = {"rates": [0, 1], "min_days": 0, "split": "proportional", "num_envs": 3, "autoreset_mode": "SameStep"}
    envs = AllocationMenuVector(ArmFeaturesVector(gym.make_vec(DAILY, **world)))
    assert envs.single_action_space == gym.spaces.Discrete(7)
    assert envs.action_space.contains(np.array([0, 6, 3]))
    envs.reset(seed=0)
    *_, terminated, _, infos = envs.step(np.array([0, 6, 3]))
    assert terminated.tolist() == [False, True, False]
    assert infos["final_info"]["declared_arm"][1] == 1


@pytest.mark.parametrize(
    ("allocations", "message"),
    [
        ([[1, 2, 3]], r"shape \(1, 3\); expected \(M, 2\)"),
        ([[0, 0]], "no split"),
        ([[1, -1]], "no split"),
        ([[1, float("nan")]], "no split"),
    ],
)
def test_bad_menu(allocations, message):
    with pytest.raises(ValueError, match=message):
        AllocationMenu(gym.make(DAILY), allocations=allocations)


@pytest.mark.parametrize("choice", [7, -1, 0.5])
def test_choice_outside_the_menu(choice):
    env = AllocationMenu(gym.make(DAILY))
    env.reset(seed=0)
    with pytest.raises(ValueError, match="expected whole numbers from 0 to 6"):
        env.step(choice)


def test_wrong_world_is_refused():
    with pytest.raises(ValueError, match="unknown feature 'meen'"):
        ArmFeatures(gym.make(DAILY), names=["meen"])
    with pytest.raises(ValueError, match="expected an observation of visits"):
        ArmFeatures(ArmFeatures(gym.make(DAILY)))


def test_wrappers_are_rebuilt_from_the_spec():
    env = AllocationMenu(ArmFeatures(gym.make(DAILY, **WORLD), names=NAMES, prior=(4, 96)), declare=False)
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert again.action_space == env.action_space
    assert again.observation_space == env.observation_space
    np.testing.assert_array_equal(env.reset(seed=5)[0], again.reset(seed=5)[0])
    np.testing.assert_array_equal(env.step(2)[0], again.step(2)[0])


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")  # the point of this test
@pytest.mark.parametrize("wrap", [ArmFeatures, AllocationMenu, gym.wrappers.FlattenObservation])
def test_gymnasium_checker(wrap):
    check_env(wrap(gym.make(DAILY, **WORLD)), skip_render_check=True)


def test_gymnasium_flattens_counts():
    env = gym.wrappers.FlattenObservation(gym.make(DAILY, **WORLD))
    assert env.observation_space.shape == (7,)
    flat = env.reset(seed=0)[0]
    assert env.observation_space.contains(flat)
    vector = gym.wrappers.vector.FlattenObservation(gym.make_vec(DAILY, num_envs=2, **WORLD))
    assert vector.observation_space.shape == (2, 7)
    np.testing.assert_array_equal(vector.reset(seed=0)[0][0], flat)


PLAYS = {DAILY: WORLD, VISITS: {"prior": [1, 1], "num_arms": 3, "horizon": 5}}
WRAPPERS = [  # of single, of vector, their arguments
    (ArmFeatures, ArmFeaturesVector, {"names": NAMES, "flat": True}),
    (ArmFeatures, ArmFeaturesVector, {"names": NAMES, "flat": True, "history": True}),
    (FlatCounts, FlatCountsVector, {}),
]


@pytest.mark.parametrize("env_id", PLAYS)
@pytest.mark.parametrize(("single", "vector", "arguments"), WRAPPERS)
def test_vector_wrappers_conform_in_all_modes(env_id, single, vector, arguments):
    check_vector_env(
        lambda mode: vector(gym.make_vec(env_id, num_envs=3, autoreset_mode=mode, **PLAYS[env_id]), **arguments),
        single=lambda: single(gym.make(env_id, **PLAYS[env_id]), **arguments),
        steps=25,
    )


def test_an_experiment_that_idles_remembers_its_own_last_step():
    """Disabled mode: what is sent to a row that has ended is ignored, and is no part of its history."""
    envs = gym.make_vec(DAILY, num_envs=2, autoreset_mode="Disabled", **WORLD)
    env = ArmFeaturesVector(envs, flat=True, history=True)
    env.reset(seed=0)
    going, declares, other = np.float32([[0.25, 0.5, 0.25, 0], [0, 1, 0, 1], [1, 0.5, 0, 1]])
    env.step(np.array([going, going]))
    shown, rewards, ended, *_ = env.step(np.array([declares, going]))
    assert ended.tolist() == [True, False]
    assert shown[:, -5:].tolist() == [[*declares, np.float32(rewards[0])], [*going, np.float32(rewards[1])]]
    again, rewards, *_ = env.step(np.array([other, going]))
    assert again[0, -5:].tolist() == shown[0, -5:].tolist()
    assert again[1, -5:].tolist() == [*going, np.float32(rewards[1])]
    begun = env.reset(options={"reset_mask": np.array([True, False])})[0]
    assert begun[0, -5:].tolist() == [0] * 5
    assert begun[1, -5:].tolist() == again[1, -5:].tolist()


@pytest.mark.parametrize(("single", "vector", "arguments"), [*WRAPPERS, (AllocationMenu, AllocationMenuVector, {})])
def test_vector_wrappers_on_gymnasium_s_vectors(single, vector, arguments):
    mode = gym.vector.AutoresetMode.SAME_STEP
    sync = gym.vector.SyncVectorEnv([lambda: gym.make(DAILY, **WORLD)] * 2, autoreset_mode=mode)
    ours = vector(sync, **arguments)
    native = vector(gym.make_vec(DAILY, num_envs=2, autoreset_mode=mode, **WORLD), **arguments)
    ours.action_space.seed(0)
    first, second = ours.reset(seed=0)[0], native.reset(seed=0)[0]
    for _ in range(12):
        assert gym.utils.env_checker.data_equivalence(first, second, exact=True)
        actions = ours.action_space.sample()
        first, second = ours.step(actions)[0], native.step(actions)[0]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_vector_wrapper_on_asynchronous_ones():
    envs = ArmFeaturesVector(gym.vector.AsyncVectorEnv([lambda: gym.make(DAILY, **WORLD)] * 2), flat=True)
    native = ArmFeaturesVector(gym.make_vec(DAILY, num_envs=2, **WORLD), flat=True)
    np.testing.assert_array_equal(envs.reset(seed=0)[0], native.reset(seed=0)[0])
    envs.close()


def test_flat_counts_are_gymnasium_s_in_single_precision():
    ours, theirs = FlatCounts(gym.make(DAILY, **WORLD)), gym.wrappers.FlattenObservation(gym.make(DAILY, **WORLD))
    ours.reset(seed=0), theirs.reset(seed=0)
    action = np.array([0.2, 0.5, 0.3, 0], np.float32)
    for found, expected in zip(ours.step(action)[:2], theirs.step(action)[:2], strict=True):
        np.testing.assert_array_equal(found, expected)
    assert ours.observation_space.dtype == np.float32


def test_environments_that_do_not_fit_are_refused_when_wrapped():
    with pytest.raises(ValueError, match=r"splits its traffic.*found Discrete"):
        AllocationMenu(gym.make(VISITS))
    with pytest.raises(ValueError, match=r"splits its traffic.*found Discrete"):
        AllocationMenuVector(gym.make_vec(VISITS, num_envs=2))
    with pytest.raises(ValueError, match="history needs a flat observation"):
        ArmFeatures(gym.make(DAILY), history=True)
    with pytest.raises(ValueError, match="history needs a flat observation"):
        ArmFeaturesVector(gym.make_vec(DAILY, num_envs=2), history=True)
    for other in (gym.make("CartPole-v1"), gym.vector.SyncVectorEnv([lambda: gym.make("CartPole-v1")])):
        wrapper = AllocationMenuVector if isinstance(other, gym.vector.VectorEnv) else AllocationMenu
        with pytest.raises(ValueError, match="expected an environment of bandit_env"):
            wrapper(other)
    different = gym.vector.SyncVectorEnv(
        [lambda d=d: gym.make(DAILY, max_days=d) for d in (5, 6)], observation_mode="different"
    )
    with pytest.raises(ValueError, match="experiments of one task"):
        ArmFeaturesVector(different)
    assert AllocationMenuVector(different).single_action_space == gym.spaces.Discrete(7)  # K is all that it needs
