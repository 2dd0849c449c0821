"""Writes posterior_reference.json: posterior quantities at 30 digits, by mpmath, none of our code.

    python tests/stats/make_posterior_reference.py        some minutes; gmpy2 helps

"quadrature": composite Gauss-Legendre in logit(t), distribution functions by the continued fraction DLMF 8.17.22.
"sum": the finite sum for integer parameters (Evan Miller, "Formulas for Bayesian A/B Testing", 2014), which needs one
term per conversion and so reaches any number of visits.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path

import mpmath as mp
import numpy as np

mp.mp.dps = 30
PANEL = [(mp.mpf(x), mp.mpf(w)) for x, w in mp.calculus.quadrature.GaussLegendre(mp.mp).calc_nodes(4, 130)]


def below(t, rest, a, b):
    """I_t(a, b), rest = 1 - t, by modified Lentz on DLMF 8.17.22."""
    if t * (a + b + 2) > a + 1:
        return 1 - below(rest, t, b, a)
    front = mp.exp(a * mp.log(t) + b * mp.log(rest) - mp.log(a) - log_beta(a, b))
    c, d = mp.mpf(1), 1 / (1 - (a + b) * t / (a + 1))
    value, m = d, 0
    while True:
        m += 1
        even = m * (b - m) * t / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * t / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / (1 + even * d), 1 + even / c
        value *= c * d
        d, c = 1 / (1 + odd * d), 1 + odd / c
        value *= c * d
        if abs(c * d - 1) < mp.mpf(10) ** -28:
            return front * value


def log_beta(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def density(u, a, b):
    return mp.exp(a * u - (a + b) * mp.log(1 + mp.exp(u)) - log_beta(a, b))


def grid(arms, depth):
    """Panels of two standard deviations of the narrowest density, from where some product's factor is e^-depth."""
    ends = []
    for a, b in arms:
        mode = mp.log(a / b)
        peak = mp.log(density(mode, a, b))
        side = []
        for sign in (-1, 1):
            far = mode + sign * (mp.sqrt(2 * depth * (1 / a + 1 / b)) + depth / (a if sign < 0 else b))
            near = mode
            for _ in range(40):
                middle = (near + far) / 2
                fallen = peak - mp.log(density(middle, a, b)) > depth
                near, far = (near, middle) if fallen else (middle, far)
            side.append(far)
        ends.append(side)
    low, high = max(e[0] for e in ends), max(e[1] for e in ends)
    step = 2 * min(mp.sqrt(1 / (a + 1) + 1 / (b + 1)) for a, b in arms)
    count = int(mp.ceil((high - low) / step))
    return [low + (high - low) * i / count for i in range(count + 1)]


def integrate(function, points):
    total = mp.mpf(0)
    for low, high in pairwise(points):
        half, middle = (high - low) / 2, (high + low) / 2
        total += half * sum(w * function(middle + half * x) for x, w in PANEL)
    return total


def best(arms, depth):
    points = grid(arms, depth)
    cache = {}

    def factors(u):
        if u not in cache:
            t, rest = 1 / (1 + mp.exp(-u)), 1 / (1 + mp.exp(u))
            cache[u] = [below(t, rest, a, b) for a, b in arms]
        return cache[u]

    def share(i):
        return integrate(
            lambda u: density(u, *arms[i]) * mp.fprod(f for j, f in enumerate(factors(u)) if j != i), points
        )

    return [share(i) for i in range(len(arms))]


def value_below(arms, champion, h):
    """int f_c(t) prod_j F_j(min((1 + h) t, 1)) dt, in logit(t), cut at the kink t = 1/(1 + h)."""
    a, b = arms[champion]
    own = grid([arms[champion]], 45)
    kink = -mp.log(h) if h > 0 else mp.inf
    points = [u for u in own if u < kink]
    points += [kink] if points[-1] < own[-1] else []

    def inside(u):
        s = (1 + h) / (1 + mp.exp(-u))
        return density(u, a, b) * mp.fprod(below(s, 1 - s, *arm) for j, arm in enumerate(arms) if j != champion)

    above = below(1 / (1 + mp.exp(kink)), 1 / (1 + mp.exp(-kink)), b, a) if kink < own[-1] else 0
    step = 2 * min(mp.sqrt(1 / (x + 1) + 1 / (y + 1)) for x, y in arms)
    fine = []
    for low, high in pairwise(points):
        pieces = int(mp.ceil((high - low) / step))
        fine += [low + (high - low) * i / pieces for i in range(pieces)]
    return integrate(inside, [*fine, points[-1]]) + above


def quantile(arms, champion, q, start):
    return mp.findroot(lambda h: value_below(arms, champion, h) - q, (start, start * 1.01), solver="secant", tol=1e-40)


def beats(a1, b1, a2, b2):
    """P(second > first) = sum_{i < a2} B(a1 + i, b1 + b2) / ((b2 + i) B(1 + i, b2) B(a1, b1)), integer a2."""
    term = mp.exp(log_beta(a1, b1 + b2) - log_beta(mp.mpf(1), b2) - log_beta(a1, b1)) / b2
    total = mp.mpf(0)
    for i in range(int(a2)):
        total += term
        # ratio of neighbouring terms, from B's recurrences
        term *= (a1 + i) / (a1 + i + b1 + b2) * (b2 + i) / (i + 1)
    return total


def text(x):
    return mp.nstr(x, 22)


def case(kind, conversions, visits, prior, **values):
    return {"kind": kind, "conversions": conversions, "visits": visits, "prior": prior, **values}


def quadrature_case(conversions, visits, prior=(1, 1), threshold="0.01", q=None, depth=45):
    arms = [(mp.mpf(s) + prior[0], mp.mpf(v) - s + prior[1]) for s, v in zip(conversions, visits, strict=True)]
    shares = best(arms, depth)
    champion = max(range(len(arms)), key=lambda i: shares[i])
    h = mp.mpf(threshold)
    remaining = value_below(arms, champion, h)
    values = {"best": [text(p) for p in shares], "threshold": threshold, "below": text(remaining)}
    if q is not None and shares[champion] < q:
        values["order"], values["quantile"] = q, text(quantile(arms, champion, mp.mpf(str(q)), mp.mpf("0.1")))
    return case("quadrature", conversions, visits, list(prior), **values)


def sum_case(conversions, visits):
    (s1, s2), (v1, v2) = conversions, visits
    a1, b1, a2, b2 = (mp.mpf(x) for x in (s1 + 1, v1 - s1 + 1, s2 + 1, v2 - s2 + 1))
    if min(b1, b2) < min(a1, a2):  # sum over failures instead: the better rate is the smaller one of failing
        second, first = beats(b2, a2, b1, a1), beats(b1, a1, b2, a2)
    else:
        second, first = beats(a1, b1, a2, b2), beats(a2, b2, a1, b1)
    assert abs(first + second - 1) < mp.mpf(10) ** -20
    return case("sum", conversions, visits, [1, 1], best=[text(first), text(second)])


def compute(job):
    kind, *arguments = job
    return quadrature_case(*arguments) if kind == "quadrature" else sum_case(*arguments)


def jobs():
    rng = np.random.default_rng(20130123)
    for i in range(24):
        arms = int(rng.integers(2, 5))
        visits = [int(v) for v in np.exp(rng.uniform(1, 8, arms))]
        rates = rng.beta(1, 6, arms) if i % 3 else rng.uniform(0, 1, arms)
        conversions = [int(rng.binomial(v, r)) for v, r in zip(visits, rates, strict=True)]
        prior = [(1, 1), (0.5, 0.5), (2, 30)][i % 3]
        yield "quadrature", conversions, visits, prior, ["0.01", "0.2"][i % 2], 0.95 if i % 5 == 0 else None
    for conversions, visits, prior, depth in (
        ([0, 0, 0], [50, 80, 20], (1, 1), 45),
        ([0, 3], [2000, 40], (0.5, 0.5), 45),
        ([30, 30], [30, 31], (1, 1), 45),
        ([30, 12, 30], [30, 12, 30], (1, 1), 45),
        ([12.25, 3.5, 9.75], [100.5, 61.25, 80.0], (0.75, 1.5), 45),
        ([20, 150], [1000, 1500], (1, 1), 95),  # P(best) of the first 3e-17
        ([30, 250], [1500, 2500], (1, 1), 95),  # and 1e-25
        ([5, 60, 200], [300, 900, 1500], (1, 1), 95),
    ):
        yield "quadrature", conversions, visits, prior, "0.01", None, depth
    for counts in (
        ([1000, 1100], [10**9, 10**9]),
        ([40, 400_000], [1000, 10**7]),
        ([3, 60_000], [10, 2 * 10**8]),
        ([2, 250], [10, 10**9]),  # visits differ by 10^8
        ([4, 5], [100, 10**9]),
        ([999_999_000, 999_998_900], [10**9, 10**9]),  # nearly all convert
        ([10**9, 10**9], [10**9, 10**9]),
        ([0, 0], [10**9, 10]),
        ([700, 1150], [10**9, 10**9]),  # tails of 4e-26, 5e-55 and 4e-27
        ([150, 550], [10**8, 10**8]),
        ([250, 550], [10**8, 10**8]),
        ([50_000, 50_900], [10**6, 10**6]),
    ):
        yield "sum", *counts


def main():
    with ProcessPoolExecutor() as pool:
        cases = list(pool.map(compute, jobs()))
    lines = ",\n".join(json.dumps(c) for c in cases)
    Path(__file__).with_name("posterior_reference.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
