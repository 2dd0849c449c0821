"""Published tables, replayed: `bandit-env replay`.

>>> from bandit_env.desk.replay import replay
>>> replay("pocock-constants").verdict
'agrees'
"""

import time
from collections.abc import Iterator

from bandit_env.desk.replay.entry import Entry, Figure, Outcome
from bandit_env.desk.replay.playing import Stage
from bandit_env.errors import ExperimentError, StorageError, WorkerError
from bandit_env.plugins import suggest

__all__ = ["Entry", "Figure", "Outcome", "Stage", "available", "replay"]


def available() -> dict[str, Entry]:
    """All entries, by name, in the order of the list."""
    return {entry.name: entry for entry in _entries()}


def find(name: str) -> Entry:
    """The entry of that name.

    Raises:
        ExperimentError: there is none; the nearest one is suggested.
    """
    known = available()
    if name not in known:
        raise ExperimentError(f"no replay is called {name!r}{suggest(name, known)}")
    return known[name]


def replay(name: str, stage: Stage | None = None) -> Outcome:
    """Play one entry again, and hold it against what was printed.

    What goes wrong on the way is the outcome's `failure`.

    Raises:
        ExperimentError: no entry is called so.
    """
    entry, begin = find(name), time.perf_counter()
    try:
        figures, failure = tuple(entry.play(stage or Stage())), ""
    except (ExperimentError, StorageError, WorkerError, ValueError, ArithmeticError) as error:
        figures, failure = (), f"{type(error).__name__}: {error}"
    return Outcome(entry, figures, time.perf_counter() - begin, failure)


def _entries() -> Iterator[Entry]:
    from bandit_env.desk.replay.published import (
        classical,
        indices,
        meta_learning,
        peeking,
        posteriors,
        scott,
        simulators,
    )

    for field in (scott, classical, posteriors, peeking, indices, simulators, meta_learning):
        yield from field.ENTRIES
