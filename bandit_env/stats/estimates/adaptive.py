"""Estimates and tests that hold under adaptive weights, from sums per update.

Weights that follow the data make observed rates and their differences neither unbiased nor normal. What helps is that
the weights themselves are known. The stratum of every formula is the update, within which they are constant.

Each method is one small class that adds up plain arrays, an update at a time, for n experiments at once; experiments
may drop out. For logs of one's own, `estimate_rates` and `estimate_difference` take arrays with an axis of updates and
feed the same classes.

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
from typing import ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bandit_env.stats.checks import Bools, Floats, check_control, check_counts, check_level, check_weights

LEAST_WEIGHT = 1e-3
S = TypeVar("S", bound="Sums")
Rows = slice | NDArray[np.int64] | NDArray[np.bool_]
ALL = slice(None)


class Estimate(NamedTuple):
    """An estimate with its standard error; NaN where there is nothing to estimate it from."""

    value: Floats
    standard_error: Floats

    @property
    def z(self) -> Floats:
        """The estimate in standard errors; 0 where nothing can be told."""
        with np.errstate(divide="ignore", invalid="ignore"):
            z = self.value / self.standard_error
        return np.where(np.isfinite(z), z, 0.0)

    @property
    def p_value(self) -> Floats:
        """The two-sided p-value of no effect, by the normal distribution."""
        from scipy.special import ndtr

        return np.asarray(2 * ndtr(-np.abs(self.z)))

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """The normal interval, (low, high).

        Raises:
            ValueError: a level outside (0, 1).
        """
        from scipy.special import ndtri

        check_level(level)
        reach = -ndtri((1 - level) / 2) * self.standard_error
        return self.value - reach, self.value + reach


class Sums(Protocol):
    """What a recorder needs of a method: to be shown every update, and to tell the differences from the control."""

    def update(
        self,
        weights: Floats,
        new_visits: Floats,
        new_conversions: Floats,
        rows: Rows = ALL,
        available: Bools | None = None,
    ) -> None:
        """Add an update of the experiments `rows`.

        Args:
            weights: served, shape (m, K).
            new_visits, new_conversions: of this update, shape (m, K).
            rows: the m experiments, as an index of the first axis.
            available: which arms are there, shape (m, K); None means all.
        """

    def add(
        self,
        weights: Floats,
        new_visits: Floats,
        new_conversions: Floats,
        rows: Rows = ALL,
        available: Bools | None = None,
    ) -> None:
        """The same for a recorder that knows its weights to be sound: nothing is checked."""

    def difference(self, rows: Rows = ALL) -> Estimate:
        """Each arm's rate less the control's, shape (m, K); the control's own is 0."""


class AIPW:
    """Augmented inverse-propensity weighting: unbiased under any weights that are known.

    A visit scores G = m + 1{served k}(y - m)/w for arm k, m the arm's mean over earlier updates (0 before its first
    visit). The estimate is sum h G / sum h, its variance sum h^2 (G - Q)^2 / (sum h)^2: Hadad, Hirshberg, Zhan, Wager
    and Athey (2021), PNAS 118, equations 5 and 11. With h = sqrt(w) the variances of visits are alike, which makes the
    estimate normal under weights that do not converge; with h = 1 it is exactly unbiased.

    Args:
        num_experiments, num_arms: n and K.
        control: the arm that differences are taken from.
        weighting: "sqrt" for h = sqrt(w), "equal" for h = 1.
        least_weight: weights below it are refused; 0 lets all pass.

    Raises:
        ValueError: no such control or weighting; in `update`, weights that cannot be (see `check_weights`).
    """

    def __init__(
        self,
        num_experiments: int,
        num_arms: int,
        control: int = 0,
        *,
        weighting: str = "sqrt",
        least_weight: float = LEAST_WEIGHT,
    ) -> None:
        if weighting not in ("sqrt", "equal"):
            raise ValueError(f"weighting is {weighting!r}; expected 'sqrt' or 'equal'")
        if not 0 <= least_weight < 1:
            raise ValueError(f"least_weight is {least_weight}; expected a number from 0 to 1, 1 excluded")
        self.control = check_control(control, num_arms)
        self.weighting, self.least_weight = weighting, least_weight
        shape = num_experiments, num_arms
        self.visits, self.conversions = np.zeros(shape), np.zeros(shape)  # of earlier updates
        self.h, self.hg = np.zeros(shape), np.zeros(shape)  # sums over visits of h and h G
        self.h2, self.h2g, self.h2g2 = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        # the same with the control: h h', h h' G, h h' G' and h h' G G', the control's primed
        self.both, self.both_own, self.both_control, self.both_g = (np.zeros(shape) for _ in range(4))

    def update(
        self,
        weights: Floats,
        new_visits: Floats,
        new_conversions: Floats,
        rows: Rows = ALL,
        available: Bools | None = None,
    ) -> None:
        """As `Sums.update`."""
        check_weights(weights, new_visits, self.least_weight, available)
        self.add(weights, new_visits, new_conversions, rows, available)

    def add(
        self,
        weights: Floats,
        new_visits: Floats,
        new_conversions: Floats,
        rows: Rows = ALL,
        available: Bools | None = None,
    ) -> None:
        """As `Sums.update`, of weights that are known to be sound."""
        from bandit_env.stats.estimates import kernels

        kernels.add_aipw(
            *_whole(weights, new_visits, new_conversions),
            _indices(rows, len(self.h)),
            np.ones(np.shape(weights), np.bool_) if available is None else available,
            self.weighting == "sqrt",
            self.control,
            *(self.visits, self.conversions, self.h, self.hg, self.h2, self.h2g, self.h2g2),
            *(self.both, self.both_own, self.both_control, self.both_g),
        )

    def rates(self, rows: Rows = ALL) -> Estimate:
        """Each arm's rate, shape (m, K)."""
        value, variance = self._moments(rows)
        return Estimate(value, np.sqrt(variance))

    def difference(self, rows: Rows = ALL) -> Estimate:
        """Each arm's rate less the control's, shape (m, K); the control's own is 0.

        The variance is v_k + v_0 - 2 sum h_k h_0 (G_k - Q_k)(G_0 - Q_0) / (sum h_k sum h_0).
        """
        q, variance = self._moments(rows)
        k = slice(self.control, self.control + 1)
        h, q0 = self.h[rows], q[:, k]
        products = self.both_g[rows] - q0 * self.both_own[rows] - q * self.both_control[rows] + q * q0 * self.both[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = variance + variance[:, k] - 2 * products / (h * h[:, k])
        variance[:, self.control] *= 0  # NaN stays
        return Estimate(q - q0, np.sqrt(np.maximum(variance, 0)))

    def _moments(self, rows: Rows) -> tuple[Floats, Floats]:
        h = self.h[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            q = self.hg[rows] / h
            variance = (self.h2g2[rows] - 2 * q * self.h2g[rows] + q**2 * self.h2[rows]) / h**2
        return q, np.maximum(variance, 0)


class _Tables:
    """Sums over the updates' two-by-two tables of each arm and the control."""

    by_update: ClassVar[bool]

    def __init__(self, num_experiments: int, num_arms: int, control: int = 0) -> None:
        self.control = check_control(control, num_arms)
        shape = num_experiments, num_arms
        self.first, self.second, self.third = np.zeros(shape), np.zeros(shape), np.zeros(shape)

    def update(
        self,
        weights: Floats,
        new_visits: Floats,
        new_conversions: Floats,
        rows: Rows = ALL,
        available: Bools | None = None,
    ) -> None:
        """As `Sums.update`; weights do not enter."""
        from bandit_env.stats.estimates import kernels

        counts, index = _whole(new_visits, new_conversions), _indices(rows, len(self.first))
        kernels.add_tables(*counts, index, self.control, self.by_update, self.first, self.second, self.third)

    add = update


class BatchedOLS(_Tables):
    """The z of every update, added up: normal whatever the weights were, as each is, given the past.

    z_t = (c_k - C n_k/N) / sqrt(C (N - C) n_0 n_k / (N^2 (N - 1))), N and C the visits and conversions of the arm and
    the control in the update, over the updates that served both and had 0 < C < N; Z = sum z_t / sqrt(their number):
    Zhang, Janson and Murphy (2020), "Inference for batched bandits", NeurIPS. The difference is the one that solves
    sum (d_t - d)/s_t = 0, d_t = c_k/n_k - c_0/n_0 and s_t = d_t/z_t, so that its z is Z.

    Args:
        num_experiments, num_arms: n and K.
        control: the arm that differences are taken from.

    Raises:
        ValueError: no such control.
    """

    by_update = True

    def difference(self, rows: Rows = ALL) -> Estimate:
        """Each arm's rate less the control's, shape (m, K); the control's own is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = self.first[rows] / self.second[rows]
            error = np.sqrt(self.third[rows]) / self.second[rows]
        value[:, self.control] = error[:, self.control] = 0.0
        return Estimate(value, error)


class Stratified(_Tables):
    """The Cochran-Mantel-Haenszel test, a stratum per update: blind to seasons that move all arms.

    z = sum (c_k - C n_k/N) / sqrt(sum C (N - C) n_0 n_k / (N^2 (N - 1))), without correction for continuity: Mantel and
    Haenszel (1959), JNCI 22. The difference is theirs, sum (c_k n_0 - c_0 n_k)/N / sum n_0 n_k/N, its standard error
    the one under equal rates. Weights that follow the data still bias both.

    Args:
        num_experiments, num_arms: n and K.
        control: the arm that differences are taken from.

    Raises:
        ValueError: no such control.
    """

    by_update = False

    def difference(self, rows: Rows = ALL) -> Estimate:
        """Each arm's rate less the control's, shape (m, K); the control's own is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = self.first[rows] / self.third[rows]
            error = np.sqrt(self.second[rows]) / self.third[rows]
        value[:, self.control] = error[:, self.control] = 0.0
        return Estimate(value, error)


def _whole(*arrays: Floats) -> tuple[Floats, ...]:
    return tuple(np.ascontiguousarray(array, np.float64) for array in arrays)


def _indices(rows: Rows, size: int) -> NDArray[np.int64]:
    """Rows as indices of the first axis."""
    return np.arange(size, dtype=np.int64)[rows]


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
    s, v = check_counts(conversions, visits, "(..., T, K)")
    w = _check_log(weights, v, least_weight)
    sums = AIPW(_number(v), v.shape[-1], weighting=weighting, least_weight=least_weight)
    return _reshaped(_feed(sums, s, v, w).rates(), v)


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
    s, v = check_counts(conversions, visits, "(..., T, K)")
    arms = v.shape[-1]
    arm, control = check_control(arm, arms, "arm"), check_control(control, arms)
    if arm == control:
        raise ValueError(f"arm and control are both {arm}; expected two different arms")
    sums = streaming(method, _number(v), arms, control, least_weight)
    if weights is not None:
        w = _check_log(weights, v, least_weight if isinstance(sums, AIPW) else 0)
    elif isinstance(sums, AIPW):
        raise ValueError(f"weights is None; expected the served weights, shape {v.shape}, for method {method!r}")
    else:
        w = np.zeros_like(v)
    value, error = _reshaped(_feed(sums, s, v, w).difference(), v)
    return Estimate(value[..., arm], error[..., arm])


def _check_log(weights: ArrayLike, visits: Floats, least_weight: float) -> Floats:
    """The weights at the shape of the visits; checked as a whole, so that an error names the place in the log."""
    w = np.asarray(weights, np.float64)
    try:
        w = np.broadcast_to(w, visits.shape)
    except ValueError:
        raise ValueError(f"weights have shape {w.shape}; expected the visits' {visits.shape}") from None
    check_weights(w, visits, least_weight)
    return w


def _number(visits: Floats) -> int:
    return int(np.prod(visits.shape[:-2], dtype=np.int64))


def _feed(sums: S, conversions: Floats, visits: Floats, weights: Floats) -> S:
    logs = [np.moveaxis(x.reshape(-1, *x.shape[-2:]), 1, 0) for x in (weights, visits, conversions)]
    for w, n, c in zip(*logs):
        sums.update(w, n, c)
    return sums


def _reshaped(estimate: Estimate, visits: Floats) -> Estimate:
    shape = (*visits.shape[:-2], visits.shape[-1])
    return Estimate(estimate.value.reshape(shape), estimate.standard_error.reshape(shape))
