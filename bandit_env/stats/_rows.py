"""The posterior's integrals, eight rows at a time.

See `posterior` for the method and its errors. Every row decides by itself, from its own numbers, by which rule it is
done; rows of one rule share the lanes of one vector and nothing else.
"""

from math import inf, log, log1p
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit_env.compilation import kept
from bandit_env.stats._beta import (
    apart,
    bend,
    bends,
    both,
    fall,
    lifted_bend,
    lifted_distance,
    lifted_end,
    odds_at,
    reach,
    secant,
    tail,
    until,
    wall,
    widest_panel,
    within,
)
from bandit_env.stats._blocks import (
    SMALL,
    WHOLE,
    appoint,
    block,
    champion_below,
    clipped,
    describe,
    fallen,
    favourite,
    largest,
    out_of_reach,
    shortfall,
)
from bandit_env.stats._lanes import (
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
    root,
    smaller,
    spread,
    store,
    vexp,
    vexpm1,
    vlog,
    where,
)
from bandit_env.stats._plan import (
    ABOVE,
    CENTRE,
    LIMIT,
    LOSS,
    LOST,
    LOWER,
    MODE,
    MOST_ARMS,
    PEAK,
    QUANTILE,
    RECORD,
    ROW_CONSTANTS,
    RULES,
    SHARE,
    SPACING,
    STEP,
    UPPER,
    VALUE,
    WEIGHTS,
    A,
    B,
    fill,
    gather,
    sort,
    window,
)
from bandit_env.stats._rules import COUNTS, GAUSS, PANEL

EXACT = 5e-11  # the largest |sum over arms - 1| that passes there
START = 13.5  # where panels begin for P(best) alone: two arms are above with a chance of 1e-7 times that of one
UPPER_DEPTH = 23.0  # and else: what lies above is below 1e-11
RELATIVE = 18.0  # how much deeper than where a small share is won
LAST_DEPTH, LOWER_DEPTH = 28.0, 110.0  # where densities are no longer resolved
AGAIN = GAUSS + 1  # after the last rule: rows that are done once more
LEFT = 1e-13  # what may be left out of any integral
GONE = 1e-44  # a product of distribution functions that no share can feel
PANELS = 2000  # in one row, at most
ROUNDS = 100  # of the search for a quantile, at most
HIGHEST = 345.0  # log(1 + value remaining) beyond which it is called infinite


def scratch(arms: int, size: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Room for `rows` to work in, with blocks of `size` rows, a multiple of 8."""
    most = COUNTS[-1] if arms <= MOST_ARMS else PANEL
    lanes = (2 * arms + 5) * most + (arms + 1) * RECORD
    return np.empty((2 * arms + ROW_CONSTANTS) * size + lanes * WIDTH), np.empty(2 * size + RULES + 1, np.intp)


@kernel
def _extents(w: Any, arms: int, records: int, want: int, known: bool) -> Any:
    """Where panels have to resolve each arm; returns where the first begins, from above, and how wide they may be.

    What lies above goes to the arms by their masses there, as hardly two of them can be up there at once. The more arms
    are near the leader, the rougher is the product of their distribution functions.
    """
    lead, var, low = spread(0.0), spread(1.0), spread(-inf)
    for j in range(arms):
        arm = records + j * RECORD
        a, b, m = load(w, arm + A), load(w, arm + B), load(w, arm + MODE)
        v = 1.0 / a + 1.0 / b
        leads = less(low, m - 7.0 * root(v))
        low, lead, var = where(leads, m - 7.0 * root(v), low), where(leads, m, lead), where(leads, v, var)
    high, near = spread(-inf), spread(0.0)
    start = spread((START if want == WEIGHTS else UPPER_DEPTH) + log(1.0 * arms))
    for j in range(arms):
        arm = records + j * RECORD
        a, b, m = load(w, arm + A), load(w, arm + B), load(w, arm + MODE)
        there = fallen(a, b, larger(lead + 8.0 * root(var) - m, 0.0))  # a small share is won near the leader
        up = 0.0 - reach(b, a, smaller(larger(there + RELATIVE, LAST_DEPTH + log(1.0 * arms)), LOWER_DEPTH))
        store(w, arm + LOWER, m + reach(a, b, spread(LOWER_DEPTH)))
        store(w, arm + UPPER, m + 1.25 * up)
        store(w, arm + LIMIT, 0.25 * up)
        high = larger(high, m - reach(b, a, start))
        near = near + where(less(lead, m + 3.0 * root(1.0 / a + 1.0 / b)), 1.0, 0.0)
    back = 1.0 / odds_at(high)
    for j in range(arms):
        arm = records + j * RECORD
        a, b = load(w, arm + A), load(w, arm + B)
        f = vexp(load(w, arm + PEAK) - fallen(a, b, high - load(w, arm + MODE)))
        store(w, arm + ABOVE, tail(b, a, f, back))
        if not known:
            store(w, arm + SHARE, load(w, arm + ABOVE))
    return high, widest_panel(near)


@kernel
def _length(w: Any, records: int, last: int, v: Any, h: Any, lifts: bool, widest: Any) -> Any:
    """How long a panel downwards from v may be: what resolves every density that matters there, at both its ends."""
    length, worst = wall(v), spread(1e-300)
    whole, left, right = bends(v)
    for arm in range(records, last, RECORD):
        upper = load(w, arm + UPPER)
        own = bend(load(w, arm + A), load(w, arm + B), whole, left, right)
        worst = larger(worst, within(v, v, load(w, arm + LOWER), upper, own, 0.0))
        length = smaller(length, until(v, upper, load(w, arm + LIMIT)))
    if lifts:
        upper = load(w, last + UPPER)
        own = lifted_bend(load(w, last + A), load(w, last + B), v, load(w, last + MODE), h)
        worst = larger(worst, within(v, v, load(w, last + LOWER), upper, own, 0.0))
        length = smaller(length, until(v, upper, load(w, last + LIMIT)))
    length = smaller(length, widest / root(worst))
    below = v - length
    whole, left, right = bends(below)
    for arm in range(records, last, RECORD):
        own = bend(load(w, arm + A), load(w, arm + B), whole, left, right)
        worst = larger(worst, within(below, v, load(w, arm + LOWER), load(w, arm + UPPER), own, 0.0))
    if lifts:
        own = lifted_bend(load(w, last + A), load(w, last + B), below, load(w, last + MODE), h)
        worst = larger(worst, within(below, v, load(w, last + LOWER), load(w, last + UPPER), own, 0.0))
    return smaller(length, widest / root(worst))


@kernel
def _lift(w: Any, last: int, h: Any) -> None:
    """Move the ends of the champion's density to those of (1 + h) t."""
    upper = lifted_end(load(w, last + UPPER), h)
    store(w, last + LIMIT, upper - lifted_end(load(w, last + UPPER) - load(w, last + LIMIT), h))
    store(w, last + UPPER, upper)
    store(w, last + LOWER, lifted_end(load(w, last + LOWER), h))


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


@part
def _evaluate(
    w: Any,
    arms: int,
    rules: Any,
    rule: int,
    want: int,
    turn: int,
    centre: Any,
    step: Any,
    records: int,
    champion: Any,
    h: Any,
) -> Any:
    """All integrals of eight rows; returns (error, champion, 1 - P(value remaining <= h), whether h is too far).

    A sinc rule has all nodes in one block; in later turns only the champion's density is another. Panels go down from
    where all densities have ended, until the product of all distribution functions, which bounds whatever is left, is
    small beside the smallest share.
    """
    last = records + arms * RECORD
    v, missed, alive = centre, spread(0.0), less(spread(0.0), spread(1.0))
    too_far, widest = spread(0.0), spread(0.0)
    afresh = rule == GAUSS or turn == 0
    known = want == QUANTILE and turn > 0  # P(best), and who is the champion
    lifts = known or want == VALUE
    if afresh:
        for arm in range(records, last, RECORD):
            store(w, arm + ABOVE, spread(0.0))
            store(w, arm + LOST, spread(0.0))
            if not known:
                store(w, arm + SHARE, spread(0.0))
    if rule == GAUSS:
        v, widest = _extents(w, arms, records, want, known)
        if lifts:
            appoint(w, arms, records, champion)
            _lift(w, last, h)
    for _ in range(PANELS):
        length = spread(0.0)
        if rule == GAUSS:
            length = _length(w, records, last, v, h, lifts, widest)
            step = 0.5 * length
            centre = v - step
        if afresh:
            bottom, least = block(w, arms, rules, rule, centre, step, records, alive, want, known)
            v = where(alive, v - length, v)
        if rule != GAUSS and turn == 0:
            champion = largest(w, arms, records + SHARE)
            appoint(w, arms, records, champion)
        if lifts:
            share, met = shortfall(w, arms, rules, rule, centre, step, records, champion, h)
            missed = missed + where(alive, share, 0.0)
            if rule != GAUSS:
                first = champion_below(w, arms, records, rules, rule, champion)
                missed = where(less(first, WHOLE), missed, 1.0 - met)
                too_far = out_of_reach(w, arms, rules, rule, centre, step, records, champion, h, less(first, WHOLE))
        if rule != GAUSS:
            break
        alive = both(alive, less(larger(smaller(1e-8 * least, LEFT), GONE), bottom))
        if not anywhere(alive):
            break
    total = spread(0.0)
    for arm in range(records, last, RECORD):
        total = total + load(w, arm + SHARE)
        if want == LOSS:
            _finish_loss(w, arm, v)
    error = larger(total - 1.0, 1.0 - total)
    if rule == GAUSS:
        champion = largest(w, arms, records + SHARE)
        appoint(w, arms, records, champion)
        error = error + where(alive, 1.0, 0.0)
        if lifts:
            m = load(w, last + MODE)
            end = m + lifted_distance(v, odds_at(v), m, h)
            missed = missed + 1.0 - _above(w, last, rules, v, end)
    else:
        error = error + clipped(w, arms, rules, rule, records)
    return error, champion, missed, too_far


@kernel
def _result(w: Any, arms: int, records: int, want: int, best: Any, base: int, group: Any) -> None:
    """Write down every arm's P(best), or expected loss."""
    order, position, end = group
    field = records + (LOST if want == LOSS else SHARE)
    for lane in range(min(WIDTH, end - position)):
        place = (base + peek(order, position + lane)) * arms
        for j in range(arms):
            poke(best, place + j, peek(w, (field + j * RECORD) * WIDTH + lane))


@kept(Path(__file__).parent.glob("_*.py"), nogil=True)
def rows(
    conversions: Any,
    visits: Any,
    prior: Any,
    strides: Any,
    arms: int,
    want: int,
    target: float,
    rules: Any,
    w: Any,
    t: Any,
    best: Any,
    value: Any,
    error: Any,
) -> int:
    """Fill best, value and error; returns the place of the first invalid count, or -1.

    Args:
        conversions, visits, best: shape (N, K), flattened; best holds the expected losses where those are wanted.
        prior, strides: flattened alpha, beta pairs, and their distance between rows and between arms; 0 repeats.
        want: WEIGHTS, VALUE, QUANTILE or LOSS. target: of VALUE, the threshold; of QUANTILE, its order.
        rules: `_rules.tables()`.
        w, t: room to work in, see `scratch`; its size decides how many rows make a block, not what comes out.
        value, error: shape (N,); the error is what the sum over arms misses 1 by, at least.
    """
    count, size = value.size, (t.size - RULES - 1) // 2
    plan = 2 * arms * size
    records = (plan + ROW_CONSTANTS * size) // WIDTH
    last = records + arms * RECORD
    kappa = min(SPACING, 0.56 * arms**-0.12)  # products of many distribution functions need finer steps
    for base in range(0, count, size):
        here = min(size, count - base)
        padded = (here + WIDTH - 1) // WIDTH * WIDTH
        wrong = fill(conversions, visits, prior, strides, base, count, arms, padded, w, size)
        if wrong >= 0:
            return int(wrong)
        if arms <= MOST_ARMS and want != LOSS:
            for group in range(padded // WIDTH):
                window(w, size, group, arms, records, kappa)
        sort(w, size, here, arms, want, plan, rules[3], t)
        again = here  # rows to be done once more, on panels and with another champion, are put behind the last
        decided = peek(t, 2 * size + GAUSS)
        for place in range(decided, here):
            row = base + peek(t, place)
            for j in range(arms):
                poke(best, row * arms + j, 0.0)
            poke(best, row * arms + int(peek(w, plan + CENTRE * size + row - base)), 1.0)
            poke(value, row, 0.0 if want == QUANTILE else 1.0)
            poke(error, row, 0.0)
        for rule in range(AGAIN + 1):
            begin = peek(t, 2 * size + rule - 1) if rule > 0 else 0
            end = peek(t, 2 * size + rule)
            if rule == AGAIN:
                begin, end = here, again
            kind = min(rule, GAUSS)
            for position in range(begin, end, WIDTH):
                eight = (t, position, end)
                describe(w, size, arms, eight, records)
                step = gather(w, plan + STEP * size, eight, last)
                centre = gather(w, plan + CENTRE * size, eight, last)
                champion = centre  # where the last attempt left it
                if rule <= GAUSS:
                    champion = favourite(w, arms, records)
                y, wrong_ = spread(log1p(target)), spread(0.0)
                low, high, moving = spread(0.0), spread(HIGHEST), spread(1.0)
                before, need_before = spread(0.0), spread(0.0)
                off, missed, too_far = spread(0.0), spread(0.0), spread(0.0)
                for turn in range(ROUNDS):
                    guess = champion
                    off, champion, missed, too_far = _evaluate(
                        w, arms, rules, kind, want, turn, centre, step, records, guess, vexpm1(y)
                    )
                    if want == VALUE and rule == AGAIN and turn == 0 and anywhere(apart(champion, guess)):
                        continue
                    if want != QUANTILE:
                        break
                    # the root of log((1 - P(h)) / (1 - target)) in y = log(1 + h); lanes that have converged wait
                    if turn == 0:
                        share = load(w, last + SHARE)
                        need_before = vlog(larger((1.0 - share) / (1.0 - target), 1e-300))
                        moving = where(less(0.0, need_before), 1.0, 0.0)
                        y = where(less(0.5, moving), root(1.0 / load(w, last + A)), 0.0)
                    else:
                        goes = less(0.5, moving)
                        need = vlog(larger(missed, 1e-18) / (1.0 - target))
                        wrong_ = where(goes, too_far, wrong_)
                        low, high = where(less(0.0, need), y, low), where(less(0.0, need), high, y)
                        following, settled = secant(y, before, need, need_before, low, high)
                        before, need_before = where(goes, y, before), where(goes, need, need_before)
                        y = where(goes, following, y)
                        moving = where(settled, 0.0, moving)
                    if not anywhere(less(0.5, moving)):
                        break
                answer = 1.0 - missed
                if want == QUANTILE:
                    off = larger(off, moving)
                    answer = where(less(y, HIGHEST - 1.0), vexpm1(y), inf)
                _result(w, arms, records, want, best, base, eight)
                bad = spread(0.0)
                if want == VALUE and rule == GAUSS:
                    bad = where(apart(champion, guess), 1.0, 0.0)
                if kind < GAUSS:
                    bad = larger(wrong_, where(less(off, EXACT), 0.0, 1.0))
                    if want == VALUE:
                        bad = larger(bad, too_far)
                store(w, last, answer)
                store(w, last + 1, off)
                store(w, last + 2, bad)
                store(w, last + 3, champion)
                for lane in range(min(WIDTH, end - position)):
                    row = peek(t, position + lane)
                    poke(value, base + row, peek(w, last * WIDTH + lane))
                    poke(error, base + row, peek(w, (last + 1) * WIDTH + lane))
                    if peek(w, (last + 2) * WIDTH + lane) > 0.0:
                        poke(w, plan + CENTRE * size + row, peek(w, (last + 3) * WIDTH + lane))
                        poke(t, again, row)
                        again += 1
    return -1
