"""An agent, a memory and a stopping rule of a third party, in one file."""

from dataclasses import dataclass

import numpy as np

from agents.allocation import Allocation
from agents.memories import Memory
from agents.stopping import StoppingRule


@dataclass(eq=False)
class HalfAndHalf(Allocation):
    """Serves half of the traffic equally and half by P(best)."""

    mix: float = 0.5
    source = "example"

    def weights(self, evidence):
        return self.mix / evidence.task.num_arms + (1 - self.mix) * evidence.probability_best


@dataclass(frozen=True)
class FirstDays(Memory):
    """Counts the first days alone; what comes later is not looked at."""

    days: int = 10
    source = "example"

    def new_state(self, task, num_experiments):
        shape = (num_experiments, task.num_arms)
        return {"visits": np.zeros(shape), "conversions": np.zeros(shape)}

    def counts(self, evidence):
        state, rows = evidence.state_of(self), evidence.experiments
        early = (evidence.day <= self.days)[:, None]
        state["visits"][rows] += np.where(early, evidence.new_visits, 0)
        state["conversions"][rows] += np.where(early, evidence.new_conversions, 0)
        return state["visits"][rows], state["conversions"][rows]


@dataclass(frozen=True)
class ManyVisits(StoppingRule):
    """Ships the arm with the highest observed rate once there are many visits."""

    visits: int = 1000
    promise = "an example"

    def decide(self, evidence):
        stop = evidence.total_visits >= self.visits
        return np.where(stop, evidence.rate.argmax(axis=1), -1), stop
