"""One line per cell: how long, how right, at what cost, with confidence intervals."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bandit_env.experiment.results import Cell, Run

Z95 = 1.959963984540054  # the normal distribution's 97.5 % point


def summarise(run: Run) -> pd.DataFrame:
    """The result table of a run, one row per cell.

    Columns: scenario, agent, replications; of the stopping day (days) mean_day, mean_day_low, mean_day_high,
    median_day, q95_day, max_day; against the classical test days_saved and conversions_saved (means, with _low and
    _high), worst_saved (the smallest conversions saved of any replication) and longer (share of experiments that take
    longer), NaN where there is no such test; correct with correct_low and correct_high; undecided (share that
    reached the horizon); claimed (share that claims a winner); regret, regret_after (conversions) with _low and _high;
    and difference, the regret less that of the scenario's first agent, replication by replication, with its interval.
    Intervals are 95 %: Wilson's for shares, normal for means.
    """
    first: dict[str, Cell] = {}
    rows = []
    for cell in run.cells:
        rows.append(summarise_cell(cell, first.setdefault(cell.scenario, cell)))
    return pd.DataFrame(rows)


def summarise_cell(cell: Cell, reference: Cell | None = None) -> dict[str, Any]:
    """The row of one cell; `reference` is the cell that its regret is compared to."""
    table = cell.columns(
        ["replication", "stopping_day", "declared_arm", "claimed_winner", "correct", "regret", "regret_after"]
    )
    count, days, regret = len(table), table["stopping_day"].to_numpy(), table["regret"].to_numpy()
    row: dict[str, Any] = {"scenario": cell.scenario, "agent": cell.agent, "replications": count}
    row |= with_interval("mean_day", days)
    row["median_day"], row["q95_day"] = np.quantile(days, [0.5, 0.95]).tolist()
    row["max_day"] = float(days.max())
    row |= _savings(cell, days, regret)
    correct = int(table["correct"].sum())
    row["correct"] = correct / count
    row["correct_low"], row["correct_high"] = wilson(correct, count)
    row["undecided"] = float((table["declared_arm"] < 0).mean())
    row["claimed"] = float(table["claimed_winner"].mean())
    row |= with_interval("regret", regret)
    row |= with_interval("regret_after", table["regret_after"].to_numpy())
    if reference is None or reference is cell:
        return row | dict.fromkeys(("difference", "difference_low", "difference_high"), math.nan)
    paired = table.merge(reference.columns(["replication", "regret"]), on="replication", suffixes=("", "_reference"))
    return row | with_interval("difference", (paired["regret"] - paired["regret_reference"]).to_numpy())


def _savings(cell: Cell, days: NDArray[np.float64], regret: NDArray[np.float64]) -> dict[str, float]:
    """Days and conversions saved against the classical test; empty without one, or where rates are drawn."""
    if cell.classical is None or cell.rates is None:
        names = [f"{what}{end}" for what in ("days_saved", "conversions_saved") for end in ("", "_low", "_high")]
        return dict.fromkeys([*names, "worst_saved", "longer"], math.nan)
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
    return math.ceil(share * (count - 1) - 1e-9) >= count - round(row["undecided"] * count)


def summarise_arms(cell: Cell) -> pd.DataFrame:
    """One row per arm: rate (NaN where drawn), traffic (mean share of visits), estimate (conversions over visits, all
    replications pooled), and picked (share of replications that declare it).
    """
    arms = range(cell.task.num_arms)
    table = cell.columns(
        ["declared_arm", "visits", *(f"{what}_{k}" for k in arms for what in ("visits", "conversions"))]
    )
    rows = []
    for k in arms:
        visits, conversions = table[f"visits_{k}"], table[f"conversions_{k}"]
        total = int(visits.sum())
        rows.append(
            {
                "arm": k,
                "rate": math.nan if cell.rates is None else cell.rates[k],
                "traffic": float((visits / table["visits"].where(table["visits"] > 0)).mean()),
                "estimate": int(conversions.sum()) / total if total else math.nan,
                "picked": float((table["declared_arm"] == k).mean()),
            }
        )
    return pd.DataFrame(rows)


def with_interval(name: str, values: ArrayLike) -> dict[str, float]:
    """A mean and its normal 95 % interval, as `name`, `name_low`, `name_high`; no interval for a single value."""
    values = np.asarray(values, dtype=np.float64)
    mean = float(values.mean())
    half = Z95 * float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else math.nan
    return {name: mean, f"{name}_low": mean - half, f"{name}_high": mean + half}


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % score interval for a share (Wilson 1927, J. Amer. Statist. Assoc. 22, 209-212)."""
    share, z2 = successes / trials, Z95**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    return max(0.0, centre - half), min(1.0, centre + half)
