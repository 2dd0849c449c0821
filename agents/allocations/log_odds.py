"""Thompson sampling on log odds ratios within each update: what moves all arms alike does not move it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import _check
from agents.allocation import Allocation
from agents.evidence import Evidence, State
from bandit_env.world.task import Task


@dataclass(eq=False)
class LogOddsThompson(Allocation):
    """Serves every arm with the probability that its odds are the largest, compared within updates alone.

    Given an update's n visits an arm and C conversions in all, an arm's share of these is q = n e^m / sum n e^m,
    whatever factor the odds of all arms had on the day. Every arm's log odds m begin at N(0, ratio_sd^2 / 2), so that
    every pair's ratio is N(0, ratio_sd^2). An update with 0 < C < N on which at least two arms were served replaces
    N(mu, P^-1) by its mode, c - C q - P (m - mu) = 0 (Newton), and adds the information C (diag q - q q') to P. P(best)
    of the correlated normal is a quadrature, to 1e-6 up to six arms. An arm that joins is at the prior until it is
    served.

    It reads every update as it came: a memory is seen by its stopping rule alone.

    Attributes:
        ratio_sd: standard deviation of the log odds ratio of two arms under the prior.
    """

    ratio_sd: float = 1.0
    formula: ClassVar[str] = (
        "w_a = P(m_a is the largest), m ~ N(mu, P^-1) from the likelihood of an update's split of "
        "conversions, q_a = n_a e^m_a / sum n e^m"
    )
    source: ClassVar[str] = (
        "Kim and Kim (2020), arXiv 2003.01905 (two arms); for more, the same likelihood of a multinomial share"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.positive("ratio_sd", self.ratio_sd)

    def remarks(self, task: Task) -> list[str]:
        said = super().remarks(task)
        if self._memory is not None:
            said.append(f"it weighs every update as it came; the memory {self._memory} is for its stopping rule alone")
        return said

    def new_state(self, task: Task, num_experiments: int) -> State:
        precision = np.eye(task.num_arms) * 2 / self.ratio_sd**2
        return {
            "mean": np.zeros((num_experiments, task.num_arms)),
            "precision": np.tile(precision, (num_experiments, 1, 1)),
        }

    def update_state(self, evidence: Evidence) -> None:
        from agents import _log_odds

        state = evidence.state_of(self)
        visits, conversions = (np.ascontiguousarray(x) for x in (evidence.new_visits, evidence.new_conversions))
        rows = evidence.experiments.astype(np.int64)
        _log_odds.advance(state["mean"], state["precision"], rows, visits, conversions)

    def weights(self, evidence: Evidence) -> NDArray[np.float64]:
        """P(best), shape (n, K)."""
        from bandit_env.stats._special import normal_best

        state, rows = evidence.state_of(self), evidence.experiments
        covariance = np.linalg.inv(state["precision"][rows])
        return normal_best.probability_best(state["mean"][rows], covariance, evidence.available)
