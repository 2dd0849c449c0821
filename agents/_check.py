"""Checks of constructor arguments: an error names the argument, what came and what was expected."""

from math import isfinite

from bandit_env import plugins

plugins.require_agents()  # here, as all parts import this file: says in a sentence that `agents` is somebody else's


def fraction(name: str, value: float) -> None:
    """Refuse what is not strictly between 0 and 1."""
    _number(name, value, "a number between 0 and 1, both excluded")
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}; expected a number between 0 and 1, both excluded")


def share(name: str, value: float) -> None:
    """Refuse what is not in [0, 1]."""
    _number(name, value, "a number from 0 to 1")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}; expected a number from 0 to 1")


def positive(name: str, value: float) -> None:
    """Refuse what is not a finite positive number."""
    _number(name, value, "a positive number")
    if not (value > 0 and isfinite(value)):
        raise ValueError(f"{name} is {value}; expected a positive number")


def non_negative(name: str, value: float) -> None:
    """Refuse what is not a finite number of at least 0."""
    _number(name, value, "a number of at least 0")
    if not (value >= 0 and isfinite(value)):
        raise ValueError(f"{name} is {value}; expected a number of at least 0")


def whole(name: str, value: object, at_least: int = 1) -> None:
    """Refuse what is not a whole number of at least `at_least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise ValueError(f"{name} is {value!r}; expected a whole number of at least {at_least}")


def choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse what is not one of `allowed`."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(allowed)}")


def beta_prior(value: object, name: str = "prior") -> tuple[float, float]:
    """The two parameters of a Beta distribution, as positive floats."""
    try:
        a, b = (float(part) for part in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}; expected two positive numbers [a, b]") from None
    if not (a > 0 and b > 0 and isfinite(a + b)):
        raise ValueError(f"{name} is {value!r}; expected two positive numbers [a, b]")
    return a, b


def one_of_two(part: object, name: str, instead: str, default: float) -> None:
    """Refuse both of two positive arguments of a frozen dataclass together; with neither, the first is `default`."""
    values = [getattr(part, name), getattr(part, instead)]
    if None not in values:
        raise ValueError(f"{name} is {values[0]} and {instead} is {values[1]}; expected one of the two")
    if values == [None, None]:
        object.__setattr__(part, name, default)
    for key in (name, instead):
        if getattr(part, key) is not None:
            positive(key, getattr(part, key))


def _number(name: str, value: object, expected: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {value!r}; expected {expected}")
