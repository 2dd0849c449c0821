"""The sequential sample-ratio test: did the traffic split as it should have?

An e-value, multinomial at the expected shares against multinomial with shares from a Dirichlet whose parameters are k
times the expected ones: Lindon and Malek (2022), "Anytime-valid inference for multinomial count data", NeurIPS. Its
p-value may be looked at at any time. A small one means that arms were served, or counted, otherwise than was planned,
and that their comparison may mean nothing.

    >>> round(float(p_value([156, 212], [0.5, 0.5])), 7)
    0.0748645
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bandit_env.stats.checks import SUM_MISSES, first

Floats = NDArray[np.float64]


def p_value(visits: ArrayLike, expected: ArrayLike, k: float = 100) -> Floats:
    """The p-value min(1, 1/E) of total visits against expected shares that stayed the same.

    Args:
        visits: totals, shape (..., K).
        expected: shares that sum to 1, shape (K,) or (..., K).
        k: how sure the alternative is of the expected shares, in visits.

    Returns:
        Shape (...,). Always valid for the totals so far; `p_values_by_day` also keeps the smallest of earlier days.

    Raises:
        ValueError: visits or shares that cannot be, or visits where a share is 0; says which and where.
    """
    v, shares = _checked(visits, expected, k, "(..., K)")
    return np.exp(-np.maximum(_log_e(v, shares, k * shares), 0.0))


def p_values_by_day(visits: ArrayLike, expected: ArrayLike, k: float = 100) -> Floats:
    """The always-valid p-value after each day, under shares that may change by day, as a bandit's weights do.

    Every day's visits are multinomial at its own shares, given the past. The alternative tilts all days alike: its
    shares are proportional to expected x tilt, the tilt learnt from earlier days as (k share + visits so far)/(k share
    + expected visits so far): with shares that stay, the last E is that of the totals in `p_value`.

    Args:
        visits: by day, shape (..., T, K).
        expected: each day's shares, which sum to 1, shape (..., T, K), or one that broadcasts to it.
        k: how sure the alternative is of the expected shares at first, in visits.

    Returns:
        The smallest p-value so far, shape (..., T).

    Raises:
        ValueError: as `p_value`.

    >>> p_values_by_day([[48, 52], [90, 60], [95, 55]], [[0.5, 0.5], [0.5, 0.5], [0.6, 0.4]]).round(4)
    array([1.    , 0.7109, 0.5993])
    """
    v, shares = _checked(visits, expected, k, "(..., T, K)")
    return np.exp(-np.maximum.accumulate(np.maximum(np.cumsum(_log_e_by_day(v, shares, k), axis=-1), 0), axis=-1))


def _log_e(visits: Floats, shares: Floats, parameters: Floats) -> Floats:
    """Log of the Dirichlet-multinomial over the multinomial likelihood; arms without a share have no visits."""
    from scipy.special import gammaln, xlogy

    total, sum_ = visits.sum(axis=-1), parameters.sum(axis=-1)
    served = parameters > 0
    safe = np.where(served, parameters, 1.0)
    arms = np.where(served, gammaln(safe + visits) - gammaln(safe), 0.0).sum(axis=-1)
    return np.asarray(arms - gammaln(sum_ + total) + gammaln(sum_) - xlogy(visits, shares).sum(axis=-1))


def _log_e_by_day(visits: Floats, shares: Floats, k: float) -> Floats:
    """Log of each day's factor: Dirichlet-multinomial about the tilted shares, worth k and the visits before."""
    before = np.cumsum(visits, axis=-2) - visits
    planned = visits.sum(axis=-1, keepdims=True) * shares
    planned_before = np.cumsum(planned, axis=-2) - planned
    base = k * shares
    tilt = (base + before) / np.maximum(base + planned_before, 1e-300)  # 0 where an arm never had a share
    tilted = shares * tilt
    total = tilted.sum(axis=-1, keepdims=True)
    weight = k + before.sum(axis=-1, keepdims=True)
    return _log_e(visits, shares, weight * tilted / total)


def _checked(visits: ArrayLike, expected: ArrayLike, k: float, axes: str) -> tuple[Floats, Floats]:
    v, shares = np.asarray(visits, np.float64), np.asarray(expected, np.float64)
    if v.ndim < axes.count(",") or v.shape[-1] < 2:
        raise ValueError(f"visits has shape {v.shape}; expected {axes}, K at least 2 arms")
    if not 0 < k < np.inf:
        raise ValueError(f"k is {k}; expected a positive number of visits")
    try:
        shares = np.broadcast_to(shares, np.broadcast_shapes(shares.shape, v.shape))
        v = np.broadcast_to(v, shares.shape)
    except ValueError:
        raise ValueError(f"expected has shape {shares.shape}; expected that of the visits, {v.shape}") from None
    _complain(~((v >= 0) & (v < np.inf)), "visits", v, "a finite number, at least 0")
    _complain(~((shares >= 0) & (shares <= 1 + SUM_MISSES)), "expected", shares, "a share of the traffic, from 0 to 1")
    total = shares.sum(axis=-1)
    wrong = ~(np.abs(total - 1) <= SUM_MISSES)
    if wrong.any():
        where = first(wrong)
        raise ValueError(f"expected{list(where)} sum to {total[where]:.9g}; expected shares that sum to 1")
    _complain((v > 0) & (shares == 0), "visits", v, "0, as the arm's expected share is 0")
    return v, shares / total[..., None]


def _complain(wrong: NDArray[np.bool_], name: str, values: Floats, expected: str) -> None:
    if wrong.any():
        where = first(wrong)
        raise ValueError(f"{name}{list(where)} is {values[where]}; expected {expected}")
