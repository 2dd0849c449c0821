"""What no policy can beat."""

import numpy as np
from numpy.typing import ArrayLike


def lai_robbins(rates: ArrayLike) -> float:
    """The constant C of the asymptotic lower bound: no consistent policy's regret grows slower than C log(visits).

    C = sum over the arms below the best of (best - rate) / kl(rate, best), kl that of Bernoulli laws: Lai and Robbins
    (1985), "Asymptotically efficient adaptive allocation rules", Advances in Applied Mathematics 6, theorem 1.

    Args:
        rates: conversion rates, shape (K,), in (0, 1) below the best.

    Raises:
        ValueError: a rate outside [0, 1].

    >>> round(lai_robbins([0.9, 0.8]), 4)
    2.2521
    """
    from scipy.special import rel_entr

    array = np.asarray(rates, np.float64)
    if array.ndim != 1 or not ((array >= 0) & (array <= 1)).all():
        raise ValueError(f"rates is {rates!r}; expected rates in [0, 1], one per arm")
    best = array.max()
    worse = array[array < best]
    return float(((best - worse) / (rel_entr(worse, best) + rel_entr(1 - worse, 1 - best))).sum())
