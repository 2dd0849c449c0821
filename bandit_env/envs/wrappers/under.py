"""What a wrapper asks of the environment under it, with one clear error where it does not have it."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from bandit_env.world.task import Task


def task_of(env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> Task:
    """The public facts of an environment's experiments, native or Gymnasium's own vector of single ones.

    Raises:
        ValueError: an environment that has none, or whose experiments differ in them.
    """
    try:
        if not isinstance(env, VectorEnv):
            tasks = [env.get_wrapper_attr("task")]
        elif hasattr(env.unwrapped, "get_attr"):  # SyncVectorEnv, AsyncVectorEnv
            tasks = list(env.unwrapped.get_attr("task"))
        else:
            tasks = [env.unwrapped.task]  # type: ignore[attr-defined]
    except AttributeError:
        tasks = []
    if not tasks or not all(isinstance(task, Task) for task in tasks):
        raise ValueError(f"expected an environment of bandit_env, which has a task; found {env}")
    if any(task != tasks[0] for task in tasks):
        raise ValueError(f"expected experiments of one task; found {tasks[0]} and others")
    task: Task = tasks[0]
    return task


def counts_of(space: gym.Space[Any]) -> gym.spaces.Dict:
    """The space of counts, checked.

    Raises:
        ValueError: another space.
    """
    if not isinstance(space, gym.spaces.Dict) or not {"visits", "conversions"} < set(space):
        raise ValueError(f"expected an observation of visits, conversions and a clock; found {space}")
    return space


def rewrite_final(infos: dict[str, Any], read: Callable[[int, Any], NDArray[Any]]) -> dict[str, Any]:
    """Infos with each episode's last observation as `read(row, observation)`."""
    if "final_obs" not in infos:
        return infos
    final = np.empty(len(infos["final_obs"]), dtype=object)
    for row in np.flatnonzero(infos["_final_obs"]):
        final[row] = read(int(row), infos["final_obs"][row])
    return {**infos, "final_obs": final}
