"""Normal posteriors of log odds that an update's common effect does not touch, compiled. See `allocations.log_odds`."""

from functools import lru_cache
from math import asin, cos, erfc, exp, log, pi, sin, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bandit_env.compilation import kept

Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-7  # an arm that beats the leader with less than this chance has no share
POINTS = 509  # of the lattice rule
LOWEST, HIGHEST = -9.5, 6.5  # of the common term
NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)

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


@compiled
def probability_best(
    mean: Floats,
    precision: Floats,
    rows: NDArray[np.int64],
    available: NDArray[np.bool_],
    lattice: Floats,
    nodes: Floats,
    weights: Floats,
) -> Floats:
    """P(log odds are the largest of the arms that are there) of the normal posteriors of `rows`, shape (n, K)."""
    arms = mean.shape[1]
    out = np.zeros((rows.size, arms))
    covariance, lower = np.empty((arms, arms)), np.empty((arms, arms))
    for i in range(rows.size):
        mu = mean[rows[i]]
        covariance[:] = 0.0
        for k in range(arms):
            covariance[k, k] = 1.0
            solve(precision[rows[i]], covariance[k], lower)
        chosen = _contenders(mu, covariance, available[i])
        leader = chosen[mu[chosen].argmax()]
        out[i, leader] = 1.0  # less the others: their shares are small, and so are their errors
        for arm in chosen:
            if arm == leader:
                continue
            others = chosen[chosen != arm]
            size = others.size
            bound, cov = np.empty(size), np.empty((size, size))  # of others minus arm; all below 0
            for j in range(size):
                bound[j] = mu[arm] - mu[others[j]]
                for k in range(size):
                    a, b = others[j], others[k]
                    cov[j, k] = covariance[a, b] - covariance[a, arm] - covariance[b, arm] + covariance[arm, arm]
            out[i, arm] = min(_orthant(bound, cov, lattice, nodes, weights), out[i, leader])
            out[i, leader] -= out[i, arm]
    return out


@compiled
def _contenders(mean: Floats, covariance: Floats, available: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The arms that are there and beat the one with the largest mean with a chance that is not negligible."""
    leader = -1
    for k in range(mean.size):
        if available[k] and (leader < 0 or mean[k] > mean[leader]):
            leader = k
    keep = np.zeros(mean.size, dtype=np.bool_)
    for k in range(mean.size):
        variance = covariance[k, k] + covariance[leader, leader] - 2.0 * covariance[k, leader]
        keep[k] = available[k] and (k == leader or _below((mean[k] - mean[leader]) / sqrt(variance)) > NEGLIGIBLE)
    return np.flatnonzero(keep)


@compiled
def _orthant(bound: Floats, covariance: Floats, lattice: Floats, nodes: Floats, weights: Floats) -> float:
    """P(x < bound) of x ~ N(0, covariance), both of which it overwrites.

    From three dimensions on: a common term z is integrated over an interval beyond which nothing is left, where the
    integrand vanishes at both ends; given z, one variable after the other given those before: Genz (1992), "Numerical
    computation of multivariate normal probabilities". Both at once by a lattice rule.
    """
    size = bound.size
    if size == 0:
        return 1.0
    if size == 1:
        return _below(bound[0] / sqrt(covariance[0, 0]))
    if size == 2:
        return _two(bound, covariance, nodes, weights)
    common = _common(covariance)
    covariance -= common
    _order(bound, covariance)
    total, y = 0.0, np.empty(size)
    lower = covariance
    for point in range(lattice.shape[0]):
        z = LOWEST + (HIGHEST - LOWEST) * lattice[point, 0]
        value = exp(-0.5 * z * z)
        for j in range(size):
            shift = bound[j] - sqrt(common) * z
            for k in range(j):
                shift -= lower[j, k] * y[k]
            chance = _below(shift / lower[j, j])
            value *= chance
            if j < size - 1:
                y[j] = _quantile(lattice[point, j + 1] * chance)
        total += value
    return total * (HIGHEST - LOWEST) / (sqrt(2.0 * pi) * lattice.shape[0])


@compiled
def _common(covariance: Floats) -> float:
    """The variance of a term that all variables share, such that what is left is a covariance, and nearly diagonal.

    Were the arms independent, it would be that of the arm against which all are compared, and what is left diagonal.
    """
    size = covariance.shape[0]
    lower, ones = np.empty((size, size)), np.ones(size)
    solve(covariance, ones, lower)
    mean = (covariance.sum() - np.trace(covariance)) / (size * (size - 1))
    return max(min(mean, 0.999 / ones.sum()), 0.0)


@compiled
def _two(bound: Floats, covariance: Floats, nodes: Floats, weights: Floats) -> float:
    """Two dimensions: Phi(h) Phi(k) + int_0^asin(r) exp(-(h^2 + k^2 - 2 h k sin t) / (2 cos^2 t)) dt / (2 pi).

    Plackett (1954), Biometrika 41; the form is that of Drezner and Wesolowsky (1990).
    """
    h, k = bound[0] / sqrt(covariance[0, 0]), bound[1] / sqrt(covariance[1, 1])
    r = covariance[0, 1] / sqrt(covariance[0, 0] * covariance[1, 1])
    half = asin(min(max(r, -1.0), 1.0)) / 2.0
    total = 0.0
    for node in range(nodes.size):
        angle = half * (1.0 + nodes[node])
        total += weights[node] * exp(-(h * h + k * k - 2.0 * h * k * sin(angle)) / (2.0 * cos(angle) ** 2))
    value: float = _below(h) * _below(k) + total * half / (2.0 * pi)
    return min(max(value, 0.0), 1.0)


@compiled
def _order(bound: Floats, covariance: Floats) -> None:
    """Put first what is least probable given the expectation of those before, and factor: Genz and Bretz (2009), 4.1.3.

    Sorts `bound`, and writes the Cholesky factor into the lower half of `covariance`.
    """
    size = bound.size
    y = np.zeros(size)
    for j in range(size):
        best, least = j, 2.0
        for i in range(j, size):
            shift, variance = bound[i], covariance[i, i]
            for k in range(j):
                shift -= covariance[i, k] * y[k]
                variance -= covariance[i, k] * covariance[i, k]
            chance = _below(shift / sqrt(max(variance, 1e-300)))
            if chance < least:
                best, least = i, chance
        if best != j:
            bound[j], bound[best] = bound[best], bound[j]
            for k in range(j):
                covariance[j, k], covariance[best, k] = covariance[best, k], covariance[j, k]
            covariance[j, j], covariance[best, best] = covariance[best, best], covariance[j, j]
            for k in range(j + 1, best):
                covariance[k, j], covariance[best, k] = covariance[best, k], covariance[k, j]
            for k in range(best + 1, size):
                covariance[k, j], covariance[k, best] = covariance[k, best], covariance[k, j]
        pivot = covariance[j, j]
        for k in range(j):
            pivot -= covariance[j, k] * covariance[j, k]
        pivot = sqrt(max(pivot, 1e-300))
        covariance[j, j] = pivot
        shift = bound[j]
        for k in range(j):
            shift -= covariance[j, k] * y[k]
        for i in range(j + 1, size):
            entry = covariance[i, j]
            for k in range(j):
                entry -= covariance[i, k] * covariance[j, k]
            covariance[i, j] = entry / pivot
        edge = shift / pivot
        y[j] = -exp(-0.5 * edge * edge) / sqrt(2.0 * pi) / max(_below(edge), 1e-300)  # its mean below the bound


@compiled
def _below(x: float) -> float:
    """The normal distribution function."""
    chance: float = 0.5 * erfc(-x / 1.4142135623730951)
    return chance


@compiled
def _quantile(p: float) -> float:
    """Its inverse to 1e-9 relative, by Acklam's rational approximation."""
    x: float = 0.0
    if p <= 1e-300:
        return -37.0
    if p >= 1.0:
        return 8.3
    if min(p, 1.0 - p) < 0.02425:
        q = sqrt(-2.0 * log(min(p, 1.0 - p)))
        top = ((((-7.784894002430293e-03 * q - 3.223964580411365e-01) * q - 2.400758277161838) * q
                - 2.549732539343734) * q + 4.374664141464968) * q + 2.938163982698783  # fmt: skip
        bottom = (((7.784695709041462e-03 * q + 3.224671290700398e-01) * q + 2.445134137142996) * q
                  + 3.754408661907416) * q + 1.0  # fmt: skip
        x = top / bottom if p < 0.5 else -top / bottom
    else:
        q = p - 0.5
        r = q * q
        top = (((((-3.969683028665376e01 * r + 2.209460984245205e02) * r - 2.759285104469687e02) * r
                 + 1.383577518672690e02) * r - 3.066479806614716e01) * r + 2.506628277459239) * q  # fmt: skip
        bottom = ((((-5.447609879822406e01 * r + 1.615858368580409e02) * r - 1.556989798598866e02) * r
                   + 6.680131188771972e01) * r - 1.328068155288572e01) * r + 1.0  # fmt: skip
        x = top / bottom
    return x


@lru_cache(maxsize=32)
def lattice(dimensions: int) -> Floats:
    """A rank-1 lattice of POINTS points in `dimensions` dimensions; all but the first folded (baker's transformation).

    Korobov's form, z = (1, a, a^2, ...) mod POINTS, with the a that has the least mean square error over functions with
    square-integrable mixed second derivatives: Sloan and Joe (1994), "Lattice Methods for Multiple Integration", 4.
    """
    index = np.arange(POINTS)
    least, best = np.inf, np.zeros((POINTS, dimensions))
    for a in range(2, POINTS // 2):
        generator = np.array([pow(a, d, POINTS) for d in range(dimensions)])
        x = index[:, None] * generator % POINTS / POINTS
        error = float(np.prod(1 + 2 * np.pi**2 * (x * x - x + 1 / 6), axis=1).mean())
        if error < least:
            least, best = error, x
    shifted = (best + 0.5 / POINTS) % 1
    folded = 1 - np.abs(2 * shifted - 1)
    folded[:, 0] = shifted[:, 0]
    return folded
