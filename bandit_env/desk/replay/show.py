"""Replays as text: one line per entry, and one per figure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from bandit_env.desk.replay.entry import AGREES, Entry, Figure, Outcome

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


PAGE = """\
# Published tables, replayed

<!-- made by: bandit-env replay --all --markdown docs/replay.md -->

Other people's numbers, played again by this package: {verdicts} `bandit-env replay` plays those that take seconds,
`bandit-env replay --all` all of them, `bandit-env replay NAME` one; `--list` has a line for each.

- **printed**: the published number, with its own standard error where that can be derived: that of as many replications
  as the source has made, each with the spread of ours.
- **ours**: the same from this package, with its standard error; without one where it is exact.
- **agrees**: the two are within four combined standard errors, and half a unit of the last digit that is printed.
- **disagrees as known**: they are not, and it is known why. The cause is put in, and stands as a figure of its own.
- **disagrees**: neither; then the command's exit status is not 0.
"""


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


def page(outcomes: Sequence[Outcome]) -> str:
    """Outcomes as a page of Markdown, with what its words mean."""
    return f"{PAGE.format(verdicts=closing_line(outcomes))}\n{markdown(outcomes)}"


def markdown(outcomes: Sequence[Outcome]) -> str:
    """A table of all verdicts, and a section for each entry with its figures."""
    lines = ["| replay | source | verdict |", "| --- | --- | --- |"]
    for outcome in outcomes:
        entry = outcome.entry
        lines.append(f"| [{entry.name}](#{entry.name}) | {entry.source} | {outcome.verdict} |")
    for outcome in outcomes:
        lines += ["", *section(outcome)]
    return "\n".join(lines) + "\n"


def section(outcome: Outcome) -> Iterator[str]:
    """Lines of Markdown: an entry's source, what it is played from, and its figures."""
    entry = outcome.entry
    yield from (f"## {entry.name}", "", f"{entry.source}: {entry.settings}.")
    if entry.experiment is not None:
        yield f"Played from `bandit-env run {entry.experiment}`."
    yield ""
    if outcome.failure:
        yield f"**{outcome.verdict}**: {outcome.failure}"
        return
    yield from ("| figure | printed | ours | verdict |", "| --- | ---: | ---: | --- |")
    for figure in outcome.figures:
        yield f"| {figure.what} | {' | '.join(_numbers(figure))} | {_verdict(figure)} |"


def closing_line(outcomes: Iterable[Outcome]) -> str:
    """How many of each verdict."""
    verdicts = [outcome.verdict for outcome in outcomes]
    return ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts)) + "."


def _numbers(figure: Figure) -> tuple[str, str]:
    """What was printed, to its own last digit, and ours, each with its standard error where it has one."""
    decimals = _decimals(figure.unit) if figure.unit else None
    printed = f"{figure.printed:,.10g}" if decimals is None else f"{figure.printed:,.{decimals}f}"
    if figure.printed_error:
        printed += f" ± {figure.printed_error:.{_decimals(figure.printed_error, 2)}f}"
    if figure.error:
        digits = _decimals(figure.error, 2)
        return printed, f"{figure.ours:,.{digits}f} ± {figure.error:.{digits}f}"
    return printed, f"{figure.ours:,.10g}" if decimals is None else f"{figure.ours:,.{decimals + 2}f}"


def _decimals(value: float, digits: int = 1) -> int:
    """Decimals that show so many digits of a positive number."""
    return max(0, digits - 1 - int(f"{value:e}".partition("e")[2]))


def _verdict(figure: Figure) -> str:
    if not figure.known:
        return figure.verdict
    link = ", within the error, though " if figure.verdict == AGREES else ": "
    return figure.verdict + link + figure.known
