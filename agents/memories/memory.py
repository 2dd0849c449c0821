"""What a memory is, and how it is written in an experiment file."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from agents.evidence import Evidence, Floats
from agents.part import Part
from bandit_env import plugins

GROUP = "bandit_env.memories"


@dataclass(frozen=True)
class Memory(Part, ABC):
    """Decides which data count, and how much. A dataclass whose fields are its parameters.

    It turns the stream of updates into effective counts, which the allocation and the stopping rule both see.
    """

    @abstractmethod
    def counts(self, evidence: Evidence) -> tuple[Floats, Floats]:
        """The visits and conversions that count after this update, each (n, K).

        Called once for every update, from the first on. The evidence holds all counts as observed, and what the update
        brought; the answer needs no whole numbers, but never more conversions than visits.
        """

    @property
    def parameters(self) -> dict[str, Any]:
        """The memory as a table that `make_memory` reads: its class and its arguments, defaults included."""
        memory = f"{type(self).__module__}:{type(self).__qualname__}"
        return {"memory": memory} | {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True)
class All(Memory):
    """Everything counts, whenever it was."""

    formula = "n, c: all visits and conversions so far"
    source = "sufficient statistics of Bernoulli visits"

    def counts(self, evidence: Evidence) -> tuple[Floats, Floats]:
        return evidence.raw_visits, evidence.raw_conversions


def make_memory(memory: Memory | str | Mapping[str, Any] | None) -> Memory | None:
    """A memory from the forms in which it may be written; None, which costs nothing, where everything counts.

    Args:
        memory: a memory; None or "all"; a name, or "package.module:Class"; a table `{memory = "discounted", factor =
            0.95}`.

    Raises:
        ValueError: none of these, an unknown name, or an argument that the memory does not take.

    >>> make_memory({"memory": "discounted", "factor": 0.95})
    Discounted(factor=0.95)
    """
    if memory is None or memory == "all":
        return None
    if isinstance(memory, str):
        memory = {"memory": memory}
    if isinstance(memory, Mapping):
        if "memory" not in memory:
            raise ValueError(f"memory is {dict(memory)}; expected a key 'memory'")
        memory = _named(memory["memory"], {key: value for key, value in memory.items() if key != "memory"})
    if not isinstance(memory, Memory):
        raise ValueError(f"memory is {memory!r}; expected the name of a memory or a table")
    return None if isinstance(memory, All) else memory


def _named(name: object, arguments: Mapping[str, Any]) -> Memory:
    if not isinstance(name, str):
        raise ValueError(f"memory is {name!r}; expected a name")
    accepts, expected = lambda found: issubclass(found, Memory), "a Memory"
    made: Memory = plugins.build(GROUP, "memory", name, arguments, accepts, expected)
    return made
