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
_compiled = kept([Path(__file__), Path(__file__).parents[1] / "feature_names.py"])


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
def _log(count: float, start: float, table: Floats, single: bool) -> float:
    """log10(start + count), from the table where the count is one of its places: memories make some fractional.

    Elsewhere the library's, to its last digit, unless it is for `single` precision.
    """
    place = int(count) if count < TABLE else 0
    if place == count:
        return float(table[place])
    return _log10(start + count) if single else math.log10(start + count)


@njit(error_model="numpy")
def _log10(x: float) -> float:
    """log10 of a normal number above 0, to the last digit but one, in a third of the library's time.

    x = 2^e m_i (1 + r), where m_i is the middle of one of 2^11 parts of [1, 2), so that |r| < 2^-12 and five terms of
    log1p's series leave less than 2^-60.
    """
    bits = np.float64(x).view(np.int64)
    part = (bits >> 41) & 2047
    mantissa = np.int64((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000).view(np.float64)
    r = mantissa * _INVERSE[part] - 1.0
    series = r * (1.0 - r * (1 / 2 - r * (1 / 3 - r * (1 / 4 - r / 5))))
    return float(((bits >> 52) - 1023) * _LOG10_2 + (_LOG10[part] + series * _LOG10_E))


_MIDDLES = 1 + (np.arange(2048) + 0.5) / 2048
_INVERSE = 1 / _MIDDLES
_LOG10 = -np.log10(_INVERSE)
_LOG10_2, _LOG10_E = math.log10(2), math.log10(math.e)


@_compiled
def fill(
    conversions: Floats, visits: Floats, day: Floats, max_days: Floats, visits_per_day: Floats, updates_per_day: float,
    a: float, b: float, of_visits: Floats, of_conversions: Floats, of_failures: Floats, of_precision: Floats,
    codes: NDArray[np.int64], out: NDArray[Any],
) -> None:  # fmt: skip
    """Write the features `codes` of n experiments of K arms into `out`, shape (n, K, F), one after the other.

    `max_days` and `visits_per_day` have one number for all of them, or n; a, b and the tables are a `Prior`'s, one by
    one, as a tuple of arrays takes a call longer.
    """
    own_days, own_visits = int(max_days.size > 1), int(visits_per_day.size > 1)
    n, num_arms = visits.shape
    mean, variance = np.empty(num_arms), np.empty(num_arms)
    total, single = a + b, out.itemsize == 4
    for f in range(codes.size):
        code = codes[f]
        if code == GAP and num_arms == 2:
            _gap_of_two(conversions, visits, a, total, out, f)
            continue
        for i in range(n):
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
                for k in range(num_arms):
                    mean[k] = (conversions[i, k] + a) / (visits[i, k] + total)
                    variance[k] = mean[k] * (1 - mean[k]) / (visits[i, k] + (total + 1))
                best, second = _leaders(mean, visits, i)
                for k in range(num_arms):
                    rival = second if k == best else best
                    gap = (mean[k] - mean[rival]) / math.sqrt(variance[k] + variance[rival])
                    out[i, k, f] = min(max(gap, -LARGEST_GAP), LARGEST_GAP)
                continue
            for k in range(num_arms):
                if code == LOGIT:
                    failures = visits[i, k] - conversions[i, k]
                    out[i, k, f] = _log(conversions[i, k], a, of_conversions, single) - _log(
                        failures, b, of_failures, single
                    )
                elif code == LOG_VISITS:
                    out[i, k, f] = _log(visits[i, k], 1.0, of_visits, single)
                elif code == LOG_PRECISION:
                    out[i, k, f] = _log(visits[i, k], total, of_precision, single)
                elif code == MEAN:
                    out[i, k, f] = (conversions[i, k] + a) / (visits[i, k] + total)
                elif code == SD:
                    found = (conversions[i, k] + a) / (visits[i, k] + total)
                    out[i, k, f] = math.sqrt(found * (1 - found) / (visits[i, k] + (total + 1)))


@njit(error_model="numpy")
def _gap_of_two(conversions: Floats, visits: Floats, a: float, total: float, out: NDArray[Any], f: int) -> None:
    """The gap where there is one other arm: the same number, with the sign turned."""
    gaps = np.empty(visits.shape[0])
    for i in range(visits.shape[0]):
        mean_0, mean_1 = (
            (conversions[i, 0] + a) / (visits[i, 0] + total),
            (conversions[i, 1] + a) / (visits[i, 1] + total),
        )
        variance_0 = mean_0 * (1 - mean_0) / (visits[i, 0] + (total + 1))
        variance_1 = mean_1 * (1 - mean_1) / (visits[i, 1] + (total + 1))
        gaps[i] = (mean_0 - mean_1) / math.sqrt(variance_0 + variance_1)
    for i in range(visits.shape[0]):
        gap = min(max(gaps[i], -LARGEST_GAP), LARGEST_GAP)
        out[i, 0, f] = gap
        out[i, 1, f] = -gap


@njit(error_model="numpy")
def _leaders(mean: Floats, visits: Floats, row: int) -> tuple[int, int]:
    """The arm with the largest mean and the next one, those with fewer visits first where means are equal."""
    best, second = 0, -1
    for k in range(1, mean.size):
        if mean[k] > mean[best] or (mean[k] == mean[best] and visits[row, k] < visits[row, best]):
            best, second = k, best
        elif second < 0 or mean[k] > mean[second] or (mean[k] == mean[second] and visits[row, k] < visits[row, second]):
            second = k
    return best, second
