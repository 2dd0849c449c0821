"""One block of nodes: eight rows' densities, distribution functions, and their products there.

Memory is one array of vectors of eight rows: the arms' records, then of each node the logarithm, e^d - 1, the weight
and the product of all distribution functions, then densities and distribution functions, arm by arm, then room to work.
"""

from math import inf
from typing import Any

from bandit_env.stats._posterior.rules import GAUSS, SOFT
from bandit_env.stats._special.beta import (
    apart_from,
    both,
    density,
    fall,
    frame,
    node,
    odds_at,
    peak,
    shallow,
    stirling,
    stirling_below,
    stretch,
    tail,
    upright,
)
from bandit_env.stats._special.lanes import (
    WIDTH,
    anywhere,
    fma,
    kernel,
    larger,
    less,
    load,
    part,
    peek,
    poke,
    smaller,
    spread,
    store,
    vlog,
    where,
)

WEIGHTS, VALUE, QUANTILE, LOSS = range(4)  # what is wanted
# an arm's record, a vector each; behind the last arm's stands the champion's
LOWER, LIMIT, A, B, MODE, PEAK, UPPER, SHARE, ABOVE, LOST, RECORD = range(11)
_, GROWTH, WEIGHT, PRODUCT, NODE = range(5)  # of a block, a vector for each node; densities follow
SMALL = 3e-5  # distribution functions below this are computed by their continued fraction
ROUNDS = 100  # of the search for a quantile, at most
HIGHEST = 345.0  # log(1 + value remaining) beyond which it is called infinite
TIE = 1e-10  # shares that differ by less are equal


@kernel
def _remainder(x: Any) -> Any:
    """The remainder of Stirling's formula."""
    value = stirling(x)
    if anywhere(less(x, 16.0)):
        value = where(less(x, 16.0), stirling_below(x), value)
    return value


@kernel
def describe(w: Any, arms: int, records: int) -> None:
    """Fill the records of a group's arms from their parameters."""
    for arm in range(records, records + arms * RECORD, RECORD):
        a, b = load(w, arm + A), load(w, arm + B)
        store(w, arm + MODE, vlog(a / b))
        store(w, arm + PEAK, peak(a, b, _remainder(a) + _remainder(b) - _remainder(a + b)))
        for field in range(SHARE, RECORD):
            store(w, arm + field, spread(0.0))


@kernel
def fallen(a: Any, b: Any, d: Any) -> Any:
    """How far a log density has fallen at a distance d from its mode."""
    value = shallow(a, b, d)
    hard = larger(a + b - 1e4, larger(d, 0.0 - d) - 30.0)
    if anywhere(less(0.0, hard)):
        value = where(less(0.0, hard), fall(a, b, d), value)
    return value


@kernel
def _integrate(
    w: Any, f: int, nodes: int, table: Any, start: int, taper: Any, soft: int, base: Any, folded: int, out: int
) -> Any:
    """The distribution function at all nodes from the density there, see `_rules`; returns the density's mass.

    `base` is the mass below the block's upper end.
    """
    half = nodes // 2
    other = folded + half
    total = spread(0.0)
    for m in range(half):
        x, y = load(w, f + m), load(w, f + (nodes - 1 - m))
        if m < soft:
            x = x * peek(taper, m)
        if nodes - 1 - m < soft:
            y = y * peek(taper, nodes - 1 - m)
        total = total + (x + y)
        store(w, folded + m, x + y)
        store(w, other + m, x - y)
    rest = fma(total, -0.5, base)
    i = start
    for k in range(0, half, 4):
        e0, e1, e2, e3 = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
        o0, o1, o2, o3 = rest, rest, rest, rest
        for m in range(half):
            x, y = load(w, folded + m), 0.0 - load(w, other + m)
            e0, e1 = fma(x, peek(table, i), e0), fma(x, peek(table, i + 1), e1)
            e2, e3 = fma(x, peek(table, i + 2), e2), fma(x, peek(table, i + 3), e3)
            o0, o1 = fma(y, peek(table, i + 4), o0), fma(y, peek(table, i + 5), o1)
            o2, o3 = fma(y, peek(table, i + 6), o2), fma(y, peek(table, i + 7), o3)
            i += 8
        low, high = out + k, out + nodes - 1 - k
        store(w, low, o0 - e0)
        store(w, high, o0 + e0)
        store(w, low + 1, o1 - e1)
        store(w, high - 1, o1 + e1)
        if k + 2 < half:
            store(w, low + 2, o2 - e2)
            store(w, high - 2, o2 + e2)
            store(w, low + 3, o3 - e3)
            store(w, high - 3, o3 + e3)
    return total


@kernel
def _below(w: Any, arm: int, nodes: int, nodes_at: int, f: int, odds: Any, out: int) -> None:
    """Compute the small ones among an arm's distribution functions by their continued fraction."""
    a, b, small = load(w, arm + A), load(w, arm + B), less(load(w, out), SMALL)
    for k in range(nodes):
        rough = load(w, out + k)
        small = both(small, less(rough, SMALL))
        if not anywhere(small):
            break
        here, weight = load(w, nodes_at + GROWTH * nodes + k), load(w, nodes_at + WEIGHT * nodes + k)
        store(w, out + k, where(small, tail(a, b, load(w, f + k) / weight, fma(odds, here, odds)), rough))


@kernel
def _shares(w: Any, arms: int, nodes: int, records: int, f: int, want: int, centre: Any, alive: Any) -> Any:
    """Add a block to every arm's P(best), or to its expected loss; returns the smallest P(best) so far."""
    at, all_ = f - NODE * nodes, f - (NODE - PRODUCT) * nodes
    least, odds = spread(1.0), odds_at(centre)
    for j in range(arms):
        own, arm = f + j * nodes, records + j * RECORD
        below, share = own + arms * nodes, spread(0.0)
        for k in range(nodes):
            share = fma(load(w, own + k), apart_from(load(w, all_ + k), load(w, below + k)), share)
        share = load(w, arm + SHARE) + where(alive, share, 0.0)
        store(w, arm + SHARE, share)
        least = smaller(share, least)
        if want == LOSS:
            lost = spread(0.0)
            for k in range(nodes):
                length = stretch(load(w, at + WEIGHT * nodes + k), load(w, at + GROWTH * nodes + k), odds)
                lost = fma(length, load(w, below + k) - load(w, all_ + k), lost)
            store(w, arm + LOST, load(w, arm + LOST) + where(alive, lost, 0.0))
    return least


@kernel
def lay(w: Any, at: int, rules: Any, rule: int, centre: Any, step: Any) -> None:
    """Lay a block's nodes: what all arms' densities there share."""
    table, starts, _, sizes = rules
    nodes = peek(sizes, rule)
    points, weights = peek(starts, 3 * rule), peek(starts, 3 * rule + 1)
    _, small, toward, over = frame(centre, step)
    mirrored = anywhere(over)
    for k in range(at, at + nodes):
        z, log_ = node(peek(table, points), toward, small)
        if mirrored:
            z = upright(z, over)
        store(w, k, log_)
        store(w, k + GROWTH * nodes, z)
        store(w, k + WEIGHT * nodes, step * peek(table, weights))
        store(w, k + PRODUCT * nodes, spread(1.0))
        points, weights = points + 1, weights + 1


@kernel
def distribute(
    w: Any, arm: int, at: int, own: int, out: int, free: int, rules: Any, rule: int, centre: Any, step: Any, alive: Any
) -> None:
    """One arm's densities, times the weights, and distribution functions at all nodes; adds to the mass above."""
    table, starts, taper, sizes = rules
    nodes = peek(sizes, rule)
    points, soft = peek(starts, 3 * rule), SOFT
    a, b, m = load(w, arm + A), load(w, arm + B), load(w, arm + MODE)
    odds, _, toward, over = frame(centre, step)
    level = load(w, arm + PEAK) - fallen(a, b, centre - m)
    slope, n = where(over, b, a) * toward, a + b
    for k in range(nodes):
        value = density(peek(table, points + k), slope, n, level, load(w, at + k))
        store(w, own + k, value * load(w, at + WEIGHT * nodes + k))
    if rule == GAUSS:
        soft = 0
        ended = less(load(w, arm + UPPER), centre - step)  # nothing of this arm is left up here
        if anywhere(ended):
            for k in range(own, own + nodes):
                store(w, k, where(ended, 0.0, load(w, k)))
    above = load(w, arm + ABOVE)
    mass = _integrate(w, own, nodes, table, peek(starts, 3 * rule + 2), taper, soft, 1.0 - above, free, out)
    store(w, arm + ABOVE, above + where(alive, mass, 0.0))
    _below(w, arm, nodes, at, own, odds, out)


@part
def block(w: Any, arms: int, rules: Any, rule: int, centre: Any, step: Any, records: int, alive: Any, want: int) -> Any:
    """Add a block of nodes to the integrals of the rows that are alive.

    Returns the product of all distribution functions at the lowest node, and the smallest P(best) so far.
    """
    nodes = peek(rules[3], rule)
    at = records + (arms + 1) * RECORD
    product, f = at + PRODUCT * nodes, at + NODE * nodes
    free = f + 2 * arms * nodes
    lay(w, at, rules, rule, centre, step)
    for j in range(arms):
        arm, own = records + j * RECORD, f + j * nodes
        out = own + arms * nodes
        if rule == GAUSS and not anywhere(less(centre - step, load(w, arm + UPPER))):
            for k in range(nodes):
                store(w, own + k, spread(0.0))
                store(w, out + k, spread(1.0))
            continue
        distribute(w, arm, at, own, out, free, rules, rule, centre, step, alive)
        for k in range(nodes):
            store(w, product + k, load(w, product + k) * load(w, out + k))
    return load(w, product), _shares(w, arms, nodes, records, f, want, centre, alive)


@kernel
def appoint(w: Any, arms: int, records: int, champion: Any) -> None:
    """Fill the champion's record, the last, from those of the arms."""
    last = records + arms * RECORD
    for field in range(A, SHARE + 1):
        value = load(w, records + field)
        for j in range(1, arms):
            value = where(less(j - 0.5, champion), load(w, records + j * RECORD + field), value)
        store(w, last + field, value)


@kernel
def largest(w: Any, arms: int, field: int) -> Any:
    """The arm whose record holds the largest number in this place; the first on ties, which rounding must not break."""
    arm, most = spread(0.0), spread(-inf)
    for j in range(arms):
        value = load(w, field + j * RECORD)
        leads = less(most + TIE, value)
        arm, most = where(leads, spread(1.0 * j), arm), where(leads, value, most)
    return arm


@kernel
def missing(w: Any, arms: int, records: int) -> Any:
    """What the sum of all shares misses 1 by."""
    total = spread(0.0)
    for arm in range(records, records + arms * RECORD, RECORD):
        total = total + load(w, arm + SHARE)
    return larger(total - 1.0, 1.0 - total)


@kernel
def write(
    w: Any, arms: int, records: int, field: int, group: Any, base: int, best: Any, value: Any, error: Any
) -> None:
    """Write down a field of every arm, and of the last record the first two: the value and the error."""
    order, position, end = group
    last = records + arms * RECORD
    lanes = end - position if end - position < WIDTH else WIDTH
    for lane in range(lanes):
        row = base + peek(order, position + lane)
        for j in range(arms):
            poke(best, row * arms + j, peek(w, (records + field + j * RECORD) * WIDTH + lane))
        poke(value, row, peek(w, last * WIDTH + lane))
        poke(error, row, peek(w, (last + 1) * WIDTH + lane))
