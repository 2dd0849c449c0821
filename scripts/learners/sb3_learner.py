"""Stable-Baselines3: its own vector environments, or ours through `make_native_vec_env`."""

import sys
import time

import stable_baselines3 as sb3
from played import report

from bandit_env.rl.sb3 import make_native_vec_env

algorithm, env_id, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
on_policy = {"n_steps": 64, "batch_size": 1024, "n_epochs": 4, "learning_rate": 1e-3}
off_policy = {"learning_starts": 1000, "batch_size": 256, "train_freq": 8, "gradient_steps": 8}
settings = {"PPO": on_policy, "A2C": {}}.get(algorithm, off_policy)

envs = make_native_vec_env(env_id, n_envs=64 if algorithm in ("PPO", "A2C") else 8, seed=0)
model = getattr(sb3, algorithm)("MlpPolicy", envs, gamma=1.0, seed=0, device="cpu", **settings)
start = time.perf_counter()
model.learn(steps)
report(env_id, lambda seen: model.predict(seen, deterministic=True)[0], steps, time.perf_counter() - start)
