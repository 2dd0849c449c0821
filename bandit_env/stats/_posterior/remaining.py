"""Value remaining by panels: kept from the descent, they know the champion's rivals everywhere.

In each panel that `_panels` keeps, the product of the rivals' distribution functions is a polynomial. The density of
(1 + h) t is integrated against it in panels of its own, at a cost that does not grow with the number of arms.
"""

from math import inf, nan
from typing import Any

from bandit_env.stats._posterior.blocks import (
    ABOVE,
    HIGHEST,
    MODE,
    NODE,
    PEAK,
    RECORD,
    ROUNDS,
    SHARE,
    A,
    B,
    distribute,
    fallen,
    lay,
)
from bandit_env.stats._posterior.rules import CHEBYSHEV, GAUSS, PANEL
from bandit_env.stats._special.beta import (
    advance,
    apart_from,
    bend,
    bends,
    both,
    chebyshev,
    fall,
    frame,
    lifted,
    lifted_bend,
    lifted_distance,
    lifted_end,
    lifted_level,
    needed,
    node,
    odds_at,
    opening,
    reach,
    tail,
    upright,
    wall,
)
from bandit_env.stats._special.lanes import (
    WIDTH,
    anywhere,
    fma,
    kernel,
    larger,
    less,
    load,
    peek,
    poke,
    root,
    smaller,
    spread,
    store,
    vexp,
    vexpm1,
    where,
)

LAST_DEPTH = 28.0  # where densities are no longer resolved
OWN = 4.0  # standard deviations of (1 + h) t in a panel of its own: sixteen nodes integrate them to 1e-13
PANELS = 1000  # in one row, at most
TOP, LENGTH, SERIES = range(3)  # of a panel that is kept: its upper end, its length, and a polynomial's coefficients
KEPT = SERIES + PANEL


@kernel
def mass_beyond(w: Any, arm: int, v: Any) -> Any:
    """The mass of an arm above a point far up, by its continued fraction."""
    a, b = load(w, arm + A), load(w, arm + B)
    f = vexp(load(w, arm + PEAK) - fallen(a, b, v - load(w, arm + MODE)))
    return tail(b, a, f, 1.0 / odds_at(v))


@kernel
def follow_rivals(w: Any, keep: Any, last: int, rules: Any, end: int, high: Any, low: Any) -> None:
    """Turn the products in all panels into those of the champion's rivals, as Chebyshev series."""
    table = rules[0]
    at = last + RECORD
    own, out, free = at + NODE * PANEL, at + (NODE + 1) * PANEL, at + (NODE + 2) * PANEL
    store(w, last + ABOVE, mass_beyond(w, last, high))
    for panel in range(0, end, KEPT):
        v, step = load(keep, panel + TOP), 0.5 * load(keep, panel + LENGTH)
        lay(w, at, rules, GAUSS, v - step, step)
        distribute(w, last, at, own, out, free, rules, GAUSS, v - step, step, less(low, v))
        for k in range(PANEL):
            store(w, own + k, apart_from(load(keep, panel + SERIES + k), load(w, out + k)))
        matrix = peek(rules[1], CHEBYSHEV)
        for d in range(PANEL):
            coefficient = spread(0.0)
            for k in range(PANEL):
                coefficient = fma(load(w, own + k), peek(table, matrix), coefficient)
                matrix += 1
            store(keep, panel + SERIES + d, coefficient)


@kernel
def _recall(w: Any, keep: Any, panel: Any, out: int) -> None:
    """Bring each row its own panel, to `out`."""
    store(w, out, panel)
    for lane in range(WIDTH):
        source, target = int(peek(w, out * WIDTH + lane)) * (KEPT * WIDTH) + lane, out * WIDTH + lane
        for _ in range(KEPT):
            poke(w, target, peek(keep, source))
            source, target = source + WIDTH, target + WIDTH


@kernel
def _above(w: Any, arm: int, rules: Any, v: Any, end: Any) -> Any:
    """The mass of an arm above `end`, from that above v."""
    table, starts, _, _ = rules
    points, weights = peek(starts, 3 * GAUSS), peek(starts, 3 * GAUSS + 1)
    a, b, m = load(w, arm + A), load(w, arm + B), load(w, arm + MODE)
    end = larger(end, m + reach(a, b, spread(2.0 * LAST_DEPTH)))
    mass = load(w, arm + ABOVE)
    for _ in range(PANELS):
        alive = less(end, v)
        if not anywhere(alive):
            break
        whole, left, right = bends(v)
        worst = bend(a, b, whole, left, right)
        length = smaller(2.0 / root(worst), smaller(wall(v), v - end))
        whole, left, right = bends(v - length)
        length = smaller(2.0 / root(larger(worst, bend(a, b, whole, left, right))), length)
        step = 0.5 * length
        sum_ = spread(0.0)
        for k in range(PANEL):
            d = v - step + step * peek(table, points + k) - m
            sum_ = fma(vexp(load(w, arm + PEAK) - fall(a, b, d)), peek(table, weights + k), sum_)
        mass = mass + where(alive, step * sum_, 0.0)
        v = v - where(alive, length, 0.0)
    return mass


@kernel
def shortfall(w: Any, keep: Any, last: int, rules: Any, end: int, high: Any, low: Any, h: Any) -> Any:
    """Compute P(rivals exceed (1 + h) t of the champion): in panels of its own, each within one of those kept."""
    table, starts, _, _ = rules
    a, b, m, depth = load(w, last + A), load(w, last + B), load(w, last + MODE), spread(LAST_DEPTH)
    lower, upper = lifted_end(m + reach(a, b, depth), h), lifted_end(m - reach(b, a, depth), h)
    v, stop, out = smaller(high, upper), larger(lower, low), last + RECORD
    series, points = out + SERIES, peek(starts, 3 * GAUSS)
    missed, panel = spread(0.0), spread(0.0)
    for at in range(0, end, KEPT):
        panel = panel + where(less(load(keep, at + TOP) - load(keep, at + LENGTH), v), 0.0, 1.0)
    for _ in range(PANELS):
        alive = less(stop, v)
        if not anywhere(alive):
            break
        _recall(w, keep, where(alive, panel, 0.0), out)
        half = 0.5 * load(w, out + LENGTH)
        middle, bottom = load(w, out + TOP) - half, load(w, out + TOP) - load(w, out + LENGTH)
        worst = lifted_bend(a, b, v, m, h)
        length = smaller(wall(v), OWN / root(worst))
        length = smaller(length, OWN / root(larger(worst, lifted_bend(a, b, v - length, m, h))))
        through = less(v - bottom, 1.2 * length)
        length = where(through, v - bottom, length)
        step = 0.5 * length
        centre = v - step
        odds, small, toward, over = frame(centre, step)
        level, pull = lifted_level(a, b, load(w, last + PEAK), m, centre, odds, h)
        slope, n, power = where(over, b, a) * toward, a + b, b - 1.0
        mirrored = anywhere(over)
        shift, scale, sum_ = (centre - middle) / half, step / half, spread(0.0)
        for k in range(points, points + PANEL):
            node_ = peek(table, k)
            x = fma(scale, node_, shift)
            c, before = spread(0.0), spread(0.0)
            for d in range(series + PANEL - 1, series, -1):
                c, before = chebyshev(load(w, d), x, c, before), c
            rivals = fma(x, c, load(w, series) - before)
            z, log_ = node(node_, toward, small)
            if mirrored:
                z = upright(z, over)
            f = lifted(node_, slope, n, level, log_, power, pull, z)
            sum_ = fma(f * (1.0 - rivals), peek(table, k + PANEL), sum_)
        missed = missed + where(alive, step * sum_, 0.0)
        panel = panel + where(both(alive, through), 1.0, 0.0)
        v = where(alive, where(through, bottom, v - length), v)
    below = less(lower, low)  # there, rivals surely exceed it
    if anywhere(below):
        end_ = m + lifted_distance(low, odds_at(low), m, h)
        missed = missed + where(below, 1.0 - _above(w, last, rules, low, end_), 0.0)
    return where(less(stop, v), nan, missed)


@kernel
def quantile(w: Any, keep: Any, last: int, rules: Any, end: int, high: Any, low: Any, q: float) -> Any:
    """The quantile of the value remaining, and inf where the search does not end."""
    before, floor, ceiling = spread(0.0), spread(0.0), spread(HIGHEST)
    y, need_before, moving = opening(load(w, last + SHARE), load(w, last + A), q)
    for _ in range(ROUNDS):
        if not anywhere(less(0.5, moving)):
            break
        need = needed(shortfall(w, keep, last, rules, end, high, low, vexpm1(y)), q)
        y, before, need_before, floor, ceiling, moving = advance(y, before, need, need_before, floor, ceiling, moving)
    return where(less(y, HIGHEST - 1.0), vexpm1(larger(y, 0.0)), inf), where(less(0.5, moving), inf, 0.0)
