"""Exact posterior quantities of Bernoulli arms with Beta priors: no sampling anywhere."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bandit_env.stats import _panels

Float = NDArray[np.float64]
ACCURACY = 1e-10


class PosteriorAccuracyWarning(RuntimeWarning):
    """A row's own error check exceeds the promised accuracy."""


def probability_best(
    conversions: ArrayLike, visits: ArrayLike, *, prior: ArrayLike = (1, 1), workers: int | None = None
) -> Float:
    """P(arm is the best)."""
    a, b, leading = _parameters(conversions, visits, prior)
    return _best(a, b)[0].reshape(*leading, -1)


def probability_beats(
    conversions: ArrayLike, visits: ArrayLike, control: int = 0, *, prior: ArrayLike = (1, 1), workers: int | None = None
) -> Float:
    """P(arm beats the control); the control's own entry is 0."""
    a, b, leading = _parameters(conversions, visits, prior)
    result = np.zeros(a.shape)
    others = [arm for arm in range(a.shape[1]) if arm != control % a.shape[1]]
    pair_a = np.stack([a[:, others], np.broadcast_to(a[:, [control]], (len(a), len(others)))], axis=-1).reshape(-1, 2)
    pair_b = np.stack([b[:, others], np.broadcast_to(b[:, [control]], (len(a), len(others)))], axis=-1).reshape(-1, 2)
    result[:, others] = _best(pair_a, pair_b)[0][:, 0].reshape(len(a), len(others))
    return result.reshape(*leading, -1)


def value_remaining_below(
    conversions: ArrayLike,
    visits: ArrayLike,
    threshold: float = 0.01,
    *,
    prior: ArrayLike = (1, 1),
    workers: int | None = None,
) -> Float:
    """P(value remaining < threshold)."""
    return weights_and_value_remaining(conversions, visits, threshold, prior=prior, workers=workers)[1]


def potential_value_remaining(
    conversions: ArrayLike,
    visits: ArrayLike,
    quantile: float = 0.95,
    *,
    prior: ArrayLike = (1, 1),
    workers: int | None = None,
) -> Float:
    """The quantile of the value remaining."""
    a, b, leading = _parameters(conversions, visits, prior)
    best = _best(a, b)[0]
    value = np.empty(len(a))
    _panels.quantile_rows(a, b, np.arange(len(a)), best.argmax(axis=1), quantile, best, value)
    return value.reshape(leading)


def weights_and_value_remaining(
    conversions: ArrayLike,
    visits: ArrayLike,
    threshold: float = 0.01,
    *,
    prior: ArrayLike = (1, 1),
    workers: int | None = None,
) -> tuple[Float, Float]:
    """`probability_best` and `value_remaining_below` in one pass."""
    a, b, leading = _parameters(conversions, visits, prior)
    best = _best(a, b)[0]
    value = np.empty(len(a))
    _panels.value_rows(a, b, np.arange(len(a)), best.argmax(axis=1), threshold, value)
    return best.reshape(*leading, -1), value.reshape(leading)


def expected_loss(
    conversions: ArrayLike, visits: ArrayLike, *, prior: ArrayLike = (1, 1), workers: int | None = None
) -> Float:
    """E[max_j rate_j - rate_arm]."""
    a, b, leading = _parameters(conversions, visits, prior)
    return _best(a, b)[1].reshape(*leading, -1)


def _parameters(conversions: ArrayLike, visits: ArrayLike, prior: ArrayLike) -> tuple[Float, Float, tuple[int, ...]]:
    s, v = np.broadcast_arrays(np.asarray(conversions, np.float64), np.asarray(visits, np.float64))
    prior = np.asarray(prior, np.float64)
    a, b = s + prior[..., 0], v - s + prior[..., 1]
    if a.ndim < 1 or a.shape[-1] < 2:
        raise ValueError("fewer than two arms")
    if not ((s >= 0) & (s <= v) & np.isfinite(v) & (prior > 0).all()).all():
        raise ValueError("conversions must lie in [0, visits], priors be positive")
    leading = a.shape[:-1]
    return a.reshape(-1, a.shape[-1]), b.reshape(-1, a.shape[-1]), leading


def _best(a: Float, b: Float) -> tuple[Float, Float]:
    best, loss, error = np.empty(a.shape), np.empty(a.shape), np.empty(len(a))
    _panels.best_rows(a, b, np.arange(len(a)), best, loss, error)
    if (error > ACCURACY).any():
        warnings.warn(f"error {error.max()}", PosteriorAccuracyWarning, stacklevel=3)
    return best, loss
