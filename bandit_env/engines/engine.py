"""Where work is done: here in this process, or on any `concurrent.futures.Executor`; local processes: `processes`.

An engine maps a function over jobs and yields results as they come, in any order. It knows nothing of experiments,
and it cannot change a result: jobs share nothing.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any, Protocol

Progress = Callable[[int], None]
Work = Callable[[Any, Progress | None], Any]

JOBS_AHEAD = 2  # jobs handed to an executor, per worker: one that ends finds the next; their results do not pile up
IDLE = 5.0  # seconds without a result after which an executor is asked why


class Engine(Protocol):
    """Maps work over jobs."""

    workers: int
    """How many jobs run at once, at the most; jobs are cut so that all have work."""

    def map(self, work: Work, jobs: deque[Any], progress: Progress) -> Iterator[tuple[Any, Any]]:
        """Yield each job with its result.

        Args:
            work: called with a job, and with `progress` where that can be done from within.
            jobs: taken from the left; the caller may meanwhile take out those that have become pointless.
            progress: told the number of experiments that have just ended.
        """
        ...


class InProcess:
    """One job after the other, here."""

    workers = 1

    def map(self, work: Work, jobs: deque[Any], progress: Progress) -> Iterator[tuple[Any, Any]]:
        """See `Engine.map`."""
        while jobs:
            job = jobs.popleft()
            yield job, work(job, progress)


class Pool:
    """Any executor that the caller made: `dask.distributed.Client.get_executor()`, an MPI pool, threads."""

    def __init__(self, executor: Executor, workers: int | None = None) -> None:
        self._executor = executor
        self.workers = workers or getattr(executor, "_max_workers", None) or available_cores()

    def map(self, work: Work, jobs: deque[Any], progress: Progress) -> Iterator[tuple[Any, Any]]:
        """See `Engine.map`. What the executor does about dead workers is its own affair."""
        pending: dict[Future[Any], Any] = {}
        try:
            while jobs or pending:
                while jobs and len(pending) < JOBS_AHEAD * self.workers:
                    pending[self._executor.submit(work, jobs[0], None)] = jobs[0]
                    jobs.popleft()  # only now: where a job is refused, it is still there
                done, _ = wait(pending, IDLE, return_when=FIRST_COMPLETED)
                if not done:
                    self.idle()
                for future in done:
                    result, job = future.result(), pending.pop(future)
                    progress(job.size)
                    yield job, result
        finally:
            for future in pending:
                future.cancel()

    def idle(self) -> None:
        """Called every few seconds in which no job ends, for those that can tell why."""


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
