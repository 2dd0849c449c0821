"""Epsilon-greedy: mostly the leader, sometimes any arm."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import _check
from agents.allocation import Allocation, share_among_leaders
from agents.evidence import Evidence
from bandit_env.world.task import Task


@dataclass(eq=False)
class EpsilonGreedy(Allocation):
    """Serves a share epsilon equally to all arms and the rest to the leader; leaders that tie share it.

    The leader has the highest observed rate, conversions over visits; an arm without visits comes before all
    others. With `decay_after`, epsilon_t = epsilon min(1, decay_after / t) after t visits: Auer et al. choose
    epsilon = 1 and decay_after = c K / d^2.

    Attributes:
        epsilon: share of the traffic that explores, from 0 (greedy) to 1 (uniform).
        decay_after: visits after which epsilon decays as 1 / visits; None keeps it constant.
    """

    epsilon: float = 0.1
    decay_after: float | None = None
    formula: ClassVar[str] = (
        "w_a = epsilon / K + (1 - epsilon) [a has the largest c_a / n_a]; epsilon_t = epsilon min(1, decay_after / t)"
    )
    source: ClassVar[str] = (
        'Sutton and Barto (2018), "Reinforcement Learning", section 2.2; '
        "decaying: Auer, Cesa-Bianchi and Fischer (2002), figure 3"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.share("epsilon", self.epsilon)
        if self.decay_after is not None:
            _check.positive("decay_after", self.decay_after)

    def least_weight(self, task: Task) -> float:
        """The floor, and epsilon / K of the rest."""
        explores = 0.0 if self.decay_after is not None else self.epsilon / task.num_arms
        return self.floor + (1 - task.num_arms * self.floor) * explores

    def weights(self, evidence: Evidence) -> NDArray[np.float64]:
        """Epsilon / K for all, and the rest shared by the leaders, shape (n, K)."""
        epsilon = np.full((len(evidence), 1), float(self.epsilon))
        if self.decay_after is not None:
            epsilon *= np.minimum(1, self.decay_after / np.maximum(evidence.total_visits, 1))[:, None]
        visited = evidence.visits > 0
        observed = np.where(visited, evidence.conversions / np.where(visited, evidence.visits, 1), np.inf)
        observed = evidence.present(observed)
        return epsilon / evidence.num_available * evidence.available + (1 - epsilon) * share_among_leaders(observed)
