"""What Gymnasium asks of an environment, with no warning allowed (pytest turns each into an error)."""

import copy
import json
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import Error, ResetNeeded
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode

import bandit_env  # noqa: F401
from bandit_env.world.action import encode_action

DAILY, BANDIT = "bandit_env/DailyTraffic-v0", "bandit_env/BernoulliBandit-v0"
VARIANTS = [
    (DAILY, {}),
    (DAILY, {"rates": [0.1, 0.2, 0.3], "visits_per_day": 10**9, "updates_per_day": 2, "max_days": 30}),
    (DAILY, {"prior": [4, 96], "num_arms": 6, "reward": "regret", "split": "proportional", "cost_per_day": 0.5}),
    (DAILY, {"visits_per_day": 1, "max_days": 3, "min_days": 0}),
    (BANDIT, {}),
    (BANDIT, {"prior": [[1, 1], [2, 8], [1, 3]], "horizon": 2, "reward": "regret"}),
]
EVEN = encode_action([0.5, 0.5])


@pytest.mark.parametrize(("name", "kwargs"), VARIANTS)
def test_check_env(name, kwargs, capsys):
    env = gym.make(name, **kwargs)
    check_env(env.unwrapped)
    env.close()


@pytest.mark.parametrize(("name", "kwargs"), VARIANTS)
def test_whole_episodes_pass_the_passive_checker(name, kwargs):
    env = gym.make(name, **kwargs)
    env.action_space.seed(0)
    for seed in (0, None):
        obs, at_reset = env.reset(seed=seed)
        terminated = False
        while not terminated:
            assert obs in env.observation_space
            obs, _, terminated, truncated, info = env.step(env.action_space.sample())
            assert truncated is False
            assert {type(value) for value in info.values()} <= {int, float, bool, np.ndarray}
            assert info.keys() == at_reset.keys()
    env.close()


@pytest.mark.parametrize("mode", [mode.value for mode in AutoresetMode])
@pytest.mark.parametrize(("name", "kwargs"), VARIANTS)
def test_specs_survive_json(name, kwargs, mode):
    def first_step(env):
        env.action_space.seed(1)
        return env.reset(seed=1), env.step(env.action_space.sample())

    env = gym.make(name, **kwargs)
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.spec == env.spec
    assert data_equivalence(first_step(env), first_step(again), exact=True)
    env = gym.make_vec(name, num_envs=3, autoreset_mode=mode, **kwargs)
    json.loads(env.spec.to_json())
    again = gym.make_vec(EnvSpec.from_json(env.spec.to_json()))
    assert (again.num_envs, again.metadata["autoreset_mode"].value) == (3, mode)
    assert data_equivalence(first_step(env), first_step(again), exact=True)


def test_ids_may_name_the_module():
    assert gym.make(f"bandit_env:{DAILY}").spec.id == DAILY


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
@pytest.mark.parametrize("vector", [False, True])
@pytest.mark.parametrize("name", [DAILY, BANDIT])
def test_copies_in_mid_episode_go_on_alike(name, vector, clone):
    env = (
        gym.make_vec(name, num_envs=3, prior=[1, 1], num_arms=3) if vector else gym.make(name, prior=[1, 1], num_arms=3)
    )
    env.reset(seed=5)
    env.action_space.seed(0)
    for _ in range(5):
        env.step(env.action_space.sample())
    other = clone(env)
    for _ in range(60):
        action = env.action_space.sample()
        ours, theirs = env.step(action), other.step(action)
        assert data_equivalence(ours, theirs, exact=True)
        if not vector and ours[2]:
            assert data_equivalence(env.reset(), other.reset(), exact=True)


@pytest.mark.parametrize("name", [DAILY, BANDIT])
def test_the_same_seed_the_same_episode_another_seed_another(name):
    def play(seed):
        env = gym.make(name, prior=[1, 1], num_arms=2)
        env.action_space.seed(0)
        start = env.reset(seed=seed)
        return start, [env.step(env.action_space.sample())[0] for _ in range(10)]

    assert data_equivalence(play(3), play(3), exact=True)
    assert not data_equivalence(play(3), play(4), exact=True)


def test_single_equals_native_of_one_row_bit_for_bit():
    single = gym.make(DAILY, prior=[2, 20], num_arms=3, max_days=30).unwrapped
    native = gym.make_vec(DAILY, num_envs=1, autoreset_mode="Disabled", prior=[2, 20], num_arms=3, max_days=30)
    single.reset(seed=9)
    native.reset(seed=9)
    terminated = False
    rng = np.random.default_rng(0)
    while not terminated:
        action = encode_action(rng.dirichlet(np.ones(3)))
        obs, reward, terminated, _, info = single.step(action)
        batch_obs, rewards, terminations, _, infos = native.step(action[None])
        assert all((obs[key] == batch_obs[key][0]).all() for key in obs)
        assert (reward, terminated) == (rewards[0], terminations[0])
        assert all(np.array_equal(info[key], infos[key][0]) for key in info)
    assert obs["day"] == 30


def test_nothing_returned_is_kept():
    """Writing into every array that came back changes no later step."""

    def play(spoil):
        env = gym.make_vec(
            DAILY, num_envs=4, max_days=6, min_days=1, autoreset_mode="SameStep", prior=[1, 1], num_arms=2
        )
        env.action_space.seed(0)
        env.observation_space.seed(0)
        returned = [env.reset(seed=0)]
        record = []
        for _ in range(30):
            returned.append(env.step(env.action_space.sample()))
            record.append(copy.deepcopy(returned[-1]))
            if spoil:
                for array in arrays(returned[-1]):
                    array[...] = 0
        return record

    def arrays(data):
        if isinstance(data, np.ndarray) and data.dtype != object:
            yield data
        elif isinstance(data, (dict, tuple, np.ndarray)):
            for item in data.values() if isinstance(data, dict) else data:
                yield from arrays(item)

    assert data_equivalence(play(spoil=False), play(spoil=True), exact=True)


def test_actions_of_other_kinds_of_memory():
    """Read-only, strided, float64 and nested lists: the same step."""
    weights = np.random.default_rng(0).dirichlet(np.ones(2), 3)
    action = encode_action(weights)
    read_only = action.copy()
    read_only.setflags(write=False)
    strided = np.zeros((6, 3), np.float32)[::2]
    strided[:] = action
    results = []
    for form in (action, read_only, strided, action.astype(np.float64), action.tolist(), np.asfortranarray(action)):
        env = gym.make_vec(DAILY, num_envs=3)
        env.reset(seed=0)
        results.append(env.step(form))
    assert all(data_equivalence(results[0], result, exact=True) for result in results[1:])


# --- errors


def single(**kwargs):
    env = gym.make(DAILY, **kwargs).unwrapped
    env.reset(seed=0)
    return env


def vector(**kwargs):
    env = gym.make_vec(DAILY, num_envs=2, **kwargs)
    env.reset(seed=0)
    return env


@pytest.mark.parametrize(
    ("make", "action", "message"),
    [
        (single, [0.5, 0.5], r"the action has shape \(2,\); expected \(3,\)"),
        (single, [[0.5, 0.5, 0]], r"the action has shape \(1, 3\); expected \(3,\)"),
        (single, [0.5, np.nan, 0], r"action\[1\] is nan; expected a number in \[0, 1\]"),
        (single, [0.5, 0.5, 1.5], r"action\[2\] is 1\.5; expected a number in \[0, 1\]"),
        (single, [0.5, 1e300, 0], r"action\[1\] is inf; expected"),
        (single, "stop", r"the action is 'stop'; expected numbers of shape \(3,\)"),
        (single, None, r"the action .* expected"),
        (vector, [0.5, 0.5, 0], r"the action has shape \(3,\); expected \(2, 3\)"),
        (vector, [[0.5, 0.5, 0], [-0.5, 0.5, 0]], r"action\[1, 0\] is -0\.5; expected a number in \[0, 1\]"),
        (vector, [[0.5, 0.5, 0], [np.nan] * 3], r"action\[1, 0\] is nan; expected a number in \[0, 1\]"),
        (vector, [[0.5, 0.5, 0], [0.5]], r"expected numbers of shape \(2, 3\)"),
    ],
)
def test_bad_actions_are_refused_and_nothing_happens(make, action, message):
    env, other = make(), make()
    with pytest.raises(ValueError, match=message):
        env.step(action)
    good = np.broadcast_to(EVEN, env.action_space.shape)
    assert data_equivalence(env.step(good), other.step(good), exact=True)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (2, "action is 2; expected an arm, 0 to 1"),
        (-1, "action is -1; expected an arm, 0 to 1"),
        (0.5, r"the action is float64 of shape \(\); expected whole numbers of shape \(\)"),
        ([0, 1], r"the action is int64 of shape \(2,\)"),
    ],
)
def test_bad_arms_are_refused(action, message):
    env = gym.make(BANDIT).unwrapped
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(action)
    env = gym.make_vec(BANDIT, num_envs=3)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"action\[2\] is 5; expected an arm, 0 to 1"):
        env.step(np.array([0, 1, 5]))


@pytest.mark.parametrize(
    ("make", "kwargs", "message"),
    [
        (single, {"options": {"rate": [0.1, 0.2]}}, "unknown reset option 'rate'; did you mean 'rates'"),
        (single, {"options": {"seed": 3}}, r"unknown reset option 'seed'.*\(known: conversions, day, rates, visits\)"),
        (single, {"options": {"reset_mask": np.ones(1, bool)}}, "unknown reset option 'reset_mask'"),
        (single, {"options": {"rates": [0.1, 0.2, 0.3]}}, r"options\['rates'\] has shape \(3,\); expected \(2,\)"),
        (single, {"options": {"rates": [0.1, 1.2]}}, r"options\['rates'\]\[1\] is 1\.2; expected a rate in \[0, 1\]"),
        (
            vector,
            {"options": {"mask": 1}},
            r"unknown reset option 'mask' .*reset_mask, visits",
        ),
        (vector, {"options": {"rates": [[0.1, 0.2]] * 3}}, r"shape \(3, 2\); expected \(2,\) or \(2, 2\)"),
        (vector, {"options": {"rates": [[0.1, 0.2], [0.1, np.nan]]}}, r"options\['rates'\]\[1, 1\] is nan"),
        (
            vector,
            {"options": {"reset_mask": [True, False]}},
            r"options\['reset_mask'\] is list; expected a NumPy array",
        ),
        (vector, {"options": {"reset_mask": np.ones(3, bool)}}, r"is bool of shape \(3,\); expected .* shape \(2,\)"),
        (vector, {"options": {"reset_mask": np.ones(2)}}, r"is float64 of shape \(2,\)"),
        (vector, {"options": {"reset_mask": np.zeros(2, bool)}}, "False everywhere; expected at least one row"),
        (vector, {"seed": [1, 2, 3]}, "3 seeds came; expected one for each of the 2 experiments"),
        (vector, {"seed": [1, -2]}, "seed -2 came; expected whole numbers of at least 0, or None"),
        (vector, {"seed": [1, 2.5]}, r"seed 2\.5 came"),
        (vector, {"seed": [1, "a"]}, "seed 'a' came"),
    ],
)
def test_bad_resets_are_refused_and_nothing_happens(make, kwargs, message):
    env, other = make(), make()
    with pytest.raises(ValueError, match=message):
        env.reset(**kwargs)
    good = np.broadcast_to(EVEN, env.action_space.shape)
    assert data_equivalence(env.step(good), other.step(good), exact=True)


@pytest.mark.parametrize("seed", [-1, np.int64(1), 1.5, "a"])
@pytest.mark.parametrize("make", [single, vector])
def test_what_is_no_seed_is_refused_as_gymnasium_does(make, seed):
    with pytest.raises((Error, ValueError), match=r"[Ss]eed"):
        make().reset(seed=seed)


def test_steps_out_of_order():
    env = gym.make(DAILY, min_days=0).unwrapped
    with pytest.raises(ResetNeeded, match="call reset"):
        env.step(EVEN)
    env.reset(seed=0)
    env.step(encode_action([1, 0], 0))
    with pytest.raises(ResetNeeded, match="after the end of the episode"):
        env.step(EVEN)
    env = gym.make_vec(DAILY, num_envs=2)
    with pytest.raises(ResetNeeded, match="before the first reset"):
        env.step(np.tile(EVEN, (2, 1)))
    with pytest.raises(ResetNeeded, match="before the first reset"):
        env.reset(options={"reset_mask": np.array([True, False])})


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"autoreset_mode": "next"}, "autoreset_mode is 'next'; expected one of 'NextStep', 'SameStep', 'Disabled'"),
        ({"num_envs": 0}, "num_envs is 0; expected a whole number of at least 1"),
        ({"render_mode": "svg"}, "render_mode is 'svg'; expected one of 'ansi', 'human'"),
        ({"rates": [0.5]}, "rates has 1 arm"),
    ],
)
def test_bad_constructor_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        gym.make_vec(DAILY, **kwargs)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"horizon": 0}, "horizon is 0; expected a whole number of at least 1"),
        ({"reward": "conversions"}, "reward is 'conversions'; expected one of 'reward', 'regret'"),
        ({"prior": [1, 1]}, "num_arms is missing"),
    ],
)
def test_bad_bandit_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        gym.make(BANDIT, **kwargs)


# --- rendering

TABLE = """\
day 1 of 3, running
arm           visits      conversions     rate     true  share
  0                1                0  0.00000  0.00000  0.250
  1                3                3  1.00000  1.00000  0.750
"""
WORLD = {"rates": [0.0, 1.0], "visits_per_day": 4, "max_days": 3, "min_days": 1, "split": "proportional"}


def test_ansi_rendering_shows_the_running_experiment():
    env = gym.make(DAILY, render_mode="ansi", **WORLD)
    env.reset(seed=0)
    assert "  0                0                0        -  0.00000      -\n" in env.render()
    env.step(encode_action([0.25, 0.75]))
    assert env.render() == TABLE
    env.step(encode_action([0.25, 0.75], 1))
    assert env.render() == TABLE.replace("running", "ended: arm 1 declared")
    env.reset()
    assert "  1                0                0        -  1.00000      -\n" in env.render()


def test_human_rendering_prints_each_step(capsys):
    env = gym.make(DAILY, render_mode="human", **WORLD)
    env.reset(seed=0)
    env.step(encode_action([0.25, 0.75]))
    shown = capsys.readouterr().out
    assert shown.count("arm ") == 2
    assert TABLE in shown
    assert env.render() is None


def test_vector_rendering(capsys):
    env = gym.make_vec(DAILY, num_envs=2, render_mode="ansi", autoreset_mode="Disabled", **WORLD)
    env.reset(seed=0)
    env.step(np.array([encode_action([0.25, 0.75]), encode_action([1, 0])]))
    frames = env.render()
    assert frames[0] == TABLE
    assert "  0                4                0  0.00000  0.00000  1.000" in frames[1]
    env.reset(options={"reset_mask": np.array([False, True])})
    assert env.render()[0] == TABLE
    assert "  0                0                0        -  0.00000      -\n" in env.render()[1]
    env = gym.make_vec(DAILY, num_envs=2, render_mode="human", autoreset_mode="Disabled", **WORLD)
    env.reset(seed=0)
    assert capsys.readouterr().out.count("day 0 of 3, running") == 2


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_a_new_episode_is_rendered_without_the_shares_of_the_last(mode):
    env = gym.make_vec(DAILY, num_envs=1, render_mode="ansi", autoreset_mode=mode, **WORLD)
    env.reset(seed=0)
    env.step(encode_action([[0.25, 0.75]]))
    for _ in range(2 if mode == "NextStep" else 1):
        env.step(encode_action([[0.25, 0.75]], [1]))
    (frame,) = env.render()
    assert frame.startswith("day 0 of 3, running")
    assert [line.split()[-1] for line in frame.splitlines()[2:]] == ["-", "-"]


def test_rendering_shows_the_rates_of_the_day():
    effects = [{"effect": "step", "day": 1, "factor": 0.5}]
    env = gym.make(DAILY, render_mode="ansi", **WORLD, effects=effects)
    env.reset(seed=0)
    shown = [env.render()]
    for _ in range(2):
        env.step(encode_action([1, 1]))
        shown.append(env.render())
    assert [frame.splitlines()[3].split()[-2] for frame in shown] == ["1.00000", "1.00000", "0.50000"]


def test_rendering_without_a_mode_warns():
    for env in (single(), vector()):
        with pytest.warns(UserWarning, match=r"render\(\) does nothing without a render_mode"):
            assert env.render() is None


# --- Gymnasium's wrappers


IDS = [
    f"bandit_env/{name}-v0"
    for name in ("DailyTraffic", "BernoulliBandit", "LearnDaily", "LearnDailyMenu", "LearnPerVisit")
]


@pytest.mark.parametrize("name", IDS)
def test_pictures_show_the_table(name):
    env = gym.make(name, render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    assert (first.dtype, first.ndim, first.shape[2]) == (np.uint8, 3, 3)
    assert first.shape[0] % 2 == first.shape[1] % 2 == 0
    env.action_space.seed(0)
    env.step(env.action_space.sample())
    second = env.render()
    assert second.shape == first.shape
    assert 0 < (second != first).any(axis=2).sum() < 0.2 * second[..., 0].size  # a few letters
    pictures = gym.make_vec(name, num_envs=2, render_mode="rgb_array")
    pictures.reset(seed=0)
    np.testing.assert_array_equal(pictures.render()[0], first)


def test_pictures_of_many_arms_stay_small():
    env = gym.make(DAILY, rates=[0.1] * 1000, render_mode="rgb_array")
    env.reset(seed=0)
    assert env.render().shape[0] < 1000


def test_videos_are_recorded(tmp_path):
    pytest.importorskip("moviepy")
    env = gym.wrappers.RecordVideo(gym.make(BANDIT, horizon=3, render_mode="rgb_array"), str(tmp_path / "new"))
    env.reset(seed=0)
    for _ in range(3):
        env.step(0)
    env.close()
    assert list(tmp_path.glob("new/*.mp4"))


def test_human_rendering_of_pictures(monkeypatch):
    pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = gym.wrappers.HumanRendering(gym.make(DAILY, render_mode="rgb_array"))
    env.reset(seed=0)
    env.close()


def test_wrappers_of_gymnasium_apply():
    env = gym.wrappers.RecordEpisodeStatistics(gym.wrappers.FlattenObservation(gym.make(DAILY, **WORLD)))
    obs, _ = env.reset(seed=0)
    assert obs.shape == (5,)
    rewards, terminated = [], False
    while not terminated:
        obs, reward, terminated, _, info = env.step(encode_action([0, 1]))
        rewards.append(reward)
    assert obs.tolist() == [0, 12, 3, 0, 12]  # conversions, day, visits: Dict spaces are in alphabetical order
    assert (info["episode"]["r"], info["episode"]["l"]) == (sum(rewards), 4)


def test_vector_wrappers_of_gymnasium_apply():
    env = gym.make_vec(DAILY, num_envs=2, **WORLD)
    env = gym.wrappers.vector.RecordEpisodeStatistics(gym.wrappers.vector.FlattenObservation(env))
    assert env.reset(seed=0)[0].shape == (2, 5)
    for _ in range(4):
        obs, *_, infos = env.step(np.tile(encode_action([0, 1]), (2, 1)))
    assert obs.tolist() == [[0, 12, 3, 0, 12]] * 2
    assert infos["episode"]["r"].tolist() == [12, 12]
