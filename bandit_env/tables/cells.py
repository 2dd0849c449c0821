"""Cells of a table as people write them: numbers with either decimal sign, whole counts, days and dates."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit_env.errors import ExperimentError

Floats = NDArray[np.float64]
Texts = NDArray[np.object_]

GROUPED = {sign: re.compile(rf"[+-]?\d{{1,3}}(?:{re.escape(sign)}\d{{3}})+") for sign in ",."}
DECIMAL = {
    sign: re.compile(rf"[+-]?(?:\d[\d{re.escape(other)}]*)?{re.escape(sign)}\d+") for sign, other in (",.", ".,")
}
SPACES = str.maketrans("", "", " \u00a0\u202f'’")  # that group thousands
DATE_FORMS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y")
MAX_DAY = 10**6
EPOCH = date(1970, 1, 1).toordinal()
MAX_COUNT = 2**53  # float64 holds every whole number up to here


class TableError(ExperimentError, ValueError):
    """A table that cannot be read: says which row, as a person counts it, what came and what was expected."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: what it is to us: "visits".
        values: its cells, texts or numbers or whatever the file held, shape (n,).
        rows: each cell's row as a person counts it, shape (n,).
    """

    name: str
    values: Texts
    rows: NDArray[np.int64]

    def refuse(self, index: int, expected: str) -> TableError:
        """The error for one cell."""
        value = self.values[index]
        found = "empty" if is_empty(value) else repr(value) if isinstance(value, str) else f"{value}"
        return TableError(f"row {self.rows[index]}: {self.name} is {found}; expected {expected}")


def is_empty(value: object) -> bool:
    """Whether a cell holds nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def decimal_sign(columns: list[Column], delimiter: str | None) -> str:
    """The decimal sign of a table's numbers: what some number can only be read with; else the delimiter's custom.

    Raises:
        TableError: both signs are in use.
    """
    seen: dict[str, tuple[Column, int]] = {}
    for column in columns:
        for index, value in enumerate(column.values):
            if isinstance(value, str) and not value.isdigit():
                text = value.strip().translate(SPACES)
                for sign in ",.":
                    if DECIMAL[sign].fullmatch(text) and not GROUPED[sign].fullmatch(text):
                        seen.setdefault(sign, (column, index))
    if len(seen) == 2:
        comma, point = (
            f"row {column.rows[index]} has {column.values[index]!r}" for column, index in (seen[","], seen["."])
        )
        raise TableError(f"decimal commas and decimal points are mixed ({comma}, {point}); expected one of them")
    return next(iter(seen), "," if delimiter == ";" else ".")


def numbers(column: Column, sign: str, expected: str = "a number") -> Floats:
    """The cells as finite numbers.

    Raises:
        TableError: a cell that is none.
    """
    group = "." if sign == "," else ","
    result = np.empty(len(column.values))
    for index, value in enumerate(column.values):
        number = _number(value, sign, group)
        if number is None:
            raise column.refuse(index, expected)
        result[index] = number
    return result


def counts(column: Column, sign: str) -> Floats:
    """The cells as whole numbers of at least 0.

    Raises:
        TableError: a cell that is none.
    """
    expected = "a whole number of at least 0"
    result = numbers(column, sign, expected)
    wrong = (result < 0) | (result != np.floor(result)) | (result > MAX_COUNT)
    if wrong.any():
        raise column.refuse(int(wrong.argmax()), expected)
    return result


def _number(value: Any, sign: str, group: str) -> float | None:
    if isinstance(value, str):
        text = value.strip().translate(SPACES)
        if GROUPED[group].fullmatch(text.partition(sign)[0]):
            text = text.replace(group, "")
        if not re.fullmatch(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?", text) or (sign != "." and "." in text):
            return None
        try:
            return float(text.replace(sign, "."))
        except ValueError:
            return None
    if isinstance(value, bool | np.bool_):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def days(column: Column, sign: str) -> tuple[NDArray[np.int64], bool]:
    """The cells as whole days, and whether they are dates (then days since 1970).

    One form of date must fit the whole column, so that 03/04 is not guessed from row to row.

    Raises:
        TableError: a cell that is neither a whole number nor a date; dates of which two forms would fit.
    """
    plain = [_number(value, sign, "." if sign == "," else ",") for value in column.values]
    if column.name == "date" or plain[0] is None or plain[0] > MAX_DAY:  # 20240131 is a date
        return _dates(column), True
    for index, number in enumerate(plain):
        if number is None or number != int(number) or abs(number) > MAX_DAY:
            raise column.refuse(index, "a whole number of days")
    return np.array(plain, dtype=np.int64), False


def _dates(column: Column) -> NDArray[np.int64]:
    readings = {form: [_date(value, form) for value in column.values] for form in DATE_FORMS}
    fitting = {form: found for form, found in readings.items() if None not in found}
    if not fitting:
        best = max(readings.values(), key=lambda found: _first_gap(found))
        expected = "a date such as 2024-01-31"
        raise column.refuse(_first_gap(best), expected if column.name == "date" else f"a day's number or {expected}")
    ordinals = [np.array(found, dtype=np.int64) for found in fitting.values()]
    if any((other != ordinals[0]).any() for other in ordinals[1:]):
        value = column.values[0]
        raise TableError(
            f"row {column.rows[0]}: {column.name} is {value!r}, and no row tells whether the day or the month comes "
            "first; expected dates such as 2024-01-31"
        )
    return ordinals[0] - EPOCH


def _first_gap(found: list[int | None]) -> int:
    return found.index(None) if None in found else len(found)


def _date(value: Any, form: str) -> int | None:
    if isinstance(value, date):  # datetime and pandas' Timestamp are dates, too; NaT is one without a year
        return value.toordinal() if value == value else None
    if isinstance(value, np.datetime64):
        return (
            None if np.isnat(value) else int(value.astype("datetime64[D]").astype(int)) + date(1970, 1, 1).toordinal()
        )
    text = str(value).strip()
    for moment in (" ", "T"):
        head, _, tail = text.partition(moment)
        if re.fullmatch(r"\d{1,2}:\d{2}.*", tail):
            text = head
    try:
        return datetime.strptime(text, form).toordinal()
    except ValueError:
        return None
