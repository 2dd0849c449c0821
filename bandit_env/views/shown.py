"""A run as a notebook and a terminal show it: its tables, instead of all that it holds."""

import html
import io
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from bandit_env.experiment.results import Run

FILE_WIDTH = 160  # letters; a pipe or a file has no width of its own, and tables are not squeezed into 80 there
MAX_SCENARIOS = 5  # of which tables are shown
CELL = "padding: 0.15em 0.7em; vertical-align: top; text-align: "


def page_width(otherwise: int = FILE_WIDTH) -> int:
    """Letters in a line: `COLUMNS` where it is set, else the terminal's; `otherwise` where there is none."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    terminal = sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns if terminal else otherwise


def text(run: "Run") -> str:
    """The table of agents of each scenario, as the command line prints it, and what went wrong."""
    from rich.console import Console

    from bandit_env.views import tables

    width = page_width()
    console = Console(file=io.StringIO(), width=width, highlight=False)
    for table in tables.tables(_first(run), width, brief=True):
        console.print(table)
    for remark in _remarks(run):
        console.print(remark, markup=False, emoji=False)
    return str(console.file.getvalue()).rstrip("\n")  # type: ignore[attr-defined]


def as_html(run: "Run") -> str:
    """The same for a notebook; names are text there too, whatever they hold."""
    from bandit_env.views import tables

    shown = [_html_table(table) for table in tables.tables(_first(run), 10_000, brief=True)]
    return "\n".join([*shown, *(f"<p>{html.escape(remark)}</p>" for remark in _remarks(run))])


def _first(run: "Run") -> "Run":
    scenarios = list(dict.fromkeys(cell.scenario for cell in run.cells))[:MAX_SCENARIOS]
    return replace(run, cells=[cell for cell in run.cells if cell.scenario in scenarios])


def _remarks(run: "Run") -> Iterator[str]:
    """What the tables leave out, what failed, and where the files are."""
    count = len({cell.scenario for cell in run.cells})
    if count > MAX_SCENARIOS:
        more = f"... and {count - MAX_SCENARIOS:,} more scenarios"
        yield f"{more}; `bandit_env.views.summary.summarise(run)` has them all"
    if not run.cells:
        yield "no finished results"
    yield from run.failures
    if run.directory is not None:
        yield f"in {run.directory}"


def _html_table(table: "Table") -> str:
    sides = ["right" if column.justify == "right" else "left" for column in table.columns]

    def line(tag: str, cells: list[object]) -> str:
        filled = (f'<{tag} style="{CELL}{side}">{_html(cell)}</{tag}>' for side, cell in zip(sides, cells))
        return f"<tr>{''.join(filled)}</tr>"

    head = line("th", [column.header for column in table.columns])
    rows = [line("td", list(cells)) for cells in zip(*(column.cells for column in table.columns))]
    title = f"<caption><b>{_html(table.title)}</b></caption>" if table.title else ""
    note = f"<p><small>{_html(table.caption)}</small></p>" if table.caption else ""
    return f"<table>{title}<thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>{note}"


def _html(content: object) -> str:
    return html.escape(str(content).strip("\n")).replace("\n", "<br>")
