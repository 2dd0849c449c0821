"""The world of an experiment: rates, traffic and horizon. Plain data, checked once, here."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bandit_env.plugins import suggest
from bandit_env.world.start import Start, read_start
from bandit_env.world.task import Task

MAX_COUNT = 2**53  # counts are observed as float64, which holds every whole number up to here
MAX_PRIOR = 1e12  # SciPy's quantile function of Beta(a, b) is exact up to here, and NaN from about 1e16
START = ("visits", "conversions", "day")
SPLITS = ("multinomial", "proportional")
REWARDS = ("conversions", "regret")
DEFAULT_RATES = (0.04, 0.05)
DEFAULT_MIN_DAYS = 14

Rates = Sequence[float] | NDArray[np.float64]
Prior = Sequence[float] | Sequence[Sequence[float]]


@dataclass(frozen=True)
class Scenario:
    """Everything about the world that the agent does not control.

    All arguments are numbers, strings and sequences of them, so that a scenario goes into JSON and TOML. After
    construction `rates` is a tuple or None, `prior` a tuple of one (a, b) per arm or None, and `num_arms` is known.

    Args:
        rates: each arm's conversion rate, shape (K,), in [0, 1]; the same in every episode.
        prior: (a, b) of a Beta distribution, or one (a, b) per arm, shape (K, 2): each episode draws its own rates.
            Numbers above 0 and at most 1e12. Not together with `rates`; with neither, the rates are (0.04, 0.05).
        num_arms: K, from 2 to 100,000; needed only with a single (a, b).
        visits_per_day: traffic of one day, in visits, at least 1.
        updates_per_day: environment steps in one day. Update u of a day (from 0) serves
            floor((u + 1) v / U) - floor(u v / U) visits, so that every day serves exactly v.
        max_days: the horizon, in days.
        min_days: no experiment may stop before this day; None stands for 14, or max_days where that is less.
        split: "multinomial" sends each visit to an arm at random with the serving weights; "proportional" sends the
            nearest whole numbers (largest remainder; ties to the arm with the fewest visits so far, then the lowest).
        reward: "conversions", or "regret" for minus the pseudo-regret.
        cost_per_day: charged to the reward for every day that the experiment runs.
        loss_days: the day up to which what the shipped arm loses is counted, at least max_days; None stands for it.
        start: {"visits": (K,), "conversions": (K,), "day": days elapsed}, counts from which every experiment begins, as
            one does that is running already; days keep their numbers, so that min_days, max_days and every effect
            count from day 0. What is left out is 0. Rows show these counts and what came after together; regret is
            that of what came after.

    Raises:
        ValueError: a value that cannot be; names the argument, what came and what was expected.
    """

    rates: Rates | None = None
    prior: Prior | None = None
    num_arms: int | None = None
    visits_per_day: int = 100
    updates_per_day: int = 1
    max_days: int = 1000
    min_days: float | None = None
    split: str = "multinomial"
    reward: str = "conversions"
    cost_per_day: float = 0.0
    loss_days: int | None = None
    start: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.num_arms is not None:
            self._set("num_arms", whole_number("num_arms", self.num_arms, 2))
            if self.num_arms > 100_000:
                raise ValueError(f"num_arms is {self.num_arms:,}; expected at most 100,000")
        self._check_rates()
        for name in ("visits_per_day", "updates_per_day", "max_days"):
            self._set(name, whole_number(name, getattr(self, name), 1))
        loss_days = whole_number("loss_days", self.max_days if self.loss_days is None else self.loss_days, 1)
        self._set("loss_days", loss_days)
        for name in ("max_days", "loss_days"):
            if (visits := self.visits_per_day * getattr(self, name)) > MAX_COUNT:
                raise ValueError(
                    f"visits_per_day * {name} is {visits:,}; expected at most 2**53, beyond which float64 does not "
                    "hold every count"
                )
        if loss_days < self.max_days:
            raise ValueError(f"loss_days is {self.loss_days}; expected at least max_days, {self.max_days}")
        if self.updates_per_day > 10**6:
            raise ValueError(f"updates_per_day is {self.updates_per_day:,}; expected at most 1,000,000")
        given = min(DEFAULT_MIN_DAYS, self.max_days) if self.min_days is None else self.min_days
        min_days = _number("min_days", given)
        if not 0 <= min_days <= self.max_days:
            raise ValueError(f"min_days is {min_days:g}; expected at least 0 and at most max_days, {self.max_days}")
        self._set("min_days", min_days)
        self._set("cost_per_day", _number("cost_per_day", self.cost_per_day))
        if self.start is not None:
            self._check_start(self.start)
        one_of("split", self.split, SPLITS)
        one_of("reward", self.reward, REWARDS)

    @property
    def task(self) -> Task:
        """What an agent may know of this scenario."""
        assert self.num_arms is not None
        assert self.min_days is not None
        return Task(self.num_arms, self.visits_per_day, self.updates_per_day, self.min_days, self.max_days)

    @property
    def begins(self) -> Start:
        """What experiments begin from."""
        assert self.num_arms is not None
        table = dict(self.start or {})
        return read_start("start.{}", table, self.num_arms, None, self.updates_per_day, self.max_days)

    @property
    def min_updates(self) -> int:
        """The updates after which an experiment may stop: the first t with t / updates_per_day >= min_days."""
        min_days = self.task.min_days
        updates = int(min_days * self.updates_per_day)
        while updates / self.updates_per_day < min_days:
            updates += 1
        return updates

    @property
    def equal_base_rates(self) -> bool:
        """Whether all arms are given the same rate; False where rates are drawn."""
        return self.rates is not None and len(set(self.rates)) == 1

    @property
    def equal_arms(self) -> bool:
        """Whether no arm can be better: all rates equal, by construction, on every day on which the arms are there."""
        return self.equal_base_rates

    def arguments(self) -> dict[str, Any]:
        """The scenario as keyword arguments of the environments, fit for JSON; what is None is left out."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _as_list(value) for name, value in given.items() if value is not None}

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check_start(self, table: object) -> None:
        if not isinstance(table, Mapping):
            raise ValueError(f"start is {table!r}; expected a table of visits, conversions and day")
        for key in table:
            if key not in START:
                raise ValueError(f"start.{key}: unknown key{suggest(str(key), START)}")
        begins = self.begins
        self._set(
            "start",
            {
                "visits": [int(count) for count in begins.visits],
                "conversions": [int(count) for count in begins.conversions],
                "day": begins.day.item(),
            },
        )

    def _check_rates(self) -> None:
        if self.rates is not None and self.prior is not None:
            raise ValueError("rates and prior came together; expected one of them")
        if self.prior is not None:
            self._set("prior", _per_arm_prior(self.prior, self.num_arms))
        else:
            rates = check_rates("rates", DEFAULT_RATES if self.rates is None else self.rates)
            if rates.ndim != 1:
                raise ValueError(f"rates has shape {rates.shape}; expected one number per arm")
            self._set("rates", tuple(rates.tolist()))
        given = self.rates if self.prior is None else self.prior
        assert given is not None
        if len(given) < 2:
            name = "rates" if self.prior is None else "prior"
            raise ValueError(f"{name} has {len(given)} arm{'' if len(given) == 1 else 's'}; expected at least 2")
        if self.num_arms is not None and self.num_arms != len(given):
            raise ValueError(f"num_arms is {self.num_arms}, but {len(given)} arms came; expected the same number")
        self._set("num_arms", len(given))


def check_rates(name: str, rates: ArrayLike) -> NDArray[np.float64]:
    """Rates as float64, of any shape.

    Raises:
        ValueError: not numbers, or a rate outside [0, 1]; says which and where.
    """
    array = _numbers(name, rates)
    outside = ~((array >= 0) & (array <= 1))  # True for NaN
    if outside.any():
        where = tuple(np.argwhere(outside)[0].tolist())
        raise ValueError(f"{name}{list(where) or ''} is {array[where]}; expected a rate in [0, 1]")
    return array


def whole_number(name: str, value: object, least: int) -> int:
    """`value` as an int, where it is a whole number of at least `least`; 1e6 will do, True will not.

    Raises:
        ValueError: names the argument, what came and what was expected.
    """
    number = _finite(value)
    if number is not None and number == int(number) and number >= least:
        return int(number)
    raise ValueError(f"{name} is {value!r}; expected a whole number of at least {least}")


def one_of(name: str, value: object, allowed: Sequence[str]) -> None:
    """Raise a ValueError that names what is allowed, unless `value` is among it."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(map(repr, allowed))}")


def _per_arm_prior(prior: ArrayLike, num_arms: int | None) -> tuple[tuple[float, float], ...]:
    array = _numbers("prior", prior)
    if array.shape == (2,):
        if num_arms is None:
            raise ValueError("prior is one (a, b) and num_arms is missing; expected the number of arms with it")
        array = np.tile(array, (num_arms, 1))
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"prior has shape {array.shape}; expected (a, b), or one (a, b) per arm")
    bad = ~((array > 0) & (array <= MAX_PRIOR))  # True for NaN
    if bad.any():
        raise ValueError(f"prior holds {array[bad][0]}; expected numbers above 0 and at most {MAX_PRIOR:g}")
    return tuple((float(a), float(b)) for a, b in array)


def _number(name: str, value: object) -> float:
    number = _finite(value)
    if number is None:
        raise ValueError(f"{name} is {value!r}; expected a finite number")
    return number


def _finite(value: object) -> int | float | None:
    """A whole number as int, another finite number as float, and None for anything else; True is no number."""
    if isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) and math.isfinite(value) else None


def _numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "iuf":  # neither text nor bool, which float() would take
            raise TypeError
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {values!r}; expected numbers, one per arm") from None


def _as_list(value: Any) -> Any:
    return [_as_list(item) for item in value] if isinstance(value, tuple) else value
