"""`bandit-env report`: the table, the figures and the event files of a finished run, made anew."""

import argparse
from pathlib import Path

from bandit_env.commands.common import complain, console
from bandit_env.errors import ExperimentError

HELP = "table, figures and event files of a finished run"
DESCRIPTION = """\
Make the table, the figures and the TensorBoard files of a finished run anew, from the rows in its folder.

example:
  bandit-env report runs/ab
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="the run's folder")


def main(options: argparse.Namespace) -> int:
    """Read the run, and write its views."""
    from bandit_env.experiment import results
    from bandit_env.views import report

    result = results.read(options.run)
    if not result.cells:
        raise ExperimentError(f"{options.run}: no finished results ({'; '.join(result.failures)})")
    failures = report.write(result, console(), max_scenarios=None)
    failures = [*result.failures, *(failures or ())]
    for failure in failures:
        complain(failure, 1)
    return 1 if failures else 0
