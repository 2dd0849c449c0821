"""Ordinary rows: one block of equally spaced nodes for all arms, eight rows at a time.

See `posterior` for the method and its errors. Every row decides by itself, from its own numbers, whether a sinc rule
serves it and which; rows of one rule share the lanes of one vector and nothing else.
"""

from math import inf, log1p
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit_env.compilation import kept
from bandit_env.stats._posterior.blocks import (
    GROWTH,
    HIGHEST,
    MODE,
    NODE,
    PEAK,
    PRODUCT,
    RECORD,
    ROUNDS,
    SHARE,
    VALUE,
    WEIGHTS,
    A,
    B,
    appoint,
    block,
    describe,
    largest,
    missing,
    write,
)
from bandit_env.stats._posterior.plan import (
    CENTRE,
    ROW_CONSTANTS,
    RULES,
    SPACING,
    STEP,
    begin,
    extent,
    fill,
    gather,
    sort,
    window,
)
from bandit_env.stats._posterior.rules import COUNTS, GAUSS, MARGIN, POINTS
from bandit_env.stats._special.beta import (
    advance,
    apart,
    apart_from,
    both,
    frame,
    lifted,
    lifted_end,
    lifted_level,
    needed,
    neither,
    node,
    odds_at,
    opening,
    possible,
    reach,
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
    vexpm1,
    where,
)

FEW = 3  # arms, up to which the leader alone says where the window begins
MOST_ARMS = 256  # beyond, panels are as fast: a block of nodes outgrows the caches
SMALL_SHARE = 1e-4  # below, 1e-10 is not enough for six digits
WHOLE = 2e-11  # mass below the first node that may be forgotten
TAPERED = 1e-5  # a density, per node, that the taper may cut
ENDS = 28.0  # where the density of (1 + h) t ends, in its logarithm below the peak; INNER of the way it is e^-12
INNER = 0.65
BEYOND = 64  # nodes above the window that the density of (1 + h) t may reach


def scratch(arms: int, size: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Room for `rows` to work in, with blocks of `size` rows, a multiple of 8."""
    lanes = (2 * arms + NODE + 1) * COUNTS[-1] + (arms + 1) * RECORD
    return np.empty((2 * arms + ROW_CONSTANTS) * size + lanes * WIDTH), np.empty(2 * size + RULES + 1, np.intp)


@kernel
def _clipped(w: Any, arms: int, rules: Any, rule: int, centre: Any, step: Any, records: int) -> Any:
    """1 where a small share is not clearly inside a sinc rule's window: the taper spoils it, or it is cut above."""
    nodes = peek(rules[3], rule)
    all_ = records + (arms + 1) * RECORD + PRODUCT * nodes
    wrong, top = spread(0.0), odds_at(fma(step, 1.0 * (nodes - 1 - nodes // 2), centre))
    for j in range(arms):
        arm = records + j * RECORD
        share = load(w, arm + SHARE)
        small = less(share, SMALL_SHARE)
        if anywhere(small):
            own = all_ + (NODE - PRODUCT + j) * nodes
            below, high = own + arms * nodes, nodes - 1
            a, b = load(w, arm + A), load(w, arm + B)
            # above the last node the density falls exponentially, at least
            rest = 1.0 + 1.0 / (step * larger((a + b) * (top / (1.0 + top)) - a, 1e-300))
            edge = rest * (load(w, own + high) * apart_from(load(w, all_ + high), load(w, below + high)))
            for k in range(peek(rules[3], MARGIN) + 4):
                edge = fma(load(w, own + k), apart_from(load(w, all_ + k), load(w, below + k)), edge)
            wrong = where(both(small, less(3e-7 * larger(share, 1e-30), edge)), 1.0, wrong)
    return wrong


@kernel
def _others(w: Any, arms: int, records: int, nodes: int, champion: Any) -> Any:
    """Turn the product of all distribution functions into that of the champion's rivals.

    Returns the champion's distribution function at the first node.
    """
    product = records + (arms + 1) * RECORD + PRODUCT * nodes
    below = product + (NODE - PRODUCT + arms) * nodes
    own = spread(0.0)
    for k in range(nodes - 1, -1, -1):
        own = load(w, below + k)
        for j in range(1, arms):
            own = where(less(j - 0.5, champion), load(w, below + j * nodes + k), own)
        store(w, product + k, apart_from(load(w, product + k), own))
    return own


@kernel
def _shortfall(w: Any, last: int, rules: Any, rule: int, centre: Any, step: Any, h: Any, whole: Any) -> Any:
    """Compute P(rivals exceed (1 + h) t of the champion), from the density of s = (1 + h) t in logit(s).

    That is the champion's times (1 + r odds(s))^(b - 1) / (1 + h)^a, r = h/(1 + h). `whole` says where all of the
    champion lies above the first node; elsewhere 1 less the complement is taken, with what the density reaches above
    the window.
    """
    table, starts, _, sizes = rules
    nodes, at = peek(sizes, rule), last + RECORD
    points = peek(starts, 3 * rule)
    odds, small, toward, over = frame(centre, step)
    a, b = load(w, last + A), load(w, last + B)
    level, pull = lifted_level(a, b, load(w, last + PEAK), load(w, last + MODE), centre, odds, h)
    slope, n, power = where(over, b, a) * toward, a + b, b - 1.0
    missed, met = spread(0.0), spread(0.0)
    for k in range(nodes):
        z, log_, rivals = load(w, at + GROWTH * nodes + k), load(w, at + k), load(w, at + PRODUCT * nodes + k)
        value = step * lifted(peek(table, points + k), slope, n, level, log_, power, pull, z)
        missed, met = fma(value, 1.0 - rivals, missed), fma(value, rivals, met)
    if anywhere(neither(whole)):
        above = nodes - nodes // 2
        end = lifted_end(load(w, last + MODE) - reach(b, a, spread(ENDS)), h)
        for k in range(above, above + BEYOND):
            x = spread(1.0 * k)
            inside = less(fma(step, x, centre), end)
            if not anywhere(inside):
                break
            z, log_ = node(x, toward, small)
            if anywhere(over):
                z = upright(z, over)
            value = lifted(x, slope, n, level, log_, power, pull, z)
            met = where(inside, fma(step, value, met), met)
    return where(whole, missed, 1.0 - met)


@kernel
def _out_of_reach(
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
    wrong = where(near, 0.0, where(beyond, where(whole, 0.0, 1.0), 0.0))
    cut = less(high, where(near, high, lifted_end(m + INNER * up, h)))
    if not anywhere(cut):
        return wrong
    tapered = spread(0.0)
    for j in range(arms):
        f = last + RECORD + (NODE + j) * nodes
        most = load(w, f)
        for k in range(1, peek(rules[3], MARGIN) + 1):
            most = larger(most, load(w, f + k))
        tapered = where(apart(champion, 1.0 * j), larger(tapered, most), tapered)
    return larger(wrong, where(cut, where(less(TAPERED, tapered), 1.0, 0.0), 0.0))


@kernel
def _remaining(
    w: Any,
    arms: int,
    rules: Any,
    rule: int,
    centre: Any,
    step: Any,
    records: int,
    champion: Any,
    whole: Any,
    want: int,
    target: float,
) -> Any:
    """The probability of a value remaining of at most `target`, or the quantile of that order; and 1 where in doubt."""
    last = records + arms * RECORD
    before, low, high, unsure = spread(0.0), spread(0.0), spread(HIGHEST), spread(0.0)
    y, need_before, moving = opening(load(w, last + SHARE), load(w, last + A), target)
    if want == VALUE:
        y, moving = spread(log1p(target)), spread(1.0)
    for _ in range(ROUNDS):
        if not anywhere(less(0.5, moving)):
            break
        h = vexpm1(y)
        far = _out_of_reach(w, arms, rules, rule, centre, step, records, champion, h, whole)
        more = _shortfall(w, last, rules, rule, centre, step, h, whole)
        if want == VALUE:
            return 1.0 - more, where(possible(1.0 - more), far, 1.0)
        unsure = larger(unsure, moving * far)
        need = needed(more, target)
        y, before, need_before, low, high, moving = advance(y, before, need, need_before, low, high, moving)
    return where(less(y, HIGHEST - 1.0), vexpm1(larger(y, 0.0)), inf), larger(unsure, moving)


@part
def _answer(
    w: Any, arms: int, rules: Any, rule: int, centre: Any, step: Any, records: int, want: int, target: float
) -> Any:
    """Integrate all shares; returns what is wanted of the value remaining, and 1 where the rule cannot tell."""
    block(w, arms, rules, rule, centre, step, records, less(spread(0.0), spread(1.0)), WEIGHTS)
    champion = largest(w, arms, records + SHARE)
    appoint(w, arms, records, champion)
    unsure = _clipped(w, arms, rules, rule, centre, step, records)
    whole = less(_others(w, arms, records, peek(rules[3], rule), champion), WHOLE)
    if want == WEIGHTS:
        return spread(0.0), unsure
    answer, far = _remaining(w, arms, rules, rule, centre, step, records, champion, whole, want, target)
    return answer, larger(unsure, far)


@kept(Path(__file__).parents[1].glob("_*/*.py"), nogil=True)
def rows(
    counts: Any, arms: int, want: int, target: float, rules: Any, w: Any, t: Any, best: Any, value: Any, error: Any
) -> int:
    """Fill best, value and error; returns the place of the first invalid count, or -1.

    Args:
        counts: conversions and visits, shape (N, K), flattened; alpha, beta pairs, flattened; and the distance of those
            between rows and between arms, 0 where they repeat.
        want: WEIGHTS, VALUE or QUANTILE. target: of VALUE, the threshold; of QUANTILE, its order.
        rules: `_rules.tables(arms)`.
        w, t: room to work in, see `scratch`; its size decides how many rows make a block, not what comes out.
        best: shape (N, K), flattened.
        value, error: shape (N,); the error is what the sum over arms misses 1 by, at least, and inf where no sinc rule
            serves: there best and value hold nothing of use.
    """
    count, size = value.size, (t.size - RULES - 1) // 2
    plan = 2 * arms * size
    records = (plan + ROW_CONSTANTS * size) // WIDTH
    last = records + arms * RECORD
    kappa = min(SPACING, 0.66 * arms**-0.21)  # products of many distribution functions need finer steps
    shift = 0.0 if want == WEIGHTS else target if want == VALUE else inf
    for base in range(0, count, size):
        here = min(size, count - base)
        padded = (here + WIDTH - 1) // WIDTH * WIDTH
        wrong = fill(counts, base, count, arms, padded, w, size)
        if wrong >= 0:
            return int(wrong)
        for group in range(padded // WIDTH):
            bounds = extent(w, size, group, arms, records)
            low, top, _, _ = bounds
            if arms > FEW:
                low = begin(w, size, group, arms, records, low, top, peek(rules[3], POINTS))
            window(w, size, group, arms, records, bounds, low, kappa, shift, peek(rules[3], MARGIN))
        sort(w, size, here, plan, rules[3], t)
        for place in range(peek(t, 2 * size + GAUSS - 1), here):
            poke(error, base + peek(t, place), inf)
        start = 0
        for rule in range(GAUSS):
            end = peek(t, 2 * size + rule)
            for position in range(start, end, WIDTH):
                eight = (t, position, end)
                for j in range(arms):
                    gather(w, j * size, eight, records + j * RECORD + A)
                    gather(w, (arms + j) * size, eight, records + j * RECORD + B)
                describe(w, arms, records)
                step = gather(w, plan + STEP * size, eight, last)
                centre = gather(w, plan + CENTRE * size, eight, last)
                answer, unsure = _answer(w, arms, rules, rule, centre, step, records, want, target)
                store(w, last, answer)
                store(w, last + 1, where(less(0.0, unsure), inf, missing(w, arms, records)))
                write(w, arms, records, SHARE, eight, base, best, value, error)
            start = end
    return -1
