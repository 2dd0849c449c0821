"""Plays an experiment: every cell, chunk by chunk, on an engine, into a store."""

import contextlib
import math
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Protocol

import numba

from bandit_env.engines.engine import Engine, InProcess, Progress
from bandit_env.engines.pool import Pool
from bandit_env.engines.processes import Automatic, LocalProcesses
from bandit_env.errors import AgentError, ExperimentError
from bandit_env.experiment import config as experiment_file
from bandit_env.experiment import size
from bandit_env.experiment.cell import CellPlan, Part
from bandit_env.experiment.chunk import CHUNK_SIZE, Chunk
from bandit_env.experiment.claim import claimed
from bandit_env.experiment.config import Experiment
from bandit_env.experiment.job import Job, work
from bandit_env.experiment.results import Cell, Run
from bandit_env.experiment.runner import batches_chunks
from bandit_env.experiment.store import FolderStore, MemoryStore
from bandit_env.world.scenario import Scenario

CHUNKS_AT_ONCE = 32  # played side by side, at the most: more gains little speed, costs memory and is saved less often
ARMS_AT_ONCE = 2**22  # arms of all experiments played side by side, at the most: some 2 GB
PRELOAD = "bandit_env.experiment.preload"
JOBS_PER_WORKER = 2  # at the least, of several, where there are chunks enough: so that they end at about the same time


class Watcher(Protocol):
    """What wants to know how a run is getting on: a progress bar, TensorBoard.

    A method `surplus(experiments)`, where there is one, is told after `start` how many experiments will be played, and
    counted by `advance`, beyond those wanted: an agent that draws plays chunks whole, so that a longer run has the same
    rows at its beginning. A method `moved(experiments)`, where there is one, is told how much has been played since, in
    experiments: one that is half over counts half. Its sum is that of `advance`, once all have ended.
    """

    def start(self, cells: int, replications: int, finished: int) -> None:
        """The run begins, with `finished` experiments of cells x replications already there."""

    def advance(self, experiments: int) -> None:
        """So many more experiments have ended."""

    def chunks(self, plan: CellPlan, folder: str, chunks: Sequence[Chunk]) -> None:
        """Some chunks of a cell are finished and stored."""


def run(
    scenario: Scenario | Mapping[str, Any] | Sequence[Mapping[str, Any]],
    agents: Sequence[Any] | Mapping[str, Any],
    replications: int,
    *,
    seed: int = 0,
    executor: Executor | int | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    classical: Mapping[str, Any] | None = None,
    estimates: Sequence[str] = (),
    traces: int = 1,
    watcher: Watcher | None = None,
) -> Run:
    """Play `replications` experiments with each agent in each scenario.

    Args:
        scenario: keyword arguments of `DailyTrafficEnv` (or a `Scenario`); or several, each with a "name".
        agents: names, tables as in an experiment file, or objects with `reset` and `act`; a mapping gives labels.
        replications: experiments per scenario and agent.
        seed: the same seed gives the same rows, whatever else is different here.
        executor: None plays here and on all cores once that gains; a number of local processes, 1 being here; or any
            `concurrent.futures.Executor`.
        out: a folder for the results; None keeps them in memory.
        resume: go on with the run that the folder holds.
        overwrite: remove the run that the folder holds.
        classical: the table `[classical]` of an experiment file.
        estimates: methods whose estimates, errors and intervals the rows are to have, as in an experiment file.
        traces: how many experiments per cell are recorded update by update: the first; 1 is a typical one.
        watcher: told how the run is getting on.

    Returns:
        The results. A cell whose agent failed is missing; `Run.failures` says why.

    Raises:
        ExperimentError: bad input; nothing has been played.
        StorageError: the folder could not be written; what was finished is intact.
        WorkerError: worker processes kept dying.

    >>> from bandit_env.experiment import run
    >>> result = run({"rates": [0.04, 0.05]}, ["thompson"], replications=20, seed=1)
    >>> len(result.cells[0].episodes)
    20
    """
    if isinstance(scenario, Scenario):
        worlds: dict[str, Any] = {"scenario": scenario.arguments()}
    elif isinstance(scenario, Mapping):
        worlds = {"scenario": dict(scenario)}
    else:
        worlds = {"scenarios": [dict(one) for one in scenario]}
    table = {"name": "experiment", "replications": replications, "seed": seed, "traces": traces, **worlds}
    table["agents"] = list(_tables(agents))
    if classical is not None:
        table["classical"] = dict(classical)
    if estimates:
        table["estimates"] = list(estimates)
    experiment = experiment_file.resolve(table)
    for remark in experiment.remarks:
        warnings.warn(remark, stacklevel=2)
    return execute(
        experiment,
        engine=choose_engine(executor),
        out=None if out is None else Path(out),
        resume=resume,
        overwrite=overwrite,
        watcher=watcher,
    )


def choose_engine(executor: Executor | int | None) -> Engine:
    """The engine for `run`'s argument `executor`."""
    if executor is None:
        return Automatic(PRELOAD)
    if isinstance(executor, int):
        if executor < 1:
            raise ExperimentError(f"workers: found {executor}; expected 1 or more")
        return InProcess() if executor == 1 else LocalProcesses(executor, PRELOAD)
    return Pool(executor)


def execute(
    experiment: Experiment,
    *,
    engine: Engine,
    out: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    watcher: Watcher | None = None,
) -> Run:
    """Play a resolved experiment; see `run`."""
    if numba.config.DISABLE_JIT:
        raise ExperimentError("NUMBA_DISABLE_JIT is set: there is no posterior without compiled code; unset it")
    if out is None:
        return _play(experiment, engine, MemoryStore(), watcher)
    size.check_disk(experiment, out)
    with claimed(out):
        store = FolderStore(out, experiment.config, resume=resume, overwrite=overwrite)
        return _play(experiment, engine, store, watcher)


def _play(experiment: Experiment, engine: Engine, store: MemoryStore | FolderStore, watcher: Watcher | None) -> Run:
    wanted = parts(experiment.replications)
    failures: dict[int, str] = {}
    jobs = deque(_jobs(experiment, store, wanted, engine.workers))
    if watcher is not None:
        total = len(experiment.cells) * experiment.replications
        watcher.start(len(experiment.cells), experiment.replications, total - sum(job.wanted for job in jobs))
        surplus = sum(job.surplus for job in jobs)
        if surplus and hasattr(watcher, "surplus"):
            watcher.surplus(surplus)
    with contextlib.closing(engine.map(work, jobs, _progress(watcher))) as finished:  # type: ignore[type-var]
        for job, played in finished:
            if isinstance(played, AgentError):
                failures.setdefault(job.cell, str(played))
                _give_up(job.cell, jobs)
                continue
            folder = experiment.folders[job.cell]
            for part, chunk in zip(job.parts, played, strict=True):
                store.save(folder, part, chunk)
            if watcher is not None:
                watcher.chunks(job.plan, folder, played)
    cells: list[Cell] = [
        store.finish(experiment.folders[index], plan, wanted, experiment.about[index])
        for index, plan in enumerate(experiment.cells)
        if index not in failures
    ]
    return Run(experiment.config, cells, [failures[index] for index in sorted(failures)], store.directory)


def _progress(watcher: Watcher | None) -> Progress:
    """What engines tell, for a watcher."""
    watched: Callable[[float], None] | None = getattr(watcher, "moved", None)

    def tell(ended: int, moved: float | None = None, /) -> None:
        if watcher is not None and ended:
            watcher.advance(ended)
        if watched is not None:
            watched(ended if moved is None else moved)

    return tell


def parts(replications: int) -> list[Part]:
    """The chunks that make up so many replications; the last may be wanted in part."""
    return [
        Part(index, min(CHUNK_SIZE, replications - index * CHUNK_SIZE))
        for index in range(math.ceil(replications / CHUNK_SIZE))
    ]


def _jobs(experiment: Experiment, store: MemoryStore | FolderStore, wanted: list[Part], workers: int) -> Iterator[Job]:
    """The chunks that the store does not have yet, in jobs large enough to be quick and small enough to share."""
    for cell, (plan, folder) in enumerate(zip(experiment.cells, experiment.folders, strict=True)):
        missing = [part for part in wanted if not store.has(folder, part)]
        if not batches_chunks(plan.build_agent()):
            yield from (Job(cell, plan, (part,), CHUNK_SIZE - part.replications) for part in missing)
            continue
        sharers = JOBS_PER_WORKER * workers if workers > 1 else 1
        fitting = max(1, ARMS_AT_ONCE // (CHUNK_SIZE * plan.task.num_arms))
        width = min(CHUNKS_AT_ONCE, fitting, math.ceil(len(missing) / sharers) or 1)
        for group in _batched(missing, width):
            yield Job(cell, plan, group)


def _give_up(cell: int, jobs: deque[Job]) -> None:
    """Take a failed cell's jobs out; the other cells go on."""
    for job in [job for job in jobs if job.cell == cell]:
        jobs.remove(job)


def _batched(items: list[Part], width: int) -> Iterator[tuple[Part, ...]]:
    for start in range(0, len(items), width):
        yield tuple(items[start : start + width])


def _tables(agents: Sequence[Any] | Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Agents as tables of an experiment file."""
    labelled = agents.items() if isinstance(agents, Mapping) else ((None, agent) for agent in agents)
    for label, agent in labelled:
        if isinstance(agent, str):
            table: dict[str, Any] = {"name": agent}
        elif isinstance(agent, Mapping):
            table = dict(agent)
        else:
            table = {"object": agent}
        yield table if label is None else table | {"label": label}
