"""What the estimates that a run was asked for are worth: bias, error and coverage over the experiments of each cell."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bandit_env.experiment.estimates.methods import LOG_ODDS, QUANTITIES, RATE, column
from bandit_env.experiment.results import Cell, Run

if TYPE_CHECKING:
    from rich.table import Table

FILE = "estimates.csv"
MAX_ARMS = 10  # that are listed in the table, and drawn
WORDS = {LOG_ODDS: "log odds ratio"}  # for a quantity, where its name is not the word
CAPTION = (
    "Over the experiments in which a method has an estimate: its mean, the true value, bias (the mean less the true "
    "one) and root mean square error, ± standard errors; covered: how often the 95 % interval holds the true one."
)


def summarise(run: Run) -> pd.DataFrame:
    """A row per cell, method, quantity and arm, of the cells that were asked for estimates; see `summarise_cell`."""
    tables = [
        summarise_cell(cell).assign(scenario=cell.scenario, agent=cell.agent) for cell in run.cells if asked(cell)
    ]
    if not tables:
        return pd.DataFrame()
    table = pd.concat(tables, ignore_index=True)
    return table[["scenario", "agent", *(name for name in table.columns if name not in ("scenario", "agent"))]]


def asked(cell: Cell) -> list[str]:
    """The methods that a cell was asked for."""
    return list(cell.parameters.get("estimates", {}).get("methods", ()))


def summarise_cell(cell: Cell) -> pd.DataFrame:
    """Each method's estimates over a cell's experiments.

    Columns: method; quantity ("rate", "difference" from the control, "log_odds" ratio to it); arm; experiments (with an
    estimate); estimate, true, low and high (means, of the interval's ends where they are finite); bias, rmse and
    coverage of the 95 % interval, each with its standard error (bias_se, ...): of the mean, by the delta method, and of
    a share.
    """
    return pd.DataFrame([_row(cell, *what) for what in _asked(cell)])


def _asked(cell: Cell) -> Iterator[tuple[str, str, int]]:
    for method in asked(cell):
        for quantity in QUANTITIES[method]:
            for arm in range(0 if quantity == RATE else 1, cell.task.num_arms):
                yield method, quantity, arm


def _row(cell: Cell, method: str, quantity: str, arm: int) -> dict[str, Any]:
    name = column(method, quantity, arm)
    table = cell.columns([name, f"{name}_low", f"{name}_high", f"true_{quantity}_{arm}"])
    estimate, low, high, true = (table[one].to_numpy(np.float64) for one in table.columns)
    error = (estimate - true)[np.isfinite(estimate - true)]
    known = ~(np.isnan(low) | np.isnan(high) | np.isnan(true))
    covered = ((low <= true) & (true <= high))[known]
    share, rmse = _mean(covered), math.sqrt(_mean(error**2))
    return {
        "method": method,
        "quantity": quantity,
        "arm": arm,
        "experiments": error.size,
        "estimate": _mean(estimate[np.isfinite(estimate)]),
        "true": _mean(true[np.isfinite(true)]),
        "low": _mean(low[np.isfinite(low)]),
        "high": _mean(high[np.isfinite(high)]),
        "bias": _mean(error),
        "bias_se": _error(error),
        "rmse": rmse,
        "rmse_se": _error(error**2) / (2 * rmse) if rmse > 0 else math.nan,
        "coverage": share,
        "coverage_se": math.sqrt(share * (1 - share) / covered.size) if covered.size else math.nan,
    }


def _mean(values: NDArray[np.generic]) -> float:
    return float(values.mean()) if values.size else math.nan


def _error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else math.nan


def words(row: Mapping[Any, Any]) -> str:
    """What a row is an estimate of: "difference, arm 1"."""
    return f"{WORDS.get(row['quantity'], row['quantity'])}, arm {row['arm']}"


def table(cells: Sequence[Cell]) -> "Table | None":
    """A line per agent, method, quantity and arm; None where nothing was asked for."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    cells = [cell for cell in cells if asked(cell)]
    if not cells:
        return None
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), caption=CAPTION, caption_justify="left")
    for heading in ("agent", "method", "estimate of"):
        shown.add_column(heading, overflow="fold")
    for heading in ("mean", "true", "bias", "rmse", "covered"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for cell in cells:
        name = cell.agent
        for row in summarise_cell(cell).to_dict("records"):
            if row["arm"] < MAX_ARMS:
                errors = (_plus_minus(row["bias"], row["bias_se"], "+"), _plus_minus(row["rmse"], row["rmse_se"]))
                numbers = (_number(row["estimate"]), _number(row["true"]), *errors, _share(row))
                shown.add_row(Text(name), row["method"], words(row), *numbers)
                name = ""
    return shown


def _number(value: float, sign: str = "") -> str:
    return "" if math.isnan(value) else f"{value:{sign}.4f}"


def _plus_minus(value: float, error: float, sign: str = "") -> str:
    return "" if math.isnan(value) else _number(value, sign) + ("" if math.isnan(error) else f" ± {error:.4f}")


def _share(row: Mapping[Any, Any]) -> str:
    if math.isnan(row["coverage"]):
        return ""
    return f"{100 * row['coverage']:.1f} ± {100 * row['coverage_se']:.1f} %"


def scalars(cell: Cell) -> dict[str, float]:
    """The `estimate/*` tags of a cell."""
    found = {}
    for row in summarise_cell(cell).to_dict("records"):
        for what in ("bias", "rmse", "coverage"):
            found[f"estimate/{row['method']}/{row['quantity']}/{what}/arm_{row['arm']}"] = float(row[what])
    return {tag: value for tag, value in found.items() if math.isfinite(value)}
