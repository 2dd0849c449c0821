"""`bandit-env agents`: what can be named in an experiment file."""

import argparse

from bandit_env.commands.common import console
from bandit_env.commands.words import complain

HELP = "agents, memories and stopping rules, with parameters and sources"
DESCRIPTION = """\
List what can be named in an experiment file: agents, memories and stopping rules, with their parameters and sources.

example:
  bandit-env agents
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has none."""


def main(options: argparse.Namespace) -> int:
    """Print a table per kind."""
    from bandit_env import plugins
    from bandit_env.views import catalogue

    try:
        plugins.require_agents()
    except ImportError as error:
        return complain(error, 2)
    where = console()
    for table in catalogue.tables():
        where.print(table)
    return 0
