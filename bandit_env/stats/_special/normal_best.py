"""P(a variable is the largest) of correlated normal distributions, to 1e-6. See `probability_best`."""

from functools import cache
from math import ceil, log, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from bandit_env.compilation import kept
from bandit_env.stats._special import lanes
from bandit_env.stats._special.lanes import (
    WIDTH,
    Lanes,
    fma,
    formula,
    horner,
    kernel,
    load,
    smaller,
    spread,
    store,
    vexp,
    where,
)

Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-7  # an arm that beats the leader with less than this chance has no share
TOLERANCE = 1e-4  # of `_counts`; what is found is good to some 5e-7
MOST_POINTS = 2048  # over the common factors: with very many arms the tolerance grows until they suffice
MOST_NODES = 24  # of one factor
ANGLES, ANGLE_WEIGHTS = np.polynomial.legendre.leggauss(48)

# of Hart's approximation: P(x > z) = exp(-z^2 / 2) TAIL(z) / TAIL_BELOW(z)
TAIL = (
    *(220.2068679123761, 221.2135961699311, 112.0792914978709, 33.912866078383),
    *(6.37396220353165, 0.700383064443688, 0.0352624965998911),
)
TAIL_BELOW = (
    *(440.413735824752, 793.826512519948, 637.333633378831, 296.564248779674),
    *(86.7807322029461, 16.064177579207, 1.75566716318264, 0.0883883476483184),
)

compiled = kept([Path(__file__), Path(lanes.__file__)])


def probability_best(mean: Floats, covariance: Floats, available: NDArray[np.bool_]) -> Floats:
    """Chances to be the largest of x ~ N(mean, covariance) among those that are there.

    Two arms are the normal distribution function, three one integral. More are split into independent arms and common
    factors (`_split`): given the factors' values the arms are independent, so that one integral over the largest gives
    all arms' chances (`_race`); the factors, whose effect is small, take a few Gauss-Hermite nodes each.

    Args:
        mean: shape (n, K).
        covariance: shape (n, K, K).
        available: shape (n, K); at least one in every row.

    Returns:
        Shape (n, K), 0 for those that are not there, each row summing to 1.
    """
    keep = _contenders(mean, covariance, available)
    sizes, out = keep.sum(axis=1), np.zeros(mean.shape)
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        arms = np.nonzero(keep[rows])[1].reshape(-1, size)
        m, c = mean[rows[:, None], arms], covariance[rows[:, None, None], arms[:, :, None], arms[:, None, :]]
        out[rows[:, None], arms] = _few(m, c) if size <= 3 else _by_factors(m, *_split(c), _hermite())
    return out


def _contenders(mean: Floats, covariance: Floats, available: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The arms that are there and beat the one with the largest mean with a chance that is not negligible, (n, K)."""
    leader = np.where(available, mean, -np.inf).argmax(axis=1)[:, None]
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    shared = np.take_along_axis(covariance, leader[:, :, None], axis=1)[:, 0]
    apart = variance + np.take_along_axis(variance, leader, axis=1) - 2 * shared
    behind = mean - np.take_along_axis(mean, leader, axis=1)
    is_leader = np.arange(mean.shape[1]) == leader
    chance = ndtr(behind / np.sqrt(np.where(is_leader, 1.0, apart)))
    return np.asarray(available & (is_leader | (chance > NEGLIGIBLE)))


def _few(mean: Floats, covariance: Floats) -> Floats:
    """P(best) of at most three arms, shape (n, k)."""
    size = mean.shape[1]
    best = np.ones(mean.shape)
    if size == 1:
        return best
    for arm in range(size):
        others = [other for other in range(size) if other != arm]
        ahead = mean[:, [arm]] - mean[:, others]
        shared = covariance[:, others, arm]
        own = covariance[:, arm, arm]
        between = covariance[:, others][:, :, others] - shared[:, :, None] - shared[:, None, :] + own[:, None, None]
        z = ahead / np.sqrt(np.diagonal(between, axis1=1, axis2=2))
        best[:, arm] = ndtr(z[:, 0]) if size == 2 else _both_below(z, between)
    return np.asarray(best / best.sum(axis=1, keepdims=True))


def _both_below(z: Floats, covariance: Floats) -> Floats:
    """P(x < h, y < k): Phi(h) Phi(k) + int_0^asin(r) exp(-(h^2 + k^2 - 2 h k sin t) / (2 cos^2 t)) dt / (2 pi), (n,).

    Plackett (1954), Biometrika 41; the form is that of Drezner and Wesolowsky (1990). z has h and k, shape (n, 2).
    """
    r = covariance[:, 0, 1] / np.sqrt(covariance[:, 0, 0] * covariance[:, 1, 1])
    half = np.arcsin(np.clip(r, -1, 1))[:, None] / 2
    angle = half * (1 + ANGLES)
    h, k = z[:, :1], z[:, 1:]
    inside = np.exp(-(h * h + k * k - 2 * h * k * np.sin(angle)) / (2 * np.cos(angle) ** 2))
    integral = half[:, 0] * (inside * ANGLE_WEIGHTS).sum(axis=1) / (2 * np.pi)
    return np.asarray(np.clip(ndtr(z).prod(axis=1) + integral, 0, 1))


def _split(covariance: Floats) -> tuple[Floats, Floats, Floats]:
    """Write the variables as independent ones plus common factors, but for a term that all of them share.

    Such a term leaves the order as it is, so that the precision counts only as G = P - P 1 1' P / (1' P 1). For any
    diagonal D with D - G >= 0 the variables are N(0, D^-1) plus a factor for each eigenvector u of D^-1/2 G D^-1/2 with
    eigenvalue e: D^-1/2 u sqrt((1 - e) / e) times N(0, 1). D is chosen such that 1 - e, a factor's share of the
    variance, is small: first as if there were none (G_jk = -d_j d_k / sum d), then by principal factors.

    Returns:
        sd of the independent terms (n, k); shifts (n, k - 1, k), what one standard deviation of each factor adds; and
        the shares 1 - e (n, k - 1), falling.
    """
    size = covariance.shape[1]
    precision = np.linalg.inv(covariance)
    to_all = precision.sum(axis=1)
    gauge = precision - to_all[:, :, None] * to_all[:, None, :] / to_all.sum(axis=1)[:, None, None]
    own = np.diagonal(gauge, axis1=1, axis2=2)
    d = own * size / (size - 1)
    for _ in range(20):
        d = own / (1 - np.minimum(d / d.sum(axis=1, keepdims=True), 0.999))
    for _ in range(4):
        e, u = _eigen(gauge, d)
        common = np.maximum(1 - e[:, None, :3], 0) * u[:, :, :3] ** 2  # the shared term, and two factors
        d = own + d * common.sum(axis=2)
    e, u = _eigen(gauge, d)
    sd = 1 / np.sqrt(d * e[:, -1:])
    e = np.clip(e[:, 1:] / e[:, -1:], 1e-9, 1)  # the first is 0, of the shared term
    shifts = np.sqrt((1 - e) / e)[:, :, None] * u[:, :, 1:].swapaxes(1, 2) * sd[:, None, :]
    return sd, np.ascontiguousarray(shifts), 1 - e


def _eigen(gauge: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues (n, k), rising, and eigenvectors (n, k, k) of D^-1/2 G D^-1/2."""
    root = np.sqrt(d)
    e, u = np.linalg.eigh(gauge / (root[:, :, None] * root[:, None, :]))
    return e, u


@cache
def _hermite() -> Floats:
    """Gauss-Hermite nodes and weights for N(0, 1), shape (2, ., .): row n has the rule of n nodes."""
    rules = np.zeros((2, MOST_NODES + 1, MOST_NODES))
    for n in range(1, MOST_NODES + 1):
        rules[0, n, :n], rules[1, n, :n] = np.polynomial.hermite_e.hermegauss(n)
    rules[1] /= sqrt(2 * np.pi)
    return rules


@compiled
def _by_factors(mean: Floats, sd: Floats, shifts: Floats, strength: Floats, hermite: Floats) -> Floats:
    """P(best) of independent arms with common factors, shape (n, k)."""
    size, out = mean.shape[1], np.empty(mean.shape)
    centre, wide, room = np.empty(size), np.empty(size), np.empty((3 * size + 1) * WIDTH)
    counts, place = np.empty(size - 1, dtype=np.int64), np.empty(size - 1, dtype=np.int64)
    for i in range(mean.shape[0]):
        factors = _counts(strength[i], counts)
        for j in range(size):
            variance = sd[i, j] * sd[i, j]
            for f in range(factors, size - 1):  # those hardly there at all widen the arms alone
                variance += shifts[i, f, j] * shifts[i, f, j]
            wide[j] = sqrt(variance)
        room[:] = 0.0
        place[:] = 0
        while True:
            weight = 1.0
            centre[:] = mean[i]
            for f in range(factors):
                weight *= hermite[1, counts[f], place[f]]
                for j in range(size):
                    centre[j] += hermite[0, counts[f], place[f]] * shifts[i, f, j]
            if weight > 1e-10:
                _race(centre, wide, weight, room)
            f = 0
            while f < factors and place[f] == counts[f] - 1:
                place[f] = 0
                f += 1
            if f == factors:
                break
            place[f] += 1
        total = 0.0
        for j in range(size):
            out[i, j] = 0.0
            for lane in range(WIDTH):
                out[i, j] += room[(2 * size + j) * WIDTH + lane]
            total += out[i, j]
        for j in range(size):
            out[i, j] /= total
    return out


@compiled
def _counts(strength: Floats, counts: NDArray[np.int64]) -> int:
    """Write how many Gauss-Hermite nodes each factor needs, the strongest first; returns how many need more than one.

    The arms' own variances smooth what is integrated: along a factor that has the share s of the variance, the nth
    coefficient of its expansion in Hermite polynomials falls as s^(n/2), and n nodes leave out those from 2n on.
    """
    tolerance = TOLERANCE
    while True:
        points, factors = 1, 0
        for f in range(strength.size):
            needed = ceil(log(tolerance) / log(min(max(strength[f], 1e-15), 0.999)))
            counts[f] = min(max(needed, 1), MOST_NODES)
            points = min(points * counts[f], MOST_POINTS + 1)
            factors += counts[f] > 1
        if points <= MOST_POINTS:
            return factors
        tolerance *= 1.5


@kernel
def _race(mean: Floats, sd: Floats, weight: float, room: Floats) -> None:
    """Add to `room` the weight times P(best) of independent arms: int f_k prod_(j != k) F_j, by the trapezoidal rule.

    The Fourier transform of what is integrated falls as exp(-w^2 / (2 sum sd^-2)), so that a step of 1.1 / sqrt(sum
    sd^-2) leaves out 1e-7. Eight steps at a time: `room` has a vector of eight for each arm's density, distribution
    function and result, and one for the steps.
    """
    size = mean.size
    low, high, information = -np.inf, -np.inf, 0.0
    for j in range(size):
        low, high = max(low, mean[j] - 5.5 * sd[j]), max(high, mean[j] + 5.5 * sd[j])
        information += 1.0 / (sd[j] * sd[j])
    step = 1.1 / sqrt(information)
    for i in range(WIDTH):
        room[3 * size * WIDTH + i] = low + i * step
    for _ in range(int((high - low) / (step * WIDTH)) + 1):
        x = load(room, 3 * size)
        store(room, 3 * size, x + WIDTH * step)
        others = spread(weight * step)
        for j in range(size):
            below, density = _normal((x - mean[j]) * (1.0 / sd[j]))
            store(room, j, density * others * (1.0 / sd[j]))
            store(room, size + j, below)
            others = others * below
        others = spread(1.0)
        for j in range(size - 1, -1, -1):
            store(room, 2 * size + j, fma(load(room, j), others, load(room, 2 * size + j)))
            others = others * load(room, size + j)


@formula
def _normal(x: Lanes) -> tuple[Lanes, Lanes]:
    """The normal distribution function and its density: to 1e-11 beyond 7 standard deviations, to 1e-15 before.

    Hart (1968), "Computer Approximations", as in West (2005), "Better approximations to cumulative normal functions".
    """
    far = smaller(abs(x), 7.0)
    power = vexp(far * far * -0.5)
    tail = power * horner(far, TAIL) / horner(far, TAIL_BELOW)
    return where(x < 0.0, tail, 1.0 - tail), power * 0.3989422804014327
