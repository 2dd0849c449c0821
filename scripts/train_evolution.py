"""Train a small index network by an evolution strategy: `python scripts/train_evolution.py per-visit --out own.npz`.

The network (agents/allocations/learned.py) has about a hundred parameters, so that its gradient can be estimated by
playing whole experiments with perturbed parameters: no critic, no discount, no bias. What makes it quick:

- pseudo-regret as the cost: the true rates are known here, and using them removes the noise of the conversions;
- antithetic pairs, theta + e and theta - e, and common random numbers: the m-th visit of an arm converts or not
  whoever sends it, so that every member of a population meets the same arms, the same conversions, the same split;
- fresh experiments in every iteration, and a learning rate that falls to zero.

Every iteration plays `--pairs` pairs over the experiments of each group of `TASKS`. Runs in one thread.
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from agents.policy import Policy

NAMES = ("mean", "logit", "log_precision", "log_left", "day", "gap")
FEATURES, HIDDEN, HEADS = len(NAMES), 8, 3
SIZE = (2 * FEATURES + 1) * HIDDEN + HEADS * (HIDDEN + 1)

RANDOM = "random"  # the prior is drawn anew for each experiment: mean from .005 to .3, strength from 8 to 400


class Group(NamedTuple):
    """Experiments of one kind in an iteration."""

    arms: int
    episodes: int
    prior: tuple[float, float] | str  # of the rates; RANDOM draws it anew for each experiment
    told: bool = True  # whether the network sees the posterior from that prior, or from Beta(1, 1)
    weight: float = 1.0  # of the relative change of the group's cost in the gradient


TASKS: dict[str, dict] = {
    "per-visit": {
        "iterations": 400,
        "visits": 1,
        "days": 100,
        "cost": 0.0,
        "groups": [Group(2, 1024, (1, 1)), Group(5, 512, (1, 1))],
    },
    "daily": {
        "iterations": 600,
        "visits": 100,
        "days": 60,
        "cost": 0.0,
        "groups": [
            Group(2, 1024, (4, 96)),
            Group(2, 384, RANDOM, weight=0.5),
            Group(2, 256, RANDOM, told=False, weight=0.5),
            Group(5, 128, RANDOM, weight=0.25),
        ],
    },
    "daily-cost": {
        "iterations": 400,
        "visits": 100,
        "days": 60,
        "cost": 0.05,
        "groups": [Group(2, 1024, (4, 96)), Group(2, 256, (4, 96), told=False, weight=0.25)],
    },
}


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def decide(theta, prior, conversions, visits, day, days, left, x, pool, hidden, score):
    """The network on one experiment: writes an index per arm to `score`, returns sharpness and the stop's score."""
    arms = len(conversions)
    inner, pooled = 0, FEATURES * HIDDEN
    bias, heads = 2 * FEATURES * HIDDEN, (2 * FEATURES + 1) * HIDDEN
    scale = np.float32(0)
    best, second = -1, -1
    log_left = np.log10(np.float32(1 + left))
    for k in range(arms):
        a = conversions[k] + prior[0]
        n = visits[k] + (prior[0] + prior[1])
        mean = a / n
        variance = mean * (1 - mean) / (n + 1)
        scale += variance
        x[k, 0], x[k, 1], x[k, 2] = mean, np.log10(a / (n - a)), np.log10(n)
        x[k, 3], x[k, 4], x[k, 6] = log_left, np.float32(day) / np.float32(days), variance
        if best < 0 or mean > x[best, 0] or (mean == x[best, 0] and visits[k] < visits[best]):
            second, best = best, k
        elif second < 0 or mean > x[second, 0] or (mean == x[second, 0] and visits[k] < visits[second]):
            second = k
    scale = np.sqrt(scale / np.float32(arms))
    pool[:] = 0
    for k in range(arms):
        rival = second if k == best else best
        gap = (x[k, 0] - x[rival, 0]) / np.sqrt(x[k, 6] + x[rival, 6])
        x[k, 5] = min(max(gap, np.float32(-10)), np.float32(10))
        for f in range(FEATURES):
            pool[f] += x[k, f] / np.float32(arms)
    sharpness, stop = np.float32(0), np.float32(0)
    for k in range(arms):
        for h in range(HIDDEN):
            hidden[h] = theta[bias + h]
        for f in range(FEATURES):
            own, all_arms = x[k, f], pool[f]
            for h in range(HIDDEN):
                hidden[h] += own * theta[inner + f * HIDDEN + h] + all_arms * theta[pooled + f * HIDDEN + h]
        bonus, u, v = theta[heads + HIDDEN], theta[heads + 2 * HIDDEN + 1], theta[heads + 3 * HIDDEN + 2]
        for h in range(HIDDEN):
            active = hidden[h] / (np.float32(1) + abs(hidden[h]))
            bonus += active * theta[heads + h]
            u += active * theta[heads + HIDDEN + 1 + h]
            v += active * theta[heads + 2 * HIDDEN + 2 + h]
        score[k] = (x[k, 0] + bonus * np.sqrt(x[k, 6])) / scale
        sharpness += u / np.float32(arms)
        stop += v / np.float32(arms)
    return np.exp(sharpness), stop


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def play(thetas, rates, priors, per_day, days, cost, stopping, rng):
    """Mean cost of each member, shape (members,): regret to the horizon, and the cost per day until it stops."""
    members, (episodes, arms) = len(thetas), rates.shape
    horizon = per_day * days
    stack = np.zeros((arms, horizon + 1), np.int32)  # conversions among the first m visits of an arm
    splits = np.empty((days, per_day), np.float32)  # sorted uniforms: how many fall below a share
    conversions, visits = np.empty(arms, np.int32), np.empty(arms, np.int32)
    x, pool = np.zeros((arms, FEATURES + 1), np.float32), np.empty(FEATURES, np.float32)
    hidden, score = np.empty(HIDDEN, np.float32), np.empty(arms, np.float32)
    totals = np.zeros(members)
    for e in range(episodes):
        best = rates[e].max()
        for k in range(arms):
            for m in range(horizon):
                stack[k, m + 1] = stack[k, m] + (rng.random() < rates[e, k])
        for d in range(days if per_day > 1 else 0):
            gaps = np.float32(0)
            for i in range(per_day):  # sums of exponentials are sorted uniforms (Devroye 1986, section V.3.1)
                gaps -= np.float32(np.log(1 - rng.random()))
                splits[d, i] = gaps
            splits[d] /= gaps - np.float32(np.log(1 - rng.random()))
        for i in range(members):
            conversions[:] = 0
            visits[:] = 0
            total = 0.0
            for d in range(days):
                left = horizon - d * per_day
                sharpness, stop = decide(
                    thetas[i], priors[e], conversions, visits, d, days, left, x, pool, hidden, score
                )
                top = np.argmax(score)
                if stopping and stop > 0 and d > 0:
                    total += left * (best - rates[e, top])
                    break
                total += cost
                if per_day == 1:
                    visits[top] += 1
                    conversions[top] = stack[top, visits[top]]
                    total += best - rates[e, top]
                    continue
                norm = np.float32(0)
                peak = score[top]
                for k in range(arms):
                    score[k] = np.exp(sharpness * (score[k] - peak))
                    norm += score[k]
                share, before = np.float32(0), 0
                for k in range(arms):
                    share += score[k] / norm
                    after = np.searchsorted(splits[d], share) if k < arms - 1 else per_day
                    visits[k] += after - before
                    conversions[k] = stack[k, visits[k]]
                    total += (after - before) * (best - rates[e, k])
                    before = after
            totals[i] += total
    return totals / episodes


def draw(group: Group, episodes: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Rates of experiments, shape (episodes, arms), and the priors that the network sees, shape (episodes, 2)."""
    arms, prior = group.arms, group.prior
    a, b = np.broadcast_to(np.array(prior if prior != RANDOM else (1, 1), float), (episodes, 2)).T
    if prior == RANDOM:
        mean = np.exp(rng.uniform(np.log(0.005), np.log(0.3), episodes))
        strength = np.exp(rng.uniform(np.log(8), np.log(400), episodes))
        a, b = mean * strength, (1 - mean) * strength
    rates = rng.beta(a[:, None], b[:, None], (episodes, arms))
    return rates, (np.stack([a, b], axis=1) if group.told else np.ones((episodes, 2))).astype(np.float32)


def evaluate(thetas: NDArray, task: dict, episodes: int, seed: int) -> list[NDArray]:
    """Mean cost of each member in every group, on experiments that a seed fixes."""
    rng = np.random.default_rng(seed)
    costs = []
    for group in task["groups"]:
        rates, priors = draw(group, episodes or group.episodes, rng)
        world = (task["visits"], task["days"], task["cost"], task["cost"] > 0)
        costs.append(play(thetas, rates, priors, *world, rng))
    return costs


# What `daily` was checked for, beyond its training: the range of evaluate_daily.py's tasks.
CHECKED = {
    "daily": {
        "visits_per_day": [10, 100_000],
        "max_days": [7, 365],
        "updates_per_day": [1, 2],
        "prior_mean": [0.005, 0.3],
        "prior_strength": [8, 500],
    }
}


def to_policy(name: str, theta: NDArray) -> Policy:
    """The flat parameters of a member as the policy that ships."""
    task, cut = TASKS[name], FEATURES * HIDDEN
    inner, pooled, bias, heads = np.split(theta.astype(np.float64), [cut, 2 * cut, 2 * cut + HIDDEN])
    return Policy(
        kind="per-visit" if task["visits"] == 1 else "daily",
        features=NAMES,
        inner=inner.reshape(FEATURES, HIDDEN),
        pooled=pooled.reshape(FEATURES, HIDDEN),
        bias=bias,
        heads=heads.reshape(HEADS, HIDDEN + 1).T,
        stops=task["cost"] > 0,
        trained={
            "num_arms": [2, 10],
            "visits_per_day": [task["visits"], task["visits"]],
            "max_days": [task["days"], task["days"]],
            "updates_per_day": [1, 1],
            **CHECKED.get(name, {}),
            "command": f"python scripts/train_evolution.py {name}",
        },
    )


def _start_stopping(theta: NDArray) -> None:
    """Stop where the arms are some 2.4 standard deviations apart: a policy that never stops would see no gradient.

    The first hidden unit becomes softsign(gap - 2); the stop score is its mean over the arms, plus 0.3.
    """
    cut = FEATURES * HIDDEN
    theta[: 2 * cut : HIDDEN] = 0
    theta[NAMES.index("gap") * HIDDEN] = 1
    theta[2 * cut] = -2
    theta[-HIDDEN - 1], theta[-1] = 1, 0.3


def train(
    name: str, iterations: int, pairs: int, sigma: float, rate: float, seed: int, episodes: int
) -> tuple[NDArray, NDArray]:
    """Adam on the strategy's gradient, the learning rate falling linearly to zero.

    Returns:
        The learning curve (rows of iteration, processor seconds, cost of each group on `episodes` fixed experiments),
        and theta.
    """
    task, rng = TASKS[name], np.random.default_rng(seed)
    theta = np.zeros(SIZE, np.float32)
    theta[: 2 * FEATURES * HIDDEN] = rng.normal(0, FEATURES**-0.5, 2 * FEATURES * HIDDEN)
    if task["cost"] > 0:
        _start_stopping(theta)
    first, second, curve, start = np.zeros(SIZE), np.zeros(SIZE), [], time.process_time()
    for t in range(iterations + 1):
        if t % 50 == 0 or t == iterations:
            costs = [float(c[0]) for c in evaluate(theta[None], task, episodes, seed=1)]
            curve.append([t, time.process_time() - start, *costs])
            print(f"{name} {t:5d}  {curve[-1][1]:6.0f} s  " + "  ".join(f"{c:.4f}" for c in costs), flush=True)
        if t == iterations:
            break
        noise = rng.normal(size=(pairs, SIZE)).astype(np.float32)
        population = np.concatenate([theta + sigma * noise, theta - sigma * noise])
        costs = evaluate(population, task, 0, seed=int(rng.integers(2**63)))
        cost = sum(group.weight * c / c.mean() for group, c in zip(task["groups"], costs, strict=True))
        gradient = (cost[:pairs] - cost[pairs:]) @ noise / (2 * sigma * pairs)
        first = 0.9 * first + 0.1 * gradient
        second = 0.98 * second + 0.02 * gradient**2
        step = first / (1 - 0.9 ** (t + 1)) / (np.sqrt(second / (1 - 0.98 ** (t + 1))) + 1e-8)
        theta -= (rate * (1 - t / iterations) * step).astype(np.float32)
    return np.array(curve), theta


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--iterations", type=int, help="default: the task's own")
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--sigma", type=float, default=0.05)
    parser.add_argument("--rate", type=float, default=0.03)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--episodes", type=int, default=10_000, help="experiments of each point of the learning curve")
    parser.add_argument(
        "--out", type=Path, required=True, help="weights file; the learning curve goes to a .csv beside it"
    )
    args = parser.parse_args()
    iterations = TASKS[args.task]["iterations"] if args.iterations is None else args.iterations
    curve, theta = train(args.task, iterations, args.pairs, args.sigma, args.rate, args.seed, args.episodes)
    to_policy(args.task, theta).save(args.out)
    header = "iteration,processor seconds,cost of each group"
    np.savetxt(args.out.with_suffix(".csv"), curve, delimiter=",", fmt="%.6g", header=header)


if __name__ == "__main__":
    main()
