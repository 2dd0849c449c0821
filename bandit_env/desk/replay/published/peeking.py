"""Robinson (2015), "Is Bayesian A/B Testing Immune to Peeking? Not Exactly"; and Johari's statistic."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, gammaln

from agents.stopping.always_valid import log_mixture_ratio, log_pooled_mixture_ratio
from bandit_env.desk.replay.entry import Entry, Figure, mean
from bandit_env.desk.replay.playing import Stage
from bandit_env.stats.posterior import expected_loss

SOURCE = 'Robinson (2015), "Is Bayesian A/B Testing Immune to Peeking? Not Exactly"'
DOUBLED = "its sums run over two priors at once, which doubles the traffic: 20,000 a day instead of 10,000"
DAYS, RUNS = 20, 5000


def _chi_square(stage: Stage) -> list[Figure]:
    replications, rng = stage.count(10_000), np.random.default_rng(2015)
    visits = rng.binomial(10_000, 0.5, (2, replications, DAYS)).cumsum(axis=2)
    new = np.diff(visits, axis=2, prepend=0)
    conversions = rng.binomial(new, 0.001).cumsum(axis=2)
    p_value = _test(conversions, visits)
    return [
        mean("significant on day 20", 0.0534, p_value[:, -1] < 0.05, unit=1e-4, runs=RUNS),
        mean("significant on any day", 0.2268, (p_value < 0.05).any(axis=1), unit=1e-4, runs=RUNS),
    ]


def _test(conversions: NDArray[np.int64], visits: NDArray[np.int64]) -> NDArray[np.float64]:
    """His package's test: Fisher's while an arm has under 20 conversions, then an uncorrected chi-square."""
    c, n = conversions.astype(float), visits.astype(float)
    total, everyone = c.sum(axis=0), n.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        excess = c[0] - total * n[0] / everyone
        variance = total * (everyone - total) / everyone**2 * n[0] * n[1] / everyone
        p_value: NDArray[np.float64] = np.asarray(chdtrc(1, excess**2 / variance))
    few = c.min(axis=0) < 20
    p_value[few] = _fisher(conversions[0][few], total[few].astype(int), visits[0][few], visits[1][few])
    return p_value


def _fisher(
    first: NDArray[np.int64], total: NDArray[np.int64], visits_0: NDArray[np.int64], visits_1: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Two-sided p-values of Fisher's exact test: all tables that are no more probable."""
    table = np.arange(total.max() + 1)
    n0, n1, left = visits_0[:, None], visits_1[:, None], total[:, None] - table
    inside = left >= 0  # the hypergeometric distribution, up to its constant
    log_chance = (
        -gammaln(table + 1) - gammaln(n0 - table + 1) - gammaln(np.maximum(left, 0) + 1) - gammaln(n1 - left + 1)
    )
    chance = np.where(inside, np.exp(log_chance - np.where(inside, log_chance, -np.inf).max(axis=1, keepdims=True)), 0)
    own = np.take_along_axis(chance, first[:, None], axis=1)
    return np.asarray(np.where(chance <= own * (1 + 1e-7), chance, 0).sum(axis=1) / chance.sum(axis=1))


def _expected_loss(stage: Stage) -> list[Figure]:
    replications = stage.count(40_000)
    honest = _loss_below(5_000, replications, np.random.default_rng(2015))
    doubled = _loss_below(10_000, replications, np.random.default_rng(2016))
    return [
        mean("ships the worse arm on day 20", 0.025, honest[:, -1], unit=1e-3, runs=RUNS, known=DOUBLED),
        mean("ships the worse arm on any day", 0.118, honest.any(axis=1), unit=1e-3, runs=RUNS, known=DOUBLED),
        mean("the same at 20,000 a day, day 20", 0.025, doubled[:, -1], unit=1e-3, runs=RUNS),
        mean("the same at 20,000 a day, any day", 0.118, doubled.any(axis=1), unit=1e-3, runs=RUNS),
    ]


def _loss_below(visits_per_arm: int, replications: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Whether the expected loss of the worse arm is below the threshold, by day, shape (replications, DAYS)."""
    conversions = rng.binomial(visits_per_arm, [0.001, 0.0009], (replications, DAYS, 2)).cumsum(axis=1)
    visits = np.broadcast_to(visits_per_arm * np.arange(1, DAYS + 1)[:, None], conversions.shape)
    return np.asarray(expected_loss(conversions, visits, prior=(10, 90))[..., 1] < 1e-5)


def _johari(stage: Stage) -> list[Figure]:
    conversions, visits = np.array([[447, 558], [200, 250]], float), np.array([[11_165] * 2, [5_000] * 2], float)
    unpooled = np.exp(log_mixture_ratio(conversions, visits, 1e-4)[:, 1])
    pooled = np.exp(log_pooled_mixture_ratio(conversions, visits, 1e-4)[:, 1])
    return [
        Figure("447 v 558 of 11,165", 103.976843, float(unpooled[0]), 1e-6),
        Figure("200 v 250 of 5,000", 4.589102, float(unpooled[1]), 1e-6),
        Figure("447 v 558 of 11,165, variance pooled", 103.623259, float(pooled[0]), 1e-6),
        Figure("200 v 250 of 5,000, variance pooled", 4.582643, float(pooled[1]), 1e-6),
    ]


ENTRIES = (
    Entry("robinson-chi-square", SOURCE, "20 daily looks, .001 v .001, 10,000 visits a day", _chi_square),
    Entry("robinson-expected-loss", SOURCE, "20 daily looks, .001 v .0009, Beta(10, 90), 1e-5", _expected_loss),
    Entry(
        "johari-mixture-sprt",
        "Johari, Koomen, Pekelis and Walsh (2022), Operations Research 70, eq. 9, recomputed at 30 digits",
        "variance of the mixing distribution 1e-4",
        _johari,
    ),
)
