"""The figures of docs/learned.md: `python scripts/plot_learned.py`, from the shipped weights and the learning curves.

The curves are the .csv files that the training scripts write, kept in docs/learning.
"""

from pathlib import Path

import gymnasium as gym
import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import agents
import bandit_env  # noqa: F401 (registers the environments)
from agents.policy import Policy
from bandit_env.stats.posterior import probability_best

DOCS = Path(__file__).parents[1] / "docs"
DAILY = {"prior": [4, 96], "num_arms": 2, "visits_per_day": 100, "max_days": 60}
DAYS = (1, 5, 15, 30, 50)


def weights_against_probability_best() -> None:
    """Both arms served equally so far, the second at 4 %, the first at every possible count."""
    policy, figure = Policy.load("daily"), plt.figure(figsize=(6.4, 4.4))
    axes = figure.add_subplot()
    for i, day in enumerate(DAYS):
        visits = np.full((2001, 2), 50.0 * day)
        conversions = np.stack([np.linspace(0, 5 * day, 2001), np.full(2001, 2.0 * day)], axis=1)
        best = probability_best(conversions, visits, prior=(4, 96))[:, 0]
        scores, _ = policy.scores(conversions, visits, np.full(2001, float(day)), 60, 100, (4, 96))
        axes.plot(best, policy.weights(scores)[:, 0], color=plt.cm.viridis(i / len(DAYS)), label=f"day {day}")
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="Thompson sampling")
    axes.set(xlabel="P(arm is the best)", ylabel="share of the traffic", xlim=(0, 1), ylim=(-0.02, 1.02))
    axes.legend(frameon=False)
    _save(figure, "learned_weights")


def unequal_visits() -> None:
    """After 15 days, by the first arm's share of the visits: the policy also sees which arm is known less well."""
    policy, figure = Policy.load("daily"), plt.figure(figsize=(6.4, 4.4))
    axes = figure.add_subplot()
    for share, color in ((0.1, "C0"), (0.5, "C1"), (0.9, "C2")):
        day = 15
        visits = np.tile([100.0 * day * share, 100 * day * (1 - share)], (2001, 1))
        conversions = np.stack([np.linspace(0, 0.12, 2001) * visits[:, 0], 0.04 * visits[:, 1]], axis=1)
        best = probability_best(conversions, visits, prior=(4, 96))[:, 0]
        scores, _ = policy.scores(conversions, visits, np.full(2001, float(day)), 60, 100, (4, 96))
        axes.plot(best, policy.weights(scores)[:, 0], color=color, label=f"{share:.0%} of the visits so far")
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="Thompson sampling")
    axes.set(xlabel="P(arm is the best)", ylabel="share of the traffic on day 16", xlim=(0, 1), ylim=(-0.02, 1.02))
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    _save(figure, "learned_weights_unequal")


def learning_curves() -> None:
    """Cost on fixed experiments against the iteration, one panel per training."""
    labels = {
        "per-visit": ["K = 2", "K = 5"],
        "per-visit-ppo": ["K = 2", "K = 5"],
        "daily": ["Beta(4, 96)", "random prior", "random prior, not told", "K = 5, random prior"],
        "daily-cost": ["Beta(4, 96)", "not told"],
    }
    figure, panels = plt.subplots(1, len(labels), figsize=(3.4 * len(labels), 3.2), layout="constrained", sharey=True)
    for axes, (name, groups) in zip(panels, labels.items(), strict=True):
        curve, marker = np.loadtxt(DOCS / "learning" / f"{name}.csv", delimiter=","), "o"
        if len(curve) > 100:  # PPO writes each iteration's own episodes: mean of 25 iterations
            curve = np.stack([np.convolve(column, np.full(25, 1 / 25), "valid") for column in curve.T], axis=1)
            marker = ""
        for costs, label in zip(curve.T[2:], groups, strict=True):
            axes.plot(curve[:, 0], costs / costs[-1], label=label, marker=marker, markersize=3)
        axes.set(title=name, xlabel="iteration", ylim=(0.93, 1.3))
        axes.legend(frameon=False)
    panels[0].set_ylabel("cost / cost at the end")
    _save(figure, "learning_curves")


def when_it_stops() -> None:
    """Stopping days with a cost per day, and the P(best) of the leading arm at the stop."""
    size, world = 20_000, {**DAILY, "min_days": 1, "cost_per_day": 0.05}
    envs = gym.make_vec("bandit_env/DailyTraffic-v0", num_envs=size, autoreset_mode="Disabled", **world)
    agent = agents.make("learned", path="daily-cost", prior=[4, 96])
    agent.reset(envs.unwrapped.task, size, np.random.default_rng(0))
    observation, _ = envs.reset(seed=1)
    ended = np.zeros(size, bool)
    while not ended.all():
        observation, _, ended, _, _ = envs.step(agent.act(observation, np.arange(size)))
    day = observation["day"][:, 0]  # of an ended experiment: the day of its stop
    best = probability_best(observation["conversions"], observation["visits"], prior=(4, 96)).max(axis=1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    left.hist(day, bins=np.arange(0.5, 61.5), color="C0")
    left.set(xlabel="stopping day", ylabel=f"experiments of {size:,}")
    right.scatter(day[:4000], best[:4000], s=3, alpha=0.4, color="C0")
    right.set(xlabel="stopping day", ylabel="P(best) of the leading arm at the stop", ylim=(0.48, 1.01))
    _save(figure, "learned_stopping")


def _save(figure: plt.Figure, name: str) -> None:
    (DOCS / "figures").mkdir(exist_ok=True)
    figure.savefig(DOCS / "figures" / f"{name}.png", dpi=120, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    weights_against_probability_best()
    unequal_visits()
    learning_curves()
    when_it_stops()


if __name__ == "__main__":
    main()
