"""Train stock learners on the ids to learn on, by id alone, and write the table of docs/learners.md.

`python scripts/try_learners.py [--steps 30000] [--out docs/learners.md]`: needs the extra `rl`. Each row is what
`LEARNERS` runs: one seed, one core, then experiments in which the learner and Thompson sampling meet the same
visitors. The table stands between the two markers of the page, which else stays as it is.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import gymnasium as gym
import numpy as np

import agents
import bandit_env  # noqa: F401

try:
    import stable_baselines3 as sb3
    import torch
    from stable_baselines3.common.vec_env import VecMonitor

    from bandit_env.rl.sb3 import make_native_vec_env, save_policy
except ImportError as error:
    raise SystemExit("this script needs PyTorch and Stable-Baselines3: pip install 'bandit-env[rl]'") from error

ON_POLICY = {"n_steps": 64, "batch_size": 1024, "n_epochs": 4, "gamma": 1.0, "learning_rate": 1e-3}
OFF_POLICY = {"gamma": 1.0, "learning_starts": 1000, "batch_size": 256, "train_freq": 8, "gradient_steps": 8}
LEARNERS = [
    ("PPO", "LearnDaily", 64, ON_POLICY, 10),
    ("A2C", "LearnDaily", 64, {"gamma": 1.0}, 10),
    ("SAC", "LearnDaily", 8, OFF_POLICY, 1 / 4),
    ("DQN", "LearnDailyMenu", 8, OFF_POLICY, 1),
    ("PPO", "LearnPerVisit", 64, ON_POLICY, 10),
    ("DQN", "LearnPerVisit", 8, OFF_POLICY, 1),
]
MARKER = "<!-- table of scripts/try_learners.py -->"


def mean_return(env_id: str, agent: agents.Agent, experiments: int) -> tuple[float, float]:
    """What an agent loses in an experiment, and its standard error, on seeds that all agents share."""
    env = gym.make_vec(env_id, num_envs=experiments, autoreset_mode="Disabled")
    world, total = env.unwrapped.world, np.zeros(experiments)
    agent.reset(env.unwrapped.task, experiments, np.random.default_rng(0))
    env.reset(seed=10**6)
    rng = np.random.default_rng(1)
    while not world.ended.all():
        rows = np.flatnonzero(~world.ended)
        counts = {"visits": world.visits[rows], "conversions": world.conversions[rows], "day": world.day[rows, None]}
        actions = np.zeros((experiments, world.rates.shape[1] + 1), np.float32)
        actions[rows] = agent.act(counts, rows)
        outcome = world.advance(_one_arm(actions, rng)) if "PerVisit" in env_id else world.step(actions)
        total -= outcome.reward
    return float(total.mean()), float(total.std() / np.sqrt(experiments))


def _one_arm(actions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An arm drawn by its weight: a visit cannot be split."""
    weights = actions[:, :-1].astype(float)
    weights[weights.sum(axis=1) == 0] = 1
    chance = rng.random((len(weights), 1)) * weights.sum(axis=1, keepdims=True)
    return (weights.cumsum(axis=1) < chance).sum(axis=1).clip(max=weights.shape[1] - 1).astype(np.int64)


def train(algorithm: str, env_id: str, num_envs: int, settings: dict, steps: int, path: str) -> float:
    """Train and save; returns the seconds."""
    env = make_native_vec_env(env_id, num_envs, seed=0)
    start = time.perf_counter()
    model = getattr(sb3, algorithm)("MlpPolicy", VecMonitor(env), seed=0, device="cpu", **settings).learn(steps)
    seconds = time.perf_counter() - start
    save_policy(model, path, env.env)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30_000, help="the unit: each learner takes its multiple of it")
    parser.add_argument("--experiments", type=int, default=4000)
    parser.add_argument("--out", type=Path, default=Path("docs/learners.md"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    thompson: dict[str, str] = {}
    lines = [
        f"| client (Stable-Baselines3 {sb3.__version__}) | id | environments | steps | seconds | loss | Thompson |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    with TemporaryDirectory() as folder:
        for algorithm, name, num_envs, settings, factor in LEARNERS:
            env_id, path, steps = f"bandit_env/{name}-v0", f"{folder}/{algorithm}-{name}.zip", int(args.steps * factor)
            seconds = train(algorithm, env_id, num_envs, settings, steps, path)
            loss, error = mean_return(env_id, agents.make("sb3", path=path), args.experiments)
            if name not in thompson:
                prior = (1, 1) if "PerVisit" in name else (4, 96)
                stopping = None if "PerVisit" in name else "value-remaining"
                rival = agents.make("thompson", prior=prior, stopping=stopping)
                thompson[name] = "{:.2f} ± {:.2f}".format(*mean_return(env_id, rival, args.experiments))
            lines.append(
                f"| {algorithm} | `{env_id}` | {num_envs} | {steps:,} | {seconds:.0f} | {loss:.2f} ± {error:.2f} "
                f"| {thompson[name]} |"
            )
            print(lines[-1], flush=True)
    before, _, after = args.out.read_text().split(MARKER)
    args.out.write_text(MARKER.join([before, "\n" + "\n".join(lines) + "\n", after]))


if __name__ == "__main__":
    main()
