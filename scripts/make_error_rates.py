"""Write the error-rate table from a finished run of configs/error_rates.toml.

bandit-env run configs/error_rates.toml --out runs/error_rates
python scripts/make_error_rates.py runs/error_rates > docs/error_rates.md
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from bandit_env.experiment.results import Cell, Run, read
from bandit_env.views.summary import wilson

RULES = {
    "FixedSample": "one look, on the last day",
    "RepeatedTest": "**peeking**: z-test every day, p < .05",
    "ProbabilityBest": "P(best) >= 95 %",
    "BeatsControl": "P(beats control) >= 95 %",
    "ValueRemaining": "value remaining",
    "ExpectedLoss": "expected loss < .0001",
    "pocock": "Pocock, 5 looks",
    "obrien-fleming": "O'Brien-Fleming, 5 looks",
    "pocock-spending": "Pocock spending, daily",
    "obrien-fleming-spending": "O'Brien-Fleming spending, daily",
    "MixtureSPRT": "mixture SPRT",
    "ConfidenceSequence": "confidence sequence, Beta(4, 96) mixture",
    "GeneralizedLikelihoodRatio": "GLR",
    "After": "the leader, on the last day",
}

ABOUT = """\
# How often does each stopping rule err?

Made by `scripts/make_error_rates.py` from `bandit-env run configs/error_rates.toml`: {replications:,} replications of
each row, seed {seed}. Two arms, {visits} visits a day, a look every day from day {first} to day {last}, which is how
long the classical test of 4 % against 5 % takes at power 95 %. An experiment that no rule stopped ships nothing.

- *Claims a winner*: the rule stops and says that one arm is better. Under A/A (both arms 4 %) every claim is false.
- *Ships the variation*: the second arm is declared, claimed or not.
- *Power*: under 4 % v 5 % the second arm is claimed. *Wrong*: the first is declared (claimed or merely kept).
- *Saved*: conversions, against the classical test's loss of {cost:.1f}; ± is a 95 % interval, as are the brackets
  (Wilson's).

Shares in %, all levels nominally 5 %.
"""


def main() -> None:
    """Print the tables of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder that `bandit-env run configs/error_rates.toml` wrote")
    run = read(parser.parse_args().run)
    if not {"aa", "ab"} <= {cell.scenario for cell in run.cells}:
        parser.error("the run lacks the scenarios 'aa' and 'ab' of configs/error_rates.toml")
    print(about(run))
    for allocation in ("Uniform", "Thompson"):
        print(f"## {allocation} allocation\n")
        print(table(run, allocation.lower()))


def about(run: Run) -> str:
    """The conditions of the run, in words."""
    cell = next(cell for cell in run.cells if cell.scenario == "ab")
    assert cell.classical is not None
    assert cell.rates is not None
    return ABOUT.format(
        replications=run.config["replications"],
        seed=run.config["seed"],
        visits=cell.task.visits_per_day,
        first=f"{cell.task.min_days:g}",
        last=f"{cell.task.max_days:g}",
        cost=cell.classical.cost(cell.rates),
    )


def table(run: Run, allocation: str) -> str:
    """One row per stopping rule: A/A on the left, 4 % v 5 % on the right."""
    heads = ["rule", "A/A: claims a winner", "ships the variation", "median day"]
    heads += ["4 v 5 %: power", "ships the variation", "wrong", "median day", "saved"]
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    played = [cell for cell in run.cells if cell.parameters["agent"]["name"] == allocation]
    equal = {cell.agent: cell for cell in played if cell.scenario == "aa"}
    for different in (cell for cell in played if cell.scenario == "ab"):
        cells = [rule(different), *equal_arms(equal[different.agent]), *different_arms(different)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def rule(cell: Cell) -> str:
    """A stopping rule in words."""
    stopping = cell.parameters["agent"]["stopping"]
    if "any" in stopping:
        return " or ".join(RULES[part["rule"].split(":")[1]] for part in stopping["any"])
    return RULES[stopping.get("shape", stopping["rule"].split(":")[1])]


def equal_arms(cell: Cell) -> list[str]:
    """False claims, variations shipped, median day."""
    rows = cell.episodes
    return [share(rows.claimed_winner), share(rows.declared_arm == 1), f"{rows.stopping_day.median():.0f}"]


def different_arms(cell: Cell) -> list[str]:
    """Power, variations shipped, wrong arms, median day, conversions saved."""
    rows = cell.episodes
    assert cell.classical is not None
    assert cell.rates is not None
    saved = cell.classical.cost(cell.rates) - rows.regret
    return [
        share(rows.claimed_winner & (rows.declared_arm == 1)),
        share(rows.declared_arm == 1),
        share(rows.declared_arm == 0),
        f"{rows.stopping_day.median():.0f}",
        f"{saved.mean():.1f} ± {1.96 * saved.std() / np.sqrt(len(saved)):.1f}",
    ]


def share(holds: pd.Series) -> str:
    """A share in per cent with its 95 % interval."""
    count, total = int(holds.sum()), len(holds)
    low, high = wilson(count, total)
    return f"{100 * count / total:.1f} ({100 * low:.1f}–{100 * high:.1f})"


if __name__ == "__main__":
    main()
