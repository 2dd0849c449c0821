"""The world of an experiment: rates, traffic and horizon. Plain data, checked once, here."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bandit_env.plugins import suggest
from bandit_env.world.checks import check_rates, number, numbers, one_of, seven_factors, whole_number
from bandit_env.world.effects import Effect, read_effects
from bandit_env.world.effects.program import (
    Program,
    check_rates_stay,
    compile_effects,
    draws_alone,
    rates_are_equal,
)
from bandit_env.world.start import Start, read_start
from bandit_env.world.task import Task
from bandit_env.world.traffic import Traffic, mean_visits, read_traffic

MAX_COUNT = 2**53  # counts are observed as float64, which holds every whole number up to here
MAX_PRIOR = 1e12  # SciPy's quantile function of Beta(a, b) is exact up to here, and NaN from about 1e16
NEVER = 2**62  # a day that does not come
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
        visits_per_day: mean traffic of one day, in visits, at least 1.
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
        traffic: "fixed", "poisson", or {"model": "negative-binomial", "size": k}; see `bandit_env.world.traffic`.
        weekday_traffic: seven factors of the mean traffic, for day d that of d % 7; fixed traffic is then the nearest
            whole number, halves up.
        effects: tables {"effect": kind, ...} that move the rates from day to day, applied in order, each as a factor of
            the rate so far or, with "scale": "odds", of its odds; all arms alike, or those of "arm". Kinds: weekday
            (factors), step (day, factor), trend (from, to), novelty (factor, half_life), switch (day, rates), and two
            that draw, day-shock (sd) and walk (sd); see `bandit_env.world.effects`. A rate that is drawn, or comes
            after a draw, is cut at 1; where it can be known, one above 1 is an error.
        delay: mean days from a visit to its conversion, one number or one per arm. Geometric: a conversion of update t
            is seen at the end of update t + L, P(L = j) = g (1 - g)^j, g = 1 / (1 + delay * updates_per_day).
        joins: the first day on which each arm is served, shape (K,); before it the arm is served nothing.
        leaves: the first day on which each arm is no longer served, None (or inf) for one that stays, shape (K,). An
            arm that has left cannot be declared; a declared one earns nothing from the day on which it leaves.

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
    traffic: str | Mapping[str, Any] = "fixed"
    weekday_traffic: Sequence[float] | None = None
    effects: Sequence[Mapping[str, Any] | Effect] | None = None
    delay: float | Sequence[float] | None = None
    joins: Sequence[int] | None = None
    leaves: Sequence[int | float | None] | None = None

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
        if loss_days < self.max_days:
            raise ValueError(f"loss_days is {self.loss_days}; expected at least max_days, {self.max_days}")
        self._check_traffic()
        if self.updates_per_day > 10**6:
            raise ValueError(f"updates_per_day is {self.updates_per_day:,}; expected at most 1,000,000")
        given = min(DEFAULT_MIN_DAYS, self.max_days) if self.min_days is None else self.min_days
        min_days = number("min_days", given)
        if not 0 <= min_days <= self.max_days:
            raise ValueError(f"min_days is {min_days:g}; expected at least 0 and at most max_days, {self.max_days}")
        self._set("min_days", min_days)
        self._set("cost_per_day", number("cost_per_day", self.cost_per_day))
        if self.start is not None:
            self._check_start(self.start)
        one_of("split", self.split, SPLITS)
        one_of("reward", self.reward, REWARDS)
        self._check_presence()
        self._check_delay()
        if self.effects is not None:
            assert self.num_arms is not None
            self._set("effects", read_effects(self.effects, self.num_arms) or None)
            if self.rates is not None:
                self.check_path("rates", np.array([self.rates]))

    @property
    def task(self) -> Task:
        """What an agent may know of this scenario."""
        assert self.num_arms is not None
        assert self.min_days is not None
        joins, leaves = tuple(self.joins or ()), tuple(self.leaves or ())
        least = max(self.min_days, max(joins) + 1) if joins else self.min_days
        return Task(
            self.num_arms,
            self.visits_per_day,
            self.updates_per_day,
            least,
            self.max_days,
            joins,
            leaves,  # type: ignore[arg-type]
        )

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
    def traffic_model(self) -> Traffic:
        """The law of a day's visits."""
        return read_traffic(self.traffic)

    @property
    def mean_visits(self) -> NDArray[np.float64]:
        """Mean traffic of each day of the week, shape (7,)."""
        weekday = None if self.weekday_traffic is None else tuple(self.weekday_traffic)
        return mean_visits(self.visits_per_day, weekday, self.traffic_model)

    @property
    def moves(self) -> bool:
        """Whether anything but visits and conversions changes from day to day, or comes late."""
        off = (self.weekday_traffic, self.effects, self.delay, self.joins, self.leaves)
        return self.traffic != "fixed" or any(part is not None for part in off)

    @property
    def presence(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first day on which each arm is there, and the first on which it no longer is, shape (K,) each."""
        joins = np.array(self.joins or [0] * self.task.num_arms, np.int64)
        leaves = [NEVER if day is None else day for day in self.leaves or [None] * joins.size]
        return joins, np.array(leaves, np.int64)

    @cached_property
    def program(self) -> Program:
        """The effects as arrays."""
        assert self.loss_days is not None
        return compile_effects(self._effects, self.presence[0], self.loss_days + 1, self.max_days)

    def check_path(self, name: str, rates: NDArray[np.float64]) -> None:
        """Raise a ValueError where effects are known to take rates, shape (n, K), called `name`, out of [0, 1]."""
        try:
            check_rates_stay(self.program, self._effects, rates, self._there())
        except ValueError as error:
            raise ValueError(str(error) if name == "rates" else f"{name}: {error}") from error

    @property
    def equal_base_rates(self) -> bool:
        """Whether all arms are given the same rate; False where rates are drawn."""
        return self.rates is not None and len(set(self.rates)) == 1

    @property
    def equal_arms(self) -> bool:
        """Whether no arm can be better: all rates equal, by construction, on every day on which the arms are there."""
        if not self.equal_base_rates or draws_alone(self._effects, self.task.num_arms):
            return False
        return rates_are_equal(self.program, np.array(self.rates), self._there())

    def arguments(self) -> dict[str, Any]:
        """The scenario as keyword arguments of the environments, fit for JSON; what is None is left out."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _as_list(value) for name, value in given.items() if value is not None}

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def _effects(self) -> tuple[Effect, ...]:
        return tuple(effect for effect in self.effects or () if isinstance(effect, Effect))

    def _there(self) -> NDArray[np.bool_]:
        """Which arms are there on each day, shape (loss_days, K)."""
        assert self.loss_days is not None
        return self.task.available(np.arange(self.loss_days))

    def _check_traffic(self) -> None:
        self._set("traffic", read_traffic(self.traffic).argument())
        if self.weekday_traffic is not None:
            self._set("weekday_traffic", seven_factors("weekday_traffic", self.weekday_traffic))
        peak = self.visits_per_day * max(1, math.ceil(max(self.weekday_traffic or (1,))))
        for name in ("max_days", "loss_days"):
            if (visits := peak * getattr(self, name)) > MAX_COUNT:
                raise ValueError(
                    f"visits_per_day * {name} is {visits:,}; expected at most 2**53, beyond which float64 does not "
                    "hold every count"
                )

    def _check_presence(self) -> None:
        assert self.num_arms is not None
        for name in ("joins", "leaves"):
            if (days := getattr(self, name)) is not None:
                self._set(name, _days(name, days, self.num_arms))
        if self.joins is None and self.leaves is None:
            return
        for arm, (first, end) in enumerate(zip(*self.presence, strict=True)):
            if first >= self.max_days:
                raise ValueError(
                    f"joins[{arm}] is {first}, so that arm {arm} is never there; expected a day before max_days, "
                    f"{self.max_days}"
                )
            if end <= first:
                raise ValueError(
                    f"leaves[{arm}] is {end}, so that arm {arm}, which joins on day {first}, is never there; expected "
                    "a later day"
                )
        empty = np.flatnonzero(~self._there()[: self.max_days].any(axis=1))
        if empty.size:
            raise ValueError(f"joins and leaves let no arm be there on day {empty[0]}; expected one every day")

    def _check_delay(self) -> None:
        if self.delay is None:
            return
        delay = numbers("delay", self.delay)
        if delay.shape not in ((), (self.num_arms,)):
            raise ValueError(f"delay has shape {delay.shape}; expected one number, or one for each arm")
        if (bad := ~((delay >= 0) & np.isfinite(delay))).any():
            raise ValueError(f"delay holds {delay[bad][0]:g}; expected mean days of at least 0")
        self._set("delay", (delay.item() if delay.ndim == 0 else tuple(delay.tolist())) if delay.any() else None)

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


def _days(name: str, days: object, num_arms: int) -> tuple[int | None, ...] | None:
    """Days, one for each arm: for `leaves` None or inf for never. None where they say nothing."""
    if not isinstance(days, (list, tuple, np.ndarray)) or len(days) != num_arms:
        raise ValueError(f"{name} is {days!r}; expected a day for each of the {num_arms} arms")
    found: list[int | None] = []
    for arm, day in enumerate(days):
        never = name == "leaves" and (day is None or (isinstance(day, float) and day == math.inf))
        found.append(None if never else min(whole_number(f"{name}[{arm}]", day, 0), NEVER))
    says = any(day is not None for day in found) if name == "leaves" else any(found)
    return tuple(found) if says else None


def _per_arm_prior(prior: ArrayLike, num_arms: int | None) -> tuple[tuple[float, float], ...]:
    array = numbers("prior", prior)
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


def _as_list(value: Any) -> Any:
    if isinstance(value, Effect):
        return value.table()
    return [_as_list(item) for item in value] if isinstance(value, tuple) else value
