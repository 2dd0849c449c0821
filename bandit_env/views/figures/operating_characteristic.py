"""Each agent's operating characteristic: how soon it stops against how often it is right."""

from typing import TYPE_CHECKING

import numpy as np

from bandit_env.experiment.results import Cell
from bandit_env.views import canvas, series
from bandit_env.views.figures.drawing import Drawing, Scene
from bandit_env.views.summary import Z95, wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(scene: Scene) -> Drawing | None:
    """Mean stopping day against the share of experiments that declare the best arm, one point per agent.

    On equal arms, where each is the best: against the share that claims a difference.
    """
    cells, unit, names = scene.shown, scene.unit, scene.names()
    equal = cells[0].equal_arms
    column, what = ("claimed_winner", "claims a difference") if equal else ("correct", "correct")
    caption = scene.caption("bars: 95 % intervals") + scene.cut(cells)
    caption += scene.of_all(cells, which="the first, are named; the others are grey")
    figure, [[axes]] = canvas.page(
        "Sooner, or surer",
        f"Mean {unit}s until the experiment stops, against the share that "
        + ("claims a difference where there is none" if equal else "declares the best arm"),
        caption,
        right=0.2 + canvas.room_for(list(names.values())),
        height=2.7,
    )
    points = []
    for cell in scene.cells:
        named = cell.agent in names
        ink = scene.ink(cell) if named else canvas.FAINT
        x, y, end = _point(axes, cell, column, ink, 4 if named else 2)
        if named:
            points.append((x, y, end, names[cell.agent], ink))
    axes.set(xlabel=f"stopping time, {unit}s", ylabel=f"{what}, %")
    axes.set_xlim(0, max(axes.get_xlim()[1], 1))
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(0, bottom - 1), min(101, top + 1))
    canvas.grid(axes, "both")
    canvas.label_points(axes, points)
    return Drawing("operating-characteristic", figure, caption)


def _point(axes: "Axes", cell: Cell, column: str, ink: str, layer: float) -> tuple[float, float, float]:
    """Draw a cell's point with its error bars; its place, and where the bar to the right ends."""
    rows = cell.columns(["stopping_day", column])
    times = rows["stopping_day"].to_numpy() * series.units_per_day(cell)
    mean, half = float(times.mean()), float(Z95 * times.std() / np.sqrt(len(times)))
    share, (low, high) = 100 * float(rows[column].mean()), wilson(int(rows[column].sum()), len(rows))
    axes.plot([mean - half, mean + half], [share] * 2, color=ink, lw=1.4, alpha=0.6, zorder=layer - 1)
    axes.plot([mean] * 2, [100 * low, 100 * high], color=ink, lw=1.4, alpha=0.6, zorder=layer - 1)
    axes.plot(mean, share, "o", color=ink, ms=7, mec="white", mew=1, zorder=layer, clip_on=False)
    return mean, share, mean + half
