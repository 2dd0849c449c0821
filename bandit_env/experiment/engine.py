"""Where work is done: in this process, on local processes, or on any `concurrent.futures.Executor`.

An engine maps a function over jobs and yields results as they come, in any order. It knows nothing of experiments,
and it cannot change a result: jobs share nothing.
"""

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from bandit_env.experiment.errors import WorkerError

Progress = Callable[[int], None]
Work = Callable[[Any, Progress | None], Any]

WORTH_PROCESSES = 6.0  # seconds of work left from which starting processes gains: they take about 2 s to start
IDLE = 5.0  # seconds without a result after which an executor is asked why
DEATHS = 3  # times that workers may die with nothing finished in between
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


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


class LocalProcesses:
    """Processes on this machine, one thread each. One that is killed is replaced, and its job played again."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or available_cores()

    def map(self, work: Work, jobs: deque[Any], progress: Progress) -> Iterator[tuple[Any, Any]]:
        """See `Engine.map`.

        Raises:
            WorkerError: workers died three times with nothing finished in between.
        """
        deaths = 0
        while jobs:
            with _main_out_of_sight(work, jobs), _process_pool(self.workers) as pool:
                flow = _Flow(pool, work, jobs, limit=self.workers + 1)
                try:
                    for job, result in flow:
                        deaths = 0
                        progress(job.size)
                        yield job, result
                except BrokenProcessPool as error:
                    deaths += 1
                    if deaths >= DEATHS:
                        raise WorkerError(f"worker processes died {DEATHS} times with nothing finished") from error
                    jobs.extendleft(reversed(flow.unfinished))


class Pool:
    """Any executor that the caller made: `dask.distributed.Client.get_executor()`, an MPI pool, threads."""

    def __init__(self, executor: Executor, workers: int | None = None) -> None:
        self._executor = executor
        self.workers = workers or getattr(executor, "_max_workers", None) or available_cores()

    def map(self, work: Work, jobs: deque[Any], progress: Progress) -> Iterator[tuple[Any, Any]]:
        """See `Engine.map`. What the executor does about dead workers is its own affair."""
        for job, result in _Flow(self._executor, work, jobs, limit=2 * self.workers, idle=self.idle):
            progress(job.size)
            yield job, result

    def idle(self) -> None:
        """Called every few seconds in which no job ends, for those that can tell why."""


class Automatic:
    """In this process while the work is small; on all cores once what is left is worth starting processes for."""

    def __init__(self) -> None:
        self.workers = available_cores()

    def map(self, work: Work, jobs: deque[Any], progress: Progress) -> Iterator[tuple[Any, Any]]:
        """See `Engine.map`."""
        from numba.core import event

        played, seconds = 0, 0.0
        while jobs:
            left = seconds / max(played, 1) * sum(job.size for job in jobs)
            if self.workers > 1 and len(jobs) > 1 and left > WORTH_PROCESSES:
                yield from LocalProcesses(self.workers).map(work, jobs, progress)
                return
            job = jobs.popleft()
            begin = time.perf_counter()
            with event.install_timer("numba:compiler_lock", lambda duration: None) as compiling:
                result = work(job, progress)
            # What was compiled on the way is not compiled again: it says nothing about the jobs that are left.
            once = compiling.duration if compiling.done else 0.0
            played, seconds = played + job.size, seconds + time.perf_counter() - begin - once
            yield job, result


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Flow:
    """Jobs through an executor, at most `limit` at a time, so that neither they nor their results pile up."""

    def __init__(
        self, executor: Executor, work: Work, jobs: deque[Any], limit: int, idle: Callable[[], None] | None = None
    ) -> None:
        self._executor, self._work, self._jobs, self._limit, self._idle = executor, work, jobs, limit, idle
        self._pending: dict[Future[Any], Any] = {}

    @property
    def unfinished(self) -> list[Any]:
        """Jobs handed over whose results have not come."""
        return list(self._pending.values())

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        try:
            self._fill()
            while self._pending:
                done, _ = wait(self._pending, IDLE if self._idle else None, return_when=FIRST_COMPLETED)
                if not done and self._idle:
                    self._idle()
                for future in done:
                    result = future.result()
                    yield self._pending.pop(future), result
                self._fill()
        finally:
            for future in self._pending:
                future.cancel()

    def _fill(self) -> None:
        while self._jobs and len(self._pending) < self._limit:
            with _uninterrupted():  # it may start processes, and one half started would complain of its parent's end
                future = self._executor.submit(self._work, self._jobs[0], None)
            self._pending[future] = self._jobs.popleft()  # only now: where a job is refused, it is still there


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C to the end of the block. (A signal mask would not do: another thread would take the signal.)"""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def _process_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of fresh processes, gone when the block ends, whatever they are doing."""
    before = set(multiprocessing.active_children())
    with _one_thread():
        context = _context()
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker)
        try:
            yield pool
        finally:
            # The processes first: one that is only beginning would miss the pool's semaphores, and complain.
            processes = set(multiprocessing.active_children()) - before
            for process in processes:
                process.terminate()
            for process in processes:
                process.join()
            pool.shutdown(cancel_futures=True)  # and wait: its thread, still closing, would trip up Python's exit


def _context() -> BaseContext:
    """How processes are started: by a server that has imported the runner once, where the system has such servers."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bandit_env.experiment.runner"])
    # Ctrl-C reaches the whole process group. The server must not see it, not even while it imports: it inherits the
    # mask. Started first, as it would undo the mask: the resource tracker, which ignores Ctrl-C by itself.
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return context


def _begin_worker() -> None:
    """Leave Ctrl-C to the parent, and do not outlive it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


@contextlib.contextmanager
def _main_out_of_sight(work: Work, jobs: Iterable[Any]) -> Iterator[None]:
    """Keep child processes from running the caller's script again, unless something of it is sent to them.

    So a script needs no `if __name__ == "__main__"`, which multiprocessing otherwise asks for.
    """
    main = sys.modules["__main__"]
    if b"__main__" in pickle.dumps((work, list(jobs))):
        yield
        return
    names = {name: getattr(main, name) for name in ("__spec__", "__file__") if hasattr(main, name)}
    try:
        for name in names:
            setattr(main, name, None)
        yield
    finally:
        for name, value in names.items():
            setattr(main, name, value)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Child processes that start within the block use one thread each, so that they do not fight for the cores."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
