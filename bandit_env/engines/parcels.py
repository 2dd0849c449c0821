"""What travels to other processes, and what has to stay in this one.

What stands in a script or a notebook travels by value, with the code of its classes (cloudpickle, which Gymnasium
brings); what stands in a module travels by the module's name, and by value once a worker has not found that module.
What can do neither is played here, which is said beforehand: finished work is never lost over it.
"""

import logging
import pickle
import sys
from collections.abc import Iterable
from typing import Any

import cloudpickle

from bandit_env.engines.engine import Progress, Work

log = logging.getLogger(__name__)


class NotLoadedError(Exception):
    """A worker could not make something of what it was sent: why, and the module that it lacks, or None."""

    def __init__(self, why: str, module: str | None) -> None:
        super().__init__(why, module)
        self.why, self.module = why, module


class Parcels:
    """Packs jobs; a context manager, within which modules that workers lack travel by value."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._staying: set[int] = set()
        self._by_value: list[Any] = []
        self._packed: dict[int, int] = {}  # how many modules travelled by value when a job was packed

    def __enter__(self) -> "Parcels":
        return self

    def __exit__(self, *_: object) -> None:
        for module in self._by_value:
            cloudpickle.unregister_pickle_by_value(module)

    def stay(self, jobs: Iterable[Any]) -> bool:
        """Whether all of these jobs have to be played here; those that do are told of. One of each plan is tried."""
        packed = [self.pack(job) for job in {id(_plan(job)): job for job in jobs}.values()]
        return all(parcel is None for parcel in packed)

    def pack(self, job: Any) -> bytes | None:
        """A job with its work, as bytes for `play`; None where it has to be played here."""
        if id(_plan(job)) in self._staying:
            return None
        self._packed[id(job)] = len(self._by_value)
        try:
            return bytes(cloudpickle.dumps((self._work, job)))
        except Exception as error:  # whatever the classes of others raise there
            self._keep(job, f"{type(error).__name__}: {error}")
            return None

    def returned(self, job: Any, reason: NotLoadedError) -> None:
        """A job came back unplayed: the next time it goes by value, or stays here."""
        module = sys.modules.get(reason.module or "")
        if module is None or module in self._by_value[: self._packed.pop(id(job), None)]:
            self._keep(job, reason.why)
        elif module not in self._by_value:
            cloudpickle.register_pickle_by_value(module)
            self._by_value.append(module)

    def _keep(self, job: Any, why: str) -> None:
        plan = _plan(job)
        if id(plan) in self._staying:  # of several jobs that were on their way
            return
        self._staying.add(id(plan))
        log.warning("%s cannot be sent to other processes and is played in this one (%s)", plan, why)


def play(parcel: bytes, progress: Progress | None = None) -> Any:
    """Do what is in a parcel, wherever this is.

    Raises:
        NotLoadedError: it cannot be opened here.
    """
    work, job = unpack(parcel)
    return work(job, progress)


def unpack(parcel: bytes) -> tuple[Work, Any]:
    """The work and the job in a parcel; see `play`."""
    try:
        work, job = pickle.loads(parcel)
    except Exception as error:
        lacking = error.name if isinstance(error, ImportError) else None
        raise NotLoadedError(f"{type(error).__name__}: {error}", lacking) from None
    return work, job


def _plan(job: Any) -> Any:
    """What a job has in common with others: what can be sent of one can be sent of all."""
    return getattr(job, "plan", job)
