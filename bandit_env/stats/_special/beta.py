"""Formulas of Beta densities in u = logit(t), for eight rows at a time.

The density is exp(a u - n log(1 + e^u)) / B(a, b), n = a + b: log-concave, with its mode at log(a/b). Everything is
relative to a mode or to the centre of a block of nodes, so that nothing cancels at 10^9 visits.
"""

from math import pi

from bandit_env.stats._special.lanes import (
    Lanes,
    Mask,
    fma,
    formula,
    horner,
    larger,
    root,
    smaller,
    vexp,
    vexpm1,
    vlog,
    vlog1p,
    where,
)

LEVELS = 8  # of the continued fraction for small distribution functions
WALL = 1.6  # the longest panel about u = 0: the poles of every density's logarithm lie at +- i pi
HUGE = 1e300
WON = 24.0  # how far the density of where an arm wins is followed, in its logarithm


@formula
def stirling(x: Lanes) -> Lanes:
    """The remainder of Stirling's formula, DLMF 5.11.1, for x >= 16."""
    r = 1.0 / x
    return horner(r * r, (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)) * r


@formula
def stirling_below(x: Lanes) -> Lanes:
    """The same for x < 16: from 8 further up, by the recurrence of Gamma."""
    i = 1.0 / x
    product = 1.0 + i
    for k in range(2, 8):
        product = product * (1.0 + float(k) * i)
    return stirling(x + 8.0) + (x + 7.5) * vlog(1.0 + 8.0 * i) - 8.0 - vlog(product)


@formula
def peak(a: Lanes, b: Lanes, remainder: Lanes) -> Lanes:
    """The logarithm of the density at its mode; `remainder` is Stirling's of a and b less that of n."""
    return 0.5 * vlog(a / (a + b) * b * (0.5 / pi)) - remainder


@formula
def fall(a: Lanes, b: Lanes, d: Lanes) -> Lanes:
    """How far the log density has fallen at a distance d from its mode: n log(1 + p (e^d - 1)) - a d, at least 0.

    Mirrored so that p <= 1/2, and near the mode by its series in the Bernoulli cumulants.
    """
    n, mirrored = a + b, b < a
    few = where(mirrored, b, a)
    d = where(mirrored, -d, d)
    p = few / n
    far = d > 600.0
    rise = where(far, d + vlog(p), vlog1p(p * vexpm1(where(far, 0.0, d))))
    w = p * (1.0 - p)
    skew = 1.0 - 2.0 * p
    series = (
        0.5 * w,
        w * skew * (1 / 6),
        w * (1.0 - 6.0 * w) * (1 / 24),
        w * skew * (1.0 - 12.0 * w) * (1 / 120),
        w * (1.0 - w * (30.0 - 120.0 * w)) * (1 / 720),
        w * skew * (1.0 - w * (60.0 - 360.0 * w)) * (1 / 5040),
        w * (1.0 - w * (126.0 - w * (1680.0 - 5040.0 * w))) * (1 / 40320),
    )
    near = n * d * d * horner(d, series)
    return where(abs(d) < 0.03, near, n * rise - few * d)


@formula
def reach(a: Lanes, b: Lanes, depth: Lanes) -> Lanes:
    """Where, below the mode, the log density has fallen by `depth` or a little more: a negative distance.

    The fall is convex, so a Newton step lands outside. Above the mode it is -reach(b, a, depth).
    """
    n = a + b
    p = a / n
    wide = root(2.0 * depth * (1.0 / a + 1.0 / b)) + 0.6 * depth / a
    steep = vlog1p(depth / b + root(2.0 * depth / b))  # where few failures make the fall exponential
    d = 0.0 - where((b < a) & (a < 1e10), smaller(wide, steep), wide)
    for _ in range(2):
        z = vexpm1(d)
        y = p * z
        d = d - (fma(n, vlog1p(y), 0.0 - a * d) - depth) * (1.0 + y) / (a * (z - y))
    return d


@formula
def odds_at(u: Lanes) -> Lanes:
    """e^u, at most e^300, so that products with it do not overflow."""
    return vexp(smaller(u, 300.0))


@formula
def frame(centre: Lanes, step: Lanes) -> tuple[Lanes, Lanes, Lanes, Mask]:
    """What the nodes of a block about `centre` share: odds there, the smaller of t and 1 - t, the step towards it."""
    odds = odds_at(centre)
    over = centre > 0.0
    return odds, where(over, 1.0, odds) / (1.0 + odds), where(over, -step, step), over


@formula
def node(x: Lanes, step: Lanes, small: Lanes) -> tuple[Lanes, Lanes]:
    """At a node `x` steps from the centre: e^d - 1 and log(1 + small (e^d - 1))."""
    z = vexpm1(step * x)
    return z, vlog1p(small * z)


@formula
def upright(z: Lanes, over: Mask) -> Lanes:
    """Turn e^(-d) - 1 into e^d - 1 where the block's frame was mirrored."""
    return where(over, 0.0 - z / (1.0 + z), z)


@formula
def density(x: Lanes, slope: Lanes, n: Lanes, level: Lanes, log: Lanes) -> Lanes:
    """The density at a node, from its logarithm at the centre."""
    return vexp(fma(slope, x, level) - n * log)


@formula
def tail(a: Lanes, b: Lanes, f: Lanes, odds: Lanes) -> Lanes:
    """The distribution function where it is small, from the density f: relatively right however small it is.

    I_x(a, b) = f / (beta_0 + alpha_1 / (beta_1 + alpha_2 / (beta_2 + ...))), Didonato and Morris (1992, equation 9).
    """
    n, x = a + b, odds / (1.0 + odds)
    before = 1.0 / (a + 1.0)
    top, bottom = 1.0, fma(0.0 - a * n * before, x, a)
    last_top, last_bottom = 0.0, 1.0
    for i in range(1, LEVELS + 1):
        after = 1.0 / (a + (2.0 * i + 1.0))
        pull = float(i) * (b - float(i)) * before
        beta = fma(pull - (a + float(i)) * (n + float(i)) * after, x, a + 2.0 * i)
        alpha = pull * (a + (i - 1.0)) * (n + (i - 1.0)) * before * x * x
        top, last_top = fma(beta, top, alpha * last_top), top
        bottom, last_bottom = fma(beta, bottom, alpha * last_bottom), bottom
        before = after
    return f * (top / bottom)


@formula
def shallow(a: Lanes, b: Lanes, d: Lanes) -> Lanes:
    """The same as `fall` for moderate counts and distances, where plain arithmetic has enough digits."""
    n = a + b
    return n * vlog1p(a / n * vexpm1(d)) - a * d


@formula
def bends(u: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """What `bend` needs of a point: with t = logistic(u), t (1 - t), sqrt(t) (1 - t) and t sqrt(1 - t)."""
    odds = odds_at(u)
    r = 1.0 / (1.0 + odds)
    s = odds * r
    return s * r, root(s) * r, s * root(r)


@formula
def bend(a: Lanes, b: Lanes, whole: Lanes, left: Lanes, right: Lanes) -> Lanes:
    """The inverse variance that matters at a point for polynomials to follow the density.

    The curvature of its logarithm there, n t (1 - t); in a tail, where that falls although the density is still steep,
    the geometric mean with the curvature at the mode.
    """
    n = a + b
    return larger(n * whole, larger(root(n * a) * left, root(n * b) * right))


@formula
def wall(u: Lanes) -> Lanes:
    """The longest panel from u on."""
    return WALL + 0.25 * abs(u)


@formula
def widest_panel(arms: Lanes) -> Lanes:
    """How many standard deviations a panel may span, where so many arms matter: 3.2 for up to three, 1.2 for 1,000."""
    return 2.0 * smaller(1.6, 2.0 * vexp(-0.18 * vlog(arms)))


@formula
def lifted_distance(u: Lanes, odds: Lanes, mode: Lanes, h: Lanes) -> Lanes:
    """The distance of logit(t) from its mode where logit((1 + h) t) = u."""
    return u - mode - vlog1p(smaller(h * (1.0 + odds), HUGE))


@formula
def lifted_end(u: Lanes, h: Lanes) -> Lanes:
    """The point logit((1 + h) t) for logit(t) = u; beyond t = 1 lies infinity."""
    left = 1.0 - h * odds_at(u)
    return where(left > 1e-300, u + vlog1p(h) - vlog(larger(left, 1e-300)), HUGE)


@formula
def lifted_level(a: Lanes, b: Lanes, top: Lanes, mode: Lanes, u: Lanes, odds: Lanes, h: Lanes) -> tuple[Lanes, Lanes]:
    """The logarithm of the density of logit((1 + h) t) at u; and what e^d - 1 is multiplied by in `lifted`."""
    bend = odds * (h / (1.0 + h))
    level = top - fall(a, b, lifted_distance(u, odds, mode, h)) - vlog1p(bend)
    return level, bend / (1.0 + bend)


@formula
def lifted(x: Lanes, slope: Lanes, n: Lanes, level: Lanes, log: Lanes, power: Lanes, pull: Lanes, z: Lanes) -> Lanes:
    """The density of logit((1 + h) t) at a node."""
    return vexp(fma(power, vlog1p(pull * z), fma(slope, x, level) - n * log))


@formula
def chebyshev(coefficient: Lanes, x: Lanes, after: Lanes, last: Lanes) -> Lanes:
    """Clenshaw's step for a sum of Chebyshev polynomials."""
    return fma(x + x, after, coefficient - last)


@formula
def lifted_bend(a: Lanes, b: Lanes, u: Lanes, mode: Lanes, h: Lanes) -> Lanes:
    """As `bend`, for the density of logit((1 + h) t): by the slope and curvature of its logarithm."""
    odds = odds_at(u)
    r = 1.0 / (1.0 + odds)
    s = odds * r
    rest = (h + r) / (1.0 + h)
    o = s / (1.0 + h) / rest
    slope = abs(a * r - (b - 1.0) * o * r - s)
    curvature = (a + 1.0) * s * r + abs(b - 1.0) * (r * r * o / rest + o * s * r)
    steep = 2.3 * slope / (4.6 + 0.29 * slope * abs(lifted_distance(u, odds, mode, h)))
    return larger(curvature, steep * steep * (4.0 / 5.29))


@formula
def ends(a: Lanes, b: Lanes, depth: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """The mode, and the points below and above where the log density has fallen by `depth` or a little more."""
    mode = vlog(a / b)
    return mode, mode + reach(a, b, depth), mode - reach(b, a, depth)


@formula
def deeper(
    low: Lanes, a: Lanes, b: Lanes, mode: Lanes, lead_a: Lanes, lead_b: Lanes, lead: Lanes, hopeless: Lanes
) -> Lanes:
    """The smaller of `low` and where an arm below the leader may win, where the leader's distribution function is tiny.

    It wins where the product of both densities peaks, which is a Beta density, too, with the parameters added; `low` is
    taken to where that has fallen by WON, unless minus the logarithm of P(best), or a little less, is above `hopeless`.
    """
    both_a, both_b = lead_a + a, lead_b + b
    peak_ = vlog(both_a / both_b)
    lost = shallow(lead_a, lead_b, peak_ - lead) + shallow(a, b, peak_ - mode)
    won = peak_ + reach(both_a, both_b, Lanes(a.builder, a.like(WON)))
    return where((mode < lead) & (lost < hopeless), smaller(low, won), low)


@formula
def finer(finest: Lanes, a: Lanes, b: Lanes, mode: Lanes, upper: Lanes, low: Lanes, depths: Lanes) -> Lanes:
    """The smaller of `finest` and an arm's variance, where its density, so many depths down, reaches above `low`."""
    variance = 1.0 / (a + 4.0) + 1.0 / (b + 4.0)
    return where(low < mode + (upper - mode) * root(depths), smaller(finest, variance), finest)


@formula
def steps(low: Lanes, lowest: Lanes, high: Lanes, step: Lanes, soft: Lanes, shift: Lanes) -> tuple[Lanes, Lanes]:
    """Where a window begins so that what `soft` nodes spoil does not matter, and its length in steps.

    At `lowest` where a density shifted by `shift` reaches far beyond the window's end: it needs whole ones.
    """
    far = shift * (1.0 + odds_at(high)) > 4.0 * step
    low = where(far, lowest, larger(lowest, low - step * soft))
    return low, (high - low) / step


@formula
def softplus(x: Lanes) -> Lanes:
    """log(1 + e^x): minus the logarithm of 1 - t where logit(t) = x."""
    return vlog1p(odds_at(x))


@formula
def lost(a: Lanes, b: Lanes, mode: Lanes, upper: Lanes, x: Lanes, log_: Lanes) -> tuple[Lanes, Lanes]:
    """How far the log density has fallen at x, less the next; and minus the logarithm of the distribution function.

    That to a few tenths, as for a normal density: below the mode .69 more than the fall of the log density; z standard
    deviations above it .69 (1 - z / 3.4)^4. `upper` is 7 of them above the mode, `log_` is log(1 + e^x).
    """
    n = a + b
    fallen = n * log_ - a * x + (n * vlog(b / n) + a * mode)
    t = larger(1.0 - 2.08 / (upper - mode) * (x - mode), Lanes(x.builder, x.like(0.0)))
    square = t * t
    rare = where(x < mode, fallen + 0.693, 0.693 * (square * square))
    return fallen - rare, rare


@formula
def rounding(n: Lanes, low: Lanes, high: Lanes) -> Lanes:
    """A bound of what rounding does to log densities in a block from low to high."""
    small = smaller(1.0 / (1.0 + odds_at(0.0 - high)), 1.0 / (1.0 + odds_at(low)))
    return 1.1e-16 * n * small * (high - low)


@formula
def within(point: Lanes, lower: Lanes, upper: Lanes, own: Lanes) -> Lanes:
    """Take `own` where a point lies between an arm's ends, else 0."""
    return where((point > lower) & (point < upper), own, 0.0)


@formula
def until(v: Lanes, upper: Lanes, limit: Lanes) -> Lanes:
    """How long a panel down from v may be for an arm whose upper end lies further down."""
    return where(v > upper, v - upper + limit, HUGE)


@formula
def stretch(weight: Lanes, z: Lanes, odds: Lanes) -> Lanes:
    """A node's weight per unit of t instead of logit(t)."""
    o = fma(odds, z, odds)
    return weight * o / ((1.0 + o) * (1.0 + o))


@formula
def both(x: Mask, y: Mask) -> Mask:
    """Where both masks hold."""
    return x & y


@formula
def apart(x: Lanes, y: Lanes) -> Mask:
    """Where two arms' numbers differ."""
    return abs(x - y) > 0.5


@formula
def possible(p: Lanes) -> Mask:
    """Where a number can be a probability, but for rounding: not where it is NaN."""
    return (p > -1e-9) & (p < 1.0 + 1e-9)


@formula
def needed(missed: Lanes, target: Lanes) -> Lanes:
    """How far, logarithmically, 1 - P(h) still is above 1 - target: to be 0 at the quantile, y = log(1 + h)."""
    need = vlog(larger(missed, 1e-18) / (1.0 - target))
    return where(possible(missed), need, float("nan"))


@formula
def opening(share: Lanes, a: Lanes, target: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """A first y to try, `need` at 0, where P is the champion's share, and `moving`: 1 where that is not enough."""
    short = target - share > 1e-10
    return where(short, root(1.0 / a), 0.0), needed(1.0 - share, target), where(short, 1.0 + 0.0 * a, 0.0)


@formula
def advance(
    y: Lanes, before: Lanes, need: Lanes, need_before: Lanes, low: Lanes, high: Lanes, moving: Lanes
) -> tuple[Lanes, Lanes, Lanes, Lanes, Lanes, Lanes]:
    """A secant step towards a root inside a bracket: the next y, before, need_before, low, high and moving.

    Where `moving` is 0, y stays.
    """
    goes = moving > 0.5
    low, high = where(need > 0.0, y, low), where(need > 0.0, high, y)
    change = need * (y - before) / (need_before - need)
    following = y + change
    safe = where((low < following) & (following < high), following, 0.5 * (low + high))
    settled = abs(change * (y - before)) < 1e-11 * y * y + 1e-24  # the error of a secant step is their product's
    next_ = where(settled, following, smaller(safe, 2.0 * y + 1.0))
    moving = where(settled, 0.0, moving)
    return where(goes, next_, y), where(goes, y, before), where(goes, need, need_before), low, high, moving


@formula
def apart_from(product: Lanes, factor: Lanes) -> Lanes:
    """A product without one of its factors; 0 where that has underflowed."""
    return where(factor < 1e-290, 0.0, product / factor)


@formula
def neither(x: Mask) -> Mask:
    """Where the mask does not hold."""
    return Mask(x.builder, x.builder.not_(x.value))
