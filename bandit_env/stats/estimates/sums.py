"""What methods that add up updates share: the estimate that they give, and the sums that they keep."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit_env.stats.checks import Bools, Floats, check_control, check_level, check_weights

Rows = slice | NDArray[np.int64] | NDArray[np.bool_]
ALL = slice(None)


class Estimate(NamedTuple):
    """An estimate with its standard error; NaN where there is nothing to estimate it from."""

    value: Floats
    standard_error: Floats

    @property
    def z(self) -> Floats:
        """The estimate in standard errors; 0 where nothing can be told."""
        with np.errstate(divide="ignore", invalid="ignore"):
            z = self.value / self.standard_error
        return np.where(np.isfinite(z), z, 0.0)

    @property
    def p_value(self) -> Floats:
        """The two-sided p-value of no effect, by the normal distribution."""
        from scipy.special import ndtr

        return np.asarray(2 * ndtr(-np.abs(self.z)))

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """The normal interval, (low, high).

        Raises:
            ValueError: a level outside (0, 1).
        """
        from scipy.special import ndtri

        check_level(level)
        reach = -ndtri((1 - level) / 2) * self.standard_error
        return self.value - reach, self.value + reach


class Sums(ABC):
    """Sums of n experiments of K arms, added up update by update; experiments may drop out.

    Args:
        num_experiments, num_arms: n and K.
        control: the arm that differences are taken from.

    Raises:
        ValueError: no such control.
    """

    least_weight: float = 0.0
    """Weights below it are refused."""
    weighs: ClassVar[bool] = False
    """Whether the method reads the weights."""

    def __init__(self, num_experiments: int, num_arms: int, control: int = 0) -> None:
        self.control = check_control(control, num_arms)
        self.shape = num_experiments, num_arms

    def update(
        self,
        weights: Floats,
        new_visits: Floats,
        new_conversions: Floats,
        rows: Rows = ALL,
        available: Bools | None = None,
    ) -> None:
        """Add an update of the experiments `rows`.

        Args:
            weights: served, shape (m, K); what does not weigh by them lets any pass.
            new_visits, new_conversions: of this update, shape (m, K).
            rows: the m experiments, as an index of the first axis.
            available: which arms are there, shape (m, K); None means all.

        Raises:
            ValueError: weights that cannot be (see `check_weights`), where the method reads them.
        """
        if self.weighs:
            check_weights(weights, new_visits, self.least_weight, available)
        self.add(weights, new_visits, new_conversions, rows, available)

    @abstractmethod
    def add(
        self,
        weights: Floats,
        new_visits: Floats,
        new_conversions: Floats,
        rows: Rows = ALL,
        available: Bools | None = None,
    ) -> None:
        """The same for a recorder that knows its weights to be sound: nothing is checked."""

    @abstractmethod
    def difference(self, rows: Rows = ALL) -> Estimate:
        """Each arm's rate less the control's, shape (m, K); the control's own is 0."""

    def indices(self, rows: Rows) -> NDArray[np.int64]:
        """Rows as indices of the first axis."""
        return np.arange(self.shape[0], dtype=np.int64)[rows]


def contiguous(*arrays: Floats) -> tuple[Floats, ...]:
    """Arrays as compiled code wants them."""
    return tuple(np.ascontiguousarray(array, np.float64) for array in arrays)
