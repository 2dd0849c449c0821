"""`bandit-env run`: play an experiment file."""

import argparse
import contextlib
import datetime
import itertools
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bandit_env.commands import interrupt
from bandit_env.commands.common import add_engine, complain, console, engine
from bandit_env.commands.words import print_list
from bandit_env.errors import ExperimentError, WorkerError

HELP = "play an experiment file"
DESCRIPTION = """\
Play an experiment: every scenario with every agent, so many times each. Prints a table, and leaves rows, curves,
figures and TensorBoard files in a folder. The experiment is a file (TOML), or the name of one that comes with the
package; `bandit-env run --list` lists these.

examples:
  bandit-env run ab_test
  bandit-env run my/experiment.toml --replications 2000 --out runs/mine
  bandit-env run leaderboard --agent my_module:MyAgent
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("config", type=Path, nargs="?", help="the experiment's file, or its name")
    parser.add_argument("--list", action="store_true", help="list the experiments that come with the package")
    parser.add_argument("--agent", metavar="NAME", help="play this agent alone, in place of those in the file")
    parser.add_argument("--scenarios", nargs="+", metavar="S", help="in these scenarios only; goes with --agent")
    parser.add_argument("--replications", type=int, metavar="N", help="experiments per scenario and agent")
    parser.add_argument("--seed", type=int, metavar="S", help="the same seed gives the same rows")
    parser.add_argument(
        "--trace",
        type=int,
        metavar="K",
        help="record so many update by update (default 1, a typical one)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the results (default runs/<config>/<time>)")
    parser.add_argument("--no-figures", action="store_true", help="draw none; `bandit-env report DIR` can later")
    taken = parser.add_mutually_exclusive_group()
    taken.add_argument("--resume", action="store_true", help="go on with the run in DIR")
    taken.add_argument("--overwrite", action="store_true", help="remove the run in DIR first")
    add_engine(parser)


def main(options: argparse.Namespace) -> int:
    """Play, show and write down."""
    from bandit_env.desk import leaderboard
    from bandit_env.experiment import config, size
    from bandit_env.experiment.config import shipped
    from bandit_env.experiment.sweep import execute
    from bandit_env.views import report

    if options.list:
        print_list(shipped.lines(), indent=max(map(len, shipped.experiments())) + 2)
        return 0
    if options.config is None:
        raise ExperimentError("run: which experiment? Expected a file, or a name (bandit-env run --list)")
    overrides = {"replications": options.replications, "seed": options.seed, "traces": options.trace}
    overrides["agents"] = _alone(options)
    experiment = config.load(shipped.find(options.config), **overrides)
    ranked = options.agent is not None and experiment.config["name"] == leaderboard.SUITE
    with _folder(options, experiment.config["name"]) as out:
        doubts = leaderboard.remarks(experiment.config) if ranked else []
        for remark in [*experiment.remarks, *size.remarks(experiment, out), *doubts]:
            complain(f"note: {remark}", 0)
        again = shlex.join(["bandit-env", "run", *_repeat(options, out)])
        to_go_on = f"what was finished is in {out}. To go on:\n  {again}"
        interrupt.advise(f"interrupted; {to_go_on}")
        try:
            with engine(options) as where, _watcher(out) as watcher:
                result = execute(
                    experiment,
                    engine=where,
                    out=out,
                    resume=options.resume,
                    overwrite=options.overwrite,
                    watcher=watcher,
                )
        except WorkerError as error:
            return complain(f"{error}; {to_go_on}", 1)
    failures = report.write(result, console(), max_scenarios=0 if options.no_figures else report.MAX_SCENARIOS)
    if ranked:
        leaderboard.show_newcomer(result, console())
    failures = [*result.failures, *(failures or ())]
    for failure in failures:
        complain(failure, 1)
    return 1 if failures else 0


def _alone(options: argparse.Namespace) -> list[dict[str, Any]] | None:
    """What is played in place of the file's agents; None for those."""
    if options.agent is None and options.scenarios is not None:
        raise ExperimentError("run: --scenarios goes with --agent")
    if options.agent is None:
        return None
    return [{"name": options.agent} | ({"scenarios": options.scenarios} if options.scenarios else {})]


@contextlib.contextmanager
def _folder(options: argparse.Namespace, name: str) -> Iterator[Path]:
    """The folder for the results: the one asked for, or a new one, runs/<config>/<time>, of this run alone."""
    from bandit_env.experiment.config import slug

    if options.out is not None:
        yield options.out
        return
    out = _new_folder(Path("runs") / slug(name), datetime.datetime.now().strftime("%m%d-%H%M%S"))
    try:
        yield out
    except ExperimentError:
        with contextlib.suppress(OSError):
            out.rmdir()  # only where nothing has come into it
        raise


def _new_folder(parent: Path, name: str) -> Path:
    """Make a folder that nobody has: not even one of many processes that ask in the same moment."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for count in itertools.count(1):
            folder = parent / (name if count == 1 else f"{name}-{count}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                return folder
    except OSError as error:
        raise ExperimentError(f"{parent}: cannot be written ({error.strerror or error})") from error
    raise AssertionError("there is always another number")


def _repeat(options: argparse.Namespace, out: Path) -> Iterator[str]:
    """The arguments that go on with this run."""
    yield str(options.config)
    if options.scenarios is not None:
        yield from ("--scenarios", *options.scenarios)
    for name in ("agent", "replications", "seed", "trace", "workers", "dask"):
        value = getattr(options, name)
        if value is not None:
            yield from (f"--{name}", str(value))
    yield from ("--out", str(out), "--resume")
    if options.no_figures:
        yield "--no-figures"


@contextlib.contextmanager
def _watcher(out: Path) -> Iterator[Any]:
    """A progress bar, and TensorBoard's `progress/*` while the run goes on."""
    from bandit_env.commands import warm_up
    from bandit_env.views.watch import EventFiles, ProgressBar, Together

    with ProgressBar(compiling=not warm_up.is_compiled()) as bar, EventFiles(out) as events:
        yield Together(bar, events)
