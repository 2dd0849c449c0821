"""Other rates from a day on."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit_env.world.checks import check_rates, whole_number
from bandit_env.world.effects.effect import SWITCH, Effect, Floats


@dataclass(frozen=True, kw_only=True)
class Switch(Effect):
    """From a day on the rates are `rates`, whatever the effects before this one in the list made of them.

    Several of them, of increasing days, make a piecewise constant world.

    Attributes:
        day: the first day with the new rates.
        rates: in [0, 1], one for each of the effect's arms, in their order.
    """

    name: ClassVar[str] = "switch"
    day: int
    rates: tuple[float, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("day", whole_number("day", self.day, 0))
        rates = check_rates("rates", self.rates)
        self._set("rates", tuple(np.atleast_1d(rates).tolist()) if rates.ndim < 2 else self.rates)

    @property
    def operation(self) -> int:  # noqa: D102 (see Effect)
        return SWITCH

    def check(self, num_arms: int) -> None:  # noqa: D102 (see Effect)
        super().check(num_arms)
        if len(self.rates) != len(self.arms(num_arms)):
            expected = f"one for each of its {len(self.arms(num_arms))} arms"
            raise ValueError(f"rates has {len(self.rates)} numbers; expected {expected}")

    def first_days(self, joins: NDArray[np.int64]) -> NDArray[np.int64]:  # noqa: D102 (see Effect)
        return np.full_like(joins, min(self.day, 2**62))

    def new_rates(self, num_arms: int) -> Floats:  # noqa: D102 (see Effect)
        rates = np.zeros(num_arms)
        rates[list(self.arms(num_arms))] = self.rates
        return rates
