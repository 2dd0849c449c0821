"""Estimates with their errors: credible intervals, textbook intervals, and what survives adaptive weights.

>>> from bandit_env.stats.estimates import rate_interval
>>> rate_interval([40], [1000])[0].round(4)
array([0.0296])
"""

from bandit_env.stats.estimates.adaptive import METHODS, estimate_difference, estimate_rates, streaming
from bandit_env.stats.estimates.aipw import AIPW, LEAST_WEIGHT
from bandit_env.stats.estimates.contrasts import Difference, Lift, difference_interval, lift_interval
from bandit_env.stats.estimates.intervals import newcombe_interval, rate_interval, wald_interval, wilson_interval
from bandit_env.stats.estimates.strata import BatchedOLS, Stratified
from bandit_env.stats.estimates.sums import Estimate, Sums

__all__ = [
    "AIPW",
    "LEAST_WEIGHT",
    "METHODS",
    "BatchedOLS",
    "Difference",
    "Estimate",
    "Lift",
    "Stratified",
    "Sums",
    "difference_interval",
    "estimate_difference",
    "estimate_rates",
    "lift_interval",
    "newcombe_interval",
    "rate_interval",
    "streaming",
    "wald_interval",
    "wilson_interval",
]
