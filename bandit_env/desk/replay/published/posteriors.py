"""Posterior probabilities, priors and confidence sequences that others print. All exact."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaln

from agents.stopping.always_valid import confidence_bounds
from bandit_env.desk.replay.entry import Entry, Figure
from bandit_env.desk.replay.playing import Stage
from bandit_env.stats.posterior import (
    expected_loss,
    potential_value_remaining,
    probability_best,
    value_remaining_below,
)
from bandit_env.stats.prior import fit_beta

SUITES = "published test suites of A/B testing packages"
R_BANDIT = "R, package bandit, examples of its manual"
RATS = "Gelman et al., Bayesian Data Analysis, table 5.1"
HOWARD = "Howard, Ramdas, McAuliffe and Sekhon (2021), Annals of Statistics 49, proposition 7; their library's tests"


def _last_best(*parameters: tuple[float, float]) -> float:
    """P(the last of some Beta(a, b) is the largest)."""
    a, b = np.array(parameters, float).T
    return float(probability_best(a - 1, a + b - 2)[-1])


def _beta_suites(stage: Stage) -> list[Figure]:
    printed = {
        ((1, 2), (3, 4)): (9 / 14, 1e-15),
        ((55, 50), (30, 30)): (0.38386463776317903, 1e-12),
        ((50, 50), (35, 30)): (0.6867997222295887, 1e-12),
        ((1000, 900), (1200, 1000)): (0.8898254504, 1e-10),
        ((1, 2), (3, 4), (5, 6)): (0.4128959276018096, 1e-12),
    }
    return [
        Figure(
            f"P(last best), Beta{'; '.join(map(str, parameters))}",
            value,
            _last_best(*parameters),
            max(unit, 1e-11),
            truncated=True,
        )
        for parameters, (value, unit) in printed.items()
    ]


def _r_bandit(stage: Stage) -> list[Figure]:
    best = (1.61186333371e-7, 8.0482925595271e-4, 0.011428671561779, 0.98776633799594)
    found = probability_best([10, 20, 30, 50], [100, 102, 120, 130])
    conversions, visits = [10, 20, 30, 80], [100, 102, 120, 240]
    return [
        *(
            Figure(f"P(arm {k} best), 10 20 30 50 of 100 102 120 130", p, float(found[k]), 1e-11)
            for k, p in enumerate(best)
        ),
        Figure("P(first best), 2 of 100 and 20 of 1,000", 0.64619696338436, _first([2, 20], (1, 1)), 1e-11),
        Figure("the same, prior (2, 5)", 0.79080095145051, _first([2, 20], (2, 5)), 1e-11),
        Figure(
            "95 % quantile of the value remaining",
            0.012405,
            float(potential_value_remaining(conversions, visits)),
            1e-6,
        ),
        Figure("P(value remaining < 1 %)", 0.9484857, float(value_remaining_below(conversions, visits)), 1e-7),
    ]


def _first(conversions: list[int], prior: tuple[float, float]) -> float:
    return float(probability_best(conversions, [100, 1000], prior=prior)[0])


def _expected_loss(stage: Stage) -> list[Figure]:
    loss = expected_loss([39, 69], [98, 158])
    return [
        Figure("loss of shipping A, Beta(40, 60)", 0.0481119843, float(loss[0]), 1e-10),
        Figure("loss of shipping B, Beta(70, 90)", 0.0106119843, float(loss[1]), 1e-10),
    ]


def _rats(stage: Stage) -> list[Figure]:
    found = fit_beta(*_rat_tumours())
    return [
        Figure("a", 2.3416144, found.a, 1e-7),
        Figure("b", 14.1148043, found.b, 1e-7),
    ]


def _rat_tumours() -> tuple[list[int], list[int]]:
    """Rats with a tumour and rats, in 70 historical groups and the current one."""
    groups = (
        "0/20*7 0/19*4 0/18*2 0/17 1/20*4 1/19*2 1/18*2 2/25 2/24 2/23 2/20*6 1/10 5/49 2/19 5/46 3/27 2/17 7/49 7/47 "
        "3/20*2 2/13 9/48 10/50 4/20*7 10/48 4/19*3 5/22 11/46 12/49 5/20*2 6/23 5/19 6/22 6/20*3 16/52 15/47 15/46 "
        "9/24 4/14"
    )
    tumours, rats = [], []
    for group in groups.split():
        ratio, _, times = group.partition("*")
        y, n = map(int, ratio.split("/"))
        tumours += [y] * int(times or 1)
        rats += [n] * int(times or 1)
    return tumours, rats


def _howard(stage: Stage) -> list[Figure]:
    """Their sums have increments -.2 and .8, so a rate of .2, and variance 100 after 625 visits."""
    visits, rate = 100 / 0.16, 0.2
    r = 12.60056 - 0.16  # their rho, printed, less g h
    a, b = r / 0.8, r / 0.2

    def log_mixture(excess: float) -> float:
        c = visits * rate + excess
        failures = visits - c
        mixed = betaln(c + a, failures + b) - betaln(a, b)
        return float(mixed - c * np.log(rate) - failures * np.log(1 - rate))

    def above(excess: float) -> float:
        lower, _ = confidence_bounds(np.array([[visits * rate + excess]]), np.array([[visits]]), 0.05, (a, b))
        return float(lower[0, 0] - rate)

    return [
        Figure("log mixture at an excess of 10", -0.6941012, log_mixture(10), 1e-6),
        Figure("excess at which .2 leaves the 95 % sequence", 31.4308, float(brentq(above, 1, 100)), 1e-4),
    ]


ENTRIES = (
    Entry("beta-probability-best", SUITES, "Beta posteriors of two and three arms", _beta_suites),
    Entry("r-bandit", R_BANDIT, "best_binomial_bandit and value_remaining, recomputed by two quadratures", _r_bandit),
    Entry("stucchio-expected-loss", SUITES, "Beta(40, 60) and Beta(70, 90)", _expected_loss),
    Entry("bda-rats", RATS, "maximum of the beta-binomial likelihood, 71 groups, recomputed at 30 digits", _rats),
    Entry("howard-confidence-sequence", HOWARD, "two-sided beta-binomial mixture, level .05", _howard),
)
