"""The table that an experiment's counts come in: CSV or Parquet, a row per arm or per day and arm.

Columns: `arm`, `visits`, `conversions`; with `day` (whole numbers) or `date` a row per day and arm, without a row per
arm, the totals; optionally `weight`, the share of the day's traffic that the arm was to be served.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bandit_env import plugins
from bandit_env.desk import running_totals
from bandit_env.desk.findings import Check
from bandit_env.tables import cells
from bandit_env.tables import source as sources
from bandit_env.tables.cells import Column, Floats, TableError

if TYPE_CHECKING:
    import pandas as pd

KNOWN = ("arm", "visits", "conversions", "day", "date", "weight")
NEEDED = ("arm", "visits", "conversions")
WEIGHT_SLACK = 0.02  # by which rounded weights of a day may miss 1 (or 100)


@dataclass(frozen=True)
class Counts:
    """The counts of one experiment, the control first.

    Attributes:
        names: the arms' names, K of them.
        visits, conversions: new on each day, shape (T, K); one row, the totals, where days are not known.
        weights: share of the day's traffic that each arm was to be served, shape (T, K), or None.
        days: days served at the end of each row, the first day's being 1, shape (T,); None where not known.
        dates: the rows' dates, "2024-01-31", where the table has dates.
        present: whether the table has a row, shape (T, K); None stands for all.
        checks: what was seen on reading.
    """

    names: tuple[str, ...]
    visits: Floats
    conversions: Floats
    weights: Floats | None = None
    days: NDArray[np.int64] | None = None
    dates: tuple[str, ...] | None = None
    checks: tuple[Check, ...] = ()
    present: NDArray[np.bool_] | None = None

    @property
    def total_visits(self) -> Floats:
        """Each arm's visits, shape (K,)."""
        return np.asarray(self.visits.sum(axis=0))

    @property
    def total_conversions(self) -> Floats:
        """Each arm's conversions, shape (K,)."""
        return np.asarray(self.conversions.sum(axis=0))

    @property
    def span(self) -> int | None:
        """Days served, or None where not known."""
        return None if self.days is None else int(self.days[-1])

    def when(self, index: int) -> str:
        """A row's day as people say it."""
        assert self.days is not None
        return self.dates[index] if self.dates is not None else f"day {self.days[index]}"


def read(
    source: "str | Path | pd.DataFrame | Mapping[str, Any]",
    *,
    columns: Mapping[str, str] | None = None,
    control: str | None = None,
    cumulative: bool = False,
) -> Counts:
    """Read the counts of an experiment.

    Args:
        source: a CSV or Parquet file, a data frame, or a mapping of columns. A CSV file may be separated by commas,
            semicolons, tabs or bars, and have decimal commas; a mapping without `arm` calls its arms "arm 0", "arm 1".
        columns: what the columns are called in the table: {"visits": "impressions"}.
        control: the control's name; by default the arm that comes first.
        cumulative: rows hold running totals instead of the day's own counts.

    Raises:
        TableError: a table that cannot be read; names the row as a person counts it (a CSV's heading is row 1).
    """
    found, delimiter = sources.columns(source)
    if isinstance(source, Mapping) and not any(name.strip().casefold() in ("arm", "day", "date") for name in found):
        visits = next(iter(found.values()))
        found["arm"] = Column("arm", np.array([f"arm {k}" for k in range(len(visits.rows))], object), visits.rows)
    try:
        return _counts(sources.choose(found, columns or {}, KNOWN, NEEDED), delimiter, control, cumulative)
    except TableError as error:
        raise TableError(f"{sources.where(source)}{error}") from error


def _counts(chosen: dict[str, Column], delimiter: str | None, control: str | None, cumulative: bool) -> Counts:
    sign = cells.decimal_sign([column for name, column in chosen.items() if name not in ("arm", "date")], delimiter)
    visits, conversions = (cells.counts(chosen[name], sign) for name in ("visits", "conversions"))
    wrong = conversions > visits
    if wrong.any():
        index = int(wrong.argmax())
        raise TableError(
            f"row {chosen['visits'].rows[index]}: conversions is {conversions[index]:.0f}, above visits, "
            f"{visits[index]:.0f}; expected at most as many"
        )
    names, arm = _arms(chosen["arm"], control)
    when = chosen.get("day", chosen.get("date"))
    if cumulative and when is None:
        raise TableError("running totals need a column 'day' or 'date'; a row per arm holds totals already")
    place, days, dates = _days(when, sign, len(arm))
    _refuse_twice(chosen["arm"], names, arm, place, when)
    shape = (int(place.max()) + 1, len(names))
    table: dict[str, Floats] = {}
    for name, values in (("visits", visits), ("conversions", conversions), ("row", chosen["arm"].rows)):
        table[name] = np.full(shape, np.nan)
        table[name][place, arm] = values
    present = ~np.isnan(table["visits"])
    checks = [*_late_start(when, sign), *_missing_rows(present, names, cumulative)]
    if days is None:
        daily = (table["visits"], table["conversions"])
    else:
        daily, seen = running_totals.resolve(table, names, cumulative)
        checks += seen
    weights = _weights(chosen["weight"], sign, place, arm, shape) if "weight" in chosen else None
    new = (np.nan_to_num(part) for part in daily)
    return Counts(names, next(new), next(new), weights, days, dates, tuple(checks), present)


def _days(
    when: Column | None, sign: str, count: int
) -> tuple[NDArray[np.intp], NDArray[np.int64] | None, tuple[str, ...] | None]:
    """Each row's place among the days, shape (n,); the days from 1, shape (T,); and their dates."""
    if when is None:
        return np.zeros(count, dtype=np.intp), None, None
    day, are_dates = cells.days(when, sign)
    unique, place = np.unique(day, return_inverse=True)
    dates = tuple(str(np.datetime64(int(one), "D")) for one in unique) if are_dates else None
    return place.astype(np.intp), unique - unique[0] + 1, dates


def _late_start(when: Column | None, sign: str) -> list[Check]:
    """What to say where days are numbers, and the first is neither 0 nor 1."""
    if when is None:
        return []
    day, are_dates = cells.days(when, sign)
    if are_dates or day.min() in (0, 1):
        return []
    first = f"The table begins on day {day.min()}, which is taken as the experiment's first"
    return [Check("first day", f"{first}; --day says how long it has run.")]


def _missing_rows(present: NDArray[np.bool_], names: tuple[str, ...], cumulative: bool) -> list[Check]:
    """What to say about days on which some arm has no row."""
    missing = (~present).sum(axis=0)
    if not missing.any():
        return []
    worst = int(missing.argmax())
    days = "1 day" if missing[worst] == 1 else f"{missing[worst]} days"
    taken = "its totals are taken as unchanged there" if cumulative else "taken as no visits there"
    return [Check("rows missing", f"{names[worst]!r} has no row on {days}: {taken}.")]


def _arms(column: Column, control: str | None) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """The arms' names, the control first and the others in the order of their first rows; and each row's arm."""
    order: dict[str, int] = {}
    codes = np.empty(len(column.values), dtype=np.intp)
    for index, value in enumerate(column.values):
        if cells.is_empty(value):
            raise column.refuse(index, "an arm's name")
        name = f"{value:g}" if isinstance(value, float) else str(value).strip()
        codes[index] = order.setdefault(name, len(order))
    names = list(order)
    if len(names) < 2:
        raise TableError(f"there is one arm, {names[0]!r}; expected at least two")
    first = 0
    if control is not None:
        if str(control) not in order:
            known = names if len(names) <= 20 else [*names[:20], "..."]
            raise TableError(f"there is no arm {control!r} to be the control{plugins.suggest(str(control), known)}")
        first = order[str(control)]
    places = [first, *(k for k in range(len(names)) if k != first)]
    rank = np.empty(len(names), dtype=np.intp)
    rank[places] = np.arange(len(names))
    return tuple(names[k] for k in places), rank[codes]


def _refuse_twice(
    column: Column, names: tuple[str, ...], arm: NDArray[np.intp], place: NDArray[Any], when: Column | None
) -> None:
    key = place.astype(np.int64) * len(names) + arm
    order = np.argsort(key, kind="stable")
    twice = np.flatnonzero(np.diff(key[order]) == 0)
    if twice.size:
        first, second = order[twice[0]], order[twice[0] + 1]
        what = f"arm {names[arm[first]]!r}"
        if when is None:
            raise TableError(
                f"rows {column.rows[first]} and {column.rows[second]} are both {what}; expected a row per arm, "
                "or a column 'day' or 'date'"
            )
        raise TableError(
            f"rows {column.rows[first]} and {column.rows[second]} are both {what} on {when.name} "
            f"{when.values[first]}; expected one row for a day and arm"
        )


def _weights(column: Column, sign: str, place: NDArray[Any], arm: NDArray[np.intp], shape: tuple[int, int]) -> Floats:
    """Weights of each day, which sum to 1 but for rounding; percentages will do."""
    values = cells.numbers(Column("weight", np.array([_percent(v) for v in column.values], object), column.rows), sign)
    if (values < 0).any():
        raise column.refuse(int((values < 0).argmax()), "a share of the traffic, at least 0")
    weights = np.zeros(shape)
    weights[place, arm] = values
    total = weights.sum(axis=1)
    for whole in (1, 100):
        if (np.abs(total - whole) <= WEIGHT_SLACK * whole).all():
            return np.asarray(weights / total[:, None])
    wrong = int((np.abs(total - 1) > WEIGHT_SLACK).argmax())
    row = column.rows[int((place == wrong).argmax())]
    raise TableError(f"row {row}: the weights of its day sum to {total[wrong]:g}; expected 1")


def _percent(value: Any) -> Any:
    return value.strip().removesuffix("%").strip() if isinstance(value, str) else value
