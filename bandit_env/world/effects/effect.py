"""What an effect is: something that moves rates from day to day, written as a table, compiled as arrays."""

from abc import ABC
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit_env.plugins import suggest
from bandit_env.world.checks import numbers, one_of, whole_number

Floats = NDArray[np.float64]
SCALES = ("rate", "odds")
RATE, ODDS, SWITCH, SHOCK, WALK = range(5)
"""What the compiled step does with an effect: multiply a rate or its odds by the day's factor, replace the rate, or add
to the log odds what it draws, for all arms together or for each."""


@dataclass(frozen=True, kw_only=True)
class Effect(ABC):
    """Moves rates from day to day. A frozen dataclass whose fields are the keys of its table.

    Attributes:
        arm: the arms that it moves: one, or several; None for all alike.
    """

    name: ClassVar[str]
    """What the table's key `effect` says."""

    random: ClassVar[bool] = False
    """Whether it draws, and so differs from row to row."""

    arm: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.arm is None:
            return
        arms = self.arm if isinstance(self.arm, (tuple, list)) else (self.arm,)
        if not arms:
            raise ValueError(f"arm is {self.arm!r}; expected an arm, or a list of arms")
        found = tuple(whole_number("arm", arm, 0) for arm in arms)
        if len(set(found)) < len(found):
            raise ValueError(f"arm is {list(found)}; expected each arm once")
        self._set("arm", found if isinstance(self.arm, (tuple, list)) else found[0])

    @property
    def operation(self) -> int:
        """One of RATE, ODDS, SWITCH, SHOCK, WALK."""
        raise NotImplementedError

    def arms(self, num_arms: int) -> tuple[int, ...]:
        """The arms that it moves, of `num_arms`."""
        if self.arm is None:
            return tuple(range(num_arms))
        return self.arm if isinstance(self.arm, tuple) else (self.arm,)

    def check(self, num_arms: int) -> None:
        """Raise a ValueError unless it fits a scenario of `num_arms` arms."""
        for arm in self.arms(num_arms):
            if arm >= num_arms:
                raise ValueError(f"arm is {arm}; expected arms from 0 to {num_arms - 1}")

    def by_day(self, days: int, max_days: int) -> Floats:
        """The factor on each of the first so many days, from day 0 or the arm's first, shape (days,)."""
        return np.ones(days)

    def first_days(self, joins: NDArray[np.int64]) -> NDArray[np.int64]:
        """The day on which `by_day` begins for each arm, shape (K,), where the arms join on `joins`."""
        return np.zeros_like(joins)

    def new_rates(self, num_arms: int) -> Floats:
        """The rates that a switch puts in place, shape (K,)."""
        return np.zeros(num_arms)

    @property
    def deviation(self) -> float:
        """The standard deviation of what a random effect draws."""
        return 0.0

    def table(self) -> dict[str, Any]:
        """The effect as `read_effect` takes it, fit for JSON."""
        given = {f.name.rstrip("_"): getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}
        lists = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}
        return {"effect": self.name} | lists

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _number(self, name: str, least: float) -> None:
        value = numbers(name, getattr(self, name))
        if value.ndim or not np.isfinite(value) or value < least:
            raise ValueError(f"{name.rstrip('_')} is {getattr(self, name)!r}; expected a number of at least {least:g}")
        self._set(name, value.item())


@dataclass(frozen=True, kw_only=True)
class Factor(Effect):
    """An effect that is a factor, known for every day.

    Attributes:
        scale: "rate" multiplies the rate, "odds" its odds.
    """

    scale: str = "rate"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("scale", self.scale, SCALES)

    @property
    def operation(self) -> int:  # noqa: D102 (see Effect)
        return RATE if self.scale == "rate" else ODDS


def build(kinds: Mapping[str, type[Effect]], table: object, num_arms: int) -> Effect:
    """An effect from its table: `effect`, the name of its kind, and the kind's own keys.

    Raises:
        ValueError: an unknown name or key, a key that is missing, a value that cannot be.
    """
    if isinstance(table, Effect):
        table.check(num_arms)
        return table
    if not isinstance(table, Mapping) or not isinstance(table.get("effect"), str):
        raise ValueError(f"found {table!r}; expected a table with a key 'effect', one of {', '.join(sorted(kinds))}")
    name, settings = table["effect"], {key: value for key, value in table.items() if key != "effect"}
    if name not in kinds:
        raise ValueError(f"unknown effect {name!r}{suggest(name, kinds)}")
    kind = kinds[name]
    keys = {f.name.rstrip("_"): f for f in fields(kind)}
    try:
        for key in settings:
            if key not in keys:
                raise ValueError(f"unknown key {key!r}{suggest(str(key), keys)}")
        made = kind(**{keys[key].name: value for key, value in settings.items()})
        made.check(num_arms)
    except TypeError as error:
        required = [key for key, f in keys.items() if f.default is MISSING]
        missing = [key for key in required if key not in settings]
        reason = f"{' and '.join(map(repr, missing))} missing" if missing else str(error)
        raise ValueError(f"{name}: {reason}") from error
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return made
