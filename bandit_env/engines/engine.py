"""Where work is done: here in this process; on local processes: `processes`; on any executor: `pool`.

An engine maps a function over jobs and yields results as they come, in any order. It knows nothing of experiments,
and it cannot change a result: jobs share nothing.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol


class Progress(Protocol):
    """Is told how work gets on."""

    def __call__(self, ended: int, moved: float | None = None, /) -> None:
        """So many experiments have just ended.

        Args:
            ended: how many.
            moved: how much has been done since it was last told, in experiments: one that is half over counts half.
                None: as many as have ended.
        """


Work = Callable[[Any, Progress | None], Any]


class Engine(Protocol):
    """Maps work over jobs."""

    workers: int
    """How many jobs run at once, at the most; jobs are cut so that all have work."""

    def map(self, work: Work, jobs: deque[Any], progress: Progress) -> Iterator[tuple[Any, Any]]:
        """Yield each job with its result.

        Args:
            work: called with a job, and with `progress` where that can be done from within.
            jobs: taken from the left; the caller may meanwhile take out those that have become pointless. Each has a
                `size`, in experiments, and may have a `plan`, which it shares with others.
            progress: told how many experiments have just ended, and where that is known how far the others are.
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


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
