"""Root finding over arrays of Bernoulli rates, compiled. Imported only when an agent needs it."""

from math import exp, expm1, log, log1p, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bandit_env.compilation import kept

Floats = NDArray[np.float64]

compiled = kept([Path(__file__)])


@compiled
def kl(p: float, q: float) -> float:
    """Kullback-Leibler divergence of Bernoulli(q) from Bernoulli(p), q in (0, 1)."""
    value: float = 0.0
    gap = p - q
    if abs(gap) < 1e-4 * min(q, 1.0 - q):  # the logarithms would cancel
        spread = q * (1.0 - q)
        value = gap * gap / (2.0 * spread) * (1.0 - gap * (1.0 - 2.0 * q) / (3.0 * spread))
        return value
    if p > 0.0:
        value += p * log(p / q)
    if p < 1.0:
        value += (1.0 - p) * log((1.0 - p) / (1.0 - q))
    positive: float = max(value, 0.0)
    return positive


@compiled
def _kl_upper(p: float, bound: float) -> float:
    """The largest q with kl(p, q) <= bound."""
    if bound <= 0.0:
        return p
    if p <= 0.0:
        return -expm1(-bound)
    if p >= 1.0:
        return 1.0
    # kl is convex in q: Newton's steps from above stay above the root and fall. Three upper bounds of it to
    # start from: Pinsker; kl >= (q - p)^2 / (2 q); kl >= -(1 - p) log(1 - q) - entropy of p.
    entropy = -p * log(p) - (1.0 - p) * log1p(-p)
    above = min(p + sqrt(bound / 2.0), p + bound + sqrt(bound * (bound + 2.0 * p)))
    q = min(above, 1.0 - exp(-(bound + entropy) / (1.0 - p)))
    for _ in range(60):
        if q >= 1.0:
            return 1.0
        step = (kl(p, q) - bound) * q * (1.0 - q) / (q - p)
        q -= step
        if step <= 1e-14 * q:
            break
    return max(q, p)


@compiled
def kl_upper(rate: Floats, bound: Floats) -> Floats:
    """For each pair, the largest q with kl(rate, q) <= bound; both shape (n, K)."""
    out = np.empty(rate.shape)
    for i in range(rate.shape[0]):
        for j in range(rate.shape[1]):
            out[i, j] = _kl_upper(rate[i, j], bound[i, j])
    return out


@compiled
def _share_against(best: float, rate: float, y: float, x: float) -> float:
    """X with g(x) = y, g(x) = kl(best, m) + x kl(rate, m), m = (best + x rate) / (1 + x); from an x below it.

    g is concave and g' = kl(rate, m), so that Newton's steps from below stay below the root and rise.
    """
    for _ in range(200):
        mean = (best + x * rate) / (1.0 + x)
        slope = kl(rate, mean)
        step = (y - kl(best, mean) - x * slope) / slope
        x += step
        if step <= 1e-12 * x:
            break
    return x


@compiled
def _proportions(rate: Floats, out: Floats, shares: Floats) -> float:
    """Write the optimal proportions of one instance, rates in (0, 1), into `out`; returns 1 / T*."""
    num_arms = rate.shape[0]
    best = rate.max()
    leaders = 0
    for a in range(num_arms):
        out[a] = 1.0 if rate[a] == best else 0.0
        leaders += rate[a] == best
    if leaders > 1:  # no finite time tells the leaders apart
        out /= leaders
        return 0.0
    high = np.inf
    for a in range(num_arms):
        shares[a] = 0.0
        if out[a] == 0.0:
            high = min(high, kl(best, rate[a]))
    # F(y) = sum_a kl(best, m_a) / kl(rate_a, m_a) grows from 0 to infinity on (0, high); find F = 1 on the
    # scale F / (1 + F).
    low, low_value, high_value, side = 0.0, -0.5, 0.5, 0
    lower_shares = np.zeros(num_arms)
    for _ in range(100):
        y = high - high_value * (high - low) / (high_value - low_value)
        total = 0.0
        for a in range(num_arms):
            if out[a] == 0.0:
                shares[a] = _share_against(best, rate[a], y, lower_shares[a])
                mean = (best + shares[a] * rate[a]) / (1.0 + shares[a])
                total += kl(best, mean) / kl(rate[a], mean)
        value = total / (1.0 + total) - 0.5
        if abs(value) < 1e-12 or high - low < 1e-15 * high:
            break
        if value < 0.0:
            low, low_value = y, value
            lower_shares[:] = shares
            high_value *= 0.5 if side == -1 else 1.0
            side = -1
        else:
            high, high_value = y, value
            low_value *= 0.5 if side == 1 else 1.0
            side = 1
    total = 1.0 + shares.sum()
    for a in range(num_arms):
        out[a] = (1.0 if out[a] == 1.0 else shares[a]) / total
    inverse_time: float = y / total
    return inverse_time


@compiled
def optimal_proportions(rate: Floats) -> tuple[Floats, Floats]:
    """Optimal proportions (n, K) and inverse characteristic times (n,) of rates (n, K) in (0, 1)."""
    out = np.empty(rate.shape)
    inverse_time = np.empty(rate.shape[0])
    shares = np.empty(rate.shape[1])
    for i in range(rate.shape[0]):
        inverse_time[i] = _proportions(rate[i], out[i], shares)
    return out, inverse_time
