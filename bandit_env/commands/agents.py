"""`bandit-env agents`: what can be named in an experiment file."""

import argparse

from bandit_env.commands.common import complain, own_modules
from bandit_env.errors import ExperimentError

HELP = "agents, memories and stopping rules: all of them, or one in full"
DESCRIPTION = """\
List what can be named in an experiment file: agents, stopping rules and memories. With names, tell all of each:
parameters with their defaults, formula, source, and an example.

examples:
  bandit-env agents
  bandit-env agents thompson value-remaining
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("names", nargs="*", metavar="NAME", help='an agent, a rule, a memory; or "module:Class"')
    parser.add_argument("--long", action="store_true", help="list them with a line for each")


def main(options: argparse.Namespace) -> int:
    """Print the list, or what was asked for."""
    from bandit_env import plugins
    from bandit_env.views import catalogue, shown

    try:
        plugins.require_agents()
    except ImportError as error:
        return complain(error, 2)
    width = shown.page_width(otherwise=100)
    with own_modules(""):
        try:
            told = [line for name in options.names for line in catalogue.details(name, width)]
        except ValueError as error:
            raise ExperimentError(str(error)) from error
    if not options.names:
        told = list((catalogue.lines if options.long else catalogue.overview)(width))
    print("\n".join(told).rstrip())
    return 0
