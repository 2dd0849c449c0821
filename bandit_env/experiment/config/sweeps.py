"""One table for each combination of the lists in a table's `sweep`."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

from bandit_env.errors import ExperimentError

MAX_SWEEP = 10_000
"""Combinations of one sweep: more is a mistake rather than a plan."""


def expand(table: dict[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The table once for each combination of its `sweep` lists, with what tells them apart, to follow the name."""
    settings = {key: value for key, value in table.items() if key != "sweep"}
    sweep = table.get("sweep", {})
    if not isinstance(sweep, dict) or not all(isinstance(values, list) and values for values in sweep.values()):
        raise ExperimentError(f"{where}.sweep: found {sweep!r}; expected a table of lists")
    combinations = math.prod(map(len, sweep.values()))
    if combinations > MAX_SWEEP:
        raise ExperimentError(f"{where}.sweep: makes {combinations:,} combinations; expected at most {MAX_SWEEP:,}")
    for values in itertools.product(*sweep.values()):
        chosen = dict(zip(sweep, values, strict=True))
        yield "".join(f", {key}={_compact(value)}" for key, value in chosen.items()), settings | chosen


def _compact(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(_compact(v) if k in ("rule", "memory") else f"{k}={_compact(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "[" + " ".join(map(_compact, value)) + "]"
    return str(value)
