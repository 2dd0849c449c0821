"""The report of a run: its table, its figures, and what TensorBoard shows of it."""

import math
import shlex
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bandit_env.errors import StorageError
from bandit_env.experiment.files import as_json, within, write_atomically
from bandit_env.experiment.results import WRITTEN, Cell, Run
from bandit_env.views import summary

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

SUMMARY = "summary.csv"
MAX_SCENARIOS = 3  # that figures are drawn of when a run ends; `bandit-env report` draws them all
NARROW_NAME = 12  # letters of an agent's name in a line of a narrow table
MAX_ARMS = 10  # that fit beside each other in the table of arms

Row = Mapping[Any, Any]


def write(run: Run, console: "Console", max_scenarios: int | None = MAX_SCENARIOS) -> None:
    """For a run in a folder, write summary.csv, the figures and the event files there; then print the tables.

    What is there already is replaced, so a report may be made any number of times.

    Args:
        run: a run; what failed in it is left to the caller to say.
        console: where to print.
        max_scenarios: draw figures of the first few scenarios only; None draws those of all.

    Raises:
        StorageError: the run's folder cannot be written. The tables are printed all the same.
    """
    if not run.cells:
        return
    try:
        drawn = None if run.directory is None else _files(run, run.directory, max_scenarios)
    except OSError as error:
        raise StorageError(f"{run.directory}: the report cannot be written ({error.strerror or error})") from error
    finally:
        for table in tables(run, console.width):
            console.print(table)
    if drawn is not None:
        _where(run, console, drawn, max_scenarios)


def _where(run: Run, console: "Console", drawn: int, max_scenarios: int | None) -> None:
    """Say where the files are, and how to look at them."""
    folder = shlex.quote(str(run.directory))
    scenarios = len({cell.scenario for cell in run.cells})
    if max_scenarios == 0:
        console.print(f"For figures: bandit-env report {folder}", soft_wrap=True)
    elif max_scenarios is not None and scenarios > max_scenarios:
        what = f"Figures of the first {max_scenarios} scenarios; for all {scenarios}:"
        console.print(f"{what} bandit-env report {folder}", soft_wrap=True)
    assert run.directory is not None
    figures = f"{drawn} figures in {run.directory / 'figures'}; all" if drawn else "All"
    console.print(f"{figures} rows in {run.directory}. To look at them:", soft_wrap=True)
    console.print(f"  tensorboard --logdir {folder}", soft_wrap=True)


def tables(run: Run, width: int = 80) -> list["Table"]:
    """For each scenario a table with a row per agent and published figures beside ours; one of the arms if it tells.

    What does not fit into `width` letters beside each other goes into further tables, one below the other.
    """
    lines = summary.summarise(run).to_dict("records")
    published = {label: row for label, row in (run.config.get("published") or {}).items() if isinstance(row, Mapping)}
    result = []
    for scenario in dict.fromkeys(cell.scenario for cell in run.cells):
        chosen = [(cell, line) for cell, line in zip(run.cells, lines) if cell.scenario == scenario]
        groups = [[name for name in group if _is_shown(name, chosen, published)] for group in GROUPS]
        parts = _split(groups, width, partial(_agents_table, chosen=chosen, published=published))
        parts[0].title, parts[-1].caption = _title(run, *chosen[0]), _caption(chosen[0][0], {*chain(*groups)})
        result += parts
        if _arms_tell(chosen, published):
            cells = [cell for cell, _ in chosen]
            arms = [[arm] for arm in range(cells[0].task.num_arms)]
            result += _split(arms, width, partial(_arms_table, cells=cells, published=published))
    return result


def _split(groups: "list[list[Any]]", width: int, make: "Callable[[list[Any], bool], Table]") -> "list[Table]":
    """One wide table where that fits into `width`; else the groups of columns in as few narrow ones as do."""
    from rich.console import Console

    def fits(table: "Table") -> bool:
        return Console(width=10_000).measure(table).maximum <= width

    whole = make([column for group in groups for column in group], False)
    if fits(whole):
        return [whole]
    parts: list[list[Any]] = []
    for group in groups:
        if parts and fits(make(parts[-1] + group, True)):
            parts[-1] += group
        else:
            parts.append(list(group))
    return [make(part, True) for part in parts]


def _files(run: Run, directory: Path, max_scenarios: int | None) -> int:
    """Write all files of the report; the number of figures."""
    from bandit_env.views import figures, tensorboard

    lines = summary.summarise(run)
    write_atomically(directory / SUMMARY, lines.to_csv(index=False).encode())
    drawings = figures.all_figures(run, max_scenarios)
    paths = figures.save(drawings, within(directory, figures.FOLDER))
    # so that --overwrite knows which files of the folder are ours
    write_atomically(directory / figures.FOLDER / WRITTEN, as_json([path.name for path in paths]))
    pngs = [path for path in paths if path.suffix == ".png"]
    tensorboard.write(run, lines, {path.stem: path.read_bytes() for path in pngs})
    return len(drawings)


def _number(column: str, digits: int) -> Callable[[Row], str]:
    return lambda row: "" if math.isnan(row[column]) else f"{row[column]:,.{digits}f}"


def _percent(column: str) -> Callable[[Row], str]:
    return lambda row: "" if math.isnan(row[column]) else f"{100 * row[column]:.1f} %"


def _percent_range(column: str) -> Callable[[Row], str]:
    return lambda row: f"{100 * row[column]:.1f} %\n{100 * row[f'{column}_low']:.1f}–{100 * row[f'{column}_high']:.1f}"


def _plus_minus(column: str, sign: str = "") -> Callable[[Row], str]:
    def show(row: Row) -> str:
        if math.isnan(row[column]):
            return "–"
        half = (row[f"{column}_high"] - row[f"{column}_low"]) / 2
        return f"{row[column]:{sign},.1f}" + ("" if math.isnan(half) else f"\n± {half:,.1f}")

    return show


COLUMNS: dict[str, tuple[str, Callable[[Row], str]]] = {
    "mean_day": ("days,\nmean", _plus_minus("mean_day")),
    "median_day": ("\nmedian", _number("median_day", 0)),
    "q95_day": ("\n95 %", _number("q95_day", 0)),
    "longer": ("\nlonger", _percent("longer")),
    "days_saved": ("saved:\ndays", _number("days_saved", 1)),
    "conversions_saved": ("\nconv.", _number("conversions_saved", 1)),
    "worst_saved": ("\nworst", _number("worst_saved", 0)),
    "correct": ("\ncorrect", _percent_range("correct")),
    "undecided": ("un-\ndecided", _percent("undecided")),
    "regret": ("\nregret", _plus_minus("regret")),
    "difference": ("less\nfirst's", _plus_minus("difference", "+")),
}
"""Columns of the table of agents: of the summary, their headings, and how they are written."""

GROUPS = (
    ("mean_day", "median_day", "q95_day", "longer"),
    ("days_saved", "conversions_saved", "worst_saved"),
    ("correct", "undecided", "regret", "difference"),
)
"""Columns that stay beside each other in narrow tables."""


def _agents_table(
    columns: Sequence[str], narrow: bool, chosen: Sequence[tuple[Cell, Row]], published: Mapping[str, Row]
) -> "Table":
    """A row per agent, and below it, where there are any, the published figures."""
    from rich.text import Text

    table = _table(narrow)
    table.add_column("\nagent", overflow="fold", no_wrap=narrow, min_width=8)
    for name in columns:
        table.add_column(COLUMNS[name][0], justify="right", no_wrap=True)
    for cell, line in chosen:
        table.add_row(_agent(cell, narrow), *(COLUMNS[name][1](line) for name in columns))
        source = published.get(cell.agent, {})
        if any(name in source for name in columns):
            texts = (Text(str(source.get(name, "")).replace(" (", "\n(")) for name in columns)
            table.add_row(Text("  published"), *texts, style="dim italic")
    return table


def _table(narrow: bool) -> "Table":
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
    """An agent's name; in a narrow table on several lines, broken at spaces and hyphens."""
    from rich.text import Text

    return Text("\n".join(textwrap.wrap(cell.agent, NARROW_NAME)) if narrow else cell.agent)


def _title(run: Run, cell: Cell, line: Row) -> str:
    rates = "rates drawn anew for each experiment" if cell.rates is None else f"rates {_rates(cell.rates)}"
    visits = f"{cell.task.visits_per_day:,} visit{'s' * (cell.task.visits_per_day != 1)} a day"
    counts = f"{line['replications']:,} replications, seed {run.config.get('seed')}"
    return f"{cell.scenario}: {rates}, {visits}; {counts}".replace("[", r"\[")


def _caption(cell: Cell, columns: Collection[str]) -> str:
    note = "Intervals are 95 %. Regret: conversions lost until the stop"
    if "difference" in columns:
        note += "; less first's: the same less the first agent's, replication by replication"
    note += "."
    if "days_saved" not in columns or cell.classical is None:
        return note
    days, visits = f"{cell.classical.days:,.10g}", f"{cell.classical.visits:,.10g}"
    return f"{note} Saved, longer: against the classical test's {days} days ({visits} visits)."


def _rates(rates: Sequence[float]) -> str:
    shown = ", ".join(f"{rate:g}" for rate in rates[:MAX_ARMS])
    return shown + (f", ... ({len(rates)} arms)" if len(rates) > MAX_ARMS else "")


def _is_shown(name: str, chosen: Sequence[tuple[Cell, Row]], published: Mapping[str, Row]) -> bool:
    """Leave out what is empty everywhere, and what only some runs have something to say about."""
    if any(name in published.get(cell.agent, {}) for cell, _ in chosen):
        return True
    if name == "worst_saved":
        return False
    if name == "undecided":
        return any(line[name] > 0 for _, line in chosen)
    return not all(math.isnan(line[name]) for _, line in chosen)


ARM_LINES = {"traffic": "share of traffic", "estimate": "estimated rate", "picked": "declared by"}


def _arms_tell(chosen: Sequence[tuple[Cell, Row]], published: Mapping[str, Row]) -> bool:
    """Whether the table of arms adds something: more arms than two, no decisions to count, or published figures."""
    num_arms = chosen[0][0].task.num_arms
    if num_arms > MAX_ARMS:
        return False
    sources = [published.get(cell.agent, {}) for cell, _ in chosen]
    named = any(f"{what}_{arm}" in source for source in sources for what in ARM_LINES for arm in range(num_arms))
    return num_arms > 2 or named or all(line["undecided"] == 1 for _, line in chosen)


def _arms_table(arms: Sequence[int], narrow: bool, cells: Sequence[Cell], published: Mapping[str, Row]) -> "Table":
    """Each arm's share of the traffic, its estimated rate, and the share of experiments that declare it."""
    from rich.text import Text

    table = _table(narrow)
    rates = cells[0].rates
    table.add_column("agent", overflow="fold", no_wrap=narrow)
    table.add_column("of each\narm" if narrow else "of each arm", no_wrap=narrow)
    for arm in arms:
        rate = "" if rates is None else f"\n{'' if narrow else 'rate '}{rates[arm]:g}"
        table.add_column(f"arm {arm}{rate}", justify="right", no_wrap=narrow)
    for cell in cells:
        found = summary.summarise_arms(cell)
        name = _agent(cell, narrow)
        for what, words in ARM_LINES.items():
            if what == "picked" and not found[what].any():
                continue
            shown = [_share(value) if what != "estimate" else _rate(value) for value in found[what].iloc[list(arms)]]
            table.add_row(name, "\n".join(words.rsplit(maxsplit=1)) if narrow else words, *shown)
            name = Text("")
            source = [str(published.get(cell.agent, {}).get(f"{what}_{arm}", "")) for arm in arms]
            if any(source):
                table.add_row("  published", "", *map(Text, source), style="dim italic")
    return table


def _share(value: float) -> str:
    return "" if math.isnan(value) else f"{100 * value:.1f} %"


def _rate(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"
