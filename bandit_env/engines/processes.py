"""Engines of processes on this machine, any of which may be killed at any time."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, Self

from bandit_env.engines.engine import Progress, Work, available_cores
from bandit_env.errors import WorkerError

WORTH_PROCESSES = 6.0  # seconds of work left from which starting processes gains: they take about 2 s to start
DEATHS = 3  # times that workers may die with nothing finished in between
PATIENCE = 5.0  # seconds that a worker may take to end once it is told to
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class LocalProcesses:
    """Processes on this machine, one thread each. One that is killed is replaced, and its job played again.

    Args:
        workers: how many; None for one per core.
        preload: a module that every worker needs: imported once, by the server that they are forked from.
    """

    def __init__(self, workers: int | None = None, preload: str | None = None) -> None:
        self.workers = workers or available_cores()
        self._preload = preload

    def map(self, work: Work, jobs: deque[Any], progress: Progress) -> Iterator[tuple[Any, Any]]:
        """See `Engine.map`.

        Raises:
            WorkerError: workers died three times with nothing finished in between.
        """
        deaths = 0
        with _main_out_of_sight(work, jobs), _Crew(work, self.workers, self._preload) as crew:
            crew.occupy(jobs)
            while answering := crew.answering():
                for worker in answering:
                    try:
                        job, result = worker.receive()
                    except EOFError:
                        crew.bury(worker)
                        deaths += 1
                        if deaths >= DEATHS:
                            raise WorkerError(f"worker processes died {DEATHS} times with nothing finished") from None
                        jobs.appendleft(worker.job)
                        crew.occupy(jobs)
                        continue
                    deaths = 0
                    crew.occupy(jobs)  # first, as what the caller does with a result takes time
                    progress(job.size)
                    yield job, result


class Automatic:
    """In this process while the work is small; on all cores once what is left is worth starting processes for.

    Args:
        preload: see `LocalProcesses`.
    """

    def __init__(self, preload: str | None = None) -> None:
        self.workers = available_cores()
        self._preload = preload

    def map(self, work: Work, jobs: deque[Any], progress: Progress) -> Iterator[tuple[Any, Any]]:
        """See `Engine.map`."""
        from numba.core import event

        played, seconds = 0, 0.0
        while jobs:
            left = seconds / max(played, 1) * sum(job.size for job in jobs)
            if self.workers > 1 and len(jobs) > 1 and left > WORTH_PROCESSES:
                yield from LocalProcesses(self.workers, self._preload).map(work, jobs, progress)
                return
            job = jobs.popleft()
            begin = time.perf_counter()
            with event.install_timer("numba:compiler_lock", lambda duration: None) as compiling:
                result = work(job, progress)
            # What was compiled on the way is not compiled again: it says nothing about the jobs that are left.
            once = compiling.duration if compiling.done else 0.0
            played, seconds = played + job.size, seconds + time.perf_counter() - begin - once
            yield job, result


class _Crew:
    """Workers, all gone when the block ends, whatever they are doing."""

    def __init__(self, work: Work, size: int, preload: str | None) -> None:
        self._work, self._size, self._preload = work, size, preload
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        with _one_thread():
            self._context = _context(self._preload)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.end()

    def occupy(self, jobs: deque[Any]) -> None:
        """Hand out jobs, from the left, until every worker has one; start workers while there may be more."""
        while jobs:
            worker = next((worker for worker in self._workers if worker.job is None), None)
            if worker is None and len(self._workers) == self._size:
                return
            if worker is None:
                with _uninterrupted(), _one_thread():  # one half started would complain of its parent's end
                    worker = _Worker(self._context, self._work)
                    self._workers.append(worker)
            worker.send(jobs[0])
            jobs.popleft()  # only now: where a job cannot be sent, it is still there

    def answering(self) -> list["_Worker"]:
        """Wait until workers have answered or died, and return them; none where none has a job."""
        at_work = {worker.pipe: worker for worker in self._workers if worker.job is not None}
        return [at_work[pipe] for pipe in wait(list(at_work))] if at_work else []  # type: ignore[index]

    def bury(self, worker: "_Worker") -> None:
        """Let go of a worker that has died."""
        self._workers.remove(worker)
        worker.end()


class _Worker:
    """A process with a pipe of its own.

    A queue for all, as `ProcessPoolExecutor` has it, makes everyone wait for ever once a worker is killed in the
    middle of a message, or with a lock in its hand. A pipe just ends.
    """

    def __init__(self, context: BaseContext, work: Work) -> None:
        self.job: Any = None
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work))  # type: ignore[attr-defined]
        self.process.start()
        theirs.close()  # the worker's copy is the only one left: the pipe ends with it

    def send(self, job: Any) -> None:
        """Hand over a job."""
        message = pickle.dumps(job)
        with contextlib.suppress(OSError):  # it has died; `receive` will tell
            self.pipe.send_bytes(message)
        self.job = job

    def receive(self) -> tuple[Any, Any]:
        """The job and its result.

        Raises:
            EOFError: the process has died.
            Exception: what the work raised.
        """
        try:
            message = self.pipe.recv_bytes()
        except OSError as broken:  # in the middle of its answer
            raise EOFError from broken
        job, self.job = self.job, None
        result, error = pickle.loads(message)
        if error is not None:
            raise error
        return job, result

    def end(self) -> None:
        """Wait for the process to end, which was told to; then kill it."""
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


def _serve(pipe: Connection, work: Work) -> None:
    """A worker's life: jobs in, results out. Ctrl-C is left to the parent, whose end, however it comes, is ours."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    with contextlib.suppress(EOFError, OSError):  # the parent has gone
        while True:
            message = pipe.recv_bytes()
            try:
                answer = pickle.dumps((work(pickle.loads(message), None), None))
            except Exception as error:
                answer = _failure(error)
            pipe.send_bytes(answer)


def _failure(error: Exception) -> bytes:
    """An answer that tells of an error, in words where the error itself would not survive the journey."""
    trace = "".join(traceback.format_exception(error))
    error.add_note(f"In a worker process:\n{trace}")
    try:
        answer = pickle.dumps((None, error))
        pickle.loads(answer)
    except Exception:
        return pickle.dumps((None, WorkerError(trace)))
    return answer


def _leave_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _context(preload: str | None) -> BaseContext:
    """How processes are started: by a server that has imported `preload` once, where the system has such servers."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload] if preload else [])
    # Ctrl-C reaches the whole process group. The server must not see it, not even while it imports: it inherits the
    # mask. Started first, as it would undo the mask: the resource tracker, which ignores Ctrl-C by itself.
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return context


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
