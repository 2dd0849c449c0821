"""Upper confidence bounds: UCB1, KL-UCB, Bayes-UCB.

These policies choose one arm for the next visit. Where an update brings many visits, they serve the whole
update to that arm: the index counts only the feedback that has arrived, as in Joulani, György and Szepesvári
(2013), "Online learning under delayed feedback" (Delayed-UCB1). Arms that tie share the update, so that the
first is split equally.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import _check
from agents.allocation import Allocation, share_among_leaders
from agents.evidence import Evidence, or_one

Floats = NDArray[np.float64]


@dataclass(eq=False)
class IndexPolicy(Allocation):
    """Serves the arm with the largest index."""

    @abstractmethod
    def index(self, evidence: Evidence) -> Floats:
        """The index of every arm, shape (n, K); infinite where the arm is to be served first."""

    def weights(self, evidence: Evidence) -> Floats:
        return share_among_leaders(evidence.present(self.index(evidence)))


@dataclass(eq=False)
class UCB1(IndexPolicy):
    """rate_a + sqrt(c log(t) / n_a), t the visits of all arms: made for rewards in [0, 1], wide for small rates.

    Attributes:
        exploration: c; 2 in the regret bound. Less explores less, and often does better.
    """

    exploration: float = 2.0
    formula: ClassVar[str] = "argmax_a rate_a + sqrt(exploration log(t) / n_a), t the visits of all arms"
    source: ClassVar[str] = "Auer, Cesa-Bianchi and Fischer (2002), Machine Learning 47, figure 1"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.positive("exploration", self.exploration)

    def index(self, evidence: Evidence) -> Floats:
        width = np.sqrt(self.exploration * _log_visits(evidence) / or_one(evidence.visits))
        return np.where(evidence.visits > 0, evidence.rate + width, np.inf)


@dataclass(eq=False)
class KLUCB(IndexPolicy):
    """The largest q with n_a kl(rate_a, q) <= log(t) + c log(log(t)), kl that of Bernoulli laws.

    Attributes:
        c: 3 in the regret bound; 0, the default, is what the authors recommend in practice.
    """

    c: float = 0.0
    formula: ClassVar[str] = "argmax_a max{q: n_a kl(rate_a, q) <= log(t) + c log(log(t))}"
    source: ClassVar[str] = "Garivier and Cappé (2011), COLT, algorithm 1"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.non_negative("c", self.c)

    def index(self, evidence: Evidence) -> Floats:
        from agents._kernels import kl_upper

        log_visits = _log_visits(evidence)
        reach = log_visits + self.c * np.log(np.maximum(log_visits, 1))
        index = kl_upper(evidence.rate, reach / or_one(evidence.visits))
        return np.where(evidence.visits > 0, index, np.inf)


@dataclass(eq=False)
class BayesUCB(IndexPolicy):
    """The 1 - 1 / (t log(T)^c) quantile of the arm's posterior, T the horizon in visits.

    Attributes:
        c: 5 in the regret bound; 0, the default, is what the authors recommend in practice.
    """

    c: float = 0.0
    formula: ClassVar[str] = (
        "argmax_a quantile of Beta(a + c_a, b + n_a - c_a) at 1 - 1 / (t log(T)^c), T the horizon in visits"
    )
    source: ClassVar[str] = "Kaufmann, Cappé and Garivier (2012), AISTATS, algorithm 1"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.non_negative("c", self.c)

    def index(self, evidence: Evidence) -> Floats:
        from scipy.special import betainccinv

        a, b = self.prior
        horizon = max(evidence.task.max_days * evidence.task.visits_per_day, 3)
        tail = 1 / ((evidence.total_visits[:, None] + 1) * np.log(horizon) ** self.c)
        successes, failures = evidence.conversions, evidence.visits - evidence.conversions
        return np.asarray(betainccinv(successes + a, failures + b, tail), np.float64)


def _log_visits(evidence: Evidence) -> Floats:
    """log(t), t the visits that count, of all arms together, and at least 1, shape (n, 1).

    With a window or a discount it is the log of the window's or the discounted visits, as in Garivier and Moulines
    (2011): log(min(t, window)).
    """
    log_visits: Floats = np.log(np.maximum(evidence.total_visits, 1))[:, None]
    return log_visits
