"""Where finished chunks are kept: a folder that survives faults and can be resumed, or memory."""

import contextlib
import io
import json
import shutil
from collections.abc import Iterator
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
from bandit_env.experiment.chunk import Chunk
from bandit_env.experiment.results import Cell, Classical

ROW_GROUP = 20  # chunks in a row group of the joined file
MAY_GROW = "replications"


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
        rows = pd.DataFrame(chunks.join(played))
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
        if directory.exists() and not directory.is_dir():
            raise ExperimentError(f"{directory}: is a file; expected a folder for the results")
        try:
            occupied = directory.is_dir() and any(not path.name.startswith(".") for path in directory.iterdir())
            if occupied and resume:
                self._check_same(results.read_config(directory))
            elif occupied and overwrite:
                self._clear()
            elif occupied:
                raise ExperimentError(f"{directory}: holds files already; pass --resume to go on, or --overwrite")
            directory.mkdir(parents=True, exist_ok=True)
            chunks.write_atomically(directory / results.CONFIG, as_json(config))
            for entry in config["cells"]:
                (directory / entry["folder"] / "chunks").mkdir(parents=True, exist_ok=True)
            self._sweep_up()
        except OSError as error:
            raise ExperimentError(f"{directory}: cannot be written ({error.strerror or error})") from error

    def has(self, folder: str, part: Part) -> bool:
        """Whether this chunk is finished, and whole: its checksum is verified."""
        try:
            chunk = chunks.load(self._path(folder, part))
        except OSError as error:
            raise StorageError(f"{self._path(folder, part)}: cannot be read ({error.strerror or error})") from error
        return chunk is not None and chunk.replications == part.replications

    def save(self, folder: str, part: Part, chunk: Chunk) -> None:
        """Write a finished chunk."""
        with self._writing():
            chunks.save(self._path(folder, part), chunk)

    def finish(self, folder: str, plan: CellPlan, parts: list[Part], about: dict[str, Any]) -> Cell:
        """Join a cell's chunks, one at a time so that memory does not grow with them, and write what they make."""
        home = self.directory / folder
        with self._writing():
            (home / results.CELL).unlink(missing_ok=True)
            curves, first = self._join(folder, parts, home / results.EPISODES)
            replications = sum(part.replications for part in parts)
            table = chunks.curve_table(curves, replications, plan.task.updates_per_day, plan.first_update)
            buffer = io.BytesIO()
            pq.write_table(pa.table({name: column.to_numpy() for name, column in table.items()}), buffer)
            chunks.write_atomically(home / results.CURVES, buffer.getvalue())
            if first.traces:
                content = chunks.npz(results.trace_arrays(first.traces))
                chunks.write_atomically(home / results.TRACES, content)
            chunks.write_atomically(home / results.CELL, as_json(about))
        return _cell(plan, about, table, first, directory=home)

    def _join(self, folder: str, parts: list[Part], path: Path) -> tuple[Any, Chunk]:
        temporary = path.with_name(f".{path.name}.part")
        curves, first, writer = np.zeros((0, len(chunks.CURVES))), None, None
        try:
            for start in range(0, len(parts), ROW_GROUP):
                group = [self._load(folder, part) for part in parts[start : start + ROW_GROUP]]
                first = first or group[0]
                for chunk in group:
                    curves = chunks.add_curves(curves, chunk.curves)
                table = pa.table(chunks.join(group))
                writer = writer or pq.ParquetWriter(temporary, table.schema)
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
        chunk = chunks.load(self._path(folder, part))
        if chunk is None:
            raise StorageError(f"{self._path(folder, part)}: was removed or altered during the run; run with --resume")
        return chunk

    def _path(self, folder: str, part: Part) -> Path:
        return self.directory / folder / "chunks" / f"{part.chunk:06d}.chunk"

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"{self.directory}: cannot be written ({error.strerror or error}); what was finished is intact"
            ) from error

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

    def _clear(self) -> None:
        """Remove an older run: only what a run writes, and only where there is one."""
        config = results.read_config(self.directory)
        home = self.directory.resolve()
        for name in {Path(entry["folder"]).parts[0] for entry in config["cells"]} | {"figures"}:
            folder = (home / name).resolve()
            if folder.parent == home:  # whatever an altered configuration names
                shutil.rmtree(folder, ignore_errors=True)
        for name in (results.CONFIG, "summary.csv"):
            (self.directory / name).unlink(missing_ok=True)


def as_json(data: dict[str, Any]) -> bytes:
    """JSON for a person to read, with a newline at the end."""
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()


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
