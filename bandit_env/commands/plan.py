"""`bandit-env plan`: how long will a test take, how often is it wrong, and what does it save?"""

import argparse
from pathlib import Path

from bandit_env.commands.common import add_engine, console, engine, own_modules, progress
from bandit_env.commands.numbers import rate

HELP = "how long will a test take, and how often is it wrong?"
DESCRIPTION = """\
Simulate the test that you describe, and the same with equal arms: how long it takes, how often it is wrong, what it
loses, and what it saves against the classical test. Rates and lifts are fractions or percentages: 0.012 or 1.2%.

examples:
  bandit-env plan --rates 0.04 0.05 --visits-per-day 100
  bandit-env plan --baseline 1.2% --lift 5% 10% 20% --visits-per-day 5000 --power 0.8
  bandit-env plan --baseline 1.2% --days 28 --visits-per-day 5000 --power 0.8
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    what = parser.add_argument_group("what is to be found")
    what.add_argument("--rates", nargs="+", metavar="R", help="rates of all arms, control first")
    what.add_argument("--baseline", metavar="R", help="the control's rate; with --rates: of the classical test")
    what.add_argument(
        "--lift", nargs="+", metavar="L", help="of the variations over the baseline; several: a small table"
    )
    what.add_argument("--days", type=float, metavar="D", help="in place of --lift: the smallest one found in D days")
    what.add_argument("--arms", type=int, default=2, metavar="K", help="with --baseline: how many arms (default 2)")
    what.add_argument("--target", metavar="R", help="with --rates: the rate to detect (default: best other rate)")
    what.add_argument(
        "--power", default="0.95", metavar="P", help="of the classical test (default 0.95; customary 0.8)"
    )
    what.add_argument("--alpha", default="0.05", metavar="A", help="its level (default 0.05)")
    world = parser.add_argument_group("the world")
    world.add_argument("--visits-per-day", type=int, default=100, metavar="V", help="traffic, in visits (default 100)")
    world.add_argument("--updates-per-day", type=int, default=1, metavar="U", help="new weights per day (default 1)")
    world.add_argument("--min-days", type=float, default=14, metavar="D", help="no stop before this day (default 14)")
    horizon = "the horizon, in days (default 5000, or the classical test's where that takes longer)"
    world.add_argument("--max-days", type=int, metavar="D", help=horizon)
    world.add_argument("--loss-days", type=int, metavar="D", help="count the loss to this day (default: the horizon)")
    world.add_argument("--scenario", type=Path, metavar="FILE", help="a TOML file: effects, delay, traffic, ...")
    who = parser.add_argument_group("who plays")
    who.add_argument(
        "--agent", default="thompson", metavar="NAME", help="a name, or an experiment file (default thompson)"
    )
    who.add_argument("--stopping", metavar="RULE", help="its rule (default: the agent's own, or value-remaining)")
    prior = who.add_mutually_exclusive_group()
    prior.add_argument("--prior", type=float, nargs=2, metavar=("A", "B"), help="the agent's Beta prior (default 1 1)")
    prior.add_argument("--history", type=Path, metavar="PAST", help="past experiments that the prior is fitted to")
    parser.add_argument("--replications", type=int, default=2000, metavar="N", help="simulated tests (default 2000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the simulation (default 0)")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="leave the experiment file, rows, figures and event files"
    )
    parser.add_argument("--overwrite", action="store_true", help="remove the run in DIR first")
    add_engine(parser)


def main(options: argparse.Namespace) -> int:
    """Simulate, and answer."""
    from bandit_env.commands.analyse import read_rule
    from bandit_env.desk import planning
    from bandit_env.desk.designs import design
    from bandit_env.desk.report import answers
    from bandit_env.views import report

    power, alpha = (rate(getattr(options, name), f"--{name}") for name in ("power", "alpha"))
    wanted = design(
        None if options.rates is None else [rate(text, "--rates") for text in options.rates],
        baseline=None if options.baseline is None else rate(options.baseline, "--baseline"),
        lifts=[rate(text, "--lift", "a lift") for text in options.lift or []],
        days=options.days,
        target=None if options.target is None else rate(options.target, "--target"),
        arms=options.arms,
        visits_per_day=options.visits_per_day,
        power=power,
        alpha=alpha,
    )
    with own_modules(options.agent), engine(options) as where, progress() as watcher:
        result = planning.plan(
            wanted,
            visits_per_day=options.visits_per_day,
            updates_per_day=options.updates_per_day,
            min_days=options.min_days,
            max_days=options.max_days,
            loss_days=options.loss_days,
            power=power,
            alpha=alpha,
            agent=options.agent,
            stopping=read_rule(options.stopping),
            prior=options.prior and tuple(options.prior),
            history=options.history,
            world=None if options.scenario is None else planning.read_world(options.scenario),
            replications=options.replications,
            seed=options.seed,
            engine=where,
            out=options.out,
            overwrite=options.overwrite,
            watcher=watcher,
        )
    answers.show(result, console(), wanted)
    if options.out is not None:
        report.write(result, console())
    return 0
