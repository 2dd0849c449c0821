"""Writes estimates_reference.json: distributions of rates, lifts and differences at 30 digits, by mpmath.

    python tests/stats/make_estimates_reference.py        some minutes

None of our code. Distribution functions and densities at round numbers in the lower tail, the middle and the upper
tail, as in make_posterior_reference.py beside this file: composite Gauss-Legendre in logit(t), cut at kinks. With many
visits the continued fraction of the distribution function is slow, and one density may be far narrower than the other:
there the nodes are those of the narrower arm, and the other's distribution function is integrated from node to node.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from math import exp
from pathlib import Path

import mpmath as mp
from make_posterior_reference import PANEL, below, density, grid, integrate, text


def cut(points, kinks, step):
    """The points with kinks among them, in pieces of at most `step`."""
    points = sorted({*points, *(k for k in kinks if points[0] < k < points[-1])})
    fine = []
    for low, high in pairwise(points):
        pieces = int(mp.ceil((high - low) / step))
        fine += [low + (high - low) * i / pieces for i in range(pieces)]
    return [*fine, points[-1]]


def logit(t):
    return mp.log(t / (1 - t))


def shifted(arms, move, kinks, function):
    """Integral over the control's density of a function of move(p) and p, the kinks in p."""
    (a, b), other = arms
    step = 2 * min(mp.sqrt(1 / (x + 1) + 1 / (y + 1)) for x, y in arms) / 2
    points = cut(grid([(a, b)], 50), [logit(k) for k in kinks if 0 < k < 1], step)

    def inside(u):
        p = 1 / (1 + mp.exp(-u))
        t = move(p)
        if t <= 0:
            return mp.mpf(0)
        return density(u, a, b) * function(t, p, *other)

    return integrate(inside, points)


def cumulative(t, p, a, b):
    return below(t, 1 - t, a, b) if t < 1 else mp.mpf(1)


def lift_cdf(arms, x):
    return shifted(arms, lambda p: (1 + x) * p, [1 / (1 + x)], cumulative)


def lift_pdf(arms, x):
    def function(t, p, a, b):
        return density(logit(t), a, b) / (t * (1 - t)) * p if t < 1 else mp.mpf(0)

    return shifted(arms, lambda p: (1 + x) * p, [1 / (1 + x)], function)


def difference_cdf(arms, x):
    return shifted(arms, lambda p: p + x, [-x, 1 - x], cumulative)


def difference_pdf(arms, x):
    def function(t, p, a, b):
        return density(logit(t), a, b) / (t * (1 - t)) if t < 1 else mp.mpf(0)

    return shifted(arms, lambda p: p + x, [-x, 1 - x], function)


def cumulated(us, a, b):
    """The distribution function at ascending logits, by integration of the density from each to the next."""
    spread = 2 * mp.sqrt(1 / (a + 1) + 1 / (b + 1))
    ends = grid([(a, b)], 80)
    value, last, found = mp.mpf(0), ends[0], []
    for u in us:
        if u > last:
            stop = min(u, ends[-1])
            if stop > last:
                value += integrate(lambda v: density(v, a, b), cut([last, stop], [], spread))
            last = u
        found.append(value)
    return found


def mean(a, b):
    return a / (a + b)


def deviation(a, b):
    return mp.sqrt(a * b / (a + b + 1)) / (a + b)


def large(arms, power, to_other, factor):
    """P(arm <= moved control) and its density, by nodes of the arm with the smaller sd/mean^power.

    `to_other(p, narrow)` is the other arm's rate at the shift, `factor(p, narrow)` the derivative of the shift's place.
    """
    narrow = min((0, 1), key=lambda k: deviation(*arms[k]) / mean(*arms[k]) ** power)
    (a, b), other = arms[narrow], arms[1 - narrow]
    nodes = []
    for low, high in pairwise(grid([(a, b)], 60)):
        half, middle = (high - low) / 2, (high + low) / 2
        nodes += [(middle + half * x, half * w) for x, w in PANEL]
    nodes.sort()
    rates = [1 / (1 + mp.exp(-u)) for u, _ in nodes]
    moved = [to_other(p, narrow) for p in rates]
    inside = [0 < t < 1 for t in moved]
    below_ = iter(cumulated([logit(t) for t, ok in zip(moved, inside) if ok], *other))
    cdf = pdf = mp.mpf(0)
    for (u, w), p, t, ok in zip(nodes, rates, moved, inside):
        mass = w * density(u, a, b)
        f = next(below_) if ok else mp.mpf(t >= 1)
        cdf += mass * (f if narrow == 0 else 1 - f)
        if ok:
            pdf += mass * density(logit(t), *other) / (t * (1 - t)) * factor(p, narrow)
    return cdf, pdf


def large_lift(arms, x):
    return large(
        arms,
        1,
        lambda p, narrow: (1 + x) * p if narrow == 0 else p / (1 + x),
        lambda p, narrow: p if narrow == 0 else p / (1 + x) ** 2,
    )


def large_difference(arms, x):
    return large(arms, 0, lambda p, narrow: p + x if narrow == 0 else p - x, lambda p, narrow: mp.mpf(1))


def points(centre, spread, low, high):
    """Round numbers about the 2.5 %, 50 % and 97.5 % quantiles of a normal distribution, inside (low, high)."""
    ends = (centre - 1.96 * spread, centre, centre + 1.96 * spread)
    return [f"{min(max(float(x), low), high):.4g}" for x in ends]


def at(xs, cdf, pdf):
    return [[x, text(cdf(mp.mpf(x))), text(pdf(mp.mpf(x)))] for x in xs]


def compute_large(job):
    conversions, visits, prior = job
    arms = [(mp.mpf(s) + prior[0], mp.mpf(v) - s + prior[1]) for s, v in zip(conversions, visits)]
    means = [float(a / (a + b)) for a, b in arms]
    sds = [(m * (1 - m) / (float(a + b) + 1)) ** 0.5 for m, (a, b) in zip(means, arms)]
    result = {"conversions": conversions, "visits": visits, "prior": prior, "rate": [], "lift": [], "difference": []}
    for m, s, arm in zip(means, sds, arms):
        xs = [f"{float(x):.10g}" for x in (max(m - 1.96 * s, m / 20), m, min(m + 1.96 * s, 1 - (1 - m) / 20))]
        result["rate"].append([[x, text(f)] for x, f in zip(xs, cumulated([logit(mp.mpf(x)) for x in xs], *arm))])
    spread = ((sds[0] / means[0]) ** 2 + (sds[1] / means[1]) ** 2) ** 0.5
    for z in (-0.9, 0, 2):
        x = f"{means[1] / means[0] * exp(z * spread) - 1:.10g}"
        result["lift"].append([x, *map(text, large_lift(arms, mp.mpf(x)))])
        x = f"{means[1] - means[0] + z * (sds[0] ** 2 + sds[1] ** 2) ** 0.5:.10g}"
        result["difference"].append([x, *map(text, large_difference(arms, mp.mpf(x)))])
    return result


def compute(job):
    conversions, visits, prior = job
    arms = [(mp.mpf(s) + prior[0], mp.mpf(v) - s + prior[1]) for s, v in zip(conversions, visits)]
    means = [float(a / (a + b)) for a, b in arms]
    sds = [(m * (1 - m) / (float(a + b) + 1)) ** 0.5 for m, (a, b) in zip(means, arms)]
    result = {"conversions": conversions, "visits": visits, "prior": prior, "rate": []}
    for m, s, (a, b) in zip(means, sds, arms):
        result["rate"].append(
            [[x, text(below(mp.mpf(x), 1 - mp.mpf(x), a, b))] for x in points(m, s, m / 20, 1 - (1 - m) / 20)]
        )
    spread = ((sds[0] / means[0]) ** 2 + (sds[1] / means[1]) ** 2) ** 0.5
    lifts = [f"{means[1] / means[0] * exp(z * spread) - 1:.6g}" for z in (-2, 0, 2)]
    differences = points(means[1] - means[0], (sds[0] ** 2 + sds[1] ** 2) ** 0.5, -0.95, 0.95)
    result["lift"] = at(lifts, lambda x: lift_cdf(arms, x), lambda x: lift_pdf(arms, x))
    result["difference"] = at(differences, lambda x: difference_cdf(arms, x), lambda x: difference_pdf(arms, x))
    return result


JOBS = [
    ([0, 0], [0, 0], [1, 1]),
    ([0, 1], [1, 1], [1, 1]),
    ([0, 0], [50, 80], [1, 1]),
    ([0, 3], [2000, 40], [0.5, 0.5]),
    ([30, 30], [30, 31], [1, 1]),
    ([2, 9], [10, 12], [2, 30]),
    ([12.25, 3.5], [100.5, 61.25], [0.75, 1.5]),
    ([40, 50], [1000, 1000], [1, 1]),
    ([5, 400], [1000, 1000], [1, 1]),
    ([400, 5], [1000, 1000], [1, 1]),
    ([3, 250], [10, 5000], [1, 1]),
    ([990, 95], [1000, 100], [4, 1]),
]

LARGE = [
    ([40_000, 40_300], [10**6, 10**6], [1, 1]),
    ([40_000_000, 40_010_000], [10**9, 10**9], [1, 1]),
    ([3, 50_000_000], [10, 10**9], [1, 1]),
    ([40_000_000, 5], [10**9, 100], [0.5, 0.5]),
    ([0, 0], [10**9, 10**7], [1, 1]),
    ([0, 500_000], [10**9, 10**6], [1, 1]),
    ([10**9 - 40, 999_000], [10**9, 10**6], [1, 1]),
]


def main():
    with ProcessPoolExecutor() as pool:
        cases = [*pool.map(compute, JOBS), *pool.map(compute_large, LARGE)]
    lines = ",\n".join(json.dumps(c) for c in cases)
    Path(__file__).with_name("estimates_reference.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
