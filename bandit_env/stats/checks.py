"""What functions of counts ask of their arguments: one error each, with what came, where, and what was expected."""

from operator import index
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SUM_MISSES = 1e-6  # by how much weights may miss a sum of 1: an exact P(best) can come out 2e-15 above 1


def check_level(level: float) -> None:
    """Refuse a level that is no probability.

    Raises:
        ValueError: a level outside (0, 1).
    """
    if not 0 < level < 1:  # also refuses NaN
        raise ValueError(f"level is {level}; expected a number between 0 and 1, both excluded")


def check_control(control: int, arms: int, name: str = "control") -> int:
    """The arm's index, counted from 0.

    Raises:
        ValueError: no such arm.
    """
    if not -arms <= index(control) < arms:
        raise ValueError(f"{name} is {control}; expected an arm's index, from {-arms} to {arms - 1}")
    return control % arms


def check_counts(conversions: ArrayLike, visits: ArrayLike, axes: str = "(..., K)") -> tuple[Floats, Floats]:
    """Conversions and visits as floats at their common shape.

    Raises:
        ValueError: shapes that do not broadcast, or a count that is none.
    """
    s, v = np.asarray(conversions, np.float64), np.asarray(visits, np.float64)
    try:
        s, v = np.broadcast_arrays(s, v)
    except ValueError:
        message = f"conversions {s.shape} and visits {v.shape} do not broadcast; expected two arrays {axes}"
        raise ValueError(message) from None
    if v.ndim < axes.count(","):
        raise ValueError(f"conversions and visits have shape {v.shape}; expected {axes}")
    sound = (s >= 0) & (s <= v) & (v < np.inf)
    if not sound.all():
        where = first(~sound)
        if not (v[where] >= 0 and v[where] < np.inf):
            raise ValueError(f"visits{list(where)} is {v[where]}; expected a finite number, at least 0")
        expected = f"expected a number from 0 to visits{list(where)} = {v[where]}"
        raise ValueError(f"conversions{list(where)} is {s[where]}; {expected}")
    return s, v


def check_weights(weights: Floats, visits: Floats, least_weight: float, available: Bools | None = None) -> None:
    """Refuse weights that cannot have served these visits, and those too small for inverse weighting.

    Args:
        weights, visits: shape (..., K).
        least_weight: the smallest weight of an available arm that passes; 0 lets all pass.
        available: shape (..., K); None means that all arms are there.

    Raises:
        ValueError: says which weight, where, and what was expected.
    """
    sound = (weights >= 0) & (weights <= 1 + SUM_MISSES)
    if not sound.all():
        where = first(~sound)
        raise ValueError(f"weights{list(where)} is {weights[where]}; expected a share of the traffic, from 0 to 1")
    total = weights.sum(axis=-1)
    sound = np.abs(total - 1) <= SUM_MISSES
    if not sound.all():
        where = first(~sound)
        raise ValueError(f"weights{list(where)} sum to {total[where]:.9g}; expected 1 (within {SUM_MISSES})")
    wrong = (weights == 0) & (visits > 0)
    if wrong.any():
        where = first(wrong)
        raise ValueError(f"weights{list(where)} is 0 where visits{list(where)} is {visits[where]}; expected above 0")
    small = weights < least_weight
    if available is not None:
        small &= available
    if small.any():
        _complain_small(weights, first(small), least_weight)


def _complain_small(weights: Floats, where: tuple[int, ...], least_weight: float) -> NoReturn:
    raise ValueError(
        f"weights{list(where)} is {weights[where]}; expected at least {least_weight}: inverse weights beyond are no "
        "basis for a normal interval (least_weight=0 lets all pass)"
    )


def check_prior(prior: ArrayLike) -> tuple[float, float]:
    """The Beta prior's parameters.

    Raises:
        ValueError: not two positive finite numbers.
    """
    p = np.asarray(prior, np.float64)
    if p.shape != (2,) or not ((p > 0) & (p < np.inf)).all():
        raise ValueError(f"prior is {prior!r}; expected two positive numbers (alpha, beta)")
    return float(p[0]), float(p[1])


def first(wrong: Bools) -> tuple[int, ...]:
    """Where the first wrong one is."""
    return tuple(int(i) for i in np.argwhere(wrong)[0]) if wrong.ndim else ()
