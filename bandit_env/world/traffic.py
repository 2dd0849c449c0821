"""How many visitors come: always as many, or a random number."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit_env.plugins import suggest
from bandit_env.world.checks import number, one_of

MODELS = ("fixed", "poisson", "negative-binomial")


@dataclass(frozen=True)
class Traffic:
    """The law of a day's visits, of mean m.

    Attributes:
        model: "fixed": m, to the nearest whole number. "poisson". "negative-binomial": variance m + m^2 / size, that is
            Poisson with a mean that is m times a Gamma of mean 1 and variance 1 / size, drawn once a day.
        size: of the negative binomial, above 0.

    With several updates a day each of them brings its share of m, or is Poisson with its share of the day's mean.
    """

    model: str = "fixed"
    size: float | None = None

    def __post_init__(self) -> None:
        one_of("traffic.model", self.model, MODELS)
        if self.model == "negative-binomial":
            if self.size is None:
                raise ValueError("traffic.size is missing; expected a number above 0 beside 'negative-binomial'")
            size = number("traffic.size", self.size)
            if size <= 0:
                raise ValueError(f"traffic.size is {size:g}; expected a number above 0")
            object.__setattr__(self, "size", float(size))
        elif self.size is not None:
            raise ValueError(f"traffic.size is {self.size!r}, but {self.model!r} has none")

    @property
    def random(self) -> bool:
        """Whether the number differs from row to row."""
        return self.model != "fixed"

    def argument(self) -> str | dict[str, Any]:
        """As `read_traffic` takes it, fit for JSON."""
        return self.model if self.size is None else {"model": self.model, "size": self.size}


def read_traffic(given: object) -> Traffic:
    """The traffic that a model's name or a table {"model": ..., "size": ...} describes.

    Raises:
        ValueError: anything else; names the key.
    """
    if isinstance(given, Traffic):
        return given
    if isinstance(given, str):
        one_of("traffic", given, MODELS)
        given = {"model": given}
    if not isinstance(given, Mapping) or "model" not in given:
        raise ValueError(
            f"traffic is {given!r}; expected {', '.join(map(repr, MODELS))}, or a table with a key 'model'"
        )
    for key in given:
        if key not in ("model", "size"):
            raise ValueError(f"traffic.{key}: unknown key{suggest(str(key), ('model', 'size'))}")
    return Traffic(given["model"], given.get("size"))


def mean_visits(visits_per_day: int, weekday: tuple[float, ...] | None, traffic: Traffic) -> NDArray[np.float64]:
    """The mean traffic of each day of the week, shape (7,): for fixed traffic whole numbers, halves up."""
    means = visits_per_day * np.array(weekday or [1.0] * 7)
    return means if traffic.random else np.floor(means + 0.5)


def fixed_visits(means: NDArray[np.float64], updates_per_day: int) -> NDArray[np.int64]:
    """The visits of each update of each day of the week, shape (7, U): floor((u + 1) m / U) - floor(u m / U)."""
    whole = [int(mean) for mean in means]
    table = [[(i + 1) * v // updates_per_day - i * v // updates_per_day for i in range(updates_per_day)] for v in whole]
    return np.array(table, np.int64)
