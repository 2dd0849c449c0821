"""Log moment generating functions of hypergeometric counts, at many nodes at once.

Of N visits, n on the arm, C converted. Under equal rates the arm's conversions X are hypergeometric, whatever the rate.
Wanted is log M(d) = log E exp(d X) at all nodes d of a grid on [-REACH, REACH].

*Few values of X*: the sum itself, over the values that count at any node, by Horner's rule for all nodes together,
from both ends to the middle.

*Many*: the sum over integers is an integral to exp(-2 pi^2 s^2), s the standard deviation (Poisson's summation).
About the mode x of the summand tilted by d, a root of (n - x)(C - x) e^d = x (N - n - C + x), its logarithm is a
parabola and small terms: log M(d) = S(d) + Q(d), S in closed form by Stirling's formula (Laplace's method), and Q by
Gauss-Hermite quadrature. M is a polynomial in e^d with negative roots only (Harper 1967), so log M and Q are analytic
for |Im d| < pi: Q is computed at 10 Chebyshev nodes and interpolated. It is of order s^-2. All errors together
are below 1e-10.

Differences of log-gamma functions are taken before anything cancels, so that counts of 10^9 lose nothing.
"""

from math import ceil, exp, floor, log, log1p, pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.polynomial import chebyshev, hermite_e
from numpy.typing import NDArray

from bandit_env.compilation import kept

Floats = NDArray[np.float64]

REACH = 1.2
FEW = 1000  # values of X, at most, that are summed one by one
QUADRATURE, INTERPOLATION = 12, 10  # nodes in x, and in d
NEAR = 0.2  # |y/a| up to which the series of log(1 + y/a) is used

kernel = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
Rule = tuple[Floats, Floats, Floats, Floats, Floats]


def rule(nodes: Floats) -> Rule:
    """The nodes; the Chebyshev nodes and the matrix from values there to those at the nodes; Gauss-Hermite's rule."""
    x = np.cos(pi * (np.arange(INTERPOLATION) + 0.5) / INTERPOLATION)
    degree = INTERPOLATION - 1
    matrix = chebyshev.chebvander(nodes / REACH, degree) @ np.linalg.inv(chebyshev.chebvander(x, degree))
    points, weights = hermite_e.hermegauss(QUADRATURE)
    return nodes, REACH * x, np.ascontiguousarray(matrix.T), points, weights / sqrt(2 * pi) * np.exp(0.5 * points**2)


@kernel
def _mode(n: float, c: float, total: float, d: float) -> float:
    """Where the terms of the sum are largest, tilted by d."""
    z = exp(d)
    b = (n + c) * (z - 1) + total
    return 2 * n * c * z / (b + sqrt(b * b - 4 * (z - 1) * n * c * z))


@kernel
def _deviation(n: float, c: float, total: float, x: float) -> float:
    """Standard deviation about the mode x."""
    return 1 / sqrt(1 / x + 1 / (n - x) + 1 / (c - x) + 1 / (total - n - c + x))


@kernel
def _remainder(a: float) -> float:
    """Of Stirling's series: log(a!) - ((a + 1/2) log(a) - a + log(2 pi)/2), for a from about 10 on."""
    r = 1 / a
    q = r * r
    return r * (1 / 12 - q * (1 / 360 - q * (1 / 1260 - q / 1680)))


@kernel
def _bend(t: float) -> float:
    """log(1 + t) - t for |t| <= NEAR: with r = t/(2 + t), 2 atanh(r) - t."""
    r = t / (2 + t)
    q = r * r
    tail = 1 / 9 + q * (1 / 11 + q * (1 / 13 + q * (1 / 15 + q / 17)))
    return -r * t + 2 * r * q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * tail)))


@kernel
def _near(a: Any, y: Any) -> Any:
    """log((a + y)!/a!) - y log(a) but for the remainders, for y small against a."""
    t = y / a
    bend = _bend(t)
    return a * ((1 + t) * bend + t * t) + 0.5 * (bend + t)


@kernel
def _far(a: Any, y: Any) -> Any:
    """The same for any y."""
    t = y / a
    if abs(t) <= NEAR:
        return _near(a, y)
    logarithm = log1p(t)
    return a * ((1 + t) * (logarithm - t) + t * t) + 0.5 * logarithm


@kernel
def _fall(n: float, c: float, total: float, x: float, y: float) -> Any:
    """By how much the logarithm of the term at x + y is below the tangent at x."""
    rest = total - n - c + x
    first = _far(x, y) + _remainder(x + y) - _remainder(x)
    second = _far(n - x, -y) + _remainder(n - x - y) - _remainder(n - x)
    third = _far(c - x, -y) + _remainder(c - x - y) - _remainder(c - x)
    return first + second + third + _far(rest, y) + _remainder(rest + y) - _remainder(rest)


@kernel
def _correction(n: float, c: float, total: float, d: float, points: Any, weights: Any, falls: Any) -> float:
    """Q(d): the logarithm of the sum of terms over its approximation by a normal density's integral."""
    x = _mode(n, c, total, d)
    s = _deviation(n, c, total, x)
    rest = total - n - c + x
    if s * points[-1] <= NEAR * min(x, n - x, c - x, rest):
        base = _remainder(x) + _remainder(n - x) + _remainder(c - x) + _remainder(rest)
        for k in range(points.size):  # no branch, no call: the compiler takes several at a time
            y = s * points[k]
            fall = _near(x, y) + _near(n - x, -y) + _near(c - x, -y) + _near(rest, y)
            more = _remainder(x + y) + _remainder(n - x - y) + _remainder(c - x - y) + _remainder(rest + y)
            falls[k] = fall + more - base
    else:
        for k in range(points.size):
            falls[k] = _fall(n, c, total, x, s * points[k])
    sum_ = 0.0
    for k in range(points.size):
        sum_ += weights[k] * exp(-falls[k])
    return log(sum_)


@kernel
def _many(n: float, c: float, total: float, rule: Any, scratch: Any, out: Any) -> None:
    nodes, knots, matrix, points, weights = rule
    for j in range(nodes.size):
        out[j] = 0.0
    for i in range(knots.size):
        q = _correction(n, c, total, knots[i], points, weights, scratch)
        for j in range(nodes.size):
            out[j] += matrix[i, j] * q
    mean = n * c / total
    at_0 = log(_deviation(n, c, total, mean)) + _correction(n, c, total, 0.0, points, weights, scratch)
    for j in range(nodes.size):
        x = _mode(n, c, total, nodes[j])
        saddle = nodes[j] * (x - mean) - _fall(n, c, total, mean, x - mean) + log(_deviation(n, c, total, x))
        out[j] += saddle - at_0


@kernel
def _few(n: float, c: float, total: float, low: int, high: int, nodes: Any, scratch: Any, out: Any) -> None:
    terms, tilts, below = scratch[: FEW + 1], scratch[FEW + 1 : FEW + 1 + nodes.size], scratch[FEW + 1 + nodes.size :]
    middle = min(max(int(n * c / total), low), high)
    rest = total - n - c
    terms[middle - low] = sum_ = 1.0
    for x in range(middle, high):
        terms[x + 1 - low] = terms[x - low] * ((n - x) * (c - x) / ((x + 1) * (rest + x + 1)))
        sum_ += terms[x + 1 - low]
    for x in range(middle, low, -1):
        terms[x - 1 - low] = terms[x - low] * (x * (rest + x) / ((n - x + 1) * (c - x + 1)))
        sum_ += terms[x - 1 - low]
    for j in range(nodes.size):
        tilts[j], out[j], below[j] = exp(nodes[j]), 0.0, 0.0
    for i in range(high - low, middle - low - 1, -1):
        for j in range(nodes.size):
            out[j] = out[j] * tilts[j] + terms[i]
    for j in range(nodes.size):
        tilts[j] = exp(-nodes[j])
    for i in range(middle - low):
        for j in range(nodes.size):
            below[j] = (below[j] + terms[i]) * tilts[j]
    for j in range(nodes.size):
        out[j] = log((out[j] + below[j]) / sum_) + nodes[j] * (middle - n * c / total)


@kernel
def log_mgf(n: float, c: float, total: float, rule: Any, scratch: Any, out: Any) -> None:
    """Write log E exp(d (X - E X)) at the rule's nodes to `out`; all counts positive, n and c below the total.

    `scratch` has room for FEW + 1 numbers and twice as many as there are nodes.
    """
    x, y = _mode(n, c, total, -REACH), _mode(n, c, total, REACH)
    low = max(0.0, c - (total - n), floor(x - 9 * _deviation(n, c, total, x) - 10))
    high = min(n, c, ceil(y + 9 * _deviation(n, c, total, y) + 10))
    if high - low <= FEW:
        _few(n, c, total, int(low), int(high), rule[0], scratch, out)
    else:
        _many(n, c, total, rule, scratch, out)


@kept([Path(__file__)], nogil=True)
def advance(
    visits: Any, conversions: Any, rows: Any, control: int, rule: Any, scratch: Any, state: Any, prior: Any, log_e: Any
) -> None:
    """Add an update's log-likelihood ratios to `state` (n, K, J), and write log E of the rows (m, K) to `log_e`."""
    nodes, ratios = rule[0], scratch[0]
    for i in range(rows.size):
        row = rows[i]
        for arm in range(visits.shape[1]):
            if arm == control:
                log_e[i, arm] = 0.0
                continue
            n, total = visits[i, arm], visits[i, arm] + visits[i, control]
            own, c = conversions[i, arm], conversions[i, arm] + conversions[i, control]
            if 0 < c < total and 0 < n < total:  # else there is nothing to compare
                log_mgf(n, c, total, rule, scratch[1], ratios)
                excess = (own * total - n * c) / total  # so many digits are left of own - mean
                for j in range(nodes.size):
                    state[row, arm, j] += nodes[j] * excess - ratios[j]
            highest = -np.inf
            for j in range(nodes.size):
                highest = max(highest, state[row, arm, j] + prior[j])
            sum_ = 0.0
            for j in range(nodes.size):
                sum_ += exp(state[row, arm, j] + prior[j] - highest)
            log_e[i, arm] = log(sum_) + highest
