"""How our figures look: the palette, the page with its title and caption, and labels beside the lines.

The agents' first colours are those of Okabe and Ito, "Color Universal Design" (2008); some a little darker, since
labels are written in them, and yellow left out, which cannot be read on white. The others, and the palette of the arms,
were chosen for their distance from these and from each other as colour-blind readers see them.
"""

import functools
import textwrap
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = (
    *("#0072B2", "#D55E00", "#009E73", "#B85C95", "#E0A000", "#4DA6E0", "#333333"),
    *("#1100D9", "#663100", "#662463", "#216AD9", "#7CB262"),
)
"""Of agents, by name."""

ARMS = (
    *("#8C8C8C", "#A3003F", "#00707D", "#A84FD0", "#996F00", "#83C21A", "#1A237E", "#F58F7C", "#4A1E18", "#7388FF"),
)
"""Of arms, in their order; the control is grey."""

INK, QUIET, FAINT = "#222222", "#666666", "#D9D9D9"

STYLE = {
    "font.family": ["DejaVu Sans"],  # ships with matplotlib, so figures look the same everywhere
    "text.parse_math": False,  # a label may hold dollars
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": QUIET,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "grid.color": "#EDEDED",
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "svg.hashsalt": "bandit_env",  # the same run gives the same bytes
    "path.simplify_threshold": 0.2,
}

FALLBACKS = (
    *(f"Noto Sans CJK {region}" for region in ("SC", "TC", "JP", "KR")),
    *("WenQuanYi Zen Hei", "Droid Sans Fallback", "Microsoft YaHei", "PingFang SC", "Hiragino Sans", "Yu Gothic"),
    *("Malgun Gothic", "Apple SD Gothic Neo", "Noto Sans Devanagari", "Nirmala UI", "Noto Sans Thai", "Noto Emoji"),
    *("Arial Unicode MS", "Unifont"),
)
NO_LETTERS = (
    r"Glyph .* missing from",
    r"Matplotlib currently does not support .* natively",
)  # what matplotlib warns of

MAX_NAME = 30  # letters of a name beside a line, where several are cut together
MAX_LABEL = 40  # letters of any label beside a line
WIDTH = 8.6  # inches; at README width, 100 pixels an inch
TOP, BOTTOM, LEFT = 0.72, 0.86, 0.66  # room for the title, for the axis with its caption, for the scale
HEADING = 0.17  # room for a line above each of the axes
CAPTION_LETTERS = 150  # in a line


@contextmanager
def style() -> Iterator[None]:
    """Our settings, while a figure is drawn or saved; the user's own are left as they were."""
    import matplotlib

    fonts = {"font.family": [*STYLE["font.family"], *_more_fonts()]}  # type: ignore[misc]
    with matplotlib.rc_context(STYLE | fonts), warnings.catch_warnings():  # type: ignore[arg-type]
        for message in NO_LETTERS:
            warnings.filterwarnings("ignore", message)
        yield


@functools.cache
def _more_fonts() -> list[str]:
    """Fonts of this machine for letters that ours lacks; without any, figures show boxes in their place."""
    from matplotlib import font_manager

    there = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in FALLBACKS if name in there]


def colour(index: int) -> str:
    """The index-th colour of the agents' palette."""
    return PALETTE[index % len(PALETTE)]


def arm_colour(arm: int, place: int = 0) -> str:
    """An arm's colour; of the arms beyond the palette, that of their place among those shown."""
    return ARMS[(arm if arm < len(ARMS) else place) % len(ARMS)]


def page(
    title: str,
    subtitle: str,
    caption: str,
    *,
    rows: int = 1,
    widths: Sequence[float] = (1,),
    height: float = 2.5,
    right: float = 0.25,
    gap: float = 0.5,
    headings: int = 0,
    left: float = LEFT,
) -> tuple["Figure", list[list["Axes"]]]:
    """A figure with a title, a caption line and a grid of axes, laid out in inches.

    Args:
        title: what the figure is, on top.
        subtitle: how to read it, below the title.
        caption: where it comes from, at the bottom; broken into lines if need be.
        rows: of axes.
        widths: relative widths of the columns.
        height: of each row.
        right: room for labels on the right of each column.
        gap: further room between columns.
        headings: how many lines there are above each of the axes.
        left: room for the scale, or for names, on the left of the first column.

    Returns:
        The figure, and its axes by row and column.
    """
    from matplotlib.figure import Figure

    caption = textwrap.fill(caption.replace(" %", "\u00a0%"), CAPTION_LETTERS)
    foot = BOTTOM + 0.15 * caption.count("\n")
    row_gap = 0.22 + headings * HEADING
    total = TOP + headings * HEADING + rows * height + (rows - 1) * row_gap + foot
    figure = Figure(figsize=(WIDTH, total))
    free = WIDTH - left - (len(widths) - 1) * gap - len(widths) * right
    axes = []
    for row in range(rows):
        bottom = foot + (rows - 1 - row) * (height + row_gap)
        edge_of, line = left, []
        for share in widths:
            width = free * share / sum(widths)
            line.append(figure.add_axes((edge_of / WIDTH, bottom / total, width / WIDTH, height / total)))
            _whole_numbers(line[-1], width, height)
            edge_of += width + right + gap
        axes.append(line)
    edge = 0.14 / WIDTH
    figure.text(edge, 1 - 0.16 / total, title, size=11.5, weight="bold", va="top")
    figure.text(edge, 1 - 0.41 / total, subtitle, size=9, color=QUIET, va="top")
    figure.text(edge, 0.12 / total, caption, size=7.5, color=QUIET, va="bottom")
    return figure, axes


def _whole_numbers(axes: "Axes", width: float, height: float) -> None:
    """Ticks with their numbers in full, "10,000", none of them with an exponent or an offset; few enough to fit."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for axis, most in ((axes.xaxis, width / 0.6), (axes.yaxis, height / 0.3)):
        axis.set_major_locator(MaxNLocator(nbins=max(2, min(9, int(most))), steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def number(value: float) -> str:
    """A number as axes show it: "10,000", "0.00002", "−0.5"; ten digits at the most."""
    text = np.format_float_positional(abs(value), precision=10, unique=True, fractional=False, trim="-")
    whole, point, rest = text.partition(".")
    return f"{'−' if value < 0 and float(text) else ''}{int(whole):,}{point}{rest}"


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places for labels, as near to those wanted as a distance of `gap` between them allows, within [low, high]."""
    order = np.argsort(np.asarray(wanted, dtype=np.float64), kind="stable")
    places = [float(wanted[i]) for i in order]
    for i in range(len(places)):
        places[i] = max(places[i], low if i == 0 else places[i - 1] + gap)
    for i in reversed(range(len(places))):
        places[i] = min(places[i], high if i == len(places) - 1 else places[i + 1] - gap)
    result = [0.0] * len(places)
    for place, i in zip(places, order):
        result[i] = place
    return result


def heading(axes: "Axes", lines: Sequence[str], ink: str = INK, room: float = 1.0) -> None:
    """Write lines above axes, at the left; those too long for the axes' width (times `room`) are cut short."""
    figure = axes.get_figure()
    assert figure is not None
    inches = axes.get_position().width * figure.get_size_inches()[0] * room  # type: ignore[union-attr]
    letters = max(8, int(inches / (0.58 * 8.5 / 72)))
    shown = (line if len(line) <= letters else line[: letters - 1].rstrip(" ,") + "…" for line in lines)
    axes.set_title("\n".join(shown), size=8.5, color=ink, loc="left", pad=5)


def short(name: str) -> str:
    """A name as it stands beside a line: a long one without its middle."""
    return "\n".join(
        line if len(line) <= MAX_LABEL else f"{line[: MAX_LABEL // 2]}…{line[1 - MAX_LABEL // 2 :]}"
        for line in name.split("\n")
    )


def room_for(names: Sequence[str], size: float = 8.5) -> float:
    """Inches that the longest of some names takes beside a line."""
    return 0.12 + 0.6 * size / 72 * max((_width(short(name)) for name in names), default=0)


def _width(text: str) -> int:
    """Letters' widths in a line: those of East Asia are wide."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def label_ends(axes: "Axes", ends: Sequence[tuple[float, float, str, str]], size: float = 8.5) -> None:
    """Write names at the right of lines, in their colours, moved apart where they would overlap.

    Args:
        axes: where the lines are; its limits must be final.
        ends: of each line, the x and y where it ends, its name and its colour.
        size: of the letters, in points.
    """
    figure = axes.get_figure()
    assert figure is not None
    inches = axes.get_position().height * figure.get_size_inches()[1]  # type: ignore[union-attr]
    low, high = axes.get_ylim()
    left, right = axes.get_xlim()
    gap = (high - low) * size * 1.2 / 72 / inches * max((t.count("\n") + 1 for *_, t, _ in ends), default=1)
    margin = right + 0.02 * (right - left)
    for (x, y, text, ink), place in zip(ends, spread([end[1] for end in ends], gap, low, high)):
        axes.text(margin + 0.006 * (right - left), place, short(text), color=ink, size=size, va="center")
        if x < right or abs(place - y) > gap / 3:
            axes.plot([x, margin], [y, place], color=ink, lw=0.6, ls=(0, (1, 2)), clip_on=False)
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)


def label_points(axes: "Axes", points: Sequence[tuple[float, float, float, str, str]], size: float = 8.5) -> None:
    """Write names to the right of points and of their error bars, moved up or down where they would overlap.

    Args:
        axes: where the points are; its limits must be final.
        points: of each its x and y, the right end of its bar, its name and its colour.
        size: of the letters, in points.
    """
    figure = axes.get_figure()
    assert figure is not None
    inches = axes.get_position().height * figure.get_size_inches()[1]  # type: ignore[union-attr]
    low, high = axes.get_ylim()
    left, right = axes.get_xlim()
    gap = (high - low) * size * 1.25 / 72 / inches
    beside = 0.012 * (right - left)  # of a point without a bar to speak of
    places = spread([point[1] for point in points], gap, low + 0.6 * gap, high)  # none on the axis
    for (x, y, end, text, ink), place in zip(points, places):
        start = max(end, x + beside) + beside / 2
        axes.annotate(short(text), (x, y), (start, place), color=ink, size=size, va="center")
        if abs(place - y) > gap / 3:
            axes.plot([max(end, x), start], [y, place], color=ink, lw=0.6, ls=(0, (1, 2)), clip_on=False)
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)


def grid(axes: "Axes", axis: Any = "y") -> None:
    """Faint lines behind the data."""
    axes.grid(True, axis=axis)
    axes.tick_params(length=0, axis=axis)
