"""A Beta distribution as a table: its density exactly, its distribution function as polynomials, for compiled code.

With u = logit(rate) a Beta(a, b) density is analytic and falls off like exp(a u) and exp(-b u). With u = middle + scale
sinh(t), scale near its standard deviation but at most about 1, it falls off doubly exponentially in t, for any a and b.
The distribution function is kept as a Chebyshev series in each of a few panels of t: the integral of the interpolant at
Gauss-Legendre nodes.

The logarithm of the density is taken from its value at the mean, a L(x/mean - 1) + b L((1 - x)/(1 - mean) - 1) with
L(t) = log(1 + t) - t, whose linear terms cancel: so nothing is lost at 10^9 visits.
"""

from math import ceil, exp, lgamma, log, log1p, pi, sqrt
from typing import Any

import numpy as np
from numba import njit
from numpy.polynomial import chebyshev, legendre
from numpy.typing import NDArray

Floats = NDArray[np.float64]

kernel = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)

DEPTH = 29.0  # the table ends where the density is below e^-29 of its peak
LENGTH = 0.42  # of a panel, at most
NODES = 8  # of a panel
MOST_PANELS = 800
# where in a table's record these stand
A, B, MEAN, REST, PEAK, MIDDLE, SCALE, LOW, HIGH, PANELS, LOG_MEAN, LOG_REST, SERIES = range(13)
SIZE = SERIES + MOST_PANELS * (NODES + 2)


def gauss() -> tuple[Floats, Floats, Floats]:
    """Gauss-Legendre nodes and weights, and the matrix from values there to the integral's Chebyshev series."""
    nodes, weights = legendre.leggauss(NODES)
    values = np.linalg.inv(chebyshev.chebvander(nodes, NODES - 1))  # from values to the interpolant's series
    matrix = np.stack([chebyshev.chebint(values[:, m], lbnd=-1) for m in range(NODES)])
    return nodes, weights, matrix


@kernel
def bend(t: float) -> Any:
    """L(t) = log(1 + t) - t for |t| <= 0.2: with r = t/(2 + t), 2 atanh(r) - t."""
    r = t / (2 + t)
    q = r * r
    tail = 1 / 9 + q * (1 / 11 + q * (1 / 13 + q * (1 / 15 + q / 17)))
    return -r * t + 2 * r * q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * tail)))


@kernel
def _stirling(x: float) -> Any:
    """log(gamma(x)) - ((x - 1/2) log(x) - x + log(2 pi)/2)."""
    if x < 12:
        return lgamma(x) - ((x - 0.5) * log(x) - x + 0.5 * log(2 * pi))
    q = 1 / (x * x)
    return (1 / 12 - q * (1 / 360 - q * (1 / 1260 - q * (1 / 1680 - q / 1188)))) / x


@kernel
def shares(u: float) -> tuple[float, float]:
    """The rate and its complement at the logit u."""
    if u < 0:
        odds = exp(u)
        return odds / (1 + odds), 1 / (1 + odds)
    odds = exp(-u)
    return 1 / (1 + odds), odds / (1 + odds)


@kernel
def logs(u: float) -> tuple[float, float]:
    """Logarithms of the rate and of its complement, at the logit u."""
    if u < 0:
        rest = -log1p(exp(u))
        return u + rest, rest
    log_rate = -log1p(exp(-u))
    return log_rate, log_rate - u


@kernel
def density(w: Any, u: float, rate: float, rest: float) -> Any:
    """The density in u = logit(rate) = log(rate/rest)."""
    s, t = rate / w[MEAN] - 1, rest / w[REST] - 1
    # where one of these has lost its digits, its parameter is too small for that to matter
    if abs(s) < 0.2 and abs(t) < 0.2:
        return exp(w[PEAK] + w[A] * bend(s) + w[B] * bend(t))
    log_rest = -log1p(exp(u)) if u < 0 else -u - log1p(exp(-u))
    first = bend(s) if abs(s) < 0.2 else u + log_rest - w[LOG_MEAN] - s
    second = bend(t) if abs(t) < 0.2 else log_rest - w[LOG_REST] - t
    return exp(w[PEAK] + w[A] * first + w[B] * second)


@kernel
def place(w: Any, t: float) -> Any:
    """The logit u at t, and du/dt."""
    up = exp(t)
    down = 1 / up
    return w[MIDDLE] + 0.5 * w[SCALE] * (up - down), 0.5 * w[SCALE] * (up + down)


@kernel
def _mass(w: Any, t: float) -> Any:
    """The density in t."""
    u, slope = place(w, t)
    rate, rest = shares(u)
    return slope * density(w, u, rate, rest)


@kernel
def describe(w: Any, a: float, b: float, gauss: Any) -> None:
    """Write the table of Beta(a, b) to `w`."""
    nodes, _, matrix = gauss
    n = a + b
    w[A], w[B], w[MEAN], w[REST] = a, b, a / n, b / n
    w[LOG_MEAN], w[LOG_REST] = -log1p(b / a), -log1p(a / b)
    w[PEAK] = 0.5 * (log(a) + log(b) - log(n) - log(2 * pi)) - _stirling(a) - _stirling(b) + _stirling(n)
    w[MIDDLE] = log((a + 0.5) / (b + 0.5))
    w[SCALE] = sqrt(1 / (a + 0.5) + 1 / (b + 0.5))
    least = exp(-DEPTH) * max(_mass(w, 0.0), _mass(w, -0.5), _mass(w, 0.5))
    for side in range(2):
        sign, t = 2.0 * side - 1.0, 2.4
        while _mass(w, sign * t) > least and t < 0.5 * LENGTH * MOST_PANELS:
            t += 0.12 if t < 4 else 0.3
        w[LOW + side] = sign * t
    panels = ceil((w[HIGH] - w[LOW]) / LENGTH)
    w[PANELS] = panels
    half = 0.5 * (w[HIGH] - w[LOW]) / panels
    sum_, at = 0.0, SERIES
    for panel in range(panels):
        centre = w[LOW] + (2 * panel + 1) * half
        for d in range(NODES + 1):
            w[at + d] = 0.0
        for m in range(NODES):
            t = centre + half * nodes[m]
            value = half * _mass(w, t)
            for d in range(NODES + 1):
                w[at + d] += matrix[m, d] * value
        whole = 0.0
        for d in range(NODES + 1):
            whole += w[at + d]
        w[at] += sum_
        sum_ += whole
        at += NODES + 1


@kernel
def distribution(w: Any, u: float) -> Any:
    """The distribution function at the logit u."""
    y = (u - w[MIDDLE]) / w[SCALE]
    t = log(abs(y) + sqrt(1 + y * y))
    if y < 0:
        t = -t
    if t <= w[LOW]:
        return 0.0
    if t >= w[HIGH]:
        return 1.0
    x = (t - w[LOW]) * w[PANELS] / (w[HIGH] - w[LOW])
    panel = min(int(x), int(w[PANELS]) - 1)
    x = 2 * (x - panel) - 1
    at = SERIES + panel * (NODES + 1)
    c = before = 0.0  # Clenshaw
    for d in range(NODES, 0, -1):
        c, before = w[at + d] + 2 * x * c - before, c
    return w[at] + x * c - before
