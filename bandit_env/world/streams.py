"""Random streams for many experiments: one xoshiro256++ per row of an array, and draws from it.

A row's draws depend on its own seed and its own requests only, never on the rows beside it; that is why NumPy's
Generator, one stream for a whole array, will not do. All functions are compiled; a stream is `streams[row]`, four
64-bit words, and every draw advances it.

References:
    Blackman and Vigna (2021), "Scrambled linear pseudorandom number generators", ACM TOMS 47(4): xoshiro256++.
    Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators", OOPSLA: SplitMix64.
    Kachitvichyanukul and Schmeiser (1988), "Binomial random variate generation", CACM 31(2): inversion (BINV).
    Hoermann (1993), "The generation of binomial random variates", J. Stat. Comput. Simul. 46: rejection (BTRS).
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bandit_env.compilation import kept

P = ParamSpec("P")
R = TypeVar("R")
Streams = NDArray[np.uint64]  # (N, 4)
Rows = NDArray[np.int64]  # (n,), indices into the N


SOURCES = ("action", "streams", "effects/samplers", "moving", "dynamics", "effects/effect", "effects/program")
compiled = kept(Path(__file__).parent / f"{name}.py" for name in SOURCES)


def internal(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that only compiled ones call: no entry from Python, and nothing of its own on disk."""
    return cast("Callable[P, R]", njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(function))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """The same, for a function that becomes part of its caller: faster where many arrays are passed for each row."""
    return cast("Callable[P, R]", njit(error_model="numpy", inline="always")(function))


# Shifts and constants as uint64: Numba turns uint64 with a plain int into float64.
_11, _17, _23, _27, _30, _31, _41, _45, _19 = (np.uint64(i) for i in (11, 17, 23, 27, 30, 31, 41, 45, 19))
_GOLDEN, _MIX_1, _MIX_2 = (np.uint64(i) for i in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def fold_seed(seed: int) -> int:
    """A non-negative integer of any size as 64 bits; below 2**64 it is itself, above its words are hashed together."""
    if seed < 2**64:
        return seed
    state = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    return int(state[0])


@compiled
def seed_streams(streams: Streams, rows: Rows, seeds: NDArray[np.uint64]) -> None:
    """Start the streams of `rows` from 64-bit seeds: four outputs of SplitMix64 each.

    SplitMix64 is a bijection of a counter that moves by a constant, so its four outputs are never all zero.
    """
    for j in range(rows.size):
        counter = seeds[j]
        for word in range(4):
            counter += _GOLDEN
            z = (counter ^ (counter >> _30)) * _MIX_1
            z = (z ^ (z >> _27)) * _MIX_2
            streams[rows[j], word] = z ^ (z >> _31)


@internal
def next_word(streams: Streams, row: int) -> np.uint64:
    """The next 64 bits of a stream: xoshiro256++."""
    s0, s1, s2, s3 = streams[row, 0], streams[row, 1], streams[row, 2], streams[row, 3]
    total = s0 + s3
    word: np.uint64 = ((total << _23) | (total >> _41)) + s0
    s2 ^= s0
    s3 ^= s1
    streams[row, 0] = s0 ^ s3
    streams[row, 1] = s1 ^ s2
    streams[row, 2] = s2 ^ (s1 << _17)
    streams[row, 3] = (s3 << _45) | (s3 >> _19)
    return word


@internal
def uniform(streams: Streams, row: int) -> float:
    """A number of the open interval (0, 1): the middle of one of 2**53 equal parts."""
    return ((next_word(streams, row) >> _11) + 0.5) * 2.0**-53


@compiled
def uniforms(streams: Streams, rows: Rows, out: NDArray[np.float64]) -> None:
    """Fill `out`, shape (n, k), with uniform numbers, row j of it from the stream of rows[j]."""
    for j in range(rows.size):
        for k in range(out.shape[1]):
            out[j, k] = uniform(streams, rows[j])


@internal
def binomial(streams: Streams, row: int, n: int, p: float) -> int:
    """The number of successes in n trials of probability p, for n from 0 to 10**15. Draws nothing if it is certain."""
    if n <= 0 or p <= 0:
        return 0
    if p >= 1:
        return n
    rare = 1 - p if p > 0.5 else p
    x = _inversion(streams, row, n, rare) if n * rare < 10 else _rejection(streams, row, n, rare)
    return n - x if p > 0.5 else x


@inlined
def bernoulli(streams: Streams, row: int, p: float) -> int:
    """`binomial` of one trial, the same to the last bit, without what only several trials need."""
    if p <= 0 or p >= 1:
        return 1 if p >= 1 else 0
    rare = 1 - p if p > 0.5 else p
    none = 1 - rare
    success = 0
    while True:
        left = uniform(streams, row)
        success = 1 if left > none else 0
        if left - none <= none * (rare / none):
            break
    return 1 - success if p > 0.5 else success


@internal
def _inversion(streams: Streams, row: int, n: int, p: float) -> int:
    """Count up from 0 until the cumulative probability passes a uniform number; for n p < 10, n p steps on average.

    More than 110 successes have a probability below 1e-70: beyond, rounding has led astray, and we draw again.
    """
    odds = p / (1 - p)
    a = (n + 1) * odds
    most = n if n < 110 else 110  # `min` and `int` would take longer to compile
    none = _power(1 - p, n) if n < 1024 else math.exp(n * math.log1p(-p))  # P(0)
    while True:
        left, probability, x = uniform(streams, row), none, 0
        while left > probability and x <= most:
            left -= probability
            x += 1
            probability *= a / x - odds
        if x <= most:
            return x


@internal
def _power(base: float, exponent: int) -> float:
    """A power by squaring: for small exponents faster than a logarithm, and off by at most exponent ulps."""
    result = 1.0
    while exponent > 0:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result


@internal
def _rejection(streams: Streams, row: int, n: int, p: float) -> int:
    """Hoermann's BTRS, for p <= 1/2 and n p >= 10: transform a uniform number, accept most at once, test the rest."""
    a, b, alpha, quick = _hat(n, p)
    while True:
        u = uniform(streams, row) - 0.5
        v = uniform(streams, row)
        us = 0.5 - abs(u)
        x = math.floor((2 * a / us + b) * u + n * p + 0.5)
        if us >= 0.07 and v <= quick:
            return x
        if 0 <= x <= n and math.log(v * alpha / (a / (us * us) + b)) <= _log_ratio(x, n, p):
            return x


@internal
def _hat(n: int, p: float) -> tuple[float, float, float, float]:
    """BTRS's constants: a and b shape the transformation, alpha scales the hat, v <= quick needs no test."""
    spread = math.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    return -0.0873 + 0.0248 * b + 0.01 * p, b, (2.83 + 5.1 / b) * spread, 0.92 - 4.2 / b


@internal
def _log_ratio(x: int, n: int, p: float) -> float:
    """The logarithm of P(x) / P(mode).

    With many trials it is written with log1p of distances from the mode, in Stirling's form: a difference of the
    factorials of 10**12 would lose the digits that decide.
    """
    mode = math.floor((n + 1) * p)
    step = x - mode
    odds = p / (1 - p)
    if n < _LOG_FACTORIALS.size:
        table = _LOG_FACTORIALS
        return step * math.log(odds) + float(table[mode] + table[n - mode] - table[x] - table[n - x])
    return (
        step * math.log(odds * (n - mode + 1) / (mode + 1))
        - (x + 0.5) * math.log1p(step / (mode + 1))
        - (n - x + 0.5) * math.log1p(-step / (n - mode + 1))
        + stirling_error(mode)
        + stirling_error(n - mode)
        - stirling_error(x)
        - stirling_error(n - x)
    )


_LOG_FACTORIALS = np.array([math.lgamma(k + 1) for k in range(1024)])


@internal
def stirling_error(k: int) -> float:
    """The error of Stirling's series, log k! - [log(2 pi) / 2 + (k + 1/2) log(k + 1) - (k + 1)]."""
    if k < 10:
        return float(_LOG_FACTORIALS[k]) - (math.log(2 * math.pi) / 2 + (k + 0.5) * math.log(k + 1) - (k + 1))
    square = (k + 1.0) * (k + 1.0)
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)
