"""A cell's curves and rows as the views show them: means with their bands, by day, savings by experiment."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bandit_env.experiment.results import Cell
from bandit_env.views.summary import Z95

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Band:
    """A mean with its 95 % confidence interval, each of shape (T,)."""

    mean: Floats
    lower: Floats
    upper: Floats


def band(total: Floats, squares: Floats, count: Floats) -> Band:
    """Mean and 95 % interval from sums, sums of squares and counts (normal approximation; NaN where none)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        variance = np.clip(squares / count - mean**2, 0, None) * count / np.maximum(count - 1, 1)
        half = Z95 * np.sqrt(variance / count)
    return Band(mean, mean - half, mean + half)


def time_unit(cell: Cell) -> str:
    """What time is counted in: "visit" where each update is one visit, else "day"."""
    return "visit" if cell.task.visits_per_day == cell.task.updates_per_day else "day"


def units_per_day(cell: Cell) -> int:
    """How many of `time_unit` there are in a day."""
    return cell.task.visits_per_day if time_unit(cell) == "visit" else 1


def in_units(cell: Cell, days: float) -> float:
    """Days as the cell's unit of time counts them."""
    return days * units_per_day(cell)


def count(value: float, unit: str, digits: int = 0) -> str:
    """So many of a unit: "3,443 days", "1 day", "46.4 days"."""
    number = f"{value:,.{digits}f}"
    return f"{number} {unit}{'' if number == '1' else 's'}"


def column_band(curves: pd.DataFrame, name: str, count: str) -> Band:
    """Mean and interval by update of what curves have sums of, such as "regret", over the experiments in `count`."""
    total, squares, number = (curves[column].to_numpy(np.float64) for column in (f"{name}_sum", f"{name}_sumsq", count))
    return band(total, squares, number)


def by_step(cell: Cell) -> pd.DataFrame:
    """The curves summed up to whole days (or visits), with a column `step` that counts them from 1.

    Sums of a day's updates are sums over its updates; what is cumulative, and what counts the experiments
    running, is that of its last update. A last day that is only half over counts as a day. `served_updates` is
    the number of updates that `best_arm_sum` is a sum over.
    """
    curves = cell.curves
    step = np.ceil(curves["day"].to_numpy() * units_per_day(cell) - 1e-9).astype(np.int64)
    if (np.diff(step) == 1).all():
        return curves.assign(step=step, served_updates=curves["visited"])
    grouped = curves.groupby(step)
    table = grouped.last()
    summed = ["regret_sum", "best_arm_sum", "value_n", "value_sum"]
    table[summed] = grouped[summed].sum()
    table["served_updates"] = grouped["visited"].sum()
    return table.rename_axis("step").reset_index()


def busiest(weights: NDArray[np.float32], most: int) -> list[int]:
    """The arms, in order; of more than `most`, those with the largest sums of weights (shape (T, K))."""
    arms = np.argsort(-weights.sum(axis=0, dtype=np.float64), kind="stable")[:most]
    return sorted(arms.tolist())


def thin(length: int, points: int, head: int = 100) -> NDArray[np.int64]:
    """Which of `length` steps to keep, at most `points`: the first `head`, then evenly to the last one."""
    if length <= points:
        return np.arange(length)
    rest = np.linspace(head, length - 1, points - head)
    return np.concatenate([np.arange(head), np.round(rest).astype(np.int64)])


def histogram(values: Floats, edges: Floats) -> Floats:
    """How many values lie in each bin; those beyond the outermost edges count in the outermost bins."""
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0].astype(np.float64)


def edges(low: float, high: float, bins: int) -> Floats:
    """Edges of equal bins from `low` to `high`, for any two finite numbers.

    Where no number lies between them, or hardly any, bins have no width; NumPy refuses to make such ("Too many bins").
    """
    share = np.linspace(0, 1, bins + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        even = np.linspace(low, high, bins + 1)
    if not np.isfinite(even).all():  # their difference is more than a float can hold
        even = low * (1 - share) + high * share
    return np.clip(np.maximum.accumulate(even), low, high)


def days_saved(cell: Cell) -> Floats | None:
    """Days of the classical test less days of the experiment, per replication; None without a classical test."""
    if cell.classical is None:
        return None
    return np.asarray(cell.classical.days - cell.columns(["stopping_day"])["stopping_day"], dtype=np.float64)


def conversions_saved(cell: Cell) -> Floats | None:
    """Conversions lost by the classical test less those lost by the experiment; None without a classical test."""
    if cell.classical is None or cell.rates is None:
        return None
    return np.asarray(cell.classical.cost(cell.rates) - cell.columns(["regret"])["regret"], dtype=np.float64)


def best_arm_share(cell: Cell) -> Floats:
    """Share of each experiment's visits that the best arms got, from its first day to its last; NaN if none."""
    rates, visits = cell.per_arm("rate"), cell.per_arm("visits")
    best = rates == rates.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        share: Floats = (visits * best).sum(axis=1) / visits.sum(axis=1)
    return share
