"""d3rlpy: SAC for a Box of actions, DQN for Discrete ones, trained online."""

import sys
import time

import d3rlpy
import gymnasium as gym
from played import report

import bandit_env  # noqa: F401

algorithm, env_id, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
env = gym.make(env_id)
d3rlpy.seed(0)
if algorithm == "SAC":
    ends = d3rlpy.preprocessing.MinMaxActionScaler(minimum=env.action_space.low, maximum=env.action_space.high)
    learner, explorer = d3rlpy.algos.SACConfig(gamma=1.0, action_scaler=ends).create(device="cpu"), None
else:
    settings = d3rlpy.algos.DoubleDQNConfig(gamma=1.0, learning_rate=1e-3, target_update_interval=500)
    learner = settings.create(device="cpu")
    explorer = d3rlpy.algos.LinearDecayEpsilonGreedy(duration=steps // 2, end_epsilon=0.05)
start = time.perf_counter()
learner.fit_online(
    env, d3rlpy.dataset.create_fifo_replay_buffer(limit=50_000, env=env), explorer, n_steps=steps,
    n_steps_per_epoch=steps, update_interval=4, update_start_step=1000, random_steps=1000, show_progress=False,
    logger_adapter=d3rlpy.logging.NoopAdapterFactory(), eval_env=None,
)  # fmt: skip
report(env_id, learner.predict, steps, time.perf_counter() - start)
