"""All other rows: panels of Gauss-Legendre nodes, from where all densities have ended downwards, eight rows at a time.

See `posterior` for the method and its errors. Rows share the lanes of one vector and nothing else: each has panels of
its own, as long as its densities allow.
"""

from math import inf, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit_env.compilation import kept
from bandit_env.stats._posterior.blocks import (
    ABOVE,
    LIMIT,
    LOSS,
    LOST,
    LOWER,
    MODE,
    NODE,
    PEAK,
    PRODUCT,
    QUANTILE,
    RECORD,
    SHARE,
    SMALL,
    UPPER,
    VALUE,
    WEIGHTS,
    A,
    B,
    appoint,
    block,
    describe,
    fallen,
    largest,
    missing,
    write,
)
from bandit_env.stats._posterior.remaining import (
    KEPT,
    LAST_DEPTH,
    LENGTH,
    PANELS,
    SERIES,
    TOP,
    follow_rivals,
    mass_beyond,
    quantile,
    shortfall,
)
from bandit_env.stats._posterior.rules import GAUSS, PANEL
from bandit_env.stats._special.beta import (
    bend,
    bends,
    both,
    fall,
    odds_at,
    possible,
    reach,
    tail,
    until,
    wall,
    widest_panel,
    within,
)
from bandit_env.stats._special.lanes import (
    WIDTH,
    anywhere,
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
    vlog,
    where,
)

START = 13.5  # where panels begin for P(best) alone: two arms are above with a chance of 1e-7 times that of one
UPPER_DEPTH = 23.0  # and else: what lies above is below 1e-11
RELATIVE = 18.0  # how much deeper than where a small share is won
LOWER_DEPTH = 110.0  # where densities are no longer resolved; above the mode, LAST_DEPTH
LEFT = 1e-13  # what may be left out of any integral
GONE = 1e-44  # a product of distribution functions that no share can feel
VANISHED = 750.0  # twice exp(-750) is 0 in float64


def scratch(arms: int, want: int) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Room for `rows` to work in, and to keep panels in: None, for which less is compiled, where losses are wanted."""
    lanes = (2 * arms + NODE + 1) * PANEL + (arms + 1) * RECORD
    return np.empty(lanes * WIDTH), None if want == LOSS else np.empty(PANELS * KEPT * WIDTH)


@kernel
def _parameters(counts: Any, row: int, arms: int, j: int) -> tuple[float, float]:
    """An arm's Beta parameters."""
    conversions, visits, prior, strides = counts
    i, own = row * arms + j, row * strides[0] + j * strides[1]
    return peek(conversions, i) + peek(prior, own), peek(visits, i) - peek(conversions, i) + peek(prior, own + 1)


@kernel
def _divergence(p: float, q: float) -> float:
    """The divergence kl(p, q) of Bernoulli laws."""
    return p * log(p / q) + (1.0 - p) * log((1.0 - p) / (1.0 - q))


@kernel
def _decided(counts: Any, row: int, arms: int) -> int:
    """The arm beside which P(best) of all others is below the smallest float64, or -1.

    For any t between the means of arms i and c, P(i is the best) <= P(rate_i >= t) + P(rate_c <= t), and by Chernoff's
    bound a Beta(a, b) with mean p is beyond t with probability at most exp(-(a + b) kl(p, t)).
    """
    champion, top = 0, -1.0
    for j in range(arms):
        a, b = _parameters(counts, row, arms, j)
        if a / (a + b) > top:
            champion, top = j, a / (a + b)
    a, b = _parameters(counts, row, arms, champion)
    count = a + b
    width = sqrt(top * (1.0 - top) / count)
    for j in range(arms):
        if j != champion:
            a, b = _parameters(counts, row, arms, j)
            p = a / (a + b)
            own = sqrt(p * (1.0 - p) / (a + b))
            t = (p * width + top * own) / (width + own)
            if not ((a + b) * _divergence(p, t) > VANISHED and count * _divergence(top, t) > VANISHED):
                return -1
    return champion


@kernel
def _sift(counts: Any, arms: int, want: int, order: Any, best: Any, value: Any, error: Any) -> int:
    """Answer for the rows of `order` that are decided, and leave the others in front; returns how many those are."""
    left = 0
    for place in range(order.size):
        row = peek(order, place)
        champion = _decided(counts, row, arms) if want != LOSS else -1
        if champion >= 0:
            for j in range(arms):
                poke(best, row * arms + j, 0.0)
            poke(best, row * arms + champion, 1.0)
            poke(value, row, 0.0 if want == QUANTILE else 1.0)
            poke(error, row, 0.0)
        else:
            poke(order, left, row)
            left += 1
    return left


@kernel
def _extents(w: Any, arms: int, want: int) -> Any:
    """Where panels have to resolve each arm; returns where the first begins, from above, and how wide they may be.

    What lies above goes to the arms by their masses there, as hardly two of them can be up there at once. The more arms
    are near the leader, the rougher is the product of their distribution functions.
    """
    lead, var, low = spread(0.0), spread(1.0), spread(-inf)
    top, top_a, top_b = spread(-inf), spread(1.0), spread(1.0)
    for j in range(arms):
        arm = j * RECORD
        a, b, m = load(w, arm + A), load(w, arm + B), load(w, arm + MODE)
        v = 1.0 / a + 1.0 / b
        leads = less(low, m - 7.0 * root(v))
        low, lead, var = where(leads, m - 7.0 * root(v), low), where(leads, m, lead), where(leads, v, var)
        leads = less(top, m)
        top, top_a, top_b = where(leads, m, top), where(leads, a, top_a), where(leads, b, top_b)
    high, near = spread(-inf), spread(0.0)
    start = spread((START if want == WEIGHTS else UPPER_DEPTH) + log(1.0 * arms))
    for j in range(arms):
        arm = j * RECORD
        a, b, m = load(w, arm + A), load(w, arm + B), load(w, arm + MODE)
        # a small share is won near the surest arm, or where this density times that of the highest arm peaks
        there = larger(lead + 8.0 * root(var), vlog((a + top_a) / (b + top_b)))
        there = fallen(a, b, larger(there - m, 0.0))
        up = 0.0 - reach(b, a, smaller(larger(there + RELATIVE, LAST_DEPTH + log(1.0 * arms)), LOWER_DEPTH))
        store(w, arm + LOWER, m + reach(a, b, spread(LOWER_DEPTH)))
        store(w, arm + UPPER, m + 1.25 * up)
        store(w, arm + LIMIT, 0.25 * up)
        high = larger(high, m - reach(b, a, start))
        near = near + where(less(lead, m + 3.0 * root(1.0 / a + 1.0 / b)), 1.0, 0.0)
    for arm in range(0, arms * RECORD, RECORD):
        store(w, arm + ABOVE, mass_beyond(w, arm, high))
        store(w, arm + SHARE, load(w, arm + ABOVE))
    return high, widest_panel(near)


@kernel
def _length(w: Any, last: int, v: Any, widest: Any) -> Any:
    """How long a panel downwards from v may be: what resolves every density that matters at v, there and at its end."""
    length, worst = wall(v), spread(1e-300)
    whole, left, right = bends(v)
    for arm in range(0, last, RECORD):
        upper = load(w, arm + UPPER)
        own = bend(load(w, arm + A), load(w, arm + B), whole, left, right)
        worst = larger(worst, within(v, load(w, arm + LOWER), upper, own))
        length = smaller(length, until(v, upper, load(w, arm + LIMIT)))
    length = smaller(length, widest / root(worst))
    below = v - length
    whole, left, right = bends(below)
    for arm in range(0, last, RECORD):
        own = bend(load(w, arm + A), load(w, arm + B), whole, left, right)
        worst = larger(worst, within(v, load(w, arm + LOWER), load(w, arm + UPPER), own))
    return smaller(length, widest / root(worst))


@kernel
def _descend(w: Any, keep: Any, arms: int, rules: Any, want: int, v: Any, widest: Any) -> Any:
    """Add panel after panel to every arm's share, and keep them with the product of all distribution functions.

    Panels end where that product, which bounds whatever is left, is small beside the smallest share. Returns where,
    where the last one is kept, and inf for the rows that do not end.
    """
    last = arms * RECORD
    product = last + RECORD + PRODUCT * PANEL
    panel = 0
    alive = less(spread(0.0), spread(1.0))
    for _ in range(PANELS):
        length = _length(w, last, v, widest)
        step = 0.5 * length
        bottom, least = block(w, arms, rules, GAUSS, v - step, step, 0, alive, want)
        if keep is not None:
            store(keep, panel + TOP, v)
            store(keep, panel + LENGTH, length)
            for k in range(PANEL):
                store(keep, panel + SERIES + k, load(w, product + k))
            panel += KEPT
        v = where(alive, v - length, v)
        alive = both(alive, less(larger(smaller(1e-8 * least, LEFT), GONE), bottom))
        if not anywhere(alive):
            break
    return v, panel, where(alive, inf, 0.0)


@kernel
def _finish_loss(w: Any, arm: int, v: Any) -> None:
    """Add what lies below the last panel: E[(x - t)^+] = (x - p) F(x) + f(x)/n, by parts; f per unit of logit."""
    a, b = load(w, arm + A), load(w, arm + B)
    odds = odds_at(v)
    f = vexp(load(w, arm + PEAK) - fall(a, b, v - load(w, arm + MODE)))
    rough = 1.0 - load(w, arm + ABOVE)
    small = less(rough, SMALL)
    if anywhere(small):
        rough = where(small, tail(a, b, f, odds), rough)
    store(w, arm + LOST, load(w, arm + LOST) + (odds / (1.0 + odds) - a / (a + b)) * rough + f / (a + b))


@kept(Path(__file__).parents[1].glob("_*/*.py"), nogil=True)
def rows(
    counts: Any,
    arms: int,
    want: int,
    target: float,
    rules: Any,
    w: Any,
    keep: Any,
    order: Any,
    best: Any,
    value: Any,
    error: Any,
) -> None:
    """Fill best, value and error of the rows in `order`, which is used up.

    Args:
        counts, target, rules, best, value, error: as `_sinc.rows` has them; the counts are valid.
        want: WEIGHTS, VALUE, QUANTILE, or LOSS: then best holds the expected losses.
        w, keep: room to work in, see `scratch`.
        order: indices of rows.
    """
    last = arms * RECORD
    left = _sift(counts, arms, want, order, best, value, error)
    for position in range(0, left, WIDTH):
        eight = (order, position, left)
        for lane in range(WIDTH):
            row = peek(order, position + lane if position + lane < left else left - 1)
            for j in range(arms):
                a, b = _parameters(counts, row, arms, j)
                poke(w, (j * RECORD + A) * WIDTH + lane, a)
                poke(w, (j * RECORD + B) * WIDTH + lane, b)
        describe(w, arms, 0)
        high, widest = _extents(w, arms, want)
        low, end, off = _descend(w, keep, arms, rules, want, high, widest)
        if want == LOSS:
            for arm in range(0, last, RECORD):
                _finish_loss(w, arm, low)
                off = where(possible(load(w, arm + LOST)), off, inf)
        off = off + missing(w, arms, 0)
        answer = spread(0.0)
        if keep is not None and want > WEIGHTS:
            appoint(w, arms, 0, largest(w, arms, SHARE))
            follow_rivals(w, keep, last, rules, end, high, low)
            if want == VALUE:
                answer = 1.0 - shortfall(w, keep, last, rules, end, high, low, spread(target))
                off = where(possible(answer), off, inf)
            else:
                answer, unsettled = quantile(w, keep, last, rules, end, high, low, target)
                off = larger(off, unsettled)
        store(w, last, answer + 0.0 * off)  # NaN where nothing is known
        store(w, last + 1, off)
        write(w, arms, 0, LOST if want == LOSS else SHARE, eight, 0, best, value, error)
