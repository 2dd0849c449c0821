"""An agent and a stopping rule of a third party, in one file."""

from dataclasses import dataclass

import numpy as np

from agents.allocation import Allocation
from agents.stopping import StoppingRule


@dataclass(eq=False)
class HalfAndHalf(Allocation):
    """Serves half of the traffic equally and half by P(best)."""

    mix: float = 0.5
    source = "example"

    def weights(self, evidence):
        return self.mix / evidence.task.num_arms + (1 - self.mix) * evidence.probability_best


@dataclass(frozen=True)
class ManyVisits(StoppingRule):
    """Ships the arm with the highest observed rate once there are many visits."""

    visits: int = 1000

    def decide(self, evidence):
        stop = evidence.total_visits >= self.visits
        return np.where(stop, evidence.rate.argmax(axis=1), -1), stop
