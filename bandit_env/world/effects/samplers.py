"""Draws of a world that moves, from the rows' random streams: normal, gamma and Poisson numbers.

References:
    Marsaglia and Bray (1964), "A convenient method for generating normal variables", SIAM Review 6, 260-264.
    Marsaglia and Tsang (2000), "A simple method for generating gamma variables", ACM TOMS 26, 363-372.
    Hoermann (1993), "The transformed rejection method for generating Poisson random variables", Insurance: Mathematics
    and Economics 12, 39-45: PTRS.
"""

import math

from bandit_env.world.streams import Streams, internal, stirling_error, uniform


@internal
def normal_pair(streams: Streams, row: int) -> tuple[float, float]:
    """Two independent draws of N(0, 1): the polar method of Marsaglia and Bray."""
    while True:
        x = 2 * uniform(streams, row) - 1
        y = 2 * uniform(streams, row) - 1
        square = x * x + y * y
        if 0 < square < 1:
            scale = math.sqrt(-2 * math.log(square) / square)
            return x * scale, y * scale


@internal
def gamma(streams: Streams, row: int, shape: float) -> float:
    """A draw of the Gamma distribution with this shape and scale 1: Marsaglia and Tsang."""
    d = (shape if shape >= 1 else shape + 1) - 1 / 3
    c = 1 / math.sqrt(9 * d)
    while True:
        x, _ = normal_pair(streams, row)
        v = 1 + c * x
        if v > 0:
            v = v * v * v
            if math.log(uniform(streams, row)) < 0.5 * x * x + d - d * v + d * math.log(v):
                break
    if shape >= 1:
        return d * v
    return d * v * math.exp(math.log(uniform(streams, row)) / shape)


@internal
def poisson(streams: Streams, row: int, mean: float) -> int:
    """A draw of the Poisson distribution, for means up to 10**12."""
    if mean <= 0:
        return 0
    return _counting_up(streams, row, mean) if mean < 10 else _rejection(streams, row, mean)


@internal
def _counting_up(streams: Streams, row: int, mean: float) -> int:
    """Count up from 0 until the cumulative probability passes a uniform number.

    More than 110 have a probability below 1e-70: beyond, rounding has led astray, and we draw again.
    """
    none = math.exp(-mean)
    while True:
        left, probability, x = uniform(streams, row), none, 0
        while left > probability and x <= 110:
            left -= probability
            x += 1
            probability *= mean / x
        if x <= 110:
            return x


@internal
def _rejection(streams: Streams, row: int, mean: float) -> int:
    """Hoermann's PTRS, for means of at least 10."""
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    scale = 1.1239 + 1.1328 / (b - 3.4)
    quick = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = uniform(streams, row) - 0.5
        v = uniform(streams, row)
        us = 0.5 - abs(u)
        x = math.floor((2 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= quick:
            return x
        if x >= 0 and (us >= 0.013 or v <= us) and math.log(v * scale / (a / (us * us) + b)) <= _log_pmf(x, mean):
            return x


@internal
def _log_pmf(x: int, mean: float) -> float:
    """Log P(x), in Stirling's form with log1p of the distance: a difference of log(10**12!) would lose the digits."""
    return (
        (x + 1 - mean)
        + x * math.log1p((mean - x - 1) / (x + 1))
        - 0.5 * math.log(2 * math.pi * (x + 1))
        - stirling_error(x)
    )
