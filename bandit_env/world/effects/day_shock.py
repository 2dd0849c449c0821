"""A shock to the log odds every day."""

from dataclasses import dataclass
from typing import ClassVar

from bandit_env.world.effects.effect import SHOCK, Effect


@dataclass(frozen=True, kw_only=True)
class DayShock(Effect):
    """Adds a draw of N(0, sd^2) to the log odds on every day, the same one for all its arms, another one each day.

    Attributes:
        sd: of the log odds, at least 0.
    """

    name: ClassVar[str] = "day-shock"
    random: ClassVar[bool] = True
    sd: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self._number("sd", 0)

    @property
    def operation(self) -> int:  # noqa: D102 (see Effect)
        return SHOCK

    @property
    def deviation(self) -> float:  # noqa: D102 (see Effect)
        return self.sd
