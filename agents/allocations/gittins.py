"""The finite-horizon Gittins index."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.allocations.ucb import IndexPolicy
from agents.evidence import Evidence
from bandit_env.world.task import Task

GRID = 512  # known rates at which an arm is compared; the index is good to about 1e-5
MAX_HORIZON = 400  # the table has horizon^3 / 3 entries: half a gigabyte of work space at 400


@dataclass(eq=False)
class Gittins(IndexPolicy):
    """Serves the arm with the largest finite-horizon Gittins index, one visit at a time.

    The index of an arm with m visits left is the known rate at which one is indifferent between that rate for
    all m visits, and serving the arm as long as it pays and the known rate after. Not optimal at a finite
    horizon, but near it.
    """

    source: ClassVar[str] = 'Kaufmann (2018), "On Bayesian index policies", Annals of Statistics 46, section 2.2'
    needs_all: ClassVar[bool] = True

    def reset(self, task: Task, num_experiments: int, rng: np.random.Generator) -> None:
        super().reset(task, num_experiments, rng)
        horizon = require_visit_by_visit("Gittins", task, MAX_HORIZON)
        self._table = index_table(horizon, self.prior)

    def index(self, evidence: Evidence) -> NDArray[np.float64]:
        horizon = evidence.task.max_updates
        left = (horizon - evidence.total_visits).astype(np.int64)[:, None]
        successes = evidence.conversions.astype(np.int64)
        failures = evidence.visits.astype(np.int64) - successes
        return np.asarray(self._table[_offsets(horizon)[left] + successes * (horizon - left + 1) + failures])


@lru_cache(maxsize=4)
def index_table(horizon: int, prior: tuple[float, float] = (1.0, 1.0)) -> NDArray[np.float64]:
    """Indices of all states of an arm, flat; with m visits left at `_offsets(horizon)[m] + s (horizon - m + 1) + f`."""
    from agents._kernels import gittins_table

    table: NDArray[np.float64] = gittins_table(horizon, *prior, np.linspace(0, 1, GRID), _offsets(horizon))
    table.flags.writeable = False
    return table


@lru_cache(maxsize=4)
def _offsets(horizon: int) -> NDArray[np.int64]:
    widths = horizon - np.arange(horizon + 1) + 1
    return np.concatenate([[0], np.cumsum(widths**2)])


def require_visit_by_visit(name: str, task: Task, max_horizon: int) -> int:
    """The horizon in visits of a task with one visit an update.

    Raises:
        ValueError: another task: more than one visit an update, or too long a horizon for a table of all
            states.
    """
    if task.visits_per_day != task.updates_per_day:
        raise ValueError(
            f"{name} plans visit by visit: expected as many updates as visits a day, "
            f"got {task.updates_per_day} updates for {task.visits_per_day} visits"
        )
    if not 1 <= task.max_updates <= max_horizon:
        raise ValueError(
            f"{name} tabulates all states: expected a horizon of 1 to {max_horizon} visits, got {task.max_updates}"
        )
    return task.max_updates
