"""`bandit-env plan`: how long will a test take, how often is it wrong, and what does it save?"""

import argparse

from bandit_env.commands.common import add_engine, console, engine, progress

HELP = "how long will a test take, and how often is it wrong?"
DESCRIPTION = """\
Simulate the test that you describe: how long it takes, how often it is wrong, and what it saves against the classical
test of the same power.

example:
  bandit-env plan --rates 0.04 0.05 --visits-per-day 100
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--rates", type=float, nargs="+", required=True, metavar="R", help="rates, control first")
    parser.add_argument("--visits-per-day", type=int, default=100, metavar="V", help="traffic, in visits (default 100)")
    parser.add_argument("--updates-per-day", type=int, default=1, metavar="U", help="new weights per day (default 1)")
    parser.add_argument("--min-days", type=float, default=14, metavar="D", help="no stop before this day (default 14)")
    horizon = "the horizon, in days (default 5000, or the classical test's where that takes longer)"
    parser.add_argument("--max-days", type=int, metavar="D", help=horizon)
    parser.add_argument("--baseline", type=float, metavar="R", help="of the classical test (default: first rate)")
    parser.add_argument("--target", type=float, metavar="R", help="the rate it is to detect (default: best other rate)")
    parser.add_argument("--replications", type=int, default=2000, metavar="N", help="simulated tests (default 2000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the simulation (default 0)")
    add_engine(parser)


def main(options: argparse.Namespace) -> int:
    """Simulate, and answer."""
    from bandit_env.desk import planning

    with engine(options) as where, progress() as watcher:
        result = planning.plan(
            options.rates,
            visits_per_day=options.visits_per_day,
            updates_per_day=options.updates_per_day,
            min_days=options.min_days,
            max_days=options.max_days,
            baseline=options.baseline,
            target=options.target,
            replications=options.replications,
            seed=options.seed,
            engine=where,
            watcher=watcher,
        )
    planning.show(result, console())
    return 0
