"""bandit_env, BernoulliBandit-v0."""

import gymnasium
import numpy as np

import bandit_env  # noqa: F401

envs = gymnasium.make_vec("bandit_env/BernoulliBandit-v0", num_envs=1024, rates=[0.5, 0.6], horizon=10**9)
envs.reset(seed=1)
actions = np.random.default_rng(1).integers(0, 2, 1024)


def work():
    for _ in range(2000):
        envs.step(actions)
    return 2000 * 1024, None
