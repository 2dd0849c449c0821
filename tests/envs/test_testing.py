"""The conformance checker: it passes what conforms, and names the fault of what does not."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from bandit_env.envs.daily_traffic import DailyTrafficVectorEnv
from bandit_env.envs.testing import check_vector_env

NEXT_STEP, SAME_STEP, DISABLED = AutoresetMode


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("DailyTraffic", {"max_days": 6, "min_days": 2}),
        ("DailyTraffic", {"prior": [2, 30], "num_arms": 3, "max_days": 4, "min_days": 0, "updates_per_day": 2}),
        ("DailyTraffic", {"max_days": 4, "min_days": 1, "reward": "regret", "split": "proportional"}),
        ("BernoulliBandit", {"prior": [1, 1], "num_arms": 4, "horizon": 7}),
    ],
)
def test_our_environments_conform(name, kwargs):
    check_vector_env(
        lambda mode: gym.make_vec(f"bandit_env/{name}-v0", num_envs=4, autoreset_mode=mode, **kwargs),
        single=lambda: gym.make(f"bandit_env/{name}-v0", **kwargs),
        steps=60,
    )


def test_gymnasium_s_own_vector_environment_conforms():
    def make():
        return gym.make("FrozenLake-v1")

    check_vector_env(lambda mode: SyncVectorEnv([make] * 3, autoreset_mode=mode), single=make)


class Honest(DailyTrafficVectorEnv):
    def __init__(self, mode):
        super().__init__(3, max_days=5, min_days=1, prior=[1, 9], num_arms=2, autoreset_mode=mode)


class WrongMetadata(Honest):
    def __init__(self, mode):
        super().__init__(mode)
        self.metadata["autoreset_mode"] = mode.value


class WrongSpace(Honest):
    def __init__(self, mode):
        super().__init__(mode)
        self.action_space = self.single_action_space


class UnseededRows(Honest):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=[seed] * 3 if isinstance(seed, int) else seed, options=options)


class IgnoresTheSeed(Honest):
    def reset(self, *, seed=None, options=None):
        return super().reset(options=options)


class ReusesItsBuffer(Honest):
    def step(self, actions):
        obs, *rest = super().step(actions)
        obs["visits"] = self.world.visits
        return obs, *rest


class SharesInOneReturn(Honest):
    def step(self, actions):
        *rest, infos = super().step(actions)
        if "_served" in infos:
            infos["_served"] = infos["_regret"]
        return *rest, infos


class ForgetsAMask(Honest):
    def step(self, actions):
        *rest, infos = super().step(actions)
        infos.pop("_regret", None)
        return *rest, infos


class TellsOutsideItsMask(Honest):
    def reset(self, **kwargs):
        observations, infos = super().reset(**kwargs)
        infos["served"][~infos["_served"]] += 1
        return observations, infos


class MiscountsWhatItServed(Honest):
    def step(self, actions):
        *rest, infos = super().step(actions)
        if "served" in infos:
            infos["served"] += infos["_served"]
        return *rest, infos


class OtherDtype(Honest):
    def step(self, actions):
        obs, rewards, terminations, *rest = super().step(actions)
        return obs, rewards, terminations.astype(np.int64), *rest


class LeavesItsSpace(Honest):
    def step(self, actions):
        obs, *rest = super().step(actions)
        obs["day"] = obs["day"] + 1
        return obs, *rest


class RewardsTheReset(Honest):
    def step(self, actions):
        ended = self.world.ended.copy()
        obs, rewards, *rest = super().step(actions)
        return obs, rewards + ended, *rest


class NeverStartsOver(Honest):
    def step(self, actions):
        ended = self.world.ended.copy()
        obs, rewards, terminations, *rest = super().step(actions)
        return obs, rewards, terminations | ended, *rest


class ForgetsTheResetInfo(Honest):
    def step(self, actions):
        begun = self.world.ended.copy()
        *rest, infos = super().step(actions)
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            begun = rest[2]
        infos["_rates"] &= ~begun
        infos["rates"][begun] = 0
        return *rest, infos


class ForgetsTheLastObservation(Honest):
    def _final(self, rows, info):
        final = super()._final(rows, info)
        return {key: value for key, value in final.items() if "obs" not in key}


class LastObservationIsTheNextFirst(Honest):
    def _final(self, rows, info):
        final = super()._final(rows, info)
        for row in rows:
            final["final_obs"][row] = {"visits": np.zeros(2)}
        return final


class ResetsTooManyRows(Honest):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)


class ListensInEndedRows(Honest):
    """An ended row's action moves the rows that run."""

    def step(self, actions):
        ended = self.world.ended.copy()
        if ended.any() and not ended.all() and actions[ended][0, 0] > 0.5:
            actions = np.where(ended[:, None], actions, 1 - actions)
        return super().step(actions)


class PerturbsRows(Honest):
    """Row 1 is not what a single environment is."""

    def step(self, actions):
        obs, rewards, *rest = super().step(actions)
        return obs, rewards + np.array([0, 1e-12, 0]), *rest


@pytest.mark.parametrize(
    ("cls", "mode", "message"),
    [
        (WrongMetadata, NEXT_STEP, r"metadata\['autoreset_mode'\] is 'NextStep'; expected"),
        (WrongSpace, NEXT_STEP, "action_space is .* expected the single one's batch"),
        (UnseededRows, NEXT_STEP, r"reset\(seed=0\) and reset\(seed=\[0, 1, 2\]\) differ"),
        (IgnoresTheSeed, NEXT_STEP, "differ"),
        (ReusesItsBuffer, NEXT_STEP, "share memory|changed what an earlier call returned"),
        (SharesInOneReturn, NEXT_STEP, "two of the arrays returned share memory"),
        (ForgetsAMask, NEXT_STEP, r"infos\['regret'\] has no mask '_regret'"),
        (MiscountsWhatItServed, DISABLED, r"(?s)differ in infos: .*served"),
        (TellsOutsideItsMask, DISABLED, "not zero outside its mask"),
        (OtherDtype, NEXT_STEP, "terminations is int64; expected bool"),
        (LeavesItsSpace, NEXT_STEP, "is not in Dict"),
        (RewardsTheReset, NEXT_STEP, "in rows that reset, .*; expected 0"),
        (NeverStartsOver, NEXT_STEP, "ended in the step that resets them"),
        (ForgetsTheResetInfo, NEXT_STEP, "infos tell '(rates|best_rate)' in rows"),
        (ForgetsTheResetInfo, SAME_STEP, "infos tell '(rates|best_rate)' in rows"),
        (ForgetsTheLastObservation, SAME_STEP, "infos tell 'final_obs' in rows"),
        (LastObservationIsTheNextFirst, SAME_STEP, "final_obs of row .* expected one of Dict"),
        (ResetsTooManyRows, DISABLED, "rows outside the mask .* changed"),
        (ListensInEndedRows, NEXT_STEP, "a second copy with other actions in ended rows differ in"),
        (PerturbsRows, NEXT_STEP, "SyncVectorEnv of single ones differ in rewards"),
    ],
)
def test_faults_are_named(cls, mode, message):
    single = None
    if cls in (PerturbsRows, MiscountsWhatItServed):
        kwargs = {"max_days": 5, "min_days": 1, "prior": [1, 9], "num_arms": 2}

        def single():
            return gym.make("bandit_env/DailyTraffic-v0", **kwargs)

    with pytest.raises(AssertionError, match=message):
        check_vector_env(cls, single=single, modes=[mode])


@pytest.mark.parametrize("mode", AutoresetMode)
def test_the_honest_one_has_no_fault(mode):
    check_vector_env(Honest, modes=[mode])


def test_a_check_without_the_end_of_an_episode_says_so():
    with pytest.raises(AssertionError, match="no episode ended in 2 steps"):
        check_vector_env(lambda mode: gym.make_vec("bandit_env/BernoulliBandit-v0", autoreset_mode=mode), steps=2)
