"""Augmented inverse-propensity weighting, from sums per update."""

import numpy as np

from bandit_env.stats.checks import Bools, Floats
from bandit_env.stats.estimates.sums import ALL, Estimate, Rows, Sums, contiguous

LEAST_WEIGHT = 1e-3


class AIPW(Sums):
    """Augmented inverse-propensity weighting: unbiased under any weights that are known.

    A visit scores G = m + 1{served k}(y - m)/w for arm k, m the arm's mean over earlier updates (0 before its first
    visit). The estimate is sum h G / sum h, its variance sum h^2 (G - Q)^2 / (sum h)^2: Hadad, Hirshberg, Zhan, Wager
    and Athey (2021), PNAS 118, equations 5 and 11. With h = sqrt(w) the variances of visits are alike, which makes the
    estimate normal under weights that do not converge; with h = 1 it is exactly unbiased.

    Args:
        num_experiments, num_arms: n and K.
        control: the arm that differences are taken from.
        weighting: "sqrt" for h = sqrt(w), "equal" for h = 1.
        least_weight: weights below it are refused; 0 lets all pass.

    Raises:
        ValueError: no such control or weighting; in `update`, weights that cannot be (see `check_weights`).
    """

    weighs = True

    def __init__(
        self,
        num_experiments: int,
        num_arms: int,
        control: int = 0,
        *,
        weighting: str = "sqrt",
        least_weight: float = LEAST_WEIGHT,
    ) -> None:
        if weighting not in ("sqrt", "equal"):
            raise ValueError(f"weighting is {weighting!r}; expected 'sqrt' or 'equal'")
        if not 0 <= least_weight < 1:
            raise ValueError(f"least_weight is {least_weight}; expected a number from 0 to 1, 1 excluded")
        super().__init__(num_experiments, num_arms, control)
        self.weighting, self.least_weight = weighting, least_weight
        shape = self.shape
        self.visits, self.conversions = np.zeros(shape), np.zeros(shape)  # of earlier updates
        self.h, self.hg = np.zeros(shape), np.zeros(shape)  # sums over visits of h and h G
        self.h2, self.h2g, self.h2g2 = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        # the same with the control: h h', h h' G, h h' G' and h h' G G', the control's primed
        self.both, self.both_own, self.both_control, self.both_g = (np.zeros(shape) for _ in range(4))

    def add(
        self,
        weights: Floats,
        new_visits: Floats,
        new_conversions: Floats,
        rows: Rows = ALL,
        available: Bools | None = None,
    ) -> None:
        """As `Sums.add`."""
        from bandit_env.stats.estimates import kernels

        kernels.add_aipw(
            *contiguous(weights, new_visits, new_conversions),
            self.indices(rows),
            np.ones(np.shape(weights), np.bool_) if available is None else available,
            self.weighting == "sqrt",
            self.control,
            *(self.visits, self.conversions, self.h, self.hg, self.h2, self.h2g, self.h2g2),
            *(self.both, self.both_own, self.both_control, self.both_g),
        )

    def rates(self, rows: Rows = ALL) -> Estimate:
        """Each arm's rate, shape (m, K)."""
        value, variance = self._moments(rows)
        return Estimate(value, np.sqrt(variance))

    def difference(self, rows: Rows = ALL) -> Estimate:
        """Each arm's rate less the control's, shape (m, K); the control's own is 0.

        The variance is v_k + v_0 - 2 sum h_k h_0 (G_k - Q_k)(G_0 - Q_0) / (sum h_k sum h_0).
        """
        q, variance = self._moments(rows)
        k = slice(self.control, self.control + 1)
        h, q0 = self.h[rows], q[:, k]
        products = self.both_g[rows] - q0 * self.both_own[rows] - q * self.both_control[rows] + q * q0 * self.both[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = variance + variance[:, k] - 2 * products / (h * h[:, k])
        variance[:, self.control] *= 0  # NaN stays
        return Estimate(q - q0, np.sqrt(np.maximum(variance, 0)))

    def _moments(self, rows: Rows) -> tuple[Floats, Floats]:
        h = self.h[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            q = self.hg[rows] / h
            variance = (self.h2g2[rows] - 2 * q * self.h2g[rows] + q**2 * self.h2[rows]) / h**2
        return q, np.maximum(variance, 0)
