"""What an agent keeps of the batch that it is playing: the counts last seen, and what its parts remember."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from agents.agent import Observation
from agents.evidence import Evidence, State
from agents.part import Part
from bandit_env.world.task import Task


class Batch:
    """The arrays of one batch of experiments, a row each. Experiments that begin anew (day 0) have theirs cleared."""

    def __init__(self, task: Task, num_experiments: int, parts: Iterable[Part]) -> None:
        self.task = task
        self._visits = np.zeros((num_experiments, task.num_arms))
        self._conversions = np.zeros((num_experiments, task.num_arms))
        self._states: list[tuple[Part, State]] = []
        for part in parts:
            state = part.new_state(task, num_experiments)
            if state and not any(part is other for other, _ in self._states):
                self._states.append((part, state))
        self._begun = False

    def see(self, observation: Observation, experiments: NDArray[np.intp], prior: tuple[float, float]) -> Evidence:
        """The evidence of an observation, and what is new in it."""
        visits, conversions, day = observation["visits"], observation["conversions"], observation["day"][:, 0]
        if self._begun and not day.all():
            self._clear(experiments[day == 0])
        self._begun = True
        evidence = Evidence(
            visits,
            conversions,
            day,
            experiments,
            self.task,
            prior,
            new_visits=visits - self._visits.take(experiments, axis=0),
            new_conversions=conversions - self._conversions.take(experiments, axis=0),
            states=self._states,
        )
        self._visits[experiments] = visits
        self._conversions[experiments] = conversions
        return evidence

    def update(self, evidence: Evidence) -> None:
        """Show an update to the parts that remember."""
        for part, _ in self._states:
            part.update_state(evidence)

    def _clear(self, rows: NDArray[np.intp]) -> None:
        self._visits[rows] = self._conversions[rows] = 0
        for part, state in self._states:
            for name, array in part.new_state(self.task, 1).items():
                state[name][rows] = array[0]
