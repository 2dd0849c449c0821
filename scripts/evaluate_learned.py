"""The tables of docs/learned.md: `python scripts/evaluate_learned.py exact|per-visit|daily|priors|cost`.

Every agent of a table meets the same rates and the same streams of chance, drawn anew from the prior with seeds that no
training used; differences are paired. +- is half a 95 % interval. Loss is regret + regret_after: the conversions that
the whole horizon costs. The table of all pairs of allocation and stopping rule is made by evaluate_pairs.py.
"""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

import agents
import bandit_env  # noqa: F401 (registers the environments)
from agents.allocation import Allocation, share_among_leaders
from agents.allocations.dynamic_programming import policy_of, policy_value, solve
from agents.evidence import Evidence

SEED, BATCH = 20_261_000_000, 20_000

INDEX = {"name": "posterior-index", "c": 2.0}
LEARNED = {"name": "learned", "path": "daily"}
DAILY = {"prior": [4, 96], "num_arms": 2, "visits_per_day": 100, "max_days": 60, "min_days": 14}
# Pairs by the names that evaluate_pairs.py gives them: the nearest to the learned policy, and Thompson sampling.
FINALISTS: dict[str, dict[str, Any]] = {
    **{f"posterior-index {c}, to the horizon": {**INDEX, "c": c, "prior": [4, 96]} for c in (1.5, 2.0, 2.5, 3.0)},
    "posterior-index 3.0, exponent 1.0, to the horizon": {**INDEX, "c": 3.0, "exponent": 1.0, "prior": [4, 96]},
    "posterior-index 2.5, value-remaining": {**INDEX, "c": 2.5, "stopping": "value-remaining", "prior": [4, 96]},
    "posterior-index 2.0, to the horizon, uniform prior": {**INDEX, "prior": [1, 1]},
    "tempered-thompson 2.0, value-remaining": {
        "name": "tempered-thompson",
        "gamma": 2.0,
        "stopping": "value-remaining",
        "prior": [4, 96],
    },
    "thompson, value-remaining": {"name": "thompson", "stopping": "value-remaining", "prior": [4, 96]},
    "thompson, to the horizon": {"name": "thompson", "prior": [4, 96]},
}


def play(world: Mapping[str, Any], players: Mapping[str, Any], replications: int) -> dict[str, dict[str, np.ndarray]]:
    """Loss, stopping day and correctness of every replication, by agent; row i is seeded with SEED + i for all."""
    made = {label: p if isinstance(p, agents.Agent) else agents.make(**p) for label, p in players.items()}
    return {label: _play(world, agent, replications) for label, agent in made.items()}


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
    return f"{values.mean():.3f} +- {1.96 * standard_error(values):.3f}"


def standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) / len(values) ** 0.5


def table(header: list[str], rows: list[list[str]]) -> None:
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |", flush=True)
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


class ThompsonByDraws(Allocation):
    """Thompson sampling as a draw of the posterior for each visit: the law of `thompson`, without its integrals."""

    deterministic = False

    def weights(self, evidence: Evidence) -> np.ndarray:
        """One for the arm with the largest draw, shape (n, K)."""
        a, b = self.prior
        return share_among_leaders(self.rng.beta(evidence.conversions + a, evidence.visits - evidence.conversions + b))


def per_visit(replications: int) -> None:
    """Visit by visit: reward as n K / (K + 1) less the mean regret."""
    players: dict[str, Any] = {
        "learned per-visit": {"name": "learned", "path": "per-visit"},
        "learned per-visit-ppo": {"name": "learned", "path": "per-visit-ppo"},
        "gittins": {"name": "gittins"},
        "posterior-index 1.0": {"name": "posterior-index", "c": 1.0},
        "thompson": ThompsonByDraws(),
    }
    rows = [[label] for label in players]
    for arms in (2, 5, 10):
        world = {"prior": [1, 1], "num_arms": arms, "visits_per_day": 1, "max_days": 100, "min_days": 100}
        for row, result in zip(rows, play(world, players, replications).values(), strict=True):
            row.append(interval(100 * arms / (arms + 1) - result["loss"]))
    table([f"reward of 100 visits, R = {replications:,}", "K = 2", "K = 5", "K = 10"], rows)


def daily(replications: int) -> None:
    """The learned policy against the nearest pairs, Thompson sampling, and an index that no agent here has."""
    players = {
        "learned": {**LEARNED, "prior": [4, 96]},
        "learned, prior not told": LEARNED,
        **FINALISTS,
        "gittins index by day": {"name": "gittins_by_day:GittinsByDay", "prior": [4, 96]},
    }
    _compare(DAILY, players, replications)


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
