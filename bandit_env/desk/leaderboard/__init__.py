"""The leaderboard: losses to the horizon on a fixed suite, and where a newcomer stands among them.

The rows of all built-in agents are kept in a file beside the suite, so that a newcomer plays alone. All meet the same
rates and the same visitors, replication by replication, so agents are compared by paired differences.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bandit_env.desk.leaderboard.rows import doubts, rows_of, stored_rows, with_newcomer, write_rows
from bandit_env.desk.leaderboard.standings import standings
from bandit_env.errors import ExperimentError
from bandit_env.experiment.files import write_atomically
from bandit_env.experiment.results import STANDINGS, Run

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["SUITE", "remarks", "rows_of", "show_newcomer", "standings", "stored_rows", "with_newcomer", "write_rows"]

SUITE = "leaderboard"  # the experiment's name


def remarks(config: Mapping[str, Any]) -> list[str]:
    """What keeps a newcomer's experiment from being compared, to be said before it is played."""
    try:
        return [f"no standings: {doubt}" for doubt in doubts(config, stored_rows())]
    except ExperimentError as error:
        return [f"no standings: {error}"]


def show_newcomer(run: Run, console: "Console") -> None:
    """Print where a run's only agent stands among the stored ones, and write all standings into the run's folder."""
    from bandit_env.desk.leaderboard import show

    if not run.cells or remarks(run.config):
        return
    standing = standings(with_newcomer(run, stored_rows()))
    newcomer = run.cells[0].agent
    console.print(show.newcomer_table(standing, newcomer))
    if run.directory is not None:
        text = f"# Leaderboard with {newcomer}\n\n{show.markdown(standing, newcomer)}"
        write_atomically(run.directory / STANDINGS, text.encode())
        console.print(f"All standings: {run.directory / STANDINGS}", soft_wrap=True, markup=False, emoji=False)
