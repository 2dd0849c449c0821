"""Log odds that wander."""

from dataclasses import dataclass
from typing import ClassVar

from bandit_env.world.effects.effect import WALK, Effect


@dataclass(frozen=True, kw_only=True)
class Walk(Effect):
    """Each arm's log odds walk by N(0, sd^2) a day, each arm on its own; day 0 is where they begin.

    Attributes:
        sd: of one day's step, at least 0.
    """

    name: ClassVar[str] = "walk"
    random: ClassVar[bool] = True
    sd: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self._number("sd", 0)

    @property
    def operation(self) -> int:  # noqa: D102 (see Effect)
        return WALK

    @property
    def deviation(self) -> float:  # noqa: D102 (see Effect)
        return self.sd
