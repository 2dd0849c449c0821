"""Group-sequential boundaries, by integration over what has not stopped yet.

The score S(t) at the share t of the information is a Brownian motion, z = S(t) / sqrt(t). Between looks its
density is carried forward by a normal kernel: Armitage, McPherson and Rowe (1969). Gauss-Legendre nodes on
the interval that has not stopped.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import ceil, e, inf, log, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHAPES = ("pocock", "obrien-fleming", "pocock-spending", "obrien-fleming-spending")
FARTHEST = 9.0  # |z| beyond which nothing is integrated: probability 2e-19
NODES_PER_KERNEL = 3  # nodes within one standard deviation of the step between looks
MIN_NODES = 64


@lru_cache(maxsize=64)
def boundaries(shape: str, times: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    """Two-sided boundaries of z at each look, such that any is crossed with probability alpha under no difference.

    Args:
        shape: one of `SHAPES`.
        times: shares of the information at the looks, increasing, the last one 1.
        alpha: two-sided level of all looks together.

    >>> round(boundaries("pocock", (0.2, 0.4, 0.6, 0.8, 1.0), 0.05)[0], 4)  # Pocock (1977), table 1: 2.413
    2.4132
    """
    from scipy.special import ndtri

    if shape.endswith("-spending"):
        return _spend(_SPENDING[shape], times, alpha)
    profile = [1.0 if shape == "pocock" else 1 / sqrt(t) for t in times]
    # One look of all at c would cross with probability alpha at `low`; all together with at most alpha at
    # `high`.
    low, high = (-float(ndtri(alpha / 2 / count)) for count in (1, len(times)))
    excess = lambda c: crossing_probability([c * p for p in profile], times) - alpha  # noqa: E731
    constant = low if len(times) == 1 else _root(excess, low, high)
    return tuple(constant * p for p in profile)


def crossing_probability(bounds: list[float], times: tuple[float, ...]) -> float:
    """Probability that |z| exceeds its bound at some look, under no difference."""
    walk = _Walk()
    return float(sum(walk.look(time, bound) for time, bound in zip(times, bounds, strict=True)))


def crossings(bounds: Sequence[float], times: Sequence[float], drift: float = 0.0) -> Floats:
    """Probabilities to stop at each look below -bound and above bound, shape (looks, 2), where S(t) has a drift.

    The drift of a test with one look and power 1 - beta is z_{1 - alpha/2} + z_{1 - beta}; with r times the
    information it is sqrt(r) times that. Given S(s), the drift only shifts S(t); what has gone on to s is
    weighted by exp(drift S(s) - drift^2 s / 2), the likelihood ratio of the drift.

    >>> pocock = boundaries("pocock", (0.25, 0.5, 0.75, 1.0), 0.05)
    >>> float(crossings(pocock, (0.25, 0.5, 0.75, 1.0)).sum().round(6))
    0.05
    """
    from scipy.special import ndtr

    walk, found = _Walk(), []
    for time, bound in zip(times, bounds, strict=True):
        step, edge = time - walk.time, bound * sqrt(time)
        mass = walk.mass * np.exp(drift * walk.nodes - drift**2 * walk.time / 2)
        middle = walk.nodes + drift * step
        found.append([mass @ ndtr((side * middle - edge) / sqrt(step)) for side in (-1, 1)])
        walk.look(time, bound)
    return np.array(found)


def _spend(spent: Callable[[float, float], float], times: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    walk, so_far, bounds = _Walk(), 0.0, []
    for time in times:
        due = spent(alpha, time) - so_far
        reaches = walk.chance_beyond(time)
        if due <= reaches(FARTHEST):
            bound = inf
        else:
            bound = _root(lambda z, due=due, reaches=reaches: due - reaches(z), 0.0, FARTHEST)  # type: ignore[misc]
        so_far += walk.look(time, bound)
        bounds.append(bound)
    return tuple(bounds)


class _Walk:
    """The Brownian motion on the event that no look has stopped it: density at nodes, with their weights."""

    def __init__(self) -> None:
        self.time = 0.0
        self.nodes = np.zeros(1)
        self.mass = np.ones(1)  # density times quadrature weight

    def chance_beyond(self, time: float) -> Callable[[float], float]:
        """Z -> probability to have gone on so far and be beyond -z or z at `time`."""
        from scipy.special import ndtr

        sd, root = sqrt(time - self.time), sqrt(time)

        def beyond(z: float) -> float:
            edge = z * root
            return float(self.mass @ (ndtr((self.nodes - edge) / sd) + ndtr((-edge - self.nodes) / sd)))

        return beyond

    def look(self, time: float, bound: float) -> float:
        """Look at `time` and stop beyond the bound; returns the probability to stop here."""
        stopped = self.chance_beyond(time)(bound) if bound < inf else 0.0
        sd = sqrt(time - self.time)
        edge = min(bound, FARTHEST) * sqrt(time)
        unit, weight = _legendre(MIN_NODES * ceil(NODES_PER_KERNEL * edge / sd / MIN_NODES))
        nodes = edge * unit
        kernel = np.exp(-0.5 * ((nodes[:, None] - self.nodes) / sd) ** 2) / (sd * sqrt(2 * np.pi))
        self.time, self.nodes, self.mass = time, nodes, edge * weight * (kernel @ self.mass)
        return stopped


@lru_cache(maxsize=256)
def _legendre(count: int) -> tuple[Floats, Floats]:
    return np.polynomial.legendre.leggauss(count)


def _spend_obrien_fleming(alpha: float, time: float) -> float:
    """Lan and DeMets (1983), alpha*_1, for both sides: each spends 2 (1 - Phi(z_{alpha/4} / sqrt(t)))."""
    from scipy.special import ndtr, ndtri

    return float(4 * ndtr(ndtri(alpha / 4) / sqrt(time)))


def _spend_pocock(alpha: float, time: float) -> float:
    """Lan and DeMets (1983), alpha*_2: alpha log(1 + (e - 1) t)."""
    return alpha * log(1 + (e - 1) * time)


_SPENDING = {"obrien-fleming-spending": _spend_obrien_fleming, "pocock-spending": _spend_pocock}


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(function, low, high, xtol=1e-12, rtol=1e-13))
