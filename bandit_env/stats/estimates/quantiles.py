"""Quantiles of p_k/p_c and p_k - p_c, both rates Beta distributed, and rows of what `pairs` knows of them: compiled.

Quantiles are solved by Newton's method on log F or log(1 - F), which is concave where densities are log-concave, from
Cornish and Fisher's expansion, within a bracket.
"""

from math import inf, log, nan, sqrt
from pathlib import Path
from typing import Any

from bandit_env.compilation import kept
from bandit_env.stats._special import lanes
from bandit_env.stats._special.lanes import kernel
from bandit_env.stats.estimates import beta_table, pairs
from bandit_env.stats.estimates.beta_table import describe
from bandit_env.stats.estimates.pairs import DIFFERENCE, RATIO, beyond, both_ways, by_nodes, lay, spacing, width

QUANTILE, DISTRIBUTION, DENSITY = 0, 1, 2
WIDE = 1.5  # standard deviation of the log ratio
ROUNDS = 80
CLOSE = 3e-5  # relative error of the tail, which one more step squares
SOURCES = [Path(__file__), Path(beta_table.__file__), Path(pairs.__file__), Path(lanes.__file__)]


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
def _solve(pair: Any, guess: float, s: float, q: float, rule: Any, ends: Any, room: Any) -> Any:
    """The quantile q, from a guess and the standard deviation."""
    kind, arm, control, grid, count, own_is_control = pair
    other = arm if own_is_control else control
    x, low, high = guess, -inf, inf
    if kind == DIFFERENCE:
        low, high = -1.0, 1.0
        x = min(max(x, -1 + 1e-9), 1 - 1e-9)
    for _ in range(ROUNDS):
        shift = x if own_is_control else -x
        if count == 0 or beyond(kind, other, grid[0, 0], grid[0, count - 1], shift):
            f, slope = both_ways(kind, arm, control, x, rule, ends, room)
        else:
            f, slope = by_nodes(kind, grid, count, own_is_control, other, x, room)
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


@kept(SOURCES, nogil=True)
def rows(
    kind: int, want: int, a: Any, b: Any, control: int, targets: Any, normal: Any, rules: Any, room: Any, out: Any
) -> None:
    """For every row and arm, what is wanted at the targets (n or 1, K, m) to `out` (n, K, m)."""
    tables, grid, ends, work = room
    build, rule = rules
    eight = build[3]
    own, base = tables[1], tables[0]
    for i in range(a.shape[0]):
        describe(base, a[i, control], b[i, control], build, work)
        second = _cumulants(kind, a[i, control], b[i, control])
        row = i if targets.shape[0] > 1 else 0
        for arm in range(a.shape[1]):
            if arm == control:
                continue
            describe(own, a[i, arm], b[i, arm], build, work)
            if want != QUANTILE:
                for j in range(targets.shape[2]):
                    f, slope = both_ways(kind, own, base, targets[row, arm, j], rule, ends, work)
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
            count = lay(kind, base if own_is_control else own, steps[0 if own_is_control else 1], grid, eight)
            pair = kind, own, base, grid, count, own_is_control
            for j in range(targets.shape[2]):
                out[i, arm, j] = _solve(pair, out[i, arm, j], s, targets[row, arm, j], rule, ends, work)
