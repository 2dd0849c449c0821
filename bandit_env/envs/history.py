"""The last action and the last reward of each experiment, as meta-learners see them beside the observation."""

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray


class History:
    """What N experiments last did and got; 0 before the first step.

    Args:
        action_space: of one experiment: a Box, or a Discrete, whose actions are written as one-hots.
        num_rows: N.
    """

    def __init__(self, action_space: gym.Space[Any], num_rows: int) -> None:
        self._discrete = isinstance(action_space, gym.spaces.Discrete)
        self._width = int(gym.spaces.flatdim(action_space))  # A
        self._last = np.zeros((num_rows, self._width + 1), np.float32)

    def extend(self, space: gym.Space[Any]) -> gym.spaces.Box:
        """The space of observations with the A + 1 numbers after them.

        Raises:
            ValueError: a space that is no one-dimensional Box of float32, such as the Dict of counts.
        """
        if not isinstance(space, gym.spaces.Box) or len(space.shape) != 1 or space.dtype != np.float32:
            raise ValueError(
                f"history needs a flat observation of float32, such as ArmFeatures(flat=True); found {space}"
            )
        low = np.concatenate([space.low, np.zeros(self._width), [-np.inf]]).astype(np.float32)
        high = np.concatenate([space.high, np.ones(self._width), [np.inf]]).astype(np.float32)
        return gym.spaces.Box(low, high, dtype=np.float32)

    def append(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Observations of all rows, shape (N, D), with the history after them."""
        return np.concatenate([observations, self._last], axis=1)

    def append_one(self, row: int, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """One row's observation, shape (D,), with its history."""
        return np.concatenate([observation, self._last[row]])

    def clear(self, rows: NDArray[np.int64]) -> None:
        """Forget, where a new world begins."""
        self._last[rows] = 0

    def remember(self, ran: NDArray[np.bool_], actions: NDArray[Any], rewards: NDArray[np.floating]) -> None:
        """Keep what the rows that ran did, shape (N,) or (N, A), and got, shape (N,)."""
        rows = np.flatnonzero(ran)
        if self._discrete:
            self._last[rows, :-1] = 0
            self._last[rows, actions[rows]] = 1
        else:
            self._last[rows, :-1] = actions[rows]
        self._last[rows, -1] = rewards[rows]
