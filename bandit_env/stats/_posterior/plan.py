"""Which sinc rule serves which row: what is settled before anything is integrated.

Rows are copied in blocks, arms first, so that eight neighbours are one vector; then comes the plan, of each row a step,
a centre, a bound of rounding and the window's end.
"""

from math import ceil, inf, log
from typing import Any

from bandit_env.stats._posterior.blocks import MODE, RECORD, UPPER
from bandit_env.stats._posterior.rules import COUNTS, GAUSS, MARGIN
from bandit_env.stats._special.beta import both, deeper, ends, finer, lost, rounding, shallow, softplus, steps
from bandit_env.stats._special.lanes import (
    WIDTH,
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
    where,
)

UNSERVED = GAUSS  # the rule of rows that no sinc rule serves
RULES = UNSERVED + 1
STEP, CENTRE, NOISE, HIGH, ROW_CONSTANTS = range(5)  # of the plan, a number a row each
DEPTH = 25.0  # a window ends where a density has fallen to exp(-25) of its peak
SPACING = 0.47  # of a sinc rule, at most, in the narrowest standard deviation
HOPELESS = 75.0  # minus the logarithm of a P(best) that is below 1e-30
ROUNDING = 1e-11  # the largest bound of rounding that passes in a sinc rule
LONG = 120.0  # steps, more for few arms, beyond which panels are faster
RELATIVE = 16.0  # below its peak by this, in the logarithm, the density with which an arm wins adds no sixth digit
HARDLY_ANY = 16.0  # visits of an arm: for the first days of an experiment panels are not worth being compiled


@kernel
def fill(counts: Any, base: int, rows: int, arms: int, padded: int, w: Any, size: int) -> int:
    """Copy a block's Beta parameters, arms first, the last row repeated.

    Returns the place of the first invalid count, or -1.
    """
    conversions, visits, prior, strides = counts
    for row in range(padded):
        source = base + row if base + row < rows else rows - 1
        for j in range(arms):
            i, own = source * arms + j, source * strides[0] + j * strides[1]
            hits, tries = peek(conversions, i), peek(visits, i)
            if not 0.0 <= hits <= tries < inf:
                return i
            poke(w, j * size + row, hits + peek(prior, own))
            poke(w, (arms + j) * size + row, tries - hits + peek(prior, own + 1))
    return -1


@kernel
def extent(w: Any, size: int, group: int, arms: int, spot: int) -> Any:
    """The lowest point that may matter to any of eight rows' arms, one that surely does, and where all densities end.

    Returns with them how far the leader's density has fallen at the lowest; the leader is whose lower end is highest.
    """
    low, high, lead, top = spread(-1e300), spread(-1e300), spread(0.0), spread(0.0)
    lead_a, lead_b, groups = spread(1.0), spread(1.0), size // WIDTH
    for j in range(arms):
        a, b = load(w, j * groups + group), load(w, (arms + j) * groups + group)
        m, lower, upper = ends(a, b, DEPTH)
        store(w, spot + j * RECORD + MODE, m)
        store(w, spot + j * RECORD + UPPER, upper)
        leads = less(low, lower)
        low, lead, top = where(leads, lower, low), where(leads, m, lead), where(leads, upper, top)
        lead_a, lead_b, high = where(leads, a, lead_a), where(leads, b, lead_b), larger(upper, high)
    for j in range(arms):
        a, b = load(w, j * groups + group), load(w, (arms + j) * groups + group)
        low = deeper(low, a, b, load(w, spot + j * RECORD + MODE), lead_a, lead_b, lead, HOPELESS)
    return low, fma(0.6, top - lead, lead), high, larger(shallow(lead_a, lead_b, low - lead), spread(DEPTH))


@kernel
def begin(w: Any, size: int, group: int, arms: int, spot: int, low: Any, top: Any, points: int) -> Any:
    """Where between `low` and `top` a window may begin: below, the product of the distribution functions is too small.

    Arm j wins at x with density e^-T, T = -log f_j(x) - sum of log F_i(x) over the others, which is convex. Nothing is
    lost where every arm's T is above DEPTH + log(K), and RELATIVE above its own least.
    """
    groups, logs = size // WIDTH, spot + (arms + 1) * RECORD
    sums, own = logs + points, logs + 2 * points
    step = (top - low) * (1.0 / points)
    for g in range(points):
        store(w, logs + g, softplus(fma(step, spread(1.0 * g), low)))
        store(w, sums + g, spread(0.0))
    for j in range(arms):
        a, b, arm = load(w, j * groups + group), load(w, (arms + j) * groups + group), spot + j * RECORD
        m, upper = load(w, arm + MODE), load(w, arm + UPPER)
        for g in range(points):
            fallen, rare = lost(a, b, m, upper, fma(step, spread(1.0 * g), low), load(w, logs + g))
            store(w, own + j * points + g, fallen)
            store(w, sums + g, load(w, sums + g) + rare)
    depth = spread(DEPTH + log(1.0 * arms))
    for at in range(own, own + arms * points, points):
        least = spread(1e300)
        for g in range(points):
            least = smaller(least, load(w, at + g) + load(w, sums + g))
        least = where(less(least, HOPELESS), larger(least + RELATIVE, depth), 0.0)
        for g in range(points):
            here = fma(step, spread(g - 1.0), low)
            top = where(less(load(w, at + g) + load(w, sums + g), least), smaller(top, here), top)
    return larger(low, top)


@kernel
def window(
    w: Any, size: int, group: int, arms: int, spot: int, bounds: Any, low: Any, kappa: float, shift: float, margin: int
) -> None:
    """The window of eight rows and the number of steps that it wants, for a sinc rule; or that none is to be used."""
    lowest, _, high, depth = bounds
    groups = size // WIDTH
    plan = 2 * arms * groups + group
    finest, most, smallest = spread(1e300), spread(0.0), spread(1.0)
    for j in range(arms):
        a, b = load(w, j * groups + group), load(w, (arms + j) * groups + group)
        m, upper = load(w, spot + j * RECORD + MODE), load(w, spot + j * RECORD + UPPER)
        finest = finer(finest, a, b, m, upper, low, depth * (1.0 / DEPTH))
        most, smallest = larger(most, a + b), smaller(smallest, smaller(a, b))
    low, wanted = steps(low, lowest, high, root(finest) * kappa, margin - 1.0, shift)
    late = both(less(spread(LONG + LONG / arms), wanted), less(spread(HARDLY_ANY), most))
    store(w, plan + STEP * groups, wanted)
    store(w, plan + CENTRE * groups, low)
    store(w, plan + HIGH * groups, high)
    noise = where(late, inf, where(less(smallest, 0.5), inf, rounding(most, low, high)))
    store(w, plan + NOISE * groups, noise)


@kernel
def _choose(w: Any, size: int, row: int, plan: int, sizes: Any) -> int:
    """Turn a row's window into its sinc rule; returns the index of its rule, or UNSERVED."""
    wanted, low = peek(w, plan + STEP * size + row), peek(w, plan + CENTRE * size + row)
    margin = peek(sizes, MARGIN)
    if not (wanted < COUNTS[-1] - margin - 1 and peek(w, plan + NOISE * size + row) < ROUNDING):
        return UNSERVED
    rule, needed = 0, ceil(wanted) + 1 + margin
    while peek(sizes, rule) < needed:
        rule += 1
    nodes = peek(sizes, rule)
    step = (peek(w, plan + HIGH * size + row) - low) / (nodes - 1 - margin)
    poke(w, plan + STEP * size + row, step)
    poke(w, plan + CENTRE * size + row, low + step * (nodes // 2 - margin))
    return rule


@kernel
def sort(w: Any, size: int, here: int, plan: int, sizes: Any, t: Any) -> None:
    """Choose every row's rule and sort the rows by it: t holds the order, each row's rule, and each rule's end."""
    rules, ends = size, 2 * size
    for i in range(RULES + 1):
        poke(t, ends + i, 0)
    for row in range(here):
        rule = _choose(w, size, row, plan, sizes)
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
