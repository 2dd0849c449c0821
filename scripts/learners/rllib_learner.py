"""RLlib's PPO in its new API stack, on the native vector environment."""

import sys
import time

import gymnasium as gym
import numpy as np
import torch
from played import report
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns

import bandit_env  # noqa: F401

env_id, steps, batch = sys.argv[2], int(sys.argv[3]), 4096
config = (
    PPOConfig()
    .environment(env_id)
    .env_runners(num_env_runners=0, num_envs_per_env_runner=64, gym_env_vectorize_mode="vector_entry_point")
    .training(gamma=1.0, lr=1e-3, train_batch_size_per_learner=batch, minibatch_size=1024, num_epochs=4)
    .debugging(seed=0)
)
algorithm = config.build_algo()
start = time.perf_counter()
for _ in range(steps // batch):
    algorithm.train()
seconds = time.perf_counter() - start
module, daily = algorithm.get_module(), isinstance(gym.make(env_id).action_space, gym.spaces.Box)


def act(seen):
    with torch.no_grad():
        inputs = module.forward_inference({Columns.OBS: torch.as_tensor(seen)})[Columns.ACTION_DIST_INPUTS].numpy()
    return (inputs[:, : inputs.shape[1] // 2] + 1) / 2 if daily else np.argmax(inputs, axis=1)  # of [-1, 1], unsquashed


report(env_id, act, steps, seconds)
algorithm.stop()
