"""What the event files of a run hold: curves by day, single experiments, histograms, results, the pages' layout."""

import json
import math
import re
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bandit_env.experiment.results import LISTED_ARMS, Cell, Run, Trace
from bandit_env.views import estimates, series
from bandit_env.views.figures.weights import chosen
from bandit_env.views.tensorboard import encoding, hparams, tags

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

POINTS = 500
"""The most points of a curve. TensorBoard itself draws 1,000 at random of those it is given; below, it draws all."""

HISTOGRAMS = 8
"""Histograms of a quantity: of the first eighth of the replications, the first two, ...; one alone has no distribution
page, and from these one sees whether the replications were enough."""


TRACED_ARMS = 100
"""The most arms of a single experiment: those with the most traffic."""

LISTED = 100
"""The most entries of a list in a text."""

READING = """\
TensorBoard alters curves before it draws them. It **smooths** them (0.6 at first: a moving average that lags behind, so
that a regret of 13 may look like 11) and leaves **outliers** out of the scale. To see what was written, set *Smoothing*
to 0 and untick *Ignore outliers in chart scaling*, at the right of *Time Series* and at the left of *Scalars*.

Of more than 40 runs TensorBoard ticks none at first on the pages other than *Time Series*: tick some at the left.

Steps are days, or visits where a step of the world is one. Of `final/*`, `estimate/*`, `progress/*`, `distribution/*`
they are numbers of experiments.
"""


def cell_events(
    cell: Cell, row: Mapping[Any, Any], trial: str, parameters: Mapping[str, hparams.Value]
) -> list["Event"]:
    """All events of one cell.

    Args:
        cell: the cell.
        row: its line of the summary.
        trial: its name on the hparams page, which no other cell has, nor one of another run.
        parameters: its row of that page.
    """
    now = time.time()
    events = [encoding.scalars(step, values, now) for step, values in _curves(cell)]
    for trace in cell.traces:
        events += [encoding.scalars(step, values, now) for step, values in _trace(cell, trace, trial)]
    replications = int(row["replications"])
    events.append(encoding.scalars(replications, final_values(row), now))
    if estimates.asked(cell):
        events.append(encoding.scalars(replications, estimates.scalars(cell), now))
    for name, values in _distributions(cell).items():
        for count in sorted({math.ceil(values.size * part / HISTOGRAMS) for part in range(1, HISTOGRAMS + 1)}):
            events.append(encoding.event(count, encoding.histogram(name, values[:count]), now))
    events.append(encoding.event(0, encoding.text("setup/parameters", _left_out(cell) + _code(cell.parameters)), now))
    events.append(encoding.event(0, _layout(cell, trial), now))
    events += [encoding.event(0, summary, now) for summary in encoding.session(trial, parameters)]
    encoding.describe(events)
    return events


def run_events(run: Run, summary: pd.DataFrame, images: Mapping[str, bytes]) -> list["Event"]:
    """The events of a whole run: its configuration, its table, its figures, and what the hparams page shows."""
    now = time.time()
    return [
        encoding.event(0, encoding.text("setup/configuration", _code(run.config)), now),
        encoding.event(0, encoding.text("results/table", _markdown(summary)), now),
        *(encoding.event(0, encoding.image(f"figures/{name}", png), now) for name, png in images.items()),
        encoding.event(0, encoding.text("setup/reading", READING), now),
        encoding.event(0, encoding.hparams_page(hparams.rows(run), _written(summary)), now),
    ]


def final_values(row: Mapping[Any, Any]) -> dict[str, float]:
    """The `final/*` scalars of a cell; what does not exist without a classical test is left out."""
    values = {tag: float(row[column]) for tag, column in tags.SUMMARY_COLUMNS.items()}
    return {tag: value for tag, value in values.items() if math.isfinite(value)}


def _written(summary: pd.DataFrame) -> set[str]:
    """The `final/*` tags that all cells of a run have: one without would drop out of the parallel coordinates."""
    return set.intersection(*(set(final_values(row)) for row in summary.to_dict("records")))


def _curves(cell: Cell) -> Iterable[tuple[int, dict[str, float]]]:
    """The curves by day, thinned."""
    table = series.by_step(cell)
    count, running = table["n"].to_numpy(np.float64), table["running"].to_numpy(np.float64)
    regret = series.band(table["cumulative_sum"].to_numpy(), table["cumulative_sumsq"].to_numpy(), count)
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = {
            tags.FIRST: regret.mean,
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


def _trace(cell: Cell, trace: Trace, trial: str) -> Iterable[tuple[int, dict[str, float]]]:
    """One experiment by day, thinned; of several updates a day, the last. The first one also under the cell's name."""
    step = np.floor(trace.day * series.units_per_day(cell) + 1e-9).astype(np.int64) + 1
    last = np.flatnonzero(np.append(np.diff(step) > 0, True)) if len(step) else np.zeros(0, np.int64)
    arms = series.busiest(trace.weights, TRACED_ARMS)
    names: dict[str, Any] = {"weight": trace.weights, "rate": trace.rates}
    visits = np.add.reduceat(trace.served, np.append(0, last[:-1] + 1)) if len(last) else trace.served
    traffic = dict(zip(last.tolist(), visits.tolist(), strict=True))
    if trace.weights.shape[1] <= LISTED_ARMS:
        names["probability_best"] = trace.probability_best
    heads = [f"trace/{trace.replication}"] + ([f"typical/{trial}"] if trace is shown(cell) else [])
    for index in last[series.thin(len(last), POINTS)]:
        values = {f"{name}/arm_{arm}": float(array[index, arm]) for name, array in names.items() for arm in arms}
        values["visits"] = traffic[int(index)]
        yield int(step[index]), {f"{head}/{name}": value for head in heads for name, value in values.items()}


def shown(cell: Cell) -> Trace | None:
    """The experiment that a cell's own charts are of: the same as in the figure of weights; None of too many arms."""
    if cell.task.num_arms > TRACED_ARMS or not any(len(trace.day) for trace in cell.traces):
        return None
    return chosen(cell)


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


def _layout(cell: Cell, trial: str) -> "Summary":
    """The custom scalars page: regret of all agents with its band, and for each agent charts of one experiment.

    TensorBoard puts the pages of all cells together: a chart that several have is there once.
    """
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.custom_scalar import layout_pb2, metadata
    from tensorboard.util import tensor_util

    margin = layout_pb2.MarginChartContent()
    margin.series.add(value="regret/cumulative", lower="regret/cumulative_lower", upper="regret/cumulative_upper")
    layout = layout_pb2.Layout()
    unit = series.time_unit(cell)
    regret = layout.category.add(title=f"Regret (conversions) by {unit}")
    regret.chart.add(title="Mean regret with its 95 % interval", margin=margin)
    trace = shown(cell)
    kinds = [("Serving weights", r"weight/arm_\d+")]
    if cell.task.num_arms <= LISTED_ARMS:
        kinds.append(("P(best)", r"probability_best/arm_\d+"))
    if cell.world.moves:
        kinds += [("True rates", r"rate/arm_\d+"), ("Traffic (visits)", "visits")]
    for title, ending in kinds if trace is not None else ():
        assert trace is not None
        category = layout.category.add(title=f"{title} of one experiment by {unit}")
        lines = layout_pb2.MultilineChartContent(tag=[f"typical/{re.escape(trial)}/{ending}$"])
        category.chart.add(title=f"{trial}, experiment {trace.replication}", multiline=lines)
    summary = Summary()
    summary.value.add(
        tag=metadata.CONFIG_SUMMARY_TAG,
        tensor=tensor_util.make_tensor_proto(layout.SerializeToString(), dtype=np.object_),
        metadata=metadata.create_summary_metadata(),
    )
    return summary


def _left_out(cell: Cell) -> str:
    """What is not shown of a cell with many arms, as text."""
    num_arms = cell.task.num_arms
    words = ""
    if num_arms > TRACED_ARMS:
        words += f"Of {num_arms:,} arms, single experiments show the {TRACED_ARMS} with the most traffic. "
    if num_arms > LISTED_ARMS:
        words += "P(best) and the potential value remaining are left out, as they take longer than the run. "
    return f"{words}\n\n" if words else ""


def _short(value: Any) -> Any:
    """The value with long lists cut short."""
    if isinstance(value, dict):
        return {name: _short(inner) for name, inner in value.items()}
    if isinstance(value, list) and len(value) > LISTED:
        return [*map(_short, value[:10]), f"... {len(value) - 10:,} more"]
    return [_short(inner) for inner in value] if isinstance(value, list) else value


def _code(data: Any) -> str:
    return "```\n" + json.dumps(_short(data), indent=2, ensure_ascii=False) + "\n```"


def _plain(text: str) -> str:
    """Text that Markdown and HTML take for text: a label puts no heading, link or remote image into the page."""
    return re.sub(r"[^\w\s.,:;=%/'()-]", lambda found: f"&#{ord(found[0])};", text)


def _markdown(summary: pd.DataFrame) -> str:
    """The result table on its side, so that it is read without scrolling: a line per column."""
    columns = [column for column in summary.columns if not summary[column].isna().all()]
    head = [_plain(f"{row.scenario}: {row.agent}") for row in summary.itertuples()]
    lines = ["| | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for column in columns:
        if column not in ("scenario", "agent"):
            cells = ("" if pd.isna(value) else f"{value:,.5g}" for value in summary[column])
            lines.append(f"| {column} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
