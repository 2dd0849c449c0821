"""Normal posteriors of log odds that an update's common effect does not touch, compiled. See `allocations.log_odds`."""

from math import exp, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bandit_env.compilation import kept

Floats = NDArray[np.float64]

compiled = kept([Path(__file__)])


@compiled
def solve(matrix: Floats, right: Floats, lower: Floats) -> None:
    """Replace `right` by matrix^-1 right, for a positive definite matrix, whose Cholesky factor goes into `lower`."""
    size = right.size
    for i in range(size):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            lower[i, j] = sqrt(max(total, 1e-300)) if i == j else total / lower[j, j]
    for i in range(size):
        for k in range(i):
            right[i] -= lower[i, k] * right[k]
        right[i] /= lower[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            right[i] -= lower[k, i] * right[k]
        right[i] /= lower[i, i]


@compiled
def advance(mean: Floats, precision: Floats, rows: NDArray[np.int64], visits: Floats, conversions: Floats) -> None:
    """Add an update (visits and conversions (n, K)) to the posteriors of `rows`: mean (N, K), precision (N, K, K).

    Newton on the penalised likelihood c'm - C log sum n e^m - (m - mean)' precision (m - mean) / 2.
    """
    arms = mean.shape[1]
    share, step, hessian, lower = np.empty(arms), np.empty(arms), np.empty((arms, arms)), np.empty((arms, arms))
    for i in range(rows.size):
        n, c = visits[i], conversions[i]
        total = c.sum()
        if not 0.0 < total < n.sum() or (n > 0.0).sum() < 2:
            continue  # an update without information
        mu, prec = mean[rows[i]], precision[rows[i]]
        m = mu.copy()
        for _ in range(100):
            _shares(n, m, share)
            for j in range(arms):
                step[j] = c[j] - total * share[j]
                for k in range(arms):
                    step[j] -= prec[j, k] * (m[k] - mu[k])
                    hessian[j, k] = prec[j, k] - total * share[j] * share[k]
                hessian[j, j] += total * share[j]
            solve(hessian, step, lower)
            length = np.abs(step).max()
            m += step / max(1.0, length)  # no step is longer than 1: far from the mode it would overshoot
            if length < 1e-12:
                break
        _shares(n, m, share)
        mu[:] = m
        for j in range(arms):
            for k in range(arms):
                prec[j, k] -= total * share[j] * share[k]
            prec[j, j] += total * share[j]


@compiled
def _shares(visits: Floats, log_odds: Floats, share: Floats) -> None:
    """Write each arm's expected share of the conversions, n e^m / sum n e^m."""
    highest = log_odds.max()
    total = 0.0
    for j in range(share.size):
        share[j] = visits[j] * exp(log_odds[j] - highest)
        total += share[j]
    share /= total
