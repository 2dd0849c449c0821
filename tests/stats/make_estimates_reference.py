"""Writes estimates_reference.json: distributions of rates, lifts and differences at 30 digits, by mpmath.

    python tests/stats/make_estimates_reference.py        some minutes

None of our code. Distribution functions and densities at round numbers in the lower tail, the middle and the upper
tail, as in make_posterior_reference.py beside this file: composite Gauss-Legendre in logit(t), cut at kinks.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from math import exp
from pathlib import Path

import mpmath as mp
from make_posterior_reference import below, density, grid, integrate, text


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


def points(centre, spread, low, high):
    """Round numbers about the 2.5 %, 50 % and 97.5 % quantiles of a normal distribution, inside (low, high)."""
    ends = (centre - 1.96 * spread, centre, centre + 1.96 * spread)
    return [f"{min(max(float(x), low), high):.4g}" for x in ends]


def at(xs, cdf, pdf):
    return [[x, text(cdf(mp.mpf(x))), text(pdf(mp.mpf(x)))] for x in xs]


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


def main():
    with ProcessPoolExecutor() as pool:
        cases = list(pool.map(compute, JOBS))
    lines = ",\n".join(json.dumps(c) for c in cases)
    Path(__file__).with_name("estimates_reference.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
