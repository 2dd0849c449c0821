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
GITTINS = 'Gittins, Glazebrook and Weber (2011), "Multi-armed Bandit Allocation Indices", table 8.1'


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
    return [
        Figure(f"share of arm {rate:g}", share, float(ours), 1e-3)
        for rates, shares in printed.items()
        for rate, share, ours in zip(rates, shares, optimal_proportions(np.array(rates))[0], strict=True)
    ]


def _gittins(stage: Stage) -> list[Figure]:
    printed = {(1, 1): 0.7029, (10, 2): 0.8695, (10, 6): 0.6677}
    table = discounted_index_table(15, 0.9)  # by visits, then by conversions
    figures = []
    for (a, b), index in printed.items():
        visits = a + b - 2
        ours = float(table[visits * (visits + 1) // 2 + a - 1])
        figures.append(Figure(f"discount .9, wins + 1 = {a}, losses + 1 = {b}", index, ours, 1e-4))
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
