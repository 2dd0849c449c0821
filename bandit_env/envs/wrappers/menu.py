"""A menu of allocations instead of a simplex."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorActionWrapper, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from bandit_env.envs.wrappers.under import num_arms_of
from bandit_env.world.action import check_choice, make_menu


class AllocationMenu(gym.ActionWrapper[Any, np.int64, Any], RecordConstructorArgs):
    """Offers a discrete menu of allocations, for learners such as DQN that choose among a few actions.

    Entries, in order: those of `allocations`, then (with `declare`) to stop and ship arm 0, ..., K - 1.

    Args:
        env: a DailyTraffic environment.
        allocations: serving weights, shape (M, K); None stands for uniform, each arm alone, and for each arm four
            fifths of the traffic with the rest shared equally (M = 2 K + 1).
        declare: whether the menu holds the K ways to stop.

    Raises:
        ValueError: an environment whose actions are no split of traffic; allocations that are not one row of K
            non-negative weights each, not all zero.
    """

    def __init__(
        self, env: gym.Env[Any, Any], allocations: Sequence[Sequence[float]] | None = None, declare: bool = True
    ) -> None:
        RecordConstructorArgs.__init__(self, allocations=allocations, declare=declare)
        gym.ActionWrapper.__init__(self, env)
        self.menu = _menu_for(env, env.action_space, allocations, declare)  # (M, K + 1)
        self.action_space = gym.spaces.Discrete(len(self.menu))

    def action(self, action: np.int64) -> NDArray[np.float32]:
        """The menu's entry, shape (K + 1,)."""
        return self.menu[check_choice(action, len(self.menu))].copy()


class AllocationMenuVector(VectorActionWrapper, RecordConstructorArgs):
    """`AllocationMenu` for a vector environment: actions of shape (N,)."""

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        allocations: Sequence[Sequence[float]] | None = None,
        declare: bool = True,
    ) -> None:
        RecordConstructorArgs.__init__(self, allocations=allocations, declare=declare)
        VectorActionWrapper.__init__(self, env)
        self.menu = _menu_for(env, env.single_action_space, allocations, declare)
        self.single_action_space = gym.spaces.Discrete(len(self.menu))
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def actions(self, actions: NDArray[np.int64]) -> NDArray[np.float32]:
        """The menu's entries, shape (N, K + 1)."""
        return self.menu[check_choice(actions, len(self.menu))]


def _menu_for(
    env: Any, space: gym.Space[Any], allocations: Sequence[Sequence[float]] | None, declare: bool
) -> NDArray[np.float32]:
    """The menu of an environment whose actions are K traffic scores and a stop score."""
    num_arms = num_arms_of(env)
    if not isinstance(space, gym.spaces.Box) or space.shape != (num_arms + 1,):
        raise ValueError(
            f"a menu of allocations needs an environment that splits its traffic, with actions of shape "
            f"({num_arms + 1},), such as DailyTraffic; found {space}"
        )
    return make_menu(num_arms, allocations, declare)
