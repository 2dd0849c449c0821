"""Which rule of quadrature serves which row: what is settled before anything is integrated.

Rows are copied in blocks, arms first, so that eight neighbours are one vector; then comes the plan, of each row a step,
a centre, a bound of rounding and the window's end.
"""

from math import ceil, inf, log, sqrt
from typing import Any

from bandit_env.stats._beta import deeper, reach, rounding
from bandit_env.stats._lanes import (
    WIDTH,
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
    vlog,
    where,
)
from bandit_env.stats._rules import COUNTS, GAUSS, MARGIN

WEIGHTS, VALUE, QUANTILE, LOSS = range(4)  # what is wanted
DECIDED = GAUSS + 1  # the rule of rows that need none
RULES = DECIDED + 1
STEP, CENTRE, NOISE, HIGH, ROW_CONSTANTS = range(5)  # of the plan, a number a row each
# an arm's record, a vector each; behind the last arm's stands the champion's
A, B, MODE, PEAK, LOWER, UPPER, LIMIT, ABOVE, SHARE, LOST, RECORD = range(11)
MOST_ARMS = 128  # that sinc rules are used for
DEPTH = 25.0  # a window ends where a density has fallen to exp(-25) of its peak
SPACING = 0.47  # of a sinc rule, at most, in the narrowest standard deviation
ROUNDING = 1e-11  # the largest bound of rounding that passes in a sinc rule
VANISHED = 750.0  # twice exp(-750) is 0 in float64


@kernel
def fill(
    s: Any, v: Any, prior: Any, strides: Any, base: int, rows: int, arms: int, padded: int, w: Any, size: int
) -> int:
    """Copy a block's Beta parameters, arms first, the last row repeated.

    Returns the place of the first invalid count, or -1.
    """
    for row in range(padded):
        source = base + row if base + row < rows else rows - 1
        for j in range(arms):
            i, own = source * arms + j, source * strides[0] + j * strides[1]
            hits, tries = peek(s, i), peek(v, i)
            if not 0.0 <= hits <= tries < inf:
                return i
            poke(w, j * size + row, hits + peek(prior, own))
            poke(w, (arms + j) * size + row, tries - hits + peek(prior, own + 1))
    return -1


@kernel
def window(w: Any, size: int, group: int, arms: int, spot: int, kappa: float) -> None:
    """The window of eight rows and the number of steps that it wants, for a sinc rule."""
    low, high, lead, var = spread(-1e300), spread(-1e300), spread(0.0), spread(1.0)
    lead_a, lead_b, smallest = spread(1.0), spread(1.0), spread(1.0)
    depth, groups = spread(DEPTH), size // WIDTH
    plan = 2 * arms * groups + group
    for j in range(arms):
        a, b = load(w, j * groups + group), load(w, (arms + j) * groups + group)
        m = vlog(a / b)
        lower, upper = m + reach(a, b, depth), m - reach(b, a, depth)
        store(w, spot + j * RECORD + MODE, m)
        store(w, spot + j * RECORD + UPPER, upper)
        leads = less(low, lower)
        low, lead = where(leads, lower, low), where(leads, m, lead)
        lead_a, lead_b = where(leads, a, lead_a), where(leads, b, lead_b)
        high = larger(upper, high)
        smallest = smaller(smallest, smaller(a, b))
    var = 1.0 / lead_a + 1.0 / lead_b
    for j in range(arms):  # far arms win where the leader's distribution function is tiny: go down to there
        a, b = load(w, j * groups + group), load(w, (arms + j) * groups + group)
        gap, v = lead - load(w, spot + j * RECORD + MODE), 1.0 / a + 1.0 / b
        need = deeper(gap, v, var)
        depth = larger(depth, need)
    low = where(less(spread(DEPTH), depth), lead + reach(lead_a, lead_b, depth), low)
    finest, most = spread(1e300), spread(0.0)
    for j in range(arms):
        a, b = load(w, j * groups + group), load(w, (arms + j) * groups + group)
        m, upper = load(w, spot + j * RECORD + MODE), load(w, spot + j * RECORD + UPPER)
        reaches = less(low, m + (upper - m) * root(depth * (1.0 / DEPTH)))
        finest = where(reaches, smaller(finest, 1.0 / (a + 4.0) + 1.0 / (b + 4.0)), finest)
        most = larger(most, a + b)
    store(w, plan + STEP * groups, (high - low) / (root(finest) * kappa))
    store(w, plan + CENTRE * groups, low)
    store(w, plan + HIGH * groups, high)
    store(w, plan + NOISE * groups, where(less(smallest, 0.5), inf, rounding(most, low, high)))


@kernel
def _divergence(p: float, q: float) -> float:
    """The divergence kl(p, q) of Bernoulli laws."""
    return p * log(p / q) + (1.0 - p) * log((1.0 - p) / (1.0 - q))


@kernel
def _decided(w: Any, size: int, row: int, arms: int) -> int:
    """The arm beside which P(best) of all others is below the smallest float64, or -1.

    For any t between the means of arms i and c, P(i is the best) <= P(rate_i >= t) + P(rate_c <= t), and by Chernoff's
    bound a Beta(a, b) with mean p is beyond t with probability at most exp(-(a + b) kl(p, t)).
    """
    champion, top = 0, -1.0
    for j in range(arms):
        a, b = peek(w, j * size + row), peek(w, (arms + j) * size + row)
        if a / (a + b) > top:
            champion, top = j, a / (a + b)
    count = peek(w, champion * size + row) + peek(w, (arms + champion) * size + row)
    width = sqrt(top * (1.0 - top) / count)
    for j in range(arms):
        if j != champion:
            a, b = peek(w, j * size + row), peek(w, (arms + j) * size + row)
            p = a / (a + b)
            own = sqrt(p * (1.0 - p) / (a + b))
            t = (p * width + top * own) / (width + own)
            if not ((a + b) * _divergence(p, t) > VANISHED and count * _divergence(top, t) > VANISHED):
                return -1
    return champion


@kernel
def _choose(w: Any, size: int, row: int, arms: int, want: int, plan: int, counts: Any) -> int:
    """Turn a row's window into its sinc rule; returns the index of its rule, or where it needs none, DECIDED."""
    if arms <= MOST_ARMS and want != LOSS:
        wanted, low = peek(w, plan + STEP * size + row), peek(w, plan + CENTRE * size + row)
        if wanted < COUNTS[-1] - MARGIN - 1 and peek(w, plan + NOISE * size + row) < ROUNDING:
            rule, needed = 0, ceil(wanted) + 1 + MARGIN
            while peek(counts, rule) < needed:
                rule += 1
            nodes = peek(counts, rule)
            step = (peek(w, plan + HIGH * size + row) - low) / (nodes - 1 - MARGIN)
            poke(w, plan + STEP * size + row, step)
            poke(w, plan + CENTRE * size + row, low + step * (nodes // 2 - MARGIN))
            return rule
    if want != LOSS:
        champion = _decided(w, size, row, arms)
        if champion >= 0:
            poke(w, plan + CENTRE * size + row, champion * 1.0)
            return DECIDED
    return GAUSS


@kernel
def sort(w: Any, size: int, here: int, arms: int, want: int, plan: int, counts: Any, t: Any) -> None:
    """Choose every row's rule and sort the rows by it: t holds the order, each row's rule, and each rule's end."""
    rules, ends = size, 2 * size
    for i in range(RULES + 1):
        poke(t, ends + i, 0)
    for row in range(here):
        rule = _choose(w, size, row, arms, want, plan, counts)
        poke(t, rules + row, rule)
        poke(t, ends + rule + 1, peek(t, ends + rule + 1) + 1)
    for i in range(RULES):
        poke(t, ends + i + 1, peek(t, ends + i + 1) + peek(t, ends + i))
    for row in range(here):
        i = ends + peek(t, rules + row)
        poke(t, peek(t, i), row)
        poke(t, i, peek(t, i) + 1)


@kernel
def gather(w: Any, at: int, group: Any, out: int) -> Any:
    """Eight rows' entries, in the order given; the last row again where there are fewer."""
    order, position, end = group
    for lane in range(WIDTH):
        i = position + lane if position + lane < end else end - 1
        poke(w, out * WIDTH + lane, peek(w, at + peek(order, i)))
    return load(w, out)
