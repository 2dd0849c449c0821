"""The public facts of an experiment: what an agent may know before it begins."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Task:
    """What the planner of an experiment has fixed. Never the rates: those are what the agent is to find out.

    Attributes:
        num_arms: K, the number of arms; arm 0 is the control.
        visits_per_day: mean traffic of one day, in visits.
        updates_per_day: environment steps in one day.
        min_days: no agent may stop before this day: what the world enforces, so that every arm has been served a day.
        max_days: the horizon, in days.
        joins: the first day on which each arm is served, shape (K,); empty where all are there from day 0.
        leaves: the first day on which each arm is no longer served, None for one that stays, shape (K,); empty where
            all stay.
    """

    num_arms: int
    visits_per_day: int
    updates_per_day: int = 1
    min_days: float = 0
    max_days: float = 1000
    joins: tuple[int, ...] = ()
    leaves: tuple[int | None, ...] = ()

    def __post_init__(self) -> None:
        for name in ("joins", "leaves"):  # lists, where the task comes from JSON
            days = tuple(getattr(self, name))
            if len(days) not in (0, self.num_arms):
                raise ValueError(f"{name} has {len(days)} days; expected one for each of the {self.num_arms} arms")
            object.__setattr__(self, name, days)

    @property
    def max_updates(self) -> int:
        """The horizon, in updates."""
        return round(self.max_days * self.updates_per_day)

    @property
    def changes_arms(self) -> bool:
        """Whether an arm joins or leaves."""
        return bool(self.joins or self.leaves)

    def available(self, day: ArrayLike) -> NDArray[np.bool_]:
        """Which arms are there in the update that begins at `day`, days elapsed, shape (n,); returns shape (n, K)."""
        now = np.asarray(day, dtype=np.float64)[..., None]
        there = np.ones((*now.shape[:-1], self.num_arms), dtype=np.bool_)
        if self.joins:
            there &= now >= np.array(self.joins)
        if self.leaves:
            there &= now < np.array([np.inf if last is None else last for last in self.leaves])
        return there
