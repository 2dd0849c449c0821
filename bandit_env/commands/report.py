"""`bandit-env report`: the views of a finished run, made anew; or several runs, or a swept parameter, compared."""

import argparse
from pathlib import Path

from bandit_env.commands.common import complain, console
from bandit_env.errors import ExperimentError, StorageError

HELP = "table, figures and event files of a finished run; or runs compared"
DESCRIPTION = """\
Make the table, the figures and the TensorBoard files of a finished run anew, from the rows in its folder.

Of several runs, or with --by or --out, compare results instead: one table with the parameters in which they differ, and
with --out the table as a file and a figure: curves over a parameter that was swept, or else a line for each result. The
runs' own folders stay as they are.

examples:
  bandit-env report runs/ab
  bandit-env report runs/monday runs/tuesday --out runs/compared
  bandit-env report runs/sweep --by epsilon --out runs/by-epsilon
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN_DIR", help="a run's folder; several are compared")
    parser.add_argument("--by", metavar="PARAMETER", help="compare by a parameter, such as epsilon or visits_per_day")
    parser.add_argument("--out", type=Path, metavar="DIR", help="leave the comparison there: table and figures")


def main(options: argparse.Namespace) -> int:
    """Read the runs, and write the views of one, or compare."""
    from bandit_env.experiment import results
    from bandit_env.views import report

    runs = [results.read(folder) for folder in options.runs]
    for folder, run in zip(options.runs, runs):
        if not run.cells:
            raise ExperimentError(f"{folder}: no finished results ({'; '.join(run.failures)})")
    failures = [failure for run in runs for failure in run.failures]
    if len(runs) > 1 or options.by is not None or options.out is not None:
        try:
            report.compare_runs(runs, console(), by=options.by, out=options.out)
        except OSError as error:
            raise StorageError(f"{options.out}: cannot be written ({error.strerror or error})") from error
    else:
        failures += report.write(runs[0], console(), max_scenarios=None) or ()
    for failure in failures:
        complain(failure, 1)
    return 1 if failures else 0
