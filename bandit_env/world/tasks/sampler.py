"""What an environment's argument `sampler` says: which tasks there are, and how a row draws its own."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit_env.plugins import suggest
from bandit_env.world.checks import whole_number
from bandit_env.world.effects import Effect, read_effects
from bandit_env.world.scenario import DEFAULT_MIN_DAYS, Scenario
from bandit_env.world.streams import Rows, Streams, uniforms
from bandit_env.world.tasks.distributions import Node, Several, read_node

DRAWN = ("rates", "prior", "visits_per_day", "max_days", "horizon", "min_days", "effects")
"""What may be drawn, in the order in which it is, whatever the order of the table."""

TRIALS = 64  # tasks that a function is asked for when it is given
Sampler = Mapping[str, Any] | Callable[[np.random.Generator], Mapping[str, Any]]
MakeScenario = Callable[..., Scenario]  # from an environment's arguments; a ValueError where they cannot be


class Drawn(NamedTuple):
    """The tasks of n rows."""

    visits_per_day: NDArray[np.int64]  # (n,)
    max_days: NDArray[np.int64]  # (n,)
    loss_days: NDArray[np.int64]  # (n,)
    min_days: NDArray[np.float64]  # (n,)
    rates: NDArray[np.float64]  # (n, K); NaN in rows that draw them from `prior`
    prior: NDArray[np.float64]  # (n, K, 2); NaN in rows with `rates`
    effects: list[tuple[Effect, ...]] | None  # n lists; None where all have the scenario's


class TaskSampler:
    """Draws tasks: the arguments of an environment, some of them anew for each episode.

    Args:
        given: a table whose keys are arguments, each a value or a distribution (see `distributions`); `prior` may be
            {"mean": ..., "strength": ...}, which is (mean * strength, (1 - mean) * strength), and `rates` one
            distribution, from which each arm draws. Or a function from a NumPy Generator, the row's own, to a dict of
            such arguments, all of whose chance comes from it.
        arguments: of the environment; what the sampler draws takes their place.
        make: a scenario from arguments.
        names: those that may be drawn.

    Attributes:
        scenario: with the longest horizon of those that may be drawn; of a function, of those that it was tried with.

    Raises:
        ValueError: an unknown key, a distribution that is none, or a task that may be drawn and cannot be: of a table
            found at the edges of its distributions, of a function by asking it for some tasks.
    """

    scenario: Scenario

    def __init__(self, given: Sampler, arguments: Mapping[str, Any], make: MakeScenario, names: Sequence[str]) -> None:
        self._given, self._make, self._names = given, make, names
        self._num_arms = _num_arms(arguments)
        self._arguments = dict(arguments) | {"num_arms": self._num_arms}
        self._table = None if callable(given) else self._read_table(given)
        self._effects: dict[str, tuple[Effect, ...]] = {}
        tried = self._try_function() if self._table is None else map(self._scenario, self._table.edges)
        longest = max(tried, key=lambda scenario: scenario.max_days)
        rates, prior = self._arguments.get("rates"), self._arguments.get("prior")
        self.scenario = longest if rates is None and prior is None else replace(longest, rates=rates, prior=prior)

    @property
    def bounded(self) -> bool:
        """Whether no longer horizon than the scenario's can be drawn."""
        return self._table is not None

    @property
    def moves_effects(self) -> bool:
        """Whether rows may have effects of their own: drawn ones, or such as depend on a horizon of their own."""
        if self._table is None:
            return True
        drawn = set(self._parts)
        return "effects" in drawn or (self.scenario.effects is not None and bool(drawn & {"max_days", "horizon"}))

    def draw(self, streams: Streams, rows: Rows) -> Drawn:
        """New tasks for `rows`, each from its own stream.

        Raises:
            ValueError: a function returned a task that cannot be.
        """
        if self._table is None:
            chance = np.empty((rows.size, 1))
            uniforms(streams, rows, chance)
            seeds = (chance[:, 0] * 2.0**53).astype(np.int64).tolist()
            return self._collected([self._scenario(self._call(seed)) for seed in seeds])
        return self._from_table({name: node.draw(streams, rows) for name, node in self._parts.items()}, rows.size)

    @property
    def _parts(self) -> dict[str, Node]:
        return {} if self._table is None else self._table.parts

    def _read_table(self, given: Any) -> Several:
        if not isinstance(given, Mapping):
            raise ValueError(
                f"sampler is {given!r}; expected a table of {', '.join(self._names)}, or a function from a NumPy "
                "Generator to one"
            )
        self._check_names(given, "sampler")
        parts = {}
        for name in (name for name in DRAWN if name in given):
            parts[name] = read_node(given[name], f"sampler.{name}", name)
            if name == "rates" and isinstance(given[name], Mapping):
                parts[name] = Several(dict.fromkeys(range(self._num_arms), parts[name]), is_list=True)
            if name != "effects" and any(edge is None for edge in parts[name].edges):
                raise ValueError(f"sampler.{name} may draw None; expected a value, or the key left out")
        return Several(parts, is_list=False)

    def _check_names(self, given: Mapping[str, Any], where: str) -> None:
        for name in given:
            if name not in self._names:
                raise ValueError(f"{where}.{name}: unknown key{suggest(str(name), self._names)}")
        if given.get("rates") is not None and given.get("prior") is not None:
            raise ValueError(f"{where} draws rates and prior together; expected one of them")

    def _scenario(self, drawn: Mapping[str, Any]) -> Scenario:
        """The scenario of a task, checked."""
        drawn = {name: value for name, value in drawn.items() if value is not None}
        try:
            if "prior" in drawn:
                drawn = drawn | {"prior": read_prior(drawn["prior"])}
            own = {"rates": None, "prior": None} if {"rates", "prior"} & set(drawn) else {}
            return self._make(**self._arguments | own | drawn)
        except ValueError as error:
            raise ValueError(f"sampler may draw an impossible task, {_shown(drawn)}: {error}") from error

    def _call(self, seed: int) -> Mapping[str, Any]:
        assert callable(self._given)
        drawn = self._given(np.random.default_rng(seed))
        if not isinstance(drawn, Mapping):
            raise ValueError(f"sampler returned {drawn!r}; expected a dict of {', '.join(self._names)}")
        self._check_names(drawn, "what sampler returned")
        return drawn

    def _try_function(self) -> list[Scenario]:
        found = []
        for seed in range(TRIALS):
            once, again = (self._scenario(self._call(seed)) for _ in range(2))
            if once.arguments() != again.arguments():
                raise ValueError(
                    f"sampler drew {_shown(once.arguments())} and then {_shown(again.arguments())} from generators of "
                    "one seed; expected all chance to come from the generator that it is given"
                )
            found.append(once)
        return found

    def _collected(self, scenarios: list[Scenario]) -> Drawn:
        shape = (len(scenarios), self._num_arms)
        rates, prior = np.full(shape, np.nan), np.full((*shape, 2), np.nan)
        for row, scenario in enumerate(scenarios):
            if scenario.prior is None:
                rates[row] = scenario.rates
            else:
                prior[row] = scenario.prior
        return Drawn(
            np.array([scenario.visits_per_day for scenario in scenarios], np.int64),
            np.array([scenario.max_days for scenario in scenarios], np.int64),
            np.array([scenario.loss_days for scenario in scenarios], np.int64),
            np.array([scenario.min_days for scenario in scenarios], np.float64),
            rates,
            prior,
            [_effects_of(scenario) for scenario in scenarios],
        )

    def _from_table(self, values: dict[str, NDArray[Any]], n: int) -> Drawn:
        scenario, k = self.scenario, self._num_arms
        days = values.get("max_days", values.get("horizon", np.full(n, scenario.max_days)))
        max_days = days.astype(np.int64)
        if "min_days" in values:
            min_days = values["min_days"].astype(np.float64)
        elif self._arguments.get("min_days") is None and "min_days" in self._names:
            min_days = np.minimum(DEFAULT_MIN_DAYS, max_days).astype(np.float64)
        else:
            min_days = np.full(n, scenario.min_days, np.float64)
        rates, prior = np.full((n, k), np.nan), np.full((n, k, 2), np.nan)
        if "rates" in values:
            rates[:] = np.array(values["rates"].tolist(), np.float64).reshape(n, k)
        elif "prior" in values:
            laws = [read_prior(value) for value in values["prior"].tolist()]
            prior[:] = [law if np.ndim(law[0]) else (law,) * k for law in laws]
        elif scenario.prior is not None:
            prior[:] = scenario.prior
        else:
            rates[:] = scenario.rates
        effects = None
        if "effects" in values:
            effects = [self._read_effects(tables) for tables in values["effects"].tolist()]
        elif self.moves_effects:
            effects = [_effects_of(scenario)] * n
        visits = values.get("visits_per_day", np.full(n, scenario.visits_per_day)).astype(np.int64)
        loss_days = max_days if self._arguments.get("loss_days") is None else np.full_like(max_days, scenario.loss_days)
        return Drawn(visits, max_days, loss_days, min_days, rates, prior, effects)

    def _read_effects(self, tables: Any) -> tuple[Effect, ...]:
        """Effects from tables, kept for when they are drawn again."""
        key = json.dumps(tables, sort_keys=True, default=repr)
        if key not in self._effects:
            if len(self._effects) > 1000:
                self._effects.clear()
            self._effects[key] = read_effects(tables or [], self._num_arms)
        return self._effects[key]


def read_sampler(
    given: Sampler | None, arguments: Mapping[str, Any], make: MakeScenario, names: Sequence[str]
) -> tuple[Scenario, TaskSampler | None]:
    """An environment's scenario, and what draws the tasks of its rows, if anything does; see `TaskSampler`."""
    if given is None:
        return make(**arguments), None
    sampler = TaskSampler(given, arguments, make, names)
    return sampler.scenario, sampler


def read_prior(given: Any) -> Any:
    """(a, b) from the mean and the strength a + b of a Beta distribution; anything else as it is.

    Raises:
        ValueError: one of the two without the other, or another key.
    """
    if not isinstance(given, Mapping):
        return given
    if set(given) != {"mean", "strength"}:
        raise ValueError(f"prior has the keys {', '.join(map(str, given))}; expected mean and strength")
    mean, strength = given["mean"], given["strength"]
    return (mean * strength, (1 - mean) * strength)


def _num_arms(arguments: Mapping[str, Any]) -> int:
    """K, which stays whatever is drawn."""
    if (given := arguments.get("num_arms")) is not None:
        return whole_number("num_arms", given, 2)
    rates, prior = arguments.get("rates"), arguments.get("prior")
    if rates is None and prior is not None and np.ndim(prior) < 2:
        raise ValueError("prior is one (a, b) and num_arms is missing; expected the number of arms with it")
    laws = prior if rates is None else rates
    return 2 if laws is None else len(laws)


def _effects_of(scenario: Scenario) -> tuple[Effect, ...]:
    return tuple(effect for effect in scenario.effects or () if isinstance(effect, Effect))


def _shown(drawn: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in drawn.items())
