"""A recurrent policy that sees only what it did and got: RL^2's bandit (Duan et al. 2016), with RecurrentPPO.

`python scripts/train_recurrent.py [--steps 1000000]`: needs sb3-contrib. The observation is the share of pulls that
have passed, the last arm and the last reward, so that the counts are for the network to remember. After every tenth of
the steps the policy plays `--experiments` new bandits; the curve is drawn in docs/figures/recurrent.svg, and printed.
"""

import argparse
import time
from pathlib import Path

import matplotlib
import numpy as np

import agents
import bandit_env  # noqa: F401

try:
    import torch
    from sb3_contrib import RecurrentPPO

    from bandit_env.rl.sb3 import make_native_vec_env
except ImportError as error:
    raise SystemExit("this script needs sb3-contrib: pip install 'bandit-env[rl]' sb3-contrib") from error

matplotlib.use("svg")
FIGURE = Path(__file__).resolve().parents[1] / "docs" / "figures" / "recurrent.svg"
ID = "bandit_env/LearnPerVisit-v0"


def reward_of(model: RecurrentPPO, task: dict, experiments: int) -> tuple[float, float]:
    """Mean reward of an episode under the policy's own chances, and its standard error."""
    env = make_native_vec_env(ID, experiments, seed=10**6, **task)
    seen, state, starts, total = env.reset(), None, np.ones(experiments, bool), np.zeros(experiments)
    for _ in range(task["horizon"]):
        actions, state = model.predict(seen, state=state, episode_start=starts)
        seen, rewards, starts, _ = env.step(actions)
        total += rewards
    return float(total.mean()), float(total.std() / np.sqrt(experiments))


def reward_of_agent(name: str, task: dict, experiments: int) -> tuple[float, float]:
    """The same of one of our agents; a visit goes to an arm with the chance of its weight."""
    env = make_native_vec_env(ID, experiments, seed=10**6, **task)
    env.reset()
    world, agent = env.env.unwrapped.world, agents.make(name, prior=(1, 1))
    rng, total = np.random.default_rng(1), np.zeros(experiments)
    agent.reset(env.env.unwrapped.task, experiments, np.random.default_rng(0))
    for _ in range(task["horizon"]):
        counts = {"visits": world.visits, "conversions": world.conversions, "day": world.day[:, None]}
        weights = agent.act(counts, np.arange(experiments))[:, :-1].astype(float)
        weights[weights.sum(axis=1) == 0] = 1
        chance = rng.random((experiments, 1)) * weights.sum(axis=1, keepdims=True)
        arms = (weights.cumsum(axis=1) < chance).sum(axis=1).clip(max=task["num_arms"] - 1)
        total += world.advance(arms.astype(np.int64)).reward
    return float(total.mean()), float(total.std() / np.sqrt(experiments))


def draw(curve: list[tuple[int, float, float]], levels: dict[str, float], task: dict) -> None:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    steps, means, errors = (np.array(column) for column in zip(*curve, strict=True))
    axes.errorbar(steps, means, 2 * errors, marker=".", label="RecurrentPPO")
    for (name, level), style in zip(levels.items(), ("--", ":", "-."), strict=False):
        axes.axhline(level, color="gray", linestyle=style, label=name)
    axes.set(xlabel="pulls in training", ylabel=f"reward of {task['horizon']} pulls, {task['num_arms']} arms")
    axes.legend()
    figure.savefig(FIGURE, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--num-arms", type=int, default=5)
    parser.add_argument("--horizon", type=int, default=10)
    parser.add_argument("--num-envs", type=int, default=256)
    parser.add_argument("--experiments", type=int, default=10_000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    task = {
        "num_arms": args.num_arms,
        "horizon": args.horizon,
        "reward": "reward",
        "features": ["day"],
        "history": True,
    }
    levels = {}
    for name in ("gittins", "thompson", "uniform"):
        mean, error = reward_of_agent(name, task, args.experiments)
        levels[name] = mean
        print(f"{name}: {mean:.3f} ± {error:.3f}", flush=True)
    envs = make_native_vec_env(ID, args.num_envs, seed=0, **task)
    model = RecurrentPPO(
        "MlpLstmPolicy", envs, gamma=1.0, gae_lambda=0.3, n_steps=4 * args.horizon, batch_size=1280, n_epochs=8,
        learning_rate=2e-3, ent_coef=0.003, seed=0, device="cpu",
        policy_kwargs={"lstm_hidden_size": 64, "net_arch": [], "enable_critic_lstm": False, "shared_lstm": True},
    )  # fmt: skip
    curve, start = [(0, *reward_of(model, task, args.experiments))], time.process_time()
    for _ in range(10):
        model.learn(args.steps // 10, reset_num_timesteps=False)
        spent = time.process_time() - start
        curve.append((model.num_timesteps, *reward_of(model, task, args.experiments)))
        print(f"| {curve[-1][0]:,} | {spent:.0f} | {curve[-1][1]:.2f} ± {curve[-1][2]:.2f} |", flush=True)
        draw(curve, levels, task)


if __name__ == "__main__":
    main()
