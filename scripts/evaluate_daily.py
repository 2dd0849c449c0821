"""The learned policy `daily` on held-out tasks: `python scripts/evaluate_daily.py --replications 2000`.

Forty tasks, drawn once from the ranges of the training by a Latin hypercube; in every experiment the rates are drawn
from the task's prior, so that arms differ. Every agent meets the same rates and streams of chance; all run under the
same prior, told or Beta(1, 1). Loss is regret + regret_after: what the whole horizon costs. Losses are kept in
`--folder` and not played again. Writes docs/learning/daily_tasks.csv and prints the tables of docs/learned.md.
"""

import argparse
import csv
import time
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from evaluate_learned import play, table

import agents
import bandit_env  # noqa: F401 (registers the environments)

HELD_OUT, DOCS = 20_260, Path(__file__).parents[1] / "docs" / "learning"
WORSE = 1.01  # a ratio of losses whose whole interval lies above it counts as worse
EQUAL: dict[str, dict[str, Any]] = {
    "learned": {"name": "learned", "path": "daily", "prior": [4, 96]},
    "posterior-index 2.5": {"name": "posterior-index", "c": 2.5, "prior": [4, 96]},
    "thompson": {"name": "thompson", "prior": [4, 96]},
}
EQUAL_DAYS = (5, 15, 30, 60)
TAILS = {"99th percentile": 0.99, "worst": 1.0}
LEARNED, THOMPSON, GITTINS = "learned", "thompson, value-remaining", "gittins by day"


class HeldOut(NamedTuple):
    """A task, and the prior that its rates come from; `told` says whether the agents know it."""

    arms: int
    visits: int
    days: int
    least_days: int
    updates: int
    a: float
    b: float
    told: bool

    @property
    def world(self) -> dict[str, Any]:
        """Arguments of the environment."""
        return {
            "prior": [self.a, self.b],
            "num_arms": self.arms,
            "visits_per_day": self.visits,
            "max_days": self.days,
            "min_days": self.least_days,
            "updates_per_day": self.updates,
        }

    @property
    def players(self) -> dict[str, dict[str, Any]]:
        """Agents by their names in the table."""
        prior = {"prior": [self.a, self.b] if self.told else [1, 1]}
        players: dict[str, dict[str, Any]] = {LEARNED: {"name": "learned", "path": "daily", **prior}}
        for exponent in (0.5, 1.0):
            for c in (1.5, 2.0, 2.5, 3.0):
                index = {"name": "posterior-index", "c": c, "exponent": exponent}
                players[f"index {c:g}, {exponent:g}"] = {**index, **prior}
        players[THOMPSON] = {"name": "thompson", "stopping": "value-remaining", **prior}
        if self.told and self.updates == 1 and self.visits * self.days <= 3000 and self.a / (self.a + self.b) < 0.1:
            players[GITTINS] = {"name": "gittins_by_day:GittinsByDay", **prior}
        return players


def held_out() -> list[HeldOut]:
    """Forty tasks: log-uniform visits, days, prior means and strengths; a third of the priors not told."""
    rng = np.random.default_rng(HELD_OUT).spawn(1)[0]
    within, strata = rng.uniform(size=(40, 8)), np.tile(np.arange(1, 41), (8, 1))
    for column in strata:
        rng.shuffle(column)
    unit = (strata.T - within) / 40  # a Latin hypercube

    def between(column: int, low: float, high: float) -> np.ndarray:
        return low * (high / low) ** unit[:, column]

    def short(number: float) -> float:
        return float(f"{number:.2g}")

    tasks = []
    columns = between(0, 10, 100_000), between(1, 7, 365), between(2, 0.005, 0.3), between(3, 8, 500)
    for visits, days, mean, strength, arms, least, updates, told in zip(*columns, *unit.T[4:], strict=True):
        strength = max(strength, 0.5 / mean)
        tasks.append(
            HeldOut(
                (2, 2, 3, 4, 5, 6, 8, 10)[int(8 * arms)],
                round(short(visits)),
                round(days),
                1 + int(least * (round(days) - 1)),
                1 + int(2 * updates),
                short(mean * strength),
                short((1 - mean) * strength),
                bool(told < 2 / 3),
            )
        )
    return tasks


def losses(task: HeldOut, place: int, replications: int, folder: Path, again: bool) -> dict[str, np.ndarray]:
    """Loss of every replication, by agent; what is in the folder is not played again, but for the learned policy's."""
    found = {}
    for label, player in task.players.items():
        file = folder / f"{place}-{label.replace(', ', '-').replace(' ', '-')}-{replications}.npy"
        if not file.exists() or (again and label == LEARNED):
            np.save(file, play(task.world, {label: player}, replications)[label]["loss"].astype(np.float32))
        found[label] = np.load(file).astype(np.float64)
    return found


class Verdict(NamedTuple):
    """The learned policy against one other: the ratio of mean losses, and half its 95 % interval (paired, delta)."""

    ratio: float
    half: float


def compare(learned: np.ndarray, other: np.ndarray) -> Verdict:
    """Mean of one over mean of the other."""
    ratio = float(learned.mean() / other.mean())
    error = (learned - ratio * other).std(ddof=1) / len(other) ** 0.5 / other.mean()
    return Verdict(ratio, 1.96 * float(error))


def row(task: HeldOut, found: dict[str, np.ndarray]) -> dict[str, Any]:
    """What the table says of a task."""
    others = {label: loss for label, loss in found.items() if label != LEARNED}
    best = min(others, key=lambda label: others[label].mean())
    verdict = compare(found[LEARNED], others[best])
    return {
        **task._asdict(),
        "replications": len(found[LEARNED]),
        **{f"loss of {label}": round(float(loss.mean()), 4) for label, loss in found.items()},
        "best other": best,
        "ratio to it": round(verdict.ratio, 4),
        "half of its 95 % interval": round(verdict.half, 4),
        **{
            f"{name} of {called}": round(float(np.quantile(found[label], q)), 3)
            for called, label in ((LEARNED, LEARNED), ("best other", best), (THOMPSON, THOMPSON))
            for name, q in TAILS.items()
        },
    }


def show(rows: list[dict[str, Any]]) -> None:
    """The tables of docs/learned.md."""
    lines = []
    for r in rows:
        mine, thompson = r[f"loss of {LEARNED}"], r[f"loss of {THOMPSON}"]
        lines.append(
            [
                f"{r['arms']}",
                f"{r['visits']:,}",
                f"{r['days']}" + (" x 2" if r["updates"] == 2 else ""),
                f"Beta({r['a']:g}, {r['b']:g})" + ("" if r["told"] else ", not told"),
                f"{mine:.4g}",
                r["best other"],
                f"{r['ratio to it']:.3f} +- {r['half of its 95 % interval']:.3f}",
                f"{mine / thompson:.3f}",
                *(f"{r[f'{what} of {LEARNED}']:.4g}, {r[f'{what} of {THOMPSON}']:.4g}" for what in TAILS),
            ]
        )
    tails = [f"{what}: learned, thompson" for what in TAILS]
    table(["K", "visits", "days", "prior", "loss", "best other", "learned / best", "learned / thompson", *tails], lines)
    labels = [label.removeprefix("loss of ") for label in rows[0] if label.startswith("loss of ")]
    labels = list(dict.fromkeys([*labels, GITTINS]))
    counted = []
    for label in labels:
        against = [r for r in rows if r.get(f"loss of {label}")]
        if label != LEARNED and against:
            ratios = [r[f"loss of {LEARNED}"] / r[f"loss of {label}"] for r in against]
            counted.append(
                [label, f"{sum(x < 1 for x in ratios)} of {len(ratios)}", f"{np.exp(np.mean(np.log(ratios))):.3f}"]
            )
    worse = sum(r["ratio to it"] - r["half of its 95 % interval"] > WORSE for r in rows)
    table(["against", "learned loses less", "geometric mean of the ratios"], counted)
    print(f"Whole interval of the ratio to the best other above {WORSE}: {worse} of {len(rows)} tasks.")


def shares_of_equal_arms(player: dict[str, Any], world: dict[str, Any], size: int = 1000) -> np.ndarray:
    """The share of each arm in the visits so far, after every update, shape (T, size, K)."""
    envs = gym.make_vec("bandit_env/DailyTraffic-v0", num_envs=size, autoreset_mode="Disabled", **world)
    agent = agents.make(**player)
    agent.reset(envs.unwrapped.task, size, np.random.default_rng(0))
    observation, _ = envs.reset(seed=HELD_OUT)
    shares = []
    for _ in range(envs.unwrapped.task.max_updates):
        observation, *_ = envs.step(agent.act(observation, np.arange(size)))
        shares.append(observation["visits"] / observation["visits"].sum(axis=1, keepdims=True))
    return np.array(shares)


def equal_arms() -> None:
    """How the traffic moves where it does not matter: equal arms, at rates of 4 %."""
    lines = []
    for arms, visits in ((2, 100), (2, 10_000), (5, 100)):
        world = {"rates": [0.04] * arms, "visits_per_day": visits, "max_days": 60}
        for label, player in EQUAL.items():
            shares = shares_of_equal_arms(player, world)
            first = f"{shares[-1, :, 0].mean():.3f} +- {1.96 * shares[-1, :, 0].std() / len(shares[0]) ** 0.5:.3f}"
            largest = [f"{np.median(shares[day - 1].max(axis=1)):.2f}" for day in EQUAL_DAYS]
            lines.append([f"{arms} arms, {visits:,} a day", label, first, *largest])
    days = [f"day {day}" for day in EQUAL_DAYS]
    table(["equal arms", "agent", "share of the first arm", *days], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, default=Path("daily_tasks"), help="where losses are kept")
    parser.add_argument("--minutes", type=float, default=np.inf, help="begin no task after so many; run again to go on")
    parser.add_argument("--tasks", type=int, nargs="*", help="only these, by their place from 0")
    parser.add_argument("--again", action="store_true", help="play the learned policy anew: its weights are others")
    parser.add_argument("--equal", action="store_true", help="only the table of equal arms")
    args = parser.parse_args()
    if args.equal:
        equal_arms()
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    rows, begun = [], time.monotonic()
    for place, task in enumerate(held_out()):
        if args.tasks is not None and place not in args.tasks:
            continue
        if time.monotonic() - begun > 60 * args.minutes:
            print(f"stopped before task {place}")
            return
        rows.append(row(task, losses(task, place, args.replications, args.folder, args.again)))
    names = list(dict.fromkeys(name for r in rows for name in r))
    if args.tasks is None:
        with (DOCS / "daily_tasks.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    show(rows)


if __name__ == "__main__":
    main()
