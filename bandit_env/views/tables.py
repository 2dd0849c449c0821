"""The tables of a run: agents, what their estimates are worth, arms. docs/glossary.md defines the words."""

import math
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from bandit_env.experiment.results import Cell, Run
from bandit_env.views import estimates, judged, series, summary

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table
    from rich.text import Text

NARROW_NAME = 12  # letters of an agent's name in a line of a narrow table
MAX_ARMS = 10  # that fit beside each other in the table of arms
GLOSSARY = "docs/glossary.md"

Row = Mapping[Any, Any]


def tables(run: Run, width: int = 80, lines: "pd.DataFrame | None" = None, *, brief: bool = False) -> list["Table"]:
    """The tables of each scenario: of agents, with published figures below ours, of lifts, and of arms if that tells.

    Args:
        run: its cells, and the published figures in its configuration.
        width: letters in a line; columns that do not fit go into further tables, one below the other.
        lines: the run's summary, where it has been worked out already.
        brief: the table of agents alone.
    """
    rows = (summary.summarise(run) if lines is None else lines).to_dict("records")
    published = {label: row for label, row in (run.config.get("published") or {}).items() if isinstance(row, Mapping)}
    result = []
    for scenario in dict.fromkeys(cell.scenario for cell in run.cells):
        chosen = [(cell, in_units(cell, line)) for cell, line in zip(run.cells, rows) if cell.scenario == scenario]
        groups = [[name for name in group if _is_shown(name, chosen, published)] for group in GROUPS]
        parts = split(groups, width, partial(_agents_table, chosen=chosen, published=published))
        parts[0].title, parts[-1].caption = _title(run, *chosen[0]), _caption(chosen, {*chain(*groups)})
        result += parts
        if brief:
            continue
        if any(not math.isnan(line["lift_median"]) for _, line in chosen):
            parts = split(LIFT_GROUPS, width, partial(_lifts_table, chosen=chosen))
            parts[-1].caption = LIFT_CAPTION
            result += parts
        asked = estimates.table([cell for cell, _ in chosen])
        result += [] if asked is None else [asked]
        if _arms_tell(chosen, published):
            cells = [cell for cell, _ in chosen]
            arms = [[arm] for arm in range(cells[0].task.num_arms)]
            parts = split(arms, width, partial(_arms_table, cells=cells, published=published))
            parts[-1].caption = ARMS_CAPTION
            result += parts
    return result


def in_units(cell: Cell, line: Row) -> Row:
    """A line of the summary with its times in the cell's unit: visits, where a step of the world is one."""
    times = ("mean_day", "median_day", "q95_day", "max_day", "days_saved")
    return {
        name: series.in_units(cell, value) if name.removesuffix("_low").removesuffix("_high") in times else value
        for name, value in line.items()
    }


def split(groups: "list[list[Any]]", width: int, make: "Callable[[list[Any], bool], Table]") -> "list[Table]":
    """One wide table where that fits into `width`; else the groups of columns in as few narrow ones as do."""
    from rich.console import Console

    def fits(table: "Table") -> bool:
        return Console(width=10_000).measure(table).maximum <= width

    whole = make([column for group in groups for column in group], False)
    if fits(whole):
        return [whole]
    parts: list[list[Any]] = []
    for group in (group for group in groups if group):
        if parts and fits(make(parts[-1] + group, True)):
            parts[-1] += group
        else:
            parts.append(list(group))
    return [make(part, True) for part in parts]


def _number(column: str, digits: int, share: float) -> Callable[[Row], str]:
    """A quantile of the stopping day."""
    return lambda row: f"{_at_least(summary.is_cut(row, share))}{row[column]:,.{digits}f}"


def _at_least(cut: bool, words: str = "at least") -> str:
    """What stands above a number that depends on experiments which the horizon cut."""
    return f"{words}\n" if cut else ""


def _whole(column: str) -> Callable[[Row], str]:
    return lambda row: "" if math.isnan(row[column]) else f"{row[column]:,.0f}"


def _percent(column: str, sign: str = "") -> Callable[[Row], str]:
    return lambda row: "" if math.isnan(row[column]) else f"{100 * row[column]:{sign}.1f} %"


def _percent_range(column: str) -> Callable[[Row], str]:
    def show(row: Row) -> str:
        if math.isnan(row[column]):
            return ""
        return f"{100 * row[column]:.1f} %\n{100 * row[f'{column}_low']:.1f}–{100 * row[f'{column}_high']:.1f}"

    return show


def _counted(column: str) -> Callable[[Row], str]:
    """A share, and how many experiments that is."""
    return lambda row: f"{100 * row[column]:.1f} %\n({round(row[column] * row['replications']):,})"


def _longer(row: Row) -> str:
    if math.isnan(row["longer"]):
        return ""
    seen = row["max_day"] > row["mean_day"] + row["days_saved"] + 1e-9  # whether the cut ones are among the longer
    return f"{_at_least(row['undecided'] > 0 and not seen)}{100 * row['longer']:.1f} %"


def _plus_minus(column: str, sign: str = "", cut: str = "") -> Callable[[Row], str]:
    """A mean with its interval; `cut` stands above it where the horizon cut experiments."""

    def show(row: Row) -> str:
        if math.isnan(row[column]):
            return "–"
        half = (row[f"{column}_high"] - row[f"{column}_low"]) / 2
        interval = "" if math.isnan(half) else f"\n± {half:,.1f}"
        return _at_least(bool(cut) and row["undecided"] > 0, cut) + f"{row[column]:{sign},.1f}" + interval

    return show


Columns = dict[str, tuple[str, Callable[[Row], str]]]

COLUMNS: Columns = {
    "mean_day": ("days,\nmean", _plus_minus("mean_day", cut="at least")),
    "median_day": ("\nmedian", _number("median_day", 0, 0.5)),
    "q95_day": ("\n95 %", _number("q95_day", 0, 0.95)),
    "longer": ("\nlonger", _longer),
    "days_saved": ("saved:\ndays", _plus_minus("days_saved", cut="at most")),
    "conversions_saved": ("\nconv.", _plus_minus("conversions_saved", cut="at most")),
    "worst_saved": ("\nworst", _whole("worst_saved")),
    "correct": ("\ncorrect", _percent_range("correct")),
    "ships_worse": ("ships\nworse", _percent_range("ships_worse")),
    "claimed": ("\nclaims", _percent_range("claimed")),
    "wrong": ("\nwrong", _percent_range("wrong")),
    "ships_variation": ("ships a\nvariation", _percent_range("ships_variation")),
    "undecided": ("un-\ndecided", _counted("undecided")),
    "regret": ("\nregret", _plus_minus("regret")),
    "difference": ("less\nfirst's", _plus_minus("difference", "+")),
    "loss": ("\nloss", _plus_minus("loss")),
    "loss_difference": ("less\nfirst's", _plus_minus("loss_difference", "+")),
}
"""Columns of the table of agents: of the summary, their headings, and how they are written."""

EQUAL_ARMS = COLUMNS | {"claimed": ("claims a\ndifference", _percent_range("claimed"))}
"""The same where no arm is better than another: no claim is right there, and none names an arm wrongly."""

SELDOM = ("worst_saved", "ships_worse", "loss_difference")  # shown beside published figures only
NEVER_LOST = ("conversions_saved", "difference", "loss_difference")  # 0 on equal arms, where nothing can be lost

GROUPS = (
    ("mean_day", "median_day", "q95_day", "longer"),
    ("days_saved", "conversions_saved", "worst_saved"),
    ("correct", "ships_worse", "claimed", "wrong", "ships_variation", "undecided"),
    ("regret", "difference", "loss", "loss_difference"),
)
"""Columns that stay beside each other in narrow tables."""


def _is_shown(name: str, chosen: Sequence[tuple[Cell, Row]], published: Mapping[str, Row]) -> bool:
    """Leave out what is empty everywhere, and what only some runs have something to say about."""
    if any(name in published.get(cell.agent, {}) for cell, _ in chosen):
        return True
    equal = chosen[0][0].equal_arms
    if name in SELDOM or name in (NEVER_LOST if equal else ("ships_variation",)):
        return False
    if name == "undecided":
        return equal or any(line[name] > 0 for _, line in chosen)
    if name in ("claimed", "wrong"):
        return any(not math.isnan(line[name]) for _, line in chosen) and (equal or any(x["claimed"] for _, x in chosen))
    return not all(math.isnan(line[name]) for _, line in chosen)


def _agents_table(
    columns: Sequence[str], narrow: bool, chosen: Sequence[tuple[Cell, Row]], published: Mapping[str, Row]
) -> "Table":
    """A row per agent, and below it, where there are any, the published figures."""
    from rich.text import Text

    table = plain_table(narrow)
    table.add_column("\nagent", overflow="fold", no_wrap=narrow, min_width=8)
    cell = chosen[0][0]
    known = EQUAL_ARMS if cell.equal_arms else COLUMNS
    for name in columns:
        heading = known[name][0].replace("days", f"{series.time_unit(cell)}s")
        table.add_column(heading, justify="right", no_wrap=True)
    for cell, line in chosen:
        table.add_row(_agent(cell, narrow), *(known[name][1](line) for name in columns))
        source = published.get(cell.agent, {})
        if any(name in source for name in columns):
            texts = (Text(str(source.get(name, "")).replace(" (", "\n(")) for name in columns)
            table.add_row(Text("  published"), *texts, style="dim italic")
    return table


def plain_table(narrow: bool) -> "Table":
    """A table as all of ours look."""
    from rich import box
    from rich.table import Table

    return Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0) if narrow else (0, 1),
        title_justify="left",
        title_style="bold",
        caption_justify="left",
    )


def _agent(cell: Cell, narrow: bool) -> "Text":
    from rich.text import Text

    return Text(folded(cell.agent, narrow))


def folded(name: str, narrow: bool) -> str:
    """A name; in a narrow table on several lines, broken at spaces and hyphens."""
    return "\n".join(textwrap.wrap(name, NARROW_NAME)) if narrow else name


def _title(run: Run, cell: Cell, line: Row) -> "Text":
    from rich.text import Text

    if cell.rates is None:
        rates = "rates drawn anew for each experiment"
    elif cell.world.equal_base_rates and not cell.equal_arms:
        rates = f"equal base rates {_rates(cell.rates)} under effects"
    else:
        rates = f"{'' if cell.steady else 'base '}rates {_rates(cell.rates)}"
    by_visit = series.time_unit(cell) == "visit"
    visits = "one visit at a time" if by_visit else f"{series.count(cell.task.visits_per_day, 'visit')} a day"
    counts = f"{line['replications']:,} replications, seed {run.config.get('seed')}"
    return Text(f"{cell.scenario}: {rates}, {visits}; {counts}", style="bold")  # text: a name may hold rich's [markup]


def _caption(chosen: Sequence[tuple[Cell, Row]], columns: Collection[str]) -> str:
    """What the columns mean: in short, and where the glossary is."""
    cell = chosen[0][0]
    notes = [f"Words: {GLOSSARY}. Intervals are 95 %."]
    if cell.equal_arms:
        notes.append("The arms are equal: every claim of a difference is false.")
    less = "; less first's: the same less the first agent's, replication by replication"
    notes.append(f"Regret: conversions lost until the stop{less if 'difference' in columns else ''}.")
    leader = "; the undecided ship the one with the largest observed rate" if "undecided" in columns else ""
    unit = series.time_unit(cell)
    until, horizon = (f"{unit} {series.in_units(cell, d):,.10g}" for d in (cell.loss_days, cell.task.max_days))
    notes.append(f"Loss: to {until}, with the arm shipped from the stop on{leader}.")
    if any(line["undecided"] for _, line in chosen):
        notes.append(f"At least, at most: the undecided were cut by the horizon, {horizon}.")
    if "days_saved" in columns and cell.classical is not None:
        visits = f"{cell.classical.visits:,.10g} visits"
        taken = visits if unit == "visit" else f"{cell.classical.days:,.10g} days ({visits})"
        notes.append(f"Saved, longer: against the classical test's {taken}.")
    return " ".join(notes)


def _rates(rates: Sequence[float]) -> str:
    shown = ", ".join(f"{rate:g}" for rate in rates[:MAX_ARMS])
    return shown + (f", ... ({len(rates)} arms)" if len(rates) > MAX_ARMS else "")


LIFT_COLUMNS: Columns = {
    "ships_variation": ("ship a\nvariation", lambda row: f"{round(row['ships_variation'] * row['replications']):,}"),
    "lift_median": ("their lift:\nmedian", _percent("lift_median", "+")),
    "lift_mean": ("\nmean", _percent("lift_mean", "+")),
    "lift_infinite": ("\ninfinite", _whole("lift_infinite")),
    "lift_true": ("\ntrue", _percent("lift_true", "+")),
    "lift_coverage": ("all:\ncovered", _percent("lift_coverage")),
}
LIFT_GROUPS = [["ships_variation", "lift_median", "lift_mean", "lift_infinite"], ["lift_true", "lift_coverage"]]
LIFT_CAPTION = (
    "What the experiments that ship a variation estimate of its lift over the control (infinite: no conversion on the "
    "control; in the median, not in the mean), and the true one; covered: over all experiments, how often the 95 % "
    "credible interval of the lift, under the agent's prior, holds the true one."
)


def _lifts_table(columns: Sequence[str], narrow: bool, chosen: Sequence[tuple[Cell, Row]]) -> "Table":
    """A line per agent: the lift that is estimated where a variation is shipped, and the true one."""
    table = plain_table(narrow)
    table.add_column("\nagent", overflow="fold", no_wrap=narrow, min_width=8)
    for name in columns:
        table.add_column(LIFT_COLUMNS[name][0], justify="right", no_wrap=True)
    for cell, line in chosen:
        if not math.isnan(line["lift_coverage"]) or not math.isnan(line["lift_median"]):
            table.add_row(_agent(cell, narrow), *(LIFT_COLUMNS[name][1](line) for name in columns))
    return table


def _share(value: float) -> str:
    return "" if math.isnan(value) else f"{100 * value:.1f} %"


def _rate(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


def _signed(value: float) -> str:
    return "" if math.isnan(value) else f"{value:+.4f}"


ARM_LINES = {
    "traffic": ("share of traffic", _share),
    "estimate": ("estimated rate", _rate),
    "bias": ("its bias", _signed),
    "coverage": ("interval covers", _share),
    "picked": ("declared by", _share),
}
ARMS_CAPTION = (
    "Estimated rate: an experiment's conversions over visits, mean over the experiments that served the arm; its bias: "
    "less the true rate; interval covers: how often the 95 % credible interval, under the agent's prior, holds that."
)


def _arms_tell(chosen: Sequence[tuple[Cell, Row]], published: Mapping[str, Row]) -> bool:
    """Whether the table of arms adds something: more arms than two, no decisions to count, or published figures."""
    num_arms = chosen[0][0].task.num_arms
    if num_arms > MAX_ARMS:
        return False
    sources = [published.get(cell.agent, {}) for cell, _ in chosen]
    named = any(f"{what}_{arm}" in source for source in sources for what in ARM_LINES for arm in range(num_arms))
    return num_arms > 2 or named or all(line["undecided"] == 1 for _, line in chosen)


def _arms_table(arms: Sequence[int], narrow: bool, cells: Sequence[Cell], published: Mapping[str, Row]) -> "Table":
    """Each arm's share of the traffic, what is estimated of its rate, and the share of experiments that declare it."""
    from rich.text import Text

    table = plain_table(narrow)
    rates = cells[0].rates
    table.add_column("agent", overflow="fold", no_wrap=narrow)
    table.add_column("of each\narm" if narrow else "of each arm", no_wrap=narrow)
    for arm in arms:
        rate = "" if rates is None else f"\n{'' if narrow else 'rate '}{rates[arm]:g}"
        table.add_column(f"arm {arm}{rate}", justify="right", no_wrap=narrow)
    for cell in cells:
        found = judged.summarise_arms(cell)
        name = _agent(cell, narrow)
        for what, (words, show) in ARM_LINES.items():
            if found[what].isna().all() or (what == "picked" and not found[what].any()):
                continue
            shown = [show(value) for value in found[what].iloc[list(arms)]]
            table.add_row(name, "\n".join(words.rsplit(maxsplit=1)) if narrow else words, *shown)
            name = Text("")
            source = [str(published.get(cell.agent, {}).get(f"{what}_{arm}", "")) for arm in arms]
            if any(source):
                table.add_row("  published", "", *map(Text, source), style="dim italic")
    return table
