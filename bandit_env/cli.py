"""The command line: `bandit-env run`, `report`, `plan` and `agents`.

Exit status: 0; 1 where an agent, the disk or the workers failed on the way; 2 for bad input; 130 after Ctrl-C.
"""

import _thread
import argparse
import contextlib
import datetime
import shlex
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bandit_env
from bandit_env.experiment.errors import ExperimentError, StorageError, WorkerError

if TYPE_CHECKING:
    from rich.console import Console

    from bandit_env.experiment.engine import Engine


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    try:
        with _ctrl_c_is_heard():
            options = _parser().parse_args(arguments)
            with _warm_up(options):
                return int(options.command(options))
    except ExperimentError as error:
        return _complain(error, 2)
    except (StorageError, WorkerError) as error:
        return _complain(error, 1)
    except KeyboardInterrupt:  # what can be resumed has its own message
        return _complain("interrupted", 130)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        sys.stderr.close()
        return 1


def run(options: argparse.Namespace) -> int:
    """`bandit-env run`: play an experiment file."""
    from bandit_env.experiment import config, report
    from bandit_env.experiment.sweep import execute

    overrides = {"replications": options.replications, "seed": options.seed, "traces": options.trace}
    experiment = config.load(options.config, **overrides)
    out = options.out or _default_folder(experiment.config["name"])
    console = _console()
    try:
        with _engine(options) as engine, _watcher(out) as watcher:
            result = execute(
                experiment,
                engine=engine,
                out=out,
                resume=options.resume,
                overwrite=options.overwrite,
                watcher=watcher,
            )
        report.write(result, console, max_scenarios=0 if options.no_figures else report.MAX_SCENARIOS)
    except (KeyboardInterrupt, WorkerError) as error:
        what, status = ("interrupted", 130) if isinstance(error, KeyboardInterrupt) else (error, 1)
        again = shlex.join(["bandit-env", "run", *_repeat(options), "--out", str(out), "--resume"])
        return _complain(f"{what}; what was finished is in {out}. To go on:\n  {again}", status)
    for failure in result.failures:
        _complain(failure, 1)
    return 1 if result.failures else 0


def report(options: argparse.Namespace) -> int:
    """`bandit-env report`: the table, the figures and the event files of a finished run, made anew."""
    from bandit_env.experiment import report as reports
    from bandit_env.experiment import results

    result = results.read(options.run)
    if not result.cells:
        raise ExperimentError(f"{options.run}: no finished results ({'; '.join(result.failures)})")
    reports.write(result, _console(), max_scenarios=None)
    for failure in result.failures:
        _complain(failure, 1)
    return 1 if result.failures else 0


def plan(options: argparse.Namespace) -> int:
    """`bandit-env plan`: how long will a test take, how often is it wrong, and what does it save?"""
    from bandit_env.experiment import planning

    with _engine(options) as engine, _progress() as watcher:
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
            engine=engine,
            watcher=watcher,
        )
    planning.show(result, _console())
    return 0


def agents(options: argparse.Namespace) -> int:
    """`bandit-env agents`: what can be named in an experiment file."""
    from bandit_env.experiment import catalogue

    console = _console()
    for table in catalogue.tables():
        console.print(table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bandit-env", description=bandit_env.__doc__)
    parser.add_argument("--version", action="version", version=f"bandit_env {bandit_env.__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    one = commands.add_parser("run", help="play an experiment file", description="Play an experiment file (TOML).")
    one.set_defaults(command=run)
    one.add_argument("config", type=Path, help="the experiment file")
    one.add_argument("--replications", type=int, metavar="N", help="experiments per scenario and agent")
    one.add_argument("--seed", type=int, metavar="S", help="the same seed gives the same rows")
    one.add_argument("--trace", type=int, metavar="K", help="experiments to record update by update (default 1)")
    one.add_argument("--out", type=Path, metavar="DIR", help="folder for the results (default runs/<config>/<time>)")
    one.add_argument("--no-figures", action="store_true", help="draw none; `bandit-env report DIR` can later")
    taken = one.add_mutually_exclusive_group()
    taken.add_argument("--resume", action="store_true", help="go on with the run in DIR")
    taken.add_argument("--overwrite", action="store_true", help="remove the run in DIR first")
    _add_engine(one)

    two = commands.add_parser("report", help="table, figures and event files of a finished run")
    two.set_defaults(command=report)
    two.add_argument("run", type=Path, metavar="RUN_DIR", help="the run's folder")

    three = commands.add_parser("plan", help="how long will a test take, and how often is it wrong?")
    three.set_defaults(command=plan)
    three.add_argument("--rates", type=float, nargs="+", required=True, metavar="R", help="rates, control first")
    three.add_argument("--visits-per-day", type=int, default=100, metavar="V", help="traffic, in visits (default 100)")
    three.add_argument("--updates-per-day", type=int, default=1, metavar="U", help="new weights per day (default 1)")
    three.add_argument("--min-days", type=float, default=14, metavar="D", help="no stop before this day (default 14)")
    three.add_argument("--max-days", type=int, default=5000, metavar="D", help="the horizon, in days (default 5000)")
    three.add_argument("--baseline", type=float, metavar="R", help="of the classical test (default: first rate)")
    three.add_argument("--target", type=float, metavar="R", help="the rate it is to detect (default: best other rate)")
    three.add_argument("--replications", type=int, default=2000, metavar="N", help="simulated tests (default 2000)")
    three.add_argument("--seed", type=int, default=0, metavar="S", help="of the simulation (default 0)")
    _add_engine(three)

    four = commands.add_parser("agents", help="agents and stopping rules, with parameters and sources")
    four.set_defaults(command=agents)
    return parser


def _add_engine(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="processes (default: all cores once that gains)")
    where.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler's, such as tcp://host:8786")


@contextlib.contextmanager
def _engine(options: argparse.Namespace) -> "Iterator[Engine]":
    from bandit_env.experiment.sweep import choose_engine

    if options.dask is None:
        yield choose_engine(options.workers)
        return
    from bandit_env.experiment.dask import cluster

    with cluster(options.dask) as engine:
        yield engine


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


def _warm_up(options: argparse.Namespace) -> contextlib.AbstractContextManager[None]:
    """A second process that compiles, if this command plays in one process; several compile beside each other."""
    if options.command not in (run, plan) or options.dask is not None or options.workers not in (None, 1):
        return contextlib.nullcontext()
    from bandit_env.experiment import warm_up

    return warm_up.beside()


def _default_folder(name: str) -> Path:
    """A new folder, runs/<config>/<time>."""
    from bandit_env.experiment.config import slug

    stem = Path("runs") / slug(name) / datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    folder, count = stem, 2
    while folder.exists():
        folder, count = stem.with_name(f"{stem.name}-{count}"), count + 1
    return folder


def _repeat(options: argparse.Namespace) -> Iterator[str]:
    """The arguments of `run` that decide its rows."""
    yield str(options.config)
    for name in ("replications", "seed", "trace", "workers", "dask"):
        value = getattr(options, name)
        if value is not None:
            yield from (f"--{name}", str(value))


def _console() -> "Console":
    from rich.console import Console

    # A pipe or a file has no width of its own: do not squeeze tables into 80 columns there.
    return Console(width=None if sys.stdout.isatty() else 160, soft_wrap=False, highlight=False)


@contextlib.contextmanager
def _progress() -> Iterator[Any]:
    from bandit_env.experiment.watch import ProgressBar

    with ProgressBar() as bar:
        yield bar


@contextlib.contextmanager
def _watcher(out: Path) -> Iterator[Any]:
    """A progress bar, and TensorBoard's `progress/*` while the run goes on."""
    from bandit_env.experiment.watch import EventFiles, ProgressBar, Together

    with ProgressBar() as bar, EventFiles(out) as events:
        yield Together(bar, events)


def _complain(what: object, status: int) -> int:
    print(f"bandit-env: {what}", file=sys.stderr)
    return status
