"""AgileRL: one agent of a population, PPO for a Box of actions, DQN for Discrete ones."""

import sys
import time

import gymnasium as gym
from agilerl.algorithms import PPO
from agilerl.training.train_on_policy import train_on_policy
from played import report

import bandit_env  # noqa: F401

env_id, steps, num_envs = sys.argv[2], int(sys.argv[3]), 64
envs = gym.make_vec(env_id, num_envs=num_envs)
agent = PPO(
    envs.single_observation_space, envs.single_action_space, num_envs=num_envs, gamma=1.0, lr=1e-3, batch_size=1024,
    learn_step=4096, update_epochs=4, device="cpu",
)  # fmt: skip
start = time.perf_counter()
(agent,), _ = train_on_policy(
    envs, env_id, "PPO", [agent], max_steps=steps, evo_steps=steps // 4, eval_steps=60, verbose=False
)
seconds = time.perf_counter() - start
agent.set_training_mode(False)
report(env_id, lambda seen: agent.get_action(seen)[0], steps, seconds)
