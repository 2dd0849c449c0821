"""The rows and columns of the hparams page: what each cell was asked, in words and numbers, none of them blank.

TensorBoard leaves a row out of the parallel coordinates where a column that is shown has a blank in it; and it takes
rows of the same trial id for repetitions of one trial, and shows their mean. So every cell has a value in every column
of its run, and its trial id tells of which run it is, wherever several lie in one folder.
"""

import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

from bandit_env import plugins
from bandit_env.experiment.config import slug
from bandit_env.experiment.results import Cell, Run

Value = bool | float | str
BLANK = "–"
GROUPS = {"rule": "bandit_env.stopping_rules", "memory": "bandit_env.memories"}
READABLE = 8  # labels beside an axis
LISTED = 10  # entries of a list, such as rates, beyond which it is cut short


def rows(run: Run) -> list[dict[str, Value]]:
    """Each cell's parameters, all with the same names, those that differ first."""
    flat = [_flat(cell, run_name(run)) for cell in run.cells]
    names = list(dict.fromkeys(name for one in flat for name in one))
    sweep = len({cell.agent for cell in run.cells}) > READABLE  # whose labels say what the columns say, one by one
    places = {"agent": 2 if sweep and any(differs(flat, name) for name in names if "." in name) else 0}
    order = sorted(
        names, key=lambda name: (not differs(flat, name), places.get(name, 1), name not in ("run", "scenario"))
    )
    return [dict(zip(order, row)) for row in zip(*(_column([one.get(name) for one in flat]) for name in order))]


def differs(cells: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Whether cells that have a parameter differ in it: then it is shown at first."""
    values = [one[name] for one in cells if one.get(name) not in (None, BLANK)]
    return len(set(values)) > 1


def run_name(run: Run) -> str:
    """A run's folder; with the one around it where that is the experiment's, and the folder only says when it was."""
    if run.directory is None:
        return str(run.config.get("name", ""))
    home = run.directory.resolve()
    around = home.parent.name
    return f"{around}/{home.name}" if around == slug(str(run.config.get("name", ""))) else home.name


def trial(run: Run, cell: Cell) -> str:
    """A row's name, which no row of another run has: the folder's name, a digest of its path, the cell."""
    home = "" if run.directory is None else str(run.directory.resolve())
    digest = hashlib.sha256(home.encode(errors="replace")).hexdigest()[:6]
    return f"{run_name(run)} {digest}/{cell.scenario}/{cell.agent}"


def _flat(cell: Cell, run: str) -> dict[str, Value]:
    own: dict[str, Any] = {"scenario": cell.scenario, "agent": cell.agent}
    flat: dict[str, Any] = own | {"run": run}
    for part in ("agent", "scenario"):
        for name, value in cell.parameters[part].items():
            if value is not None and value != own[part]:  # an agent's name is often its label
                flat[f"{part}.{name}"] = _value(value)
    return flat


def _value(value: Any) -> Value:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, Mapping) and {"rule", "any", "all", "memory"} & set(value):
        return words(value)
    if isinstance(value, list) and len(value) > LISTED:
        value = [*value[:LISTED], f"... {len(value) - LISTED:,} more"]
    return json.dumps(value, ensure_ascii=False)


def _column(values: Sequence[Value | None]) -> list[Value]:
    """A column without blanks: of numbers, or of truth values, or else of texts."""
    for kind in (bool, float):
        if all(isinstance(value, kind) for value in values):
            return [value for value in values if value is not None]
    return [BLANK if value is None else value if isinstance(value, str) else _number(value) for value in values]


def _number(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.10g}"


def words(part: Mapping[str, Any]) -> str:
    """A stopping rule or a memory as one writes it: "value-remaining(0.01)", "beats-control(0.95) | after(28)".

    The first argument stands by itself; the others are named, where they are not the default.
    """
    for kind, sign in (("any", " | "), ("all", " & ")):
        if kind in part:
            inner = [words(one) for one in part[kind]]
            return sign.join(f"({one})" if sign == " & " and " | " in one else one for one in inner)
    kind = next(kind for kind in GROUPS if kind in part)
    name, group = str(part[kind]), GROUPS[kind]
    given = {key: value for key, value in part.items() if key != kind and value is not None}
    try:
        thing = plugins.load(group, name)
        defaults = {key: one.default for key, one in inspect.signature(thing).parameters.items()}
        short = next((known for known in plugins.available(group) if plugins.load(group, known) is thing), name)
    except ValueError:  # of a package that is not here any more
        defaults, short = {}, name
    first = next(iter(defaults), "")
    said = [str(given[first])] if first in given else []
    said += [f"{key}={value}" for key, value in given.items() if key != first and value != defaults.get(key)]
    return short.rpartition(":")[2] + (f"({', '.join(said)})" if said else "")
