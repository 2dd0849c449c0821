"""The posterior's integrals on adaptive panels: the path that is right for every row, whatever its counts.

Everything is in u = logit(t), where a Beta(a, b) density is exp(a u - n log(1 + e^u)) / B(a, b), n = a + b:
log-concave, analytic, decaying at both ends. A row is swept once from left to right in panels short enough to resolve
every arm that still matters there; on a panel, sixteen Gauss-Legendre nodes give all densities, and integrating their
interpolant gives all distribution functions, which grow from below and so keep their relative accuracy in the tail.
"""

from math import exp, expm1, inf, lgamma, log, log1p, pi, sqrt

import numpy as np
from numba import njit
from numpy.polynomial import legendre
from numpy.typing import NDArray

NODES = 16
DEPTH = 90.0  # a density is followed down to exp(-90) of its peak: what is cut is below 1e-36, see `_sweep`
TAIL = 45.0  # nothing changes beyond the largest end at this depth: what is cut is below 1e-19
SPREAD, WALL = 1.0, 2.0  # half a panel spans at most this many standard deviations, or units of u near the poles

A, B, N, P, Q, MODE, SCALE, LOWER, UPPER = range(9)  # columns of an arm's constants, see `_describe`
COLUMNS = 9


def _rule() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights of Gauss-Legendre on [-1, 1], and C[k, m] = integral of m's Lagrange polynomial to node k."""
    nodes, weights = legendre.leggauss(NODES)
    degrees = np.arange(NODES)
    # the Lagrange polynomial of node m is sum_d (2 d + 1)/2 w_m P_d(x_m) P_d(x): Gauss's discrete orthogonality
    basis = (degrees + 0.5) * legendre.legvander(nodes, NODES - 1) * weights[:, None]
    integrals = np.stack([legendre.legval(nodes, legendre.legint(np.eye(NODES)[d], lbnd=-1)) for d in degrees])
    return nodes, weights, basis @ integrals


POINTS, WEIGHTS, _transposed = _rule()
CUMULATIVE = np.ascontiguousarray(_transposed.T)


@njit(cache=True, error_model="numpy")
def stirling_remainder(x: float) -> float:
    """The remainder log Gamma(x) - [(x - 1/2) log x - x + log(2 pi)/2], for x > 0; error below 2e-16 from 16 up."""
    if x < 16.0:
        return lgamma(x) - ((x - 0.5) * log(x) - x + 0.5 * log(2 * pi))
    y = 1.0 / (x * x)
    # DLMF 5.11.1: Bernoulli numbers B_2k / (2k (2k - 1) x^(2k - 1))
    return (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y * (1 / 1188 - y * 691 / 360360))))) / x


@njit(cache=True, error_model="numpy")
def _deficit(d: float, arm: NDArray[np.float64]) -> float:
    """How far the log density has fallen at a distance d from its mode: n log(1 + p (e^d - 1)) - a d, at least 0.

    Mirrored so that p <= 1/2, and near the mode by its series in the Bernoulli cumulants, so that nothing cancels
    at 10^9 visits.
    """
    p, a = arm[P], arm[A]
    if p > 0.5:
        p, a, d = arm[Q], arm[B], -d
    if abs(d) < 0.03:
        w, skew = p * (1 - p), 1 - 2 * p
        tail = w * (1 - w * (126 - w * (1680 - 5040 * w))) * d / 40320 + w * skew * (1 - w * (60 - 360 * w)) / 5040
        tail = (tail * d + w * (1 - w * (30 - 120 * w)) / 720) * d + w * skew * (1 - 12 * w) / 120
        return float(arm[N] * d * d * (((tail * d + w * (1 - 6 * w) / 24) * d + w * skew / 6) * d + w / 2))
    rise = log1p(p * expm1(d)) if d < 600 else log(p) + d
    return float(arm[N] * rise - a * d)


@njit(cache=True, error_model="numpy")
def _end(depth: float, arm: NDArray[np.float64], side: float) -> float:
    """A point beyond which the deficit exceeds `depth`, on the side -1 or +1, as a distance from the mode.

    The deficit is convex: a Newton step lands outside from anywhere, and the next ones approach from there,
    by about 1 each where it grows exponentially.
    """
    near, far = (arm[A], arm[B]) if side < 0 else (arm[B], arm[A])
    d = side * (sqrt(2 * depth * (1 / near + 1 / far)) + 0.6 * depth / near)
    for _ in range(100):
        excess = _deficit(d, arm) - depth
        if 0 <= excess < 1:
            break
        if d < 0:
            slope = arm[N] / (1 + arm[Q] / arm[P] * exp(-d)) - arm[A]
        else:
            slope = arm[B] - arm[N] / (1 + arm[P] / arm[Q] * exp(d))
        d -= excess / slope
    return float(d)


@njit(cache=True, error_model="numpy")
def _describe(a: NDArray[np.float64], b: NDArray[np.float64], arms: NDArray[np.float64]) -> float:
    """Fill the constants of a row's arms, modes and ends relative to a centre, which is returned."""
    narrowest = 0
    for j in range(a.size):
        if a[j] + b[j] > a[narrowest] + b[narrowest]:
            narrowest = j
    centre = log(a[narrowest] / b[narrowest])
    for j in range(a.size):
        arm = arms[j]
        n = a[j] + b[j]
        arm[A], arm[B], arm[N], arm[P], arm[Q] = a[j], b[j], n, a[j] / n, b[j] / n
        arm[MODE] = log(a[j] / b[j]) - centre
        # -log B(a, b) + a log p + b log q, by Stirling's series with the large terms cancelled by hand
        remainder = stirling_remainder(a[j]) + stirling_remainder(b[j]) - stirling_remainder(n)
        arm[SCALE] = 0.5 * log(a[j] / (2 * pi) * arm[Q]) - remainder
        arm[LOWER] = arm[MODE] + _end(DEPTH, arm, -1.0)
        arm[UPPER] = arm[MODE] + _end(DEPTH, arm, 1.0)
    return centre


@njit(cache=True, error_model="numpy")
def _lift(arm: NDArray[np.float64], centre: float, lift: float) -> None:
    """Move an arm's ends to where (1 + lift) t reaches them; beyond t = 1 lies infinity."""
    for end in (LOWER, UPPER):
        left = exp(-(centre + arm[end])) - lift
        arm[end] = log1p(lift) - log(left) - centre if left > 0 else inf


@njit(cache=True, error_model="numpy")
def _density(v: float, centre: float, arm: NDArray[np.float64], lift: float) -> float:
    """The density of logit(min((1 + lift) t, 1)) at u = centre + v, for t of this arm."""
    if lift == 0.0:
        return exp(arm[SCALE] - _deficit(v - arm[MODE], arm))
    # t/(1 - t) = s/(1 + lift - s) for s = (1 + lift) t; d is its logit from the mode, then the chain rule
    u = centre + v
    if u < 0:
        d = v - arm[MODE] - log1p(lift * (1 + exp(u)))
        stretch = (1 + lift) / (1 + lift + lift * exp(u))
    else:
        odds = lift + (1 + lift) * exp(-u)
        d = -log(odds) - centre - arm[MODE]
        if u < 20:
            d = v - arm[MODE] - log1p(lift * (1 + exp(u)))
        stretch = (1 + lift) * exp(-u) / odds
    return exp(arm[SCALE] - _deficit(d, arm)) * stretch


@njit(cache=True, error_model="numpy")
def _steepness(v: float, centre: float, arm: NDArray[np.float64], lift: float) -> float:
    """|slope| / 2 + sqrt(|curvature|) of the log density: the inverse of a length that resolves it."""
    u = centre + v
    s, r = 1 / (1 + exp(-u)), 1 / (1 + exp(u))
    if lift == 0.0:
        return float(0.5 * abs(arm[A] * r - arm[B] * s) + sqrt(arm[N] * s * r))
    t, rest = s / (1 + lift), (lift + r) / (1 + lift)
    odds = t / rest
    slope = arm[A] * r - (arm[B] - 1) * odds * r - s
    bend = (arm[A] + 1) * s * r + abs(arm[B] - 1) * (r * r * odds / rest + odds * s * r)
    return float(0.5 * abs(slope) + sqrt(bend))


@njit(cache=True, error_model="numpy")
def _wall(u: float) -> float:
    """The longest panel from u: the poles of every density's logarithm lie at distance pi from the real line."""
    return WALL + 0.5 * abs(u)


@njit(cache=True, error_model="numpy")
def _below(start: float, centre: float, arm: NDArray[np.float64], lift: float) -> tuple[float, float]:
    """The mass of an arm below `start`, and its first moment in t there."""
    v, mass, moment = arm[LOWER], 0.0, 0.0
    if start >= arm[UPPER]:
        return 1.0, arm[P]
    while v < start:
        length = min(2 * SPREAD / _steepness(v, centre, arm, lift), _wall(centre + v))
        length = min(length, 2 * SPREAD / _steepness(v + length, centre, arm, lift), start - v)
        for k in range(NODES):
            x = v + 0.5 * length * (1 + POINTS[k])
            f = 0.5 * length * WEIGHTS[k] * _density(x, centre, arm, lift)
            mass += f
            moment += f / (1 + exp(-(centre + x)))
        if v + length <= v:
            break
        v += length
    return mass, moment


@njit(cache=True, error_model="numpy")
def _sweep(
    arms: NDArray[np.float64],
    centre: float,
    lifted: int,
    lift: float,
    scratch: NDArray[np.float64],
    best: NDArray[np.float64],
    loss: NDArray[np.float64],
) -> float:
    """P(arm is best) and the expected loss of each arm, arm `lifted` multiplied by 1 + lift; returns the error seen.

    scratch has shape (4, K, NODES). Below the largest lower end the product of all distribution functions, and so
    every integrand's mass, is at most exp(-DEPTH); beyond the largest upper end it is 1 to exp(-TAIL).
    """
    count = arms.shape[0]
    if lifted >= 0 and arms[lifted, LOWER] == inf:
        best[lifted] = 1.0
        return 0.0
    density, below, prefix, suffix = scratch[0], scratch[1], scratch[2], scratch[3]
    reached = np.empty(count)
    v, last = -inf, -inf
    for j in range(count):
        v = max(v, arms[j, LOWER])
        if j != lifted:
            last = max(last, arms[j, MODE] + _end(TAIL, arms[j], 1.0))
    start = 1 / (1 + exp(-(centre + v)))
    for j in range(count):
        reached[j], moment = _below(v, centre, arms[j], lift if j == lifted else 0.0)
        best[j] = 0.0
        loss[j] = start * reached[j] - moment
    while v < last:
        length = _wall(centre + v)
        for j in range(count):
            if v < arms[j, UPPER]:
                length = min(length, 2 * SPREAD / _steepness(v, centre, arms[j], lift if j == lifted else 0.0))
        for j in range(count):
            if v < arms[j, UPPER]:
                size = 2 * SPREAD / _steepness(v + length, centre, arms[j], lift if j == lifted else 0.0)
                length = min(length, size)
        half = 0.5 * length
        if v + half <= v:
            break
        for j in range(count):
            if v >= arms[j, UPPER]:
                density[j] = 0.0
                below[j] = 1.0
                continue
            total = 0.0
            for k in range(NODES):
                x = v + half * (1 + POINTS[k])
                density[j, k] = half * _density(x, centre, arms[j], lift if j == lifted else 0.0)
                total += WEIGHTS[k] * density[j, k]
            for k in range(NODES):
                part = 0.0
                for m in range(NODES):
                    part += CUMULATIVE[k, m] * density[j, m]
                below[j, k] = reached[j] + part
            reached[j] += total
        prefix[0] = 1.0
        suffix[count - 1] = 1.0
        for j in range(1, count):
            for k in range(NODES):
                prefix[j, k] = prefix[j - 1, k] * below[j - 1, k]
        for j in range(count - 1, 0, -1):
            for k in range(NODES):
                suffix[j - 1, k] = suffix[j, k] * below[j, k]
        for j in range(count):
            for k in range(NODES):
                u = centre + v + half * (1 + POINTS[k])
                others = prefix[j, k] * suffix[j, k]
                best[j] += WEIGHTS[k] * density[j, k] * others
                dt = half * WEIGHTS[k] / (1 + exp(-u)) / (1 + exp(u))
                loss[j] += dt * below[j, k] * (1 - others)
        v += length
    total, error = 0.0, 0.0
    for j in range(count):
        total += best[j]
        if j != lifted:
            error = max(error, abs(reached[j] - 1))
    if lifted >= 0:
        best[lifted] += 1 - reached[lifted]  # above the others' upper ends, and the mass lifted to t = 1
        return error
    return max(error, abs(total - 1))


@njit(cache=True, nogil=True, error_model="numpy")
def best_rows(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    best: NDArray[np.float64],
    loss: NDArray[np.float64],
    error: NDArray[np.float64],
) -> None:
    """Fill best (N, K), loss (N, K) and error (N,), for Beta parameters a, b of shape (N, K)."""
    count = a.shape[1]
    arms = np.empty((count, COLUMNS))
    scratch = np.empty((4, count, NODES))
    for row in range(a.shape[0]):
        centre = _describe(a[row], b[row], arms)
        error[row] = _sweep(arms, centre, -1, 0.0, scratch, best[row], loss[row])


@njit(cache=True, nogil=True, error_model="numpy")
def value_rows(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    champion: NDArray[np.intp],
    threshold: float,
    best: NDArray[np.float64],
    value: NDArray[np.float64],
    error: NDArray[np.float64],
) -> None:
    """Fill value (N,): P((1 + threshold) t_champion exceeds every other t)."""
    count = a.shape[1]
    arms = np.empty((count, COLUMNS))
    scratch = np.empty((4, count, NODES))
    weights, loss = np.empty(count), np.empty(count)
    for row in range(a.shape[0]):
        centre = _describe(a[row], b[row], arms)
        _lift(arms[champion[row]], centre, threshold)
        error[row] = _sweep(arms, centre, champion[row], threshold, scratch, weights, loss)
        value[row] = weights[champion[row]]


@njit(cache=True, nogil=True, error_model="numpy")
def quantile_rows(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    champion: NDArray[np.intp],
    quantile: float,
    best: NDArray[np.float64],
    value: NDArray[np.float64],
    error: NDArray[np.float64],
) -> None:
    """Fill value (N,): the h where P((1 + h) t_champion exceeds every other t) = quantile; inf above 1e300.

    Illinois' variant of false position in y = log(1 + h), which is smooth and spans few orders of magnitude.
    """
    count = a.shape[1]
    arms = np.empty((count, COLUMNS))
    scratch = np.empty((4, count, NODES))
    weights, loss = np.empty(count), np.empty(count)
    for row in range(a.shape[0]):
        c = champion[row]
        centre = _describe(a[row], b[row], arms)
        low, below = 0.0, best[row, c] - quantile
        error[row] = 0.0
        if below >= 0:
            value[row] = 0.0
            continue
        high, above = sqrt(1 / a[row, c]), -1.0
        while True:
            _describe(a[row], b[row], arms)
            _lift(arms[c], centre, expm1(high))
            error[row] = _sweep(arms, centre, c, expm1(high), scratch, weights, loss)
            above = weights[c] - quantile
            if above >= 0 or high > 690:
                break
            low, below = high, above
            high *= 2
        if above < 0:
            value[row] = inf
            continue
        side = 0
        for _ in range(100):
            y = (low * above - high * below) / (above - below)
            if not low < y < high:
                y = 0.5 * (low + high)
            _describe(a[row], b[row], arms)
            _lift(arms[c], centre, expm1(y))
            error[row] = _sweep(arms, centre, c, expm1(y), scratch, weights, loss)
            gap = weights[c] - quantile
            if gap < 0:
                low, below = y, gap
                if side < 0:
                    above *= 0.5
                side = -1
            else:
                high, above = y, gap
                if side > 0:
                    below *= 0.5
                side = 1
            if abs(gap) < 1e-14 or high - low < 1e-13 * high:
                break
        value[row] = expm1(y)
