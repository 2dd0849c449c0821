"""One block of nodes: eight rows' densities, distribution functions, and their products there.

Memory is one array of vectors of eight rows: the arms' records, then of each node the logarithm, e^d - 1, the weight
and the product of all distribution functions, then densities and distribution functions, arm by arm, then room to work.
"""

from math import inf, log
from typing import Any

from bandit_env.stats._beta import (
    apart,
    apart_from,
    both,
    density,
    fall,
    frame,
    lifted,
    lifted_end,
    lifted_level,
    neither,
    node,
    odds_at,
    peak,
    reach,
    score,
    shallow,
    stirling,
    stirling_below,
    stretch,
    tail,
    upright,
)
from bandit_env.stats._lanes import (
    anywhere,
    fma,
    kernel,
    larger,
    less,
    load,
    part,
    peek,
    smaller,
    spread,
    store,
    vlog,
    where,
)
from bandit_env.stats._plan import ABOVE, LOSS, LOST, MODE, PEAK, RECORD, SHARE, UPPER, A, B, gather
from bandit_env.stats._rules import GAUSS, MARGIN, TAPER

SMALL = 1e-4  # distribution functions below this are computed by their continued fraction, and shares checked more
WHOLE = 2e-11  # mass below the first node that may be forgotten
TIE = 1e-10  # shares that differ by less are equal
TAPERED = 1e-5  # a density, per node, that the taper may cut
ENDS = 28.0  # where the density of (1 + h) t ends, in its logarithm below the peak; INNER of the way it is e^-12
INNER = 0.65
BEYOND = 10  # nodes above a sinc rule's window that the density of (1 + h) t may reach


@kernel
def _remainder(x: Any) -> Any:
    """The remainder of Stirling's formula."""
    value = stirling(x)
    if anywhere(less(x, 16.0)):
        value = where(less(x, 16.0), stirling_below(x), value)
    return value


@kernel
def describe(w: Any, size: int, arms: int, group: Any, records: int) -> None:
    """Fill the records of a group's arms."""
    for j in range(arms):
        arm = records + j * RECORD
        a, b = gather(w, j * size, group, arm + A), gather(w, (arms + j) * size, group, arm + B)
        store(w, arm + MODE, vlog(a / b))
        store(w, arm + PEAK, peak(a, b, _remainder(a) + _remainder(b) - _remainder(a + b)))


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
    if not anywhere(less(load(w, out), SMALL)):
        return
    a, b = load(w, arm + A), load(w, arm + B)
    for k in range(nodes):
        rough = load(w, out + k)
        small = less(rough, SMALL)
        if not anywhere(small):
            break
        here, weight = load(w, nodes_at + nodes + k), load(w, nodes_at + 2 * nodes + k)
        store(w, out + k, where(small, tail(a, b, load(w, f + k) / weight, fma(odds, here, odds)), rough))


@kernel
def _shares(w: Any, arms: int, nodes: int, records: int, f: int, alive: Any, want: int, odds: Any) -> Any:
    """Add a block to every arm's P(best), or to its expected loss; returns the smallest P(best) so far."""
    all_ = f - nodes
    least = spread(1.0)
    for j in range(arms):
        share, lost = spread(0.0), spread(0.0)
        own = f + j * nodes
        below = own + arms * nodes
        for k in range(nodes):
            share = fma(load(w, own + k), apart_from(load(w, all_ + k), load(w, below + k)), share)
        if want == LOSS:
            for k in range(nodes):
                length = stretch(load(w, all_ - nodes + k), load(w, all_ - 2 * nodes + k), odds)
                lost = fma(length, load(w, below + k) - load(w, all_ + k), lost)
        arm = records + j * RECORD
        share = load(w, arm + SHARE) + where(alive, share, 0.0)
        store(w, arm + SHARE, share)
        store(w, arm + LOST, load(w, arm + LOST) + where(alive, lost, 0.0))
        least = smaller(share, least)
    return least


@part
def block(
    w: Any,
    arms: int,
    rules: Any,
    rule: int,
    centre: Any,
    step: Any,
    records: int,
    alive: Any,
    want: int,
    known: bool,
) -> Any:
    """Add a block of nodes to the integrals of P(best), unless those are known.

    Returns the product of all distribution functions at the lowest node, and the smallest P(best) so far.
    """
    table, starts, taper, counts = rules
    nodes = peek(counts, rule)
    at = records + (arms + 1) * RECORD
    f = at + 4 * nodes
    points, weights, matrix = peek(starts, 3 * rule), peek(starts, 3 * rule + 1), peek(starts, 3 * rule + 2)
    odds, small, toward, over = frame(centre, step)
    mirrored = anywhere(over)
    for k in range(nodes):
        z, log_ = node(peek(table, points + k), toward, small)
        if mirrored:
            z = upright(z, over)
        store(w, at + k, log_)
        store(w, at + nodes + k, z)
        store(w, at + 2 * nodes + k, step * peek(table, weights + k))
        store(w, at + 3 * nodes + k, spread(1.0))
    soft = 0 if rule == GAUSS else len(TAPER)
    for j in range(arms):
        arm, own = records + j * RECORD, f + j * nodes
        if rule == GAUSS:
            ended = less(load(w, arm + UPPER), centre - step)  # nothing of this arm is left up here
            if not anywhere(less(centre - step, load(w, arm + UPPER))):
                for k in range(nodes):
                    store(w, own + k, spread(0.0))
                    store(w, own + arms * nodes + k, spread(1.0))
                continue
        a, b = load(w, arm + A), load(w, arm + B)
        level = load(w, arm + PEAK) - fallen(a, b, centre - load(w, arm + MODE))
        slope, n = where(over, b, a) * toward, a + b
        for k in range(nodes):
            value = density(peek(table, points + k), slope, n, level, load(w, at + k))
            store(w, own + k, value * load(w, at + 2 * nodes + k))
        if rule == GAUSS and anywhere(ended):
            for k in range(nodes):
                store(w, own + k, where(ended, 0.0, load(w, own + k)))
        above = load(w, arm + ABOVE)
        out = own + arms * nodes
        mass = _integrate(w, own, nodes, table, matrix, taper, soft, 1.0 - above, f + 2 * arms * nodes, out)
        store(w, arm + ABOVE, above + where(alive, mass, 0.0))
        _below(w, arm, nodes, at, own, odds, out)
        for k in range(nodes):
            store(w, f - nodes + k, load(w, f - nodes + k) * load(w, out + k))
    least = spread(1.0)
    if not known:
        least = _shares(w, arms, nodes, records, f, alive, want, odds)
    return load(w, f - nodes), least


@kernel
def clipped(w: Any, arms: int, rules: Any, rule: int, records: int) -> Any:
    """1 where a small share is not clearly inside a sinc rule's window: the taper spoils it, or it is cut above."""
    nodes = peek(rules[3], rule)
    wrong = spread(0.0)
    for j in range(arms):
        share = load(w, records + j * RECORD + SHARE)
        small = less(share, SMALL)
        if anywhere(small):
            all_ = records + (arms + 1) * RECORD + 3 * nodes
            own = all_ + (1 + j) * nodes
            below, high = own + arms * nodes, nodes - 1
            edge = 100.0 * (load(w, own + high) * apart_from(load(w, all_ + high), load(w, below + high)))
            for k in range(2 * MARGIN - 1):
                edge = fma(load(w, own + k), apart_from(load(w, all_ + k), load(w, below + k)), edge)
            wrong = where(both(small, less(1e-5 * larger(share, 1e-30), edge)), 1.0, wrong)
    return wrong


@kernel
def appoint(w: Any, arms: int, records: int, champion: Any) -> None:
    """Fill the champion's record, the last, from those of the arms."""
    last = records + arms * RECORD
    for field in range(RECORD):
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
def favourite(w: Any, arms: int, records: int) -> Any:
    """The arm that will probably have the largest P(best): by its mean, and a little by its standard deviation."""
    boldness = spread(min(1.0, max(0.0, 0.3 * log(0.25 * arms))))
    for arm in range(records, records + arms * RECORD, RECORD):
        store(w, arm + SHARE, score(load(w, arm + A), load(w, arm + B), boldness))
    return largest(w, arms, records + SHARE)


@kernel
def champion_below(w: Any, arms: int, records: int, rules: Any, rule: int, champion: Any) -> Any:
    """The champion's distribution function at the block's first node."""
    nodes = peek(rules[3], rule)
    below = records + (arms + 1) * RECORD + (4 + arms) * nodes
    value = load(w, below)
    for j in range(1, arms):
        value = where(less(j - 0.5, champion), load(w, below + j * nodes), value)
    return value


@kernel
def shortfall(
    w: Any, arms: int, rules: Any, rule: int, centre: Any, step: Any, records: int, champion: Any, h: Any
) -> Any:
    """The last block's parts of P(others exceed (1 + h) t of the champion), and of the complement.

    Of a sinc rule the latter is the whole where `champion_below` says that the former cannot be: it takes in what the
    density of (1 + h) t reaches above the window. That density, of s = (1 + h) t in logit(s), is the champion's times
    (1 + r odds(s))^(b - 1) / (1 + h)^a, r = h/(1 + h);
    the others' distribution functions are those at the nodes.
    """
    table, starts, _, counts = rules
    nodes = peek(counts, rule)
    last = records + arms * RECORD
    at = last + RECORD
    points = peek(starts, 3 * rule)
    below = at + (4 + arms) * nodes
    odds, small, toward, over = frame(centre, step)
    a, b = load(w, last + A), load(w, last + B)
    level, pull = lifted_level(a, b, load(w, last + PEAK), load(w, last + MODE), centre, odds, h)
    slope, n, power = where(over, b, a) * toward, a + b, b - 1.0
    missed, met = spread(0.0), spread(0.0)
    for k in range(nodes):
        i = k
        o = load(w, below + i)
        for j in range(1, arms):
            o = where(less(j - 0.5, champion), load(w, below + j * nodes + i), o)
        o = apart_from(load(w, at + 3 * nodes + i), o)
        z = load(w, at + nodes + i)
        value = lifted(peek(table, points + k), slope, n, level, load(w, at + i), power, pull, z)
        value = value * load(w, at + 2 * nodes + i)
        missed, met = fma(value, 1.0 - o, missed), fma(value, o, met)
    if rule != GAUSS and anywhere(less(WHOLE, champion_below(w, arms, records, rules, rule, champion))):
        for k in range(nodes, nodes + BEYOND):
            x = spread(1.0 * (k - nodes // 2))
            z, log_ = node(x, toward, small)
            if anywhere(over):
                z = upright(z, over)
            met = fma(step, lifted(x, slope, n, level, log_, power, pull, z), met)
    return missed, met


@kernel
def out_of_reach(
    w: Any, arms: int, rules: Any, rule: int, centre: Any, step: Any, records: int, champion: Any, h: Any, whole: Any
) -> Any:
    """1 where a sinc rule cannot serve the density of (1 + h) t; `whole` where all of it lies above the first node.

    Errors of tapered arms alternate from node to node, by up to 1e-7, and vanish in sums of what is smooth: so not
    where the density is cut at the window's end.
    """
    nodes, last = peek(rules[3], rule), records + arms * RECORD
    a, b, m = load(w, last + A), load(w, last + B), load(w, last + MODE)
    high = centre + step * (0.5 * nodes)
    near = less(2.0 * h * (1.0 + odds_at(high)), smaller(4.0 * step, 0.25 * (high - m)))  # surely within reach
    if not anywhere(neither(near)):
        return spread(0.0)
    up = 0.0 - reach(b, a, spread(ENDS))
    beyond = less(high + BEYOND * step, lifted_end(m + up, h))
    missing = where(near, 0.0, where(beyond, where(whole, 0.0, 1.0), 0.0))
    cut = less(high, where(near, high, lifted_end(m + INNER * up, h)))
    if not anywhere(cut):
        return missing
    tapered = spread(0.0)
    for j in range(arms):
        f = last + RECORD + (4 + j) * nodes
        most = load(w, f)
        for k in range(1, MARGIN + 1):
            most = larger(most, load(w, f + k))
        tapered = where(apart(champion, 1.0 * j), larger(tapered, most), tapered)
    return larger(missing, where(cut, where(less(TAPERED, tapered), 1.0, 0.0), 0.0))
