"""The figures of an analysis: posteriors, weights and rates by day, and the days left."""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bandit_env.desk.forecast import Forecast
from bandit_env.desk.report import words
from bandit_env.desk.result import Analysis
from bandit_env.stats.estimates import Lift, rate_interval
from bandit_env.tables.cells import Floats
from bandit_env.views import canvas
from bandit_env.views.canvas import INK, QUIET, colour
from bandit_env.views.figures import Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ARMS = 6  # lines that a figure can tell apart: the control and the most promising
LETTERS = 18  # of a name beside a line
POINTS = 241


def draw(result: Analysis) -> Iterator[Drawing]:
    """Each figure that the analysis has the data for."""
    with _style():
        yield _posteriors(result)
        if result.counts.days is not None and len(result.counts.days) > 1:
            yield _weights(result)
            yield _rates(result)
        if result.forecast is not None and result.forecast.days.any():
            yield _days_left(result, result.forecast)


def save(figure: "Figure", kind: str) -> bytes:
    """A figure as PNG or SVG. In SVG, text stays text, so that a browser's fonts show names in any script."""
    buffer = io.BytesIO()
    with _style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*[Gg]lyph.*")  # a name in a script that the font does not have
        if kind == "png":
            figure.savefig(buffer, format="png", dpi=130)
        else:
            figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


@contextmanager
def _style() -> Iterator[None]:
    """Our style, and names as they are: letters for the browser's fonts, dollars that begin no formula."""
    import matplotlib

    with canvas.style(), matplotlib.rc_context({"svg.fonttype": "none", "text.parse_math": False}):
        yield


def _chosen(result: Analysis) -> list[int]:
    """The arms that are drawn."""
    best = [arm.probability_best for arm in result.arms]
    others = sorted(range(1, len(best)), key=lambda k: -best[k])[: MOST_ARMS - 1]
    return [0, *sorted(others)]


def _label(name: str) -> str:
    """A name as text of a figure: short, and on one line."""
    line = " ".join(name.split())
    return line if len(line) <= LETTERS else line[: LETTERS - 1] + "…"


def _caption(result: Analysis) -> str:
    arms, drawn = len(result.arms), len(_chosen(result))
    some = f"; the control and the {drawn - 1} most promising of {arms:,} arms" if drawn < arms else ""
    return f"{words.question(result)}  Prior Beta({result.prior[0]:.4g}, {result.prior[1]:.4g}){some}".replace(
        "$", r"\$"
    )


def _posteriors(result: Analysis) -> Drawing:
    arms, counts = _chosen(result), result.counts
    s, v = counts.total_conversions[arms], counts.total_visits[arms]
    caption = _caption(result)
    figure, [[left, right]] = canvas.page(
        "What is known of the rates",
        "Posterior densities: of each arm's rate, and of its lift over the control; dashes: 95 % intervals",
        caption,
        widths=(1, 1),
        gap=0.3,
        right=canvas.room_for([_label(counts.names[k]) for k in arms]),
    )
    low, high = rate_interval(s, v, 0.9999, result.prior)
    x = np.linspace(max(0.0, low.min()), high.max(), POINTS)
    _densities(
        left,
        result,
        arms,
        100 * x,
        _beta_density(x, s, v, result.prior) / 100,
        {k: arm.rate_interval for k, arm in enumerate(result.arms)},
    )
    left.set_xlabel("rate, %")
    lift = Lift(s, v, 0, result.prior)
    ends = lift.quantile(np.full(len(arms), 0.001)), lift.quantile(np.full(len(arms), 0.995))
    x = np.linspace(min(0.0, ends[0][1:].min()), max(0.0, ends[1][1:].max()), POINTS)
    density = np.array([lift.pdf(np.full(len(arms), at)) for at in x])
    intervals = {k: result.arms[k].lift_interval for k in arms[1:]}
    _densities(right, result, arms[1:], 100 * x, density[:, 1:] / 100, intervals)
    right.axvline(0, color=QUIET, lw=0.9, ls=(0, (4, 3)), zorder=1)
    right.set_xlabel(f"lift over {_label(counts.names[0])}, %")
    return Drawing("posteriors", figure, caption)


def _beta_density(x: Floats, s: Floats, v: Floats, prior: tuple[float, float]) -> Floats:
    from scipy.stats import beta

    with np.errstate(divide="ignore"):
        density = beta.pdf(x[:, None], s + prior[0], v - s + prior[1])
    return np.asarray(np.where(np.isfinite(density), density, np.nan))


def _densities(
    axes: "Axes",
    result: Analysis,
    arms: Sequence[int],
    x: Floats,
    density: Floats,
    intervals: dict[int, tuple[float, float]],
) -> None:
    """Densities (P, m) of some arms over x, in percent, each with its name at its peak and its interval below."""
    top = float(np.nanmax(density))
    for place, (arm, heights) in enumerate(zip(arms, density.T)):
        ink = _ink(arm, place)
        axes.plot(x, heights, color=ink, zorder=3)
        axes.fill_between(x, heights, color=ink, alpha=0.1, lw=0)
        ends = np.clip([100 * end for end in intervals[arm]], x[0], x[-1])
        level = -top * (0.05 + 0.06 * place)
        axes.plot(ends, [level, level], color=ink, lw=2, solid_capstyle="butt")
    axes.set_ylim(-top * (0.08 + 0.06 * len(arms)), top * 1.08)
    axes.set_xlim(x[0], x[-1])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    peaks = [float(x[int(np.nanargmax(heights))]) for heights in density.T]
    ends_ = [
        (
            peak,
            float(np.nanmax(heights)),
            _label(result.counts.names[arm]),
            _ink(arm, place),
        )
        for place, (arm, heights, peak) in enumerate(zip(arms, density.T, peaks))
    ]
    canvas.label_ends(axes, ends_)


def _by_day(result: Analysis) -> NDArray[np.int64]:
    days = result.counts.days
    assert days is not None
    return days


def _weights(result: Analysis) -> Drawing:
    counts, arms, days = result.counts, _chosen(result), _by_day(result)
    total = counts.visits.sum(axis=1, keepdims=True)
    served = counts.visits / np.where(total > 0, total, np.nan)
    shares = served if counts.weights is None else counts.weights
    tomorrow = np.array([arm.weight for arm in result.arms])
    caption = _caption(result)
    what = "Share of each day's visits by arm" if counts.weights is None else "Serving weights of each day by arm"
    names = [_label(counts.names[k]) for k in arms]
    figure, [[axes]] = canvas.page(
        "Who was served",
        f"{what}; the last point is tomorrow's, under {_label(result.agent)}",
        caption,
        right=canvas.room_for(names),
    )
    x = np.append(days, days[-1] + 1)
    ends = []
    for place, k in enumerate(arms):
        ink = _ink(k, place)
        y = np.append(shares[:, k], tomorrow[k])
        axes.plot(x[:-1], y[:-1], color=ink, zorder=3)
        axes.plot(x[-2:], y[-2:], color=ink, lw=1, ls=(0, (2, 2)), zorder=3)
        axes.plot(x[-1], y[-1], "o", color=ink, ms=5, zorder=4, clip_on=False)
        ends.append((float(x[-1]), float(y[-1]), names[place], ink))
    top = min(1.0, 1.1 * max(float(np.nanmax(shares[:, arms])), float(tomorrow[arms].max())))
    axes.set(xlim=(min(1, x[0]), x[-1]), ylim=(0, top), xlabel=_day_axis(result))
    axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:g} %")
    _whole_days(axes)
    canvas.grid(axes)
    canvas.label_ends(axes, ends)
    return Drawing("weights", figure, caption)


def _whole_days(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _ink(arm: int, place: int) -> str:
    return canvas.arm_colour(arm, place)


def _day_axis(result: Analysis) -> str:
    dates = result.counts.dates
    return "day" if dates is None else f"day ({dates[0]} to {dates[-1]})"


def _rates(result: Analysis) -> Drawing:
    counts, arms, days = result.counts, _chosen(result), _by_day(result)
    v, s = counts.visits.cumsum(axis=0)[:, arms], counts.conversions.cumsum(axis=0)[:, arms]
    low, high = rate_interval(s, v, 0.95, result.prior)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = s / v
    names = [_label(counts.names[k]) for k in arms]
    caption = _caption(result)
    figure, [[axes]] = canvas.page(
        "Rates so far",
        "Conversions over visits of all days up to this one; bands: 95 % credible intervals",
        caption,
        right=canvas.room_for(names),
    )
    ends = []
    for place, k in enumerate(arms):
        ink = _ink(k, place)
        axes.fill_between(days, 100 * low[:, place], 100 * high[:, place], color=ink, alpha=0.12, lw=0)
        axes.plot(days, 100 * rate[:, place], color=ink, zorder=3)
        last = rate[-1, place] if np.isfinite(rate[-1, place]) else (low[-1, place] + high[-1, place]) / 2
        ends.append((float(days[-1]), 100 * float(last), names[place], ink))
    settled = len(days) // 4  # the first days' bands would dwarf the rest
    axes.set(xlim=(days[0], days[-1]), xlabel=_day_axis(result), ylabel="rate, %")
    axes.set_ylim(0, 100 * min(1.0, 1.05 * float(high[settled:].max())))
    _whole_days(axes)
    canvas.grid(axes)
    canvas.label_ends(axes, ends)
    return Drawing("rates", figure, caption)


def _days_left(result: Analysis, ahead: Forecast) -> Drawing:
    caption = (
        f"{len(ahead.days):,} futures with rates drawn from the posterior, seed {ahead.seed}; {_label(ahead.agent)}, "
        f"{_label(ahead.rule)}; {ahead.visits_per_day:,} visits a day"
    )
    figure, [[axes]] = canvas.page(
        "How long it will go on",
        f"Chance to be decided within so many days; {words.percent(ahead.undecided)} never are before day "
        f"{ahead.max_days}",
        caption,
        right=0.5,
    )
    days, chance = np.unique(ahead.days, return_index=True)
    reached = np.append(chance[1:], len(ahead.days)) / len(ahead.days)
    end = max(7.0, min(1.3 * ahead.quantile(0.95), ahead.max_days - ahead.day))
    axes.step([0, *days], [0 if days[0] > 0 else reached[0], *reached], where="post", color=colour(0), zorder=3)
    for q in (0.2, 0.5, 0.8, 0.95):
        at = ahead.quantile(q)
        axes.plot([0, at, at], [q, q, 0], color=QUIET, lw=0.8, ls=(0, (4, 3)), zorder=1)
        axes.annotate(words.left(ahead, q), (at, q), (3, -9), textcoords="offset points", size=8, color=INK)
    axes.set(xlim=(0, end), ylim=(0, 1), xlabel="days left")
    axes.set_yticks([0, 0.2, 0.5, 0.8, 0.95], ["0 %", "20 %", "50 %", "80 %", "95 %"])
    return Drawing("days-left", figure, caption)
