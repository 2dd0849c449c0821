"""What a wrapper asks of the environment under it, with one clear error where it does not have it."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from bandit_env.world.task import Task

Env = gym.Env[Any, Any] | VectorEnv[Any, Any, Any]


def task_of(env: Env) -> Task:
    """The public facts of an environment's experiments, native or Gymnasium's own vector of single ones.

    Raises:
        ValueError: an environment that has none, or whose experiments differ in them.
    """
    if any(_ask(env, "draws_tasks")):
        raise ValueError(
            "the environment draws its tasks from a sampler, and what is shown depends on them; expected one task "
            "(bandit_env/LearnDaily-v0 and LearnPerVisit-v0 show features of tasks that are drawn)"
        )
    tasks = _tasks_of(env)
    if any(task != tasks[0] for task in tasks):
        raise ValueError(f"expected experiments of one task; found {tasks[0]} and others")
    return tasks[0]


def num_arms_of(env: Env) -> int:
    """K, which is one for all experiments.

    Raises:
        ValueError: an environment that has no task, or whose experiments differ in K.
    """
    found = {task.num_arms for task in _tasks_of(env)}
    if len(found) > 1:
        raise ValueError(f"expected experiments of as many arms; found {sorted(found)}")
    return found.pop()


def _tasks_of(env: Env) -> list[Task]:
    native = isinstance(env, VectorEnv) and not hasattr(env.unwrapped, "get_attr")
    tasks = _ask(env, "tasks")[0] if native and hasattr(env.unwrapped, "tasks") else _ask(env, "task")
    if not tasks or not all(isinstance(task, Task) for task in tasks):
        raise ValueError(f"expected an environment of bandit_env, which has a task; found {env}")
    return list(tasks)


def _ask(env: Env, name: str) -> list[Any]:
    """An attribute of an environment, of each of the single ones in Gymnasium's own vectors; none where it is not."""
    try:
        if not isinstance(env, VectorEnv):
            return [env.get_wrapper_attr(name)]
        if hasattr(env.unwrapped, "get_attr"):  # SyncVectorEnv, AsyncVectorEnv
            return list(env.unwrapped.get_attr(name))
        return [getattr(env.unwrapped, name)]
    except AttributeError:
        return []


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
