"""Any `concurrent.futures.Executor` as an engine."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any

from bandit_env.engines.engine import InProcess, Progress, Work, available_cores
from bandit_env.engines.parcels import NotLoadedError, Parcels, play

JOBS_AHEAD = 2  # jobs handed to an executor, per worker: one that ends finds the next; their results do not pile up
IDLE = 5.0  # seconds without a result after which an executor is asked why


class Pool:
    """Any executor that the caller made: `dask.distributed.Client.get_executor()`, an MPI pool, threads."""

    def __init__(self, executor: Executor, workers: int | None = None) -> None:
        self._executor = executor
        self.workers = workers or getattr(executor, "_max_workers", None) or available_cores()

    def map(self, work: Work, jobs: deque[Any], progress: Progress) -> Iterator[tuple[Any, Any]]:
        """See `Engine.map`. What the executor does about dead workers is its own affair."""
        pending: dict[Future[Any], Any] = {}
        try:
            with Parcels(work) as parcels:
                parcels.stay(jobs)  # said before anything is played
                while self._submit(jobs, pending, parcels) or pending:
                    done, _ = wait(pending, IDLE, return_when=FIRST_COMPLETED)
                    if not done:
                        self.idle()
                    for future in done:
                        try:
                            result, job = future.result(), pending.pop(future)
                        except NotLoadedError as reason:
                            job = pending.pop(future)
                            jobs.appendleft(job)
                            parcels.returned(job, reason)
                            continue
                        progress(job.size)
                        yield job, result
            yield from InProcess().map(work, jobs, progress)
        finally:
            for future in pending:
                future.cancel()

    def _submit(self, jobs: deque[Any], pending: dict[Future[Any], Any], parcels: Parcels) -> bool:
        """Hand out jobs, as many as are to be ahead; whether there were any."""
        begun = len(pending)
        for job in list(jobs):
            if len(pending) >= JOBS_AHEAD * self.workers:
                break
            if (parcel := parcels.pack(job)) is not None:
                pending[self._executor.submit(play, parcel)] = job
                jobs.remove(job)  # only now: where a job is refused, it is still there
        return len(pending) > begun

    def idle(self) -> None:
        """Called every few seconds in which no job ends, for those that can tell why."""
