"""All pairs of allocation and stopping rule against the learned policy: `python scripts/evaluate_pairs.py`.

Each allocation is played once, to the horizon, and all rules are asked about the same days. Rates, streams, loss and +-
are those of evaluate_learned.py. docs/learning/pairs.csv is the table that it writes.
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
from evaluate_learned import BATCH, DAILY, LEARNED, SEED, play, standard_error, table
from scipy.special import betainc, ndtr, ndtri

import agents
from agents.evidence import Evidence
from agents.policy import SHIPPED
from agents.stopping import StoppingRule, make_rule

SETTLED = 1e-6  # see Shared
Label = TypeVar("Label", bound=Hashable)
Rule = tuple[StoppingRule | None, tuple[float, float]]

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
# Agents of other tasks, which refuse this one or are made for rates that move; one that is a pair of the list, uniform
# with fixed-sample; and platforms' presets, which are parts of the list with other knobs.
NOT_ALLOCATIONS = (
    *("bayes-optimal", "gittins", "gittins-discounted", "learned", "sb3", "uniform-classical"),
    *("log-odds-thompson", "period-weighted"),
    *("adobe-auto-allocate", "amplitude", "google-2013", "growthbook", "statsig-autotune"),
)


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
            action = agent.act(observation, rows)
            evidence = {prior: Shared(*seen, prior) for _, prior in rules.values()}
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
                reference = play(DAILY, {"learned": {**LEARNED, "prior": list(TOLD)}}, replications)["learned"]["loss"]
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
        numbers = [f"{x:.5f}" for values in (result["loss"], more) for x in (values.mean(), standard_error(values))]
        rows.append([allocation, *pair, *numbers, f"{result['day'].mean():.1f}"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=200_000)
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("runs/pairs"),
        help="where finished parts are kept, to go on after an interruption, and the table as pairs.csv",
    )
    args = parser.parse_args()
    all_pairs(args.replications, args.folder)


if __name__ == "__main__":
    main()
