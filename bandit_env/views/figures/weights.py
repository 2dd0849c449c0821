"""One typical experiment of each agent: its serving weights by day."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bandit_env.experiment.results import LISTED_ARMS, TYPICAL_OF, Cell, Trace, typical
from bandit_env.stats.posterior import weights_and_value_remaining
from bandit_env.views import canvas, series
from bandit_env.views.figures.drawing import MAX_LINES, Drawing, Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONFIDENCE = 0.95
MAX_PANELS = 3
LINE = "dashed: 95 %, the confidence that stopping rules ask for; the weights of Thompson sampling are P(best)"


def draw(scene: Scene) -> Drawing | None:
    """A typical experiment of each agent (the first few that adapt), its weights by day against the 95 % line."""
    adapting = [c for c in scene.cells if any(np.ptp(t.weights, axis=0).any() for t in c.traces if len(t.day))]
    cells = adapting[:MAX_PANELS]
    if not cells:
        return None
    num_arms = cells[0].task.num_arms
    note = f"{LINE}  ·  {_which(cells)}"
    if num_arms > MAX_LINES:
        note += f"; of {num_arms:,} arms the {MAX_LINES} with the most traffic"
    caption = scene.caption(note, cells) + scene.of_all(cells, scene.cells, "the first whose weights change")
    figure, [panels] = canvas.page(
        f"Serving weights of {'one' if len(cells) == 1 else 'an'} experiment{' of each agent' * (len(cells) > 1)}",
        f"Share of each {scene.unit}'s traffic by arm, named by its true rate, until the experiment stops",
        caption,
        widths=[1] * len(cells),
        right=0.98,
        gap=0.4,
        headings=3,
    )
    for axes, cell in zip(panels, cells):
        _panel(axes, scene, cell)
        room = 1 + 0.95 / (8.6 / len(cells) - 1.3)
        canvas.heading(axes, [scene.names(cells)[cell.agent], *_story(cell, chosen(cell))], scene.ink(cell), room)
    panels[0].set_ylabel("share of traffic")
    return Drawing("weights", figure, caption)


def _panel(axes: "Axes", scene: Scene, cell: Cell) -> None:
    time, weights = with_decision(cell, chosen(cell))
    axes.set(ylim=(0, 1), xlim=(0, max(time[-1], 1)), xlabel=f"{scene.unit}s")
    axes.set_yticks([0, 0.25, 0.5, 0.75, CONFIDENCE], ["0 %", "25 %", "50 %", "75 %", "95 %"])
    axes.axhline(CONFIDENCE, color=canvas.QUIET, lw=0.9, ls=(0, (4, 3)), zorder=1)
    arms = series.busiest(chosen(cell).weights, MAX_LINES)
    inks = {arm: canvas.arm_colour(arm, place) for place, arm in enumerate(arms)}
    for arm in arms:
        axes.plot(time, weights[:, arm], color=inks[arm], clip_on=False, zorder=3)
    canvas.label_ends(axes, [(time[-1], weights[-1, k], _arm_name(cell, k), inks[k]) for k in arms], size=8)


def chosen(cell: Cell) -> Trace:
    """The experiment that is shown, of those recorded: the nearest to the median, as `results.typical` has it."""
    traced = {trace.replication: trace for trace in cell.traces if len(trace.day)}
    return traced[typical(*_first_rows(cell), list(traced))]


def _first_rows(cell: Cell) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows = cell.columns(["stopping_day", "regret"]).iloc[:1000]  # the first chunk, which traces are of
    return rows["stopping_day"].to_numpy(np.float64), rows["regret"].to_numpy(np.float64)


def _which(cells: list[Cell]) -> str:
    """Which experiments are shown, and why those."""
    numbers = [f"{chosen(cell).replication:,}" for cell in cells]
    what = f"experiment{'s' * (len(cells) > 1)} {', '.join(numbers)}"
    near = "the nearest to the median stop"
    recorded = len(cells[0].traces)
    if recorded > 1:
        return f"{what}: of {recorded} recorded {near}"
    first = range(min(TYPICAL_OF, cells[0].replications))
    if all(chosen(cell).replication == typical(*_first_rows(cell), first) for cell in cells):
        return f"{what}: of the first {len(first)} {near}"
    return what


def _story(cell: Cell, trace: Trace) -> list[str]:
    """What became of one experiment: as the article tells of its own, "66 days, 157 saved"."""
    rows = cell.columns(["replication", "stopping_day", "declared_arm"])
    row = rows.query("replication == @trace.replication").iloc[0]
    unit = series.time_unit(cell)
    words = [series.count(series.in_units(cell, float(row["stopping_day"])), unit)]
    if cell.classical is not None:
        words.append(f"{series.count(series.in_units(cell, cell.classical.days - row['stopping_day']), unit)} saved")
    declared = int(row["declared_arm"])
    end = "no arm declared" if declared < 0 else f"ships arm {declared}"
    return [f"experiment {trace.replication:,}: {end}", ", ".join(words)]


def _arm_name(cell: Cell, arm: int) -> str:
    return f"arm {arm}" if cell.rates is None else f"arm {arm} · {100 * cell.rates[arm]:.3g} %"


def with_decision(cell: Cell, trace: Trace) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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
