"""The finite-horizon Gittins index where an arm is served for a whole day at a time: a reference for docs/learned.md.

`agents.allocations.gittins` plans visit by visit. Here an arm's state is the days that it was served and its
conversions, and one step of the induction is a day, whose conversions are beta-binomial. All of a day's traffic goes to
one arm.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import exp, lgamma

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.allocation import Allocation
from agents.evidence import Evidence

HIGHEST, GRID = 0.25, 251  # known rates at which an arm is compared: no rate from Beta(4, 96) comes near the highest


@njit(cache=True)
def index_table(
    days: int, per_day: int, a: float, b: float, grid: NDArray[np.float64], most: int
) -> NDArray[np.float64]:
    """Indices at [days left, days served, conversions], the conversions up to `most`; more count as `most`.

    "This arm, or a known rate for all the days left", at the known rates of a grid, between which the index is linear.
    """
    chance = np.zeros((days, most + 1, per_day + 1))  # of the next day's conversions
    for served in range(days):
        for s in range(min(most, per_day * served) + 1):
            won, lost = a + s, b + per_day * served - s
            p = exp(lgamma(lost + per_day) - lgamma(won + lost + per_day) - lgamma(lost) + lgamma(won + lost))
            for x in range(per_day + 1):
                chance[served, s, x] = p
                p *= (per_day - x) / (x + 1) * (won + x) / max(lost + per_day - x - 1, 1e-300)
    table = np.zeros((days + 1, days + 1, most + 1))
    value = np.zeros((days + 2, most + 1, grid.size))  # of the arm or the known rate, of one day less
    go_on = np.empty(grid.size)
    for left in range(1, days + 1):
        for served in range(days - left + 1):
            for s in range(min(most, per_day * served) + 1):
                go_on[:] = per_day * (a + s) / (a + b + per_day * served)
                for x in range(per_day + 1):
                    if chance[served, s, x] > 1e-10:
                        after = value[served + 1, min(s + x, most)]
                        for g in range(grid.size):
                            go_on[g] += chance[served, s, x] * after[g]
                index, previous = grid[0], 0.0
                for g in range(grid.size):
                    known = grid[g] * left * per_day
                    gain = go_on[g] - known
                    if gain > 0:
                        index = grid[g]
                    elif g > 0 and previous > 0:
                        index = grid[g - 1] + (grid[g] - grid[g - 1]) * previous / (previous - gain)
                    previous = gain
                    value[served, s, g] = max(go_on[g], known)
                table[left, served, s] = index
    return table


@dataclass(eq=False)
class GittinsByDay(Allocation):
    """Serves the arm with the largest index for a day, the first of equal ones; one update a day, small rates."""

    def weights(self, evidence: Evidence) -> NDArray[np.float64]:
        """One for the arm with the largest index, shape (n, K)."""
        task = evidence.task
        table = _table(int(task.max_days), task.visits_per_day, self.prior)
        left = np.maximum(task.max_days - evidence.day, 1).astype(np.int64)[:, None]
        served = np.minimum(evidence.visits // task.visits_per_day, task.max_days - left).astype(np.int64)
        conversions = np.minimum(evidence.conversions, table.shape[2] - 1).astype(np.int64)
        first = table[left, served, conversions].argmax(axis=1)
        return (first[:, None] == np.arange(task.num_arms)).astype(np.float64)


@lru_cache(maxsize=2)
def _table(days: int, per_day: int, prior: tuple[float, float]) -> NDArray[np.float64]:
    return index_table(days, per_day, *prior, np.linspace(0, HIGHEST, GRID), int(HIGHEST * days * per_day))
