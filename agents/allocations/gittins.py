"""The Gittins index: of a finite horizon, and discounted."""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import _check
from agents.allocations.ucb import IndexPolicy
from agents.evidence import Evidence
from bandit_env.world.task import Task

MAX_HORIZON = 500  # a table of 8 horizon^3 / 6 bytes: 170 MB at 500; its time grows with the fifth power
MAX_VISITS = 5000  # of the discounted index, those looked ahead included
UNSEEN = 1e-6  # discount of what is not looked at any more
GRID = 2048  # known rates at which the discounted arm is compared


@dataclass(eq=False)
class Gittins(IndexPolicy):
    """Serves the arm with the largest finite-horizon Gittins index, one visit at a time.

    The index of an arm with m visits left is the known rate at which one is indifferent between that rate for
    all m visits, and serving the arm as long as it pays and the known rate after. Not optimal at a finite
    horizon, but near it. Indices are good to about 1e-9. The table of all states takes 1/3 s at a horizon of
    100, some 6 s at 200, and minutes at 400.
    """

    formula: ClassVar[str] = (
        "argmax_a of the known rate lambda worth as much, over the m visits left, as arm a with the option "
        "to leave it for lambda"
    )
    source: ClassVar[str] = 'Kaufmann (2018), "On Bayesian index policies", Annals of Statistics 46, section 2.2'
    needs_all: ClassVar[bool] = True

    def reset(self, task: Task, num_experiments: int, rng: np.random.Generator) -> None:
        super().reset(task, num_experiments, rng)
        self._table = index_table(require_visit_by_visit("Gittins", task, MAX_HORIZON), self.prior)

    def index(self, evidence: Evidence) -> NDArray[np.float64]:
        left = (evidence.task.max_updates - evidence.total_visits).astype(np.int64)[:, None]
        return np.asarray(self._table[_state(evidence) + _block(evidence.visits.astype(np.int64) + left)])


@dataclass(eq=False)
class GittinsDiscounted(IndexPolicy):
    """Serves the arm with the largest Gittins index of an endless, discounted horizon, one visit at a time.

    Optimal for the sum of discount^t x conversion_t over all t to come. The index is the known rate at which one
    is indifferent between it for ever and the arm. Good to about 1e-6: what comes after a weight of 1e-6 is not
    looked at.

    Attributes:
        discount: weight of the next visit's conversion against this one's; all visits to come together weigh
            as much as 1 / (1 - discount) of now.
    """

    discount: float = 0.99
    needs_all: ClassVar[bool] = True
    formula: ClassVar[str] = "argmax_a of sup_tau E[sum_{t < tau} discount^t x_t] / E[sum_{t < tau} discount^t]"
    source: ClassVar[str] = "Gittins (1979), Journal of the Royal Statistical Society B 41"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.fraction("discount", self.discount)

    def reset(self, task: Task, num_experiments: int, rng: np.random.Generator) -> None:
        super().reset(task, num_experiments, rng)
        ahead = ceil(log(UNSEEN) / log(self.discount))
        if ahead >= MAX_VISITS:
            raise ValueError(
                f"discount is {self.discount}, which looks {ahead:,} visits ahead; expected less than {MAX_VISITS:,}"
            )
        horizon = require_visit_by_visit("GittinsDiscounted", task, MAX_VISITS - ahead)
        self._table = discounted_index_table(horizon, self.discount, self.prior)

    def index(self, evidence: Evidence) -> NDArray[np.float64]:
        return np.asarray(self._table[_state(evidence)])


@lru_cache(maxsize=4)
def index_table(horizon: int, prior: tuple[float, float] = (1.0, 1.0)) -> NDArray[np.float64]:
    """Finite-horizon indices of all states of an arm, flat.

    With n visits, s conversions and m visits left at T (T + 1) (T + 2) / 6 + n (n + 1) / 2 + s, T = n + m; with
    none left it is the mean.
    """
    from agents._gittins import finite_horizon_table

    table: NDArray[np.float64] = finite_horizon_table(horizon, *prior)
    table.flags.writeable = False
    return table


@lru_cache(maxsize=4)
def discounted_index_table(
    horizon: int, discount: float, prior: tuple[float, float] = (1.0, 1.0)
) -> NDArray[np.float64]:
    """Discounted indices of all states of up to `horizon` visits, flat, at n (n + 1) / 2 + s.

    >>> round(float(discounted_index_table(1, 0.9)[0]), 4)  # a known table's .7029, of one conversion and one not
    0.7029
    """
    from agents._gittins import discounted_table

    longest = horizon + ceil(log(UNSEEN) / log(discount))
    table: NDArray[np.float64] = discounted_table(horizon, longest, discount, *prior, np.linspace(0, 1, GRID))
    table.flags.writeable = False
    return table


def _state(evidence: Evidence) -> NDArray[np.int64]:
    visits = evidence.visits.astype(np.int64)
    return visits * (visits + 1) // 2 + evidence.conversions.astype(np.int64)


def _block(total: NDArray[np.int64]) -> NDArray[np.int64]:
    return total * (total + 1) * (total + 2) // 6


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
