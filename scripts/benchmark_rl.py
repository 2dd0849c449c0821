"""What a native step costs: against NumPy, features against counts, the flat ids against Gymnasium, SB3's two ways.

`python scripts/benchmark_rl.py [--num-envs 64]`: both sides take turns in one process; medians of the turns, random
actions that do not stop. Ratios mean something on a quiet machine, times do not; pin the process to one core.
"""

import argparse
import statistics
import time

import gymnasium as gym
import numpy as np

try:
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecEnv, VecMonitor

    from bandit_env.rl.sb3 import make_native_vec_env
except ImportError as error:
    raise SystemExit("this script needs Stable-Baselines3: pip install 'bandit-env[rl]'") from error

WORLDS = {
    "bandit_env/DailyTraffic-v0": {"prior": [4, 96], "num_arms": 2, "max_days": 60},
    "bandit_env/BernoulliBandit-v0": {"prior": [1, 1], "num_arms": 2, "horizon": 100},
}


def steps_per_second(envs: VecEnv, actions: np.ndarray) -> float:
    start = time.perf_counter()
    for action in actions:
        envs.step(action)
    return len(actions) * envs.num_envs / (time.perf_counter() - start)


def cpu_of(step, steps: int = 200) -> float:
    """CPU seconds of a step."""
    start = time.process_time()
    for _ in range(steps):
        step()
    return (time.process_time() - start) / steps


def ratio(first, second, turns: int) -> tuple[float, float, float]:
    """Median CPU times of two kinds of step that take turns, and the median of their ratios."""
    for step in (first, second):
        cpu_of(step, 5)
    pairs = [(cpu_of(first), cpu_of(second)) for _ in range(turns)]
    return *(statistics.median(times) for times in zip(*pairs, strict=True)), statistics.median(a / b for a, b in pairs)


def numpy_visits(actions: np.ndarray):
    """A step of the same visits in plain NumPy: draw, add, copy."""
    rng, rates, rows = np.random.default_rng(0), np.array([0.5, 0.6]), np.arange(len(actions))
    visits, conversions = np.zeros((len(actions), 2)), np.zeros((len(actions), 2))

    def step():
        reward = rng.random(len(actions)) < rates[actions]
        visits[rows, actions] += 1
        conversions[rows, actions] += reward
        return visits.copy(), conversions.copy(), reward

    return step


def stepper(env: gym.vector.VectorEnv, seed: int = 1):
    """A step of an environment with the same random actions each time, none of which stops."""
    env.reset(seed=0)
    env.action_space.seed(seed)
    actions = env.action_space.sample()
    if actions.ndim == 2:
        actions[:, -1] = 0
    return lambda: env.step(actions)


def native_steps(turns: int) -> None:
    for num_envs in (1024, 8192):
        env = gym.make_vec("bandit_env/BernoulliBandit-v0", num_envs=num_envs, rates=[0.5, 0.6], horizon=10**9)
        actions = np.random.default_rng(1).integers(0, 2, num_envs)
        env.reset(seed=0)
        ours, theirs, share = ratio(lambda e=env, a=actions: e.step(a), numpy_visits(actions), turns)
        print(f"a visit, N = {num_envs}: {ours * 1e6:.0f} us, NumPy {theirs * 1e6:.0f} us: {share:.2f} times")
    for counts, features, world in (
        ("DailyTraffic", "LearnDaily", {"max_days": 10**6, "prior": [4, 96], "num_arms": 2}),
        ("BernoulliBandit", "LearnPerVisit", {"horizon": 10**9, "prior": [1, 1], "num_arms": 2}),
    ):
        raw, seen = (gym.make_vec(f"bandit_env/{name}-v0", num_envs=1024, **world) for name in (counts, features))
        *_, share = ratio(stepper(raw), stepper(seen), turns)
        print(f"{features}, N = 1024: {share:.2f} of the steps of {counts}")
    for name in ("LearnDaily", "LearnDailyMenu", "LearnPerVisit"):
        native, sync = (
            gym.make_vec(f"bandit_env/{name}-v0", num_envs=256, vectorization_mode=mode)
            for mode in ("vector_entry_point", "sync")
        )
        *_, times = ratio(stepper(sync), stepper(native), 3)
        print(f"{name}, N = 256: {times:.0f} times the steps of SyncVectorEnv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--steps", type=int, default=100)
    args = parser.parse_args()
    native_steps(args.turns)
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
