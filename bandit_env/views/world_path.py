"""A figure of the world that one experiment met: the day's true rates, and its traffic."""

from typing import TYPE_CHECKING

import numpy as np

from bandit_env.experiment.results import Cell, Trace
from bandit_env.views import canvas, series

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(cell: Cell, trace: Trace, caption: str, lines: int) -> "Figure":
    """The true rates by day, of the `lines` arms with the most traffic, beside the visits of each update."""
    unit = series.time_unit(cell)
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
    for arm in series.busiest(trace.weights, lines):
        shown = np.where(there[:, arm], trace.rates[:, arm], np.nan)
        rates.plot(time, shown, color=canvas.colour(arm), drawstyle="steps-post", clip_on=False, zorder=3)
        if there[-1, arm]:
            ends.append((float(time[-1]), float(shown[-1]), f"arm {arm}", canvas.colour(arm)))
    rates.set(xlim=(0, max(time[-1], 1)), ylim=(0, None), xlabel=f"{unit}s", ylabel="true rate")
    canvas.label_ends(rates, ends, size=8)
    traffic.plot(time, trace.served, color=canvas.QUIET, drawstyle="steps-post", clip_on=False, zorder=3)
    traffic.set(xlim=(0, max(time[-1], 1)), ylim=(0, None), xlabel=f"{unit}s", ylabel="visits of the update")
    for axes in (rates, traffic):
        canvas.grid(axes)
    return figure
