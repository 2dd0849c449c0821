"""The posterior of an arm's lift over the control, and of the difference of their rates: exact, by quadrature.

    >>> lift = Lift([40, 50], [1000, 1000])
    >>> lift.cdf(0.0).round(6)  # P(lift <= 0), for each arm
    array([1.      , 0.141619])
    >>> lift.quantile(0.5).round(6), lift.mean().round(6)
    (array([0.      , 0.245848]), array([0.      , 0.273728]))

Errors are below 1e-8 (of 1 + lift for its quantiles): from no visits to 10^9, with no conversion, or nothing but. Only
a lift within some 1e-8 of -1 has fewer digits of 1 + lift: doubles there are 1.1e-16 apart. The method stands in
`pairs` and `quantiles`.
"""

from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import ArrayLike

from bandit_env.stats.checks import Bools, Floats, check_control, check_counts, check_level, check_prior


class _Contrast:
    """What both contrasts share: x in code is log(1 + lift), or the difference itself."""

    _kind: ClassVar[int]

    def __init__(self, conversions: ArrayLike, visits: ArrayLike, control: int = 0, prior: ArrayLike = (1, 1)) -> None:
        s, v = check_counts(conversions, visits)
        if v.shape[-1] < 2:
            raise ValueError(f"conversions and visits have shape {v.shape}; expected (..., K), K at least 2 arms")
        alpha, beta = check_prior(prior)
        self.control = check_control(control, v.shape[-1])
        self.a, self.b = s + alpha, v - s + beta  # of the posterior, shape (..., K)

    def pdf(self, x: ArrayLike) -> Floats:
        """The density at x, shape (..., K), which broadcasts; the control's own is infinite at 0 and 0 elsewhere."""
        from bandit_env.stats.estimates import quantiles

        x, inside, at = self._at(x)
        density = np.where(
            inside, self._rows(quantiles.DENSITY, at)[..., 0] * self._stretch(np.where(inside, x, 0.0)), 0.0
        )
        density[..., self.control] = np.where(x[..., self.control] == 0, np.inf, 0.0)
        return density

    def cdf(self, x: ArrayLike) -> Floats:
        """The chance of at most x, shape (..., K), which broadcasts; the control's own steps from 0 to 1 at 0."""
        from bandit_env.stats.estimates import quantiles

        x, inside, at = self._at(x)
        below = np.where(inside, self._rows(quantiles.DISTRIBUTION, at)[..., 0], x > 0)
        below[..., self.control] = x[..., self.control] >= 0
        return below

    def quantile(self, q: ArrayLike) -> Floats:
        """The quantile at the probability q in (0, 1), shape (..., K), which broadcasts; the control's own is 0.

        Raises:
            ValueError: a probability outside (0, 1).
        """
        q = np.asarray(q, np.float64)
        wrong = ~((q > 0) & (q < 1))
        if wrong.any():
            raise ValueError(f"q is {q[wrong].flat[0]}; expected a probability between 0 and 1, both excluded")
        return self._quantiles(np.broadcast_to(q, np.broadcast_shapes(q.shape, self.a.shape))[..., None])[..., 0]

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """The equal-tailed credible interval, (low, high), each of shape (..., K).

        Raises:
            ValueError: a level outside (0, 1).
        """
        check_level(level)
        tail = (1 - level) / 2
        ends = self._quantiles(np.array([tail, 1 - tail]))
        return ends[..., 0], ends[..., 1]

    def _at(self, x: ArrayLike) -> tuple[Floats, Bools, Floats]:
        raise NotImplementedError

    def _stretch(self, x: Floats) -> Floats:
        """The derivative of the code's x by the user's."""
        raise NotImplementedError

    def _result(self, x: Floats) -> Floats:
        raise NotImplementedError

    def _quantiles(self, targets: Floats) -> Floats:
        """Quantiles at targets (..., K, m), or (m,) for all arms; shape (..., K, m)."""
        from bandit_env.stats.estimates import quantiles

        return self._result(self._rows(quantiles.QUANTILE, targets))

    def _rows(self, want: int, targets: Floats) -> Floats:
        from scipy.special import ndtri

        from bandit_env.stats.estimates import quantiles

        number = targets.shape[-1]
        shape = np.broadcast_shapes((*self.a.shape, number), targets.shape)
        arms = shape[-2]
        a, b = (np.array(np.broadcast_to(x, shape[:-1]), order="C").reshape(-1, arms) for x in (self.a, self.b))
        same = (1, arms, number) if targets.ndim == 1 else shape  # for all rows and arms
        targets = np.array(np.broadcast_to(targets, same), order="C").reshape(-1, arms, number)
        normal = np.asarray(ndtri(targets)) if want == quantiles.QUANTILE else targets
        out = np.zeros((len(a), arms, number))
        quantiles.rows(self._kind, want, a, b, self.control, targets, normal, *_prepared(), out)
        return out.reshape(shape)


class Lift(_Contrast):
    """The posterior of rate_k/rate_control - 1, for every arm.

    Args:
        conversions, visits: counts, shape (..., K), K >= 2.
        control: the arm that lifts are taken over; its own lift is 0.
        prior: the Beta prior's (alpha, beta), for all arms.

    Raises:
        ValueError: a count or prior that is none, fewer than two arms, or no such control.
    """

    _kind = 0

    def mean(self) -> Floats:
        """The posterior mean, shape (..., K): E[rate_k] E[1/rate_control] - 1, infinite where the control's a <= 1."""
        a, n = self.a[..., self.control, None], (self.a + self.b)[..., self.control, None]
        with np.errstate(divide="ignore"):
            inverse = np.where(a > 1, (n - 1) / np.maximum(a - 1, 0), np.inf)
        mean = self.a / (self.a + self.b) * inverse - 1
        mean[..., self.control] = 0.0
        return np.asarray(mean)

    def _at(self, x: ArrayLike) -> tuple[Floats, Bools, Floats]:
        x = np.broadcast_to(np.asarray(x, np.float64), np.broadcast_shapes(np.shape(x), self.a.shape))
        inside = (x > -1) & (x < np.inf)
        return x, inside, np.log1p(np.where(inside, x, 0.0))[..., None]

    def _stretch(self, x: Floats) -> Floats:
        return 1 / (1 + x)

    def _result(self, x: Floats) -> Floats:
        return np.expm1(x)


class Difference(_Contrast):
    """The posterior of rate_k - rate_control, for every arm.

    Args:
        conversions, visits: counts, shape (..., K), K >= 2.
        control: the arm that differences are taken from; its own is 0.
        prior: the Beta prior's (alpha, beta), for all arms.

    Raises:
        ValueError: a count or prior that is none, fewer than two arms, or no such control.

    >>> Difference([40, 50], [1000, 1000]).quantile([[0.025], [0.975]]).round(5)
    array([[ 0.     , -0.00829],
           [ 0.     ,  0.02841]])
    """

    _kind = 1

    def mean(self) -> Floats:
        """The posterior mean, shape (..., K)."""
        mean = self.a / (self.a + self.b)
        return np.asarray(mean - mean[..., self.control, None])

    def _at(self, x: ArrayLike) -> tuple[Floats, Bools, Floats]:
        x = np.broadcast_to(np.asarray(x, np.float64), np.broadcast_shapes(np.shape(x), self.a.shape))
        inside = np.abs(x) < 1
        return x, inside, np.where(inside, x, 0.0)[..., None]

    def _stretch(self, x: Floats) -> Floats:
        return np.ones_like(x)

    def _result(self, x: Floats) -> Floats:
        return x


def lift_interval(
    conversions: ArrayLike, visits: ArrayLike, level: float = 0.95, control: int = 0, prior: ArrayLike = (1, 1)
) -> tuple[Floats, Floats]:
    """The equal-tailed credible interval of every arm's lift, rate_k/rate_control - 1.

    Args:
        conversions, visits: counts, shape (..., K), K >= 2.
        level: the probability inside, in (0, 1).
        control: the arm that lifts are taken over.
        prior: the Beta prior's (alpha, beta), for all arms.

    Returns:
        (low, high), each of shape (..., K), the control's own 0; within 1e-8 of 1 + themselves.

    Raises:
        ValueError: a count, level or prior that is none, fewer than two arms, or no such control.

    >>> low, high = lift_interval([40, 50], [1000, 1000])
    >>> low.round(4), high.round(4)
    (array([ 0.    , -0.1658]), array([0.    , 0.8728]))
    """
    return Lift(conversions, visits, control, prior).interval(level)


def difference_interval(
    conversions: ArrayLike, visits: ArrayLike, level: float = 0.95, control: int = 0, prior: ArrayLike = (1, 1)
) -> tuple[Floats, Floats]:
    """The equal-tailed credible interval of every arm's rate less the control's.

    Args:
        conversions, visits: counts, shape (..., K), K >= 2.
        level: the probability inside, in (0, 1).
        control: the arm that differences are taken from.
        prior: the Beta prior's (alpha, beta), for all arms.

    Returns:
        (low, high), each of shape (..., K), the control's own 0; within 1e-8.

    Raises:
        ValueError: a count, level or prior that is none, fewer than two arms, or no such control.

    >>> low, high = difference_interval([40, 50], [1000, 1000])
    >>> low.round(5), high.round(5)
    (array([ 0.     , -0.00829]), array([0.     , 0.02841]))
    """
    return Difference(conversions, visits, control, prior).interval(level)


@cache
def _prepared() -> tuple[Any, Any]:
    """The rules, and room to work in."""
    from bandit_env.stats.estimates import beta_table, pairs  # compiled: loaded when they are asked for

    room = (
        np.empty((2, beta_table.SIZE)),
        np.empty((3, pairs.MOST_NODES)),
        np.empty(2 * beta_table.MOST_PANELS),
        np.empty(pairs.ROOM),
    )
    return (beta_table.gauss(), legendre.leggauss(pairs.POINTS)), room
