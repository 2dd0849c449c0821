"""What TensorBoard shows of a run: curves by day, single experiments, histograms, hparams, text and images.

Written with the `tensorboard` package alone, which is loaded when the first event is written. Everything but
`progress/*` is written once, at the end, whole, in one file that replaces the one before: TensorBoard joins all event
files of a folder, and a curve that is there twice runs backwards. docs/tensorboard.md describes every tag.
"""

import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pandas as pd

from bandit_env.experiment.files import within, write_atomically
from bandit_env.experiment.results import Run
from bandit_env.views.attempt import attempt
from bandit_env.views.tensorboard import encoding, events, hparams

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event

PREFIX = "events.out.tfevents"
PROGRESS, RESULTS = ".progress", ".results"  # ends of event files' names: while a run goes on, and when it is over
RUN_FOLDER = "figures"  # the "run", in TensorBoard's sense, that holds what belongs to no single cell


class Progress:
    """Lets TensorBoard follow a cell that is being played; a context manager.

    Event files that an earlier run left in the folder are removed at the first update.

    Args:
        directory: the cell's folder.
    """

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory)
        self._writer: Any = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def update(self, replications: int, *, stopping_day: float, regret: float, correct: float | None) -> None:
        """Write the means over the replications finished so far, whose number is the step; no `correct` if None."""
        if self._writer is None:
            for suffix in (PROGRESS, RESULTS):  # ours; what others put there stays
                remove_events(self._directory, suffix)
            self._begin()
        values = {"stopping_day": stopping_day, "regret": regret, "correct": correct}
        scalars = {f"progress/{name}": value for name, value in values.items() if value is not None}
        self._writer.write(encoding.scalars(replications, scalars, time.time()).SerializeToString())

    def _begin(self) -> None:
        """Open the file. (`EventFileWriter` has a thread and a queue, where Ctrl-C can wait for minutes.)"""
        from tensorboard.summary.writer.record_writer import RecordWriter

        path = self._directory / f"{PREFIX}.{time.time_ns()}{PROGRESS}"
        self._writer = RecordWriter(path.open("xb", buffering=0))  # a record is written in one call
        self._writer.write(_first().SerializeToString())

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def write(run: Run, summary: pd.DataFrame, images: Mapping[str, bytes] | None = None) -> list[str]:
    """Write the event files of a finished run, in place of those written before.

    What cannot be shown of one cell does not cost the others their files.

    Args:
        run: a run that has a folder.
        summary: its rows, as `summary.summarise` makes them.
        images: PNG files by name.

    Returns:
        A sentence about each file that could not be made.

    Raises:
        OSError: a folder cannot be written.
    """
    assert run.directory is not None
    home = within(run.directory, RUN_FOLDER)
    failures = []
    for cell, row, parameters in zip(run.cells, summary.to_dict("records"), hparams.rows(run)):
        assert cell.directory is not None
        what = f"TensorBoard of agent {cell.agent!r} in scenario {cell.scenario!r}"
        found, failed = attempt(what, events.cell_events, cell, row, hparams.trial(run, cell), parameters)
        failures += failed
        if found is not None:
            _replace(cell.directory, found)
    found, failed = attempt("TensorBoard of the whole run", events.run_events, run, summary, images or {})
    if found is not None:
        _replace(home, found)
    return failures + failed


def remove_events(directory: Path, suffix: str = "", keep: Path | None = None) -> None:
    """Remove a folder's event files whose names end with `suffix`."""
    for path in directory.glob(f"{PREFIX}.*{suffix}"):
        if path != keep:
            path.unlink(missing_ok=True)


def _first() -> "Event":
    """What every event file begins with."""
    from tensorboard.compat.proto.event_pb2 import Event

    return Event(wall_time=time.time(), file_version="brain.Event:2")


def _replace(directory: Path, events: Sequence["Event"]) -> None:
    """Write a folder's results file, whole, and remove the older one; `progress/*` stay."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    for event in (_first(), *events):
        writer.write(event.SerializeToString())
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{PREFIX}.{time.time_ns()}{RESULTS}"
    write_atomically(path, buffer.getvalue())
    remove_events(directory, RESULTS, keep=path)
