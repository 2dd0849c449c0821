"""What a table draws from: numbers, choices, and lists and tables of them, each row from its own stream.

A table with a key `distribution` is a distribution; every other value is what it says:

| distribution | keys | what it draws |
| --- | --- | --- |
| uniform | low, high | a number between them |
| log-uniform | low, high | a number between them whose logarithm is uniform; low above 0 |
| beta | a, b | a number in (0, 1) |
| choice | values, weights (None: all alike) | one of some values, which may hold distributions themselves |

Where a whole number is due, uniform and log-uniform draw from [low, high + 1) and round down: high can come as well.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit_env.plugins import suggest
from bandit_env.world.checks import number, numbers, one_of, whole_number
from bandit_env.world.streams import Rows, Streams, uniforms

WHOLE = ("visits_per_day", "max_days", "horizon", "day")  # keys of whole numbers
KEYS = {
    "uniform": ("low", "high"),
    "log-uniform": ("low", "high"),
    "beta": ("a", "b"),
    "choice": ("values", "weights"),
}
OPEN = np.finfo(np.float64).tiny, 1 - 2.0**-53  # the ends of (0, 1)


class Node(ABC):
    """A value, or what it is drawn from."""

    edges: list[Any]
    """Values that may be drawn: the lowest and the highest of each number, the others beside it low or high. The first
    of all is low in everything, the last high."""

    @abstractmethod
    def draw(self, streams: Streams, rows: Rows) -> NDArray[Any]:
        """A value for each of `rows`, shape (n,), of float64 or object. What is certain draws nothing."""


class Fixed(Node):
    """A value that stands as it is."""

    def __init__(self, value: Any) -> None:
        self.edges = [value]

    def draw(self, streams: Streams, rows: Rows) -> NDArray[Any]:  # noqa: D102 (see Node)
        values = np.empty(rows.size, object)
        values.fill(self.edges[0])
        return values


class Number(Node):
    """Uniform, log-uniform or beta."""

    def __init__(self, kind: str, table: Mapping[str, Any], whole: bool, where: str) -> None:
        first, second = (number(f"{where}.{key}", table.get(key)) for key in KEYS[kind])
        self.kind, self.first, self.second, self.whole = kind, first, second, whole and kind != "beta"
        if kind == "beta":
            if min(first, second) <= 0:
                raise ValueError(f"{where} is beta with a, b = {first:g}, {second:g}; expected two numbers above 0")
            self.edges = list(OPEN)
            return
        if first > second:
            raise ValueError(f"{where}.low is {first:g}, above high, {second:g}; expected low <= high")
        if kind == "log-uniform" and first <= 0:
            raise ValueError(f"{where}.low is {first:g}; expected a number above 0, as its logarithm is drawn")
        if whole:
            first, second = (whole_number(f"{where}.{key}", table[key], 0) for key in ("low", "high"))
        self.edges = [first] if first == second else [first, second]

    def draw(self, streams: Streams, rows: Rows) -> NDArray[np.float64]:  # noqa: D102 (see Node)
        chance = np.empty((rows.size, 1))
        uniforms(streams, rows, chance)
        low, high = self.first, self.second + (1 if self.whole else 0)
        if self.kind == "beta":
            from scipy.special import betaincinv  # here, as the others can do without

            return np.clip(betaincinv(low, high, chance[:, 0]), *OPEN)
        if self.kind == "uniform":
            drawn = low + (high - low) * chance[:, 0]
        else:
            drawn = low * np.exp(np.log(high / low) * chance[:, 0])
        return np.clip(np.floor(drawn) if self.whole else drawn, self.first, self.second)  # rounding stays inside


class Choice(Node):
    """One of some values, by weight."""

    def __init__(self, values: Sequence[Node], weights: Any, where: str) -> None:
        if not values:
            raise ValueError(f"{where}.values is empty; expected a list of values")
        self.values = values
        weights = numbers(f"{where}.weights", [1.0] * len(values) if weights is None else weights)
        if weights.shape != (len(values),):
            raise ValueError(f"{where}.weights has shape {weights.shape}; expected one for each of the values")
        if not np.isfinite(weights).all() or weights.min() < 0 or weights.max() <= 0:
            raise ValueError(f"{where}.weights is {weights.tolist()}; expected numbers of at least 0, not all 0")
        self._cumulative = np.cumsum(weights / weights.sum())
        possible = [value for value, weight in zip(values, weights, strict=True) if weight > 0]
        self._last = max(i for i, weight in enumerate(weights) if weight > 0)
        self.edges = [edge for value in possible for edge in value.edges]
        if all(isinstance(edge, (int, float)) and not isinstance(edge, bool) for edge in self.edges):
            self.edges.sort()

    def draw(self, streams: Streams, rows: Rows) -> NDArray[Any]:  # noqa: D102 (see Node)
        chance = np.empty((rows.size, 1))
        uniforms(streams, rows, chance)
        chosen = np.searchsorted(self._cumulative, chance[:, 0]).clip(max=self._last)
        drawn = np.empty(rows.size, object)
        for index in np.unique(chosen):
            places = np.flatnonzero(chosen == index)
            drawn[places] = self.values[index].draw(streams, rows[places])
        return drawn


class Several(Node):
    """A list, or a table, whose entries are drawn one after the other."""

    def __init__(self, parts: Mapping[Any, Node], is_list: bool) -> None:
        self.parts, self._is_list = dict(parts), is_list
        self.edges = [self._made(values) for values in _edges([part.edges for part in parts.values()])]

    def draw(self, streams: Streams, rows: Rows) -> NDArray[Any]:  # noqa: D102 (see Node)
        columns = [part.draw(streams, rows).tolist() for part in self.parts.values()]
        drawn = np.empty(rows.size, object)
        for place, values in enumerate(zip(*columns, strict=True)):
            drawn[place] = self._made(values)
        return drawn

    def _made(self, values: Sequence[Any]) -> Any:
        return list(values) if self._is_list else dict(zip(self.parts, values, strict=True))


def read_node(given: Any, where: str, key: str = "") -> Node:
    """What a value stands for.

    Args:
        given: the value.
        where: it stands, for errors, such as "sampler.effects[0].factor".
        key: that it stands under.

    Raises:
        ValueError: a distribution that is none; names the place, what came and what was expected.
    """
    if isinstance(given, (list, tuple)):
        return _collapsed({i: read_node(one, f"{where}[{i}]", key) for i, one in enumerate(given)}, given)
    if not isinstance(given, Mapping):
        return Fixed(given)
    if "distribution" not in given:
        return _collapsed({name: read_node(one, f"{where}.{name}", name) for name, one in given.items()}, given)
    kind = given["distribution"]
    one_of(f"{where}.distribution", kind, tuple(KEYS))
    for name in given:
        if name not in ("distribution", *KEYS[kind]):
            raise ValueError(f"{where}.{name}: unknown key{suggest(str(name), KEYS[kind])}")
    for name in KEYS[kind]:
        if name not in given and name != "weights":
            raise ValueError(f"{where} is {kind!r} without {name!r}; expected {' and '.join(KEYS[kind])}")
    if kind != "choice":
        return Number(kind, given, key in WHOLE, where)
    values = given["values"]
    if not isinstance(values, (list, tuple)):
        raise ValueError(f"{where}.values is {values!r}; expected a list of values")
    nodes = [read_node(value, f"{where}.values[{i}]", key) for i, value in enumerate(values)]
    return Choice(nodes, given.get("weights"), where)


def _collapsed(parts: dict[Any, Node], given: Any) -> Node:
    """A list or a table in which nothing is drawn is a value as it stands."""
    if all(isinstance(part, Fixed) for part in parts.values()):
        return Fixed(given)
    return Several(parts, not isinstance(given, Mapping))


def _edges(parts: Sequence[Sequence[Any]]) -> Iterator[list[Any]]:
    """All low; each part at each of its other edges, the rest low, then the rest high; all high."""
    low, high = [part[0] for part in parts], [part[-1] for part in parts]
    yield low
    for i, part in enumerate(parts):
        yield from ([*low[:i], edge, *low[i + 1 :]] for edge in part[1:])
        yield from ([*high[:i], edge, *high[i + 1 :]] for edge in part[:-1])
    if any(len(part) > 1 for part in parts):
        yield high
