"""The interface between an experiment and whoever runs it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit_env.world.task import Task

Observation = Mapping[str, NDArray[np.float64]]


class Agent(ABC):
    """Decides at each update how to split the traffic, and when to stop and which arm to declare.

    An agent runs a batch of experiments at once. The arrays that it is given and returns have one row per
    experiment that is still running; `experiments` holds those rows' places in the batch, for agents that
    remember something per experiment.
    """

    source: ClassVar[str] = ""
    """Where the method is published."""

    formula: ClassVar[str] = ""
    """What it computes, in a line: weights w_a, or the arm that is served; when a rule stops; what a memory counts."""

    deterministic: ClassVar[bool] = False
    """True promises that `act` draws nothing from `rng`: the runner may then play larger batches at once."""

    def reset(self, task: Task, num_experiments: int, rng: np.random.Generator) -> None:  # noqa: B027
        """Prepare for a batch of `num_experiments` new experiments. `rng` is the only source of chance."""

    @abstractmethod
    def act(self, observation: Observation, experiments: NDArray[np.intp]) -> NDArray[np.float32]:
        """The actions for the experiments still running.

        Args:
            observation: "visits" and "conversions", cumulative, shape (n, K); "day", days elapsed,
                shape (n, 1).
            experiments: the rows' places in the batch, shape (n,), increasing.

        Returns:
            Actions, shape (n, K + 1), as `bandit_env.world.action.encode_action` writes them.
        """

    def claims_winner(self, experiments: NDArray[np.intp], declared: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether the declared arm is claimed to be better, or merely shipped. Asked once, at the end.

        Args:
            experiments: the ended experiments' places in the batch, shape (m,).
            declared: the arms declared, shape (m,); -1 where the horizon came first.
        """
        return declared >= 0
