"""An analysis on the screen, in tables that fit 80 columns."""

import textwrap

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bandit_env.desk.report import words
from bandit_env.desk.result import Analysis

WIDTH = 80  # letters, at the most
LARGE = 10**7  # counts from here on are shown with four digits


def show(result: Analysis, console: Console) -> None:
    """Print the whole of it; names from the table are text, never markup."""
    _say(console, words.question(result), words.answer(result), style="bold")
    for check in result.checks:
        _say(console, f"! {check.check}: {check.message}", style="yellow")
    console.print(_arms(result, console.width))
    hidden = len(result.arms) - len(words.shown(result))
    if hidden:
        _say(console, f"... and {hidden:,} arms that are less likely to be the best; --json FILE has them all.")
    _say(console, words.remaining(result), words.tomorrow(result), *words.forecasts(result))
    console.print(_verdicts(result, console.width))
    _say(console, words.assumptions(result), style="dim")


def _say(console: Console, *sentences: str, style: str = "") -> None:
    for sentence in sentences:
        console.print(Text(textwrap.fill(sentence, min(WIDTH, console.width), break_on_hyphens=False), style=style))


def _table(title: str, width: int) -> Table:
    return Table(
        box=box.SIMPLE_HEAD,
        title=title,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        padding=(0, 1, 0, 0),
        width=min(WIDTH, width),
    )


def _arms(result: Analysis, width: int) -> Table:
    table = _table("", width)
    table.add_column("\narm", overflow="fold", ratio=1)
    for heading in (
        "\nvisits",
        "\nconv.",
        "rate\n(95 %)",
        "lift, %\n(95 %)",
        "P(best)\nP(beats)",
        "loss a\n1,000",
        "tomor-\nrow",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for arm in words.shown(result):
        is_control = arm is result.arms[0]
        table.add_row(
            Text(" ".join(arm.name.split())),
            _count(arm.visits),
            _count(arm.conversions),
            f"{words.rate(arm.rate)}\n{words.interval(arm.rate_interval)}",
            "control" if is_control else f"{_lift(arm.lift)}\n{words.lifts(arm.lift_interval)}",
            words.percent(arm.probability_best)
            + ("" if is_control else f"\n{words.percent(arm.probability_beats_control)}"),
            words.loss(arm.expected_loss),
            words.percent(arm.weight),
        )
    return table


def _lift(lift: float | None) -> str:
    return "–" if lift is None else f"{100 * lift:+,.1f}"


def _count(number: int) -> str:
    return f"{number:,}" if number < LARGE else f"{number:.4g}"


def _verdicts(result: Analysis, width: int) -> Table:
    table = _table("What each rule says (the first is the one asked for)", width)
    table.add_column("rule", overflow="fold", max_width=22)
    table.add_column("verdict, and why", overflow="fold", ratio=1)
    for verdict in result.verdicts:
        said = Text.assemble((f"{words.state(verdict)}\n", "bold" if verdict.asked else ""), verdict.reason)
        table.add_row(Text(verdict.rule), said)
    return table
