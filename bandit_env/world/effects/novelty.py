"""A factor that wears off from the day on which an arm is new."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit_env.world.effects.effect import Factor, Floats


@dataclass(frozen=True, kw_only=True)
class Novelty(Factor):
    """1 + (factor - 1) 2^(-d / half_life), d days after the arm's first day.

    Attributes:
        factor: on the first day, at least 0; below 1 people have to get used to what is new.
        half_life: days, above 0.
    """

    name: ClassVar[str] = "novelty"
    factor: float
    half_life: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self._number("factor", 0)
        self._number("half_life", 0)
        if self.half_life == 0:
            raise ValueError("half_life is 0; expected a number of days above 0")

    def by_day(self, days: int, max_days: int) -> Floats:  # noqa: D102 (see Effect)
        return 1 + (self.factor - 1) * np.exp2(-np.arange(days) / self.half_life)

    def first_days(self, joins: NDArray[np.int64]) -> NDArray[np.int64]:  # noqa: D102 (see Effect)
        return joins.copy()
