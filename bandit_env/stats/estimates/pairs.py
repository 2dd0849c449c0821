"""Distributions of p_k/p_c and p_k - p_c, both rates Beta distributed: compiled.

Everything is F(x) = P(p_k <= x o p_c), x o p being x p or x + p, and its derivative. There are two ways.

*Nodes of one arm*, for ordinary counts: F = int f_c F_k(x o p_c), or int f_k (1 - F_c), over the arm with the smaller
spread, by the trapezoidal rule in logit(p). The nodes do not depend on x, so that a quantile costs little. Where x o p
leaves (0, 1) within the nodes, the other arm's distribution function has a kink of order b (at 1) or a (at 0): passed
if that is at least SMOOTH.

*Panels*, for all: with x above the identity (else the arms change places), int f_k (1 - F_c) over v, logit(p_k) for the
ratio and logit(p_c/(1 - x)) for the difference, in which both densities are analytic; by Gauss-Legendre between all
ends of both tables' panels, so that neither density is narrower than a piece.

Quantiles are solved by Newton's method on log F or log(1 - F), which is concave where densities are log-concave, from
Cornish and Fisher's expansion, within a bracket.
"""

from math import exp, expm1, inf, log, nan, sqrt
from pathlib import Path
from typing import Any

from bandit_env.compilation import kept
from bandit_env.stats.estimates.beta_table import (
    HIGH,
    LOW,
    MEAN,
    PANELS,
    REST,
    SCALE,
    A,
    B,
    density,
    describe,
    distribution,
    kernel,
    logs,
    place,
    shares,
)

RATIO, DIFFERENCE = 0, 1
QUANTILE, DISTRIBUTION, DENSITY = 0, 1, 2
SPACING = 0.7  # of the trapezoidal rule, in standard deviations of the product
WIDEST = 0.5  # standard deviation in u, at most: what falls doubly exponentially asks for it
MOST_NODES = 128
LONGEST = 6.0  # piece of v
PIECE = 2  # panels of a table between two ends of pieces
POINTS = 14  # of a piece
SMOOTH = 13.0
WIDE = 1.5  # standard deviation of the log ratio
ROUNDS = 80
CLOSE = 3e-5  # relative error of the tail, which one more step squares


@kernel
def _logit(log_rate: float) -> Any:
    """Logit of a rate below 1, given by its logarithm."""
    return log_rate - log(-expm1(log_rate))


@kernel
def _beyond(kind: int, other: Any, low: float, high: float, x: float) -> Any:
    """Whether the other arm's distribution function has a kink that matters between x o low and x o high.

    `low` and `high` are log rates for the ratio, rates for the difference; x is the shift towards the other arm.
    """
    if kind == RATIO:
        return high + x >= 0 and other[B] < SMOOTH
    return (high + x >= 1 and other[B] < SMOOTH) or (low + x <= 0 and other[A] < SMOOTH)


@kernel
def _scale(kind: int, own: Any, other: Any, x: float) -> Any:
    """The other arm's spread as a step of the own arm's logit, where own o x is about the other's mean."""
    if kind == RATIO:
        # d log(rate) is (1 - rate) du
        rate = min(other[MEAN] * exp(-x), 1.0)
        return other[REST] / max(1.0 - rate, own[REST])
    rate = min(max(other[MEAN] - x, 0.0), 1.0)
    return other[MEAN] * other[REST] / max(rate * (1.0 - rate), own[MEAN] * own[REST])


@kernel
def spacing(kind: int, own: Any, other: Any, x: float) -> Any:
    """The step of the own arm's nodes that resolves the product of its density and the other's F(x o p)."""
    first, second = min(own[SCALE], WIDEST), min(other[SCALE], WIDEST) * min(_scale(kind, own, other, x), 1.0)
    return SPACING / sqrt(1 / first**2 + 1 / second**2)


@kernel
def width(w: Any) -> Any:
    """Of a table's window, in u."""
    return place(w, w[HIGH])[0] - place(w, w[LOW])[0]


@kernel
def lay(kind: int, w: Any, step: float, grid: Any) -> Any:
    """Write an arm's nodes to `grid` (3, MOST_NODES): log rate or rate, complement, weight; return how many, or 0."""
    low, high = place(w, w[LOW])[0], place(w, w[HIGH])[0]
    if not high - low <= step * (MOST_NODES - 2):
        return 0
    count = int((high - low) / step) + 2
    step = (high - low) / (count - 1)
    for i in range(count):
        u = low + i * step
        rate, rest = shares(u)
        grid[0, i] = logs(u)[0] if kind == RATIO else rate
        grid[1, i] = rest
        grid[2, i] = step * density(w, u, rate, rest)
    return count


@kernel
def _by_nodes(kind: int, grid: Any, count: int, own_is_control: bool, other: Any, x: float) -> Any:
    """F and its derivative from the nodes of one arm."""
    f = slope = 0.0
    shift = x if own_is_control else -x
    for i in range(count):
        weight = grid[2, i]
        if kind == RATIO:
            rest = -expm1(grid[0, i] + shift)
            rate, turn = 1.0 - rest, rest
        else:
            rate, rest = grid[0, i] + shift, grid[1, i] - shift
            turn = rate * rest
        if rate > 0 and rest > 0:
            u = grid[0, i] + shift - log(rest) if kind == RATIO else log(rate / rest)
            below = distribution(other, u)
            slope += weight * density(other, u, rate, rest) / turn
        else:
            below = 0.0 if rate <= 0 else 1.0
        f += weight * (below if own_is_control else 1.0 - below)
    return f, slope


@kernel
def _to_piece(kind: int, of_control: bool, w: Any, t: float, x: float) -> Any:
    """A place of an arm's table as v; -inf or inf where it is beyond."""
    u, _ = place(w, t)
    if kind == RATIO:
        if not of_control:
            return u
        log_rate = logs(u)[0] + x
        return _logit(log_rate) if log_rate < 0 else inf
    rate, rest = shares(u)
    if of_control:
        return log(rate / (rest - x)) if rest > x else inf
    return log((rate - x) / rest) if rate > x else -inf


@kernel
def _at(kind: int, v: float, x: float) -> Any:
    """At v: logits, rates and complements of the arm and the control, and what turns densities in u to those wanted."""
    rate, rest = shares(v)
    if kind == RATIO:
        control = rate * exp(-x)
        control_rest = -expm1(logs(v)[0] - x) if control > 0.5 else 1.0 - control
        return v, rate, rest, log(control / control_rest), control, control_rest, 1.0, 1.0 / control_rest
    left = 1.0 - x
    control, arm_rest = left * rate, left * rest
    arm, control_rest = x + control, x + arm_rest
    turn = 1.0 / (control * control_rest)
    return log(arm / arm_rest), arm, arm_rest, log(control / control_rest), control, control_rest, rate / arm, turn


@kernel
def _ends(kind: int, of_control: bool, w: Any, x: float, ends: Any, count: int) -> Any:
    """Add a table's ends of pieces, as v, to `ends`."""
    pieces = int(w[PANELS] / PIECE) + 1
    for i in range(pieces + 1):
        v = _to_piece(kind, of_control, w, w[LOW] + i * (w[HIGH] - w[LOW]) / pieces, x)
        if abs(v) < inf:
            ends[count] = v
            count += 1
    return count


@kernel
def _by_panels(kind: int, arm: Any, control: Any, x: float, rule: Any, ends: Any) -> Any:
    """F and its derivative by pieces, for x above the identity."""
    points, weights = rule
    first = _to_piece(kind, True, control, control[LOW], x)
    if first == inf:  # the control is above all that the arm can reach
        return 1.0, 0.0
    first = max(first, _to_piece(kind, False, arm, arm[LOW], x))
    last = min(_to_piece(kind, False, arm, arm[HIGH], x), _to_piece(kind, True, control, control[HIGH], x))
    f, slope, low = distribution(arm, _at(kind, first, x)[0]), 0.0, first
    count = _ends(kind, False, arm, x, ends, 0)
    count = _ends(kind, True, control, x, ends, count)
    ends[count] = last
    ends[: count + 1].sort()
    for i in range(count + 1):
        high = min(ends[i], last)
        if high <= low:
            continue
        pieces = int((high - low) / LONGEST) + 1
        half = 0.5 * (high - low) / pieces
        for piece in range(pieces):
            for m in range(points.size):
                v = low + (2 * piece + 1 + points[m]) * half
                u, rate, rest, other, other_rate, other_rest, factor, turn = _at(kind, v, x)
                mass = half * weights[m] * factor * density(arm, u, rate, rest)
                f += mass * (1.0 - distribution(control, other))
                slope += mass * turn * density(control, other, other_rate, other_rest)
        low = high
    return f, slope


@kernel
def both_ways(kind: int, arm: Any, control: Any, x: float, rule: Any, ends: Any) -> Any:
    """F and its derivative by panels, for any x: below the identity the arms change places."""
    if kind == DIFFERENCE and abs(x) >= 1:
        return (1.0 if x > 0 else 0.0), 0.0
    if x >= 0:
        return _by_panels(kind, arm, control, x, rule, ends)
    f, slope = _by_panels(kind, control, arm, -x, rule, ends)
    return 1.0 - f, slope


@kernel
def _polygamma(x: float) -> Any:
    """The digamma function and its first three derivatives."""
    d0 = d1 = d2 = d3 = 0.0
    while x < 8:
        r = 1 / x
        d0, d1, d2, d3 = d0 - r, d1 + r * r, d2 - 2 * r**3, d3 + 6 * r**4
        x += 1
    r = 1 / x
    q = r * r
    d0 += log(x) - r * (0.5 + r * (1 / 12 - q * (1 / 120 - q / 252)))
    d1 += r * (1 + r * (0.5 + r * (1 / 6 - q * (1 / 30 - q / 42))))
    d2 -= q * (1 + r * (1 + r * (0.5 - q * (1 / 6 - q / 6))))
    d3 += r * q * (2 + r * (3 + r * (2 - q * (1 - q * 4 / 3))))
    return d0, d1, d2, d3


@kernel
def _cumulants(kind: int, a: float, b: float) -> Any:
    """The first four cumulants of the log rate, or of the rate."""
    n = a + b
    if kind == RATIO:
        first, second = _polygamma(a), _polygamma(n)
        return first[0] - second[0], first[1] - second[1], first[2] - second[2], first[3] - second[3]
    variance = a * b / (n * n * (n + 1))
    skewness = 2 * (b - a) * sqrt(n + 1) / ((n + 2) * sqrt(a) * sqrt(b))
    excess = 6 * ((a - b) ** 2 * (n + 1) - a * b * (n + 2)) / (a * b * (n + 2) * (n + 3))
    return a / n, variance, skewness * variance**1.5, excess * variance**2


@kernel
def _guess(first: Any, second: Any, z: float) -> Any:
    """Cornish and Fisher's expansion of the quantile at the normal one, z; and the standard deviation."""
    variance = first[1] + second[1]
    s = sqrt(variance)
    g, k = (first[2] - second[2]) / (variance * s), (first[3] + second[3]) / variance**2
    g, k = max(min(g, 1.5), -1.5), max(min(k, 3.0), -1.0)
    y = z + (z * z - 1) * g / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * g * g / 36
    return first[0] - second[0] + s * y, s


@kernel
def _step(f: float, slope: float, q: float) -> Any:
    """Newton's step on the logarithm of the smaller tail; NaN where there is none."""
    mass, wanted = (f, q) if q < 0.5 else (1.0 - f, 1.0 - q)
    if not (mass > 0 and slope > 0):
        return nan
    return (log(wanted) - log(mass)) * mass / slope * (1.0 if q < 0.5 else -1.0)


@kernel
def _solve(pair: Any, guess: float, s: float, q: float, rule: Any, ends: Any) -> Any:
    """The quantile q, from a guess and the standard deviation."""
    kind, arm, control, grid, count, own_is_control = pair
    other = arm if own_is_control else control
    x, low, high = guess, -inf, inf
    if kind == DIFFERENCE:
        low, high = -1.0, 1.0
        x = min(max(x, -1 + 1e-9), 1 - 1e-9)
    for _ in range(ROUNDS):
        shift = x if own_is_control else -x
        if count == 0 or _beyond(kind, other, grid[0, 0], grid[0, count - 1], shift):
            f, slope = both_ways(kind, arm, control, x, rule, ends)
        else:
            f, slope = _by_nodes(kind, grid, count, own_is_control, other, x)
        if f < q:
            low = max(low, x)
        else:
            high = min(high, x)
        near = abs(f - q) <= CLOSE * min(q, 1.0 - q)
        step = max(min(_step(f, slope, q), 8 * s), -8 * s)
        if low < x + step < high:
            if near:
                return x + step
        else:  # NaN too
            step = 0.5 * (low + high) - x if high - low < inf else (4 * s if f < q else -4 * s)
            if abs(step) <= 1e-15 * (abs(x) + s):
                return x
        x += step
    return x


@kept([Path(__file__), Path(__file__).with_name("beta_table.py")], nogil=True)
def rows(
    kind: int, want: int, a: Any, b: Any, control: int, targets: Any, normal: Any, rules: Any, room: Any, out: Any
) -> None:
    """For every row and arm, what is wanted at the targets (n or 1, K, m) to `out` (n, K, m)."""
    tables, grid, ends = room
    build, rule = rules
    own, base = tables[1], tables[0]
    for i in range(a.shape[0]):
        describe(base, a[i, control], b[i, control], build)
        second = _cumulants(kind, a[i, control], b[i, control])
        row = i if targets.shape[0] > 1 else 0
        for arm in range(a.shape[1]):
            if arm == control:
                continue
            describe(own, a[i, arm], b[i, arm], build)
            if want != QUANTILE:
                for j in range(targets.shape[2]):
                    f, slope = both_ways(kind, own, base, targets[row, arm, j], rule, ends)
                    out[i, arm, j] = slope if want == DENSITY else f
                continue
            first = _cumulants(kind, a[i, arm], b[i, arm])
            steps = inf, inf  # of nodes of the control, and of the arm
            for j in range(targets.shape[2]):
                x, s = _guess(first, second, normal[row, arm, j])
                out[i, arm, j] = x
                steps = min(steps[0], spacing(kind, base, own, x)), min(steps[1], spacing(kind, own, base, -x))
            if s > WIDE:
                steps = 0.0, 0.0  # panels: so wide, ten digits of F are not eight of a quantile
            own_is_control = width(base) * steps[1] <= width(own) * steps[0]  # fewer nodes
            count = lay(kind, base, steps[0], grid) if own_is_control else lay(kind, own, steps[1], grid)
            pair = kind, own, base, grid, count, own_is_control
            for j in range(targets.shape[2]):
                out[i, arm, j] = _solve(pair, out[i, arm, j], s, targets[row, arm, j], rule, ends)
