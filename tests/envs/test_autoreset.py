"""Every array of every step across the ends of episodes, written out by hand, in each autoreset mode.

The world is without chance: rates 0 and 1, 4 visits a day split proportionally, 3 days. Row 0 serves evenly on day 1,
then declares arm 1. Row 1 sends day 1 to arm 0, then all to arm 1, and makes the last decision after day 3: arm 0.
"""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import bandit_env  # noqa: F401

WORLD = {"rates": [0.0, 1.0], "visits_per_day": 4, "max_days": 3, "min_days": 1, "split": "proportional"}
ACTIONS = np.array(
    [
        [[0.5, 0.5, 0], [1, 0, 0]],
        [[0, 1, 1], [0, 1, 0]],
        [[0, 1, 0], [0, 1, 0]],
        [[0, 1, 0], [1, 0, 1]],
        [[1, 0, 1], [0.5, 0.5, 0]],
    ],
    np.float32,
)
NO, YES = np.array([False, False]), np.array([True, True])
ROW_0, ROW_1 = np.array([True, False]), np.array([False, True])


EVERYTHING = {  # that moves
    "prior": [2, 30], "num_arms": 3, "max_days": 5, "min_days": 1, "loss_days": 9, "updates_per_day": 2,
    "traffic": {"model": "negative-binomial", "size": 3}, "weekday_traffic": [1, 2, 0, 1, 1, 1, 1],
    "delay": [0, 1, 0.5], "joins": [0, 0, 2], "leaves": [4, None, None],
    "effects": [
        {"effect": "weekday", "factors": [1, 2, 1, 1, 1, 1, 1]},
        {"effect": "step", "day": 3, "factor": 0.5, "arm": [0, 2]},
        {"effect": "trend", "from": 1, "to": 2, "scale": "odds"},
        {"effect": "novelty", "arm": 2, "factor": 3, "half_life": 1},
        {"effect": "switch", "day": 4, "arm": 1, "rates": [0.5]},
        {"effect": "day-shock", "sd": 0.3},
        {"effect": "walk", "sd": 0.2},
    ],
}  # fmt: skip


def told(mask, regret=(0.0, 0.0), served=(0, 0)):
    """What a step tells in the rows of a mask whose experiments go on."""
    infos = {
        "rates": mask[:, None] * [0.0, 1.0],
        "base_rates": mask[:, None] * [0.0, 1.0],
        "best_rate": mask * 1.0,
        "regret": np.array(regret),
        "served": np.array(served),
        "declared_arm": -mask.astype(int),
        "correct": mask & False,
        "best_arm": -mask.astype(int),
        "stopping_day": mask * 0.0,
        "regret_after": mask * 0.0,
        "loss_after": mask * 0.0,
    }
    return infos | {f"_{name}": mask for name in infos}


def new(mask):
    """What a reset tells in the rows of a mask."""
    return told(mask)


def end(mask, arm, correct, day, after=0.0):
    """What the end tells in the rows of a mask."""
    return told(mask) | {
        "declared_arm": mask * arm,
        "correct": mask & correct,
        "best_arm": mask * 1,
        "stopping_day": mask * float(day),
        "regret_after": mask * after,
        "loss_after": mask * after,
    }


def both(first, second):
    """Infos of two masks."""
    return {
        name: first[name] | second[name] if name.startswith("_") else first[name] + second[name]
        for name in first
        if first[name].dtype != bool or name.startswith("_")
    } | {"correct": first["correct"] | second["correct"]}


def obs(visits, conversions, days):
    return {
        "visits": np.array(visits, np.float64),
        "conversions": np.array(conversions, np.float64),
        "day": np.array(days, np.float64)[:, None],
    }


def one(visits, conversions, day):
    return {
        "visits": np.array(visits, np.float64),
        "conversions": np.array(conversions, np.float64),
        "day": np.array([day], np.float64),
    }


START = (obs([[0, 0], [0, 0]], [[0, 0], [0, 0]], [0, 0]), new(YES))
FIRST = (
    obs([[2, 2], [4, 0]], [[0, 2], [0, 0]], [1, 1]),
    [2.0, 0.0],
    NO,
    told(YES, regret=[2.0, 4.0], served=[4, 4]),
)
# Arm 1 will serve the 12 - 4 visits that are left, and all of them convert.
STOP = end(ROW_0, 1, True, 1)
LAST = end(ROW_1, 0, False, 3)

EXPECTED = {
    "NextStep": [
        FIRST,
        (
            obs([[2, 2], [4, 4]], [[0, 2], [0, 4]], [1, 2]),
            [8.0, 4.0],
            ROW_0,
            both(told(ROW_1, served=[0, 4]), STOP),
        ),
        (
            obs([[0, 0], [4, 8]], [[0, 0], [0, 8]], [0, 3]),
            [0.0, 4.0],
            NO,
            both(told(ROW_1, served=[0, 4]), new(ROW_0)),
        ),
        (
            obs([[0, 4], [4, 8]], [[0, 4], [0, 8]], [1, 3]),
            [4.0, 0.0],
            ROW_1,
            both(told(ROW_0, served=[4, 0]), LAST),
        ),
        (
            obs([[0, 4], [0, 0]], [[0, 4], [0, 0]], [1, 0]),
            [0.0, 0.0],
            ROW_0,
            both(end(ROW_0, 0, False, 1, 8.0), new(ROW_1)),
        ),
    ],
    "SameStep": [
        FIRST,
        (
            obs([[0, 0], [4, 4]], [[0, 0], [0, 4]], [0, 2]),
            [8.0, 4.0],
            ROW_0,
            both(told(ROW_1, served=[0, 4]), new(ROW_0))
            | {
                "final_obs": [one([2, 2], [0, 2], 1), None],
                "final_info": STOP,
            },
        ),
        (
            obs([[0, 4], [4, 8]], [[0, 4], [0, 8]], [1, 3]),
            [4.0, 4.0],
            NO,
            told(YES, served=[4, 4]),
        ),
        (
            obs([[0, 8], [0, 0]], [[0, 8], [0, 0]], [2, 0]),
            [4.0, 0.0],
            ROW_1,
            both(told(ROW_0, served=[4, 0]), new(ROW_1))
            | {
                "final_obs": [None, one([4, 8], [0, 8], 3)],
                "final_info": LAST,
            },
        ),
        (
            obs([[0, 0], [2, 2]], [[0, 0], [0, 2]], [0, 1]),
            [0.0, 2.0],
            ROW_0,
            both(told(ROW_1, [0.0, 2.0], [0, 4]), new(ROW_0))
            | {
                "final_obs": [one([0, 8], [0, 8], 2), None],
                "final_info": end(ROW_0, 0, False, 2, 4.0),
            },
        ),
    ],
    "Disabled": [
        FIRST,
        (
            obs([[2, 2], [4, 4]], [[0, 2], [0, 4]], [1, 2]),
            [8.0, 4.0],
            ROW_0,
            both(told(ROW_1, served=[0, 4]), STOP),
        ),
        (
            obs([[2, 2], [4, 8]], [[0, 2], [0, 8]], [1, 3]),
            [0.0, 4.0],
            ROW_0,
            told(ROW_1, served=[0, 4]),
        ),
        (
            obs([[2, 2], [4, 8]], [[0, 2], [0, 8]], [1, 3]),
            [0.0, 0.0],
            YES,
            LAST,
        ),
        (obs([[2, 2], [4, 8]], [[0, 2], [0, 8]], [1, 3]), [0.0, 0.0], YES, {}),
    ],
}


def final(infos):
    """The infos of a step with the entries that SyncVectorEnv adds around the last observations."""
    if "final_obs" in infos:
        mask = infos["final_info"]["_regret"]
        array = np.full(2, None, dtype=object)
        array[:] = infos["final_obs"]
        infos = infos | {"final_obs": array, "_final_obs": mask, "_final_info": mask}
    return infos


def native(mode):
    return gym.make_vec("bandit_env/DailyTraffic-v0", num_envs=2, autoreset_mode=mode, **WORLD)


def sync(mode):
    mode = {"autoreset_mode": AutoresetMode(mode)}
    return gym.make_vec("bandit_env/DailyTraffic-v0", 2, "sync", vector_kwargs=mode, **WORLD)


@pytest.mark.parametrize(
    ("mode", "make"),
    # no SyncVectorEnv in Disabled mode: it asserts that ended rows are reset before the next step, ours let them idle
    [("NextStep", native), ("NextStep", sync), ("SameStep", native), ("SameStep", sync), ("Disabled", native)],
)
def test_every_array_of_every_step(mode, make):
    env = make(mode)
    assert env.metadata["autoreset_mode"] is AutoresetMode(mode)
    found = env.reset(seed=0)
    assert data_equivalence(found, START, exact=True), f"reset: {found}"
    for step, (action, (observations, rewards, ended, infos)) in enumerate(zip(ACTIONS, EXPECTED[mode], strict=True)):
        returned = env.step(action)
        names = ("observations", "rewards", "terminations", "truncations", "infos")
        expected = (observations, np.array(rewards), ended, NO, final(infos))
        for name, a, b in zip(names, returned, expected, strict=True):
            assert data_equivalence(a, b, exact=True), f"step {step}, {name}: found {a}, expected {b}"


def test_masked_reset_leaves_the_other_rows_alone():
    env = native("Disabled")
    env.reset(seed=0)
    for action in ACTIONS[:3]:
        env.step(action)
    options = {"reset_mask": ROW_0.copy()}
    found = env.reset(options=options)
    assert data_equivalence(found, (obs([[0, 0], [4, 8]], [[0, 0], [0, 8]], [0, 3]), new(ROW_0)), exact=True)
    assert list(options) == ["reset_mask"]
    observations, rewards, terminations, *_ = env.step(ACTIONS[3])
    assert data_equivalence(observations, obs([[0, 4], [4, 8]], [[0, 4], [0, 8]], [1, 3]), exact=True)
    assert (rewards.tolist(), terminations.tolist()) == ([4, 0], [False, True])


def test_idle_rows_ignore_what_they_are_sent():
    env = native("Disabled")
    env.reset(seed=0)
    env.step(ACTIONS[0])
    env.step(ACTIONS[1])
    action = ACTIONS[2].copy()
    action[0] = np.nan
    assert env.step(action)[1].tolist() == [0, 4]
    action[1, 0] = np.nan
    with pytest.raises(ValueError, match=r"action\[1, 0\] is nan"):
        env.step(action)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_fixed_rates_last_one_episode(mode):
    env = native(mode)
    _, infos = env.reset(seed=0, options={"rates": [[0.5, 0.25], [1, 0]]})
    assert infos["rates"].tolist() == [[0.5, 0.25], [1, 0]]
    assert infos["best_rate"].tolist() == [0.5, 1]
    later = [env.step(action)[4] for action in ACTIONS[:3]]
    assert later[0]["rates"].tolist() == [[0.5, 0.25], [1, 0]]
    assert later[-1]["rates"].tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("DailyTraffic", {"prior": [2, 30], "num_arms": 3, "max_days": 5, "min_days": 1, "updates_per_day": 2}),
        ("BernoulliBandit", {"prior": [1, 1], "num_arms": 4, "horizon": 9}),
        ("DailyTraffic", EVERYTHING),
        ("DailyTraffic", EVERYTHING | {"split": "proportional", "reward": "regret"}),
        ("BernoulliBandit", {"horizon": 9, "delay": [0, 2], "effects": [{"effect": "walk", "sd": 0.3}]}),
    ],
)
def test_native_equals_sync_bit_for_bit(name, kwargs, mode):
    """Unequal episodes, drawn rates, random actions, seeds for some rows only: the same returns."""
    native = gym.make_vec(f"bandit_env/{name}-v0", num_envs=5, autoreset_mode=mode.value, **kwargs)
    sync = SyncVectorEnv([lambda: gym.make(f"bandit_env/{name}-v0", **kwargs)] * 5, autoreset_mode=mode)
    native.action_space.seed(4)
    assert data_equivalence(native.reset(seed=8), sync.reset(seed=8), exact=True)
    seeds = [None, 2**64 + 5, None, 0, 3]
    assert data_equivalence(native.reset(seed=seeds), sync.reset(seed=seeds), exact=True)
    for step in range(60):
        actions = native.action_space.sample()
        ours, theirs = native.step(actions), sync.step(actions)
        assert data_equivalence(ours, theirs, exact=True), f"step {step}: {ours} and {theirs}"
        again = ours[2] if mode is AutoresetMode.DISABLED else np.arange(5) == 1
        if again.any() and (step == 3 or mode is AutoresetMode.DISABLED):  # at 3, so that episodes of one length part
            pair = [env.reset(options={"reset_mask": again.copy()}) for env in (native, sync)]
            assert data_equivalence(*pair, exact=True)
