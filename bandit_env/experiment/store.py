"""Where finished chunks are kept: a folder that survives faults and can be resumed, or memory."""

import contextlib
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bandit_env.errors import ExperimentError, StorageError
from bandit_env.experiment import chunk as chunks
from bandit_env.experiment import results
from bandit_env.experiment.cell import CellPlan, Part
from bandit_env.experiment.chunk import CHUNK_SIZE, Chunk
from bandit_env.experiment.files import as_json, digest, file_digest, sealed, within, write_atomically
from bandit_env.experiment.results import WRITTEN, Cell, Classical

ROW_GROUP = 20  # chunks in a row group of the joined file, at the most
GROUP_SIZE = 2**21  # rows x arms of several chunks in a row group: what is in memory at once while they are joined
MAY_GROW = "replications"
FIGURES = "figures"  # the report's folder
EVENTS = ("events.out.tfevents.*.progress", "events.out.tfevents.*.results")


class MemoryStore:
    """Keeps everything in memory."""

    directory = None

    def __init__(self) -> None:
        self._chunks: dict[tuple[str, Part], Chunk] = {}

    def has(self, folder: str, part: Part) -> bool:
        """Whether this chunk is finished."""
        return (folder, part) in self._chunks

    def save(self, folder: str, part: Part, chunk: Chunk) -> None:
        """Keep a finished chunk."""
        self._chunks[folder, part] = chunk

    def finish(self, folder: str, plan: CellPlan, parts: list[Part], about: dict[str, Any]) -> Cell:
        """Join a cell's chunks."""
        played = [self._chunks[folder, part] for part in parts]
        curves = played[0].curves
        for chunk in played[1:]:
            curves = chunks.add_curves(curves, chunk.curves)
        rows = chunks.rows_frame(chunks.join(played))
        return _cell(
            plan,
            about,
            chunks.curve_table(curves, len(rows), plan.task.updates_per_day, plan.first_update),
            played[0],
            rows=rows,
        )


class FolderStore:
    """Keeps a run in a folder: each chunk is a file of its own, written whole or not at all.

    Args:
        directory: the folder; made if need be.
        config: the resolved configuration, which a resumed run must share.
        resume: go on with what is there.
        overwrite: remove what is there.

    Raises:
        ExperimentError: the folder holds results and neither `resume` nor `overwrite` is set, or it holds those of
            another configuration, or it cannot be written.
    """

    def __init__(self, directory: Path, config: dict[str, Any], *, resume: bool, overwrite: bool) -> None:
        self.directory = directory
        self._config = json.loads(as_json(config))  # as it will be read again
        self._cells = {entry["folder"]: results.cell_identity(self._config, entry) for entry in self._config["cells"]}
        self._stored: set[Path] = set()
        try:
            if directory.exists() and not directory.is_dir():
                raise ExperimentError(f"{directory}: is a file; expected a folder for the results")
            occupied = directory.is_dir() and any(not path.name.startswith(".") for path in directory.iterdir())
            if occupied and resume:
                self._check_same(results.read_config(directory, resume=True))
            elif occupied and overwrite:
                clear(directory)
            elif occupied:
                raise ExperimentError(
                    f"{directory}: holds files; choose another folder, or pass --resume to go on, or --overwrite"
                )
            directory.mkdir(parents=True, exist_ok=True)
            for folder in self._cells:
                (within(directory, folder) / "chunks").mkdir(parents=True, exist_ok=True)
            write_atomically(directory / results.CONFIG, sealed(config))
            self._sweep_up()
        except OSError as error:
            raise ExperimentError(f"{directory}: cannot be written ({error.strerror or error})") from error

    def has(self, folder: str, part: Part) -> bool:
        """Whether this chunk is finished, whole, and what it should be a chunk of: its checksum is verified."""
        path = self._path(folder, part)
        try:
            found = chunks.load(path, self._of(folder, part)) is not None
        except OSError as error:
            raise StorageError(f"{path}: cannot be read ({error.strerror or error})") from error
        if found:
            self._stored.add(path)
        return found

    def save(self, folder: str, part: Part, chunk: Chunk) -> None:
        """Write a finished chunk."""
        path = self._path(folder, part)
        with self._writing():
            chunks.save(path, chunk, self._of(folder, part))
        self._stored.add(path)

    def finish(self, folder: str, plan: CellPlan, parts: list[Part], about: dict[str, Any]) -> Cell:
        """Join a cell's chunks, one at a time so that memory does not grow with them, and write what they make."""
        home = self.directory / folder
        with self._writing():
            (home / results.CELL).unlink(missing_ok=True)
            curves, first = self._join(folder, parts, home / results.EPISODES, plan.task.num_arms)
            replications = sum(part.replications for part in parts)
            table = chunks.curve_table(curves, replications, plan.task.updates_per_day, plan.first_update)
            buffer = io.BytesIO()
            pq.write_table(pa.table({name: column.to_numpy() for name, column in table.items()}), buffer)
            write_atomically(home / results.CURVES, buffer.getvalue())
            (home / results.TRACES).unlink(missing_ok=True)
            if first.traces:
                write_atomically(home / results.TRACES, chunks.npz(results.trace_arrays(first.traces)))
            files = {name: file_digest(home / name) for name in results.FILES if (home / name).exists()}
            seal = {"replications": replications, "of": digest(self._cells[folder]), "files": files}
            write_atomically(home / results.CELL, sealed(about | seal))
        return _cell(plan, about, table, first, directory=home)

    def _join(self, folder: str, parts: list[Part], path: Path, num_arms: int) -> tuple[Any, Chunk]:
        size = max(1, min(ROW_GROUP, GROUP_SIZE // (CHUNK_SIZE * num_arms)))
        temporary = path.with_name(f".{path.name}.part")
        curves, first, writer = np.zeros((0, len(chunks.CURVES))), None, None
        try:
            with temporary.open("wb") as file:  # by name, Arrow would take "s3:x" for a machine's
                for start in range(0, len(parts), size):
                    group = [self._load(folder, part) for part in parts[start : start + size]]
                    first = first or group[0]
                    for chunk in group:
                        curves = chunks.add_curves(curves, chunk.curves)
                    table = chunks.rows_table(chunks.join(group))
                    writer = writer or pq.ParquetWriter(file, table.schema)
                    writer.write_table(table)
                assert writer is not None
                writer.close()
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one to tell
                if writer is not None:
                    writer.close()
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        assert first is not None
        return curves, first

    def _load(self, folder: str, part: Part) -> Chunk:
        chunk = chunks.load(self._path(folder, part), self._of(folder, part))
        if chunk is None:
            raise StorageError(f"{self._path(folder, part)}: was removed or altered during the run; run with --resume")
        return chunk

    def _of(self, folder: str, part: Part) -> bytes:
        """What a chunk is a chunk of; not the run's total, so that a longer run extends a shorter one."""
        place = {"chunk": part.chunk, "replications": part.replications}
        return bytes.fromhex(digest(self._cells[folder] | place))

    def _path(self, folder: str, part: Part) -> Path:
        return self.directory / folder / "chunks" / f"{part.chunk:06d}.chunk"

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(f"{self.directory}: cannot be written ({reason}); {self._left()}") from error

    def _left(self) -> str:
        """What has become of what was finished, for a message."""
        gone = sum(not path.exists() for path in self._stored)
        if not gone:
            return "what was finished is intact"
        return f"{gone:,} of {len(self._stored):,} finished chunks were removed during the run"

    def _check_same(self, there: dict[str, Any]) -> None:
        """Refuse to resume a run of another configuration or version, and say what differs."""
        for what, old, new in _differences(there, self._config):
            if what == MAY_GROW and isinstance(old, int) and isinstance(new, int) and old <= new:
                continue
            hint = "; it may grow, not shrink" if what == MAY_GROW else ""
            raise ExperimentError(
                f"{self.directory}: cannot resume, {what} was {_short(old)} and is now {_short(new)}{hint}"
            )

    def _sweep_up(self) -> None:
        """Remove the half-written files of a process that was killed."""
        homes = [self.directory / entry["folder"] for entry in self._config["cells"]]
        for folder in [self.directory, *homes, *(home / "chunks" for home in homes)]:
            for leftover in folder.glob(".*.part"):
                leftover.unlink(missing_ok=True)


def clear(directory: Path) -> None:
    """Remove an older run: the files that a run writes, and the folders that are empty then. What else is there stays.

    Raises:
        ExperimentError: there is no run, or its configuration was altered.
    """
    config = results.read_config(directory)
    for entry in config["cells"]:
        home = within(directory, entry["folder"])
        for pattern in ("chunks/[0-9]*.chunk", "chunks/.*.part", ".*.part", *results.FILES, results.CELL, *EVENTS):
            _remove(home.glob(pattern))
        _remove_empty(directory, home / "chunks")
    figures = within(directory, FIGURES)
    _remove(figures / name for name in _listed(figures / WRITTEN))
    _remove([figures / WRITTEN, *(path for pattern in EVENTS for path in figures.glob(pattern))])
    _remove_empty(directory, figures)
    _remove([directory / name for name in (results.CONFIG, "summary.csv", "estimates.csv", results.STANDINGS)])


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_symlink() or path.is_file():
            path.unlink()


def _remove_empty(directory: Path, folder: Path) -> None:
    """Remove a folder, and those around it up to the run's, where they are empty."""
    while folder != directory and folder.is_dir():
        if any(folder.iterdir()):
            return
        folder.rmdir()
        folder = folder.parent


def _listed(path: Path) -> list[str]:
    """Names of the figures that the report has drawn, as it has written them down."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [name for name in names if isinstance(name, str) and Path(name).name == name]


def _cell(
    plan: CellPlan,
    about: dict[str, Any],
    curves: pd.DataFrame,
    first: Chunk,
    *,
    directory: Path | None = None,
    rows: pd.DataFrame | None = None,
) -> Cell:
    return Cell(
        scenario=plan.scenario,
        agent=plan.agent,
        parameters=about["parameters"],
        task=plan.task,
        rates=about["rates"],
        classical=Classical(**about["classical"]) if about["classical"] else None,
        curves=curves,
        traces=first.traces,
        directory=directory,
        rows=rows,
    )


def _differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The paths at which two nested structures differ, with both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _differences(a, b, f"{path}[{index}]")
    elif old != new and (old == old or new == new):  # NaN is no difference
        yield path, old, new


def _short(value: Any) -> str:
    text = "absent" if value is None else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
