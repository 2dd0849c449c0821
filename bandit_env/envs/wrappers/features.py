"""Features of arms instead of counts."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from bandit_env.envs.feature_view import FeatureTable
from bandit_env.envs.history import History
from bandit_env.envs.wrappers.under import counts_of, rewrite_final, task_of
from bandit_env.stats.features import DEFAULT_FEATURES

Counts = Mapping[str, NDArray[np.float64]]


class ArmFeatures(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Shows a table of posterior features, shape (K, F), float32, instead of raw counts.

    Args:
        env: a DailyTraffic or BernoulliBandit environment.
        names: which features, see `bandit_env.stats.features.arm_features`.
        prior: (a, b) of the Beta prior under which the learner sees the counts. It need not be the environment's.
        flat: one row of K F numbers, arm by arm, instead of the table.
        history: append the last action (an arm as a one-hot) and the last reward, 0 at first; needs `flat`. An
            experiment that has ended, and idles in Disabled mode, keeps those of its last step.

    Raises:
        ValueError: an unknown feature, another observation, or `history` of a table.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        names: Sequence[str] = DEFAULT_FEATURES,
        prior: tuple[float, float] = (1.0, 1.0),
        flat: bool = False,
        history: bool = False,
    ) -> None:
        RecordConstructorArgs.__init__(self, names=tuple(names), prior=tuple(prior), flat=flat, history=history)
        gym.Wrapper.__init__(self, env)
        self._reader = _Reader(env, env.observation_space, names, prior, flat)
        self._history = History(env.action_space, 1) if history else None
        self.observation_space = _space(self._reader, self._history)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Begin a new episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        if self._history is not None:
            self._history.clear(np.zeros(1, np.int64))
        return self._show(observation), info

    def step(self, action: Any) -> Any:
        """A step."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if self._history is not None:
            self._history.remember(np.ones(1, np.bool_), np.asarray(action)[None], np.array([reward], np.float64))
        return self._show(observation), reward, terminated, truncated, info

    def _show(self, observation: Counts) -> NDArray[np.float32]:
        features = self._reader.read(observation)
        return features if self._history is None else self._history.append(features[None])[0]


class ArmFeaturesVector(VectorWrapper, RecordConstructorArgs):
    """`ArmFeatures` for a vector environment: observations of shape (N, K, F), or (N, K F) with `flat`, float32."""

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        names: Sequence[str] = DEFAULT_FEATURES,
        prior: tuple[float, float] = (1.0, 1.0),
        flat: bool = False,
        history: bool = False,
    ) -> None:
        RecordConstructorArgs.__init__(self, names=tuple(names), prior=tuple(prior), flat=flat, history=history)
        VectorWrapper.__init__(self, env)  # Gymnasium's VectorObservationWrapper refuses SAME_STEP
        self._reader = _Reader(env, env.single_observation_space, names, prior, flat)
        self._history = History(env.single_action_space, self.num_envs) if history else None
        self.single_observation_space = _space(self._reader, self._history)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self._ended = np.zeros(self.num_envs, np.bool_)  # in the last step, and not begun anew since

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Any:
        """Begin new episodes."""
        mask = np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs, np.bool_)))
        observations, infos = self.env.reset(seed=seed, options=options)
        self._begin(np.flatnonzero(mask))
        return self._show(observations), infos

    def step(self, actions: Any) -> Any:
        """A step, the last observations of ended episodes rewritten as well."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        if self._history is not None:
            self._history.remember(~self._ended, np.asarray(actions), rewards)
        infos = rewrite_final(infos, self._show_one)
        ended, mode = terminations | truncations, self.metadata.get("autoreset_mode")
        if mode is AutoresetMode.SAME_STEP:
            self._begin(np.flatnonzero(ended))
        else:
            if mode is AutoresetMode.NEXT_STEP:
                self._begin(np.flatnonzero(self._ended))
            self._ended = ended.copy()
        return self._show(observations), rewards, terminations, truncations, infos

    def _begin(self, rows: NDArray[np.int64]) -> None:
        self._ended[rows] = False
        if self._history is not None:
            self._history.clear(rows)

    def _show(self, observations: Counts) -> NDArray[np.float32]:
        features = self._reader.read(observations)
        return features if self._history is None else self._history.append(features)

    def _show_one(self, row: int, observation: Counts) -> NDArray[np.float32]:
        features = self._reader.read(observation)
        return features if self._history is None else self._history.append_one(row, features)


class _Reader:
    """Features of observed counts."""

    def __init__(
        self, env: Any, space: gym.Space[Any], names: Sequence[str], prior: tuple[float, float], flat: bool
    ) -> None:
        (self._clock,) = set(counts_of(space)) - {"visits", "conversions"}
        self._table = FeatureTable(task_of(env), names, prior, flat)
        self.space = self._table.space

    def read(self, counts: Counts) -> NDArray[np.float32]:
        return self._table.read(counts["conversions"], counts["visits"], counts[self._clock][..., 0])


def _space(reader: _Reader, history: History | None) -> gym.spaces.Box:
    return reader.space if history is None else history.extend(reader.space)
