"""P(a variable is the largest) of a correlated normal distribution, compiled. See `probability_best`."""

from math import asin, ceil, cos, erfc, exp, log, pi, sin, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
SOURCES = [Path(__file__), Path(lanes.__file__)]
compiled = kept(SOURCES)


def _hermite() -> tuple[Floats, Floats]:
    """Gauss-Hermite nodes and weights for N(0, 1): row n has the rule of n nodes."""
    nodes, weights = np.zeros((2, MOST_NODES + 1, MOST_NODES))
    for n in range(1, MOST_NODES + 1):
        nodes[n, :n], weights[n, :n] = np.polynomial.hermite_e.hermegauss(n)
    return nodes, weights / sqrt(2 * pi)


LEGENDRE = np.stack(np.polynomial.legendre.leggauss(48))
HERMITE = np.stack(_hermite())
# of Hart's approximation: P(x > z) = exp(-z^2 / 2) TAIL(z) / TAIL_BELOW(z)
TAIL = (
    *(220.2068679123761, 221.2135961699311, 112.0792914978709, 33.912866078383),
    *(6.37396220353165, 0.700383064443688, 0.0352624965998911),
)
TAIL_BELOW = (
    *(440.413735824752, 793.826512519948, 637.333633378831, 296.564248779674),
    *(86.7807322029461, 16.064177579207, 1.75566716318264, 0.0883883476483184),
)


@compiled
def probability_best(
    mean: Floats, covariance: Floats, available: NDArray[np.bool_], legendre: Floats, hermite: Floats
) -> Floats:
    """P(best) of the arms that are there, shape (K,): chances to be the largest of x ~ N(mean, covariance).

    Two arms are the normal distribution function, three one integral. More are split into independent arms and common
    factors (`_split`): given the factors' values the arms are independent, so that one integral over the largest gives
    all arms' chances (`_race`); the factors, whose effect is small, take a few Gauss-Hermite nodes each.
    """
    out = np.zeros(mean.size)
    chosen = _contenders(mean, covariance, available)
    leader = chosen[mean[chosen].argmax()]
    if chosen.size > 3:
        between = covariance[chosen][:, chosen]
        out[chosen] = _by_factors(mean[chosen], between, hermite)
        return out
    out[leader] = 1.0  # less the others: their shares are small, and so are their errors
    for arm in chosen:
        if arm == leader:
            continue
        others = chosen[chosen != arm]
        size = others.size
        bound, between = np.empty(size), np.empty((size, size))  # of others minus arm; all below 0
        for j in range(size):
            bound[j] = mean[arm] - mean[others[j]]
            for k in range(size):
                a, b = others[j], others[k]
                between[j, k] = covariance[a, b] - covariance[a, arm] - covariance[b, arm] + covariance[arm, arm]
        chance = _below(bound[0] / sqrt(between[0, 0])) if size == 1 else _two(bound, between, legendre)
        out[arm] = min(chance, out[leader])
        out[leader] -= out[arm]
    return out


@compiled
def _contenders(mean: Floats, covariance: Floats, available: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The arms that are there and beat the one with the largest mean with a chance that is not negligible."""
    leader = -1
    for k in range(mean.size):
        if available[k] and (leader < 0 or mean[k] > mean[leader]):
            leader = k
    keep = np.zeros(mean.size, dtype=np.bool_)
    for k in range(mean.size):
        variance = covariance[k, k] + covariance[leader, leader] - 2.0 * covariance[k, leader]
        keep[k] = available[k] and (k == leader or _below((mean[k] - mean[leader]) / sqrt(variance)) > NEGLIGIBLE)
    return np.flatnonzero(keep)


@compiled
def _two(bound: Floats, covariance: Floats, legendre: Floats) -> float:
    """P(x < bound) of two: Phi(h) Phi(k) + int_0^asin(r) exp(-(h^2 + k^2 - 2 h k sin t) / (2 cos^2 t)) dt / (2 pi).

    Plackett (1954), Biometrika 41; the form is that of Drezner and Wesolowsky (1990).
    """
    h, k = bound[0] / sqrt(covariance[0, 0]), bound[1] / sqrt(covariance[1, 1])
    r = covariance[0, 1] / sqrt(covariance[0, 0] * covariance[1, 1])
    half = asin(min(max(r, -1.0), 1.0)) / 2.0
    total = 0.0
    for node in range(legendre.shape[1]):
        angle = half * (1.0 + legendre[0, node])
        total += legendre[1, node] * exp(-(h * h + k * k - 2.0 * h * k * sin(angle)) / (2.0 * cos(angle) ** 2))
    value: float = _below(h) * _below(k) + total * half / (2.0 * pi)
    return min(max(value, 0.0), 1.0)


@compiled
def _by_factors(mean: Floats, covariance: Floats, hermite: Floats) -> Floats:
    """P(best) of four arms and more, shape (k,)."""
    size = mean.size
    sd, shifts, strength = _split(covariance)
    counts = _counts(strength)
    factors = (counts > 1).sum()  # the others, hardly there at all, widen the arms alone
    widened = sd * sd
    for f in range(factors, strength.size):
        widened += shifts[f] * shifts[f]
    widened = np.sqrt(widened)
    place, centre, room = np.zeros(factors, dtype=np.int64), np.empty(size), np.zeros((3 * size + 1) * WIDTH)
    while True:
        centre[:] = mean
        weight = 1.0
        for f in range(factors):
            weight *= hermite[1, counts[f], place[f]]
            centre += hermite[0, counts[f], place[f]] * shifts[f]
        if weight > 1e-10:
            _race(centre, widened, weight, room)
        f = 0
        while f < factors and place[f] == counts[f] - 1:
            place[f] = 0
            f += 1
        if f == factors:
            out = room[2 * size * WIDTH : 3 * size * WIDTH].reshape(size, WIDTH).sum(axis=1)
            return out / out.sum()
        place[f] += 1


@compiled
def _counts(strength: Floats) -> NDArray[np.int64]:
    """How many Gauss-Hermite nodes each factor needs, shape (r,), the strongest first.

    The arms' own variances smooth what is integrated: along a factor that has the share s of the variance, the nth
    coefficient of its expansion in Hermite polynomials falls as s^(n/2), and n nodes leave out those from 2n on.
    """
    counts = np.ones(strength.size, dtype=np.int64)
    tolerance = TOLERANCE
    while True:
        points = 1
        for f in range(strength.size):
            needed = log(tolerance) / log(min(max(strength[f], 1e-15), 0.999))
            counts[f] = min(max(ceil(needed), 1), MOST_NODES)
            points = min(points * counts[f], MOST_POINTS + 1)
        if points <= MOST_POINTS:
            return counts
        tolerance *= 1.5


@compiled
def _split(covariance: Floats) -> tuple[Floats, Floats, Floats]:
    """Write the variables as independent ones plus common factors, but for a term that all of them share.

    Such a term leaves the order as it is, so that the precision counts only as G = P - P 1 1' P / (1' P 1). For any
    diagonal D with D - G >= 0 the variables are N(0, D^-1) plus a factor for each eigenvector u of D^-1/2 G D^-1/2 with
    eigenvalue e: D^-1/2 u sqrt((1 - e) / e) times N(0, 1). D is chosen such that 1 - e, a factor's share of the
    variance, is small: first as if there were none (G_jk = -d_j d_k / sum d), then by principal factors.

    Returns:
        sd of the independent terms (k,); shifts (k - 1, k), what one standard deviation of each factor adds; and the
        shares 1 - e (k - 1,), falling.
    """
    size = covariance.shape[0]
    precision = np.linalg.inv(covariance)
    to_all = precision.sum(axis=0)
    gauge = precision - np.outer(to_all, to_all) / to_all.sum()
    own = np.diag(gauge).copy()
    d = own * size / (size - 1)
    for _ in range(20):
        d = own / (1.0 - np.minimum(d / d.sum(), 0.999))
    for _ in range(4):
        e, u = _eigen(gauge, d)
        common = (np.maximum(1.0 - e[:3], 0.0) * u[:, :3] ** 2).sum(axis=1)  # the shared term, and two factors
        d = own + d * common
    e, u = _eigen(gauge, d)
    d *= e[size - 1]
    e = np.minimum(np.maximum(e / e[size - 1], 1e-9), 1.0)
    sd = 1.0 / np.sqrt(d)
    shifts = np.empty((size - 1, size))
    for f in range(size - 1):
        shifts[f] = sqrt((1.0 - e[f + 1]) / e[f + 1]) * u[:, f + 1] * sd
    return sd, shifts, 1.0 - e[1:]


@compiled
def _eigen(gauge: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues, rising, and eigenvectors of D^-1/2 G D^-1/2; the first is 0, of the shared term."""
    root = np.sqrt(d)
    e, u = np.linalg.eigh(gauge / np.outer(root, root))
    return e, u


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


@compiled
def _below(x: float) -> float:
    """The normal distribution function."""
    chance: float = 0.5 * erfc(-x / 1.4142135623730951)
    return chance
