"""Write the error-rate tables from finished runs of configs/error_rates.toml and configs/loss.toml.

bandit-env run configs/error_rates.toml --out runs/error_rates
bandit-env run configs/loss.toml --out runs/loss
python scripts/make_error_rates.py runs/error_rates runs/loss > docs/error_rates.md

What the GLR does where one looks after every pair of visits is simulated here, in some minutes.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from agents.evidence import Evidence
from agents.stopping.always_valid import THRESHOLDS, GeneralizedLikelihoodRatio
from bandit_env.experiment.results import Cell, Run, read
from bandit_env.views.summary import wilson
from bandit_env.world.task import Task

RULES = {  # what the rule is called, and what its 5 % were made for
    "FixedSample": ("one look, on the last day", "one look, traffic as planned"),
    "RepeatedTest": ("**peeking**: z-test every day, p < .05", "one look, not 210"),
    "ProbabilityBest": ("P(best) >= 95 %", "a belief, no level"),
    "BeatsControl": ("P(beats control) >= 95 %", "a belief, no level"),
    "ValueRemaining": ("value remaining", "claims nothing"),
    "ExpectedLoss": ("expected loss < .0001", "claims nothing"),
    "pocock": ("Pocock, 5 looks", "these looks, equal traffic"),
    "obrien-fleming": ("O'Brien-Fleming, 5 looks", "these looks, equal traffic"),
    "pocock-spending": ("Pocock spending, daily", "these looks, equal traffic"),
    "obrien-fleming-spending": ("O'Brien-Fleming spending, daily", "these looks, equal traffic"),
    "MixtureSPRT": ("mixture SPRT", "any look, traffic that does not follow the data"),
    "ConfidenceSequence": ("confidence sequence", "any look, any traffic"),
    "GeneralizedLikelihoodRatio": ("GLR", "nothing: the threshold of experiments"),
    "proved": ("GLR, proved threshold", "a wrong arm; any look, any traffic; twice that on two equal arms"),
    "After": ("the leader, on the last day", "claims nothing"),
}

ABOUT = """\
# How often does each stopping rule err, and what does it cost?

Made by `scripts/make_error_rates.py` from `bandit-env run configs/error_rates.toml` ({replications:,} replications
of each row, seed {seed}) and `bandit-env run configs/loss.toml` ({loss_replications:,}, seed {loss_seed}). Two
arms, {visits} visits a day, a look every day from day {first} to day {last}, which is how long the classical test
of 4 % against 5 % takes at power 95 %.

The words are those of the [glossary](glossary.md). On equal arms (A/A: both 4 %) every claim is false. *Claims it*:
the better arm is claimed (a test's power). *Wrong*: the other arm is claimed. *Ships a worse arm*: it is declared,
claimed or not: a test that ends without a difference keeps the control. *Undecided*: no rule stopped by day {last}.
*Loss*: conversions lost to day {last}, of the arm shipped included; the undecided have none left. Shares in %, with
95 % intervals (Wilson's); ± is a 95 % interval.

Every level is nominally 5 %, but not of the same thing: *made for* says of what. A level that was made for equal
traffic says nothing under Thompson's, which follows the data: O'Brien-Fleming's is twice what it says, and the same
test at every look is held down by starved arms.
"""

LOSS = """\
## What an experiment costs in all

4 % against 5 %, the mean of both orders of the arms, {replications:,} replications of each, ± a 95 % interval:
conversions lost until the stop, and from there to day {last} or day {end} by the arm shipped. The undecided ship
the arm with the largest observed rate. On the right, 4.0 % against a variation of 3.8 %: how often it is shipped,
and the loss to day {end}.
"""

GLR = """\
## What delta bounds in the GLR

The rule stops when the likelihood ratio of the leader against each other arm exceeds a threshold. For log(2 t (K -
1) / delta), t the visits so far, it is proved that a *wrong* arm is ever claimed with probability at most delta,
under any allocation (Garivier and Kaufmann 2016, theorem 10): a one-sided event, one direction of each pair. On two
equal arms both directions are false, and the bound is 2 delta. The practical threshold, log((log t + 1) / delta),
has no such bound. With delta = .05, the share of experiments that claim an arm, standard errors in brackets; daily
looks are those of the tables above:

| two equal arms | looks | practical | proved |
| --- | --- | ---: | ---: |
"""


def main() -> None:
    """Print the tables of the two runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder that `bandit-env run configs/error_rates.toml` wrote")
    parser.add_argument("loss", type=Path, help="the folder that `bandit-env run configs/loss.toml` wrote")
    options = parser.parse_args()
    run, loss = read(options.run), read(options.loss)
    for one, scenarios, name in ((run, {"aa", "ab"}, "error_rates"), (loss, {"better", "worse"}, "loss")):
        if not scenarios <= {cell.scenario for cell in one.cells}:
            parser.error(f"the run lacks the scenarios of configs/{name}.toml")
    print(about(run, loss))
    for allocation in ("Uniform", "Thompson"):
        print(f"## {allocation} allocation\n")
        print(error_table(run, allocation.lower()))
    print(loss_table(loss))
    print(glr_table(run))


def about(run: Run, loss: Run) -> str:
    """The conditions of the runs, in words."""
    task = run.cells[0].task
    return ABOUT.format(
        replications=run.config["replications"],
        seed=run.config["seed"],
        loss_replications=loss.config["replications"],
        loss_seed=loss.config["seed"],
        visits=task.visits_per_day,
        first=f"{task.min_days:g}",
        last=f"{task.max_days:g}",
    )


def table(heads: list[str], rows: list[list[str]], texts: int = 1) -> str:
    """A table, its first `texts` columns to the left and the others to the right."""
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * texts + " ---: |" * (len(heads) - texts)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def error_table(run: Run, allocation: str) -> str:
    """One row per stopping rule: A/A on the left, 4 % v 5 % on the right."""
    heads = ["rule", "made for", "A/A: claims a difference", "ships a variation", "undecided"]
    heads += ["4 v 5 %: claims it", "wrong", "ships it", "ships a worse arm", "undecided", "median day", "loss"]
    played = [cell for cell in run.cells if cell.parameters["agent"]["name"] == allocation]
    equal = {cell.agent: cell.episodes for cell in played if cell.scenario == "aa"}
    rows = []
    for cell in (cell for cell in played if cell.scenario == "ab"):
        aa, ab = equal[cell.agent], cell.episodes
        day = f"{ab.stopping_day.median():.0f}"
        rows.append(
            [
                *rule(cell),
                *map(share, (aa.claimed_winner, aa.declared_arm == 1, aa.declared_arm < 0)),
                *map(share, (ab.claimed_winner & (ab.declared_arm == 1), ab.claimed_winner & (ab.declared_arm == 0))),
                *map(share, (ab.declared_arm == 1, ab.declared_arm == 0, ab.declared_arm < 0)),
                day if (ab.declared_arm >= 0).mean() > 0.5 else f"at least {day}",
                mean(ab.loss),
            ]
        )
    return table(heads, rows, texts=2)


def rule(cell: Cell) -> tuple[str, str]:
    """A stopping rule in words, and what its level was made for."""
    stopping = cell.parameters["agent"]["stopping"]
    if "any" in stopping:
        parts = [RULES[part["rule"].split(":")[1]] for part in stopping["any"]]
        return " or ".join(name for name, _ in parts), parts[0][1]
    kind = stopping["rule"].split(":")[1]
    name, made_for = RULES[stopping.get("shape", "proved" if stopping.get("threshold") == "proved" else kind)]
    if kind == "ConfidenceSequence":
        a, b = stopping["mixture"]
        name += f", Beta({a:g}, {b:g}) mixture" + (" (centred on the true rate)" if (a, b) == (4, 96) else "")
    return name, made_for


def loss_table(run: Run) -> str:
    """One row per allocation and rule: mean loss of both orders to either day, and what nearly equal arms do."""
    first = run.cells[0]
    end = first.parameters["scenario"]["loss_days"]
    heads = ["allocation", "rule", f"to day {first.task.max_days:g}", f"to day {end}"]
    heads += ["4.0 v 3.8 %: ships the worse arm", f"loss to day {end}"]
    text = LOSS.format(replications=run.config["replications"], last=f"{first.task.max_days:g}", end=end)
    by = {(cell.scenario, cell.agent): cell for cell in run.cells}
    rows = []
    for cell in (cell for cell in run.cells if cell.scenario == "better"):
        both = [by[scenario, cell.agent].episodes for scenario in ("better", "worse")]
        near = by["nearly equal", cell.agent].episodes
        to_the_last_day = [rows.regret + rows.regret_after for rows in both]
        columns = [*map(pooled, (to_the_last_day, [rows.loss for rows in both])), share(near.declared_arm == 1)]
        rows.append([cell.parameters["agent"]["name"], rule(cell)[0], *columns, mean(near.loss)])
    return text + "\n" + table(heads, rows, texts=2)


def glr_table(run: Run) -> str:
    """Levels of both thresholds: a look after every pair of visits, simulated, and the run's daily looks."""
    lines = []
    for rate in (0.5, 0.04):
        found = [f"{100 * level:.1f} ({100 * error:.1f})" for level, error in glr_levels(rate)]
        lines.append(
            f"| {100 * rate:g} % | after every pair of visits, to 100,000 visits | " + " | ".join(found) + " |"
        )
    for allocation in ("uniform", "thompson"):
        found = []
        for threshold in THRESHOLDS:
            (cell,) = [c for c in run.cells if c.scenario == "aa" and is_glr(c, allocation, threshold)]
            claims = cell.episodes.claimed_winner
            found.append(f"{100 * claims.mean():.1f} ({100 * claims.sem():.1f})")
        lines.append(f"| 4 % | daily from day 14 to 223, {allocation} | " + " | ".join(found) + " |")
    return GLR + "\n".join(lines)


def is_glr(cell: Cell, allocation: str, threshold: str) -> bool:
    """Whether a cell plays the GLR with this threshold under this allocation."""
    agent = cell.parameters["agent"]
    glr = "GeneralizedLikelihoodRatio" in agent["stopping"].get("rule", "")
    return glr and agent["name"] == allocation and agent["stopping"]["threshold"] == threshold


def glr_levels(rate: float, count: int = 2000, pairs: int = 50_000, block: int = 500) -> list[tuple[float, float]]:
    """Share of experiments on two equal arms that ever claim one, with its standard error, for each threshold."""
    rng = np.random.default_rng(1)
    so_far, task = np.zeros((count, 2)), Task(2, 2)
    claimed = np.zeros((len(THRESHOLDS), count), dtype=bool)
    for start in range(0, pairs, block):
        path = so_far + (rng.random((block, count, 2)) < rate).cumsum(axis=0)
        so_far = path[-1]
        visits = np.broadcast_to(np.arange(start + 1.0, start + block + 1)[:, None, None], path.shape).reshape(-1, 2)
        evidence = Evidence(visits, path.reshape(-1, 2), visits[:, 0], np.arange(len(visits)), task)
        for of_rule, threshold in zip(claimed, THRESHOLDS, strict=True):
            claims = GeneralizedLikelihoodRatio(0.05, threshold).decide(evidence)[1]
            of_rule |= claims.reshape(block, count).any(axis=0)
    return [(float(of_rule.mean()), float(of_rule.std() / np.sqrt(count))) for of_rule in claimed]


def share(holds: pd.Series) -> str:
    """A share in per cent with its 95 % interval."""
    count, total = int(holds.sum()), len(holds)
    low, high = wilson(count, total)
    return f"{100 * count / total:.1f} ({100 * low:.1f}–{100 * high:.1f})"


def mean(values: pd.Series) -> str:
    """A mean with the half of its 95 % interval."""
    return f"{values.mean():.1f} ± {1.96 * values.sem():.1f}"


def pooled(parts: list[pd.Series]) -> str:
    """The mean of the parts' means, with the half of its 95 % interval."""
    error = np.sqrt(sum(part.sem() ** 2 for part in parts)) / len(parts)
    return f"{np.mean([part.mean() for part in parts]):.1f} ± {1.96 * error:.1f}"


if __name__ == "__main__":
    main()
