"""Environment steps per second that Stable-Baselines3 gets: our adapter against its own `make_vec_env`.

`python scripts/benchmark_rl.py [--num-envs 64]`: both sides take turns in one process; medians of the turns, random
actions that do not stop.
"""

import argparse
import statistics
import time

import numpy as np
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

from bandit_env.rl.sb3 import make_native_vec_env

WORLDS = {
    "bandit_env/DailyTraffic-v0": {"prior": [4, 96], "num_arms": 2, "max_days": 60},
    "bandit_env/BernoulliBandit-v0": {"prior": [1, 1], "num_arms": 2, "horizon": 100},
}


def steps_per_second(envs: VecEnv, actions: np.ndarray) -> float:
    start = time.perf_counter()
    for action in actions:
        envs.step(action)
    return len(actions) * envs.num_envs / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--steps", type=int, default=100)
    args = parser.parse_args()
    for env_id, world in WORLDS.items():
        slow = make_vec_env(env_id, n_envs=args.num_envs, env_kwargs=world)
        native = VecMonitor(make_native_vec_env(env_id, args.num_envs, **world))
        space = native.action_space
        space.seed(0)
        actions = np.array([[space.sample() for _ in range(args.num_envs)] for _ in range(args.steps)])
        if actions.ndim == 3:
            actions[..., -1] = 0
        rates: dict[str, list[float]] = {"native": [], "make_vec_env": []}
        for envs in (native, slow):
            envs.reset()
            steps_per_second(envs, actions[:5])
        for _ in range(args.turns):
            rates["native"].append(steps_per_second(native, actions))
            rates["make_vec_env"].append(steps_per_second(slow, actions))
        ours, theirs = (statistics.median(rates[name]) for name in ("native", "make_vec_env"))
        print(f"{env_id}, {args.num_envs} environments: native {ours:,.0f} steps/s, make_vec_env {theirs:,.0f}")
        print(f"    {ours / theirs:.1f} times as many")


if __name__ == "__main__":
    main()
