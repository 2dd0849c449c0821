"""The half of an agent that splits the traffic; together with a stopping rule it is an agent."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import _check
from agents.agent import Agent, Observation
from agents.evidence import Evidence
from agents.stopping import StoppingRule, make_rule
from bandit_env.world.action import encode_action
from bandit_env.world.task import Task


@dataclass(eq=False)
class Allocation(Agent):
    """Splits the traffic by `weights`, a function of the evidence, and stops when its stopping rule says so.

    The rule is asked about experiments that have run `min_days`; what it declares is sent, everything else
    goes on. A subclass whose `weights` draws from `self.rng` sets `deterministic = False`.

    Attributes:
        prior: (a, b) of the Beta prior of every rate, for the allocation and the stopping rule alike.
        stopping: a rule, its name, a table, an expression such as "beats-control | value-remaining"
            (see `agents.stopping.make_rule`), or None to run to the horizon.
    """

    prior: tuple[float, float] = field(default=(1.0, 1.0), kw_only=True)
    stopping: StoppingRule | str | Mapping[str, Any] | None = field(default=None, kw_only=True)

    deterministic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.prior = _check.beta_prior(self.prior)
        self._rule = make_rule(self.stopping)

    @abstractmethod
    def weights(self, evidence: Evidence) -> NDArray[np.float64]:
        """Serving weights of the next update, shape (n, K), non-negative, each row summing to 1."""

    def reset(self, task: Task, num_experiments: int, rng: np.random.Generator) -> None:
        """Prepare for a batch of new experiments."""
        self.task = task
        self.rng = rng
        self._claims = np.zeros(num_experiments, dtype=bool)

    def act(self, observation: Observation, experiments: NDArray[np.intp]) -> NDArray[np.float32]:
        """Ask the stopping rule, split the traffic of the experiments that go on, and encode both."""
        evidence = Evidence(
            observation["visits"],
            observation["conversions"],
            observation["day"][:, 0],
            experiments,
            self.task,
            self.prior,
        )
        if self._rule is None:
            return encode_action(self.weights(evidence))
        may_stop = evidence.day >= self.task.min_days
        if may_stop.all():
            return self._decide(evidence, self._rule)
        if not may_stop.any():
            return encode_action(self.weights(evidence))
        # Each part on its own, so that a row's integrals are the same whatever the days of the rows around
        # it.
        action = np.empty((len(evidence), self.task.num_arms + 1), dtype=np.float32)
        early, late = np.flatnonzero(~may_stop), np.flatnonzero(may_stop)
        action[early] = encode_action(self.weights(evidence.at(early)))
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
        own["stopping"] = None if self._rule is None else self._rule.parameters
        return own

    def _decide(self, evidence: Evidence, rule: StoppingRule) -> NDArray[np.float32]:
        declared, claims = rule.decide(evidence)
        self._claims[evidence.experiments] = claims
        return encode_action(self.weights(evidence), declared)


def share_among_leaders(index: NDArray[np.float64]) -> NDArray[np.float64]:
    """All traffic on the arm with the largest index, shared equally on ties, shape (n, K)."""
    leads = index == index.max(axis=1, keepdims=True)
    shares: NDArray[np.float64] = leads / leads.sum(axis=1, keepdims=True)
    return shares
