"""Distributions of p_k/p_c and p_k - p_c, both rates Beta distributed: compiled.

Everything is F(x) = P(p_k <= x o p_c), x o p being x p or x + p, and its derivative. There are two ways.

*Nodes of one arm*, for ordinary counts: F = int f_c F_k(x o p_c), or int f_k (1 - F_c), over the arm with the smaller
spread, by the trapezoidal rule in logit(p). The nodes do not depend on x, so that a quantile costs little. Where x o p
leaves (0, 1) within the nodes, the other arm's distribution function has a kink of order b (at 1) or a (at 0): passed
if that is at least SMOOTH.

*Panels*, for all: with x above the identity (else the arms change places), int f_k (1 - F_c) over v, logit(p_k) for the
ratio and logit(p_c/(1 - x)) for the difference, in which both densities are analytic; by Gauss-Legendre on
pieces of PIECE panels of either table, the shorter, so that neither density is narrower than a piece.
"""

from math import exp, expm1, inf, log, log1p, sqrt
from typing import Any

from bandit_env.stats._special.lanes import (
    WIDTH,
    Lanes,
    Mask,
    formula,
    kernel,
    load,
    spread,
    store,
    vexp,
    vexpm1,
    vlog,
    where,
)
from bandit_env.stats.estimates.beta_table import (
    HIGH,
    LOW,
    MEAN,
    MIDDLE,
    PANELS,
    REST,
    SCALE,
    A,
    B,
    density,
    distribution,
    shares,
)

RATIO, DIFFERENCE = 0, 1
SPACING = 0.7  # of the trapezoidal rule, in standard deviations of the product
WIDEST = 0.5  # standard deviation in u, at most: what falls doubly exponentially asks for it
MOST_NODES = 128
LONGEST = 8.0  # piece of v
PIECE = 3  # panels of a table between two ends of pieces
POINTS = 2 * WIDTH  # of a piece
SMOOTH = 13.0
ROOM = 2 * WIDTH


@kernel
def _logit(log_rate: float) -> Any:
    """Logit of a rate below 1, given by its logarithm."""
    return log_rate - log(-expm1(log_rate))


@kernel
def beyond(kind: int, other: Any, low: float, high: float, x: float) -> Any:
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
def _logit_at(w: Any, t: float) -> Any:
    """The logit at a place of a table."""
    return w[MIDDLE] + w[SCALE] * 0.5 * (exp(t) - exp(-t))


@kernel
def width(w: Any) -> Any:
    """Of a table's window, in u."""
    return _logit_at(w, w[HIGH]) - _logit_at(w, w[LOW])


@formula
def _smaller(x: Lanes, y: Lanes) -> Lanes:
    return where(x < y, x, y)


@formula
def _up_to(x: Lanes, end: Lanes, value: Lanes) -> Lanes:
    """The value where x is below the end, else 0."""
    return where(x < end, value, 0.0)


@kernel
def lay(kind: int, w: Any, step: float, grid: Any, eight: Any) -> Any:
    """Write an arm's nodes to `grid` (3, MOST_NODES): log rate or rate, complement, weight; return how many, or 0.

    They come in eights; those beyond the last have weight 0.
    """
    low, high = _logit_at(w, w[LOW]), _logit_at(w, w[HIGH])
    if not high - low <= step * (MOST_NODES - 2):
        return 0
    count = int((high - low) / step) + 2
    step = (high - low) / (count - 1)
    for group in range((count + WIDTH - 1) // WIDTH):
        at = group * WIDTH + load(eight, 0)
        u = low + step * _smaller(at, count - 1.0)
        rate, rest, log_rest = shares(u)
        store(grid[0], group, u + log_rest if kind == RATIO else rate)
        store(grid[1], group, rest)
        store(grid[2], group, _up_to(at, count - 0.5, step * density(w, u, rate, rest, log_rest)))
    return count


@formula
def _of_ratio(log_rate: Lanes, shift: Lanes) -> tuple[Lanes, Lanes, Lanes, Lanes, Lanes, Mask]:
    """Of exp(shift) times rates: logit, rate, complement, its logarithm, d logit/d log(rate), whether below 1."""
    log_ = log_rate + shift
    rest = -vexpm1(log_)
    inside = rest > 0.0
    rest = where(inside, rest, 0.5)
    log_rest = vlog(rest)
    return log_ - log_rest, 1.0 - rest, rest, log_rest, 1.0 / rest, inside


@formula
def _of_difference(rate: Lanes, rest: Lanes, shift: Lanes) -> tuple[Lanes, Lanes, Lanes, Lanes, Lanes, Mask]:
    """Of rates plus shift: logit, rate, complement, its logarithm, d logit/d rate, whether within (0, 1)."""
    rate, rest = rate + shift, rest - shift
    inside = (rate > 0.0) & (rest > 0.0)
    rate, rest = where(inside, rate, 0.5), where(inside, rest, 0.5)
    log_rest = vlog(rest)
    return vlog(rate / rest), rate, rest, log_rest, 1.0 / (rate * rest), inside


@formula
def _either(inside: Mask, below: Lanes, rate: Lanes, one: Lanes) -> Lanes:
    """The distribution function inside, else 0 or 1, by where the rate is."""
    return where(inside, below, where(rate > 0.0, one, 0.0))


@formula
def _only(inside: Mask, value: Lanes) -> Lanes:
    return where(inside, value, 0.0)


@kernel
def _across(values: Any, room: Any) -> Any:
    """The sum of the eight."""
    store(room, 0, values)
    sum_ = 0.0
    for i in range(WIDTH):
        sum_ += room[i]
    return sum_


@kernel
def by_nodes(kind: int, grid: Any, count: int, own_is_control: bool, other: Any, x: float, room: Any) -> Any:
    """F and its derivative from the nodes of one arm."""
    f, slope = spread(0.0), spread(0.0)
    shift = x if own_is_control else -x
    for group in range((count + WIDTH - 1) // WIDTH):
        weight, own = load(grid[2], group), load(grid[0], group)
        if kind == RATIO:
            u, rate, rest, log_rest, turn, inside = _of_ratio(own, shift)
            below = _either(inside, distribution(other, u, room), spread(1.0), spread(1.0))
        else:
            u, rate, rest, log_rest, turn, inside = _of_difference(own, load(grid[1], group), shift)
            below = _either(inside, distribution(other, u, room), own + shift, spread(1.0))
        slope = slope + weight * _only(inside, turn * density(other, u, rate, rest, log_rest))
        f = f + weight * (below if own_is_control else 1.0 - below)
    return _across(f, room), _across(slope, room)


@kernel
def _to_piece(kind: int, of_control: bool, w: Any, t: float, x: float) -> Any:
    """A place of an arm's table as v; -inf or inf where it is beyond."""
    u = _logit_at(w, t)
    if kind == RATIO:
        if not of_control:
            return u
        log_rate = min(u, 0.0) - log1p(exp(-abs(u))) + x
        return _logit(log_rate) if log_rate < 0 else inf
    odds = exp(-abs(u))
    likely = 1 / (1 + odds)
    rate, rest = (odds * likely, likely) if u < 0 else (likely, odds * likely)
    if of_control:
        return log(rate / (rest - x)) if rest > x else inf
    return log((rate - x) / rest) if rate > x else -inf


@formula
def _pair_of_ratio(v: Lanes, x: Lanes) -> tuple[Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes]:
    """At v: logit, rate, complement and its logarithm, of the arm and of the control; d logit/d log(rate) of that."""
    rate, rest, log_rest = shares(v)
    log_control = v + log_rest - x
    control_rest = -vexpm1(log_control)
    control_rest = where(control_rest > 1e-300, control_rest, 1e-300)
    log_control_rest = vlog(control_rest)
    control = log_control - log_control_rest, rate * vexp(-x), control_rest, log_control_rest
    return v, rate, rest, log_rest, *control, 1.0 / control_rest


@formula
def _pair_of_difference(
    v: Lanes, x: Lanes
) -> tuple[Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes]:
    """The same for the difference: d logit/d rate of the control, and du/dv of the arm."""
    rate, rest, _ = shares(v)
    control, arm_rest = (1.0 - x) * rate, (1.0 - x) * rest
    arm, control_rest = x + control, x + arm_rest
    log_rest, log_control_rest = vlog(arm_rest), vlog(control_rest)
    first = vlog(arm) - log_rest, arm, arm_rest, log_rest
    second = vlog(control) - log_control_rest, control, control_rest, log_control_rest
    return *first, *second, 1.0 / (control * control_rest), rate / arm


@kernel
def _ends(kind: int, of_control: bool, w: Any, x: float, ends: Any) -> Any:
    """Write a table's ends of pieces, as v, to `ends`, ascending; return how many."""
    pieces, count = int(w[PANELS] / PIECE) + 1, 0
    for i in range(pieces + 1):
        v = _to_piece(kind, of_control, w, w[LOW] + i * (w[HIGH] - w[LOW]) / pieces, x)
        if abs(v) < inf:
            ends[count] = v
            count += 1
    return count


@kernel
def _one_on(ends: Any, count: int, i: int, low: float) -> Any:
    """The index of the end before `low`, and what lies one piece above it, between ends in proportion."""
    while i + 1 < count and ends[i + 1] <= low:
        i += 1
    if i + 1 >= count:
        return i, inf
    part = (low - ends[i]) / (ends[i + 1] - ends[i])
    if part <= 0 or i + 2 >= count:
        return i, ends[i + 1]
    return i, ends[i + 1] + part * (ends[i + 2] - ends[i + 1])


@kernel
def _by_panels(kind: int, arm: Any, control: Any, x: float, rule: Any, ends: Any, room: Any) -> Any:
    """F and its derivative by pieces, for x above the identity."""
    points, weights = rule
    first = _to_piece(kind, True, control, control[LOW], x)
    if first == inf:  # the control is above all that the arm can reach
        return 1.0, 0.0
    first = max(first, _to_piece(kind, False, arm, arm[LOW], x))
    last = min(_to_piece(kind, False, arm, arm[HIGH], x), _to_piece(kind, True, control, control[HIGH], x))
    own, others = ends[: ends.size // 2], ends[ends.size // 2 :]
    count, other_count = _ends(kind, False, arm, x, own), _ends(kind, True, control, x, others)
    i = j = 0
    f, slope, low = spread(0.0), spread(0.0), first
    while low < last:
        i, high = _one_on(own, count, i, low)
        j, other_high = _one_on(others, other_count, j, low)
        high = min(high, other_high, last)
        pieces = int((high - low) / LONGEST) + 1
        half = 0.5 * (high - low) / pieces
        for piece in range(pieces):
            for group in range(points.size // WIDTH):
                v = low + (2 * piece + 1) * half + half * load(points, group)
                mass = half * load(weights, group)
                if kind == RATIO:
                    u, rate, rest, log_rest, other, other_rate, other_rest, other_log, turn = _pair_of_ratio(v, x)
                else:
                    u, rate, rest, log_rest, other, other_rate, other_rest, other_log, turn, factor = (
                        _pair_of_difference(v, x)
                    )
                    mass = mass * factor
                mass = mass * density(arm, u, rate, rest, log_rest)
                f = f + mass * (1.0 - distribution(control, other, room))
                slope = slope + mass * turn * density(control, other, other_rate, other_rest, other_log)
        low = high
    start = _pair_of_ratio(spread(first), x)[0] if kind == RATIO else _pair_of_difference(spread(first), x)[0]
    below = _across(distribution(arm, start, room), room) / WIDTH  # of what the arm has below
    return below + _across(f, room), _across(slope, room)


@kernel
def both_ways(kind: int, arm: Any, control: Any, x: float, rule: Any, ends: Any, room: Any) -> Any:
    """F and its derivative by panels, for any x: below the identity the arms change places."""
    if kind == DIFFERENCE and abs(x) >= 1:
        return (1.0 if x > 0 else 0.0), 0.0
    if x >= 0:
        return _by_panels(kind, arm, control, x, rule, ends, room)
    f, slope = _by_panels(kind, control, arm, -x, rule, ends, room)
    return 1.0 - f, slope
