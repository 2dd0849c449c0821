"""What a day of a running experiment costs, against the classical test's constant cost."""

import numpy as np

from bandit_env.views import canvas, series
from bandit_env.views.figures.drawing import Drawing, Scene

LEAST = 0.05  # share of the experiments that must still run


def draw(scene: Scene) -> Drawing | None:
    """Conversions lost per day of a running experiment, by agent."""
    cells, unit = scene.shown, scene.unit
    per = cells[0].task.updates_per_day / series.units_per_day(cells[0])  # updates in a unit of time
    caption = scene.caption("bands: 95 % intervals of the mean; drawn while 5 % of the experiments run")
    caption += scene.of_all(cells)
    names, constant = scene.names(), _constant(scene)
    figure, [[axes]] = canvas.page(
        f"What a {unit} of the experiment costs",
        f"Conversions lost per {unit} to the arms that are not the best, mean of the experiments still running",
        caption,
        right=canvas.room_for([*names.values(), *(label for label, _ in constant)]),
    )
    ends = []
    for cell in cells:
        curves = cell.curves[cell.curves["running"] >= LEAST * cell.curves["n"]]
        if not len(curves):
            continue
        time = curves["day"].to_numpy() * series.units_per_day(cell)
        cost = series.column_band(curves, "regret", "running")
        axes.fill_between(time, cost.lower * per, cost.upper * per, color=scene.ink(cell), alpha=0.18, lw=0)
        axes.plot(time, cost.mean * per, color=scene.ink(cell), zorder=3)
        ends.append((time[-1], cost.mean[-1] * per, names[cell.agent], scene.ink(cell)))
    if not ends:
        return None
    for label, cost_of_all in constant:
        axes.axhline(cost_of_all, color=canvas.INK, lw=1, ls=(0, (4, 3)), zorder=2)
        ends.append((np.inf, cost_of_all, label, canvas.INK))
    axes.set(xlim=(0, max(end[0] for end in ends if end[0] < np.inf)), xlabel=f"{unit}s")
    axes.set_ylim(0, axes.get_ylim()[1])
    axes.set_ylabel(f"conversions a {unit}")
    canvas.grid(axes)
    canvas.label_ends(axes, ends)
    return Drawing("daily-cost", figure, caption)


def _constant(scene: Scene) -> list[tuple[str, float]]:
    """What serving all arms equally costs, with its label; nothing where rates are drawn."""
    cell = scene.cells[0]
    if cell.gap is None:
        return []
    cost = cell.gap * cell.task.visits_per_day / series.units_per_day(cell)
    name = "equal traffic" if cell.classical is None else "classical test"
    return [(f"{name}: {cost:,.4g} conversions a {scene.unit}", cost)]
