"""Tests whose strata are the updates: batched OLS, and Cochran, Mantel and Haenszel's."""

from typing import ClassVar

import numpy as np

from bandit_env.stats.checks import Bools, Floats
from bandit_env.stats.estimates.sums import ALL, Estimate, Rows, Sums, contiguous


class _Tables(Sums):
    """Sums over the updates' two-by-two tables of each arm and the control."""

    by_update: ClassVar[bool]

    def __init__(self, num_experiments: int, num_arms: int, control: int = 0) -> None:
        super().__init__(num_experiments, num_arms, control)
        self.first, self.second, self.third = (np.zeros(self.shape) for _ in range(3))

    def add(
        self,
        weights: Floats,
        new_visits: Floats,
        new_conversions: Floats,
        rows: Rows = ALL,
        available: Bools | None = None,
    ) -> None:
        """As `Sums.add`; weights do not enter."""
        from bandit_env.stats.estimates import kernels

        counts, index = contiguous(new_visits, new_conversions), self.indices(rows)
        kernels.add_tables(*counts, index, self.control, self.by_update, self.first, self.second, self.third)

    def _estimate(self, excess: Floats, variance: Floats, size: Floats) -> Estimate:
        """Excess over size, with the root of the variance; the control's own is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value, error = excess / size, np.sqrt(variance) / size
        value[:, self.control] = error[:, self.control] = 0.0
        return Estimate(value, error)


class BatchedOLS(_Tables):
    """The z of every update, added up: normal whatever the weights were, as each is, given the past.

    z_t = (c_k - C n_k/N) / sqrt(C (N - C) n_0 n_k / (N^2 (N - 1))), N and C the visits and conversions of the arm and
    the control in the update, over the updates that served both and had 0 < C < N; Z = sum z_t / sqrt(their number):
    Zhang, Janson and Murphy (2020), "Inference for batched bandits", NeurIPS. The difference is the one that solves
    sum (d_t - d)/s_t = 0, d_t = c_k/n_k - c_0/n_0 and s_t = d_t/z_t, so that its z is Z.

    Args:
        num_experiments, num_arms: n and K.
        control: the arm that differences are taken from.

    Raises:
        ValueError: no such control.
    """

    by_update = True

    def difference(self, rows: Rows = ALL) -> Estimate:
        """Each arm's rate less the control's, shape (m, K); the control's own is 0."""
        return self._estimate(self.first[rows], self.third[rows], self.second[rows])


class Stratified(_Tables):
    """The Cochran-Mantel-Haenszel test, a stratum per update: blind to seasons that move all arms.

    z = sum (c_k - C n_k/N) / sqrt(sum C (N - C) n_0 n_k / (N^2 (N - 1))), without correction for continuity: Mantel and
    Haenszel (1959), JNCI 22. The difference is theirs, sum (c_k n_0 - c_0 n_k)/N / sum n_0 n_k/N, its standard error
    the one under equal rates. Weights that follow the data still bias both.

    Args:
        num_experiments, num_arms: n and K.
        control: the arm that differences are taken from.

    Raises:
        ValueError: no such control.
    """

    by_update = False

    def difference(self, rows: Rows = ALL) -> Estimate:
        """Each arm's rate less the control's, shape (m, K); the control's own is 0."""
        return self._estimate(self.first[rows], self.second[rows], self.third[rows])
