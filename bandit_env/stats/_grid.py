"""The posterior's integrals on equally spaced nodes, eight rows at a time: the fast path, for ordinary rows.

See `posterior` for the method and its errors. Every row decides by itself, from its own numbers, how many nodes it
needs and whether the result can be trusted; rows with as many nodes share the lanes of one vector and nothing else.
"""

from functools import cache
from math import ceil, erfc, exp, inf, log1p, pi
from typing import Any

import numpy as np
from numba import njit
from numpy.polynomial import legendre
from numpy.typing import NDArray

from bandit_env.stats._lanes import (
    WIDTH,
    anywhere,
    fma,
    kernel,
    less,
    load,
    peek,
    poke,
    root,
    select,
    spread,
    store,
    vexp,
    vexpm1,
    vlog,
    vlog1p,
)

COUNTS = (*range(16, 97, 4), 112, 128, 160, 192, 240, 288)  # the node counts there are
MOST = COUNTS[-1]
DEPTH = 25.0  # a density ends where it has fallen to exp(-25) of its peak
MARGIN = 5  # nodes below the window, for the taper
SOFT = 24  # nodes that the taper may touch
TAILS = 6  # levels of the continued fraction for small distribution functions
SMALL = 1e-4  # what counts as small
SPACING = 0.47  # of the narrowest standard deviation: see `posterior`, error analysis
FAR = 8.0  # nodes that the champion's density may move; further off, errors of tapered arms come to count
BEYOND = 96  # nodes that the champion's density may extend above the window

WEIGHTS, VALUE, QUANTILE = 0, 1, 2  # what is wanted
BAD_WEIGHTS, BAD_VALUE = 1, 2  # bits of a row's status: what could not be had
UNFIT = 4  # and will not be had on any grid
INCOMPLETE = -2  # returned where some row's status is not 0
WHOLE = 2e-11  # mass below the first node that may be forgotten
ROUNDING = 1e-11  # the largest bound of rounding that passes
EXACT = 5e-11  # the largest |sum over arms - 1| that passes
STEP, CENTRE, NOISE, HALF, TOP, ROW_CONSTANTS = 0, 1, 2, 3, 4, 5  # rows of the plan


def scratch(arms: int, size: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Room for `grid_rows` to work in, with blocks of `size` rows, a multiple of 8."""
    numbers = (3 * arms + ROW_CONSTANTS) * size + ((3 * arms + 4) * MOST + 2 * arms + 48) * WIDTH
    return np.empty(numbers), np.empty(2 * size + len(COUNTS) + 1, np.intp)


def _sine_integral(count: int) -> NDArray[np.float64]:
    """Si(pi d)/pi for d = 0 .. count - 1, by Gauss-Legendre on each half-wave."""
    nodes, weights = legendre.leggauss(20)
    x = pi * (np.arange(count - 1)[:, None] + 0.5 * (nodes + 1))
    return np.concatenate([[0.0], np.cumsum((np.sin(x) / x) @ weights * 0.5)])


@cache
def tables() -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64], NDArray[np.intp]]:
    """The matrices of sinc indefinite integration, folded about the middle; where each starts; the taper; the counts.

    With t(d) = Si(pi d)/pi, the integral of f above node k is sum_m f_m (1/2 + t(m - k)) (Stenger 1993, section
    4.5). t is odd, so it maps even functions to odd ones and back: two matrices of half the size do.
    """
    sine = _sine_integral(MOST)
    blocks, starts, at = [], np.zeros(len(COUNTS), np.intp), 0
    for i, nodes in enumerate(COUNTS):
        half = nodes // 2
        m, k = np.arange(half)[:, None], np.arange(-(-half // 4) * 4)[None, :]
        near = np.sign(m - k) * sine[np.abs(m - k)]
        far = sine[(nodes - 1 - m - k).clip(0)]
        both = 0.5 * np.stack([near + far, near - far])  # (2, m, k)
        blocks.append(both.reshape(2, half, -1, 4).transpose(2, 1, 0, 3).ravel())  # (k // 4, m, 2, k % 4)
        starts[i] = at
        at += blocks[-1].size
    taper = np.array([0.5 * erfc((MARGIN - 1 - m) / 2) for m in range(SOFT)])
    return np.concatenate(blocks), starts, taper, np.array(COUNTS, np.intp)


@kernel
def _stirling(x: Any) -> Any:
    """The remainder of Stirling's formula: DLMF 5.11.1; below 16 from 8 further up, by the recurrence of Gamma."""
    low = less(x, spread(16.0))
    r = 1.0 / select(low, x + 8.0, x)
    z = r * r
    s = fma(fma(fma(fma(fma(z, -691 / 360360, 1 / 1188), z, -1 / 1680), z, 1 / 1260), z, -1 / 360), z, 1 / 12) * r
    if anywhere(low):
        i = 1.0 / x
        product = 1.0 + i
        for k in range(2, 8):
            product = product * (1.0 + float(k) * i)
        s = select(low, s + (x + 7.5) * vlog(1.0 + 8.0 * i) - 8.0 - vlog(product), s)
    return s


@kernel
def _end(a: Any, n: Any, d: Any, depth: Any) -> Any:
    """A point outside the end at this depth, from a guess: the deficit is convex, so a Newton step lands outside."""
    p = a / n
    for _ in range(2):
        z = vexpm1(d)
        y = p * z
        excess = fma(n, vlog1p(y), 0.0 - a * d) - depth
        d = d - excess * (1.0 + y) / (a * (z - y))
    return d


@kernel
def _window(w: Any, size: int, first: int, arms: int, at_plan: int, at_arms: int, kappa: float) -> None:
    """The window and spacing of eight rows: leaves the wanted number of intervals, both ends, and a verdict."""
    low, high, peak, var = spread(-1e300), spread(-1e300), spread(0.0), spread(1.0)
    lead_a, lead_n, smallest = spread(1.0), spread(2.0), spread(1.0)
    for j in range(arms):
        a, b = load(w, j * size + first), load(w, (arms + j) * size + first)
        m, v = vlog(a / b), 1.0 / a + 1.0 / b
        reach = root(2.0 * DEPTH * v)
        store(w, at_arms, 0.0 - (reach + 0.6 * DEPTH / a))
        store(w, at_arms + WIDTH, reach + 0.6 * DEPTH / b)
        for side in range(2):
            i = at_arms + side * WIDTH
            store(w, i, m + _end(a, a + b, load(w, i), spread(DEPTH)))
        lower, upper = load(w, at_arms), load(w, at_arms + WIDTH)
        store(w, at_arms + (2 + 2 * j) * WIDTH, m)
        store(w, at_arms + (3 + 2 * j) * WIDTH, upper)
        leads = less(low, lower)
        low, peak, var = select(leads, lower, low), select(leads, m, peak), select(leads, v, var)
        lead_a, lead_n = select(leads, a, lead_a), select(leads, a + b, lead_n)
        high = select(less(high, upper), upper, high)
        smallest = select(less(a, smallest), a, select(less(b, smallest), b, smallest))
    depth = spread(DEPTH)
    for j in range(arms):  # far arms win where the leader's distribution function is tiny: go down to there
        a, b = load(w, j * size + first), load(w, (arms + j) * size + first)
        v = 1.0 / a + 1.0 / b
        total = 1.0 / (v + var)
        gap = peak - load(w, at_arms + (2 + 2 * j) * WIDTH)
        x = gap * total * root(var) + 5.5 * root(v * total)
        need = select(less(gap * gap * total, spread(140.0)), 0.6 * x * x, spread(0.0))
        depth = select(less(depth, need), select(less(spread(0.0), gap), need, depth), depth)
    deep = less(spread(DEPTH), depth)
    if anywhere(deep):
        guess = 0.0 - (root(2.0 * depth * var) + 0.6 * depth / lead_a)
        low = select(deep, peak + _end(lead_a, lead_n, guess, depth), low)
    finest = spread(1e300)
    for j in range(arms):
        a, b = load(w, j * size + first), load(w, (arms + j) * size + first)
        m, upper = load(w, at_arms + (2 + 2 * j) * WIDTH), load(w, at_arms + (3 + 2 * j) * WIDTH)
        s = 1.0 / (a + 4.0) + 1.0 / (b + 4.0)
        reaches = less(low, m + (upper - m) * root(depth * (1.0 / DEPTH)))
        finest = select(reaches, select(less(s, finest), s, finest), finest)
    store(w, at_plan + first, (high - low) / (root(finest) * kappa))
    store(w, at_plan + size + first, low)
    store(w, at_plan + 2 * size + first, select(less(smallest, spread(0.5)), spread(inf), spread(0.0)))
    store(w, at_plan + 4 * size + first, high)


@kernel
def _choose(w: Any, size: int, row: int, at_plan: int, counts: Any) -> int:
    """Turn a row's window into its grid; returns the index of its node count, 0 with infinite noise if none fits."""
    wanted, low = peek(w, at_plan + row), peek(w, at_plan + size + row)
    high = peek(w, at_plan + 4 * size + row)
    count = 0
    if wanted < MOST - MARGIN - 1:
        needed = ceil(wanted) + 1 + MARGIN
        while peek(counts, count) < needed:
            count += 1
    else:
        poke(w, at_plan + 2 * size + row, inf)
        low, high = -1.0, 1.0
    nodes = peek(counts, count)
    step = (high - low) / (nodes - 1 - MARGIN)
    poke(w, at_plan + row, step)
    poke(w, at_plan + size + row, low + step * (nodes // 2 - MARGIN))
    poke(w, at_plan + 3 * size + row, step * (nodes // 2))
    return count


@kernel
def _constants(w: Any, size: int, first: int, arms: int, at_plan: int, at_arms: int) -> None:
    """The logarithm of each density at the centre, times the step; and a bound of what rounding does to it."""
    step, centre = load(w, at_plan + first), load(w, at_plan + size + first)
    half = load(w, at_plan + 3 * size + first)
    odds = vexp(centre)
    p = odds / (1.0 + odds)
    low, high = p * vexpm1(0.0 - half), vlog1p(p * vexpm1(half))
    low = 0.0 - low / (1.0 + low)
    bend = select(less(low, high), high, low)
    worst = spread(0.0)
    for j in range(arms):
        a, b = load(w, j * size + first), load(w, (arms + j) * size + first)
        n = a + b
        store(w, at_arms, a)
        store(w, at_arms + WIDTH, b)
        store(w, at_arms + 2 * WIDTH, n)
        k = 0.5 * vlog(a / n * b * (0.5 / pi)) + vlog(step)
        sign = -1.0
        for i in range(3):
            if i == 2:
                sign = 1.0
            k = fma(_stirling(load(w, at_arms + i * WIDTH)), sign, k)
        d = centre - vlog(a / b)
        store(w, (2 * arms + j) * size + first, k - fma(n, vlog1p(a / n * vexpm1(d)), 0.0 - a * d))
        error = 2.2e-16 * fma(a, half, n * bend)
        worst = select(less(worst, error), error, worst)
    store(w, at_plan + 2 * size + first, load(w, at_plan + 2 * size + first) + worst)


@kernel
def _gather(w: Any, at: int, order: Any, position: int, end: int, out: int) -> Any:
    """Eight rows' entries, in the order given; the last row again where there are fewer."""
    for lane in range(min(WIDTH, order.size)):  # not a constant, which LLVM would unroll wherever this is called
        poke(w, out + lane, peek(w, at + peek(order, min(position + lane, end - 1))))
    return load(w, out)


@kernel
def _integrate(w: Any, f: int, nodes: int, table: Any, start: int, taper: Any, folded: int, out: int) -> None:
    """The distribution function at all nodes from the density there: see `tables`."""
    half = nodes // 2
    other = folded + MOST // 2 * WIDTH
    total = spread(0.0)
    for m in range(half):
        x, y = load(w, f + m * WIDTH), load(w, f + (nodes - 1 - m) * WIDTH)
        if m < SOFT:
            x = x * peek(taper, m)
        if nodes - 1 - m < SOFT:
            y = y * peek(taper, nodes - 1 - m)
        total = total + (x + y)
        store(w, folded + m * WIDTH, x + y)
        store(w, other + m * WIDTH, x - y)
    rest = fma(total, -0.5, 1.0)
    i = start
    for k in range(0, half, 4):
        e0, e1, e2, e3 = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
        o0, o1, o2, o3 = rest, rest, rest, rest
        for m in range(half):
            x, y = load(w, folded + m * WIDTH), 0.0 - load(w, other + m * WIDTH)
            e0, e1 = fma(x, peek(table, i), e0), fma(x, peek(table, i + 1), e1)
            e2, e3 = fma(x, peek(table, i + 2), e2), fma(x, peek(table, i + 3), e3)
            o0, o1 = fma(y, peek(table, i + 4), o0), fma(y, peek(table, i + 5), o1)
            o2, o3 = fma(y, peek(table, i + 6), o2), fma(y, peek(table, i + 7), o3)
            i += 8
        low, high = out + k * WIDTH, out + (nodes - 1 - k) * WIDTH
        store(w, low, o0 - e0)
        store(w, high, o0 + e0)
        store(w, low + WIDTH, o1 - e1)
        store(w, high - WIDTH, o1 + e1)
        if k + 2 < half:
            store(w, low + 2 * WIDTH, o2 - e2)
            store(w, high - 2 * WIDTH, o2 + e2)
            store(w, low + 3 * WIDTH, o3 - e3)
            store(w, high - 3 * WIDTH, o3 + e3)


@kernel
def _tail(w: Any, a: Any, b: Any, step: Any, f: int, nodes: int, odds: int, levels: int, out: int) -> None:
    """Where the distribution function is small: the continued fraction of Didonato and Morris (1992, equation 9).

    I_x(a, b) = f / (beta_0 + alpha_1 / (beta_1 + alpha_2 / (beta_2 + ...))), relatively right however small it is.
    """
    ready = False
    for k in range(nodes):
        rough = load(w, out + k * WIDTH)
        small = less(rough, spread(SMALL))
        if not anywhere(small):
            break
        if not ready:
            ready = True
            n, before = a + b, 1.0 / (a + 1.0)
            store(w, levels, 0.0 - a * n * before)
            for i in range(1, TAILS + 1):
                after, x = 1.0 / (a + (2.0 * i + 1.0)), 1.0 * i
                pull = x * (b - x) * before
                store(w, levels + 2 * i * WIDTH, pull - (a + x) * (n + x) * after)
                store(w, levels + (2 * i - 1) * WIDTH, pull * (a + (x - 1.0)) * (n + (x - 1.0)) * before)
                before = after
        o = load(w, odds + k * WIDTH)
        x = o / (1.0 + o)
        top, bottom = spread(1.0), fma(load(w, levels), x, a)
        last_top, last_bottom = spread(0.0), spread(1.0)
        for i in range(1, TAILS + 1):
            alpha = load(w, levels + (2 * i - 1) * WIDTH) * x * x
            beta = fma(load(w, levels + 2 * i * WIDTH), x, a + 2.0 * i)
            top, last_top = fma(beta, top, alpha * last_top), top
            bottom, last_bottom = fma(beta, bottom, alpha * last_bottom), bottom
        exact = load(w, f + k * WIDTH) / step * (top / bottom)
        store(w, out + k * WIDTH, select(small, exact, rough))


@kernel
def _products(w: Any, arms: int, nodes: int, density: int, below: int, others: int, run: int, sums: int) -> Any:
    """P(best) of every arm, and the products of the other arms' distribution functions; returns (error, champion)."""
    stride = nodes * WIDTH
    for k in range(0, stride, WIDTH):
        store(w, run + k, spread(1.0))
    for j in range(arms):
        for k in range(0, stride, WIDTH):
            r, i = load(w, run + k), j * stride + k
            store(w, others + i, r)
            store(w, run + k, r * load(w, below + i))
    for k in range(0, stride, WIDTH):
        store(w, run + k, spread(1.0))
    total, wrong = spread(0.0), spread(0.0)
    most, champion = spread(-1.0), spread(0.0)
    for j in range(arms - 1, -1, -1):
        sum_, edge = spread(0.0), spread(0.0)
        for k in range(0, stride, WIDTH):
            r, i = load(w, run + k), j * stride + k
            o = load(w, others + i) * r
            store(w, others + i, o)
            store(w, run + k, r * load(w, below + i))
            sum_ = fma(load(w, density + i), o, sum_)
            if k == 2 * (MARGIN - 1) * WIDTH:
                edge = sum_
        store(w, sums + j * WIDTH, sum_)
        total = total + sum_
        # a small share must not come from nodes under the taper, where it is not relatively right, nor be cut above
        i = (j + 1) * stride - WIDTH
        edge = edge + 100.0 * (load(w, density + i) * load(w, others + i))
        limit = select(less(sum_, spread(1e-30)), spread(1e-30), sum_) * 1e-5
        wrong = select(less(limit, edge), select(less(sum_, spread(1e-4)), spread(1.0), wrong), wrong)
        champion = select(less(sum_, most), champion, spread(1.0 * j))
        most = select(less(most, sum_), sum_, most)
    error = total - 1.0
    return root(error * error) + wrong, champion


@kernel
def _remaining(w: Any, h: Any, a: Any, b: Any, k0: Any, whole: Any, nodes: int, more: Any, grid: Any, at: Any) -> Any:
    """P((1 + h) t_champion exceeds the others).

    The density of s = (1 + h) t in logit(s) is the champion's times e^((b - 1) log(1 + r odds(s)) - a log(1 + h)),
    r = h/(1 + h); the others' distribution functions are those at the nodes. Where the champion's mass lies `whole`
    above the first node, one minus the integral of the complement needs nothing above the window, and no atom at 1.
    """
    step, _, ratio, p = grid
    logs, odds, others, last = at
    r = h / (1.0 + h)
    k0 = k0 - a * vlog1p(h)
    n, slope, power = a + b, a * step, b - 1.0
    inside, outside = spread(0.0), spread(0.0)
    for k in range(nodes):
        x = fma(slope, k - nodes // 2, k0) - n * load(w, logs + k * WIDTH)
        f = vexp(fma(power, vlog1p(r * load(w, odds + k * WIDTH)), x))
        rest = load(w, others + k * WIDTH)
        inside, outside = fma(f, rest, inside), fma(f, 1.0 - rest, outside)
    for k in range(last):
        z = vexpm1(step * (k + nodes - nodes // 2))
        x = fma(slope, k + nodes - nodes // 2, k0) - n * vlog1p(p * z)
        f = vexp(fma(power, vlog1p(r * fma(ratio, z, ratio)), x))
        inside = inside + select(less(spread(1.0 * k), more), f, spread(0.0))
    return select(less(whole, spread(WHOLE)), 1.0 - outside, inside)


@kernel
def _extend(w: Any, h: int, whole: int, step: int, high: int, more: int) -> int:
    """How many nodes above the window hold the champion's mass, lane by lane; returns the most."""
    last = 0
    for lane in range(min(WIDTH, w.size)):
        poke(w, more + lane, 0.0)
        if peek(w, whole + lane) >= WHOLE:
            lift = peek(w, h + lane)
            reach = lift * exp(peek(w, high + lane))
            extent = (log1p(lift) - log1p(-reach)) / peek(w, step + lane) if reach < 0.9 else inf
            poke(w, more + lane, ceil(extent) + 1.0 if extent < BEYOND else inf)
            if extent < BEYOND:
                last = max(last, int(extent) + 2)
    return last


@kernel
def _below(w: Any, h: Any, arm: Any, nodes: int, grid: Any, at: Any, spot: int) -> Any:
    """P(value remaining <= h) of eight rows, and 1 where it cannot be had.

    w[spot:] holds, eight each: whole, step, high, h, more, as `_extend` and `_remaining` call them.
    """
    a, b, k0 = arm
    store(w, spot + 3 * WIDTH, h)
    last = _extend(w, spot + 3 * WIDTH, spot, spot + WIDTH, spot + 2 * WIDTH, spot + 4 * WIDTH)
    more = load(w, spot + 4 * WIDTH)
    logs, odds, others = at
    share = _remaining(w, h, a, b, k0, load(w, spot), nodes, more, grid, (logs, odds, others, last))
    return share, select(less(more, spread(inf)), spread(0.0), spread(1.0))


@kernel
def _quantile(w: Any, target: float, best: Any, arm: Any, nodes: int, grid: Any, at: Any, spot: int) -> Any:
    """The value remaining's quantile, from P(best) of the champion, and 1 where it cannot be had.

    The root of log((1 - P(h)) / (1 - target)) by secants inside a bracket; a lane that has converged is left alone.
    """
    low, high, moving, bad = spread(0.0), spread(1e300), spread(1.0), spread(0.0)
    level = spread(1.0 / (1.0 - target))
    last, last_need = spread(0.0), vlog((1.0 - best) * level + 1e-300)
    moving = select(less(spread(0.0), last_need), moving, spread(0.0))  # 0 where P(best) suffices
    h = select(less(spread(0.5), moving), root(1.0 / arm[0]), spread(0.0))
    for _ in range(80):
        if not anywhere(less(spread(0.5), moving)):
            break
        share, failed = _below(w, h, arm, nodes, grid, at, spot)
        goes = less(spread(0.5), moving)
        bad = select(goes, bad + failed, bad)
        left = 1.0 - share
        need = vlog(select(less(left, spread(1e-18)), spread(1e-18), left) * level)
        short = less(spread(0.0), need)
        low, high = select(short, h, low), select(short, high, h)
        change = need * (h - last) / (last_need - need)
        next_ = h + change
        near = fma(h, 1e-8, 1e-13)
        small = less(change * change, near * near)
        middle = select(less(high, spread(1e299)), 0.5 * (low + high), fma(h, 4.0, 1.0))
        inside = select(less(next_, high), select(less(low, next_), next_, middle), middle)
        inside = select(less(fma(h, 4.0, 1.0), inside), fma(h, 4.0, 1.0), inside)
        last, last_need = select(goes, h, last), select(goes, need, last_need)
        h = select(goes, select(small, next_, inside), h)
        moving = select(small, spread(0.0), moving)
    return h, bad + moving


@kernel
def _fill(
    s: Any, v: Any, prior: Any, strides: Any, base: int, rows: int, arms: int, padded: int, w: Any, size: int
) -> int:
    """Copy a block's Beta parameters, arms first, the last row repeated.

    Returns the place of the first invalid count, or -1.
    """
    for row in range(padded):
        source = min(base + row, rows - 1)
        for j in range(arms):
            i, own = source * arms + j, source * strides[0] + j * strides[1]
            hits, tries = peek(s, i), peek(v, i)
            if not 0.0 <= hits <= tries < inf:
                return i
            poke(w, j * size + row, hits + peek(prior, own))
            poke(w, (arms + j) * size + row, tries - hits + peek(prior, own + 1))
    return -1


@kernel
def _sort(w: Any, size: int, here: int, padded: int, at_plan: int, counts: Any, t: Any) -> None:
    """Choose every row's grid and sort the rows by it: t holds the order, each row's grid, and each grid's end."""
    grids, ends = size, 2 * size
    for i in range(counts.size + 1):
        poke(t, ends + i, 0)
    for row in range(padded):
        count = _choose(w, size, row, at_plan, counts)
        poke(t, grids + row, count)
        if row < here:
            poke(t, ends + count + 1, peek(t, ends + count + 1) + 1)
    for i in range(counts.size):
        poke(t, ends + i + 1, peek(t, ends + i + 1) + peek(t, ends + i))
    for row in range(here):
        i = ends + peek(t, grids + row)
        poke(t, peek(t, i), row)
        poke(t, i, peek(t, i) + 1)


@kernel
def _shares(w: Any, size: int, arms: int, count: int, nodes: int, rows: Any, grid: Any, rules: Any, at: int) -> Any:
    """P(best) of eight rows; returns (error, champion). w[at:] holds densities, distribution functions, products."""
    step, _, ratio, p = grid
    order, position, end = rows
    table, starts, taper, _ = rules
    below, others = at + arms * MOST * WIDTH, at + 2 * arms * MOST * WIDTH
    logs = at + 3 * arms * MOST * WIDTH
    odds, run, folded = logs + MOST * WIDTH, logs + 2 * MOST * WIDTH, logs + 3 * MOST * WIDTH
    sums = logs + 4 * MOST * WIDTH
    levels = sums + (2 * arms + 4) * WIDTH
    for k in range(nodes):
        z = vexpm1(step * (k - nodes // 2))
        store(w, logs + k * WIDTH, vlog1p(p * z))
        store(w, odds + k * WIDTH, fma(ratio, z, ratio))
    for j in range(arms):
        a = _gather(w, j * size, order, position, end, levels)
        b = _gather(w, (arms + j) * size, order, position, end, levels)
        k0 = _gather(w, (2 * arms + j) * size, order, position, end, levels)
        slope, n = a * step, a + b
        f, out = at + j * nodes * WIDTH, below + j * nodes * WIDTH
        for k in range(nodes):
            x = fma(slope, k - nodes // 2, k0) - n * load(w, logs + k * WIDTH)
            store(w, f + k * WIDTH, vexp(x))
        _integrate(w, f, nodes, table, peek(starts, count), taper, folded, out)
        _tail(w, a, b, step, f, nodes, odds, levels, out)
    return _products(w, arms, nodes, at, below, others, run, sums)


@kernel
def _champions(
    w: Any, size: int, arms: int, nodes: int, rows: Any, grid: Any, champion: Any, at_plan: int
) -> tuple[Any, Any, int]:
    """Lay out what the value remaining of eight rows needs: the champions' constants, others' products, and a spot."""
    order, position, end = rows
    at = at_plan + ROW_CONSTANTS * size
    below, others = at + arms * MOST * WIDTH, at + 2 * arms * MOST * WIDTH
    logs = at + 3 * arms * MOST * WIDTH
    odds, run, spot = logs + MOST * WIDTH, logs + 2 * MOST * WIDTH, logs + 3 * MOST * WIDTH
    sums = logs + 4 * MOST * WIDTH
    store(w, spot + 5 * WIDTH, champion)
    for i in range(min(WIDTH, order.size)):
        row, j = peek(order, min(position + i, end - 1)), int(peek(w, spot + 5 * WIDTH + i))
        poke(w, spot + i, peek(w, below + j * nodes * WIDTH + i))
        poke(w, spot + 2 * WIDTH + i, peek(w, at_plan + 4 * size + row))
        poke(w, spot + 9 * WIDTH + i, peek(w, sums + j * WIDTH + i))
        for k in range(3):
            poke(w, spot + (6 + k) * WIDTH + i, peek(w, (k * arms + j) * size + row))
    store(w, spot + WIDTH, grid[0])
    for k in range(nodes):
        o = load(w, others + k * WIDTH)
        for j in range(1, arms):
            o = select(less(spread(j - 0.5), champion), load(w, others + (j * nodes + k) * WIDTH), o)
        store(w, run + k * WIDTH, o)
    a, b, k0 = load(w, spot + 6 * WIDTH), load(w, spot + 7 * WIDTH), load(w, spot + 8 * WIDTH)
    return (a, b, k0), (logs, odds, run), spot


def _rows_kernel(want: int) -> Any:
    """The kernel for what is wanted, so that the quantile is compiled only for who asks for it."""

    @njit(cache=True, nogil=True, error_model="numpy")
    def grid_rows(
        conversions: Any,
        visits: Any,
        prior: Any,
        strides: Any,
        arms: int,
        target: float,
        fineness: float,
        rules: Any,
        w: Any,
        t: Any,
        best: Any,
        value: Any,
        status: Any,
    ) -> int:
        """Fill best, value and status; returns the place of the first invalid count, -1, or INCOMPLETE.

        Args:
            conversions, visits, best: shape (N, K), flattened. value, status: shape (N,).
            prior, strides: flattened alpha, beta pairs, and their distance between rows and between arms; 0 repeats.
            target: of VALUE, the threshold; of QUANTILE, its order.
            fineness: divides the spacing of nodes. rules: `tables()`.
            w, t: room to work in, see `scratch`; its size decides how many rows make a block, not what comes out.
            status: the bits BAD_WEIGHTS, BAD_VALUE and UNFIT.
        """
        rows, size = value.size, (t.size - len(COUNTS) - 1) // 2
        at_plan = 3 * arms * size
        at = at_plan + ROW_CONSTANTS * size
        sums = at + (3 * arms + 4) * MOST * WIDTH
        lane = sums + (2 * arms + 4) * WIDTH
        kappa = min(SPACING, 0.54 * (3.0 / arms) ** 0.28) / fineness
        incomplete = 0
        for base in range(0, rows, size):
            here = min(size, rows - base)
            padded = (here + WIDTH - 1) // WIDTH * WIDTH
            wrong = _fill(conversions, visits, prior, strides, base, rows, arms, padded, w, size)
            if wrong >= 0:
                return int(wrong)
            for first in range(0, padded, WIDTH):
                _window(w, size, first, arms, at_plan, sums, kappa)
            _sort(w, size, here, padded, at_plan, rules[3], t)
            for first in range(0, padded, WIDTH):
                _constants(w, size, first, arms, at_plan, sums)
            for count in range(rules[3].size):
                nodes, end = peek(rules[3], count), peek(t, 2 * size + count)
                begin = peek(t, 2 * size + count - 1) if count > 0 else 0
                for position in range(begin, end, WIDTH):
                    group = (t, position, end)
                    step = _gather(w, at_plan, t, position, end, lane)
                    centre = _gather(w, at_plan + size, t, position, end, lane)
                    ratio = vexp(centre)
                    grid = (step, centre, ratio, ratio / (1.0 + ratio))
                    error, champion = _shares(w, size, arms, count, nodes, group, grid, rules, at)
                    answer, bad = error, error
                    if want != WEIGHTS:
                        arm, at_, spot = _champions(w, size, arms, nodes, group, grid, champion, at_plan)
                        if want == VALUE:
                            answer, bad = _below(w, spread(target), arm, nodes, grid, at_, spot)
                            bad = bad + select(less(FAR * step, vlog1p(spread(target))), spread(1.0), spread(0.0))
                        else:
                            best_ = load(w, spot + 9 * WIDTH)
                            answer, bad = _quantile(w, target, best_, arm, nodes, grid, at_, spot)
                    store(w, lane, error)
                    store(w, lane + WIDTH, answer)
                    store(w, lane + 2 * WIDTH, bad)
                    for i in range(min(WIDTH, end - position)):
                        row = peek(t, position + i)
                        state = 0
                        if want != WEIGHTS and peek(w, lane + 2 * WIDTH + i) != 0.0:
                            state = BAD_VALUE
                        if not peek(w, lane + i) < EXACT:
                            state = BAD_WEIGHTS + BAD_VALUE
                        if not peek(w, at_plan + 2 * size + row) < ROUNDING:
                            state = BAD_WEIGHTS + BAD_VALUE + UNFIT
                        incomplete += state
                        poke(status, base + row, state)
                        poke(value, base + row, peek(w, lane + WIDTH + i))
                        for j in range(arms):
                            poke(best, (base + row) * arms + j, peek(w, sums + j * WIDTH + i))
        return INCOMPLETE if incomplete > 0 else -1

    return grid_rows


KERNELS = tuple(_rows_kernel(want) for want in (WEIGHTS, VALUE, QUANTILE))
