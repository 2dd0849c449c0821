"""Thompson sampling, a batch of visits at a time."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.allocation import Allocation
from agents.evidence import Evidence


@dataclass(eq=False)
class Thompson(Allocation):
    """Serves every arm in proportion to the probability that it is the best: weights = P(best | data).

    The exact share that a draw of the posterior per visit has in expectation; with one visit an update it
    *is* per-visit Thompson sampling.
    """

    source: ClassVar[str] = (
        'Thompson (1933), Biometrika 25; Scott (2010), "A modern Bayesian look at the multi-armed bandit"'
    )

    def weights(self, evidence: Evidence) -> NDArray[np.float64]:
        """P(best), shape (n, K)."""
        return evidence.probability_best
