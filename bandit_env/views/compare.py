"""Runs beside each other: one table of all their cells, with what they differ in, and a figure of it."""

import json
import os.path
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bandit_env.errors import ExperimentError
from bandit_env.experiment.results import Cell, Run
from bandit_env.views import series, summary, tables

if TYPE_CHECKING:
    from rich.table import Table

FILE = "comparison.csv"
NOT_COMPARED = ("scenario.name", "agent.name", "agent.label")
MAX_PARAMETERS = 4  # columns of parameters in the table; the file has all


@dataclass(frozen=True)
class Entry:
    """A cell of one of the runs.

    Attributes:
        run: the run's short name; "" where there is one run only.
        cell: the cell.
        line: its line of the summary; `difference` and `loss_difference` are to the first entry of the same scenario
            and agent, or else of the same scenario.
        parameters: of its scenario and agent, those in which the entries differ.
    """

    run: str
    cell: Cell
    line: Mapping[Any, Any]
    parameters: Mapping[str, Any]


def entries(runs: Sequence[Run]) -> list[Entry]:
    """Every cell of some runs, run by run."""
    names = short_names([str(run.directory) for run in runs]) if len(runs) > 1 else [""]
    named = [(name, cell) for name, run in zip(names, runs) for cell in run.cells]
    flat = [flat_parameters(cell) for _, cell in named]
    differing = differing_parameters(flat)
    first: dict[Any, Cell] = {}
    found = []
    for (name, cell), parameters in zip(named, flat):
        same = first.setdefault((cell.scenario, cell.agent), cell)
        reference = same if same is not cell else first.setdefault(cell.scenario, cell)
        line = summary.summarise_cell(cell, reference)
        found.append(Entry(name, cell, line, {key: parameters.get(key) for key in differing}))
    return found


def short_names(names: Sequence[str]) -> list[str]:
    """Paths without the folders that they share, no two alike: "a/runs/x", "a/runs/y" are "x" and "y"."""
    paths = [os.path.abspath(name) for name in names]
    common = os.path.commonpath(paths) if len(set(paths)) > 1 else os.path.dirname(paths[0])
    shown = [Path(os.path.relpath(path, common)).as_posix() for path in paths]
    shown = [Path(path).name if one == "." else one for path, one in zip(paths, shown)]
    return [one if shown.count(one) == 1 else f"{one} ({shown[: i + 1].count(one)})" for i, one in enumerate(shown)]


def flat_parameters(cell: Cell) -> dict[str, Any]:
    """A cell's parameters by dotted names, "agent.epsilon", "agent.stopping.threshold"; None where one is not given."""
    flat: dict[str, Any] = {}

    def add(name: str, value: Any) -> None:
        if isinstance(value, Mapping) and value:
            for key, inner in value.items():
                add(f"{name}.{key}", inner)
        else:
            flat[name] = value

    for part in ("agent", "scenario"):
        add(part, cell.parameters[part])
    return {name: value for name, value in flat.items() if name not in NOT_COMPARED}


def differing_parameters(flat: Sequence[Mapping[str, Any]]) -> list[str]:
    """The parameters in which cells differ that have them, those with the most values last named first."""
    values: dict[str, set[str]] = {}
    for parameters in flat:
        for name, value in parameters.items():
            values.setdefault(name, set()).add(json.dumps(value, sort_keys=True, default=str))
    return [name for name, seen in values.items() if len(seen) > 1]


def swept(found: Sequence[Entry], wanted: str | None = None) -> str | None:
    """The numeric parameter in which entries differ by the most values; or the one that is wanted.

    Raises:
        ExperimentError: no parameter of that name differs.
    """
    known = list(found[0].parameters) if found else []
    if wanted is not None:
        matching = [name for name in known if name == wanted or name.endswith(f".{wanted}")]
        if not matching:
            raise ExperimentError(
                f"--by: found {wanted!r}; expected a parameter in which the runs differ ({', '.join(known) or 'none'})"
            )
        return matching[0]
    counts = {name: len(numbers(found, name)) for name in known}
    best = max(counts, key=lambda name: counts[name], default=None)
    return best if best is not None and counts[best] > 1 else None


def numbers(found: Sequence[Entry], name: str) -> list[float]:
    """The numbers that a parameter has in the entries, sorted, each once."""
    values = (entry.parameters[name] for entry in found)
    return sorted({float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)})


def frame(found: Sequence[Entry]) -> pd.DataFrame:
    """All of it as one table: run, the parameters that differ, and the columns of the summary."""
    rows = [{"run": entry.run, **entry.parameters, **entry.line} for entry in found]
    table = pd.DataFrame(rows)
    return table.drop(columns="run") if not table["run"].any() else table


def rich_tables(found: Sequence[Entry], width: int, by: str | None = None) -> Iterator["Table"]:
    """A table per scenario; a wide one, or several narrow ones below each other.

    Args:
        found: the entries.
        width: letters in a line.
        by: a parameter to sort by.
    """
    for scenario in dict.fromkeys(entry.cell.scenario for entry in found):
        mine = [entry for entry in found if entry.cell.scenario == scenario]
        if by is not None:
            mine.sort(key=lambda entry: _order(entry.parameters[by]))
        groups = [[name for name in group if _tells(name, mine)] for group in GROUPS]
        parts = tables.split(groups, width, partial(_table, mine=mine, by=by))
        parts[0].title = f"{scenario}: {len(mine)} results compared"
        parts[-1].caption = _caption(mine)
        yield from parts


GROUPS = (
    ("mean_day", "median_day", "q95_day"),
    ("days_saved", "conversions_saved"),
    ("correct", "claimed", "wrong", "ships_variation", "undecided"),
    ("regret", "loss", "loss_difference"),
)


def _tells(name: str, mine: Sequence[Entry]) -> bool:
    lines = [entry.line for entry in mine]
    if name in ("claimed", "wrong", "undecided"):
        return any(line[name] > 0 for line in lines)
    if name == "ships_variation":
        return any(entry.cell.equal_arms for entry in mine)
    return not all(pd.isna(line[name]) for line in lines)


def _table(columns: Sequence[str], narrow: bool, mine: Sequence[Entry], by: str | None) -> "Table":
    from rich.text import Text

    table = tables.plain_table(narrow)
    several_runs = len({entry.run for entry in mine}) > 1
    keys = _columns_of_parameters(mine, by)
    for heading in (*(["\nrun"] if several_runs else []), "\nagent"):
        table.add_column(heading, overflow="fold", no_wrap=narrow)
    for key in keys:
        table.add_column("\n".join(("", key.rpartition(".")[2])), justify="right", overflow="fold")
    unit = series.time_unit(mine[0].cell)
    for name in columns:
        heading = tables.COLUMNS[name][0].replace("days", f"{unit}s")
        table.add_column("loss less\nfirst's" if name == "loss_difference" else heading, justify="right", no_wrap=True)
    for entry in mine:
        names = [*([entry.run] if several_runs else []), base_label(entry)]
        own = [Text(tables.folded(name, narrow)) for name in names] + [Text(value(entry.parameters[k])) for k in keys]
        line = tables.in_units(entry.cell, entry.line)
        table.add_row(*own, *(tables.COLUMNS[name][1](line) for name in columns))
    return table


def _columns_of_parameters(mine: Sequence[Entry], by: str | None) -> list[str]:
    """The parameters that are shown: those that differ here and that the agent's label does not tell already."""
    keys = [key for key in mine[0].parameters if len({value(entry.parameters[key]) for entry in mine}) > 1]
    told = [key for key in keys if key == by or not _is_told(key, mine)]
    return sorted(told, key=lambda key: key != by)[:MAX_PARAMETERS]


def _is_told(key: str, mine: Sequence[Entry]) -> bool:
    """Whether each label has one value of a parameter, so that another column would say it once more."""
    by_label: dict[str, set[str]] = {}
    for entry in mine:
        by_label.setdefault(base_label(entry), set()).add(value(entry.parameters[key]))
    return all(len(values) == 1 for values in by_label.values())


def base_label(entry: Entry) -> str:
    """An agent's label without the parameters that a sweep has added to it, which have columns of their own."""
    label = entry.cell.agent
    swept_keys = {key.removeprefix("agent.").partition(".")[0] for key in entry.parameters if key.startswith("agent.")}
    for part in label.split(", ")[:0:-1]:
        if part.partition("=")[0] not in swept_keys or "=" not in part:
            break
        label = label.removesuffix(f", {part}")
    return label


def value(given: Any) -> str:
    """A parameter's value as a table has it."""
    if isinstance(given, bool) or given is None:
        return {True: "yes", False: "no", None: "–"}[given]
    if isinstance(given, int | float):
        return f"{given:,.10g}"
    text = given if isinstance(given, str) else json.dumps(given, default=str)
    return text.rpartition(":")[2]  # of a class, its name


def _order(given: Any) -> tuple[bool, float, str]:
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return (not is_number, float(given) if is_number else 0.0, value(given))


def _caption(mine: Sequence[Entry]) -> str:
    counts = sorted({int(entry.line["replications"]) for entry in mine})
    often = " to ".join(f"{count:,}" for count in dict.fromkeys((counts[0], counts[-1])))
    return (
        f"{often} experiments each; words: {tables.GLOSSARY}. Intervals are 95 %. Less first's: less the loss of the "
        "first line of the same agent, else of the scenario's first line, replication by replication."
    )
