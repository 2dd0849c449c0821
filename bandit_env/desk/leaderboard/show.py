"""The standings as text: where a newcomer stands, for a terminal; all of them, as Markdown."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from rich.table import Table


def newcomer_table(standing: pd.DataFrame, newcomer: str) -> "Table":
    """A line per scenario: the newcomer's rank, what it loses, and who is first."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"Leaderboard: {newcomer}", title_justify="left")
    table.add_column("scenario", overflow="fold")
    for name in ("rank", "loss to the horizon", "behind the first", "claims"):
        table.add_column(name, justify="right")
    table.add_column("the first", overflow="fold")
    for scenario, part in standing.groupby("scenario", sort=False, observed=True):
        line, first = part[part["agent"] == newcomer].iloc[0], part.iloc[0]
        ranked = not np.isnan(line["rank"])
        rank, *cells = _cells(line)
        leader = f"{first['agent']}, {_cells(first)[1]}" if ranked else ""
        table.add_row(Text(str(scenario)), f"{rank} of {len(part)}" if ranked else "", *cells, Text(leader))
    return table


def markdown(standing: pd.DataFrame, newcomer: str | None = None) -> str:
    """A table of all ranks, and one per scenario; a newcomer in bold."""
    text = [*_all_ranks(standing, newcomer)]
    for scenario, part in standing.groupby("scenario", sort=False, observed=True):
        lines = _claims(part, newcomer) if part["rank"].isna().all() else _losses(part, newcomer)
        text += ["", f"## {str(scenario).capitalize()}", "", *lines]
    return "\n".join(text) + "\n"


def _losses(part: pd.DataFrame, newcomer: str | None) -> Iterator[str]:
    """A line per agent."""
    yield "| rank | agent | loss to the horizon | behind the first | claims |"
    yield "| ---: | --- | ---: | ---: | ---: |"
    for _, line in part.iterrows():
        rank, *cells = _cells(line)
        yield f"| {rank} | {_bold(line['agent'], newcomer)} | {' | '.join(cells)} |"


def _claims(part: pd.DataFrame, newcomer: str | None) -> Iterator[str]:
    """Where nothing can be lost: a line for each agent that claims a winner."""
    yield from ("| agent | claims a difference |", "| --- | ---: |")
    for _, line in part.sort_values("claims", ascending=False, kind="stable").iterrows():
        if line["claims"] or line["agent"] == newcomer:
            share, low, high = (100 * line[f"claims{end}"] for end in ("", "_low", "_high"))
            yield f"| {_bold(line['agent'], newcomer)} | {share:.1f} % ({low:.1f} to {high:.1f}) |"
    yield from ("", "The others claim nothing.")


def _all_ranks(standing: pd.DataFrame, newcomer: str | None) -> Iterator[str]:
    """A line per agent: its ranks, by their mean."""
    ranked = standing.dropna(subset="rank")
    ranks = ranked.pivot(index="agent", columns="scenario", values="rank")[list(dict.fromkeys(ranked["scenario"]))]
    means = ranks.mean(axis=1).sort_values(kind="stable")
    yield f"| agent | mean rank | {' | '.join(map(str, ranks.columns))} |"
    yield "| --- |" + " ---: |" * (1 + ranks.shape[1])
    for (agent, row), mean in zip(ranks.loc[means.index].iterrows(), means, strict=True):
        cells = ["" if np.isnan(rank) else f"{rank:.0f}" for rank in row]
        yield f"| {_bold(str(agent), newcomer)} | {mean:.1f} | {' | '.join(cells)} |"


def _bold(agent: str, newcomer: str | None) -> str:
    return f"**{agent}**" if agent == newcomer else agent


def _cells(line: "pd.Series[float]") -> tuple[str, str, str, str]:
    """Rank, loss, what it is behind, and claims, as text."""
    rank = "" if np.isnan(line["rank"]) else f"{line['rank']:.0f}"
    loss = f"{line['loss']:.2f} ± {line['loss_high'] - line['loss']:.2f}"
    half = line["behind_high"] - line["behind"]
    behind = f"{line['behind']:.2f} ± {half:.2f}" if line["behind"] or half else ""
    return rank, loss, behind, f"{100 * line['claims']:.1f} %"
