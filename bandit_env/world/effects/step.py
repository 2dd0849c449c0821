"""A factor from a day on."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bandit_env.world.checks import whole_number
from bandit_env.world.effects.effect import Factor, Floats


@dataclass(frozen=True, kw_only=True)
class Step(Factor):
    """The factor is 1 before a day, and `factor` from that day on.

    Attributes:
        day: the first day with the factor.
        factor: at least 0.
    """

    name: ClassVar[str] = "step"
    day: int
    factor: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("day", whole_number("day", self.day, 0))
        self._number("factor", 0)

    def by_day(self, days: int, max_days: int) -> Floats:  # noqa: D102 (see Effect)
        return np.where(np.arange(days) >= self.day, self.factor, 1.0)
