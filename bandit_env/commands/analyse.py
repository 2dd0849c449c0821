"""`bandit-env analyse`: what to do with the experiment that runs."""

import argparse
import contextlib
import json
import tomllib
from pathlib import Path
from typing import Any

from bandit_env.commands.common import add_engine, console, engine, own_modules, progress
from bandit_env.errors import ExperimentError, StorageError

HELP = "judge a running experiment from its counts"
DESCRIPTION = """\
Judge a running experiment from its counts: each arm's rate, lift and chance to be the best, tomorrow's serving weights,
what every stopping rule says, how long it will go on, and what looks wrong in the data.

The table, CSV or Parquet, has a row per arm (arm, visits, conversions), or a row per day and arm (with day or date);
weight, the share of the day's traffic that the arm was to be served, is optional.

examples:
  bandit-env analyse --visits 1000 1000 --conversions 40 50 --day 20 --visits-per-day 100
  bandit-env analyse counts.csv --control old --columns visits=impressions conversions=clicks --out report
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("table", type=Path, nargs="?", metavar="COUNTS", help="the table, CSV or Parquet")
    counts = parser.add_argument_group("the counts")
    counts.add_argument("--visits", type=int, nargs="+", metavar="N", help="in place of a table: each arm's visits")
    counts.add_argument("--conversions", type=int, nargs="+", metavar="N", help="and each arm's conversions")
    counts.add_argument("--names", nargs="+", metavar="NAME", help="and each arm's name (default arm 0, arm 1, ...)")
    counts.add_argument("--control", metavar="NAME", help="the control's name (default: the first arm)")
    counts.add_argument(
        "--columns", nargs="+", metavar="OURS=YOURS", help="what columns are called, such as visits=impressions"
    )
    counts.add_argument("--cumulative", action="store_true", help="the rows hold running totals")
    prior = parser.add_mutually_exclusive_group()
    prior.add_argument(
        "--prior", type=float, nargs=2, metavar=("A", "B"), help="Beta prior of every rate (default 1 1)"
    )
    prior.add_argument("--history", type=Path, metavar="PAST", help="past experiments that the prior is fitted to")
    who = parser.add_argument_group("who plays")
    who.add_argument(
        "--agent", default="thompson", metavar="NAME", help="a name, or an experiment file (default thompson)"
    )
    who.add_argument(
        "--stopping", metavar="RULE", help="the rule asked for (default: the agent's own, or value-remaining)"
    )
    who.add_argument("--floor", type=float, metavar="W", help="least share of the traffic for every arm")
    who.add_argument("--every-days", type=int, metavar="N", help="new weights every so many days")
    who.add_argument("--warm-up-days", type=int, metavar="N", help="equal weights until so many days are served")
    who.add_argument("--with", dest="settings", nargs="+", metavar="KEY=VALUE", help="any other argument of the agent")
    time = parser.add_argument_group("time, counted from the experiment's first day")
    time.add_argument("--day", type=float, metavar="D", help="days served (default: the table's)")
    time.add_argument(
        "--visits-per-day", type=int, metavar="V", help="traffic to come (default: the table's last days)"
    )
    time.add_argument("--min-days", type=float, default=14, metavar="D", help="no stop before this day (default 14)")
    time.add_argument("--max-days", type=int, default=1000, metavar="D", help="the horizon (default 1000)")
    ahead = parser.add_argument_group("the forecast")
    ahead.add_argument("--no-forecast", action="store_true", help="leave it out")
    ahead.add_argument("--replications", type=int, metavar="N", help="futures that are played (default 2000)")
    ahead.add_argument("--seed", type=int, default=0, metavar="S", help="of the forecast (default 0)")
    add_engine(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it as JSON (docs/analyse.md)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write report.html and the figures there")


def main(options: argparse.Namespace) -> int:
    """Analyse, say, and write down."""
    from bandit_env.desk.analysis import analyse
    from bandit_env.desk.report import screen

    settings: dict[str, Any] = {
        name: getattr(options, name)
        for name in (
            "control",
            "cumulative",
            "history",
            "agent",
            "day",
            "visits_per_day",
            "min_days",
            "max_days",
            "seed",
        )
    }
    settings |= {"replications": options.replications, "forecast": not options.no_forecast}
    settings |= {"columns": _pairs("--columns", options.columns), "knobs": _knobs(options)}
    settings |= {"prior": options.prior and tuple(options.prior), "stopping": read_rule(options.stopping)}
    table = _table(options)
    with contextlib.ExitStack() as stack:
        stack.enter_context(own_modules(options.agent))
        where = None if options.no_forecast else stack.enter_context(engine(options))
        watcher = None if options.no_forecast else stack.enter_context(progress())
        result = analyse(table, engine=where, watcher=watcher, **settings)
    report = None
    try:
        if options.json is not None:
            text = json.dumps(result.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
            options.json.write_text(text + "\n", encoding="utf-8")
        if options.out is not None:
            from bandit_env.desk.report import page

            report = page.write(result, options.out)
    except OSError as error:
        raise StorageError(f"{error.filename or options.out}: cannot be written ({error.strerror or error})") from error
    screen.show(result, console())
    if report is not None:
        print(f"The report is {report}; the figures lie beside it.")
    return 0


def _table(options: argparse.Namespace) -> Any:
    """The file, or the counts of the command line."""
    given = {name: getattr(options, name) for name in ("visits", "conversions")}
    if options.table is not None:
        if any(value is not None for value in given.values()) or options.names:
            raise ExperimentError("a table came together with --visits, --conversions or --names; expected one of them")
        return options.table
    for name, value in given.items():
        if value is None:
            raise ExperimentError(f"--{name}: missing; expected a table, or --visits and --conversions")
    names = options.names
    lengths = {f"--{name}": len(value) for name, value in given.items()} | ({"--names": len(names)} if names else {})
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ExperimentError(f"{found}; expected a number for each arm")
    return given | ({"arm": names} if names else {})


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    pairs = {}
    for text in texts or []:
        name, sign, value = text.partition("=")
        if not (name and sign and value):
            raise ExperimentError(f"{option}: found {text!r}; expected NAME=VALUE")
        pairs[name] = value
    return pairs


def _knobs(options: argparse.Namespace) -> dict[str, Any]:
    names = ("floor", "every_days", "warm_up_days")
    knobs = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return knobs | {name: _value(text) for name, text in _pairs("--with", options.settings).items()}


def read_rule(text: str | None) -> Any:
    """A rule's name or expression; or a table such as {rule = "value-remaining", threshold = 0.02}."""
    return _value(text) if text is not None and text.lstrip().startswith("{") else text


def _value(text: str) -> Any:
    """A value as an experiment file has it; what is none is a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
