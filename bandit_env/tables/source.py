"""Where a table comes from: a CSV or Parquet file, a data frame or a mapping; its columns under our names."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bandit_env import plugins
from bandit_env.tables.cells import Column, TableError

if TYPE_CHECKING:
    import pandas as pd

DELIMITERS = (",", ";", "\t", "|")


def where(source: object) -> str:
    """How an error about a table begins: with the file's name."""
    return f"{source}: " if isinstance(source, str | Path) else ""


def columns(source: Any) -> tuple[dict[str, Column], str | None]:
    """All columns of a table by their names, and the delimiter of a CSV file.

    Raises:
        TableError: no such file, or one that cannot be read; a table without rows.
    """
    found, delimiter = _columns(source)
    if not found or not len(next(iter(found.values())).values):
        raise TableError(f"{where(source)}the table is empty; expected a heading and rows")
    return found, delimiter


def _columns(source: Any) -> tuple[dict[str, Column], str | None]:
    if isinstance(source, str | Path):
        path = Path(source)
        try:
            if path.suffix.lower() in (".parquet", ".pq"):
                import pandas as pd

                return _from_frame(pd.read_parquet(path)), None
            return _from_csv(path.read_bytes(), path)
        except FileNotFoundError:
            raise TableError(f"{path}: no such file") from None
        except (OSError, ImportError, csv.Error) as error:
            raise TableError(f"{path}: cannot be read ({error})") from error
        except ValueError as error:
            raise error if isinstance(error, TableError) else TableError(f"{path}: cannot be read ({error})") from error
    if isinstance(source, Mapping):
        return _from_mapping(source), None
    if hasattr(source, "columns") and hasattr(source, "iloc"):
        return _from_frame(source), None
    raise TableError(f"the table is a {type(source).__name__}; expected a file, a data frame or a mapping of columns")


def _from_frame(frame: "pd.DataFrame") -> dict[str, Column]:
    rows = np.arange(1, len(frame) + 1)
    found = {}
    for name in frame.columns:
        values = np.array([*frame[name], None], dtype=object)[:-1]  # dates stay dates, whatever the version of pandas
        values[frame[name].isna().to_numpy()] = None
        found[str(name)] = Column(str(name), values, rows)
    return found


def _from_mapping(table: Mapping[str, Any]) -> dict[str, Column]:
    values = {str(name): np.array(list(column), dtype=object) for name, column in table.items()}
    lengths = {name: len(column) for name, column in values.items()}
    if len(set(lengths.values())) > 1:
        raise TableError(f"columns have {lengths} entries; expected as many in each")
    count = next(iter(lengths.values()), 0)
    return {name: Column(name, column, np.arange(1, count + 1)) for name, column in values.items()}


def _from_csv(content: bytes, path: Path) -> tuple[dict[str, Column], str]:
    text = _decode(content).replace("\r\n", "\n").replace("\r", "\n")
    first = text.partition("\n")[0]
    if told := re.fullmatch(r'"?sep=(.)"?', first.strip(" ")):  # a spreadsheet's own mark, which it does not count
        text = text.partition("\n")[2]
        delimiter = told[1]
    else:
        heading = re.sub(r'"[^"]*"', "", next((line for line in text.split("\n") if line.strip()), ""))
        delimiter = max(DELIMITERS, key=heading.count)
    lines = [(number, line) for number, line in enumerate(csv.reader(io.StringIO(text), delimiter=delimiter), 1)]
    lines = [(number, line) for number, line in lines if any(cell.strip() for cell in line)]
    if not lines:
        return {}, delimiter
    names = [name.strip() for name in lines[0][1]]
    body = lines[1:]
    for number, line in body:
        if len(line) > len(names) and any(cell.strip() for cell in line[len(names) :]):
            raise TableError(f"{path}: row {number} has {len(line)} cells; the heading has {len(names)}")
    rows = np.array([number for number, _ in body], dtype=np.int64)
    found: dict[str, Column] = {}
    for place, name in enumerate(names):
        if name and name in found:
            raise TableError(f"{path}: the heading has {name!r} twice")
        cells_ = [line[place] if place < len(line) else "" for _, line in body]
        found[name] = Column(name, np.array(cells_, dtype=object), rows)
    return found, delimiter


def _decode(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:  # an older spreadsheet's
        return content.decode("cp1252", errors="replace")


def choose(
    found: dict[str, Column], columns: Mapping[str, str], known: Sequence[str], needed: Sequence[str]
) -> dict[str, Column]:
    """The columns that matter, under our names; letters' case and spaces at the ends of headings do not.

    Args:
        found: all columns of the table.
        columns: what some of ours are called there.
        known: our names.
        needed: those that must be there.

    Raises:
        TableError: a column that is missing, or a name that is not ours.
    """
    for name in columns:
        if name not in known:
            raise TableError(f"columns: unknown name {name!r}{plugins.suggest(name, known)}")
    folded = {name.strip().casefold(): name for name in reversed(found)}
    chosen = {}
    for name in known:
        wanted = columns.get(name, name)
        actual = wanted if wanted in found else folded.get(wanted.strip().casefold())
        if actual is not None and (name in columns or actual not in columns.values()):
            chosen[name] = Column(name, found[actual].values, found[actual].rows)
        elif name in columns or name in needed:
            hint = plugins.suggest(wanted, found)
            raise TableError(f"there is no column {wanted!r}{hint}; --columns {name}=NAME says what it is called")
    return chosen
