"""A plan in words: what it assumes, how long it takes, how often it is wrong, and what that costs."""

import math
import textwrap
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from bandit_env.desk.designs import Design
from bandit_env.desk.planning import EQUAL
from bandit_env.experiment.results import Cell, Run
from bandit_env.views import summary, tables
from bandit_env.world.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

YEAR = 365


def show(run: Run, console: Console, wanted: Design | None = None) -> None:
    """The tables, and the answer in words; several cases give one small table.

    Args:
        run: as `planning.plan` returns it.
        console: where to print.
        wanted: what was asked for, where more is known of it than the run tells.
    """
    lines = summary.summarise(run)
    cases = [name for name in dict.fromkeys(lines["scenario"]) if name != EQUAL]
    _say(console, _assumptions(run))
    if wanted is not None and wanted.days is not None:
        _say(console, _smallest(run, wanted))
    if len(cases) > 1:
        console.print(_small_table(run, lines, cases))
    else:
        mine = lines["scenario"] != EQUAL
        planned = replace(run, cells=[cell for cell in run.cells if cell.scenario != EQUAL])
        for table in tables.tables(planned, console.width, lines[mine].reset_index(drop=True)):
            console.print(table)
        _say(console, *_answer(run, lines[mine]))
    _say(console, *_equal_arms(run, lines[lines["scenario"] == EQUAL]))


def _say(console: Console, *sentences: str) -> None:
    for sentence in sentences:
        console.print(textwrap.fill(sentence, min(console.width, 120), break_on_hyphens=False), markup=False)


def _assumptions(run: Run) -> str:
    cell = run.cells[0]
    task, world = cell.task, cell.parameters["scenario"]
    traffic = f"{task.visits_per_day:,} visits a day"
    usual = {field.name: field.default for field in fields(Scenario)}
    said = ("rates", "num_arms", "visits_per_day", "updates_per_day", "max_days", "min_days", "loss_days")
    more = [key for key, value in world.items() if key not in said and value != usual.get(key)]
    moving = f"with {', '.join(more)} as in the scenario" if more else "rates that do not change"
    prior = cell.parameters["agent"].get("prior", [1, 1])
    return (
        f"Assumes {traffic}, {moving}, days {task.min_days:g} to {task.max_days:,g}, prior Beta({prior[0]:.6g}, "
        f"{prior[1]:.6g}); {cell.replications:,} tests of each kind, seed {run.config['seed']}. {_test(run)}"
    )


def _test(run: Run) -> str:
    """What the classical test was planned with, where it plays."""
    settings = [cell.parameters["agent"] for cell in run.cells if cell.agent == "uniform-classical"]
    if not settings:
        return ""
    test = settings[0]
    return (
        f"Classical: {100 * test['baseline']:.4g} v {100 * test['target']:.4g} %, two-sided, level "
        f"{100 * test['alpha']:g} %, power {100 * test['power']:g} %."
    )


def _smallest(run: Run, wanted: Design) -> str:
    target = next(iter(wanted.target.values()))
    lift = target / wanted.baseline - 1
    return (
        f"In {wanted.days:g} days the classical test finds {100 * target:.6g} % against {100 * wanted.baseline:.6g} %: "
        f"the smallest lift is {100 * lift:+.3g} %."
    )


def _answer(run: Run, lines: "pd.DataFrame") -> Iterator[str]:
    """How long, how right, and what it costs."""
    bandit, classical = lines.iloc[0], lines.iloc[-1]
    cell = run.cells[0]
    test, horizon = cell.classical, cell.task.max_days
    assert test is not None
    yield (
        f"The classical test takes {test.days:,.10g} days ({test.visits:,.0f} visits). "
        f"{bandit.agent.capitalize()} takes "
        f"{'at least ' * bool(bandit.undecided)}{bandit.mean_day:,.0f} days on average: {_quantiles(bandit)}, "
        f"and {_longer(bandit, test.days, horizon)}. "
        + (_on_equal_arms(bandit, classical) if cell.equal_arms else _right(bandit, classical, horizon < test.days))
    )
    if len(lines) > 2:
        literal = lines.iloc[1]
        yield (
            f"Read to the letter, until any variation beats the control, it takes "
            f"{'at least ' * bool(literal.undecided)}{literal.mean_day:,.0f} days on average ({_quantiles(literal)}) "
            + (
                f"and ships a variation in {percent(literal.ships_variation)} of the tests."
                if cell.equal_arms
                else f"and ships the best arm in {percent(literal.correct)} of the tests."
            )
        )
    if bandit.undecided:
        yield f"{percent(bandit.undecided)} were undecided after {horizon:,g} days, the horizon, and were cut there."
    if horizon < test.days:
        yield (
            f"The horizon of {horizon:,g} days is too short for the classical test: {percent(classical.undecided)} of "
            f"its tests were cut there. Give --max-days at least {math.ceil(test.days):,}, or leave it out."
        )
    yield from _costs(cell, bandit, classical)


def _right(bandit: Any, classical: Any, cut: bool) -> str:
    """How often the best arm is shipped; `cut` where the horizon let the classical test not end."""
    return (
        f"It ships the best arm in {percent(bandit.correct)} of the tests (classical: "
        f"{'cut by the horizon' if cut else percent(classical.correct)}) and saves "
        f"{'at most ' * bool(bandit.undecided)}{bandit.conversions_saved:,.1f} conversions."
    )


def _on_equal_arms(bandit: Any, classical: Any) -> str:
    """What there is to say where no arm is better: no share is right there."""
    return (
        f"The arms are equal: it claims a difference in {percent(bandit.claimed)} of the tests (classical: "
        f"{percent(classical.claimed)}) and ships a variation in {percent(bandit.ships_variation)} (classical: "
        f"{percent(classical.ships_variation)})."
    )


def _costs(cell: Cell, bandit: Any, classical: Any) -> Iterator[str]:
    """The loss to the horizon, and what shipping wrongly costs."""
    last = cell.parameters["scenario"].get("loss_days") or cell.task.max_days
    yield (
        f"Up to day {last:,g}, what is shipped included, it loses {bandit.loss:,.1f} conversions (classical: "
        f"{classical.loss:,.1f})."
    )
    if cell.rates is None or cell.equal_arms:
        return
    gap = (max(cell.rates) - min(cell.rates)) * cell.task.visits_per_day
    yield (
        f"Shipping the worst arm would cost {_count(gap)} a day, {YEAR * gap:,.0f} a year; a worse arm is "
        f"shipped in {percent(bandit.ships_worse)} of the tests (classical: {percent(classical.ships_worse)})."
    )


def _equal_arms(run: Run, lines: "pd.DataFrame") -> Iterator[str]:
    """How often a difference is found that is not there."""
    cells = {cell.agent: cell for cell in run.cells if cell.scenario == EQUAL}
    if not len(lines):
        return
    cell = cells[lines.iloc[0].agent]
    rates = cell.rates
    assert rates is not None
    said = []
    for place in range(len(lines)):
        line: Any = lines.iloc[place]
        cut = f", is undecided in {percent(line.undecided)}" if line.undecided else ""
        said.append(
            f"{line.agent} claims a difference in {percent(line.claimed)}, ships a variation in "
            f"{percent(line.ships_variation)}{cut}"
        )
    yield (
        f"Were all arms equal, at {100 * rates[0]:.4g} %: within {cell.task.max_days:,g} days {'; '.join(said)} of the "
        "tests. To ship one of equal arms loses nothing, but the same rule ships a slightly worse one nearly as often; "
        "to claim that it is better is false."
    )


def _small_table(run: Run, lines: "pd.DataFrame", cases: list[str]) -> Table:
    """A row for each case, under the agent and the rule asked for."""
    from rich import box

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("case")
    for name in (
        "rate",
        "classical,\ndays",
        "days,\nmean",
        "\nmedian",
        "\n95 %",
        "ships\nthe best",
        "un-\ndecided",
        "\nloss",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for case in cases:
        line: Any = lines[lines["scenario"] == case].iloc[0]
        cell = next(cell for cell in run.cells if cell.scenario == case)
        assert cell.rates is not None
        cut = "≥ " * bool(line.undecided)
        table.add_row(
            case,
            f"{100 * max(cell.rates[1:]):.4g} %",
            "" if cell.classical is None else f"{cell.classical.days:,.10g}",
            f"{cut}{line.mean_day:,.1f}",
            f"{'≥ ' * summary.is_cut(line, 0.5)}{line.median_day:,.0f}",
            f"{'≥ ' * summary.is_cut(line, 0.95)}{line.q95_day:,.0f}",
            percent(line.correct),
            percent(line.undecided),
            f"{line.loss:,.1f}",
        )
    return table


def _count(conversions: float) -> str:
    number = f"{conversions:,.3g}"
    return f"{number} conversion{'' if number == '1' else 's'}"


def _quantiles(row: Any) -> str:
    """Within how many days half of the tests, and 95 % of them, end: as far as the horizon lets one see."""
    half = "the median is at least" if summary.is_cut(row, 0.5) else "half of the tests end within"
    most = "the 95 % quantile is at least" if summary.is_cut(row, 0.95) else "95 % within"
    return f"{half} {row['median_day']:,.0f}, {most} {row['q95_day']:,.0f}"


def _longer(row: Any, days: float, horizon: float) -> str:
    """How many take longer than the classical test: all that were cut before its end may."""
    if horizon < days and row.undecided:
        return f"{percent(row.undecided)} were cut before the classical test's end"
    return f"{percent(row.longer)} take longer than the classical test"


def percent(share: float) -> str:
    """A share in percent."""
    return f"{100 * share:.1f} %"
