"""What is estimated, against the truth."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bandit_env.experiment.results import Cell
from bandit_env.views import canvas, estimates
from bandit_env.views.figures.drawing import Drawing, Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(scene: Scene) -> Drawing | None:
    """Each method's estimates, where a run was asked for some, against the truth, with their intervals; by agent."""
    asked = [cell for cell in scene.cells if estimates.asked(cell)]
    cells = asked[: len(scene.shown)]
    if not cells:
        return None
    table = estimates.summarise_cell(cells[0])
    quantities = list(dict.fromkeys(table["quantity"]))
    lines = table[table["arm"] < estimates.MAX_ARMS].groupby("quantity").size().max()
    note = "means over the experiments of the estimate and of the ends of its 95 % interval"
    caption = scene.caption(note, cells) + scene.of_all(cells, asked)
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
    inks = [scene.ink(cell) for cell in cells]
    for axes, quantity in zip(panels, quantities):
        _panel(axes, cells, inks, quantity, int(lines))
    for index, cell in enumerate(cells):
        line = "\n" * (len(cells) - 1 - index)
        panels[0].annotate(
            f"{cell.agent}{line}", (0, 1), xycoords="axes fraction", xytext=(0, 5), textcoords="offset points",
            size=8.5, color=inks[index], va="bottom",
        )  # fmt: skip
    return Drawing("estimates", figure, caption)


def _panel(axes: "Axes", cells: Sequence[Cell], inks: Sequence[str], quantity: str, lines: int) -> None:
    """Each method's mean estimate less the truth, with the mean ends of its interval, and how often that covers.

    `lines` is how many there are in the highest of the axes beside these.
    """
    rows = [_of(cell, quantity) for cell in cells]
    names = [f"{row['method']}, arm {row['arm']}" for row in rows[0]]
    height = len(cells) + 1.6  # of a method, in lines: its name, and one for each agent
    for index, table in enumerate(rows):
        for place, row in enumerate(table):
            y, ink = -place * height - 1 - index, inks[index]
            axes.plot([row["low"] - row["true"], row["high"] - row["true"]], [y, y], color=ink, lw=1.6, alpha=0.6)
            axes.plot(row["bias"], y, "o", color=ink, ms=4.5, mec="white", mew=0.8, zorder=4)
            share, beside = f"{100 * row['coverage']:.1f} %", ("axes fraction", "data")
            axes.annotate(share, (1.02, y), xycoords=beside, size=7.5, color=ink, va="center")
    for place, name in enumerate(names):
        axes.annotate(name, (0.02, -place * height), xycoords=("axes fraction", "data"), size=7.5, va="center")
    axes.axvline(0, color=canvas.QUIET, lw=0.8, ls=(0, (4, 3)), zorder=1)
    axes.set(
        ylim=(-lines * height + 0.3, 0.8),
        yticks=[],
        xlabel=f"{estimates.WORDS.get(quantity, quantity)}, less the truth",
    )
    reach = max(abs(limit) for limit in axes.get_xlim())
    axes.set_xlim(-reach, reach)
    axes.locator_params(axis="x", nbins=5)
    canvas.grid(axes, "x")


def _of(cell: Cell, quantity: str) -> list[dict[Any, Any]]:
    """The rows of one quantity that are drawn."""
    table = estimates.summarise_cell(cell)
    return table[(table["quantity"] == quantity) & (table["arm"] < estimates.MAX_ARMS)].to_dict("records")
