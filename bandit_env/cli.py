"""The command line, `bandit-env`: joins the commands of `bandit_env/commands`, one file each.

Exit status: 0; 1 where an agent, the disk or the workers failed on the way; 2 for bad input; 130 after Ctrl-C.
"""

import _thread
import argparse
import contextlib
import sys
import threading
from collections.abc import Iterator, Sequence

import bandit_env
from bandit_env.commands import agents, plan, report, run
from bandit_env.commands.common import complain
from bandit_env.errors import ExperimentError, StorageError, WorkerError

COMMANDS = {"run": run, "report": report, "plan": plan, "agents": agents}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    try:
        with _ctrl_c_is_heard():
            options = _parser().parse_args(arguments)
            return int(options.command(options))
    except ExperimentError as error:
        return complain(error, 2)
    except (StorageError, WorkerError) as error:
        return complain(error, 1)
    except KeyboardInterrupt:  # what can be resumed has its own message
        return complain("interrupted", 130)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        sys.stderr.close()
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bandit-env", description=bandit_env.__doc__)
    parser.add_argument("--version", action="version", version=f"bandit_env {bandit_env.__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, module in COMMANDS.items():
        one = commands.add_parser(
            name,
            help=module.HELP,
            description=module.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(one)
        one.set_defaults(command=module.main)
    return parser


@contextlib.contextmanager
def _ctrl_c_is_heard() -> Iterator[None]:
    """Send Ctrl-C again where Python drops it: in destructors and in callbacks of weak references (of imports, say)."""
    before = sys.unraisablehook

    def hook(dropped: "sys.UnraisableHookArgs", /) -> None:
        if dropped.exc_type is KeyboardInterrupt:
            threading.Timer(0.05, _thread.interrupt_main).start()  # not from in here, where it would be dropped again
        else:
            before(dropped)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
