"""A factor that moves on a straight line until the horizon."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bandit_env.world.effects.effect import Factor, Floats


@dataclass(frozen=True, kw_only=True)
class Trend(Factor):
    """from + (to - from) d / (max_days - 1) on day d: `to` on the last day before the horizon, and ever after.

    Attributes:
        from_: the factor on day 0; the key is `from`.
        to: the factor on day max_days - 1.
    """

    name: ClassVar[str] = "trend"
    from_: float = 1.0
    to: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self._number("from_", 0)
        self._number("to", 0)

    def by_day(self, days: int, max_days: int) -> Floats:  # noqa: D102 (see Effect)
        if max_days == 1:
            return np.full(days, self.to)
        line = self.from_ + (self.to - self.from_) * np.arange(days) / (max_days - 1)
        return np.where(np.arange(days) < max_days - 1, line, self.to)
