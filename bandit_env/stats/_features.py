"""The features of arms, compiled: one pass over the counts, logarithms of whole counts from tables."""

import math
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bandit_env.compilation import kept
from bandit_env.stats.feature_names import FEATURES, LARGEST_GAP

Floats = NDArray[np.float64]

MEAN, SD, LOGIT, LOG_VISITS = (FEATURES[name].code for name in ("mean", "sd", "logit", "log_visits"))
LOG_PRECISION, LOG_LEFT, DAY, GAP = (FEATURES[name].code for name in ("log_precision", "log_left", "day", "gap"))
LOG_BATCH, LOG_ARMS, LOG_STRENGTH = (FEATURES[name].code for name in ("log_batch", "log_arms", "log_strength"))
TABLE = 1 << 13  # counts below it have their logarithms in tables; four of them stay in a core's cache
_compiled = kept([Path(__file__), Path(__file__).with_name("feature_names.py")])


class Prior(NamedTuple):
    """A Beta prior, with logarithms of small counts plus its numbers, shape (TABLE,) each."""

    a: float
    b: float
    visits: Floats  # log10(1 + i)
    conversions: Floats  # log10(a + i)
    failures: Floats  # log10(b + i)
    precision: Floats  # log10(a + b + i)


@lru_cache(maxsize=16)
def tabulate(a: float, b: float) -> Prior:
    """The tables of a prior."""
    counts = np.arange(TABLE, dtype=np.float64)
    return Prior(a, b, *(np.log10(start + counts) for start in (1.0, a, b, a + b)))


@njit(error_model="numpy", inline="always")
def _log(count: float, start: float, table: Floats) -> float:
    """log10(start + count), from the table where the count is one of its places: memories make some fractional."""
    place = int(count) if count < TABLE else 0
    return table[place] if place == count else math.log10(start + count)


@njit(error_model="numpy")
def _leaders(mean: Floats, visits: Floats) -> tuple[int, int]:
    """The arm with the largest mean and the next one, those with fewer visits first where means are equal."""
    best, second = 0, -1
    for k in range(1, mean.size):
        if mean[k] > mean[best] or (mean[k] == mean[best] and visits[k] < visits[best]):
            best, second = k, best
        elif second < 0 or mean[k] > mean[second] or (mean[k] == mean[second] and visits[k] < visits[second]):
            second = k
    return best, second


@_compiled
def fill(
    conversions: Floats, visits: Floats, day: Floats, max_days: Floats, visits_per_day: Floats, updates_per_day: float,
    prior: Prior, codes: NDArray[np.int64], out: NDArray[Any],
) -> None:  # fmt: skip
    """Write the features `codes` of n experiments of K arms into `out`, shape (n, K, F).

    `max_days` and `visits_per_day` have one number for all of them, or n.
    """
    num_arms = visits.shape[1]
    mean, variance = np.empty(num_arms), np.empty(num_arms)
    a, total = prior.a, prior.a + prior.b
    moments = best = second = 0
    for f in range(codes.size):
        if codes[f] == MEAN or codes[f] == SD or codes[f] == GAP:
            moments = 1
    own_days, own_visits = int(max_days.size > 1), int(visits_per_day.size > 1)
    for i in range(visits.shape[0]):
        if moments:
            for k in range(num_arms):
                mean[k] = (conversions[i, k] + a) / (visits[i, k] + total)
                variance[k] = mean[k] * (1 - mean[k]) / (visits[i, k] + (total + 1))
        for f in range(codes.size):
            code = codes[f]
            if code == DAY:
                out[i, :, f] = min(day[i] / max_days[i * own_days], 1.0)
            elif code == LOG_LEFT:
                left = max(max_days[i * own_days] - day[i], 0.0)
                out[i, :, f] = math.log10(1 + left * visits_per_day[i * own_visits])
            elif code == LOG_BATCH:
                out[i, :, f] = math.log10(visits_per_day[i * own_visits] / updates_per_day)
            elif code == LOG_ARMS:
                out[i, :, f] = math.log10(num_arms)
            elif code == LOG_STRENGTH:
                out[i, :, f] = math.log10(total)
            elif code == GAP:
                best, second = _leaders(mean, visits[i])
                for k in range(num_arms):
                    rival = second if k == best else best
                    gap = (mean[k] - mean[rival]) / math.sqrt(variance[k] + variance[rival])
                    out[i, k, f] = min(max(gap, -LARGEST_GAP), LARGEST_GAP)
            elif code == LOGIT:
                for k in range(num_arms):
                    successes = _log(conversions[i, k], a, prior.conversions)
                    out[i, k, f] = successes - _log(visits[i, k] - conversions[i, k], prior.b, prior.failures)
            elif code == LOG_VISITS:
                for k in range(num_arms):
                    out[i, k, f] = _log(visits[i, k], 1.0, prior.visits)
            elif code == LOG_PRECISION:
                for k in range(num_arms):
                    out[i, k, f] = _log(visits[i, k], total, prior.precision)
            elif code == MEAN:
                for k in range(num_arms):
                    out[i, k, f] = mean[k]
            elif code == SD:
                for k in range(num_arms):
                    out[i, k, f] = math.sqrt(variance[k])
