"""Counts in one row of numbers, for what takes no Dict."""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from bandit_env.envs.wrappers.under import counts_of, rewrite_final

Counts = Mapping[str, NDArray[np.float64]]


class FlatCounts(gym.ObservationWrapper[Any, Any, Any], RecordConstructorArgs):
    """Shows conversions, clock and visits in one row of 2 K + 1 numbers, float32, in Gymnasium's order of flattening.

    Raw counts grow to thousands; a network learns better from `ArmFeatures`. Float32 holds whole numbers up to 2**24.

    Raises:
        ValueError: an environment whose observation is another.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        gym.ObservationWrapper.__init__(self, env)
        self._counts = counts_of(env.observation_space)
        self.observation_space = _flat_space(self._counts)

    def observation(self, observation: Counts) -> NDArray[np.float32]:
        """Counts in a row, shape (2 K + 1,)."""
        return _flat(self._counts, observation)


class FlatCountsVector(VectorWrapper, RecordConstructorArgs):
    """`FlatCounts` for a vector environment: shape (N, 2 K + 1), in all autoreset modes."""

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        VectorWrapper.__init__(self, env)  # Gymnasium's VectorObservationWrapper refuses SAME_STEP
        self._counts = counts_of(env.single_observation_space)
        self.single_observation_space = _flat_space(self._counts)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Any:
        """Begin new episodes."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return _flat(self._counts, observations), infos

    def step(self, actions: Any) -> Any:
        """A step, the last observations of ended episodes flattened as well."""
        observations, *rest, infos = self.env.step(actions)
        infos = rewrite_final(infos, lambda row, last: _flat(self._counts, last))
        return _flat(self._counts, observations), *rest, infos


def _flat_space(counts: gym.spaces.Dict) -> gym.spaces.Box:
    low, high = (
        np.concatenate([getattr(box, end) for box in counts.values()]).astype(np.float32) for end in ("low", "high")
    )
    return gym.spaces.Box(low, high, dtype=np.float32)


def _flat(counts: gym.spaces.Dict, observation: Counts) -> NDArray[np.float32]:
    return np.concatenate([observation[name] for name in counts], axis=-1, dtype=np.float32, casting="same_kind")
