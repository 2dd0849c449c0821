"""What splits the traffic; together with a memory and a stopping rule it is an agent."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import _check
from agents.agent import Agent, Observation
from agents.batch import Batch
from agents.evidence import Evidence, Floats
from agents.memories import Memory, make_memory
from agents.part import Part
from agents.schedule import Schedule
from agents.stopping import StoppingRule, make_rule
from bandit_env.world.action import encode_action
from bandit_env.world.task import Task


@dataclass(eq=False)
class Allocation(Agent, Part):
    """Splits the traffic by `weights`, a function of the evidence, and stops when its stopping rule says so.

    At every update the memory turns what came into the counts that count; every part that remembers something sees
    them; the rule is asked about experiments that have run `min_days`; what it declares is sent, everything else goes
    on. A subclass whose `weights` draws from `self.rng` sets `deterministic = False`.

    Attributes:
        prior: (a, b) of the Beta prior of every rate, for the allocation and the stopping rule alike.
        memory: which data count: a memory, its name, or a table such as {"memory": "discounted", "factor": 0.95} (see
            `agents.memories.make_memory`); None and "all" count everything.
        stopping: a rule, its name, a table, an expression such as "beats-control | value-remaining"
            (see `agents.stopping.make_rule`), or None to run to the horizon.
        warm_up_days: weights are equal until so many days are served, and for so many anew when an arm joins. All
            counts are kept, and the stopping rule is asked meanwhile.
        every_days: weights change when the number of days served is a multiple of it; until then they stay, at first
            equal. Arms that join or leave, and the end of a warm-up, change them on any day. 0 is every update.
        floor: the least share of every arm that is there: w' = floor + (1 - K floor) w.
    """

    prior: tuple[float, float] = field(default=(1.0, 1.0), kw_only=True)
    memory: Memory | str | Mapping[str, Any] | None = field(default="all", kw_only=True)
    stopping: StoppingRule | str | Mapping[str, Any] | None = field(default=None, kw_only=True)
    warm_up_days: float = field(default=0, kw_only=True)
    every_days: float = field(default=0, kw_only=True)
    floor: float = field(default=0.0, kw_only=True)

    deterministic: ClassVar[bool] = True
    needs_all: ClassVar[bool] = False
    """Whether it reads whole counts of all visits, so that no memory goes with it."""

    def __post_init__(self) -> None:
        self.prior = _check.beta_prior(self.prior)
        self._memory = make_memory(self.memory)
        self._rule = make_rule(self.stopping)
        self._schedule = Schedule(self.warm_up_days, self.every_days, self.floor)
        if self._memory is not None and self.needs_all:
            raise ValueError(f"memory is {self.memory!r}; expected 'all': {type(self).__name__} plans by whole counts")

    @abstractmethod
    def weights(self, evidence: Evidence) -> Floats:
        """Serving weights of the next update, shape (n, K), non-negative, each row summing to 1.

        What they give to arms that are not there (`evidence.available`) is shared by the others.
        """

    @property
    def parts(self) -> Iterator[Part]:
        yield self
        for part in (self._memory, self._rule):
            if part is not None:
                yield from part.parts

    def check_task(self, task: Task) -> None:
        """Refuse a task that this agent, its memory or its rule is not made for; called before anything is played.

        Raises:
            ValueError: says what the task has and what was expected.
        """
        self._schedule.check_task(task)
        for part in self.parts:
            if part is not self:
                part.check_task(task)

    def planned(self, baseline: float, target: float) -> dict[str, Any]:
        """Arguments that a plan of these two rates gives this agent, of those that it was built without."""
        rule = None if self._rule is None else self._rule.planned(baseline, target)
        return {} if rule is None or rule == self._rule else {"stopping": rule.parameters}

    def ends_by(self, task: Task) -> float:
        """The day on which every experiment has ended: the horizon, where no earlier one is known beforehand."""
        return task.max_days if self._rule is None else self._rule.ends_by(task)

    def least_weight(self, task: Task) -> float:
        """The smallest weight with which an arm that is there may be served: what AIPW divides by."""
        return self.floor

    def remarks(self, task: Task) -> list[str]:
        said = [remark for part in self.parts if part is not self for remark in part.remarks(task)]
        if self._memory is not None and self._rule is not None:
            said += [
                f"{type(part).__name__} promises {part.promise} where every visit counts; "
                f"with the memory {self._memory} it does not"
                for part in self._rule.parts
                if isinstance(part, StoppingRule) and part.promise
            ]
        return said

    def reset(self, task: Task, num_experiments: int, rng: np.random.Generator) -> None:
        """Prepare for a batch of new experiments."""
        self.check_task(task)
        self.task = task
        self.rng = rng
        self._claims = np.zeros(num_experiments, dtype=bool)
        self._batch = Batch(task, num_experiments, (*self.parts, self._schedule))

    def act(self, observation: Observation, experiments: NDArray[np.intp]) -> NDArray[np.float32]:
        """Remember the update, ask the stopping rule, split the traffic of what goes on, and encode both."""
        evidence = self._batch.see(observation, experiments, self.prior)
        if self._memory is not None:
            evidence = evidence.remembered(*self._memory.counts(evidence))
        self._batch.update(evidence)
        if self._rule is None:
            return encode_action(self._schedule.serve(self, evidence))
        may_stop = evidence.day >= self.task.min_days
        if may_stop.all():
            return self._decide(evidence, self._rule)
        if not may_stop.any():
            return encode_action(self._schedule.serve(self, evidence))
        # Each part on its own, so that a row's integrals are the same whatever the days of the rows around
        # it.
        action = np.empty((len(evidence), self.task.num_arms + 1), dtype=np.float32)
        early, late = np.flatnonzero(~may_stop), np.flatnonzero(may_stop)
        action[early] = encode_action(self._schedule.serve(self, evidence.at(early)))
        action[late] = self._decide(evidence.at(late), self._rule)
        return action

    def claims_winner(self, experiments: NDArray[np.intp], declared: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether the stopping rule claimed a winner when it declared."""
        return self._claims[experiments] & (declared >= 0)

    @property
    def parameters(self) -> dict[str, Any]:
        """The constructor's arguments, defaults included, as plain data."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        own["prior"] = list(self.prior)
        own["memory"] = "all" if self._memory is None else self._memory.parameters
        own["stopping"] = None if self._rule is None else self._rule.parameters
        return own

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.parameters == getattr(other, "parameters", None)

    def __hash__(self) -> int:
        return hash((type(self), repr(self.parameters)))

    def _decide(self, evidence: Evidence, rule: StoppingRule) -> NDArray[np.float32]:
        declared, claims = rule.decide(evidence)
        if not evidence.all_available:  # an arm that has left cannot be shipped: the experiment goes on
            there = np.take_along_axis(evidence.available, np.maximum(declared, 0)[:, None], axis=1)[:, 0]
            declared, claims = np.where(there, declared, -1), claims & there & (evidence.num_available[:, 0] > 1)
        self._claims[evidence.experiments] = claims
        return encode_action(self._schedule.serve(self, evidence), declared)


def share_among_leaders(index: NDArray[np.float64]) -> NDArray[np.float64]:
    """All traffic on the arm with the largest index, shared equally on ties, shape (n, K)."""
    leads = index == index.max(axis=1, keepdims=True)
    shares: NDArray[np.float64] = leads / leads.sum(axis=1, keepdims=True)
    return shares
