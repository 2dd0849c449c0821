"""A factor for each day of the week."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bandit_env.world.checks import seven_factors
from bandit_env.world.effects.effect import Factor, Floats


@dataclass(frozen=True, kw_only=True)
class Weekday(Factor):
    """Day d has the factor factors[d % 7].

    Attributes:
        factors: seven numbers of at least 0.
    """

    name: ClassVar[str] = "weekday"
    factors: tuple[float, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("factors", seven_factors("factors", self.factors))

    def by_day(self, days: int, max_days: int) -> Floats:  # noqa: D102 (see Effect)
        return np.asarray(self.factors)[np.arange(days) % 7]
