"""What learners need on top of the environments: features instead of counts, a menu instead of a simplex.

Each comes for single and for vector environments. A vector wrapper also rewrites the last observations
of episodes in `infos["final_obs"]`, so that SAME_STEP autoreset hands out one kind of observation only.

>>> import gymnasium as gym, bandit_env
>>> env = ArmFeatures(gym.make("bandit_env/DailyTraffic-v0", prior=[4, 96], num_arms=3, max_days=60))
>>> env.observation_space.shape
(3, 6)
>>> AllocationMenu(env).action_space
Discrete(10)
"""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorActionWrapper, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from bandit_env.stats.features import DEFAULT_FEATURES, FEATURES, arm_features, check_names
from bandit_env.world.action import encode_action
from bandit_env.world.task import Task


class ArmFeatures(gym.ObservationWrapper[NDArray[np.float32], Any, Any], RecordConstructorArgs):
    """Shows a table of posterior features, shape (K, F), float32, instead of raw counts.

    Args:
        env: a DailyTraffic or BernoulliBandit environment.
        names: which features, see `bandit_env.stats.features.arm_features`.
        prior: (a, b) of the Beta prior under which the learner sees the counts. It need not be the environment's.

    Raises:
        ValueError: an unknown feature.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        names: Sequence[str] = DEFAULT_FEATURES,
        prior: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        RecordConstructorArgs.__init__(self, names=tuple(names), prior=tuple(prior))
        gym.ObservationWrapper.__init__(self, env)
        self._table = _Table(env.get_wrapper_attr("task"), env.observation_space, names, prior)
        self.observation_space = self._table.space

    def observation(self, observation: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float32]:
        """Counts as features, shape (K, F)."""
        return self._table.read(observation)


class ArmFeaturesVector(VectorWrapper, RecordConstructorArgs):
    """`ArmFeatures` for a vector environment: observations of shape (N, K, F), float32."""

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        names: Sequence[str] = DEFAULT_FEATURES,
        prior: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        RecordConstructorArgs.__init__(self, names=tuple(names), prior=tuple(prior))
        VectorWrapper.__init__(self, env)  # Gymnasium's VectorObservationWrapper refuses SAME_STEP
        self._table = _Table(_task(env), env.single_observation_space, names, prior)
        self.single_observation_space = self._table.space
        self.observation_space = batch_space(self._table.space, self.num_envs)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Any:
        """Begin new episodes."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return self._table.read(observations), infos

    def step(self, actions: Any) -> Any:
        """A step, the last observations of ended episodes rewritten as well."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        if "final_obs" in infos:
            final = np.empty(self.num_envs, dtype=object)
            for row in np.flatnonzero(infos["_final_obs"]):
                final[row] = self._table.read(infos["final_obs"][row])
            infos = {**infos, "final_obs": final}
        return self._table.read(observations), rewards, terminations, truncations, infos


class AllocationMenu(gym.ActionWrapper[Any, np.int64, Any], RecordConstructorArgs):
    """Offers a discrete menu of allocations, for learners such as DQN that choose among a few actions.

    Entries, in order: those of `allocations`, then (with `declare`) to stop and ship arm 0, ..., K - 1.

    Args:
        env: a DailyTraffic environment.
        allocations: serving weights, shape (M, K); None stands for uniform, each arm alone, and for each arm four
            fifths of the traffic with the rest shared equally (M = 2 K + 1).
        declare: whether the menu holds the K ways to stop.

    Raises:
        ValueError: allocations that are not one row of K non-negative weights each, not all zero.
    """

    def __init__(
        self, env: gym.Env[Any, Any], allocations: Sequence[Sequence[float]] | None = None, declare: bool = True
    ) -> None:
        RecordConstructorArgs.__init__(self, allocations=allocations, declare=declare)
        gym.ActionWrapper.__init__(self, env)
        self.menu = _menu(env.get_wrapper_attr("task").num_arms, allocations, declare)  # (M, K + 1)
        self.action_space = gym.spaces.Discrete(len(self.menu))

    def action(self, action: np.int64) -> NDArray[np.float32]:
        """The menu's entry, shape (K + 1,)."""
        return self.menu[_check_choice(action, len(self.menu))].copy()


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
        self.menu = _menu(_task(env).num_arms, allocations, declare)
        self.single_action_space = gym.spaces.Discrete(len(self.menu))
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def actions(self, actions: NDArray[np.int64]) -> NDArray[np.float32]:
        """The menu's entries, shape (N, K + 1)."""
        return self.menu[_check_choice(actions, len(self.menu))]


class _Table:
    """Observations as features, over any leading axes."""

    def __init__(self, task: Task, space: gym.Space[Any], names: Sequence[str], prior: tuple[float, float]) -> None:
        check_names(names)
        if not isinstance(space, gym.spaces.Dict) or not {"visits", "conversions"} < set(space):
            raise ValueError(f"expected an observation of visits, conversions and a clock; found {space}")
        (self.clock,) = set(space) - {"visits", "conversions"}
        self.task, self.names, self.prior = task, tuple(names), prior
        low = np.array([[FEATURES[name].low for name in names]] * task.num_arms, np.float32)  # (K, F)
        high = np.array([[FEATURES[name].high for name in names]] * task.num_arms, np.float32)
        self.space = gym.spaces.Box(low, high, dtype=np.float32)

    def read(self, observation: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float32]:
        return arm_features(
            observation["conversions"],
            observation["visits"],
            observation[self.clock][..., 0],
            self.task.max_days,
            self.task.visits_per_day,
            self.prior,
            self.names,
        ).astype(np.float32)


def _task(env: VectorEnv[Any, Any, Any]) -> Task:
    task = env.unwrapped.task  # type: ignore[attr-defined]
    assert isinstance(task, Task)
    return task


def _menu(num_arms: int, allocations: Sequence[Sequence[float]] | None, declare: bool) -> NDArray[np.float32]:
    alone = np.eye(num_arms)
    if allocations is None:
        most = 0.8 * alone + 0.2 * (1 - alone) / (num_arms - 1)
        weights = np.concatenate([np.full((1, num_arms), 1 / num_arms), alone, most])
    else:
        weights = np.asarray(allocations, dtype=np.float64)
        if weights.ndim != 2 or weights.shape[1] != num_arms or not len(weights):
            raise ValueError(f"allocations has shape {weights.shape}; expected (M, {num_arms}), one row per entry")
        if not (np.isfinite(weights) & (weights >= 0)).all() or not (weights.sum(axis=1) > 0).all():
            raise ValueError("allocations holds a row that is no split; expected non-negative weights, not all zero")
        weights = weights / weights.sum(axis=1, keepdims=True)
    menu = encode_action(weights)
    return np.concatenate([menu, encode_action(alone, np.arange(num_arms))]) if declare else menu


def _check_choice(action: Any, size: int) -> NDArray[np.intp]:
    choice = np.asarray(action)
    if choice.dtype.kind not in "iu" or ((choice < 0) | (choice >= size)).any():
        raise ValueError(f"action is {action!r}; expected whole numbers from 0 to {size - 1}")
    return choice.astype(np.intp)
