"""Track-and-Stop: serve the arms in the proportions that tell the best one soonest."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.allocation import Allocation, share_among_leaders
from agents.evidence import Evidence

Floats = NDArray[np.float64]

EDGE = 1e-9  # rates of 0 and 1 are moved inside by this much: their divergence from others is infinite


@dataclass(eq=False)
class TrackAndStop(Allocation):
    """D-tracking of the optimal proportions w*(observed rates); its own stopping rule is "glr".

    With one visit an update: arms never served first; then an arm with fewer than sqrt(t) - K / 2 visits, the
    least served; else the arm with the largest t w*_a - n_a. An update of many visits is what so many steps
    without feedback come to: it fills the largest deficits down to a common level.
    """

    formula: ClassVar[str] = (
        "argmax_a t w*_a - n_a, w* = argmax_w min_{a != best} w_1 kl(rate_1, m_a) + w_a kl(rate_a, m_a)"
    )
    source: ClassVar[str] = "Garivier and Kaufmann (2016), COLT, section 3.1"

    def weights(self, evidence: Evidence) -> Floats:
        shares = np.zeros(evidence.visits.shape)
        batch = evidence.task.visits_per_day / evidence.task.updates_per_day
        for rows, arms in evidence.patterns():
            place = np.ix_(rows, arms)
            shares[place] = self._track(evidence.visits[place], evidence.rate[place], batch)
        return shares

    @staticmethod
    def _track(visits: Floats, rate: Floats, batch: float) -> Floats:
        """Shares of the next update, of arms that are all there, shape (n, K)."""
        total = visits.sum(axis=1, keepdims=True)
        proportions, _ = optimal_proportions(rate)
        if batch <= 1:
            # The deficit that the next visit fills. What must be explored goes before what is tracked.
            starved = visits < np.maximum(np.sqrt(total) - visits.shape[1] / 2, np.finfo(float).tiny)
            exploring = starved.any(axis=1, keepdims=True)
            deficit = np.where(exploring, np.where(starved, -visits, -np.inf), total * proportions - visits)
            return share_among_leaders(deficit)
        total = total + batch
        target = np.maximum(total * proportions, np.sqrt(total) - visits.shape[1] / 2)
        return _fill(target - visits, batch) / batch


def optimal_proportions(rates: ArrayLike) -> tuple[Floats, Floats]:
    """Proportions of visits that tell the best arm soonest, and the characteristic time.

    w* = argmax_w min_{a != best} of w_1 kl(rate_1, m_a) + w_a kl(rate_a, m_a), m_a the mean rate of the two
    arms under w; at least T* log(1 / delta) visits are needed for an error of delta. Garivier and Kaufmann
    (2016), theorem 5.

    Args:
        rates: shape (..., K). Leaders that tie share everything, and T* is infinite.

    Returns:
        w* (..., K), and T* (...,).
    """
    from agents import _kernels

    rates = np.asarray(rates, dtype=np.float64)
    rows = rates.reshape(-1, rates.shape[-1]).clip(EDGE, 1 - EDGE)
    proportions, inverse_time = _kernels.optimal_proportions(rows)
    with np.errstate(divide="ignore"):
        return proportions.reshape(rates.shape), (1 / inverse_time).reshape(rates.shape[:-1])


def _fill(deficit: Floats, amount: float) -> Floats:
    """Share `amount` so that the largest deficits come down to a common level, shape (n, K), rows summing to it."""
    falling = -np.sort(-deficit, axis=1)
    count = np.arange(1, deficit.shape[1] + 1)
    levels = (falling.cumsum(axis=1) - amount) / count  # the level if the `count` largest deficits are served
    served = (falling > levels).sum(axis=1) - 1
    level = np.take_along_axis(levels, served[:, None], axis=1)
    return np.maximum(deficit - level, 0)
