"""What TensorBoard shows of a run: curves by day, single experiments, histograms, hparams, text and images.

Written with the `tensorboard` package alone, which is loaded when the first event is written. Everything but
`progress/*` is written once, at the end, whole, in one file that replaces the one before: TensorBoard joins all event
files of a folder, and a curve that is there twice runs backwards. docs/tensorboard.md describes every tag.
"""

import io
import json
import math
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bandit_env.experiment.files import write_atomically
from bandit_env.experiment.results import Cell, Run, Trace
from bandit_env.views import series, tags

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

POINTS = 500
"""The most points of a curve. TensorBoard itself draws 1,000 at random of those it is given; below, it draws all."""

HISTOGRAMS = 8
"""Histograms of a quantity: of the first eighth of the replications, the first two, ...; one alone has no distribution
page, and from these one sees whether the replications were enough."""

PREFIX = "events.out.tfevents"
PROGRESS, RESULTS = (
    ".progress",
    ".results",
)  # ends of event files' names: while a run goes on, and when it is over
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

    def update(self, replications: int, *, stopping_day: float, regret: float, correct: float) -> None:
        """Write the means over the replications finished so far, whose number is the step."""
        if self._writer is None:
            remove_events(self._directory)
            self._begin()
        values = {"stopping_day": stopping_day, "regret": regret, "correct": correct}
        scalars = {f"progress/{name}": value for name, value in values.items()}
        self._writer.write(_scalars(replications, scalars, time.time()).SerializeToString())

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


def write(run: Run, summary: pd.DataFrame, images: Mapping[str, bytes] | None = None) -> None:
    """Write the event files of a finished run, in place of those written before.

    Args:
        run: a run that has a folder.
        summary: its rows, as `summary.summarise` makes them.
        images: PNG files by name.

    Raises:
        OSError: a folder cannot be written.
    """
    assert run.directory is not None
    for cell, row in zip(run.cells, summary.to_dict("records")):
        assert cell.directory is not None
        _replace(cell.directory, cell_events(cell, row))
    _replace(run.directory / RUN_FOLDER, run_events(run, summary, images or {}))


def remove_events(directory: Path, suffix: str = "", keep: Path | None = None) -> None:
    """Remove a folder's event files whose names end with `suffix`."""
    for path in directory.glob(f"{PREFIX}.*{suffix}"):
        if path != keep:
            path.unlink(missing_ok=True)


def cell_events(cell: Cell, row: Mapping[Any, Any]) -> list["Event"]:
    """All events of one cell; `row` is its line of the summary."""
    now = time.time()
    events = [_scalars(step, values, now) for step, values in _curves(cell)]
    for trace in cell.traces:
        events += [_scalars(step, values, now) for step, values in _trace(trace, series.units_per_day(cell))]
    replications = int(row["replications"])
    events.append(_scalars(replications, final_values(row), now))
    for name, values in _distributions(cell).items():
        for count in sorted({math.ceil(values.size * part / HISTOGRAMS) for part in range(1, HISTOGRAMS + 1)}):
            events.append(_event(count, _histogram(name, values[:count]), now))
    events.append(_event(0, _text("setup/parameters", _code(cell.parameters)), now))
    events.append(_event(0, _layout(cell), now))
    events += [_event(0, summary, now) for summary in _session(cell)]
    _describe(events)
    return events


def run_events(run: Run, summary: pd.DataFrame, images: Mapping[str, bytes]) -> list["Event"]:
    """The events of a whole run: its configuration, its table, its figures, and what the hparams page shows."""
    now = time.time()
    return [
        _event(0, _text("setup/configuration", _code(run.config)), now),
        _event(0, _text("results/table", _markdown(summary)), now),
        *(_event(0, _image(f"figures/{name}", png), now) for name, png in images.items()),
        _event(0, _hparams_page([hparams(cell) for cell in run.cells]), now),
    ]


def final_values(row: Mapping[Any, Any]) -> dict[str, float]:
    """The `final/*` scalars of a cell; what does not exist without a classical test is left out."""
    values = {tag: float(row[column]) for tag, column in tags.SUMMARY_COLUMNS.items()}
    return {tag: value for tag, value in values.items() if math.isfinite(value)}


def hparams(cell: Cell) -> dict[str, bool | float | str]:
    """A cell's parameters as the hparams page takes them: numbers, booleans, and text for all else."""
    flat: dict[str, Any] = {"scenario": cell.scenario, "agent": cell.agent}
    for part in ("agent", "scenario"):
        for name, value in cell.parameters[part].items():
            if value is not None and value != flat[part]:  # an agent's name is often its label
                flat[f"{part}.{name}"] = value
    return {
        name: value
        if isinstance(value, bool | float | str)
        else float(value)
        if isinstance(value, int)
        else json.dumps(value)
        for name, value in flat.items()
    }


def _curves(cell: Cell) -> Iterable[tuple[int, dict[str, float]]]:
    """The curves by day, thinned."""
    table = series.by_step(cell)
    count, running = table["n"].to_numpy(np.float64), table["running"].to_numpy(np.float64)
    regret = series.band(table["cumulative_sum"].to_numpy(), table["cumulative_sumsq"].to_numpy(), count)
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = {
            "regret/cumulative": regret.mean,
            "regret/cumulative_lower": regret.lower,
            "regret/cumulative_upper": regret.upper,
            "regret/daily": table["regret_sum"].to_numpy() / count,
            "experiments/running": running / count,
            "traffic/best_arm": table["best_arm_sum"].to_numpy() / table["served_updates"].to_numpy(),
            "posterior/value_remaining": table["value_sum"].to_numpy() / table["value_n"].to_numpy(),
        }
    kept = set(series.thin(len(table), POINTS).tolist())
    valued = np.flatnonzero(table["value_n"].to_numpy())
    steps = table["step"].to_numpy()
    for index in sorted(kept.union(valued.tolist())):
        wanted = columns if index in kept else {"posterior/value_remaining": columns["posterior/value_remaining"]}
        values = {tag: float(column[index]) for tag, column in wanted.items()}
        yield int(steps[index]), {tag: value for tag, value in values.items() if math.isfinite(value)}


def _trace(trace: Trace, units_per_day: int) -> Iterable[tuple[int, dict[str, float]]]:
    """One experiment by day, thinned; of several updates a day, the last."""
    step = np.floor(trace.day * units_per_day + 1e-9).astype(np.int64) + 1
    last = np.flatnonzero(np.append(np.diff(step) > 0, True)) if len(step) else np.zeros(0, np.int64)
    for index in last[series.thin(len(last), POINTS)]:
        names: dict[str, Any] = {"weight": trace.weights, "probability_best": trace.probability_best}
        yield (
            int(step[index]),
            {
                f"trace/{trace.replication}/{name}/arm_{arm}": float(value)
                for name, values in names.items()
                for arm, value in enumerate(values[index])
            },
        )


def _distributions(cell: Cell) -> dict[str, series.Floats]:
    rows = cell.columns(["stopping_day", "regret"])
    values = {
        "distribution/stopping_day": rows["stopping_day"].to_numpy(np.float64),
        "distribution/regret": rows["regret"].to_numpy(np.float64),
        "distribution/conversions_saved": series.conversions_saved(cell),
        "distribution/best_arm_share": series.best_arm_share(cell),
    }
    finite = {tag: column[np.isfinite(column)] for tag, column in values.items() if column is not None}
    return {tag: column for tag, column in finite.items() if column.size}


def _scalars(step: int, values: Mapping[str, float], now: float) -> "Event":
    from tensorboard.compat.proto.summary_pb2 import Summary

    summary = Summary()
    for tag, value in values.items():
        summary.value.add(tag=tag, simple_value=value)
    return _event(step, summary, now)


def _event(step: int, summary: "Summary", now: float) -> "Event":
    from tensorboard.compat.proto.event_pb2 import Event

    return Event(step=step, wall_time=now, summary=summary)


def _histogram(tag: str, values: series.Floats) -> "Summary":
    """A histogram of 30 buckets, counted here: `histogram_pb` needs memory in proportion to the rows."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.histogram import metadata
    from tensorboard.util import tensor_util

    low, high, buckets = values.min(), values.max(), 30
    if low < high:
        counts, edges = np.histogram(values, bins=buckets)
    else:  # as TensorBoard wants it: buckets of no width, of which the last holds everything
        counts, edges = np.append(np.zeros(buckets - 1), values.size), np.full(buckets + 1, low)
    tensor = tensor_util.make_tensor_proto(np.stack([edges[:-1], edges[1:], counts], axis=1), dtype=np.float64)
    summary = Summary()
    summary.value.add(tag=tag, tensor=tensor, metadata=metadata.create_summary_metadata(None, tags.description(tag)))
    return summary


def _text(tag: str, markdown: str) -> "Summary":
    from tensorboard.plugins.text import summary_v2

    return summary_v2.text_pb(tag, markdown, description=tags.description(tag))


def _image(tag: str, png: bytes) -> "Summary":
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.image import metadata
    from tensorboard.util import tensor_util

    width, height = struct.unpack(">II", png[16:24])  # of the header chunk, PNG specification 11.2.2
    tensor = tensor_util.make_tensor_proto([str(width).encode(), str(height).encode(), png], dtype=np.object_)
    summary = Summary()
    summary.value.add(tag=tag, tensor=tensor, metadata=metadata.create_summary_metadata(None, None))
    return summary


def _layout(cell: Cell) -> "Summary":
    """The custom scalars page: the arms of an experiment in one chart, and regret with its band.

    Every cell has the same page but for its traces, and TensorBoard shows a chart that several have once.
    """
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.custom_scalar import layout_pb2, metadata
    from tensorboard.util import tensor_util

    margin = layout_pb2.MarginChartContent()
    margin.series.add(value="regret/cumulative", lower="regret/cumulative_lower", upper="regret/cumulative_upper")
    layout = layout_pb2.Layout()
    regret = layout.category.add(title="Regret (conversions) by day")
    regret.chart.add(title="Mean regret with its 95 % interval", margin=margin)
    for title, name in (("Serving weights", "weight"), ("P(best)", "probability_best")):
        category = layout.category.add(title=f"{title} of single experiments by day")
        for trace in cell.traces:
            lines = layout_pb2.MultilineChartContent(tag=[rf"trace/{trace.replication}/{name}/arm_\d+$"])
            category.chart.add(title=f"{title}, experiment {trace.replication}", multiline=lines)
    summary = Summary()
    summary.value.add(
        tag=metadata.CONFIG_SUMMARY_TAG,
        tensor=tensor_util.make_tensor_proto(layout.SerializeToString(), dtype=np.object_),
        metadata=metadata.create_summary_metadata(),
    )
    return summary


def _session(cell: Cell) -> list["Summary"]:
    """A row of the hparams page, from its beginning to its end. (`plugins.hparams.summary` needs TensorFlow.)"""
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2

    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=time.time())
    group = f"{cell.scenario}/{cell.agent}"
    return [
        summary_v2.hparams_pb(hparams(cell), trial_id=group),
        _hparams(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=end)),
    ]


def _hparams_page(cells: Sequence[Mapping[str, bool | float | str]]) -> "Summary":
    """Which columns the hparams page has, and in which order; without it, every curve would become one."""
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    names = list(dict.fromkeys(name for cell in cells for name in cell))
    infos = []
    for name in names:
        values = [cell[name] for cell in cells if name in cell]
        info = api_pb2.HParamInfo(name=name, differs=len(set(values)) > 1)
        if all(isinstance(value, bool) for value in values):
            info.type = api_pb2.DATA_TYPE_BOOL
        elif all(isinstance(value, float) for value in values):
            info.type = api_pb2.DATA_TYPE_FLOAT64
        else:
            info.type = api_pb2.DATA_TYPE_STRING
        infos.append(info)
    metrics = [
        api_pb2.MetricInfo(
            name=api_pb2.MetricName(tag=tag.name),
            display_name=f"{tag.name.removeprefix('final/').replace('_', ' ')} ({tag.unit})",
            description=tag.formula,
        )
        for tag in tags.FINAL_TAGS
    ]
    page = api_pb2.Experiment(hparam_infos=infos, metric_infos=metrics, time_created_secs=time.time())
    return _hparams(metadata.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=page))


def _hparams(tag: str, content: Any) -> "Summary":
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata

    summary = Summary()
    summary.value.add(tag=tag, metadata=metadata.create_summary_metadata(content), tensor=metadata.NULL_TENSOR)
    return summary


def _describe(events: Iterable["Event"]) -> None:
    """Give each scalar's first value the description that TensorBoard shows beside its chart."""
    from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR

    seen = set()
    for event in events:
        for value in event.summary.value:
            if value.HasField("simple_value") and value.tag not in seen:
                seen.add(value.tag)
                value.metadata.summary_description = tags.description(value.tag)
                value.metadata.plugin_data.plugin_name = "scalars"
                value.metadata.data_class = DATA_CLASS_SCALAR  # or the data server drops the description


def _code(data: Any) -> str:
    return "```\n" + json.dumps(data, indent=2, ensure_ascii=False) + "\n```"


def _markdown(summary: pd.DataFrame) -> str:
    """The result table on its side, so that it is read without scrolling: a line per column."""
    columns = [column for column in summary.columns if not summary[column].isna().all()]
    head = [f"{row.scenario}: {row.agent}".replace("|", "\\|") for row in summary.itertuples()]
    lines = ["| | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for column in columns:
        if column not in ("scenario", "agent"):
            cells = ("" if pd.isna(value) else f"{value:,.5g}" for value in summary[column])
            lines.append(f"| {column} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


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
