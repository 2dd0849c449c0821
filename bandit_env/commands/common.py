"""What several commands share: where the work is done, what is shown while it is; how things are said: `words`."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bandit_env.commands.words import complain, console

if TYPE_CHECKING:
    from bandit_env.engines.engine import Engine

__all__ = ["add_engine", "complain", "console", "engine", "own_modules", "progress"]


def add_engine(parser: argparse.ArgumentParser) -> None:
    """The options that say where experiments are played."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="processes (default: all cores once that gains)")
    where.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler's, such as tcp://host:8786")


@contextlib.contextmanager
def engine(options: argparse.Namespace) -> "Iterator[Engine]":
    """The engine that `add_engine`'s options ask for. In one process a second one meanwhile compiles, if it must."""
    from bandit_env.commands import warm_up
    from bandit_env.experiment.sweep import choose_engine

    if options.dask is not None:
        from bandit_env.engines.dask import cluster

        with cluster(options.dask) as found:
            yield found
        return
    several = options.workers not in (None, 1)  # they compile beside each other
    with contextlib.nullcontext() if several else warm_up.beside():
        yield choose_engine(options.workers)


@contextlib.contextmanager
def own_modules(agent: str) -> Iterator[None]:
    """Within the block "module:Class" is also looked for beside an experiment file, and in the current folder."""
    from bandit_env import beside

    folders = [Path(agent).absolute().parent] if agent.endswith(".toml") else []
    with beside.searching([*folders, Path.cwd()]):
        yield


@contextlib.contextmanager
def progress() -> Iterator[Any]:
    """A progress bar."""
    from bandit_env.commands import warm_up
    from bandit_env.views.watch import ProgressBar

    with ProgressBar(compiling=not warm_up.is_compiled()) as bar:
        yield bar
