"""The command line, `bandit-env`: joins the commands of `bandit_env/commands`, one file each.

Exit status: 0; 1 where an agent, the disk or the workers failed on the way, or what was said could not be written down;
2 for bad input; 130 after Ctrl-C.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import bandit_env
from bandit_env.commands import agents, analyse, interrupt, plan, replay, report, run, words
from bandit_env.commands.words import complain
from bandit_env.errors import ExperimentError, StorageError, WorkerError

COMMANDS = {"run": run, "report": report, "plan": plan, "analyse": analyse, "replay": replay, "agents": agents}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    with interrupt.heard() as ctrl_c:
        return _answer(arguments, ctrl_c)


def process() -> NoReturn:
    """The command as a process of its own, where Ctrl-C is heard to the very end, while Python shuts down."""
    words.open_closed_streams()
    os.environ["MPLBACKEND"] = "agg"  # no window is opened; what matplotlib does not know would stop its import
    ctrl_c = interrupt.CtrlC()
    ctrl_c.listen()
    try:
        ctrl_c.done = _answer(None, ctrl_c)
    except KeyboardInterrupt:  # between the command's last line and this one
        ctrl_c.done = interrupt.STATUS
    except SystemExit as asked:  # by argparse
        ctrl_c.done = asked.code if isinstance(asked.code, int) else 0
    if ctrl_c.came:
        interrupt.leave(ctrl_c.done)
    sys.exit(ctrl_c.done)


def _answer(arguments: Sequence[str] | None, ctrl_c: interrupt.CtrlC) -> int:
    """Obey, and put what became of Ctrl-C and of standard output into the exit status."""
    with words.lossless() as said:
        try:
            status = _obey(arguments)
        except SystemExit as asked:  # argparse, after help or bad usage
            raise SystemExit(_heard(said, int(asked.code or 0))) from None
        except BaseException:
            if not ctrl_c.came:
                raise
            status = interrupt.STATUS
        if status and ctrl_c.came:  # whatever comes out after Ctrl-C comes of it
            ctrl_c.said = True
            return complain(interrupt.advice(), interrupt.STATUS)
        return _heard(said, status)


def _heard(said: words.Words, status: int) -> int:
    """The exit status, once all is said: where a reader went away, as `head` does, that is no failure."""
    said.flush()
    if said.lost is None or isinstance(said.lost, BrokenPipeError):
        return status
    return complain(f"standard output: {said.lost}", status or 1)


def _obey(arguments: Sequence[str] | None) -> int:
    try:
        options = _parser().parse_args(arguments)
        return int(options.command(options))
    except ExperimentError as error:
        return complain(error, 2)
    except (StorageError, WorkerError) as error:
        return complain(error, 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bandit-env", description=bandit_env.__doc__)
    parser.add_argument("--version", action="version", version=f"bandit_env {bandit_env.__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, module in COMMANDS.items():
        one = commands.add_parser(
            name,
            help=module.HELP,
            description=module.DESCRIPTION,
            formatter_class=words.HelpFormatter,
        )
        module.add_arguments(one)
        one.set_defaults(command=module.main)
    return parser
