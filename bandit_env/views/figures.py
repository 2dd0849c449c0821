"""The figures of a run: those of Scott's article, regret by day, and each agent's operating characteristic.

Nothing here touches pyplot, so drawing leaves no state behind and needs no screen; matplotlib is loaded when the first
figure is drawn.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit_env.experiment.config import slug
from bandit_env.experiment.files import write_atomically
from bandit_env.experiment.results import LISTED_ARMS, Cell, Run, Trace
from bandit_env.stats.posterior import weights_and_value_remaining
from bandit_env.views import canvas, estimates, series, world_path
from bandit_env.views.attempt import attempt
from bandit_env.views.canvas import INK, QUIET, colour
from bandit_env.views.summary import Z95, wilson

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CONFIDENCE = 0.95
MAX_PANELS = 3
MAX_LINES = 10  # arms of an experiment that are drawn, and rates in a caption
FOLDER = "figures"


class Drawing(NamedTuple):
    """A figure, the name of its files, and its caption line."""

    name: str
    figure: "Figure"
    caption: str


def all_figures(run: Run, max_scenarios: int | None = None, failures: list[str] | None = None) -> list[Drawing]:
    """Draw every figure that a run has the data for, scenario by scenario.

    Args:
        run: a finished run.
        max_scenarios: draw those of the first few scenarios only; None draws all.
        failures: a list for a sentence about each figure that cannot be drawn.
    """
    scenarios = list(dict.fromkeys(cell.scenario for cell in run.cells))[:max_scenarios]
    drawings = []
    with canvas.style():
        for scenario, stem in zip(scenarios, _file_names(scenarios)):
            cells = [cell for cell in run.cells if cell.scenario == scenario]
            for draw in (serving_weights, world, savings, daily_cost, regret, operating_characteristic, estimated):
                drawing, failed = attempt(
                    f"figure {draw.__name__} of scenario {scenario!r}", draw, cells, run.config.get("seed")
                )
                if failures is not None:
                    failures += failed
                if drawing is not None:
                    drawings.append(drawing._replace(name=f"{stem}-{drawing.name}"))
    return drawings


def save(drawings: Sequence[Drawing], directory: str | Path, dpi: int = 130) -> list[Path]:
    """Write each figure as PNG and as SVG; files of the same names are replaced.

    Raises:
        OSError: the folder cannot be written.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for drawing in drawings:
        for suffix in ("png", "svg"):
            path = directory / f"{drawing.name}.{suffix}"
            write_atomically(path, render(drawing.figure, suffix, dpi))
            paths.append(path)
    return paths


def render(figure: "Figure", suffix: str, dpi: int = 130) -> bytes:
    """A figure as the bytes of a file, "png" or "svg"; the same figure always gives the same bytes."""
    buffer = io.BytesIO()
    with canvas.style():
        if suffix == "png":  # level 4: 1 % larger than the default, in half the time
            figure.savefig(buffer, format=suffix, dpi=dpi, pil_kwargs={"compress_level": 4})
        else:
            figure.savefig(buffer, format=suffix, dpi=dpi, metadata={"Date": None})
    return buffer.getvalue()


def serving_weights(cells: Sequence[Cell], seed: object = None) -> Drawing | None:
    """One experiment of each agent (the first few that adapt), its serving weights by day against the 95 % line."""
    cells = [cell for cell in cells if any(np.ptp(t.weights, axis=0).any() for t in cell.traces if len(t.day))]
    cells = cells[:MAX_PANELS]
    if not cells:
        return None
    unit = series.time_unit(cells[0])
    replication = _typical(cells[0])
    count = len(cells[0].traces)
    note = f", of {count} traced the nearest to the mean length" if count > 1 else ""
    if (num_arms := cells[0].task.num_arms) > MAX_LINES:
        note += f"; of {num_arms:,} arms the {MAX_LINES} with the most traffic"
    caption = _caption(cells[:1], seed, f"experiment {replication}{note}")
    figure, [panels] = canvas.page(
        "Serving weights of one experiment",
        f"Share of each {unit}'s traffic by arm, named by its true rate, until the experiment stops",
        caption,
        widths=[1] * len(cells),
        right=0.98,
        gap=0.4,
        headings=2,
    )
    for axes, cell in zip(panels, cells):
        trace = next(trace for trace in cell.traces if trace.replication == replication)
        time, weights = _with_decision(cell, trace)
        axes.set(ylim=(0, 1), xlim=(0, max(time[-1], 1)), xlabel=f"{unit}s")
        axes.set_yticks([0, 0.25, 0.5, 0.75, CONFIDENCE], ["0 %", "25 %", "50 %", "75 %", "95 %"])
        axes.axhline(CONFIDENCE, color=QUIET, lw=0.9, ls=(0, (4, 3)), zorder=1)
        arms = series.busiest(trace.weights, MAX_LINES)
        for arm in arms:
            axes.plot(time, weights[:, arm], color=colour(arm), clip_on=False, zorder=3)
        canvas.heading(axes, [cell.agent, _story(cell, replication)], room=1 + 0.95 / (8.6 / len(cells) - 1.3))
        ends = [(time[-1], weights[-1, k], _arm_name(cell, k), colour(k)) for k in arms]
        canvas.label_ends(axes, ends, size=8)
    panels[0].set_ylabel("share of traffic")
    return Drawing("weights", figure, caption)


def world(cells: Sequence[Cell], seed: object = None) -> Drawing | None:
    """The true rates by day and the traffic of one experiment, the same under every agent, where the world moves."""
    cell = cells[0]
    traces = [trace for trace in cell.traces if len(trace.day)]
    if not cell.world.moves or not traces:
        return None
    trace = max(traces, key=lambda trace: len(trace.day))
    caption = _caption(cells[:1], seed, f"experiment {trace.replication}, as {cell.agent} met it")
    return Drawing("world", world_path.draw(cell, trace, caption, MAX_LINES), caption)


def savings(cells: Sequence[Cell], seed: object = None) -> Drawing | None:
    """Distributions over the replications of days and conversions saved against the classical test, by agent.

    Without a classical test: of the stopping day and of regret.
    """
    unit = series.time_unit(cells[0])
    columns = [_savings(cells, unit), _losses(cells)]
    compared = all(cell.classical is not None and cell.rates is not None for cell in cells)
    caption = _caption(cells, seed, f"outermost bars hold all beyond{_cut(cells)}")
    figure, grid = canvas.page(
        "What the experiments save against the classical test" if compared else "How experiments end",
        "Each agent's distribution over its replications, and its mean",
        caption,
        rows=len(cells),
        widths=(1, 1),
        height=1.15 if len(cells) > 1 else 2.2,
        gap=0.45,
        headings=1,
    )
    for column, (name, values) in enumerate(columns):
        edges = _edges(values)
        for row, cell in enumerate(cells):
            axes = grid[row][column]
            _histogram(axes, values[row], edges, colour(row), signed=compared)
            if column == 0:
                canvas.heading(axes, [cell.agent], colour(row), room=0.7)
            axes.set_ylabel("share, %")
            if row == len(cells) - 1:
                axes.set_xlabel(name)
            else:
                axes.set_xticklabels([])
    return Drawing("savings", figure, caption)


def daily_cost(cells: Sequence[Cell], seed: object = None) -> Drawing | None:
    """Conversions lost per day of a running experiment, against the classical test's constant cost."""
    unit = series.time_unit(cells[0])
    per = cells[0].task.updates_per_day / series.units_per_day(cells[0])  # updates in a unit of time
    caption = _caption(cells, seed, "bands: 95 % intervals of the mean; drawn while 5 % of experiments run")
    figure, [[axes]] = canvas.page(
        f"What a {unit} of the experiment costs",
        f"Conversions lost per {unit} to the arms that are not the best, mean of the experiments still running",
        caption,
        right=max(1.85, canvas.room_for([cell.agent for cell in cells])),
    )
    ends = []
    for index, cell in enumerate(cells):
        curves = cell.curves[cell.curves["running"] >= 0.05 * cell.curves["n"]]
        if not len(curves):
            continue
        time = curves["day"].to_numpy() * series.units_per_day(cell)
        cost = _band(curves, "regret", "running")
        axes.fill_between(time, cost.lower * per, cost.upper * per, color=colour(index), alpha=0.18, lw=0)
        axes.plot(time, cost.mean * per, color=colour(index), zorder=3)
        ends.append((time[-1], cost.mean[-1] * per, cell.agent, colour(index)))
    if not ends:
        return None
    gap = cells[0].gap
    if gap is not None:
        classical = gap * cells[0].task.visits_per_day / series.units_per_day(cells[0])
        axes.axhline(classical, color=INK, lw=1, ls=(0, (4, 3)), zorder=2)
        name = "equal traffic" if cells[0].classical is None else "classical test"
        ends.append((np.inf, classical, f"{name}: {classical:.4g} a {unit}", INK))
    axes.set(xlim=(0, max(end[0] for end in ends if end[0] < np.inf)), xlabel=f"{unit}s")
    axes.set_ylim(0, axes.get_ylim()[1])
    axes.set_ylabel(f"conversions a {unit}")
    canvas.grid(axes)
    canvas.label_ends(axes, ends)
    return Drawing("daily-cost", figure, caption)


def regret(cells: Sequence[Cell], seed: object = None) -> Drawing | None:
    """Cumulative regret by day of all agents with bands, and beside it the share of experiments still running."""
    unit = series.time_unit(cells[0])
    caption = _caption(cells, seed, "bands: 95 % intervals of the mean")
    figure, [[left, right]] = canvas.page(
        "Regret, and how long it goes on",
        "An experiment that has stopped keeps the regret that it has gathered",
        caption,
        widths=(1.25, 1),
        right=0.1,
        gap=0.6 + canvas.room_for([cell.agent for cell in cells]),
    )
    horizon = max(_time_until(cell, 0.02) for cell in cells)
    ends = []
    for index, cell in enumerate(cells):
        curves = cell.curves
        if not len(curves):
            continue
        ink = colour(index)
        time = np.append(curves["day"].to_numpy() * series.units_per_day(cell), max(horizon, 1))
        order = time <= horizon
        order[-1] = True
        lost = _band(curves, "cumulative", "n")
        mean, low, high = (np.append(x, x[-1])[order] for x in (lost.mean, lost.lower, lost.upper))
        left.fill_between(time[order], low, high, color=ink, alpha=0.18, lw=0)
        left.plot(time[order], mean, color=ink)
        ends.append((horizon, mean[-1], cell.agent, ink))
        running = np.append(curves["running"].to_numpy() / cell.replications, 0)
        start = np.concatenate([[0], time[:-1]])
        right.step(start, 100 * running, where="post", color=ink)
    left.set(xlim=(0, horizon or 1), xlabel=f"{unit}s", ylabel="regret, conversions")
    left.set_ylim(0, left.get_ylim()[1])
    right.set(xlim=(0, horizon or 1), ylim=(0, 102), xlabel=f"{unit}s", ylabel="still running, %")
    for axes in (left, right):
        canvas.grid(axes)
    canvas.label_ends(left, ends)
    return Drawing("regret", figure, caption)


def operating_characteristic(cells: Sequence[Cell], seed: object = None) -> Drawing | None:
    """Mean stopping day against the share of experiments that declare the best arm, one point per agent.

    On equal arms, where each is the best: against the share that claims a difference.
    """
    unit = series.time_unit(cells[0])
    column, what = ("claimed_winner", "claims a difference") if cells[0].equal_arms else ("correct", "correct")
    caption = _caption(cells, seed, f"bars: 95 % intervals{_cut(cells)}")
    figure, [[axes]] = canvas.page(
        "Sooner, or surer",
        f"Mean {unit}s until the experiment stops, against the share that "
        + ("claims a difference where there is none" if cells[0].equal_arms else "declares the best arm"),
        caption,
        right=canvas.room_for([cell.agent for cell in cells]),
        height=2.7,
    )
    points = []
    for index, cell in enumerate(cells):
        rows = cell.columns(["stopping_day", column])
        days = rows["stopping_day"].to_numpy() * series.units_per_day(cell)
        mean, half = days.mean(), Z95 * days.std() / np.sqrt(len(days))
        share, (low, high) = rows[column].mean(), wilson(int(rows[column].sum()), len(rows))
        axes.plot([mean - half, mean + half], [100 * share] * 2, color=colour(index), lw=1.4, alpha=0.6)
        axes.plot([mean] * 2, [100 * low, 100 * high], color=colour(index), lw=1.4, alpha=0.6)
        axes.plot(mean, 100 * share, "o", color=colour(index), ms=7, mec="white", mew=1, zorder=4)
        points.append((mean, 100 * share, cell.agent, colour(index)))
    axes.set(xlabel=f"stopping time, {unit}s", ylabel=f"{what}, %")
    axes.set_xlim(0, max(axes.get_xlim()[1], 1))
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(0, bottom - 1), min(101, top + 1))
    canvas.grid(axes, "both")
    canvas.label_points(axes, points)
    return Drawing("operating-characteristic", figure, caption)


def estimated(cells: Sequence[Cell], seed: object = None) -> Drawing | None:
    """Each method's estimates, where a run was asked for some, against the truth, with their intervals; by agent."""
    cells = [cell for cell in cells if estimates.asked(cell)]
    if not cells:
        return None
    table = estimates.summarise_cell(cells[0])
    quantities = list(dict.fromkeys(table["quantity"]))
    lines = table[table["arm"] < estimates.MAX_ARMS].groupby("quantity").size().max()
    caption = _caption(cells, seed, "means over the experiments of the estimate and of the ends of its 95 % interval")
    figure, [panels] = canvas.page(
        "What is estimated, against the truth",
        "Each method's mean estimate and interval less the true value; at the right, how often the interval holds it",
        caption,
        widths=[1] * len(quantities),
        height=0.35 + 0.15 * lines * (len(cells) + 1.6),
        right=0.5,
        gap=0.3,
        headings=len(cells),
    )
    for axes, quantity in zip(panels, quantities):
        estimates.draw(axes, cells, quantity, int(lines))
    for index, cell in enumerate(cells):
        line = "\n" * (len(cells) - 1 - index)
        panels[0].annotate(
            f"{cell.agent}{line}", (0, 1), xycoords="axes fraction", xytext=(0, 5), textcoords="offset points",
            size=8.5, color=colour(index), va="bottom",
        )  # fmt: skip
    return Drawing("estimates", figure, caption)


def _file_names(scenarios: Sequence[str]) -> list[str]:
    """Names of scenarios, which may hold anything, as parts of file names, no two the same."""
    stems: dict[str, str] = {}
    for scenario in scenarios:
        stem = slug(scenario)
        while stem.casefold() in stems:
            stem += "_"
        stems[stem.casefold()] = stem
    return list(stems.values())


def _caption(cells: Sequence[Cell], seed: object, note: str) -> str:
    """R, seed and scenario, as every figure says them."""
    cell = cells[0]
    counts = sorted({len(c.columns(["replication"])) for c in cells})
    replications = " to ".join(f"{n:,}" for n in dict.fromkeys((counts[0], counts[-1])))
    rates = "rates drawn anew" if cell.rates is None else f"rates {_some(cell.rates)}"
    traffic = f"{cell.task.visits_per_day:,} visits a day"
    where = f"{cell.scenario}: {rates}" + ("" if series.time_unit(cell) == "visit" else f"; {traffic}")
    return f"R = {replications}, seed {seed}  ·  {where}  ·  {note}"


def _some(rates: Sequence[float]) -> str:
    shown = ", ".join(f"{rate:g}" for rate in rates[:MAX_LINES])
    return shown + (f", ... ({len(rates):,} arms)" if len(rates) > MAX_LINES else "")


def _cut(cells: Sequence[Cell]) -> str:
    """What the horizon cut: those experiments' times are at least, and what they save at most, what is drawn."""
    shares = [(cell.agent, float((cell.columns(["declared_arm"])["declared_arm"] < 0).mean())) for cell in cells]
    cut = [f"{agent} {100 * share:.3g} %" for agent, share in shares if share]
    return f"  ·  undecided, and cut by the horizon (day {cells[0].task.max_days:,g}): {', '.join(cut)}" if cut else ""


def _arm_name(cell: Cell, arm: int) -> str:
    return f"arm {arm}" if cell.rates is None else f"arm {arm} · {100 * cell.rates[arm]:.3g} %"


def _story(cell: Cell, replication: int) -> str:
    """What became of one experiment: as the article tells of its own, "66 days, 157 saved"."""
    row = cell.columns(["replication", "stopping_day", "declared_arm"]).query("replication == @replication").iloc[0]
    unit, factor = series.time_unit(cell), series.units_per_day(cell)
    words = [f"{row['stopping_day'] * factor:,.4g} {unit}s"]
    if cell.classical is not None:
        words.append(f"{cell.classical.days - row['stopping_day']:,.0f} saved")
    declared = int(row["declared_arm"])
    words.append("no arm declared" if declared < 0 else f"ships arm {declared}")
    return ", ".join(words)


def _typical(cell: Cell) -> int:
    """The replication, of those traced, that stopped the nearest to the mean day."""
    days = cell.columns(["replication", "stopping_day"]).set_index("replication")["stopping_day"]
    return min((trace.replication for trace in cell.traces), key=lambda r: abs(float(days[r]) - float(days.mean())))


def _with_decision(cell: Cell, trace: Trace) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and weights of a trace; where the weights are P(best), with P(best) at the decision that ended it.

    The decision serves no traffic, so that it is not in the trace; the row holds the counts it was made on.
    """
    factor = series.units_per_day(cell)
    rows = cell.columns(["replication", "stopping_day"])
    place = int(np.flatnonzero(rows["replication"] == trace.replication)[0])
    weights = np.asarray(trace.weights, dtype=np.float64)
    if cell.task.num_arms <= LISTED_ARMS and np.allclose(weights, trace.probability_best, atol=1e-3):
        conversions, visits = (cell.per_arm(name)[place].astype(np.float64) for name in ("conversions", "visits"))
        last = weights_and_value_remaining(conversions, visits, prior=trace.prior)[0]  # the kernel that agents use
    else:
        last = weights[-1]
    time = np.append(trace.day, rows["stopping_day"].iloc[place]) * factor
    return time, np.vstack([weights, last])


def _band(curves: "pd.DataFrame", name: str, count: str) -> series.Band:
    columns = (curves[column].to_numpy(np.float64) for column in (f"{name}_sum", f"{name}_sumsq", count))
    return series.band(*columns)


def _time_until(cell: Cell, share: float) -> float:
    """When only this share of the experiments is still running."""
    day = np.quantile(cell.columns(["stopping_day"])["stopping_day"], 1 - share)
    return float(day) * series.units_per_day(cell)


def _savings(cells: Sequence[Cell], unit: str) -> tuple[str, list[NDArray[np.float64]]]:
    saved = [series.days_saved(cell) for cell in cells]
    if any(values is None for values in saved):
        days = [cell.columns(["stopping_day"])["stopping_day"].to_numpy() for cell in cells]
        return f"stopping time, {unit}s", [d * series.units_per_day(c) for d, c in zip(days, cells)]
    return "days saved", [values for values in saved if values is not None]


def _losses(cells: Sequence[Cell]) -> tuple[str, list[NDArray[np.float64]]]:
    saved = [series.conversions_saved(cell) for cell in cells]
    if any(values is None for values in saved):
        return "regret, conversions", [cell.columns(["regret"])["regret"].to_numpy() for cell in cells]
    return "conversions saved", [values for values in saved if values is not None]


def _edges(values: Sequence[NDArray[np.float64]], bins: int = 48) -> NDArray[np.float64]:
    """Bins for several samples at once, without the lowest and the highest 1 % of each of them."""
    low = min(float(np.quantile(v, 0.01)) for v in values)
    high = max(float(np.quantile(v, 0.99)) for v in values)
    if high - low < 1e-9 * max(1, abs(low), abs(high)):
        half = max(0.5, 1e-6 * abs(low))
        low, high = low - half, high + half
    return series.edges(low, high, bins)


def _histogram(axes: "Axes", values: NDArray[np.float64], edges: NDArray[np.float64], ink: str, signed: bool) -> None:
    """Shares of a sample by bin, its mean, and, where the values are savings, the share of losses."""
    from matplotlib.collections import PolyCollection

    share = 100 * series.histogram(values, edges) / len(values)
    width = edges[1] - edges[0]
    corners = [[(x, 0), (x, y), (x + 0.9 * width, y), (x + 0.9 * width, 0)] for x, y in zip(edges, share) if y]
    axes.add_collection(PolyCollection(corners, color=ink, alpha=0.75, lw=0))  # quicker than `bar`, an artist for each
    mean = values.mean()
    axes.axvline(mean, color=ink, lw=1.2)
    axes.set_xlim(edges[0] - width, edges[-1] + width)
    axes.set_ylim(0, max(share.max() * 1.12, 1))
    axes.set_title(f"mean {mean:,.1f}", size=8.5, color=INK, loc="right", pad=5)
    if signed:
        axes.axvline(0, color=QUIET, lw=0.8, ls=(0, (4, 3)))
    canvas.grid(axes)
