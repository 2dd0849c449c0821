"""What a replayed table is made of: printed figures beside ours, and what they come to."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from bandit_env.desk.replay.playing import Stage

AGREES, KNOWN, DISAGREES = "agrees", "disagrees as known", "disagrees"
STANDARD_ERRORS = 4  # that two numbers may lie apart


@dataclass(frozen=True)
class Figure:
    """One printed number beside ours.

    Attributes:
        what: what is counted.
        printed: the published number.
        ours: the same from this package.
        unit: one in the last digit that is printed; the printed number is off by up to half of it.
        printed_error: standard error of the published number; 0 where it is exact.
        error: standard error of ours; 0 where it is exact.
        truncated: the source cuts digits off instead of rounding.
        known: why it does not agree, where that is known.
    """

    what: str
    printed: float
    ours: float
    unit: float = 0.0
    printed_error: float = 0.0
    error: float = 0.0
    truncated: bool = False
    known: str = ""

    @property
    def tolerance(self) -> float:
        """How far apart the two may lie: four combined standard errors, and what printing cut off."""
        rounding = self.unit * (1.0 if self.truncated else 0.5)
        return STANDARD_ERRORS * math.hypot(self.printed_error, self.error) + rounding * (1 + 1e-9)

    @property
    def verdict(self) -> str:
        """`AGREES`, `KNOWN` or `DISAGREES`; a number that is none agrees with nothing."""
        if abs(self.ours - self.printed) <= self.tolerance:
            return AGREES
        return KNOWN if self.known and math.isfinite(self.ours) else DISAGREES

    def to_dict(self) -> dict[str, Any]:
        """The figure as JSON holds it."""
        keys = ("what", "printed", "printed_error", "ours", "error", "known")
        return {key: getattr(self, key) for key in keys} | {"verdict": self.verdict}


@dataclass(frozen=True)
class Entry:
    """One published table, or some rows of it, and how it is played again.

    Attributes:
        name: what `bandit-env replay` is asked for.
        source: who printed it, with page or table.
        settings: what was played.
        play: makes the figures.
        quick: takes seconds.
        experiment: the experiment file that it is played from, if the runner plays it.
    """

    name: str
    source: str
    settings: str
    play: "Callable[[Stage], Sequence[Figure]]" = field(repr=False)
    quick: bool = True
    experiment: str | None = None


@dataclass(frozen=True)
class Outcome:
    """An entry with its figures, or with what kept it from having them."""

    entry: Entry
    figures: Sequence[Figure]
    seconds: float
    failure: str = ""

    @property
    def verdict(self) -> str:
        """The worst of the figures'; a replay that failed disagrees."""
        found = {figure.verdict for figure in self.figures}
        if self.failure or DISAGREES in found or not found:
            return DISAGREES
        return KNOWN if KNOWN in found else AGREES

    def to_dict(self) -> dict[str, Any]:
        """The outcome as JSON holds it."""
        return {
            "name": self.entry.name,
            "source": self.entry.source,
            "settings": self.entry.settings,
            "experiment": self.entry.experiment,
            "seconds": round(self.seconds, 1),
            "verdict": self.verdict,
            "failure": self.failure or None,
            "figures": [figure.to_dict() for figure in self.figures],
        }


def mean(
    what: str,
    printed: float,
    values: ArrayLike,
    *,
    unit: float = 0.0,
    runs: float = 0,
    printed_error: float = 0.0,
    known: str = "",
) -> Figure:
    """A printed mean, or share, beside that of `values`, one per replication.

    The source's own standard error, where it is not given, is what `runs` replications of ours would have. That of a
    share is with two successes and two failures more (Agresti and Coull 1998): few replications may all be alike.
    """
    array = np.asarray(values)
    spread = float(array.std(ddof=1))
    if array.dtype.kind == "b":
        share = (array.sum() + 2) / (array.size + 4)
        spread = math.sqrt(share * (1 - share))
    theirs = spread / math.sqrt(runs) if runs else printed_error
    return Figure(what, printed, float(array.mean()), unit, theirs, spread / math.sqrt(array.size), known=known)
