"""`bandit-env replay`: published tables, played again and held against what was printed."""

import argparse
import json
from pathlib import Path

from bandit_env.commands.common import add_engine, complain, console, engine, progress
from bandit_env.errors import ExperimentError

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
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes there, too")
    add_engine(parser)


def main(options: argparse.Namespace) -> int:
    """Play, print and judge."""
    from bandit_env.desk import replay as replays
    from bandit_env.desk.replay import show

    known = replays.available()
    if options.list:
        print(*map(show.list_line, known.values()), sep="\n")
        return 0
    if options.replications is not None and options.replications < 2:
        raise ExperimentError(f"--replications: found {options.replications}; expected at least 2")
    chosen = [replays.find(name).name for name in options.names]
    if not chosen:
        chosen = [name for name, entry in known.items() if options.all or entry.quick]
    where, outcomes = console(), []
    try:
        with engine(options) as place:
            for name in chosen:
                with progress() as watcher:
                    outcomes.append(replays.replay(name, replays.Stage(options.replications, place, watcher)))
                for block in show.blocks(outcomes[-1]):
                    where.print(block)
    finally:  # one that is cut short keeps what was played
        if options.json is not None and outcomes:
            content = json.dumps([outcome.to_dict() for outcome in outcomes], indent=1, ensure_ascii=False)
            options.json.write_text(content + "\n", encoding="utf-8")
    where.print(show.closing_line(outcomes))
    wrong = [outcome.entry.name for outcome in outcomes if outcome.verdict == "disagrees"]
    return complain(f"unexpected: {', '.join(wrong)}", 1) if wrong else 0
