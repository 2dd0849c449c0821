"""How each client's run ends: its policy meets the same experiments as every other's, and says what it lost."""

import json
from collections.abc import Callable

import gymnasium as gym
import numpy as np

import bandit_env  # noqa: F401


def report(env_id: str, act: Callable[[np.ndarray], np.ndarray], steps: int, seconds: float, experiments: int = 2000):
    """Print one line of JSON: the mean loss of some experiments, its standard error, what training took.

    Args:
        env_id: of the environment that was trained on.
        act: actions of shape (N, ...) for observations of shape (N, D); scores are cut at the ends of the space.
        steps: that training took.
        seconds: the same.
        experiments: how many; their seeds are the same for all.
    """
    env = gym.make_vec(env_id, num_envs=experiments, autoreset_mode="Disabled")
    seen, total, ended = env.reset(seed=10**6)[0], np.zeros(experiments), np.zeros(experiments, bool)
    while not ended.all():
        actions = np.asarray(act(seen))
        if isinstance(env.single_action_space, gym.spaces.Box):
            actions = np.clip(actions.reshape(env.action_space.shape), 0, 1)
        seen, rewards, ended, *_ = env.step(actions.reshape(env.action_space.shape))
        total -= rewards
    tell(total, steps, seconds)


def tell(losses: np.ndarray, steps: int, seconds: float):
    """Print the line, from the losses of some experiments."""
    error = float(np.std(losses) / np.sqrt(len(losses)))
    print(json.dumps({"loss": float(np.mean(losses)), "error": error, "steps": int(steps), "seconds": seconds}))
