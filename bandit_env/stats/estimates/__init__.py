"""Estimates with their errors: credible intervals, textbook intervals, and what survives adaptive weights.

>>> from bandit_env.stats.estimates import rate_interval
>>> rate_interval([40], [1000])[0].round(4)
array([0.0296])
"""

from bandit_env.stats.estimates.adaptive import (
    AIPW,
    LEAST_WEIGHT,
    METHODS,
    BatchedOLS,
    Estimate,
    Stratified,
    Sums,
    estimate_difference,
    estimate_rates,
    streaming,
)
from bandit_env.stats.estimates.contrasts import Difference, Lift, difference_interval, lift_interval
from bandit_env.stats.estimates.intervals import newcombe_interval, rate_interval, wald_interval, wilson_interval

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
