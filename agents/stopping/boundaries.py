"""Group-sequential boundaries, by integration over what has not stopped yet.

The score S(t) at the share t of the information is a Brownian motion, z = S(t) / sqrt(t). Between looks its
density is carried forward by a normal kernel: Armitage, McPherson and Rowe (1969). Gauss-Legendre nodes on
panels of the half that has not stopped; bounds to 1e-6 up to |z| = 7.5, where less than 1e-13 is spent.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import ceil, e, inf, log, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHAPES = ("pocock", "obrien-fleming", "pocock-spending", "obrien-fleming-spending")
FARTHEST = 9.0  # |z| beyond which nothing is integrated: probability 2e-19
REACH = 7.0  # standard deviations of a step beyond which nothing is carried: probability 3e-12
PANEL, NODES = 16.0, 28  # standard deviations of a step in a panel of the half that has not stopped, and nodes there


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
        nodes = np.concatenate([-walk.nodes, walk.nodes])
        mass = np.tile(walk.mass / 2, 2) * np.exp(drift * nodes - drift**2 * walk.time / 2)
        middle = nodes + drift * step
        found.append([mass @ ndtr((side * middle - edge) / sqrt(step)) for side in (-1, 1)])
        walk.look(time, bound)
    return np.array(found)


def _spend(spent: Callable[[float, float], float], times: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    walk, so_far, bounds = _Walk(), 0.0, []
    for time in times:
        bound = walk.bound_that_spends(time, spent(alpha, time) - so_far)
        so_far += walk.look(time, bound)
        bounds.append(bound)
    return tuple(bounds)


class _Walk:
    """The Brownian motion on the event that no look has stopped it: density at nodes, with their weights."""

    def __init__(self) -> None:
        self.time = 0.0
        self.nodes = np.zeros(1)  # of the right half; the left is its image
        self.mass = np.ones(1)  # density of both halves times quadrature weight

    def bound_that_spends(self, time: float, due: float) -> float:
        """The bound of z at `time` at which the walk stops there with probability `due`."""
        from agents.stopping._walk import edge_that_spends

        root = sqrt(time)
        return float(edge_that_spends(self.nodes, self.mass, *self._step(time), due, FARTHEST * root)) / root

    def look(self, time: float, bound: float) -> float:
        """Look at `time` and stop beyond the bound; returns the probability to stop here."""
        from agents.stopping._walk import beyond, carry

        sd, reach = self._step(time)
        edge = min(bound, FARTHEST) * sqrt(time)
        stopped = beyond(self.nodes, self.mass, edge, sd, reach)[0] if bound < inf else 0.0
        nodes, weight = _panels(edge, ceil(edge / sd / PANEL))
        self.time, self.nodes, self.mass = time, nodes, weight * carry(self.nodes, self.mass, nodes, sd, reach)
        return float(stopped)

    def _step(self, time: float) -> tuple[float, float]:
        """The step's standard deviation, and how many of them matter: what is at z now was z sd / sqrt(time) nearer."""
        sd = sqrt(time - self.time)
        return sd, REACH + FARTHEST * sd / sqrt(time)


def _panels(edge: float, count: int) -> tuple[Floats, Floats]:
    """Nodes of Gauss and Legendre on `count` equal panels of [0, edge], and their weights."""
    unit, weight = _legendre()
    width = edge / count
    nodes = (width * (np.arange(count)[:, None] + unit)).ravel()
    return nodes, np.tile(width * weight, count)


@lru_cache(maxsize=1)
def _legendre() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return 0.5 * (nodes + 1), 0.5 * weights


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
