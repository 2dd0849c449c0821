"""The world that one experiment met: the day's true rates, and its traffic."""

import numpy as np

from bandit_env.views import canvas, series
from bandit_env.views.figures.drawing import MAX_LINES, Drawing, Scene


def draw(scene: Scene) -> Drawing | None:
    """The true rates by day and the traffic of one experiment, the same under every agent, where the world moves."""
    cell = scene.cells[0]
    traces = [trace for trace in cell.traces if len(trace.day)]
    if not cell.world.moves or not traces:
        return None
    trace = max(traces, key=lambda trace: len(trace.day))
    caption = scene.caption(f"experiment {trace.replication:,}, as {cell.agent} met it", [cell])
    unit = scene.unit
    time = trace.day * series.units_per_day(cell)
    figure, [[rates, traffic]] = canvas.page(
        "The world of one experiment",
        f"True rates of the arms by {unit} while they are there, and the traffic, until the experiment stops",
        caption,
        widths=[1, 1],
        right=0.6,
        gap=0.5,
    )
    there = cell.task.available(trace.day)
    ends = []
    for place, arm in enumerate(series.busiest(trace.weights, MAX_LINES)):
        ink = canvas.arm_colour(arm, place)
        shown = np.where(there[:, arm], 100 * trace.rates[:, arm], np.nan)
        rates.plot(time, shown, color=ink, drawstyle="steps-post", clip_on=False, zorder=3)
        if there[-1, arm]:
            ends.append((float(time[-1]), float(shown[-1]), f"arm {arm}", ink))
    rates.set(xlim=(0, max(time[-1], 1)), ylim=(0, None), xlabel=f"{unit}s", ylabel="true rate, %")
    canvas.label_ends(rates, ends, size=8)
    traffic.plot(time, trace.served, color=canvas.QUIET, drawstyle="steps-post", clip_on=False, zorder=3)
    traffic.set(xlim=(0, max(time[-1], 1)), ylim=(0, None), xlabel=f"{unit}s", ylabel="visits of the update")
    for axes in (rates, traffic):
        canvas.grid(axes)
    return Drawing("world", figure, caption)
