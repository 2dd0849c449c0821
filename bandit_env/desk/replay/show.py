"""Replays as text: one line per entry, and one per figure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from bandit_env.desk.replay.entry import AGREES, Entry, Figure, Outcome

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


def list_line(entry: Entry) -> str:
    """One line, unwrapped."""
    return f"{entry.name:32} {'' if entry.quick else '(long) '}{entry.source}: {entry.settings}"


def blocks(outcome: Outcome) -> "Iterator[Table | Text]":
    """An entry: its verdict, its source, its figures."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    entry = outcome.entry
    yield Text(f"{entry.name}: {outcome.verdict} ({outcome.seconds:.1f} s)", style="bold")
    yield Text(f"{entry.source}: {entry.settings}")
    if outcome.failure:
        yield Text(outcome.failure, style="red")
        return
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    shown.add_column("figure", overflow="fold")
    for name in ("printed", "ours"):
        shown.add_column(name, justify="right")
    shown.add_column("verdict", overflow="fold")
    for figure in outcome.figures:
        shown.add_row(Text(figure.what), *_numbers(figure), Text(_verdict(figure)))
    yield shown


def markdown(outcomes: Sequence[Outcome]) -> str:
    """All figures as one Markdown table, with a line per entry above its figures."""
    lines = ["| replay | figure | printed | ours | verdict |", "| --- | --- | ---: | ---: | --- |"]
    for outcome in outcomes:
        entry = outcome.entry
        lines.append(f"| **{entry.name}** | {entry.source}; {entry.settings} | | | **{outcome.verdict}** |")
        for figure in outcome.figures:
            printed, ours = _numbers(figure)
            lines.append(f"| | {figure.what} | {printed} | {ours} | {_verdict(figure)} |")
        if outcome.failure:
            lines.append(f"| | {outcome.failure} | | | |")
    return "\n".join(lines) + "\n"


def closing_line(outcomes: Iterable[Outcome]) -> str:
    """How many of each verdict."""
    verdicts = [outcome.verdict for outcome in outcomes]
    return ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts)) + "."


def _numbers(figure: Figure) -> tuple[str, str]:
    return _number(figure.printed, figure.printed_error), _number(figure.ours, figure.error)


def _number(value: float, error: float) -> str:
    """A number to its own last digit: two digits of its standard error, or as many as an exact number has."""
    if not error:
        return f"{value:,.10g}"
    digits = max(0, 1 - int(f"{error:e}".partition("e")[2]))
    return f"{value:,.{digits}f} ± {error:.{digits}f}"


def _verdict(figure: Figure) -> str:
    return figure.verdict if figure.verdict == AGREES or not figure.known else f"{figure.verdict}: {figure.known}"
