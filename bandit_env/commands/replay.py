"""`bandit-env replay`: published tables, played again and held against what was printed."""

import argparse
import json
from pathlib import Path

from bandit_env.commands import interrupt
from bandit_env.commands.common import add_engine, complain, console, engine, progress
from bandit_env.errors import ExperimentError, StorageError

HELP = "play published tables again"
DESCRIPTION = """\
Play published tables again, and say where they agree with what was printed (within four combined standard errors, or to
the printed digits), where they disagree as known, and where they disagree. Without a name: those that take seconds.

example:
  bandit-env replay scott-2013-ab jennison-turnbull-inflation
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="replays (see --list)")
    parser.add_argument("--list", action="store_true", help="a line for each replay")
    parser.add_argument("--all", action="store_true", help="all of them, the long ones too (minutes)")
    parser.add_argument("--replications", type=int, metavar="N", help="in place of each entry's own number")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes there, too, one by one")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write them there as a page, at the end")
    add_engine(parser)


def main(options: argparse.Namespace) -> int:
    """Play, print and judge."""
    from bandit_env.desk import replay as replays
    from bandit_env.desk.replay import show

    known = replays.available()
    if options.list:
        print(*map(show.list_line, known.values()), sep="\n")  # a line each, however long: for grep
        return 0
    if options.replications is not None and options.replications < 2:
        raise ExperimentError(f"--replications: found {options.replications}; expected at least 2")
    chosen = [replays.find(name).name for name in options.names]
    if not chosen:
        chosen = [name for name, entry in known.items() if options.all or entry.quick]
    for path in filter(None, (options.json, options.markdown)):
        _write(path, None)
    kept = "" if options.json is None else f"; what was played is in {options.json}"
    interrupt.advise(f"interrupted{kept}")
    where, outcomes = console(), []
    with engine(options) as place:
        for name in chosen:
            with progress() as watcher:
                outcomes.append(replays.replay(name, replays.Stage(options.replications, place, watcher)))
            for block in show.blocks(outcomes[-1]):
                where.print(block)
            if options.json is not None:
                content = json.dumps([outcome.to_dict() for outcome in outcomes], indent=1, ensure_ascii=False)
                _write(options.json, content + "\n")
    if options.markdown is not None:
        _write(options.markdown, show.page(outcomes))
    where.print(show.closing_line(outcomes))
    wrong = [outcome.entry.name for outcome in outcomes if outcome.verdict == "disagrees"]
    return complain(f"unexpected: {', '.join(wrong)}", 1) if wrong else 0


def _write(path: Path, text: str | None) -> None:
    """Write a file whole; None: only see whether it could be written, before minutes are spent."""
    from bandit_env.experiment.files import write_atomically

    try:
        if text is None:
            path.open("ab").close()
        else:
            write_atomically(path, text.encode())
    except OSError as error:
        raise StorageError(f"{path}: cannot be written ({error.strerror or error})") from error
