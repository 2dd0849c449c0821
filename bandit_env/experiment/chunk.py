"""A chunk: the unit of work that is stored. Its rows, its curves, its traces, and their file.

A chunk's file is a SHA-256 digest of all that follows it, so that one that was cut short or altered is found out and
played again; what it is a chunk of, as a digest, so that one of another cell, seed, place or version is found out too;
and the rows, curves and traces.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from bandit_env.experiment.columns import CURVE
from bandit_env.experiment.columns import ROWS as DEFINED
from bandit_env.experiment.files import pack, unpack, write_atomically
from bandit_env.experiment.results import ARMS, LISTED_ARMS, Trace, trace_arrays, traces_from

CHUNK_SIZE = 1000
"""Replications in a chunk. Part of what a seed means: another size gives other rows."""

ROWS = {column.name: np.dtype(column.dtype).type for column in DEFINED}
"""Columns of the per-episode rows, and their types; what each arm has follows, see `arm_columns`."""

CURVES = tuple(column.name for column in CURVE)
"""Columns of a chunk's curves: sums over its replications, one row per update."""


@dataclass(frozen=True)
class Chunk:
    """The results of one chunk.

    Attributes:
        rows: per-episode columns, each of shape (n,).
        curves: shape (updates, len(CURVES)), up to the last update that was served.
        traces: of the cell's first experiments; only the first chunk has any.
    """

    rows: dict[str, NDArray[np.generic]]
    curves: NDArray[np.float64]
    traces: list[Trace] = field(default_factory=list)

    @property
    def replications(self) -> int:
        """How many experiments were played."""
        return len(self.rows["replication"])


def join(chunks: Sequence[Chunk]) -> dict[str, NDArray[np.generic]]:
    """The rows of some chunks, by column."""
    return {name: np.concatenate([chunk.rows[name] for chunk in chunks]) for name in chunks[0].rows}


def arm_columns(quantities: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    """Quantities of each arm, shape (n, K), as columns: `rate_0`, `visits_0`, ..., `rate_1`, ..., of shape (n,).

    Beyond LISTED_ARMS arms one column a quantity, `rate_arms`, of shape (n, K), since no table has 300,000 columns.
    """
    num_arms = max(array.shape[1] for array in quantities.values())
    if num_arms > LISTED_ARMS:
        return {f"{name}_{ARMS}": array for name, array in quantities.items()}
    return {f"{name}_{arm}": array[:, arm] for arm in range(num_arms) for name, array in quantities.items()}


def rows_table(rows: Mapping[str, NDArray[np.generic]]) -> pa.Table:
    """Rows as an Arrow table; a column of shape (n, K) becomes one of lists."""
    return pa.table({name: _lists(column) if column.ndim == 2 else column for name, column in rows.items()})


def rows_frame(rows: Mapping[str, NDArray[np.generic]]) -> pd.DataFrame:
    """Rows as a data frame; a column of shape (n, K) becomes one of arrays."""
    return pd.DataFrame({name: list(column) if column.ndim == 2 else column for name, column in rows.items()})


def _lists(matrix: NDArray[np.generic]) -> pa.Array:
    offsets = np.arange(len(matrix) + 1, dtype=np.int64) * matrix.shape[1]
    return pa.LargeListArray.from_arrays(offsets, matrix.ravel())


def add_curves(total: NDArray[np.float64], curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of two curves, of which one may be longer; cumulative regret goes on at its last value."""
    length = max(len(total), len(curves))
    return _extend(total, length) + _extend(curves, length)


def _extend(curves: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    longer = np.zeros((length, len(CURVES)))
    longer[: len(curves)] = curves
    if len(curves):
        for name in ("cumulative_sum", "cumulative_sumsq"):
            longer[len(curves) :, CURVES.index(name)] = curves[-1, CURVES.index(name)]
    return longer


def curve_table(
    curves: NDArray[np.float64], replications: int, updates_per_day: int, first_update: int = 0
) -> pd.DataFrame:
    """Summed curves as a table, with the day at the end of each update and the number of replications."""
    counts = ("running", "value_n", "visited")
    columns: dict[str, NDArray[np.generic]] = {
        "day": (np.arange(1, len(curves) + 1) + first_update) / updates_per_day,
        "n": np.full(len(curves), replications),
    }
    for name, column in zip(CURVES, curves.T):
        columns[name] = column.astype(np.int64 if name in counts else np.float64)
    return pd.DataFrame(columns)


def save(path: Path, chunk: Chunk, of: bytes = bytes(32)) -> None:
    """Write a chunk's file, atomically; `of` is the digest (32 bytes) of what it is a chunk of."""
    arrays = {f"rows.{name}": column for name, column in chunk.rows.items()} | {"curves": chunk.curves}
    if chunk.traces:
        arrays |= {f"traces.{name}": array for name, array in trace_arrays(chunk.traces).items()}
    payload = of + pack(arrays)
    write_atomically(path, hashlib.sha256(payload).digest() + payload)


def load(path: Path, of: bytes | None = None) -> Chunk | None:
    """Read a chunk's file; None where it is absent, cut short, altered, or not one `of` (None: of anything)."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, payload = content[:32], memoryview(content)[32:]
    if hashlib.sha256(payload).digest() != digest or (of is not None and payload[:32] != of):
        return None
    try:
        arrays = unpack(bytes(payload[32:]))
        rows, traces = _part(arrays, "rows."), _part(arrays, "traces.")
        return Chunk(rows, arrays["curves"], traces_from(traces) if traces else [])
    except (ValueError, KeyError):  # whole, but of another version
        return None


def _part(arrays: Mapping[str, NDArray[np.generic]], prefix: str) -> dict[str, NDArray[np.generic]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def npz(arrays: Mapping[str, Any]) -> bytes:
    """Arrays of numbers, by name, as the bytes of an .npz.

    Without `allow_pickle`, which NumPy before 2.1 would take for the name of one more array.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()
