"""The tables of docs/learned.md: `python scripts/evaluate_learned.py exact|per-visit|pairs|daily|priors|cost`.

Every agent of a table meets the same rates and the same streams of chance, drawn anew from the prior with seeds that no
training used; differences are paired. +- is half a 95 % interval. Loss is regret + regret_after: the conversions that
the whole horizon costs.
"""

import argparse
import csv
import hashlib
import itertools
import sys
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import gymnasium as gym
import numpy as np
from scipy.special import betainc, ndtr, ndtri

import agents
import bandit_env  # noqa: F401 (registers the environments)
from agents.allocation import Allocation, share_among_leaders
from agents.dynamic_programming import policy_of, policy_value, solve
from agents.evidence import Evidence
from agents.policy import SHIPPED
from agents.stopping import StoppingRule, make_rule
from bandit_env.envs.action import encode_action

SEED, BATCH = 20_261_000_000, 20_000
SETTLED = 1e-6  # see Shared
Label = TypeVar("Label", bound=Hashable)
Rule = tuple[StoppingRule | None, tuple[float, float]]

INDEX = {"name": "posterior-index", "c": 2.0}
LEARNED = {"name": "learned", "path": "daily"}
DAILY = {"prior": [4, 96], "num_arms": 2, "visits_per_day": 100, "max_days": 60, "min_days": 14}

TOLD, NOT_TOLD = (4, 96), (1, 1)  # the prior of the rates, and the one of those who know nothing

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
    "tempered-thompson 2.0": {"name": "tempered-thompson", "gamma": 2.0},
    **{f"posterior-index {c}": {"name": "posterior-index", "c": c} for c in (1.5, 2.0, 2.5, 3.0)},
    "posterior-index 3.0, exponent 1.0": {"name": "posterior-index", "c": 3.0, "exponent": 1.0},
}
RULES: dict[str, Any] = {
    "to the horizon": None,
    "value-remaining": "value-remaining",
    "value-remaining 0.1": {"rule": "value-remaining", "threshold": 0.1},
    "beats-control": "beats-control",
    "beats-control | value-remaining": "beats-control | value-remaining",
    **{f"probability-best {c}": {"rule": "probability-best", "confidence": c} for c in (0.8, 0.9, 0.95)},
    **{f"expected-loss {loss}": {"rule": "expected-loss", "threshold": loss} for loss in (0.0001, 0.0005)},
    "mixture-sprt": "mixture-sprt",
    "glr": "glr",
    "repeated-test": "repeated-test",
    "confidence-sequence": "confidence-sequence",
    "group-sequential, O'Brien-Fleming": "group-sequential",
    "group-sequential, Pocock": {"rule": "group-sequential", "shape": "pocock"},
    "group-sequential, spending": {"rule": "group-sequential", "shape": "obrien-fleming-spending", "looks": "all"},
    "fixed-sample": {"rule": "fixed-sample", "baseline": 0.04, "target": 0.06, "power": 0.8},
    "after 14 days": {"rule": "after", "days": 14},
}
# Those that do not read the prior: one of these allocations with one of these rules is the same pair for both.
WITHOUT_PRIOR = {
    *("uniform", "epsilon-greedy", "greedy", "ucb1", "kl-ucb", "successive-elimination"),
    *("track-and-stop", "to the horizon", "mixture-sprt", "glr", "repeated-test", "confidence-sequence"),
    *(rule for rule in RULES if rule.startswith(("group-sequential", "fixed-sample"))),
}
# Agents of other tasks, which refuse this one, and one that is a pair of the list: uniform with fixed-sample.
NOT_ALLOCATIONS = ("bayes-optimal", "gittins", "learned", "uniform-classical")
FINALISTS = (
    *(f"posterior-index {c}, to the horizon" for c in ("1.5", "2.0", "2.5", "3.0", "3.0, exponent 1.0")),
    "posterior-index 2.5, value-remaining",
    "posterior-index 2.0, to the horizon, uniform prior",
    "tempered-thompson 2.0, value-remaining",
    "thompson, value-remaining",
    "thompson, to the horizon",
)


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
    return f"{values.mean():.3f} +- {1.96 * _error(values):.3f}"


def _error(values: np.ndarray) -> float:
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


class Shared(Evidence):
    """Evidence on two arms for many stopping rules: each integral of a row is found once, if a rule asks for it.

    Where it is clear what the rules of this file decide, the integrals, which take long there, are left out: no
    confidence of theirs is outside of 1 / 5 to 1 - SETTLED, and no expected loss that they look for is below SETTLED.
    """

    def __init__(self, *seen: Any, known: dict[Hashable, np.ndarray] | None = None) -> None:
        super().__init__(*seen)
        self.known = {} if known is None else known  # by name, a row for every experiment of the batch, or NaN

    def at(self, rows: np.ndarray) -> "Shared":
        """Some of the experiments, sharing what is known."""
        part = super().at(rows)
        seen = part.visits, part.conversions, part.day, part.experiments, part.task, part.prior
        return Shared(*seen, known=self.known)

    @property
    def probability_best(self) -> np.ndarray:
        """As `Evidence`; 1 and 0 where it is settled."""
        return self._once("best", lambda part: part.probability_best, lambda part: part.posterior_mean.argsort(axis=1))

    def value_remaining_below(self, threshold: float) -> np.ndarray:
        """As `Evidence`; 1 where it is settled which arm is better."""
        return self._once(
            threshold, lambda part: part.value_remaining_below(threshold), lambda part: np.ones(len(part))
        )

    def expected_loss(self) -> np.ndarray:
        """As `Evidence`; the difference of the means where it is settled which arm is better."""
        find = Evidence.expected_loss
        return self._once("loss", find, lambda part: part.posterior_mean.max(axis=1)[:, None] - part.posterior_mean)

    def probability_beats(self, control: int = 0) -> np.ndarray:
        """As `Evidence`; 0 where the control leads by two standard deviations: at most 1 / 5, by Cantelli."""
        other = 1 - control
        gap = self.posterior_mean[:, other] - self.posterior_mean[:, control]
        may_stop = np.flatnonzero(gap > -2 * np.hypot(*self.posterior_sd.T))
        beats = np.zeros((len(self), 2))
        beats[may_stop, other] = self.at(may_stop).probability_best[:, other]
        return beats

    def _once(
        self,
        name: Hashable,
        find: Callable[[Evidence], np.ndarray],
        settle: Callable[[Evidence], np.ndarray],
    ) -> np.ndarray:
        rows = self.experiments
        if name not in self.known:
            self.known[name] = np.full((BATCH, *settle(self).shape[1:]), np.nan)
        known = self.known[name]
        missing = np.flatnonzero(np.isnan(known[rows].reshape(len(rows), -1)[:, 0]))
        part = super().at(missing)
        settled = _settled(part)
        for how, chosen in ((find, ~settled), (settle, settled)):
            if chosen.any():
                known[rows[missing[chosen]]] = how(part.at(np.flatnonzero(chosen)))
        return known[rows]


def _settled(evidence: Evidence) -> np.ndarray:
    """Whether P(the arm behind is better) < SETTLED for sure: one of the two would lie beyond a point between them."""
    mean, sd = evidence.posterior_mean, evidence.posterior_sd
    settled = np.abs(mean[:, 0] - mean[:, 1]) > 5 * np.hypot(*sd.T)
    part = evidence.at(np.flatnonzero(settled))
    (a, b), (mean, sd) = part.prior, (mean[settled], sd[settled])
    between = ((mean * sd[:, ::-1]).sum(axis=1) / sd.sum(axis=1))[:, None]
    lower = betainc(part.conversions + a, part.visits - part.conversions + b, between)
    beyond = np.where(mean > between, lower, 1 - lower)
    settled[settled] = beyond.sum(axis=1) < SETTLED
    return settled


def play_with_rules(
    world: Mapping[str, Any], player: Mapping[str, Any], rules: Mapping[Label, Rule], replications: int
) -> dict[Label, dict[str, np.ndarray]]:
    """What `play` finds of one allocation with each of the rules, from one play to the horizon.

    An allocation never sees its stopping rule: until a rule stops an experiment, its days are those of the experiment
    that goes on. Hence all rules can be asked about the same days.

    Args:
        world, player, replications: as for `play`, with an agent that has no rule.
        rules: the rule, or None, and the prior that it is told.
    """
    agent, parts = agents.make(**player), []
    for start in range(0, replications, BATCH):
        n = min(BATCH, replications - start)
        envs = gym.make_vec("bandit_env/DailyTraffic-v0", num_envs=n, autoreset_mode="Disabled", **world)
        task, rows = envs.unwrapped.task, np.arange(n)
        agent.reset(task, n, np.random.default_rng(SEED))
        observation, infos = envs.reset(seed=SEED + start)
        rates, visits = infos["rates"], task.max_days * task.visits_per_day
        lost = np.zeros(n)
        found = {label: {"loss": np.zeros(n), "day": np.full(n, float(task.max_days))} for label in rules}
        running = dict.fromkeys(rules, rows)
        for day in range(task.max_days):
            seen = (observation["visits"], observation["conversions"], observation["day"][:, 0], rows, task)
            whole = Evidence(*seen, agent.prior)
            action = encode_action(agent.weights(whole))
            evidence = {prior: Shared(*seen, prior) for _, prior in rules.values()}
            if whole._probability_best is not None and agent.prior in evidence:  # the allocation has found it
                evidence[agent.prior].known["best"] = whole._probability_best
            for label, (rule, prior) in rules.items() if day >= task.min_days else ():
                if rule is None or not running[label].size:
                    continue
                declared = rule.decide(evidence[prior].at(running[label]))[0]
                stops, arm = running[label][declared >= 0], declared[declared >= 0]
                left = visits - observation["visits"][stops].sum(axis=1)
                found[label]["loss"][stops] = lost[stops] + left * (rates[stops].max(axis=1) - rates[stops, arm])
                found[label]["day"][stops] = day
                running[label] = running[label][declared < 0]
            observation, _, _, _, infos = envs.step(action)
            lost += infos["regret"]
        for label in rules:
            found[label]["loss"][running[label]] = lost[running[label]]
        parts.append(found)
    return {
        label: {name: np.concatenate([part[label][name] for part in parts]) for name in ("loss", "day")}
        for label in rules
    }


def pairs() -> dict[str, dict[str, Any]]:
    """All pairs of allocation and stopping rule, with the true prior and with the uniform one."""
    return {
        f"{allocation}, {rule}{', uniform prior' if prior == NOT_TOLD else ''}": {
            "name": allocation,
            **arguments,
            "stopping": stopping,
            "prior": list(prior),
        }
        for (allocation, arguments), (rule, stopping), prior in itertools.product(
            ALLOCATIONS.items(), RULES.items(), [TOLD, NOT_TOLD]
        )
        if prior == TOLD or not {allocation, rule} <= WITHOUT_PRIOR
    }


def all_pairs(replications: int, folder: Path) -> None:
    """Every pair against the learned policy. Finished allocations are kept in `folder` and not played again."""
    reference = None
    rows: list[list[str]] = []
    folder.mkdir(parents=True, exist_ok=True)
    for allocation, prior in itertools.product(ALLOCATIONS, (TOLD, NOT_TOLD)):
        if prior == NOT_TOLD and allocation in WITHOUT_PRIOR:
            continue  # its rules were asked with both priors
        settings = repr([replications, ALLOCATIONS[allocation], RULES]).encode() + (SHIPPED / "daily.npz").read_bytes()
        made = f"# {hashlib.sha256(settings).hexdigest()}\n"  # a file of other settings or weights is made anew
        file = folder / f"{allocation}{', uniform prior' if prior == NOT_TOLD else ''}.csv"
        if not (file.exists() and file.read_text().startswith(made)):
            if reference is None:
                reference = _play(DAILY, agents.make(**LEARNED, prior=list(TOLD)), replications)["loss"]
            part = file.with_suffix(".part")
            with part.open("w", newline="") as out:
                out.write(made)
                csv.writer(out, lineterminator="\n").writerows(_with_all_rules(allocation, prior, reference))
            part.replace(file)
            print(f"played: {file.stem}", file=sys.stderr, flush=True)
        with file.open(newline="") as text:
            rows += list(csv.reader(text))[1:]
    rows.sort(key=lambda row: float(row[3]))
    with (folder / "pairs.csv").open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["allocation", "rule", "prior", "loss", "error", "more", "error of it", "mean day"])
        writer.writerows(rows)
    lines = []
    for allocation, rule, told, *numbers, day in rows:
        loss, error, more, error_of_more = map(float, numbers)
        label = f"{allocation}, {rule}{', uniform prior' if told == 'uniform' else ''}"
        lines.append([label, f"{loss:.3f} +- {1.96 * error:.3f}", f"{more:.3f} +- {1.96 * error_of_more:.3f}", day])
    count = len(rows)
    table([f"{count} pairs, R = {replications:,}", "loss", "more than learned", "mean day of the stop"], lines)
    differences = np.array([[float(row[5]), float(row[6])] for row in rows])
    ratios = differences[:, 0] / differences[:, 1]
    nearest, wide = int(ratios.argmin()), float(ndtri(1 - 0.025 / count))
    lower = (differences[:, 0] - wide * differences[:, 1]).min()
    print(f"Nearest: {lines[nearest][0]}, {ratios[nearest]:.2f} standard errors above the learned policy.")
    print(f"All {count} at once (Bonferroni): p = {min(1, 2 * count * ndtr(-ratios[nearest])):.1g}; intervals of")
    print(
        f"{wide:.2f} standard errors hold together with probability 95 %, and the lowest of them begins at {lower:.3f}."
    )


def _with_all_rules(allocation: str, prior: tuple[int, int], reference: np.ndarray) -> list[list[str]]:
    """An allocation with all rules: names, prior, loss, its standard error, the difference, its own, mean day."""
    asked: dict[tuple[str, str], Rule] = {}
    for rule, stopping in RULES.items():
        if {allocation, rule} <= WITHOUT_PRIOR:
            asked[rule, "either"] = make_rule(stopping), prior
        else:
            for of_rule in (TOLD, NOT_TOLD) if allocation in WITHOUT_PRIOR else (prior,):
                asked[rule, "true" if of_rule == TOLD else "uniform"] = make_rule(stopping), of_rule
    player = {"name": allocation, **ALLOCATIONS[allocation], "prior": list(prior)}
    found = play_with_rules(DAILY, player, asked, len(reference))
    rows = []
    for pair, result in found.items():
        more = result["loss"] - reference
        numbers = [f"{x:.5f}" for values in (result["loss"], more) for x in (values.mean(), _error(values))]
        rows.append([allocation, *pair, *numbers, f"{result['day'].mean():.1f}"])
    return rows


def daily(replications: int) -> None:
    """The learned policy against the nearest pairs, Thompson sampling, and an index that no agent here has."""
    players = {"learned": {**LEARNED, "prior": [4, 96]}, "learned, prior not told": LEARNED}
    players |= {label: pairs()[label] for label in FINALISTS}
    players["gittins index by day"] = {"name": "gittins_by_day:GittinsByDay", "prior": list(TOLD)}
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


TABLES: dict[str, tuple[Callable[..., None], int]] = {
    "exact": (exact, 0),
    "per-visit": (per_visit, 20_000),
    "pairs": (all_pairs, 200_000),
    "daily": (daily, 200_000),
    "priors": (priors, 20_000),
    "cost": (cost, 20_000),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--replications", type=int)
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("runs/pairs"),
        help="of `pairs`: where finished parts are kept, to go on after an interruption, and the table as pairs.csv",
    )
    args = parser.parse_args()
    make, usual = TABLES[args.table]
    replications = usual if args.replications is None else args.replications
    if args.table == "pairs":
        make(replications, args.folder)
    else:
        make(replications)


if __name__ == "__main__":
    main()
