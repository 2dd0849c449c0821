"""Rules that look more than once: group-sequential boundaries, mixture SPRT, confidence sequences, GLR."""

import numpy as np
import pytest
from play import first_action, play
from scipy import stats
from scipy.integrate import quad

import agents
from agents.allocations.uniform import Uniform
from agents.evidence import Evidence
from agents.stopping import (
    ConfidenceSequence,
    GeneralizedLikelihoodRatio,
    GroupSequential,
    MixtureSPRT,
    RepeatedTest,
)
from agents.stopping.always_valid import (
    confidence_bounds,
    likelihood_ratio,
    log_mixture_ratio,
    log_pooled_mixture_ratio,
)
from agents.stopping.boundaries import SHAPES, boundaries, crossing_probability, crossings
from agents.stopping.group_sequential import plan_looks
from bandit_env.world.task import Task


def equal(looks):
    return tuple(k / looks for k in range(1, looks + 1))


@pytest.mark.parametrize(
    ("looks", "chance"),
    # Armitage, McPherson and Rowe (1969), table 2: .05 .083 .142 .193 .248 .320 .374; a fourth digit by our
    # own quadrature.
    [(1, 0.0500), (2, 0.0831), (5, 0.1417), (10, 0.1934), (20, 0.2479), (50, 0.3205), (100, 0.3736)],
)
def test_the_chance_that_some_look_exceeds_1_96(looks, chance):
    assert crossing_probability([stats.norm.isf(0.025)] * looks, equal(looks)) == pytest.approx(chance, abs=5e-5)


def test_published_constants():
    # Five looks, two-sided .05: Pocock (1977) 2.4132; O'Brien and Fleming (1979) 2.0401 sqrt(5 / k).
    assert boundaries("pocock", equal(5), 0.05) == pytest.approx([2.4132] * 5, abs=5e-5)
    expected = [2.0401 * np.sqrt(5 / k) for k in range(1, 6)]
    assert boundaries("obrien-fleming", equal(5), 0.05) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("drift", [-1.3, 0.0, 2.0])
def test_crossings_tell_below_from_above(drift):
    """One look is a normal integral; with more, a drift the other way changes the sides, and nothing else."""
    [[below, above]] = crossings([1.96], [1.0], drift)
    assert (below, above) == pytest.approx((stats.norm.cdf(-1.96 - drift), stats.norm.sf(1.96 - drift)), abs=1e-9)
    bounds = boundaries("pocock", equal(4), 0.05)
    found, mirrored = (crossings(bounds, equal(4), d) for d in (drift, -drift))
    np.testing.assert_allclose(found, mirrored[:, ::-1], atol=1e-9)
    assert (np.sign(found[:, 1] - found[:, 0]) == np.sign(drift)).all() or drift == 0


def stays_inside(bounds, times):
    """P(no crossing) from SciPy's multivariate normal integral."""
    times = np.array(times)
    covariance = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    law = stats.multivariate_normal(cov=covariance, seed=0)
    law.abseps, law.releps, law.maxpts = 1e-6, 1e-6, 500_000  # older SciPy takes them in no other way
    return law.cdf(np.array(bounds), lower_limit=-np.array(bounds))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_level_by_the_multivariate_normal_integral(shape):
    times = (0.1, 0.5, 0.6, 1.0)
    bounds = boundaries(shape, times, 0.05)
    assert 1 - stays_inside(bounds, times) == pytest.approx(0.05, abs=5e-6)


@pytest.mark.parametrize(
    ("shape", "spent"),
    [
        ("pocock-spending", lambda t: 0.05 * np.log(1 + (np.e - 1) * t)),
        ("obrien-fleming-spending", lambda t: 4 * stats.norm.sf(stats.norm.isf(0.05 / 4) / np.sqrt(t))),
    ],
)
def test_spending_functions_are_spent_look_by_look(shape, spent):
    times = (0.3, 0.5, 0.8, 1.0)
    bounds = boundaries(shape, times, 0.05)
    assert 2 * stats.norm.sf(bounds[0]) == pytest.approx(spent(0.3), rel=1e-9)
    for looks in (2, 4):
        crossed = 1 - stays_inside(bounds[:looks], times[:looks])
        assert crossed == pytest.approx(spent(times[looks - 1]), abs=5e-6)


def test_daily_looks_keep_the_level():
    times = tuple(day / 223 for day in range(14, 224))
    for shape in SHAPES:
        bounds = boundaries(shape, times, 0.05)
        assert crossing_probability(list(bounds), times) == pytest.approx(0.05, abs=1e-9)
    assert boundaries("pocock", (1.0,), 0.05) == pytest.approx([stats.norm.isf(0.025)])


def walk_on_a_lattice(bounds, times, points):
    """P(|z| exceeds its bound at some look) by Simpson's rule on a fixed number of points: no code of the package's."""
    nodes, mass, before, crossed = np.zeros(1), np.ones(1), 0.0, []
    simpson = np.array([1.0] + [4.0, 2.0] * (points // 2 - 1) + [4.0, 1.0]) / 3
    for bound, time in zip(np.minimum(bounds, 9.0), times, strict=True):
        sd, edge = np.sqrt(time - before), bound * np.sqrt(time)
        crossed.append(mass @ (stats.norm.sf(edge - nodes, scale=sd) + stats.norm.sf(edge + nodes, scale=sd)))
        new = np.linspace(-edge, edge, points + 1)
        density = np.exp(-(((new[:, None] - nodes) / sd) ** 2) / 2) @ mass / (sd * np.sqrt(2 * np.pi))
        nodes, mass, before = new, density * simpson * (new[1] - new[0]), time
    return np.cumsum(crossed)


@pytest.mark.parametrize(
    ("shape", "spent"),
    [
        ("pocock-spending", lambda t: 0.05 * np.log(1 + (np.e - 1) * t)),
        ("obrien-fleming-spending", lambda t: 4 * stats.norm.sf(stats.norm.isf(0.05 / 4) / np.sqrt(t))),
    ],
)
def test_spending_boundaries_by_another_quadrature(shape, spent):
    times = (0.02, *np.arange(2, 31) / 30)  # unequal steps, thirty looks
    bounds = boundaries(shape, tuple(times), 0.05)
    assert walk_on_a_lattice(bounds, times, 600) == pytest.approx([spent(t) for t in times], abs=1e-9)


def test_spending_boundaries_of_thousands_of_looks():
    # What is spent by each look is what the function says, by integration over the bounds once more.
    times = equal(4800)
    bounds = boundaries("obrien-fleming-spending", times, 0.05)
    for looks in (2400, 4800):
        spent = 4 * stats.norm.sf(stats.norm.isf(0.05 / 4) / np.sqrt(looks / 4800))
        assert crossing_probability(list(bounds[:looks]), times[:looks]) == pytest.approx(spent, abs=1e-9)


def test_looks_are_planned_in_updates():
    task = Task(2, 100, updates_per_day=2, min_days=14, max_days=100)
    assert plan_looks(task, 5, None) == (40, 80, 120, 160, 200)
    assert plan_looks(task, 5, 33) == (40, 53, 66)  # 13.2 and 26.4 updates come before day 14
    assert plan_looks(task, "all", 15) == (28, 29, 30)
    assert plan_looks(task, 3, 5) == (10,)


def test_group_sequential_looks_when_planned_and_ends():
    rule, task = GroupSequential("pocock", looks=5), {"max_days": 50}
    winning, open_, losing = [500, 600], [500, 540], [600, 500]  # z 3.1, 1.3, -3.1 at 10,000 each
    visits = [10_000, 10_000]
    agent = Uniform(stopping=rule)

    def decide(conversions, day):
        _, declared, claims = first_action(agent, conversions, visits, day=day, **task)
        return int(declared[0]), bool(claims[0])

    assert decide(winning, 19) == (-1, False)
    assert decide(winning, 20) == (1, True)
    assert decide(losing, 20) == (0, True)
    assert decide(open_, 20) == (-1, False)
    assert decide(open_, 50) == (0, False)
    assert decide(winning, 50) == (1, True)


def test_group_sequential_keeps_its_level_in_play():
    count = 8000
    task = Task(2, 500, max_days=40)
    rates = np.full((count, 2), 0.2)
    for rule in (GroupSequential("obrien-fleming"), GroupSequential("pocock-spending", looks="all")):
        claimed = play(Uniform(stopping=rule), rates, task, seed=0).claims.mean()
        assert abs(claimed - 0.05) < 4 * np.sqrt(0.05 * 0.95 / count) + 0.002


def test_peeking_breaks_the_level_as_predicted():
    count = 8000
    claimed = play(
        Uniform(stopping=RepeatedTest()), np.full((count, 2), 0.2), Task(2, 1000, max_days=20), seed=0
    ).claims
    assert abs(claimed.mean() - 0.2479) < 4 * np.sqrt(0.25 * 0.75 / count) + 0.003  # 20 looks, as above


@pytest.mark.parametrize(
    ("conversions", "visits", "ratio"),
    # Johari et al. with tau^2 = 1e-4, recomputed by two programmes.
    [([447, 558], [11165, 11165], 103.976843), ([200, 250], [5000, 5000], 4.589102)],
)
def test_mixture_sprt_statistic_as_published(conversions, visits, ratio):
    found = np.exp(log_mixture_ratio(np.array([conversions], float), np.array([visits], float), 1e-4))
    assert found[0] == pytest.approx([1, ratio], abs=5e-7)


@pytest.mark.parametrize(
    ("conversions", "visits", "log_ratio"),
    # The same with the variance pooled, recomputed at 30 digits.
    [
        ([447, 558], [11165, 11165], np.log(103.623259)),
        ([200, 250], [5000, 5000], np.log(4.582643)),
        ([0, 1000], [1000, 1000], 166.575506),
        ([1000, 0], [1000, 1000], 166.575506),
    ],
)
def test_mixture_sprt_statistic_with_the_variance_pooled(conversions, visits, log_ratio):
    found = log_pooled_mixture_ratio(np.array([conversions], float), np.array([visits], float), 1e-4)
    assert found[0] == pytest.approx([0, log_ratio], rel=1e-8)


def test_mixture_sprt_s_variance_relative_to_the_rate():
    # tau = .25 x .045, the rate of 447 and 558 of 11,165 each together: as good as tau^2 = (.25 x 1005 / 22330)^2
    conversions, visits = np.array([[447.0, 558]]), np.array([[11165.0, 11165]])
    log_ratio = log_pooled_mixture_ratio(conversions, visits, (0.25 * 1005 / 22330) ** 2)[0, 1]
    alphas = 1 / np.exp(log_ratio) * np.array([1 + 1e-9, 1 - 1e-9])
    stops = [decide(MixtureSPRT(alpha, relative_sd=0.25), conversions, visits)[1] for alpha in alphas]
    assert stops == [True, False]
    # Rates and visits a hundredth and a hundredfold: the same evidence, and nothing else to be told.
    scaled = np.array([[447.0, 558]]), visits * 100
    absolute = [decide(MixtureSPRT(0.02), *data)[1] for data in ((conversions, visits), scaled)]
    relative = [decide(MixtureSPRT(0.02, relative_sd=0.25), *data)[1] for data in ((conversions, visits), scaled)]
    assert absolute == [True, False]
    assert relative == [True, True]


def test_mixture_sprt_statistic_is_the_mixture_at_unequal_arms():
    conversions, visits = np.array([[100.0, 30.0]]), np.array([[2000.0, 400.0]])
    variance = 0.05 * 0.95 / 2000 + 0.075 * 0.925 / 400
    likelihood = stats.norm(0.025, np.sqrt(variance)).pdf

    def mixed(theta):
        return stats.norm(0, 0.01).pdf(theta) * likelihood(theta)

    expected = quad(mixed, -0.1, 0.1, points=[0, 0.025], epsabs=1e-13)[0] / likelihood(0)
    assert np.exp(log_mixture_ratio(conversions, visits, 1e-4))[0, 1] == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("conversions", "visits"), [([0, 0], [0, 0]), ([0, 9], [0, 90]), ([0, 0], [50, 60])])
def test_mixture_sprt_knows_nothing_without_data(conversions, visits):
    for statistic in (log_mixture_ratio, log_pooled_mixture_ratio):
        assert statistic(np.array([conversions], float), np.array([visits], float)).tolist() == [[0, 0]]


def decide(rule, conversions, visits):
    _, declared, claims = first_action(Uniform(stopping=rule), conversions, visits)
    return int(declared[0]), bool(claims[0])


def test_mixture_sprt_stops_at_one_over_alpha():
    assert decide(MixtureSPRT(alpha=1 / 103.6), [447, 558], [11165, 11165]) == (1, True)
    assert decide(MixtureSPRT(alpha=1 / 103.7), [447, 558], [11165, 11165]) == (-1, False)
    assert decide(MixtureSPRT(), [558, 447], [11165, 11165]) == (0, True)
    assert decide(MixtureSPRT(alpha=2 / 103.6), [447, 558, 447], [11165] * 3) == (1, True)
    assert decide(MixtureSPRT(alpha=2 / 103.7), [447, 558, 447], [11165] * 3) == (-1, False)


@pytest.mark.parametrize(
    ("s", "n", "alpha", "mixture"), [(40, 1000, 0.05, (1, 1)), (0, 30, 0.1, (1, 1)), (7, 7, 0.01, (2, 9))]
)
def test_confidence_bounds_are_where_the_mixture_martingale_reaches_one_over_alpha(s, n, alpha, mixture):
    def martingale(q):
        law = stats.beta(*mixture)
        peak = stats.binom.pmf(s, n, q)
        return (
            quad(lambda p: law.pdf(p) * stats.binom.pmf(s, n, p), 0, 1, points=[s / n], limit=400, epsabs=1e-14)[0]
            / peak
        )

    lower, upper = confidence_bounds(np.array([[s]], float), np.array([[n]], float), alpha, mixture)
    for bound in (lower[0, 0], upper[0, 0]):
        if 0 < bound < 1:
            assert martingale(bound) == pytest.approx(1 / alpha, rel=1e-6)
    assert lower[0, 0] <= s / n <= upper[0, 0]
    assert (lower[0, 0] == 0) == (s == 0)
    assert (upper[0, 0] == 1) == (s == n)


def test_confidence_bounds_hold_at_all_times():
    count, n, rate = 3000, 2000, 0.1
    outside = np.zeros(count, bool)
    rng = np.random.default_rng(0)
    conversions = np.zeros((count, 1))
    for visits in range(1, n + 1):
        conversions += rng.random((count, 1)) < rate
        if visits < 100 or visits % 10 == 0:
            lower, upper = confidence_bounds(conversions, np.full((count, 1), float(visits)), 0.1)
            outside |= ((lower > rate) | (upper < rate))[:, 0]
    assert outside.mean() < 0.1
    assert outside.mean() > 0.01  # or the bounds would be idle


def test_confidence_sequence_stops_when_the_intervals_part():
    visits = np.array([[11165.0, 11165, 11165]])
    for best in range(600, 800, 10):
        conversions = np.array([[447.0, best, 520]])
        lower, upper = confidence_bounds(conversions, visits, 0.05 / 3)
        parted = lower[0, 1] > max(upper[0, 0], upper[0, 2])
        assert decide(ConfidenceSequence(), conversions, visits) == ((1, True) if parted else (-1, False))
    assert parted


def test_likelihood_ratio_by_hand():
    conversions, visits = np.array([[40.0, 60, 30]]), np.array([[100.0, 100, 40]])

    def log_likelihood(s, n, q):
        return stats.binom.logpmf(s, n, q)

    statistic, leader = likelihood_ratio(conversions, visits)
    assert leader[0] == 2  # 30 of 40
    pooled = 90 / 140
    expected = (
        log_likelihood(30, 40, 0.75)
        + log_likelihood(60, 100, 0.6)
        - log_likelihood(30, 40, pooled)
        - log_likelihood(60, 100, pooled)
    )
    assert statistic[0] == pytest.approx(expected, rel=1e-9)


def test_glr_stops_at_its_threshold():
    conversions, visits = np.array([[447.0, 558]]), np.array([[11165.0, 11165]])
    statistic, _ = likelihood_ratio(conversions, visits)
    at_threshold = (np.log(22330) + 1) / np.exp(statistic[0])
    assert decide(GeneralizedLikelihoodRatio(at_threshold * 1.001), conversions, visits) == (1, True)
    assert decide(GeneralizedLikelihoodRatio(at_threshold * 0.999), conversions, visits) == (-1, False)
    assert decide(GeneralizedLikelihoodRatio(), [0, 0], [0, 0]) == (-1, False)


def test_glr_s_proved_threshold():
    # Theorem 10: log(2 t (K - 1) / delta).
    for conversions in ([447.0, 700], [447.0, 700, 447]):
        visits = [11165.0] * len(conversions)
        statistic, _ = likelihood_ratio(np.array([conversions]), np.array([visits]))
        at_threshold = 2 * sum(visits) * (len(visits) - 1) / np.exp(statistic[0])
        for factor, expected in ((1.001, (1, True)), (0.999, (-1, False))):
            rule = GeneralizedLikelihoodRatio(at_threshold * factor, threshold="proved")
            assert decide(rule, conversions, visits) == expected


def test_only_the_proved_threshold_bounds_the_claims_where_one_looks_after_every_pair():
    # .5 v .5, delta = .05. An independent programme found .106 +- .005 up to 10^5 visits; most of it comes early.
    count, pairs = 1000, 1000
    steps = np.random.default_rng(0).random((pairs, count, 2)) < 0.5
    conversions = steps.cumsum(axis=0, dtype=float).reshape(-1, 2)
    visits = np.repeat(np.arange(1.0, pairs + 1), count)[:, None] * np.ones(2)
    evidence = Evidence(visits, conversions, visits[:, 0], np.arange(len(visits)), Task(2, 100))

    def level(threshold):
        _, claims = GeneralizedLikelihoodRatio(0.05, threshold).decide(evidence)
        return claims.reshape(pairs, count).any(axis=0).mean()

    assert 0.05 + 2 * np.sqrt(0.05 * 0.95 / count) < level("practical") < 0.106 + 4 * np.sqrt(0.1 * 0.9 / count)
    assert level("proved") <= 0.05


@pytest.mark.parametrize(
    ("allocation", "rule", "valid"),
    [
        ("uniform", "mixture-sprt", True),
        ("uniform", "confidence-sequence", True),
        ("thompson", "confidence-sequence", True),  # proven for adaptive allocation as well
        ("uniform", "glr", True),
        ("uniform", "repeated-test", False),
        ("uniform", "probability-best", False),
        ("thompson", "probability-best", False),
    ],
)
def test_always_valid_rules_keep_their_level_and_naive_ones_do_not(allocation, rule, valid):
    # Equal arms, 100 looks; every claim is false. The naive rules claim a winner in a fifth of all
    # experiments and more.
    count = 2000
    agent = agents.make(allocation, stopping=rule)
    claimed = play(agent, np.full((count, 2), 0.2), Task(2, 200, max_days=100), seed=0).claims.mean()
    assert claimed < 0.05 + 4 * np.sqrt(0.05 * 0.95 / count) if valid else claimed > 0.2
