"""Estimates and tests that hold under adaptive weights, from sums per update.

Weights that follow the data make observed rates and their differences neither unbiased nor normal. What helps is that
the weights themselves are known. The stratum of every formula is the update, within which they are constant.

Each method is one small class of `Sums` that adds up plain arrays, an update at a time, for n experiments at once. For
logs of one's own, `estimate_rates` and `estimate_difference` take arrays with an axis of updates and feed the same
classes.

    >>> visits = [[50, 50], [30, 70], [10, 90]]  # three updates of two arms
    >>> conversions = [[2, 3], [1, 5], [0, 6]]
    >>> weights = [[0.5, 0.5], [0.3, 0.7], [0.1, 0.9]]
    >>> rates = estimate_rates(conversions, visits, weights)
    >>> rates.value.round(4), rates.standard_error.round(4)
    (array([0.0296, 0.0664]), array([0.0172, 0.0173]))
    >>> round(float(estimate_difference(conversions, visits, method="stratified").z), 4)
    1.1141
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from bandit_env.stats.checks import Floats, check_control, check_counts, check_weights
from bandit_env.stats.estimates.aipw import AIPW, LEAST_WEIGHT
from bandit_env.stats.estimates.strata import BatchedOLS, Stratified
from bandit_env.stats.estimates.sums import Estimate, Sums

S = TypeVar("S", bound=Sums)


def _aipw(n: int, k: int, control: int, least_weight: float) -> Sums:
    return AIPW(n, k, control, least_weight=least_weight)


def _aipw_equal(n: int, k: int, control: int, least_weight: float) -> Sums:
    return AIPW(n, k, control, weighting="equal", least_weight=least_weight)


METHODS: dict[str, Callable[[int, int, int, float], Sums]] = {
    "aipw": _aipw,
    "aipw-equal": _aipw_equal,
    "batched-ols": lambda n, k, control, _: BatchedOLS(n, k, control),
    "stratified": lambda n, k, control, _: Stratified(n, k, control),
}


def streaming(
    method: str, num_experiments: int, num_arms: int, control: int = 0, least_weight: float = LEAST_WEIGHT
) -> Sums:
    """Sums of a method by name, for n experiments of K arms, to be shown every update.

    Args:
        method: "aipw" (h = sqrt(w)), "aipw-equal" (h = 1), "batched-ols" or "stratified".
        num_experiments, num_arms: n and K.
        control: the arm that differences are taken from.
        least_weight: AIPW refuses weights below it; 0 lets all pass.

    Raises:
        ValueError: an unknown method, no such control, or a least weight that is none.

    >>> sums = streaming("batched-ols", num_experiments=1, num_arms=2)
    >>> for visits, conversions in ([50, 50], [2, 3]), ([30, 70], [1, 5]):
    ...     sums.update(np.array([[0.5, 0.5]]), np.array([visits]), np.array([conversions]))
    >>> sums.difference().z.round(4)
    array([[0.  , 0.84]])
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; expected one of {', '.join(METHODS)}")
    return METHODS[method](num_experiments, num_arms, control, least_weight)


def estimate_rates(
    conversions: ArrayLike,
    visits: ArrayLike,
    weights: ArrayLike,
    *,
    weighting: str = "sqrt",
    least_weight: float = LEAST_WEIGHT,
) -> Estimate:
    """Every arm's rate by AIPW, from the counts and served weights of each update.

    Args:
        conversions, visits: per update, shape (..., T, K).
        weights: served, shape (..., T, K), or one that broadcasts to it.
        weighting: "sqrt" for h = sqrt(w), "equal" for h = 1; see `AIPW`.
        least_weight: weights below it are refused; 0 lets all pass.

    Returns:
        Estimate and standard error, each of shape (..., K).

    Raises:
        ValueError: counts or weights that cannot be; says which, where, and what was expected.
    """

    def make(size: int, arms: int) -> AIPW:
        return AIPW(size, arms, weighting=weighting, least_weight=least_weight)

    sums, shape = _read(conversions, visits, weights, make)
    value, error = sums.rates()
    return Estimate(value.reshape(shape), error.reshape(shape))


def estimate_difference(
    conversions: ArrayLike,
    visits: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    arm: int = 1,
    control: int = 0,
    method: str = "aipw",
    least_weight: float = LEAST_WEIGHT,
) -> Estimate:
    """An arm's rate less the control's, from the counts and served weights of each update.

    Args:
        conversions, visits: per update, shape (..., T, K).
        weights: served, shape (..., T, K), or one that broadcasts to it; only AIPW needs them.
        arm, control: the two arms.
        method: "aipw" (h = sqrt(w)), "aipw-equal" (h = 1), "batched-ols" or "stratified".
        least_weight: AIPW refuses weights below it; 0 lets all pass.

    Returns:
        Estimate and standard error, each of shape (...,).

    Raises:
        ValueError: counts or weights that cannot be, an unknown method, no such arm, or an arm compared with itself.
    """

    def make(size: int, arms: int) -> Sums:
        if check_control(arm, arms, "arm") == check_control(control, arms):
            raise ValueError(f"arm and control are both {arm % arms}; expected two different arms")
        return streaming(method, size, arms, control, least_weight)

    sums, shape = _read(conversions, visits, weights, make)
    value, error = (part.reshape(shape)[..., arm] for part in sums.difference())
    return Estimate(value, error)


def _read(
    conversions: ArrayLike, visits: ArrayLike, weights: ArrayLike | None, make: Callable[[int, int], S]
) -> tuple[S, tuple[int, ...]]:
    """The sums of a log's updates, made by `make(n, K)`, and the shape (..., K) of what is estimated."""
    s, v = check_counts(conversions, visits, "(..., T, K)")
    *axes, updates, arms = v.shape
    sums = make(int(np.prod(axes, dtype=np.int64)), arms)
    if weights is not None:
        w = _check_log(weights, v, sums.least_weight)
    elif sums.weighs:
        raise ValueError(f"weights is None; expected the served weights, shape {v.shape}")
    else:
        w = np.zeros_like(v)
    w, v, s = (x.reshape(-1, updates, arms) for x in (w, v, s))
    for update in range(updates):
        sums.add(w[:, update], v[:, update], s[:, update])
    return sums, (*axes, arms)


def _check_log(weights: ArrayLike, visits: Floats, least_weight: float) -> Floats:
    """The weights at the shape of the visits; checked as a whole, so that an error names the place in the log."""
    w = np.asarray(weights, np.float64)
    try:
        w = np.broadcast_to(w, visits.shape)
    except ValueError:
        raise ValueError(f"weights have shape {w.shape}; expected the visits' {visits.shape}") from None
    check_weights(w, visits, least_weight)
    return w
