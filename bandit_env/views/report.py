"""The report of a run: its table, its figures, and what TensorBoard shows of it."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bandit_env.errors import StorageError
from bandit_env.experiment.files import as_json, within, write_atomically
from bandit_env.experiment.results import WRITTEN, Run
from bandit_env.views import compare, estimates, series, summary, tables
from bandit_env.views.attempt import attempt

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

SUMMARY = "summary.csv"
MAX_SCENARIOS = 3  # that figures are drawn of when a run ends; `bandit-env report` draws them all


def write(run: Run, console: "Console", max_scenarios: int | None = MAX_SCENARIOS) -> list[str]:
    """For a run in a folder, write summary.csv, the figures and the event files there; then print the tables.

    What is there already is replaced, so a report may be made any number of times.

    Args:
        run: a run; what failed in it is left to the caller to say.
        console: where to print.
        max_scenarios: draw figures of the first few scenarios only; None draws those of all.

    Returns:
        A sentence about each view that could not be made; the others are there.

    Raises:
        StorageError: the run's folder cannot be written. The tables are printed all the same.
    """
    if not run.cells:
        return []
    lines = summary.summarise(run)
    drawn = 0
    failures: list[str] = []
    try:
        if run.directory is not None:
            drawn, failures = _files(run, lines, run.directory, max_scenarios)
    except OSError as error:
        raise StorageError(f"{run.directory}: the report cannot be written ({error.strerror or error})") from error
    finally:
        for table in tables.tables(run, console.width, lines):
            console.print(table)
    if run.directory is not None:
        _where(run, console, drawn, max_scenarios)
    return failures


def compare_runs(runs: Sequence[Run], console: "Console", *, by: str | None = None, out: Path | None = None) -> None:
    """Print runs beside each other, and leave the comparison in a folder: comparison.csv, and a figure a scenario.

    Args:
        runs: those that are compared; one, where a parameter of it was swept.
        console: where to print.
        by: the parameter to compare by; None chooses the numeric one with the most values, if there is one.
        out: the folder; None leaves nothing.

    Raises:
        ExperimentError: the runs do not differ in the parameter.
        OSError: the folder cannot be written.
    """
    found = compare.entries(runs)
    parameter = compare.swept(found, by)
    for table in compare.rich_tables(found, console.width, parameter):
        console.print(table)
    if out is None:
        return
    from bandit_env.views import figures
    from bandit_env.views.figures import comparison

    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / compare.FILE, compare.frame(found).to_csv(index=False).encode())
    names = list(dict.fromkeys(entry.cell.scenario for entry in found))
    for stem, scenario in zip(figures.stems(names), names):
        mine = [entry for entry in found if entry.cell.scenario == scenario]
        if (drawing := comparison.draw(mine, parameter)) is not None:
            figures.save([drawing._replace(name=f"{stem}-comparison")], out)
    told = f"The table and {series.count(len(names), 'figure')} are in {out}."
    console.print(told, soft_wrap=True, markup=False, emoji=False)


def _where(run: Run, console: "Console", drawn: int, max_scenarios: int | None) -> None:
    """Say where the files are, and how to look at them."""
    name = str(run.directory)
    folder = shlex.quote(f"./{name}" if name.startswith(("~", "-")) else name)  # a home, or an option
    scenarios = len({cell.scenario for cell in run.cells})
    if max_scenarios == 0:
        console.print(f"For figures: bandit-env report {folder}", soft_wrap=True, markup=False, emoji=False)
    elif max_scenarios is not None and scenarios > max_scenarios:
        what = f"Figures of the first {max_scenarios} scenarios; for all {scenarios}:"
        console.print(f"{what} bandit-env report {folder}", soft_wrap=True, markup=False, emoji=False)
    assert run.directory is not None
    figures = f"{drawn} figures in {run.directory / 'figures'}; all" if drawn else "All"
    console.print(f"{figures} rows in {run.directory}. To look at them:", soft_wrap=True, markup=False, emoji=False)
    console.print(f"  tensorboard --logdir {folder}", soft_wrap=True, markup=False, emoji=False)


def _files(run: Run, lines: "pd.DataFrame", directory: Path, max_scenarios: int | None) -> tuple[int, list[str]]:
    """Write all files of the report; the number of figures, and what could not be shown."""
    from bandit_env.views import figures, tensorboard

    write_atomically(directory / SUMMARY, lines.to_csv(index=False).encode())
    if any(estimates.asked(cell) for cell in run.cells):
        write_atomically(directory / estimates.FILE, estimates.summarise(run).to_csv(index=False).encode())
    failures: list[str] = []
    drawings = figures.all_figures(run, max_scenarios, failures)
    paths = []
    for drawing in drawings:
        found, failed = attempt(f"figure {drawing.name!r}", figures.save, [drawing], within(directory, figures.FOLDER))
        paths += found or []
        failures += failed
    # so that --overwrite knows which files of the folder are ours
    within(directory, figures.FOLDER).mkdir(exist_ok=True)
    write_atomically(directory / figures.FOLDER / WRITTEN, as_json([path.name for path in paths]))
    pngs = [path for path in paths if path.suffix == ".png"]
    failures += tensorboard.write(run, lines, {path.stem: path.read_bytes() for path in pngs})
    return len(pngs), failures
