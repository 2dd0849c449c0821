"""Log moment generating functions of hypergeometric counts, at all nodes of a grid at once.

Of N visits, n on the arm, C converted. Under equal rates the arm's conversions X are hypergeometric, whatever the rate.
Wanted is log M(d) = log E exp(d (X - E X)) at all nodes d of a grid on [-REACH, REACH], eight side by side in `lanes`.

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

from math import exp, floor, log, pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.polynomial import hermite_e
from numpy.typing import NDArray

from bandit_env.compilation import kept
from bandit_env.stats._special import lanes
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

REACH = 1.2
GROUPS = 6  # of eight nodes each; the one in the middle, d = 0, where log M is 0, is left out
FEW = 1000  # values of X, at most, that are summed one by one
QUADRATURE, INTERPOLATION = 12, 10  # nodes in x, and in d
NEAR = 0.2  # |y/a| up to which the series of log(1 + y/a) is used
EXACT = 24  # values of X so few that all of them are summed
Rule = tuple[Floats, Floats, Floats, Floats, Floats, Floats, Floats]


def rule(nodes: Floats) -> Rule:
    """What the kernels know of the grid and of quadrature.

    Returns:
        The nodes but the middle one, with a group of zeros behind them; exp of these, and of their negatives; exp of
        the Chebyshev nodes, and the matrix from values there to those at the nodes; Gauss-Hermite's points and
        weights. Filled up to whole groups of eight.
    """
    middle = len(nodes) // 2
    around = np.concatenate([nodes[:middle], nodes[middle + 1 :], np.zeros(WIDTH)])
    if len(around) != (GROUPS + 1) * WIDTH or nodes[middle] != 0:
        raise ValueError(f"nodes are {nodes}; expected {GROUPS * WIDTH // 2} on either side of 0")
    angles = pi * (np.arange(INTERPOLATION) + 0.5) / INTERPOLATION
    knots, degrees = np.zeros(2 * WIDTH), np.arange(INTERPOLATION)
    knots[:INTERPOLATION] = REACH * np.cos(angles)
    # the interpolant's Chebyshev coefficients are sums over its nodes, which are orthogonal
    scale = np.where(degrees == 0, 1.0, 2.0) / INTERPOLATION
    terms = scale * np.cos(np.multiply.outer(np.arccos(around / REACH), degrees))
    matrix = np.einsum("jk,ki->ij", terms, np.cos(np.multiply.outer(degrees, angles)))
    points, weights = np.zeros((2, 2 * WIDTH))
    points[:QUADRATURE], weights[:QUADRATURE] = hermite_e.hermegauss(QUADRATURE)
    weights *= np.exp(0.5 * points**2) / sqrt(2 * pi)
    return around, np.exp(around), np.exp(-around), np.exp(knots), np.ascontiguousarray(matrix), points, weights


def scratch() -> Floats:
    """Room for `advance` to work in."""
    return np.empty(FEW + 1 + 16 * WIDTH)


@formula
def _mode(n: Lanes, c: Lanes, total: Lanes, tilt: Lanes) -> Lanes:
    """Where the terms of the sum are largest, tilted by d = log(tilt)."""
    b = (n + c) * (tilt - 1.0) + total
    return 2.0 * n * c * tilt / (b + root(b * b - 4.0 * (tilt - 1.0) * n * c * tilt))


@formula
def _deviation(n: Lanes, c: Lanes, total: Lanes, x: Lanes) -> Lanes:
    """Standard deviation about the mode x: s^-2 = 1/x + 1/(n - x) + 1/(c - x) + 1/(rest), of N - n - c + x the rest."""
    first, second = x * (c - x), (n - x) * (total - n - c + x)
    return root(first / (c + (total - c) * first / second))


@formula
def _remainder(r: Lanes) -> Lanes:
    """Of Stirling's series: log(a!) - ((a + 1/2) log(a) - a + log(2 pi)/2), at a = 1/r from about 10 on."""
    q = r * r
    return r * horner(q, (1 / 12, -1 / 360, 1 / 1260, -1 / 1680))


@formula
def _near(a: Lanes, y: Lanes) -> Lanes:
    """log((a + y)!/a!) - y log(a) + _remainder(1/a), for y small against a.

    With t = y/a and r = t/(2 + t), log(1 + t) - t is 2 atanh(r) - t.
    """
    t = y / a
    both = 1.0 / ((1.0 + t) * (2.0 + t))  # one division for two quotients
    r = t * (1.0 + t) * both
    q = r * r
    bend = 2.0 * r * q * horner(q, (1 / 3, 1 / 5, 1 / 7, 1 / 9, 1 / 11, 1 / 13, 1 / 15, 1 / 17)) - r * t
    return a * ((1.0 + t) * bend + t * t) + 0.5 * (bend + t) + _remainder((2.0 + t) * both / a)


@formula
def _far(a: Lanes, y: Lanes) -> Lanes:
    """The same for any y."""
    t = y / a
    logarithm = vlog1p(t)
    far = a * ((1.0 + t) * (logarithm - t) + t * t) + 0.5 * logarithm + _remainder(1.0 / (a + y))
    return where(abs(t) < NEAR, _near(a, y), far)


@formula
def _fall_near(n: Lanes, c: Lanes, total: Lanes, x: Lanes, y: Lanes) -> Lanes:
    """By how much the logarithm of the term at x + y is below the tangent at x, and `_base` at x."""
    return _near(x, y) + _near(n - x, -y) + _near(c - x, -y) + _near(total - n - c + x, y)


@formula
def _fall(n: Lanes, c: Lanes, total: Lanes, x: Lanes, y: Lanes) -> Lanes:
    """The same for any y."""
    return _far(x, y) + _far(n - x, -y) + _far(c - x, -y) + _far(total - n - c + x, y)


@formula
def _base(n: Lanes, c: Lanes, total: Lanes, x: Lanes) -> Lanes:
    """The remainders of Stirling's series at x."""
    first = _remainder(1.0 / x) + _remainder(1.0 / (n - x))
    return first + _remainder(1.0 / (c - x)) + _remainder(1.0 / (total - n - c + x))


@formula
def _window(n: Lanes, c: Lanes, total: Lanes, tilt: Lanes, side: Lanes) -> Lanes:
    """The last value of X that counts, on the side 1 or -1, where the sum is tilted most."""
    x = _mode(n, c, total, tilt)
    return x + side * (9.0 * _deviation(n, c, total, x) + 10.0)


@formula
def _correction(sum_: Lanes, base: Lanes) -> Lanes:
    """Q: the logarithm of the sum of terms over its approximation by a normal density's integral."""
    return vlog(sum_) + base


@formula
def _saddle(n: Lanes, c: Lanes, total: Lanes, node: Lanes, tilt: Lanes, mean: Lanes) -> Lanes:
    """S(d), up to a constant."""
    x = _mode(n, c, total, tilt)
    return node * (x - mean) - _fall(n, c, total, mean, x - mean) + vlog(_deviation(n, c, total, x))


@kernel
def _across(values: Any, room: Any) -> Any:
    """The sum of the eight."""
    store(room, 0, values)
    sum_ = 0.0
    for i in range(WIDTH):
        sum_ += room[i]
    return sum_


@kernel
def _corrections(n: float, c: float, total: float, rule: Any, work: Any) -> Any:
    """Write Q at the Chebyshev nodes to the first two groups of `work`."""
    tilts, points, weights = rule[3], rule[5], rule[6]
    modes, deviations, part = work[2 * WIDTH : 4 * WIDTH], work[4 * WIDTH : 6 * WIDTH], work[6 * WIDTH : 7 * WIDTH]
    for group in range(2):
        x = _mode(n, c, total, load(tilts, group))
        store(modes, group, x)
        store(deviations, group, _deviation(n, c, total, x))
    for i in range(2 * WIDTH):
        work[i] = 1.0
    for i in range(INTERPOLATION):
        x, s, sum_ = modes[i], deviations[i], spread(0.0)
        if s * points[QUADRATURE - 1] <= NEAR * min(x, n - x, c - x, total - n - c + x):
            for group in range(2):
                fall = _fall_near(n, c, total, x, s * load(points, group))
                sum_ = fma(load(weights, group), vexp(0.0 - fall), sum_)
        else:
            for group in range(2):
                fall = _fall(n, c, total, x, s * load(points, group))
                sum_ = fma(load(weights, group), vexp(0.0 - fall), sum_)
        work[i] = _across(sum_, part)
    for group in range(2):
        store(work, group, _correction(load(work, group), _base(n, c, total, load(modes, group))))


@kernel
def _many(n: float, c: float, total: float, rule: Any, work: Any, out: Any) -> None:
    nodes, tilts, matrix = rule[0], rule[1], rule[4]
    _corrections(n, c, total, rule, work)
    mean = n * c / total
    for group in range(GROUPS, -1, -1):
        value = _saddle(n, c, total, load(nodes, group), load(tilts, group), spread(mean))
        for i in range(INTERPOLATION):
            value = fma(load(matrix[i], group), spread(work[i]), value)
        if group == GROUPS:
            store(work, 2, value)  # at d = 0
        else:
            store(out, group, value - work[2 * WIDTH])


@kernel
def _horner(terms: Any, first: int, last: int, step: int, tilts: Any) -> Any:
    """The polynomial in each tilt, its coefficients `terms` from `first` (the highest power) to `last`."""
    t0, t1, t2 = load(tilts, 0), load(tilts, 1), load(tilts, 2)
    t3, t4, t5 = load(tilts, 3), load(tilts, 4), load(tilts, 5)
    a0 = a1 = a2 = a3 = a4 = a5 = spread(0.0)
    for i in range(first, last + step, step):
        term = spread(terms[i])
        a0, a1, a2 = fma(a0, t0, term), fma(a1, t1, term), fma(a2, t2, term)
        a3, a4, a5 = fma(a3, t3, term), fma(a4, t4, term), fma(a5, t5, term)
    return a0, a1, a2, a3, a4, a5


@formula
def _tilted(up: Lanes, down: Lanes, inverse: Lanes, sum_: Lanes, node: Lanes, shift: Lanes) -> Lanes:
    """Log M of the sums above and below the middle, which is `shift` above the mean."""
    return vlog(fma(down, inverse, up) / sum_) + node * shift


@kernel
def _few(n: float, c: float, total: float, low: int, high: int, rule: Any, terms: Any, out: Any) -> None:
    nodes, tilts, inverses = rule[0], rule[1], rule[2]
    middle = min(max(int(n * c / total), low), high)
    rest = total - n - c
    terms[middle - low] = sum_ = 1.0
    for x in range(middle, high):
        terms[x + 1 - low] = terms[x - low] * ((n - x) * (c - x) / ((x + 1) * (rest + x + 1)))
        sum_ += terms[x + 1 - low]
    for x in range(middle, low, -1):
        terms[x - 1 - low] = terms[x - low] * (x * (rest + x) / ((n - x + 1) * (c - x + 1)))
        sum_ += terms[x - 1 - low]
    u0, u1, u2, u3, u4, u5 = _horner(terms, high - low, middle - low, -1, tilts)
    d0, d1, d2, d3, d4, d5 = _horner(terms, 0, middle - low - 1, 1, inverses)
    shift = middle - n * c / total
    store(out, 0, _tilted(u0, d0, load(inverses, 0), sum_, load(nodes, 0), shift))
    store(out, 1, _tilted(u1, d1, load(inverses, 1), sum_, load(nodes, 1), shift))
    store(out, 2, _tilted(u2, d2, load(inverses, 2), sum_, load(nodes, 2), shift))
    store(out, 3, _tilted(u3, d3, load(inverses, 3), sum_, load(nodes, 3), shift))
    store(out, 4, _tilted(u4, d4, load(inverses, 4), sum_, load(nodes, 4), shift))
    store(out, 5, _tilted(u5, d5, load(inverses, 5), sum_, load(nodes, 5), shift))


@kernel
def log_mgf(n: float, c: float, total: float, rule: Any, scratch: Any, out: Any) -> None:
    """Write log E exp(d (X - E X)) at the rule's nodes to `out`; all counts positive, n and c below the total."""
    work = scratch[FEW + 1 :]
    low, high = max(0.0, c - (total - n)), min(n, c)
    if high - low > EXACT:
        store(work, 0, _window(n, c, total, spread(exp(-REACH)), spread(-1.0)))
        store(work, 1, _window(n, c, total, spread(exp(REACH)), spread(1.0)))
        low, high = max(low, floor(work[0])), min(high, floor(work[WIDTH]) + 1)
    if high - low <= FEW:
        _few(n, c, total, int(low), int(high), rule, scratch, out)
    else:
        _many(n, c, total, rule, work, out)


@kernel
def _highest(state: Any) -> Any:
    highest = -np.inf
    for j in range(state.size):
        highest = max(highest, state[j])
    return highest


@kernel
def _log_sum(state: Any, prior: Any, part: Any) -> Any:
    """Log E of a state (J,): log sum_j exp(prior_j + state_j)."""
    middle = state.size // 2
    highest = _highest(state)
    sum_ = spread(0.0)
    for half in range(2):
        values, weights = state[half * (middle + 1) :], prior[half * (middle + 1) :]
        for group in range(GROUPS // 2):
            sum_ = sum_ + vexp(load(values, group) + load(weights, group) - highest)
    return log(_across(sum_, part) + exp(state[middle] + prior[middle] - highest)) + highest


@kept([Path(__file__), Path(lanes.__file__)], nogil=True)
def advance(
    visits: Any, conversions: Any, rows: Any, control: int, rule: Any, scratch: Any, state: Any, prior: Any, log_e: Any
) -> None:
    """Add an update's log-likelihood ratios to `state` (n, K, J), and write log E of the rows (m, K) to `log_e`."""
    nodes, middle = rule[0], state.shape[2] // 2
    ratios = scratch[FEW + 1 + 7 * WIDTH :]
    for i in range(rows.size):
        row = rows[i]
        for arm in range(visits.shape[1]):
            if arm == control:
                log_e[i, arm] = 0.0
                continue
            own_state = state[row, arm]
            n, total = visits[i, arm], visits[i, arm] + visits[i, control]
            own, c = conversions[i, arm], conversions[i, arm] + conversions[i, control]
            if 0 < c < total and 0 < n < total:  # else there is nothing to compare
                log_mgf(n, c, total, rule, scratch, ratios)
                excess = (own * total - n * c) / total  # so many digits are left of own - mean
                for j in range(middle):
                    own_state[j] += nodes[j] * excess - ratios[j]
                    own_state[middle + 1 + j] += nodes[middle + j] * excess - ratios[middle + j]
            log_e[i, arm] = _log_sum(own_state, prior, scratch[FEW + 1 :])
