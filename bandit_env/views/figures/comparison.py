"""A swept parameter, or several runs: time, decisions and loss of each against what they differ in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bandit_env.views import canvas, compare, series
from bandit_env.views.compare import Entry
from bandit_env.views.figures.drawing import MAX_AGENTS, Drawing
from bandit_env.views.figures.names import colours, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Panel = tuple[str, str, float]  # column of the summary, label, factor
FEW_LINES, LINE = 12, 0.22  # of entries without a number in common; inches for each


def draw(found: Sequence[Entry], by: str | None) -> Drawing | None:
    """Of one scenario's entries: curves over a numeric parameter; without one, a line for each entry."""
    with canvas.style():
        if by is not None and len(compare.numbers(found, by)) > 1:
            return _curves(found, by)
        return _lines(found)


def _panels(found: Sequence[Entry]) -> list[Panel]:
    cell = found[0].cell
    decided = ("claimed", "claims a difference, %", 100.0) if cell.equal_arms else ("correct", "correct, %", 100.0)
    unit = series.time_unit(cell)
    return [
        ("mean_day", f"stopping time, {unit}s", float(series.units_per_day(cell))),
        decided,
        ("regret", "regret, conversions", 1.0),
        ("loss", "loss, conversions", 1.0),
    ]


def _curves(found: Sequence[Entry], by: str) -> Drawing:
    groups = _groups(found, by)
    shown = dict(list(groups.items())[:MAX_AGENTS])
    inks, names = colours(list(shown)), shorten(list(shown))
    word = by.rpartition(".")[2]
    more = "" if len(shown) == len(groups) else f"  ·  {len(shown)} of {len(groups)} lines, the first"
    caption = f"{_of(found)}  ·  bars: 95 % intervals{more}"
    labelled = canvas.room_for(list(names.values())) if len(shown) > 1 else 0.3
    figure, grid = canvas.page(
        f"What {word} does", f"Means over the experiments against {by}", caption, rows=2, widths=(1, 1), height=2.0,
        right=labelled, gap=0.45,
    )  # fmt: skip
    values = compare.numbers(found, by)
    wide = min(values) > 0 and max(values) / min(values) >= 30
    for axes, (column, label, factor) in zip([*grid[0], *grid[1]], _panels(found)):
        ends = []
        for name, entries in shown.items():
            x = np.array([float(entry.parameters[by]) for entry in entries])
            mean, low, high = (
                factor * np.array([float(entry.line[f"{column}{end}"]) for entry in entries])
                for end in ("", "_low", "_high")
            )
            axes.plot(x, mean, "o-", color=inks[name], ms=4, lw=1.4)
            axes.vlines(x, low, high, color=inks[name], lw=1.2, alpha=0.6)
            ends.append((x[-1], mean[-1], names[name], inks[name]))
        if wide:
            axes.set_xscale("log")
            _plain_ticks(axes, values)
        axes.set(xlabel=word, ylabel=label)
        canvas.grid(axes)
        if len(shown) > 1:
            canvas.label_ends(axes, ends, size=8)
    return Drawing("comparison", figure, caption)


def _plain_ticks(axes: "Axes", values: Sequence[float]) -> None:
    """Ticks of a logarithmic axis at the values that there are, or some of them, in full."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    few = values[:: max(1, len(values) // 5)]
    axes.xaxis.set_major_locator(FixedLocator(few))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: canvas.number(value)))


def _groups(found: Sequence[Entry], by: str) -> dict[str, list[Entry]]:
    """The entries that differ in nothing but the parameter, by what the others are called, sorted by it."""
    groups: dict[str, list[Entry]] = {}
    several = len({compare.base_label(entry) for entry in found}) > 1
    for entry in found:
        given = entry.parameters[by]
        if isinstance(given, bool) or not isinstance(given, int | float):
            continue
        others = {key: compare.value(v) for key, v in entry.parameters.items() if key != by}
        told = [key for key in others if len({compare.value(one.parameters[key]) for one in found}) > 1]
        words = [compare.base_label(entry)] if several else []
        words += [f"{key.rpartition('.')[2]}={others[key]}" for key in told]
        if entry.run and not any(key != by for key in told):
            words.insert(0, entry.run)
        groups.setdefault(", ".join(words) or compare.base_label(entry), []).append(entry)
    return {name: sorted(group, key=lambda e: float(e.parameters[by])) for name, group in groups.items()}


def _lines(found: Sequence[Entry]) -> Drawing:
    shown = found[:FEW_LINES]
    labels = [f"{entry.run}: {entry.cell.agent}" if entry.run else entry.cell.agent for entry in shown]
    names = shorten(labels)
    inks = colours([entry.cell.agent for entry in shown])
    more = "" if len(shown) == len(found) else f"  ·  {len(shown)} of {len(found)} results, the first"
    caption = f"{_of(found)}  ·  bars: 95 % intervals{more}"
    panels = _panels(found)
    figure, [row] = canvas.page(
        "Results beside each other", "Means over the experiments", caption, widths=[1] * len(panels),
        height=0.3 + LINE * len(shown), right=0.12, gap=0.12, left=canvas.room_for(list(names.values())) + 0.15,
    )  # fmt: skip
    for place, (axes, (column, label, factor)) in enumerate(zip(row, panels)):
        for y, entry in enumerate(shown):
            mean, low, high = (factor * float(entry.line[f"{column}{end}"]) for end in ("", "_low", "_high"))
            ink = inks[entry.cell.agent]
            axes.plot([low, high], [-y, -y], color=ink, lw=1.4, alpha=0.6)
            axes.plot(mean, -y, "o", color=ink, ms=6, mec="white", mew=0.8, zorder=4)
        axes.set(ylim=(0.6 - len(shown), 0.6), xlabel=label)
        axes.set_yticks(
            [-y for y in range(len(shown))], [names[x] for x in labels] if place == 0 else [""] * len(shown)
        )
        axes.locator_params(axis="x", nbins=3)
        canvas.grid(axes, "both")
    return Drawing("comparison", figure, caption)


def _of(found: Sequence[Entry]) -> str:
    counts = sorted({int(entry.line["replications"]) for entry in found})
    often = " to ".join(f"{count:,}" for count in dict.fromkeys((counts[0], counts[-1])))
    return f"Experiments: R = {often}  ·  {found[0].cell.scenario}"
