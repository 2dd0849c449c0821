"""The tables of docs/learned.md: `python scripts/evaluate_learned.py exact|per-visit|screen|daily|priors|cost`.

Every agent of a table meets the same rates and the same streams of chance, drawn anew from the prior with seeds that no
training used; differences are paired. +- is half a 95 % interval. Loss is regret + regret_after: the conversions that
the whole horizon costs.
"""

import argparse
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

import agents
import bandit_env  # noqa: F401 (registers the environments)
from agents.dynamic_programming import policy_of, policy_value, solve

SEED, BATCH = 20_261_000_000, 20_000
INDEX = {"name": "posterior-index", "c": 2.0}
LEARNED = {"name": "learned", "path": "daily"}
DAILY = {"prior": [4, 96], "num_arms": 2, "visits_per_day": 100, "max_days": 60, "min_days": 14}

ALLOCATIONS: dict[str, dict[str, Any]] = {
    "thompson": {},
    "top-two-thompson": {},
    "uniform": {},
    "epsilon-greedy": {"epsilon": 0.1},
    "greedy": {"name": "epsilon-greedy", "epsilon": 0.0},
    "ucb1": {},
    "kl-ucb": {},
    "bayes-ucb": {},
    "successive-elimination": {},
    "track-and-stop": {},
    **{f"tempered-thompson {gamma}": {"name": "tempered-thompson", "gamma": gamma} for gamma in (2.0, 4.0, 8.0, 16.0)},
    **{f"posterior-index {c}": {"name": "posterior-index", "c": c} for c in (1.0, 1.5, 2.0, 2.5, 3.0)},
}
RULES: dict[str, Any] = {
    "to the horizon": None,
    "value-remaining": "value-remaining",
    "beats-control": "beats-control",
    "probability-best": "probability-best",
    "expected-loss": "expected-loss",
    "mixture-sprt": "mixture-sprt",
    "glr": "glr",
    "repeated-test": "repeated-test",
    "confidence-sequence": "confidence-sequence",
    "after 14 days": {"rule": "after", "days": 14},
}
FINALISTS = (
    *(f"posterior-index {c}, to the horizon" for c in (1.5, 2.0, 2.5, 3.0)),
    "posterior-index 2.5, value-remaining",
    "posterior-index 2.0, to the horizon, uniform prior",
    "tempered-thompson 2.0, value-remaining",
    "thompson, value-remaining",
    "thompson, to the horizon",
)


def play(world: Mapping[str, Any], players: Mapping[str, Any], replications: int) -> dict[str, dict[str, np.ndarray]]:
    """Loss, stopping day and correctness of every replication, by agent; row i is seeded with SEED + i for all."""
    return {label: _play(world, agents.make(**player), replications) for label, player in players.items()}


def _play(world: Mapping[str, Any], agent: agents.Agent, replications: int) -> dict[str, np.ndarray]:
    parts = []
    for start in range(0, replications, BATCH):
        size = min(BATCH, replications - start)
        envs = gym.make_vec("bandit_env/DailyTraffic-v0", num_envs=size, autoreset_mode="Disabled", **world)
        agent.reset(envs.unwrapped.task, size, np.random.default_rng(SEED))
        observation, _ = envs.reset(seed=SEED + start)
        found = {name: np.zeros(size) for name in ("loss", "day", "correct")}
        actions, running = np.zeros(envs.action_space.shape, np.float32), np.arange(size)
        while running.size:
            actions[running] = agent.act({name: values[running] for name, values in observation.items()}, running)
            observation, _, ended, _, infos = envs.step(actions)
            found["loss"] += np.where(infos["_regret"], infos["regret"], 0)
            over = running[ended[running]]
            if over.size:
                found["loss"][over] += infos["regret_after"][over]
                found["day"][over] = infos["stopping_day"][over]
                found["correct"][over] = infos["correct"][over]
                running = running[~ended[running]]
        parts.append(found)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def interval(values: np.ndarray) -> str:
    return f"{values.mean():.3f} +- {1.96 * values.std(ddof=1) / len(values) ** 0.5:.3f}"


def table(header: list[str], rows: list[list[str]]) -> None:
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(row) + " |", flush=True)
    print()


def exact(replications: int) -> None:
    """Two arms, visit by visit: the expected reward by dynamic programming over the policy's actions."""
    rows = [["bayes-optimal", f"{solve(100)[0]:.4f}"]]
    for label, agent in {
        "learned per-visit": agents.make("learned", path="per-visit"),
        "learned per-visit-ppo": agents.make("learned", path="per-visit-ppo"),
        "gittins": agents.make("gittins"),
        "posterior-index 1.0": agents.make("posterior-index", c=1.0),
        "thompson": agents.make("thompson"),
    }.items():
        rows.append([label, f"{policy_value(100, policy_of(agent, 100)):.4f}"])
    table(["two arms, 100 visits", "expected reward, exact"], rows)


def per_visit(replications: int) -> None:
    """Visit by visit: reward as n K / (K + 1) less the mean regret."""
    players: dict[str, Any] = {
        "learned per-visit": {"name": "learned", "path": "per-visit"},
        "learned per-visit-ppo": {"name": "learned", "path": "per-visit-ppo"},
        "gittins": {"name": "gittins"},
        "posterior-index 1.0": {"name": "posterior-index", "c": 1.0},
        "thompson": {"name": "thompson"},
    }
    rows = [[label] for label in players]
    for arms in (2, 5, 10):
        world = {"prior": [1, 1], "num_arms": arms, "visits_per_day": 1, "max_days": 100, "min_days": 100}
        for row, result in zip(rows, play(world, players, replications).values(), strict=True):
            row.append(interval(100 * arms / (arms + 1) - result["loss"]))
    table([f"reward of 100 visits, R = {replications:,}", "K = 2", "K = 5", "K = 10"], rows)


def pairs() -> dict[str, dict[str, Any]]:
    """All pairs of allocation and stopping rule, with the true prior and with the uniform one."""
    return {
        f"{allocation}, {rule}{', uniform prior' if prior == (1, 1) else ''}": {
            "name": allocation,
            **arguments,
            "stopping": stopping,
            "prior": list(prior),
        }
        for (allocation, arguments), (rule, stopping), prior in itertools.product(
            ALLOCATIONS.items(), RULES.items(), [(4, 96), (1, 1)]
        )
    }


def screen(replications: int) -> None:
    """Every pair on few replications, the best twenty first."""
    found = {label: result["loss"] for label, result in play(DAILY, pairs(), replications).items()}
    order = sorted(found, key=lambda label: found[label].mean())
    table([f"best of {len(order)} pairs, R = {replications:,}", "loss"], [[p, interval(found[p])] for p in order[:20]])


def daily(replications: int) -> None:
    """The learned policy against the pairs that came nearest in the screening, and Thompson sampling."""
    players = {"learned": {**LEARNED, "prior": [4, 96]}, "learned, prior not told": LEARNED}
    _compare(DAILY, players | {label: pairs()[label] for label in FINALISTS}, replications)


def priors(replications: int) -> None:
    """Rates from other priors than the one that most experiments of the training were drawn from."""
    for prior in ([4, 96], [1, 9], [2, 198], [20, 480], [1, 1]):
        players = {
            "learned": {**LEARNED, "prior": prior},
            "learned, prior not told": LEARNED,
            "posterior-index 2.5": {"name": "posterior-index", "c": 2.5, "prior": prior},
            "thompson, value-remaining": {"name": "thompson", "stopping": "value-remaining", "prior": prior},
        }
        print(f"Rates from Beta({prior[0]}, {prior[1]}):\n")
        _compare({**DAILY, "prior": prior}, players, replications)


def cost(replications: int) -> None:
    """A cost for every day that the experiment runs: loss + cost, and when the policies stop."""
    world = {**DAILY, "min_days": 1, "cost_per_day": 0.05}
    told = {"prior": [4, 96]}
    players: dict[str, Any] = {
        "learned daily-cost": {"name": "learned", "path": "daily-cost", **told},
        "learned daily, to the horizon": {**LEARNED, **told},
        **{
            f"posterior-index 2, probability-best {confidence}": {
                **INDEX,
                **told,
                "stopping": {"rule": "probability-best", "confidence": confidence},
            }
            for confidence in (0.8, 0.9, 0.95)
        },
        **{
            f"posterior-index 2, value-remaining {threshold}": {
                **INDEX,
                **told,
                "stopping": {"rule": "value-remaining", "threshold": threshold},
            }
            for threshold in (0.01, 0.1, 0.2)
        },
        "thompson, value-remaining": {"name": "thompson", "stopping": "value-remaining", **told},
    }  # fmt: skip
    found = play(world, players, replications)
    rows = []
    reference = next(iter(found.values()))
    for label, result in found.items():
        total = result["loss"] + 0.05 * result["day"]
        more = total - reference["loss"] - 0.05 * reference["day"]
        days = np.quantile(result["day"], [0.25, 0.5, 0.75])
        rows.append([label, interval(total), interval(more), "{:.0f}, {:.0f}, {:.0f}".format(*days)])
    table(["cost 0.05 a day", "loss + cost", "more than learned", "quartiles of the stopping day"], rows)


def _compare(world: Mapping[str, Any], players: Mapping[str, Any], replications: int) -> None:
    found = play(world, players, replications)
    reference = next(iter(found.values()))["loss"]
    rows = [
        [
            label,
            interval(result["loss"]),
            f"{np.quantile(result['loss'], 0.99):.1f}",
            interval(result["loss"] - reference),
        ]
        for label, result in found.items()
    ]
    table([f"R = {replications:,}", "loss", "99th percentile", "more than the first"], rows)


TABLES: dict[str, tuple[Callable[[int], None], int]] = {
    "exact": (exact, 0),
    "per-visit": (per_visit, 20_000),
    "screen": (screen, 2_000),
    "daily": (daily, 200_000),
    "priors": (priors, 20_000),
    "cost": (cost, 20_000),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--replications", type=int)
    args = parser.parse_args()
    make, usual = TABLES[args.table]
    make(usual if args.replications is None else args.replications)


if __name__ == "__main__":
    main()
