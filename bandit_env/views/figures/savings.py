"""What the experiments save against the classical test, or how they end: distributions over the replications."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bandit_env.experiment.results import Cell
from bandit_env.views import canvas, series
from bandit_env.views.figures.drawing import Drawing, Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Sample = NDArray[np.float64]


def draw(scene: Scene) -> Drawing | None:
    """Distributions over the replications of days and conversions saved against the classical test, by agent.

    Without a classical test: of the stopping day and of regret.
    """
    cells = scene.shown
    columns = [_times(cells, scene.unit), _losses(cells)]
    compared = all(cell.classical is not None and cell.rates is not None for cell in cells)
    zero = "dashed: 0, as good as the classical test  ·  " if compared else ""
    caption = scene.caption(f"{zero}lines: means; outermost bars hold all beyond") + scene.cut(cells)
    caption += scene.of_all(cells)
    figure, grid = canvas.page(
        "What the experiments save against the classical test" if compared else "How experiments end",
        "Each agent's distribution over its experiments, and its mean",
        caption,
        rows=len(cells),
        widths=(1, 1),
        height=1.15 if len(cells) > 1 else 2.2,
        gap=0.45,
        headings=1,
    )
    for column, (name, unit, values) in enumerate(columns):
        edges = bins(values)
        for row, cell in enumerate(cells):
            axes = grid[row][column]
            _histogram(axes, values[row], edges, scene.ink(cell), unit, signed=compared)
            if column == 0:
                canvas.heading(axes, [scene.names()[cell.agent]], scene.ink(cell), room=0.62)
            axes.set_ylabel("share, %")
            if row == len(cells) - 1:
                axes.set_xlabel(name)
            else:
                axes.tick_params(labelbottom=False)
    return Drawing("savings", figure, caption)


def _times(cells: Sequence[Cell], unit: str) -> tuple[str, str, list[Sample]]:
    saved = [series.days_saved(cell) for cell in cells]
    if any(values is None for values in saved):
        days = [cell.columns(["stopping_day"])["stopping_day"].to_numpy() for cell in cells]
        return f"stopping time, {unit}s", unit, [d * series.units_per_day(c) for d, c in zip(days, cells)]
    named = [(values * series.units_per_day(cell), cell) for values, cell in zip(saved, cells) if values is not None]
    return f"{unit}s saved", unit, [values for values, _ in named]


def _losses(cells: Sequence[Cell]) -> tuple[str, str, list[Sample]]:
    saved = [series.conversions_saved(cell) for cell in cells]
    if any(values is None for values in saved):
        return "regret, conversions", "conversion", [cell.columns(["regret"])["regret"].to_numpy() for cell in cells]
    return "conversions saved", "conversion", [values for values in saved if values is not None]


def bins(values: Sequence[Sample], number: int = 48) -> Sample:
    """Edges of bins for several samples at once, without the lowest and the highest 1 % of each of them."""
    low = min(float(np.quantile(v, 0.01)) for v in values)
    high = max(float(np.quantile(v, 0.99)) for v in values)
    if high - low < 1e-9 * max(1, abs(low), abs(high)):
        half = max(0.5, 0.1 * abs(low))
        low, high = low - half, high + half
    return series.edges(low, high, number)


def _histogram(axes: "Axes", values: Sample, edges: Sample, ink: str, unit: str, signed: bool) -> None:
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
    axes.set_title(f"mean {series.count(mean, unit, 1)}", size=8.5, color=canvas.INK, loc="right", pad=5)
    if signed:
        axes.axvline(0, color=canvas.QUIET, lw=0.8, ls=(0, (4, 3)))
    canvas.grid(axes)
