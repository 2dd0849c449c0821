"""Regret by day of all agents, and beside it how many experiments are still running."""

import numpy as np

from bandit_env.experiment.results import Cell
from bandit_env.views import canvas, series
from bandit_env.views.figures.drawing import Drawing, Scene

EDGE = 0.4  # inches at the right of the page: room for half of the last tick's number


def draw(scene: Scene) -> Drawing | None:
    """Cumulative regret by day of all agents with bands, and beside it the share of experiments still running."""
    cells, unit, names = scene.shown, scene.unit, scene.names()
    caption = scene.caption("bands: 95 % intervals of the mean") + scene.of_all(cells)
    figure, [[left, right]] = canvas.page(
        "Regret, and how long it goes on",
        "An experiment that has stopped keeps the regret that it has gathered",
        caption,
        widths=(1.25, 1),
        right=EDGE,
        gap=0.3 + canvas.room_for(list(names.values())),
    )
    horizon = max(_time_until(cell, 0.02) for cell in cells)
    ends = []
    for cell in cells:
        curves, ink = cell.curves, scene.ink(cell)
        if not len(curves):
            continue
        time = np.append(curves["day"].to_numpy() * series.units_per_day(cell), max(horizon, 1))
        order = time <= horizon
        order[-1] = True
        lost = series.column_band(curves, "cumulative", "n")
        mean, low, high = (np.append(x, x[-1])[order] for x in (lost.mean, lost.lower, lost.upper))
        left.fill_between(time[order], low, high, color=ink, alpha=0.18, lw=0)
        left.plot(time[order], mean, color=ink)
        ends.append((horizon, mean[-1], names[cell.agent], ink))
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


def _time_until(cell: Cell, share: float) -> float:
    """When only this share of the experiments is still running."""
    day = np.quantile(cell.columns(["stopping_day"])["stopping_day"], 1 - share)
    return float(day) * series.units_per_day(cell)
