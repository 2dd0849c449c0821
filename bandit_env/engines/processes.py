"""Engines of processes on this machine, any of which may be killed at any time."""

import contextlib
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple, Self

from bandit_env.engines.engine import InProcess, Progress, Work, available_cores
from bandit_env.engines.parcels import NotLoadedError, Parcels, play
from bandit_env.engines.starting import context, end_server, main_out_of_sight, one_thread, uninterrupted
from bandit_env.errors import WorkerError

log = logging.getLogger(__name__)

WORTH_PROCESSES = 6.0  # seconds of work left from which starting processes gains: they take about 2 s to start
DEATHS = 3  # times that workers may die with nothing finished in between
PATIENCE = 5.0  # seconds that a worker may take to end once it is killed
TELL = 0.2  # seconds after which a worker says how far it is
LOOK = 2.0  # seconds after which workers that do not answer are looked at


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
        with Parcels(work) as parcels:
            if not parcels.stay(jobs):  # said before anything is played
                yield from self._map(parcels, jobs, progress)
        yield from InProcess().map(work, jobs, progress)

    def _map(self, parcels: Parcels, jobs: deque[Any], progress: Progress) -> Iterator[tuple[Any, Any]]:
        """Play the jobs that can be sent; the others are left."""
        deaths = 0
        with main_out_of_sight(), _Crew(self.workers, parcels, self._preload) as crew:
            crew.occupy(jobs)
            while answering := crew.answering():
                for worker in answering:
                    job = worker.job
                    try:
                        result = worker.receive()
                    except NotLoadedError as reason:
                        parcels.returned(job, reason)
                        jobs.appendleft(job)
                        crew.occupy(jobs)
                        continue
                    except EOFError:
                        if worker.moved:
                            progress(0, -worker.moved)  # it is played again
                        crew.bury(worker)
                        deaths += 1
                        if deaths >= DEATHS:
                            raise WorkerError(f"worker processes died {DEATHS} times with nothing finished") from None
                        jobs.appendleft(job)
                        crew.occupy(jobs)
                        continue
                    if isinstance(result, _Moved):
                        progress(0, result.experiments)
                        worker.moved += result.experiments
                        continue
                    deaths, moved = 0, worker.moved
                    worker.moved = 0.0
                    crew.occupy(jobs)  # first, as what the caller does with a result takes time
                    progress(job.size, *((job.size - moved,) if moved else ()))
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

    def __init__(self, size: int, parcels: Parcels, preload: str | None) -> None:
        self._size, self._parcels, self._preload = size, parcels, preload
        self._workers: list[_Worker] = []
        self._looked = time.monotonic()

    def __enter__(self) -> Self:
        with one_thread():
            self._context = context(self._preload)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with uninterrupted():
            for worker in self._workers:
                worker.process.kill()  # they have nothing to put in order; one that is stopped hears of nothing else
            for worker in self._workers:
                worker.end()
            if kind is not None:  # Ctrl-C, perhaps
                end_server()

    def occupy(self, jobs: deque[Any]) -> None:
        """Hand out jobs, from the left, until every worker has one; start workers while there may be more."""
        while True:
            worker = next((worker for worker in self._workers if worker.job is None), None)
            if worker is None and len(self._workers) == self._size:
                return
            packed = ((job, self._parcels.pack(job)) for job in jobs)
            job, parcel = next(((job, parcel) for job, parcel in packed if parcel is not None), (None, None))
            if parcel is None:
                return  # what is left stays here
            if worker is None:
                with uninterrupted(), one_thread():  # one half started would complain of its parent's end
                    worker = _Worker(self._context)
                    self._workers.append(worker)
            worker.send(job, parcel)
            jobs.remove(job)

    def answering(self) -> list["_Worker"]:
        """Wait until workers have answered or died, and return them; none where none has a job."""
        at_work = {worker.pipe: worker for worker in self._workers if worker.job is not None}
        while at_work:
            answered = wait(list(at_work), LOOK)
            if time.monotonic() - self._looked >= LOOK:
                self._looked = time.monotonic()
                for worker in at_work.values():
                    worker.tell_if_stopped()
            if answered:
                return [at_work[pipe] for pipe in answered]  # type: ignore[index]
        return []

    def bury(self, worker: "_Worker") -> None:
        """Let go of a worker that has died."""
        self._workers.remove(worker)
        worker.end()


class _Worker:
    """A process with a pipe of its own.

    A queue for all, as `ProcessPoolExecutor` has it, makes everyone wait for ever once a worker is killed in the
    middle of a message, or with a lock in its hand. A pipe just ends.
    """

    def __init__(self, context: BaseContext) -> None:
        self.job: Any = None
        self.moved = 0.0  # what it has told of its job so far
        self._stopped = False
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,))  # type: ignore[attr-defined]
        self.process.start()
        theirs.close()  # the worker's copy is the only one left: the pipe ends with it

    def send(self, job: Any, parcel: bytes) -> None:
        """Hand over a job, which is in that parcel."""
        with contextlib.suppress(OSError):  # it has died; `receive` will tell
            self.pipe.send_bytes(parcel)
        self.job = job

    def receive(self) -> Any:
        """The result of the job, or how far it has got.

        Raises:
            EOFError: the process has died.
            Exception: what the work raised.
        """
        try:
            message = self.pipe.recv_bytes()
        except OSError as broken:  # in the middle of its answer
            raise EOFError from broken
        result, error = pickle.loads(message)
        if isinstance(result, _Moved):
            return result
        self.job = None
        if error is not None:
            raise error
        return result

    def tell_if_stopped(self) -> None:
        """Say, once, that somebody has stopped the process: nothing else would show why the run does not get on."""
        stopped, pid = _is_stopped(self.process.pid), self.process.pid
        if stopped and not self._stopped:
            hint = f"`kill -CONT {pid}` lets it go on, `kill -9 {pid}` has its job played anew"
            log.warning("worker process %d has been stopped, and its job waits: %s", pid, hint)
        self._stopped = stopped

    def end(self) -> None:
        """Wait for the process to end, which has died or was killed."""
        self.process.join(PATIENCE)
        self.pipe.close()


def _serve(pipe: Connection) -> None:
    """A worker's life: parcels in, results out. Ctrl-C is left to the parent, whose end, however it comes, is ours."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    with contextlib.suppress(EOFError, OSError):  # the parent has gone
        while True:
            message = pipe.recv_bytes()
            try:
                answer = pickle.dumps((play(message, _Telling(pipe)), None))
            except Exception as error:
                answer = _failure(error)
            pipe.send_bytes(answer)


class _Moved(NamedTuple):
    """A message of a worker's before its answer: how much more of its job it has done, in experiments."""

    experiments: float


class _Telling:
    """A worker's word of how its job gets on, down its pipe; not so often that this would be work."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._moved, self._told = pipe, 0.0, time.monotonic()

    def __call__(self, ended: int, moved: float | None = None, /) -> None:
        """See `Progress`. That experiments have ended is told with the result."""
        if moved is None:  # there is no more to it than what the result tells
            return
        self._moved += moved
        if time.monotonic() - self._told >= TELL:
            self._pipe.send_bytes(pickle.dumps((_Moved(self._moved), None)))
            self._moved, self._told = 0.0, time.monotonic()


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


def _is_stopped(pid: int | None) -> bool:
    """Whether a process is stopped, by a signal or a debugger; False also where the system does not tell."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state in ("T", "t")


def _leave_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
