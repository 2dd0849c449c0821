"""The conditional e-process: a test of equal rates that may be looked at at any time, under any weights.

Given how many visits an update sent to an arm and to the control, and how many of both converted, the arm's conversions
are hypergeometric if both have the same rate: whatever that rate is on the day, whatever decided the weights, whenever
one stops. An alternative with log odds ratio d makes it Fisher's noncentral hypergeometric, so that

    E_t = sum_j pi_j prod_s exp(d_j c_s) / sum_x Hyp(x) exp(d_j x),

pi N(0, 0.3^2) on 49 points d_j of [-1.2, 1.2], has mean 1 at every t under equal rates and exceeds 1/alpha at any time
with a chance of at most alpha (Ville). The form is that of Lindon and Malek (2022), "Anytime-valid inference for
multinomial count data", NeurIPS; M of `hypergeometric` is the denominator.

Strata are updates. Counts must be the update's own visits and *their* conversions: where conversions arrive late, an
update's conversions belong to earlier visits and the guarantee is void.

    >>> visits = [[50, 50], [40, 60], [30, 70]]  # three updates of two arms
    >>> conversions = [[2, 9], [1, 12], [1, 15]]
    >>> log_e = log_e_values(conversions, visits)
    >>> log_e[:, 1].round(4)
    array([0.3522, 1.6456, 3.2591])
    >>> always_valid_p_values(log_e)[:, 1].round(4)
    array([0.7032, 0.1929, 0.0384])
    >>> low, high = confidence_sequence(conversions, visits)
    >>> round(float(low[-1, 1]), 4), round(float(high[-1, 1]), 4)
    (0.0231, inf)
"""

from functools import cache
from math import log

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import ArrayLike, NDArray

from bandit_env.stats.checks import check_control, check_counts, check_level, first

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NODES: Floats = np.linspace(-1.2, 1.2, 49)  # log odds ratios
SPREAD = 0.3  # standard deviation of the alternatives' normal prior
_weights = np.exp(-0.5 * (NODES / SPREAD) ** 2)
LOG_PRIOR: Floats = np.log(_weights / _weights.sum())


def log_e_values(conversions: ArrayLike, visits: ArrayLike, control: int = 0) -> Floats:
    """Log E of every arm against the control, after each update.

    Args:
        conversions, visits: of each update alone (not cumulative), whole numbers, shape (..., T, K).
        control: the arm that the others are compared with.

    Returns:
        Shape (..., T, K); 0 for the control.

    Raises:
        ValueError: counts that cannot be, or no such control.
    """
    return _follow(conversions, visits, control)[0]


def new_state(num_experiments: int, num_arms: int) -> Floats:
    """Where n e-processes of K arms begin: log-likelihood ratios at the nodes, shape (n, K, 49)."""
    return np.zeros((num_experiments, num_arms, len(NODES)))


def update_state(
    state: Floats,
    new_conversions: ArrayLike,
    new_visits: ArrayLike,
    control: int = 0,
    rows: NDArray[np.int64] | None = None,
) -> Floats:
    """Add an update to `state`, in place.

    Args:
        state: of `new_state`, shape (n, K, 49).
        new_conversions, new_visits: of this update alone, whole numbers, shape (m, K).
        control: the arm that the others are compared with.
        rows: the m experiments, as indices of the state's first axis; None is all.

    Returns:
        log E of these experiments after the update, shape (m, K); 0 for the control.

    Raises:
        ValueError: counts that cannot be, or no such control.

    >>> state = new_state(num_experiments=1, num_arms=2)
    >>> update_state(state, [[2, 9]], [[50, 50]]).round(4)
    array([[0.    , 0.3522]])
    >>> update_state(state, [[1, 12]], [[40, 60]]).round(4)
    array([[0.    , 1.6456]])
    """
    s, v = _whole(*check_counts(new_conversions, new_visits, "(m, K)"))
    rows = np.arange(len(state)) if rows is None else rows
    if v.shape != (len(rows), state.shape[1]):
        expected = f"{(len(rows), state.shape[1])}, a row for each experiment"
        raise ValueError(f"new_conversions and new_visits have shape {v.shape}; expected {expected}")
    return _advance(state, s, v, check_control(control, state.shape[1]), rows)


def current_log_e(state: Floats) -> Floats:
    """Log E of a state, shape (..., K) of (..., K, 49): log sum_j pi_j exp(state_j).

    >>> current_log_e(new_state(1, 2)).round(12) + 0
    array([[0., 0.]])
    """
    terms = state + LOG_PRIOR
    highest = terms.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(terms - highest).sum(axis=-1)) + highest[..., 0])


def always_valid_p_values(log_e: ArrayLike) -> Floats:
    """The smallest 1/E so far, at most 1: below alpha at any time with a chance of at most alpha.

    Args:
        log_e: of `log_e_values`, shape (..., T, K).

    Returns:
        Shape (..., T, K).

    >>> always_valid_p_values([[0.0, 0.7], [0.0, 3.2], [0.0, 2.5]])[:, 1].round(4)
    array([0.4966, 0.0408, 0.0408])
    """
    return np.exp(-np.maximum.accumulate(np.maximum(np.asarray(log_e, np.float64), 0), axis=-2))


def confidence_sequence(
    conversions: ArrayLike, visits: ArrayLike, level: float = 0.95, control: int = 0
) -> tuple[Floats, Floats]:
    """Intervals of the log odds ratio of each arm to the control that hold at all times together.

    What the e-process does not reject: with l(d) the log-likelihood ratio of d to 0, log E - l(d) is the log of an
    e-process for "the log odds ratio is d", and the interval is where it is below log(1/alpha): 0 is outside exactly
    where E reaches 1/alpha. The odds ratio, not the rates, must stay the same over time.

    Args:
        conversions, visits: of each update alone, whole numbers, shape (..., T, K).
        level: the chance that all intervals hold, in (0, 1).
        control: the arm that the others are compared with.

    Returns:
        (low, high), each of shape (..., T, K), after each update; 0 for the control. Intersecting them over time
        (np.maximum.accumulate, np.minimum.accumulate) keeps the level. Beyond +-1.2 they are wider than they need be,
        inf where nothing is known there.

    Raises:
        ValueError: counts that cannot be, no such control, or a level outside (0, 1).
    """
    check_level(level)
    log_e, states = _follow(conversions, visits, control)
    return bounds(states, log_e, level, control)


def bounds(state: Floats, log_e: Floats, level: float = 0.95, control: int = 0) -> tuple[Floats, Floats]:
    """The confidence sequence at a state: `confidence_sequence` for those who follow the updates themselves.

    Args:
        state: shape (..., K, 49).
        log_e: of the state, shape (..., K).
        level: the chance that all intervals hold, in (0, 1).
        control: the control's index.

    Returns:
        (low, high) of the log odds ratio, each of shape (..., K).

    Raises:
        ValueError: a level outside (0, 1), or no such control.

    >>> state = new_state(1, 2)
    >>> value = update_state(state, [[400, 900]], [[5000, 5000]])
    >>> low, high = bounds(state, value)
    >>> low.round(3), high.round(3)
    (array([[0.   , 0.657]]), array([[0.   , 1.203]]))
    """
    check_level(level)
    control = check_control(control, state.shape[-2])
    above = state - (log_e - log(1 / (1 - level)))[..., None]  # positive inside
    low, high = -_edge(above[..., ::-1]), _edge(above)
    low[..., control] = high[..., control] = 0.0
    return low, high


def bonferroni(log_e: ArrayLike, alpha: float = 0.05, control: int = 0) -> Bools:
    """Which arms differ from the control: those with E >= (K - 1)/alpha; at most alpha chance of any false one, ever.

    Args:
        log_e: shape (..., K).
        alpha: in (0, 1).
        control: the control's index.

    Returns:
        Shape (..., K); False for the control.

    Raises:
        ValueError: an alpha outside (0, 1), or no such control.

    >>> bonferroni(np.log([1, 35, 50]))
    array([False, False,  True])
    """
    e, control = _e_values(log_e, alpha, control)
    named = e >= log((e.shape[-1] - 1) / alpha)
    named[..., control] = False
    return named


def e_bh(log_e: ArrayLike, alpha: float = 0.05, control: int = 0) -> Bools:
    """Which arms differ from the control, with at most an expected share alpha of false ones among them.

    The e-BH procedure (Wang and Ramdas 2022, JRSS B 84): of K - 1 e-values, the k largest, k the largest number with
    k E_(k) >= (K - 1)/alpha; valid under any dependence, such as that of a common control.

    Args:
        log_e: shape (..., K).
        alpha: in (0, 1).
        control: the control's index.

    Returns:
        Shape (..., K); False for the control.

    Raises:
        ValueError: an alpha outside (0, 1), or no such control.

    >>> e_bh(np.log([1, 35, 50]))
    array([False,  True,  True])
    """
    e, control = _e_values(log_e, alpha, control)
    e = e.copy()
    e[..., control] = -np.inf
    ordered = -np.sort(-e, axis=-1)
    number = np.arange(1, e.shape[-1] + 1)
    enough = ordered + np.log(number) >= log((e.shape[-1] - 1) / alpha)
    least = np.where(enough, ordered, np.inf).min(axis=-1, keepdims=True)
    return np.asarray(e >= least)


@cache
def _rule() -> tuple[Floats, ...]:
    from bandit_env.stats import hypergeometric  # compiled: loaded when it is asked for

    return hypergeometric.rule(NODES)


def _advance(state: Floats, conversions: Floats, visits: Floats, control: int, rows: NDArray[np.int64]) -> Floats:
    from bandit_env.stats import hypergeometric

    result = np.empty(visits.shape)
    counts = (np.require(x, np.float64, ["C", "W"]) for x in (visits, conversions))
    rows = np.require(rows, np.int64, ["C", "W"])
    hypergeometric.advance(*counts, rows, control, _rule(), hypergeometric.scratch(), state, LOG_PRIOR, result)
    return result


def _follow(conversions: ArrayLike, visits: ArrayLike, control: int) -> tuple[Floats, Floats]:
    """Log E (..., T, K) and the state (..., T, K, 49) after each update."""
    s, v = _whole(*check_counts(conversions, visits, "(..., T, K)"))
    updates, arms = v.shape[-2:]
    control = check_control(control, arms)
    flat = s.reshape(-1, updates, arms), v.reshape(-1, updates, arms)
    values = np.empty(flat[0].shape)
    states = np.empty((*values.shape, len(NODES)))
    state, rows = new_state(len(values), arms), np.arange(len(values))
    for t in range(updates):
        values[:, t] = _advance(state, flat[0][:, t], flat[1][:, t], control, rows)
        states[:, t] = state
    return values.reshape(v.shape), states.reshape(*v.shape, len(NODES))


def _edge(above: Floats) -> Floats:
    """Where a concave function, given at the nodes and positive somewhere, falls to 0 on the right."""
    last = len(NODES) - 1
    step = NODES[1] - NODES[0]
    inside = above > 0
    left = last - inside[..., ::-1].argmax(axis=-1)  # the last node inside
    # to the right of the grid the function is below its last chord
    end, slope = above[..., last], (above[..., last] - above[..., last - 1]) / step
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = np.where(slope < 0, NODES[last] - end / slope, np.inf)
    first_ = np.clip(left - 2, 0, last - 5)  # six nodes about the edge: the function is analytic within pi of the axis
    values = np.take_along_axis(above, first_[..., None] + np.arange(6), axis=-1)
    series = np.einsum("...dk,...k->...d", _series_of_six()[left - first_], values)
    low, high = np.zeros_like(beyond), np.ones_like(beyond)
    for _ in range(44):
        middle = 0.5 * (low + high)
        value = series[..., 5]
        for degree in range(4, -1, -1):
            value = value * middle + series[..., degree]
        low, high = np.where(value > 0, middle, low), np.where(value > 0, high, middle)
    return np.where(left == last, beyond, NODES[0] + step * (left + low))


@cache
def _series_of_six() -> Floats:
    """From a function's values at 0 to 5 to its power series about each of them, shape (6, 6 degrees, 6 values)."""
    matrix = np.empty((6, 6, 6))
    for about in range(6):
        for i in range(6):
            others = [j for j in range(6) if j != i]
            matrix[about, :, i] = polynomial.polyfromroots(np.subtract(others, about)) / np.prod(np.subtract(i, others))
    return matrix


def _e_values(log_e: ArrayLike, alpha: float, control: int) -> tuple[Floats, int]:
    e = np.asarray(log_e, np.float64)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; expected a number between 0 and 1, both excluded")
    if e.ndim == 0 or e.shape[-1] < 2:
        raise ValueError(f"log_e has shape {e.shape}; expected (..., K), K at least 2 arms")
    return e, check_control(control, e.shape[-1])


def _whole(conversions: Floats, visits: Floats) -> tuple[Floats, Floats]:
    for name, counts in (("visits", visits), ("conversions", conversions)):
        broken = counts != np.floor(counts)
        if broken.any():
            where = first(broken)
            raise ValueError(f"{name}{list(where)} is {counts[where]}; expected a whole number")
    return conversions, visits
