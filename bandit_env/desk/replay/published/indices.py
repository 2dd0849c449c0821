"""Lower bounds, optimal proportions and Gittins indices. All exact."""

import numpy as np

from agents.allocations.dynamic_programming import solve
from agents.allocations.gittins import discounted_index_table
from agents.allocations.track_and_stop import optimal_proportions
from bandit_env.desk.replay.entry import Entry, Figure
from bandit_env.desk.replay.playing import Stage
from bandit_env.stats.lower_bounds import lai_robbins

SMPYBANDITS = "SMPyBandits, notebook of a small single-player simulation"
GARIVIER = "Garivier and Kaufmann (2016), COLT, section 6"
GITTINS = (
    'Gittins, Glazebrook and Weber (2011), "Multi-armed Bandit Allocation Indices", table 8.1; even records and .99: '
    'Christian and Griffiths (2016), "Algorithms to Live By", chapter 2'
)


def _lai_robbins(stage: Stage) -> list[Figure]:
    printed = {
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9): (7.52, 0.01),
        (0.01, 0.02, 0.3, 0.4, 0.5, 0.6, 0.795, 0.8, 0.805): (101, 1),
        (0.01, 0.01, 0.01, 0.02, 0.02, 0.02, 0.05, 0.05, 0.1): (14.5, 0.1),
    }
    return [
        Figure(f"C of {', '.join(map(str, rates))}", constant, lai_robbins(rates), unit)
        for rates, (constant, unit) in printed.items()
    ]


def _proportions(stage: Stage) -> list[Figure]:
    printed = {
        (0.5, 0.45, 0.43, 0.4): (0.417, 0.390, 0.136, 0.057),
        (0.3, 0.21, 0.2, 0.19, 0.18): (0.336, 0.251, 0.177, 0.132, 0.104),
    }
    figures = [
        Figure(f"share of arm {rate:g}", share, float(ours), 1e-3)
        for rates, shares in printed.items()
        for rate, share, ours in zip(rates, shares, optimal_proportions(np.array(rates))[0], strict=True)
    ]
    time = float(optimal_proportions(np.array([0.5, 0.45, 0.43, 0.4]))[1])
    return [*figures, Figure("characteristic time of .5 .45 .43 .4 (recomputed at 30 digits)", 989.79, time, 1e-2)]


def _gittins(stage: Stage) -> list[Figure]:
    printed = {
        0.9: {(1, 1): 0.7029, (2, 2): 0.6346, (3, 3): 0.6010, (10, 2): 0.8695, (10, 6): 0.6677},
        0.99: {(1, 1): 0.8699},
    }
    figures = []
    for discount, states in printed.items():
        table = discounted_index_table(15, discount)  # by visits, then by conversions
        for (a, b), index in states.items():
            visits = a + b - 2
            ours = float(table[visits * (visits + 1) // 2 + a - 1])
            figures.append(Figure(f"discount {discount}, wins + 1 = {a}, losses + 1 = {b}", index, ours, 1e-4))
    return figures


def _bayes_optimal(stage: Stage) -> list[Figure]:
    printed = {10: 6.0217857142857145, 100: 64.91842065}
    return [
        Figure(f"expected reward of {visits} visits", value, solve(visits)[0], 1e-8)
        for visits, value in printed.items()
    ]


ENTRIES = (
    Entry("lai-robbins-constants", SMPYBANDITS, "sum of (best - rate) / kl(rate, best)", _lai_robbins),
    Entry("garivier-kaufmann-proportions", GARIVIER, "two instances", _proportions),
    Entry("gittins-index", GITTINS, "discounted Gittins index, Beta(1, 1) start", _gittins),
    Entry(
        "bayes-optimal",
        "dynamic programming, recomputed independently in rational arithmetic",
        "two arms, rates uniform on [0, 1]",
        _bayes_optimal,
    ),
)
