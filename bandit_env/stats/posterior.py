"""Exact posterior quantities of Bernoulli arms with Beta priors: no sampling anywhere.

    >>> conversions, visits = [40, 50], [1000, 1000]
    >>> probability_best(conversions, visits).round(6)
    array([0.141619, 0.858381])
    >>> round(float(potential_value_remaining(conversions, visits)), 6)
    0.123964

**Inputs** of every function: `conversions` and `visits` with the arms on the last axis and any leading axes, which
broadcast against each other; integers or floats. Counts need not be whole (weighted data): only the Beta parameters
conversions + prior[0] and visits - conversions + prior[1] enter. `prior` is (alpha, beta) for all arms, or an array
(..., K, 2) that broadcasts against the counts. A row's result has the same bits in any batch.

**Method.** Every quantity is one integral over u = logit(t), where a Beta(a, b) density, n = a + b, is
exp(a u - n log(1 + e^u)) / B(a, b): analytic for |Im u| < pi, log-concave, decaying at both ends. Then

    P(arm i is best) = int f_i prod_{j != i} F_j du,        P(value remaining <= h) = int f~_c prod_{j != c} F_j du,

c the champion, the arm with the largest P(best), and f~_c the density of (1 + h) t_c (value remaining, "(max_j rate_j
- rate_c) / rate_c", is Scott's, https://support.google.com/analytics/answer/2844870, 2013). Nodes come in blocks
(`_blocks`) of two kinds (`_rules`), for eight rows at a time:

*Sinc* (`_sinc`), for ordinary rows: one block of equally spaced nodes; F from f by sinc indefinite integration
(Stenger, Numerical Methods Based on Sinc and Analytic Functions, 1993, section 4.5). *Panels* (`_panels`), for all
others and for more than 256 arms: sixteen Gauss-Legendre nodes each, as short as the narrowest density that matters
there asks for, from the upper end down; F from f by integrating the interpolant. In both, small F by a continued
fraction (Didonato and Morris, ACM TOMS 18, 1992). Each is compiled when a row first asks for it.

**Errors** of a sinc block, and what holds each:

- Spacing. The Fourier transform of a density is |Gamma(a + iw) Gamma(b - iw)| / (Gamma(a) Gamma(b)), below
  exp(-w^2 s^2 / 2) with s^2 = 1/(a + 4) + 1/(b + 4) until it is 1e-10. Sinc integration with spacing x s errs by what
  lies beyond w = pi / (x s), about (2 / pi) e^(-W^2/2) / W^2 with W = pi / x: 2e-12 at x = 0.47, s the smallest.
  Products of K distribution functions are rougher than one, so x falls like K^-0.21.
- The sum over arms before any normalisation, which is never done: a row that misses 1 by more than 5e-11 is done
  again in panels.
- Window. Cut where some factor of every product is below e^-25, or lower where a far arm wins, down to shares of
  1e-30: the product of its density and the leader's, a Beta density with the parameters added, is followed to e^-24 of
  its peak. At most 1e-12; arms that reach out are tapered, and a share below 1e-4 that is not clearly inside goes to
  panels. Of more than three arms, all distribution functions together make the product small much further up (at a
  dozen points, `_plan.begin`): so the number of nodes hardly depends on that of arms.
- Errors of tapered arms alternate from node to node, by up to 1e-7 (3e-8 by a longer taper from 25 arms on, as the
  square of their sum does not vanish), and vanish in sums of what is smooth. Where (1 + h) t_c reaches above the
  window they would not: such a row goes to panels.
- Rounding, about 2e-16 (a |d| + n log(1 + p (e^d - 1))) at a distance d from the block's centre: a row where this
  exceeds 1e-11 goes to panels, whose blocks are narrow.
- The continued fraction, eight levels, is used below F = 3e-5: 1e-7 relative, so that shares down to 1e-30 have six
  digits.

Panels: two standard deviations by degree 15 err below 3e-12 of the density's peak, and by far less in the integrals;
up to 3.2 do for a few arms near the leader, 1.2 for a thousand. They begin where the chance that two arms lie above is
1e-7 of the chance that one does, which each arm is given, by its continued fraction (1e-11 in all for the value
remaining). They end where the product of all F, which bounds whatever is left, is below 1e-13 and 1e-8 of the smallest
share. For the value remaining, the rivals' prod F is kept as a Chebyshev series in each panel, and f~_c integrated
against it in panels of its own (`_remaining`). Densities far from a mode are exact by the series in the Bernoulli
cumulants, so that nothing cancels at 10^9 visits. The check is the sum over arms; where it misses 1 by more than 1e-10
a `PosteriorAccuracyWarning` says so.

Sinc blocks and panels share no window: `tests/stats` compares both with SciPy, mpmath and closed sums.
"""

import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import isfinite
from operator import index
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bandit_env.stats._posterior import panels as _panels
from bandit_env.stats._posterior import rules as _rules
from bandit_env.stats._posterior import sinc as _sinc
from bandit_env.stats._posterior.blocks import LOSS, QUANTILE, VALUE, WEIGHTS

Float = NDArray[np.float64]
Count = NDArray[np.intp]
Room = tuple[NDArray[Any] | None, ...]

PRIORS = 1e-100, 1e100  # beyond, products of parameters would overflow or lose digits
ACCURACY = 1e-10  # absolute, of the probabilities
EXACT = 5e-11  # the largest error that passes in a sinc rule
BLOCK = 1024  # rows that are sorted by rule at a time

_local = threading.local()


class PosteriorAccuracyWarning(RuntimeWarning):
    """The code's own error check exceeds the promised accuracy in some row."""


def probability_best(
    conversions: ArrayLike, visits: ArrayLike, *, prior: ArrayLike = (1, 1), workers: int | None = None
) -> Float:
    """P(arm is the best): the posterior probability that its rate is the largest.

    Args:
        conversions, visits: counts, shape (..., K), K >= 2.
        prior: the Beta prior's (alpha, beta), or an array (..., K, 2).
        workers: threads to use; None is one.

    Returns:
        Shape (..., K), within 1e-10; within 1e-6 of itself from 1e-30 up, and of the right order or less below. The sum
        over arms is 1 to the method's error: it is not normalised.

    Raises:
        ValueError: an invalid count, prior, shape or number of workers; says which, where, and what was expected.
    """
    rows = _Counts(conversions, visits, prior)
    best, _ = rows.solve(WEIGHTS, 0.0, workers)
    return best.reshape(rows.shape)


def probability_beats(
    conversions: ArrayLike,
    visits: ArrayLike,
    control: int = 0,
    *,
    prior: ArrayLike = (1, 1),
    workers: int | None = None,
) -> Float:
    """P(arm beats the control): the posterior probability that its rate exceeds that of the arm `control`.

    Args:
        conversions, visits: counts, shape (..., K), K >= 2.
        control: the control's index; negative counts from the last.
        prior: the Beta prior's (alpha, beta), or an array (..., K, 2).
        workers: threads to use; None is one.

    Returns:
        Shape (..., K), within 1e-10; the control's own entry is 0.

    Raises:
        ValueError: as `probability_best`, or no such control.
    """
    rows = _Counts(conversions, visits, prior)
    arms = rows.shape[-1]
    if not -arms <= index(control) < arms:
        raise ValueError(f"control is {control}; expected an arm's index, from {-arms} to {arms - 1}")
    rows.check()
    control %= arms
    others = [arm for arm in range(arms) if arm != control]
    pairs = np.array([[control, arm] for arm in others])
    result = np.zeros((len(rows.visits), arms))
    best, _ = rows.take(pairs).solve(WEIGHTS, 0.0, workers)
    result[:, others] = best[:, 1].reshape(len(result), arms - 1)
    return result.reshape(rows.shape)


def value_remaining_below(
    conversions: ArrayLike,
    visits: ArrayLike,
    threshold: float = 0.01,
    *,
    prior: ArrayLike = (1, 1),
    workers: int | None = None,
) -> Float:
    """P(value remaining <= threshold): value remaining is (max_j rate_j - rate_champion) / rate_champion.

    The champion is the arm with the largest P(best), the lowest index on ties (within 1e-10); at threshold 0 this is
    its P(best).

    Args:
        conversions, visits: counts, shape (..., K), K >= 2.
        threshold: relative to the champion's rate, at least 0.
        prior: the Beta prior's (alpha, beta), or an array (..., K, 2).
        workers: threads to use; None is one.

    Returns:
        Shape (...,), within 1e-10.

    Raises:
        ValueError: as `probability_best`, or a threshold below 0.
    """
    return weights_and_value_remaining(conversions, visits, threshold, prior=prior, workers=workers)[1]


def potential_value_remaining(
    conversions: ArrayLike,
    visits: ArrayLike,
    quantile: float = 0.95,
    *,
    prior: ArrayLike = (1, 1),
    workers: int | None = None,
) -> Float:
    """The quantile of the value remaining: with this probability, no arm beats the champion by more, relatively.

    Args:
        conversions, visits: counts, shape (..., K), K >= 2.
        quantile: a probability between 0 and 1, exclusive.
        prior: the Beta prior's (alpha, beta), or an array (..., K, 2).
        workers: threads to use; None is one.

    Returns:
        Shape (...,), within 1e-8 of 1 + itself up to a `quantile` of 0.9999 (what lies beyond is known to 1e-10, which
        tells less and less of it); 0 where the champion's P(best) is at least `quantile`; inf above e^344 (priors far
        below 1).

    Raises:
        ValueError: as `probability_best`, or a quantile outside (0, 1).
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile is {quantile}; expected a probability between 0 and 1, exclusive")
    rows = _Counts(conversions, visits, prior)
    _, value = rows.solve(QUANTILE, float(quantile), workers)
    return value.reshape(rows.shape[:-1])[()]


def weights_and_value_remaining(
    conversions: ArrayLike,
    visits: ArrayLike,
    threshold: float = 0.01,
    *,
    prior: ArrayLike = (1, 1),
    workers: int | None = None,
) -> tuple[Float, Float]:
    """`probability_best` and `value_remaining_below` in one pass.

    Args:
        conversions, visits: counts, shape (..., K), K >= 2.
        threshold: relative to the champion's rate, at least 0.
        prior: the Beta prior's (alpha, beta), or an array (..., K, 2).
        workers: threads to use; None is one.

    Returns:
        P(best), shape (..., K), and P(value remaining <= threshold), shape (...,).

    Raises:
        ValueError: as `probability_best`, or a threshold below 0.
    """
    if not (threshold >= 0 and isfinite(threshold)):
        raise ValueError(f"threshold is {threshold}; expected a finite number, at least 0")
    rows = _Counts(conversions, visits, prior)
    best, value = rows.solve(VALUE, float(threshold), workers)
    return best.reshape(rows.shape), value.reshape(rows.shape[:-1])[()]


def expected_loss(
    conversions: ArrayLike, visits: ArrayLike, *, prior: ArrayLike = (1, 1), workers: int | None = None
) -> Float:
    """E[max_j rate_j - rate_arm]: the conversions per visit that shipping the arm is expected to give away.

    Computed as int F_i (1 - prod_{j != i} F_j) dt.

    Args:
        conversions, visits: counts, shape (..., K), K >= 2.
        prior: the Beta prior's (alpha, beta), or an array (..., K, 2).
        workers: threads to use; None is one.

    Returns:
        Shape (..., K), conversions per visit, within 1e-10.

    Raises:
        ValueError: as `probability_best`.
    """
    rows = _Counts(conversions, visits, prior)
    loss, _ = rows.solve(LOSS, 0.0, workers)
    return loss.reshape(rows.shape)


class _Counts:
    """Counts of N experiments as contiguous arrays (N, K), and what is computed from them."""

    def __init__(self, conversions: ArrayLike, visits: ArrayLike, prior: ArrayLike) -> None:
        s, v = np.asarray(conversions, np.float64), np.asarray(visits, np.float64)
        p = np.asarray(prior, np.float64)
        if p.shape == (2,) and s.shape == v.shape and s.ndim >= 1:
            self.shape: tuple[int, ...] = s.shape
        else:
            s, v, p = self._broadcast(s, v, p)
        if len(self.shape) < 1 or self.shape[-1] < 2:
            raise ValueError(f"conversions and visits have shape {self.shape}; expected (..., K), K at least 2 arms")
        low, high = PRIORS
        sound = all(low <= x <= high for x in p.tolist()) if p.ndim == 1 else ((p >= low) & (p <= high)).all()
        if not sound:
            where = tuple(int(i) for i in np.argwhere(~((p >= low) & (p <= high)))[0])
            raise ValueError(f"prior{list(where)} is {p[where]}; expected a positive number, from {low} to {high}")
        arms = self.shape[-1]
        # writeable, as arrays that are not would have the kernels compiled once more
        self.conversions = np.require(s, requirements=["C", "W"]).reshape(-1, arms)
        self.visits = np.require(v, requirements=["C", "W"]).reshape(-1, arms)
        self.prior = np.require(p, requirements=["C", "W"]).reshape(-1, 1 if p.ndim == 1 else arms, 2)

    def _broadcast(self, s: Float, v: Float, p: Float) -> tuple[Float, Float, Float]:
        """The counts at their common shape; the prior as (K, 2), or (..., K, 2) where it has leading axes."""
        if p.shape[-1:] != (2,):
            raise ValueError(f"prior has shape {p.shape}; expected (2,) or (..., K, 2)")
        try:
            self.shape = np.broadcast_shapes(s.shape, v.shape, p.shape[:-1])
        except ValueError:
            shapes = f"conversions {s.shape}, visits {v.shape} and prior {p.shape}"
            raise ValueError(f"{shapes} do not broadcast; expected (..., K), (..., K) and (..., K, 2)") from None
        if p.ndim > 1:
            p = np.broadcast_to(p, (*(self.shape if p.ndim > 2 else self.shape[-1:]), 2))
        return np.broadcast_to(s, self.shape), np.broadcast_to(v, self.shape), p

    def check(self) -> None:
        """Complain about the first count that is not one: `_sinc.rows` does so itself, in passing."""
        wrong = ~((self.conversions >= 0) & (self.conversions <= self.visits) & (self.visits < np.inf))
        if wrong.any():
            self._complain(int(wrong.argmax()))

    def take(self, arms: Count) -> "_Counts":
        """Rows of some arms of each row: arms of shape (m, k) makes m rows of k arms of every row."""
        prior = np.broadcast_to(self.prior, (len(self.prior), self.shape[-1], 2))
        if len(prior) == 1:
            prior = np.broadcast_to(prior, (len(self.visits), *prior.shape[1:]))
        return _Counts(self.conversions[:, arms], self.visits[:, arms], prior[:, arms])

    def solve(self, want: int, target: float, workers: int | None) -> tuple[Float, Float]:
        """P(best), or the expected losses, shape (N, K); and what is wanted of the value remaining, shape (N,)."""
        best, value = np.empty(self.visits.shape), np.empty(len(self.visits))
        error = np.full(len(self.visits), np.inf)
        self._share_out(lambda cut: self._solve(cut, want, target, best, value, error), workers)
        off = np.flatnonzero(~(error <= ACCURACY))
        if off.size:
            message = f"{off.size} posteriors may be off by up to {error[off].max():.1e}, more than {ACCURACY}"
            warnings.warn(message, PosteriorAccuracyWarning, stacklevel=_depth())
        return best, value

    def _share_out(self, solve: Callable[[slice], None], workers: int | None) -> None:
        """Let threads, if any, solve slices of whole blocks of rows."""
        rows = len(self.visits)
        if workers is not None and not workers >= 1:
            raise ValueError(f"workers is {workers}; expected None or a number of threads, at least 1")
        if workers is None or workers == 1 or rows <= BLOCK:
            solve(slice(0, rows))
            return
        share = -(-rows // (workers * BLOCK)) * BLOCK
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(solve, [slice(low, low + share) for low in range(0, rows, share)]))

    def _solve(self, cut: slice, want: int, target: float, best: Float, value: Float, error: Float) -> None:
        p = self.prior if len(self.prior) == 1 else self.prior[cut]
        s, v = self.conversions[cut], self.visits[cut]
        rows, arms = v.shape
        if rows == 0:
            return
        strides = (0 if len(p) == 1 else 2 * p.shape[1], 0 if p.shape[1] == 1 else 2)
        counts = s.ravel(), v.ravel(), p.ravel(), strides
        error = error[cut]
        answers = best[cut].reshape(-1), value[cut], error
        if arms <= _sinc.MOST_ARMS and want != LOSS:
            size = min(BLOCK, max(64, 65536 // arms // 8 * 8), -(-rows // 8) * 8)
            room = _remembered(_sinc.scratch, arms, size)
            wrong = _sinc.rows(counts, arms, want, target, _rules.tables(arms), *room, *answers)
            if wrong >= 0:
                self._complain(wrong + cut.start * arms)
        else:
            self.check()
        left = np.flatnonzero(~(error <= EXACT))
        if left.size:
            room = _remembered(_panels.scratch, arms, want)
            _panels.rows(counts, arms, want, target, _rules.tables(arms), *room, left, *answers)

    def _complain(self, flat: int) -> NoReturn:
        """Say what is wrong with the count at this place of the flattened arrays."""
        where = [int(i) for i in np.unravel_index(flat, self.shape)]
        s, v = self.conversions.flat[flat], self.visits.flat[flat]
        if not (isfinite(v) and v >= 0):
            raise ValueError(f"visits{where} is {v}; expected a finite number, at least 0")
        raise ValueError(f"conversions{where} is {s}; expected a number from 0 to visits{where} = {v}")


def _depth() -> int:
    """The stacklevel at which a warning of our caller's names the line that called this module."""
    depth = 1
    while sys._getframe(depth).f_code.co_filename == __file__:
        depth += 1
    return depth


def _remembered(scratch: Callable[[int, int], Room], *shape: int) -> Room:
    """Room to work in, remembered by each thread for the shapes it meets, while it is small."""
    remembered: dict[Any, Room] = _local.__dict__.setdefault("room", {})
    room = remembered.get((scratch, shape))
    if room is None:
        room = scratch(*shape)
        if sum(array.nbytes for array in room if array is not None) < 1 << 21:
            if len(remembered) >= 8:
                remembered.clear()
            remembered[scratch, shape] = room
    return room
