"""What memories, allocations and stopping rules have in common: a place to remember something per experiment."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import ClassVar

from agents.evidence import Evidence, State
from bandit_env.world.task import Task


class Part:
    """A part of an agent. What it is made of are its fields; what it remembers is kept for it by the agent.

    So a part is plain data, and the same part may be at work in many batches at once. One that remembers something of
    every experiment makes arrays for it in `new_state`, and finds them again as `evidence.state_of(self)`; the rows of
    the evidence are their rows `evidence.experiments`.
    """

    source: ClassVar[str] = ""
    """Where the method is published."""

    formula: ClassVar[str] = ""
    """What it computes, in a line: weights w_a, or the arm that is served; when a rule stops; what a memory counts."""

    def new_state(self, task: Task, num_experiments: int) -> State:
        """Arrays to remember in, as they are before the first update; the first axis is `num_experiments`."""
        return {}

    def update_state(self, evidence: Evidence) -> None:
        """See an update, and remember of it what is needed. Called once for every update, from the first on."""

    def check_task(self, task: Task) -> None:
        """Refuse a task that this part is not made for, before anything is played.

        Raises:
            ValueError: says what the task has and what was expected.
        """

    def remarks(self, task: Task) -> list[str]:
        """What should be said of this part on such a task, once, before anything is played."""
        return []

    @property
    def parts(self) -> Iterator["Part"]:
        """The part itself, and the parts that its fields hold, each before its own."""
        yield self
        if not is_dataclass(self):
            return
        for field in fields(self):
            value = getattr(self, field.name, None)
            for inner in value if isinstance(value, tuple | list) else (value,):
                if isinstance(inner, Part):
                    yield from inner.parts
