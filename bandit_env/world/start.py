"""What an experiment begins from, where it does not begin from nothing: a day, and the counts so far."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Start:
    """Counts so far, of one experiment or of n.

    Attributes:
        visits: served so far, shape (K,) or (n, K).
        conversions: how many of them converted, shape (K,) or (n, K).
        day: days elapsed, shape () or (n,).
    """

    visits: NDArray[np.float64]
    conversions: NDArray[np.float64]
    day: NDArray[np.float64]

    def at(self, rows: NDArray[np.int64]) -> "Start":
        """That of some of the n experiments."""
        return Start(
            self.visits[rows] if self.visits.ndim > 1 else self.visits,
            self.conversions[rows] if self.conversions.ndim > 1 else self.conversions,
            self.day[rows] if self.day.ndim else self.day,
        )


def read_start(
    name: str, table: dict[str, Any], num_arms: int, batch: int | None, updates_per_day: int, last: int
) -> Start:
    """A start from "visits", "conversions" and "day"; what is left out is 0.

    Args:
        name: of the table, with a place for the key, such as "start[{}]", for errors.
        table: the three.
        num_arms: K.
        batch: N, where each experiment may have its own; None where there is one for all.
        updates_per_day: of the scenario.
        last: the last day that may be begun from.

    Raises:
        ValueError: one of visits and conversions without the other, another shape, no whole numbers of at least 0,
            more conversions than visits, a day past the horizon or in the middle of an update.
    """
    rows: list[tuple[int, ...]] = [()] if batch is None else [(), (batch,)]
    given = [key for key in ("visits", "conversions") if table.get(key) is not None]
    if len(given) == 1:
        raise ValueError(f"{name.format(given[0])} came alone; expected visits and conversions together")
    shapes = [(*shape, num_arms) for shape in rows]
    visits, conversions = (
        _read(name.format(key), table.get(key, np.zeros(num_arms)), shapes) for key in ("visits", "conversions")
    )
    start = Start(visits, conversions, _read(name.format("day"), table.get("day", 0), rows))
    for key, array in (("visits", start.visits), ("conversions", start.conversions)):
        if (bad := ~((array >= 0) & (array <= 2.0**53) & (np.rint(array) == array))).any():
            raise ValueError(f"{name.format(key)} holds {array[bad][0]:g}; expected whole numbers of at least 0")
    visits, conversions = np.broadcast_arrays(visits, conversions)
    if (conversions > visits).any():
        where = tuple(np.argwhere(conversions > visits)[0].tolist())
        many, few = conversions[where], visits[where]
        raise ValueError(
            f"{name.format('conversions')}{list(where)} is {many:,.0f}; expected at most the visits, {few:,.0f}"
        )
    updates = start.day * updates_per_day
    bad = ~((start.day >= 0) & (start.day <= last) & (np.abs(updates - np.rint(updates)) < 1e-9))
    if bad.any():
        raise ValueError(
            f"{name.format('day')} is {np.atleast_1d(start.day)[np.atleast_1d(bad)][0]:g}; expected whole updates, of "
            f"which a day has {updates_per_day}, from day 0 to {last}"
        )
    return start


def _read(name: str, values: ArrayLike, shapes: list[tuple[int, ...]]) -> NDArray[np.float64]:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "iuf":
            raise TypeError
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {values!r}; expected numbers") from None
    if array.shape not in shapes:
        raise ValueError(f"{name} has shape {array.shape}; expected {' or '.join(map(str, shapes))}")
    return array.astype(np.float64)
