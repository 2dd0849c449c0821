"""A Beta distribution as a table: its density exactly, its distribution function as polynomials, for compiled code.

With u = logit(rate) a Beta(a, b) density is analytic and falls off like exp(a u) and exp(-b u). With u = middle + scale
sinh(t), scale near its standard deviation but at most about 1, it falls off doubly exponentially in t, for any a and b.
The distribution function is kept as a Chebyshev series in each of a few panels of t: the integral of the interpolant at
Gauss-Legendre nodes.

The logarithm of the density is taken from its value at the mean, a L(x/mean - 1) + b L((1 - x)/(1 - mean) - 1) with
L(t) = log(1 + t) - t, whose linear terms cancel: so nothing is lost at 10^9 visits.
"""

from math import ceil, lgamma, log, log1p, pi, sqrt
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev, legendre
from numpy.typing import NDArray

from bandit_env.stats._special.lanes import (
    WIDTH,
    Lanes,
    fma,
    formula,
    horner,
    kernel,
    load,
    root,
    spread,
    store,
    vexp,
    vlog,
    vlog1p,
    where,
)

Floats = NDArray[np.float64]

DEPTH = 29.0  # the table ends where the density is below e^-29 of its peak
LENGTH = 0.36  # of a panel, at most
NODES = WIDTH  # of a panel
MOST_PANELS = 800
# where in a table's record these stand
A, B, MEAN, REST, PEAK, MIDDLE, SCALE, LOW, HIGH, PANELS, LOG_MEAN, LOG_REST, SERIES = range(13)
SIZE = SERIES + MOST_PANELS * (NODES + 1)
NEAR = 0.2  # |t| up to which log(1 + t) - t is taken from a series
Gauss = tuple[Floats, Floats, Floats, Floats]


def gauss() -> Gauss:
    """Gauss-Legendre nodes; the matrix from values there to the integral's Chebyshev series, its last column; 0 to 7.

    By Gauss's discrete orthogonality, and so without an inverse, whose last digits depend on the machine.
    """
    nodes, weights = legendre.leggauss(NODES)
    values = (np.arange(NODES) + 0.5)[:, None] * weights * legendre.legvander(nodes, NODES - 1).T
    integrals = (legendre.leg2poly(legendre.legint(values[:, m], lbnd=-1)) for m in range(NODES))
    matrix = np.stack([chebyshev.poly2cheb(integral) for integral in integrals])
    series: Floats = np.array(matrix[:, :NODES], np.float64)
    return nodes, series, np.array(matrix[:, NODES], np.float64), np.arange(WIDTH, dtype=np.float64)


@formula
def bend(t: Lanes) -> Lanes:
    """L(t) = log(1 + t) - t for |t| <= NEAR: with r = t/(2 + t), 2 atanh(r) - t."""
    r = t / (2.0 + t)
    q = r * r
    return 2.0 * r * q * horner(q, (1 / 3, 1 / 5, 1 / 7, 1 / 9, 1 / 11, 1 / 13, 1 / 15, 1 / 17)) - r * t


@kernel
def _stirling(x: float) -> Any:
    """log(gamma(x)) - ((x - 1/2) log(x) - x + log(2 pi)/2)."""
    if x < 12:
        return lgamma(x) - ((x - 0.5) * log(x) - x + 0.5 * log(2 * pi))
    q = 1 / (x * x)
    return (1 / 12 - q * (1 / 360 - q * (1 / 1260 - q * (1 / 1680 - q / 1188)))) / x


@formula
def shares(u: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """The rate, its complement, and the complement's logarithm, at the logit u."""
    small = vexp(-abs(u))  # the odds of the less likely
    likely = 1.0 / (1.0 + small)
    unlikely, below = small * likely, u < 0.0
    log_rest = where(below, 0.0, -u) - vlog1p(small)
    return where(below, unlikely, likely), where(below, likely, unlikely), log_rest


@formula
def _fallen(s: Lanes, log_share: Lanes, log_mean: Lanes) -> Lanes:
    """L(share/mean - 1) = L(s)."""
    return where(abs(s) < NEAR, bend(s), log_share - log_mean - s)


@formula
def _density(
    a: Lanes, b: Lanes, mean: Lanes, rest_mean: Lanes, peak: Lanes, log_mean: Lanes, log_rest_mean: Lanes,
    u: Lanes, rate: Lanes, rest: Lanes, log_rest: Lanes,
) -> Lanes:  # fmt: skip
    # where s or t has lost its digits, its parameter is too small for that to matter
    first = _fallen(rate / mean - 1.0, u + log_rest, log_mean)
    second = _fallen(rest / rest_mean - 1.0, log_rest, log_rest_mean)
    return vexp(peak + a * first + b * second)


@kernel
def density(w: Any, u: Any, rate: Any, rest: Any, log_rest: Any) -> Any:
    """The density in u = logit(rate) = log(rate/rest), of eight."""
    means = w[MEAN], w[REST], w[PEAK], w[LOG_MEAN], w[LOG_REST]
    return _density(w[A], w[B], *means, u, rate, rest, log_rest)


@formula
def _place(t: Lanes, middle: Lanes, scale: Lanes) -> tuple[Lanes, Lanes]:
    up = vexp(t)
    down = 1.0 / up
    return middle + 0.5 * scale * (up - down), 0.5 * scale * (up + down)


@kernel
def place(w: Any, t: Any) -> Any:
    """The logits u at eight t."""
    return _place(t, w[MIDDLE], w[SCALE])[0]


@kernel
def _mass(w: Any, t: Any) -> Any:
    """The density in t, of eight."""
    u, slope = _place(t, w[MIDDLE], w[SCALE])
    rate, rest, log_rest = shares(u)
    return slope * density(w, u, rate, rest, log_rest)


@kernel
def _end(w: Any, sign: float, least: float, eight: Any, room: Any) -> Any:
    """Where, from 2.4 on, the density has become small: looked for in small steps, then in larger ones."""
    t, step = 2.4, 0.12
    while t < 0.5 * LENGTH * MOST_PANELS:
        store(room, 0, _mass(w, sign * (t + step * load(eight, 0))))
        for i in range(WIDTH):
            if room[i] <= least:
                return t + step * i
        t += WIDTH * step
        step = 0.12 if t < 4 else 0.3
    return t


@kernel
def describe(w: Any, a: float, b: float, gauss: Any, room: Any) -> None:
    """Write the table of Beta(a, b) to `w`; `room` has 8 numbers."""
    nodes, matrix, last, eight = gauss
    n = a + b
    w[A], w[B], w[MEAN], w[REST] = a, b, a / n, b / n
    w[LOG_MEAN], w[LOG_REST] = -log1p(b / a), -log1p(a / b)
    w[PEAK] = 0.5 * (log(a) + log(b) - log(n) - log(2 * pi)) - _stirling(a) - _stirling(b) + _stirling(n)
    w[MIDDLE] = log((a + 0.5) / (b + 0.5))
    w[SCALE] = sqrt(1 / (a + 0.5) + 1 / (b + 0.5))
    store(room, 0, _mass(w, 0.25 * load(eight, 0) - 1.0))
    least = room[4]
    for i in range(WIDTH):
        least = max(least, room[i])
    least *= np.exp(-DEPTH)
    w[LOW], w[HIGH] = -_end(w, -1.0, least, eight, room), _end(w, 1.0, least, eight, room)
    panels = min(ceil((w[HIGH] - w[LOW]) / LENGTH), MOST_PANELS)
    w[PANELS] = panels
    half = 0.5 * (w[HIGH] - w[LOW]) / panels
    sum_ = 0.0
    for panel in range(panels):
        centre = w[LOW] + (2 * panel + 1) * half
        store(room, 0, half * _mass(w, centre + half * load(nodes, 0)))
        series, highest = spread(0.0), 0.0
        for m in range(NODES):
            series = fma(load(matrix, m), spread(room[m]), series)
            highest += last[m] * room[m]
        at = w[SERIES + panel * (NODES + 1) :]
        store(at, 0, series)
        at[NODES] = highest
        whole = 0.0
        for d in range(NODES + 1):
            whole += at[d]
        at[0] += sum_
        sum_ += whole


@formula
def _where_in(u: Lanes, middle: Lanes, scale: Lanes, low: Lanes, pace: Lanes) -> Lanes:
    """The t of the logit u, in panels from the table's low end."""
    y = (u - middle) / scale
    t = vlog(abs(y) + root(fma(y, y, 1.0)))
    return (where(y < 0.0, -t, t) - low) * pace


@kernel
def distribution(w: Any, u: Any, room: Any) -> Any:
    """The distribution function at eight logits; `room` has 8 numbers."""
    panels = int(w[PANELS])
    store(room, 0, _where_in(u, w[MIDDLE], w[SCALE], w[LOW], panels / (w[HIGH] - w[LOW])))
    for i in range(WIDTH):
        x = room[i]
        if not x > 0:
            room[i] = 0.0
        elif x >= panels:
            room[i] = 1.0
        else:
            panel = min(int(x), panels - 1)
            x = 2 * (x - panel) - 1
            at = SERIES + panel * (NODES + 1)
            c = before = 0.0  # Clenshaw
            for d in range(NODES, 0, -1):
                c, before = w[at + d] + 2 * x * c - before, c
            room[i] = w[at] + x * c - before
    return load(room, 0)
