"""One line per cell: how long, how right, at what cost, with confidence intervals. docs/glossary.md has the words."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bandit_env.experiment.results import Cell, Run
from bandit_env.views.judged import shipped_lift

Z95 = 1.959963984540054  # the normal distribution's 97.5 % point
JUDGED = ("correct", "wrong", "ships_worse")  # say nothing where no arm is better than another


def summarise(run: Run) -> pd.DataFrame:
    """The result table of a run, one row per cell, with the same columns for every run.

    Columns: scenario, agent, replications; of the stopping day (days) mean_day, median_day, q95_day, max_day; against
    the classical test days_saved and conversions_saved (means), worst_saved (the smallest conversions saved of any
    replication) and longer (share of experiments that take longer), NaN where there is no such test; the shares of
    experiments correct, wrong and ships_worse (NaN on equal arms), undecided, claimed and ships_variation; regret,
    regret_after and loss (conversions); difference and loss_difference, the regret and the loss less those of the
    scenario's first agent, replication by replication; and of the lift of shipped variations what
    `bandit_env.views.judged.shipped_lift` says.

    Means and shares have 95 % intervals, with _low and _high: normal for means, Wilson's for shares (but for `longer`).
    """
    first: dict[str, Cell] = {}
    rows = []
    for cell in run.cells:
        rows.append(summarise_cell(cell, first.setdefault(cell.scenario, cell)))
    return pd.DataFrame(rows)


def summarise_cell(cell: Cell, reference: Cell | None = None) -> dict[str, Any]:
    """The row of one cell; `reference` is the cell that its regret and its loss are compared to."""
    columns = ["replication", "stopping_day", "declared_arm", "claimed_winner", "correct", "regret", "regret_after"]
    table = cell.columns([*columns, "loss"])
    days, regret = table["stopping_day"].to_numpy(), table["regret"].to_numpy()
    row: dict[str, Any] = {"scenario": cell.scenario, "agent": cell.agent, "replications": len(table)}
    row |= with_interval("mean_day", days)
    row["median_day"], row["q95_day"] = np.quantile(days, [0.5, 0.95]).tolist()
    row["max_day"] = float(days.max())
    row |= _savings(cell, days, regret)
    for name, holds in _decisions(table).items():
        row |= empty(name) if cell.equal_arms and name in JUDGED else share_with_interval(name, holds)
    for name in ("regret", "regret_after", "loss"):
        row |= with_interval(name, table[name].to_numpy())
    return row | _differences(table, None if reference is cell else reference) | shipped_lift(cell)


def _decisions(table: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """How the experiments ended: what each share of the summary is a share of, as the glossary defines it."""
    declared, claimed = table["declared_arm"].to_numpy(), table["claimed_winner"].to_numpy(dtype=bool)
    correct = table["correct"].to_numpy(dtype=bool)
    worse = (declared >= 0) & ~correct
    return {
        "correct": correct,
        "undecided": declared < 0,
        "claimed": claimed,
        "wrong": claimed & worse,
        "ships_worse": worse,
        "ships_variation": declared > 0,
    }


def _differences(table: pd.DataFrame, reference: Cell | None) -> dict[str, float]:
    """Regret and loss less those of another cell, replication by replication."""
    columns = {"difference": "regret", "loss_difference": "loss"}
    if reference is None:
        return {name: value for column in columns for name, value in empty(column).items()}
    theirs = reference.columns(["replication", *columns.values()])
    paired = table.merge(theirs, on="replication", suffixes=("", "_theirs"))
    less = {name: (paired[column] - paired[f"{column}_theirs"]).to_numpy() for name, column in columns.items()}
    return {name: value for column, values in less.items() for name, value in with_interval(column, values).items()}


def _savings(cell: Cell, days: NDArray[np.float64], regret: NDArray[np.float64]) -> dict[str, float]:
    """Days and conversions saved against the classical test; empty without one, or where rates are drawn."""
    if cell.classical is None or cell.rates is None:
        nothing = empty("days_saved") | empty("conversions_saved")
        return nothing | dict.fromkeys(("worst_saved", "longer"), math.nan)
    saved = cell.classical.cost(cell.rates) - regret
    return {
        **with_interval("days_saved", cell.classical.days - days),
        **with_interval("conversions_saved", saved),
        "worst_saved": float(saved.min()),
        "longer": float((days > cell.classical.days).mean()),
    }


def is_cut(row: Mapping[Any, Any], share: float) -> bool:
    """Whether a quantile of the stopping day, as NumPy interpolates it, rests on experiments that the horizon cut.

    Those never stopped, so that the quantile is at least what is found. `row` is a line of the summary.
    """
    count = int(row["replications"])
    undecided = round(float(row["undecided"]) * count)
    return math.ceil(share * (count - 1) - 1e-9) >= count - undecided


def with_interval(name: str, values: ArrayLike) -> dict[str, float]:
    """A mean and its normal 95 % interval, as `name`, `name_low`, `name_high`; no interval for a single value."""
    values = np.asarray(values, dtype=np.float64)
    mean = float(values.mean())
    half = Z95 * float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else math.nan
    return {name: mean, f"{name}_low": mean - half, f"{name}_high": mean + half}


def share_with_interval(name: str, holds: NDArray[np.bool_]) -> dict[str, float]:
    """A share and Wilson's 95 % interval, as `name`, `name_low`, `name_high`."""
    low, high = wilson(int(holds.sum()), holds.size)
    return {name: float(holds.mean()), f"{name}_low": low, f"{name}_high": high}


def empty(name: str) -> dict[str, float]:
    """What is not there, with its interval: NaN as `name`, `name_low`, `name_high`."""
    return dict.fromkeys((name, f"{name}_low", f"{name}_high"), math.nan)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % score interval for a share (Wilson 1927, J. Amer. Statist. Assoc. 22, 209-212)."""
    share, z2 = successes / trials, Z95**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    return max(0.0, centre - half), min(1.0, centre + half)
