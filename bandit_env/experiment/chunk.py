"""A chunk: the unit of work that is stored. Its rows, its curves, its traces, and their file.

A chunk's file is a SHA-256 digest, so that one that was cut short or altered is found out and played again, and then
the rows and the curves as two arrays in NumPy's .npy format, and the traces, if there are any, as an .npz. (All of it
as an .npz would take twice the time.)
"""

import hashlib
import io
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bandit_env.experiment.results import Trace, trace_arrays, traces_from

CHUNK_SIZE = 1000
"""Replications in a chunk. Part of what a seed means: another size gives other rows."""

ROWS = {
    "replication": np.int64,
    "stopping_day": np.float64,
    "declared_arm": np.int64,
    "claimed_winner": np.bool_,
    "correct": np.bool_,
    "visits": np.int64,
    "conversions": np.int64,
    "regret": np.float64,
    "regret_after": np.float64,
    "loss": np.float64,
    "best_rate": np.float64,
}
"""Columns of the per-episode rows, and their types; `rate_k`, `visits_k`, `conversions_k` of each arm k follow."""

CURVES = (
    "running",  # experiments served in the update
    "regret_sum",  # regret of the update, over all replications (0 after the stop)
    "regret_sumsq",
    "cumulative_sum",  # regret so far, over all replications (the stopped ones keep theirs)
    "cumulative_sumsq",
    "best_arm_sum",  # share of the update's traffic on the best arms, over those running
    "best_arm_sumsq",
    "value_n",  # experiments for which potential value remaining was computed, as the update began
    "value_sum",
)
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
    counts = ("running", "value_n")
    columns: dict[str, NDArray[np.generic]] = {
        "day": (np.arange(1, len(curves) + 1) + first_update) / updates_per_day,
        "n": np.full(len(curves), replications),
    }
    for name, column in zip(CURVES, curves.T):
        columns[name] = column.astype(np.int64 if name in counts else np.float64)
    return pd.DataFrame(columns)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a process that dies on the way leaves it whole or absent.

    Not flushed to the disk's platter: after a power cut the checksum tells, and the chunk is played again.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def save(path: Path, chunk: Chunk) -> None:
    """Write a chunk's file, atomically."""
    rows = np.empty(chunk.replications, [(name, column.dtype) for name, column in chunk.rows.items()])
    for name, column in chunk.rows.items():
        rows[name] = column
    buffer = io.BytesIO()
    for array in (rows, chunk.curves):
        np.lib.format.write_array(buffer, array, allow_pickle=False)
    if chunk.traces:
        buffer.write(npz(trace_arrays(chunk.traces)))
    payload = buffer.getvalue()
    write_atomically(path, hashlib.sha256(payload).digest() + payload)


def load(path: Path) -> Chunk | None:
    """Read a chunk's file; None where it is absent, cut short or altered."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, payload = content[:32], content[32:]
    if hashlib.sha256(payload).digest() != digest:
        return None
    buffer = io.BytesIO(payload)
    try:
        rows, curves = (np.lib.format.read_array(buffer, allow_pickle=False) for _ in range(2))
        columns = {name: np.ascontiguousarray(rows[name]) for name in rows.dtype.names or ()}
        if buffer.tell() == len(payload):
            return Chunk(columns, curves)
        with np.load(io.BytesIO(buffer.read()), allow_pickle=False) as arrays:
            return Chunk(columns, curves, traces_from(arrays))
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile):  # whole, but of another version
        return None


def npz(arrays: dict[str, NDArray[np.generic]]) -> bytes:
    """Arrays as the bytes of an .npz."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
