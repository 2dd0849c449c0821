"""Posterior quantities against values that this code did not make."""

import itertools
import json
from fractions import Fraction
from functools import cache
from math import comb, factorial
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, special, stats

from bandit_env.stats.posterior import (
    expected_loss,
    potential_value_remaining,
    probability_beats,
    probability_best,
    value_remaining_below,
    weights_and_value_remaining,
)

# Made by make_posterior_reference.py beside this file: mpmath at 30 digits.
REFERENCE = json.loads(Path(__file__).with_name("posterior_reference.json").read_text())


@pytest.mark.parametrize("case", REFERENCE, ids=lambda c: f"{c['kind']}-{c['conversions']}-{c['visits']}")
def test_stored_values(case):
    exact = np.array(case["best"], dtype=float)
    counts = case["conversions"], case["visits"]
    best = probability_best(*counts, prior=case["prior"])
    np.testing.assert_allclose(best, exact, rtol=0, atol=1e-10)
    representable = exact >= 1e-30
    np.testing.assert_allclose(best[representable], exact[representable], rtol=1e-6)
    if "below" in case:
        below = value_remaining_below(*counts, float(case["threshold"]), prior=case["prior"])
        assert below == pytest.approx(float(case["below"]), abs=1e-10)
    if "quantile" in case:
        value = potential_value_remaining(*counts, case["order"], prior=case["prior"])
        assert value == pytest.approx(float(case["quantile"]), abs=1e-8)


# R, package bandit 0.5.1, manual of best_binomial_bandit and value_remaining; its printed values at 30 digits.
R_TABLE = [
    (
        [10, 20, 30, 50],
        [100, 102, 120, 130],
        [1.61186333371e-7, 8.0482925595271e-4, 0.011428671561779, 0.98776633799594],
    ),
    (
        [10, 20, 30, 33],
        [100, 102, 120, 130],
        [1.3420652733196e-4, 0.071121726173978, 0.44020252110809, 0.4885415461906],
    ),
    (
        [10, 20, 30, 80],
        [100, 102, 120, 240],
        [1.037739962496e-6, 0.0044178945388947, 0.053825754951544, 0.9417553127696],
    ),
]


@pytest.mark.parametrize(("conversions", "visits", "exact"), R_TABLE)
def test_r_bandit_table(conversions, visits, exact):
    np.testing.assert_allclose(probability_best(conversions, visits), exact, rtol=1e-9)


@pytest.mark.parametrize(
    ("conversions", "visits", "quantile", "below", "digits"),
    [
        (*R_TABLE[1][:2], 0.4161492, 0.5080136, 5e-8),
        (*R_TABLE[2][:2], 0.012405, 0.9484857, 5e-7),
        ([40, 50], [1000, 1000], 0.1239636, 0.8690165, 5e-8),
        ([40, 50, 45, 30, 20, 35], [1000] * 6, 0.2742548, 0.6527916, 5e-8),
    ],
)
def test_value_remaining_of_published_counts(conversions, visits, quantile, below, digits):
    assert potential_value_remaining(conversions, visits) == pytest.approx(quantile, abs=digits)
    assert value_remaining_below(conversions, visits) == pytest.approx(below, abs=digits)


def test_two_arms_without_data_by_hand():
    # t2/t1 of two uniforms exceeds r with probability 1/(2 r), and each is the champion's in half the cases
    assert probability_best([0, 0], [0, 0]) == pytest.approx([0.5, 0.5], abs=1e-12)
    assert potential_value_remaining([0, 0], [0, 0]) == pytest.approx(9, abs=1e-8)
    assert value_remaining_below([0, 0], [0, 0]) == pytest.approx(1 - 1 / 2.02, abs=1e-10)


@pytest.mark.parametrize(
    ("parameters", "exact"),
    # P(second best), and of three arms P(last best), Beta parameters: the test suite of cprior
    [
        ([(1, 2), (3, 4)], 9 / 14),
        ([(55, 50), (30, 30)], 0.38386463776317903),
        ([(50, 50), (35, 30)], 0.6867997222295887),
        ([(1000, 900), (1200, 1000)], 0.8898254504),
        ([(1, 2), (3, 4), (5, 6)], 0.4128959276018096),
    ],
)
def test_beta_parameters_of_published_suites(parameters, exact):
    none = [0] * len(parameters)
    assert probability_best(none, none, prior=parameters)[-1] == pytest.approx(exact, abs=1e-10)


def last_best_of_three(first, second, third):
    """P(third is the best) for whole-number (a, b), in fractions.

    With a, b whole, P(rate < x) is the chance of at least a successes among a + b - 1 of chance x, a polynomial.
    """

    def terms(a, b):
        return [(comb(a + b - 1, j), j, a + b - 1 - j) for j in range(a, a + b)]

    def beta(a, b):
        return Fraction(factorial(a - 1) * factorial(b - 1), factorial(a + b - 1))

    a, b = third
    total = sum(c * d * beta(a + j + k, b + m + n) for c, j, m in terms(*first) for d, k, n in terms(*second))
    return total / beta(a, b)


def test_a_small_share_in_rational_numbers():
    # The suite's own value ends in ...9005; it is off by 1.8e-10 of it.
    parameters = [(1, 2), (3, 4), (5, 100)]
    exact = float(last_best_of_three(*parameters))
    assert exact == pytest.approx(0.0004147782899811165, rel=1e-15)
    assert probability_best([0] * 3, [0] * 3, prior=parameters)[-1] == pytest.approx(exact, rel=1e-11)


def test_expected_loss_of_a_published_suite():
    # cprior: loss of A and B for Beta(40, 60) and Beta(70, 90)
    loss = expected_loss([0, 0], [0, 0], prior=[(40, 60), (70, 90)])
    assert loss == pytest.approx([0.0481119843, 0.0106119843], abs=5e-11)


def best_of_two(first, second):
    """P(second > first) for integer (a, b): Miller's finite sum, in fractions."""
    (a1, b1), (a2, b2) = first, second

    def beta(x, y):
        return Fraction(factorial(x - 1) * factorial(y - 1), factorial(x + y - 1))

    return sum(beta(a1 + i, b1 + b2) / ((b2 + i) * beta(1 + i, b2) * beta(a1, b1)) for i in range(a2))


@pytest.mark.parametrize("first", [(1, 1), (1, 30), (7, 2), (13, 41)])
@pytest.mark.parametrize("second", [(1, 1), (3, 50), (25, 4), (20, 60)])
def test_two_arms_in_exact_fractions(first, second):
    exact = best_of_two(first, second)
    best = probability_best([first[0] - 1, second[0] - 1], [sum(first) - 2, sum(second) - 2])
    np.testing.assert_allclose(best, [float(1 - exact), float(exact)], rtol=1e-6, atol=0)
    np.testing.assert_allclose(best, [float(1 - exact), float(exact)], atol=1e-11, rtol=0)


def best_by_polynomials(arms):
    """P(each arm best) for integer (a, b): densities and distribution functions are polynomials in t."""

    def times(x, y):
        out = [Fraction(0)] * (len(x) + len(y) - 1)
        for (i, p), (j, q) in itertools.product(enumerate(x), enumerate(y)):
            out[i + j] += p * q
        return out

    def density(a, b):
        scale = Fraction(factorial(a + b - 1), factorial(a - 1) * factorial(b - 1))
        return [Fraction(0)] * (a - 1) + [scale * (-1) ** k * comb(b - 1, k) for k in range(b)]

    def integral(x):
        return [Fraction(0)] + [c / (i + 1) for i, c in enumerate(x)]

    shares = []
    for i, arm in enumerate(arms):
        product = density(*arm)
        for j, other in enumerate(arms):
            if j != i:
                product = times(product, integral(density(*other)))
        shares.append(sum(integral(product)))
    return shares


@pytest.mark.parametrize(
    "arms", [[(1, 1)] * 3, [(2, 5), (3, 4), (1, 9)], [(6, 2), (5, 3), (7, 1)], [(1, 1), (4, 9), (2, 2)]]
)
def test_three_arms_in_exact_fractions(arms):
    exact = best_by_polynomials(arms)
    assert sum(exact) == 1
    best = probability_best([a - 1 for a, _ in arms], [a + b - 2 for a, b in arms])
    np.testing.assert_allclose(best, np.array(exact, dtype=float), atol=1e-11, rtol=0)


@pytest.mark.parametrize("scale", [10.0**k for k in range(7)])
def test_narrow_peaks_are_not_missed(scale):
    # R's best_binomial_bandit integrates over a fixed 0..1 and gives 1e-14 for two equal arms of 50,000 visits
    for conversions, visits, _ in R_TABLE:
        best = probability_best(np.multiply(conversions, scale), np.multiply(visits, scale))
        assert best.sum() == pytest.approx(1, abs=1e-10)
    assert probability_best([500 * scale] * 2, [50_000 * scale / 10] * 2) == pytest.approx([0.5, 0.5], abs=1e-12)


@pytest.mark.parametrize("arms", [2, 3, 6, 12, 50, 256, 1000])
@pytest.mark.parametrize(("conversions", "visits"), [(0, 0), (0, 40), (7, 7), (30, 600), (5e7, 1e9)])
def test_equal_arms_share_equally(arms, conversions, visits):
    best = probability_best(np.full(arms, conversions), np.full(arms, visits))
    np.testing.assert_allclose(best, 1 / arms, rtol=0, atol=1e-12)


@pytest.mark.parametrize("prior", [0.5, 0.1, 0.01])
def test_equal_arms_under_priors_below_one(prior):
    best = probability_best([0, 0, 0], [0, 0, 0], prior=(prior, prior))
    np.testing.assert_allclose(best, 1 / 3, rtol=0, atol=1e-12)


@cache
def running(arms, rows=400):
    """Counts as those of a running experiment: 14 to 120 days of 100 visits."""
    rng = np.random.default_rng(arms)
    rates = rng.uniform(0.02, 0.06, arms)
    share = rng.dirichlet(np.full(arms, 8.0), rows)
    visits = rng.multinomial(rng.integers(14, 121, rows) * 100, share)
    return rng.binomial(visits, rates), visits


def test_permuted_arms_permute():
    conversions, visits = running(6)
    order = [3, 0, 5, 1, 4, 2]
    best, below = weights_and_value_remaining(conversions, visits)
    again, below_again = weights_and_value_remaining(conversions[:, order], visits[:, order])
    np.testing.assert_allclose(again, best[:, order], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(below_again, below, rtol=0, atol=1e-11)


def test_failures_mirror_successes():
    # 1 - rate is Beta(b, a): the best of two rates is the worse of two failure rates
    conversions, visits = running(2)
    best = probability_best(conversions, visits)
    mirrored = probability_best(visits - conversions, visits)
    np.testing.assert_allclose(mirrored, best[:, ::-1], atol=1e-10, rtol=0)


def test_more_conversions_are_better():
    visits = np.array([2000, 1500, 900])
    conversions = np.array([[80, 60, k] for k in range(0, 120, 3)])
    best = probability_best(conversions, np.broadcast_to(visits, conversions.shape))
    below_one = best[1:, 2] < 1 - 1e-9  # above, rounding decides
    assert below_one.sum() > 20
    assert (np.diff(best[:, 2])[below_one] > 0).all()
    assert (np.diff(best[:, 0])[best[1:, 0] < best[0, 0] - 1e-9] < 0).all()


def test_value_remaining_grows_with_the_threshold_from_p_best():
    conversions, visits = running(6)
    best = probability_best(conversions, visits)
    below = [value_remaining_below(conversions, visits, h) for h in (0, 0.001, 0.01, 0.1, 1.0, 100.0)]
    np.testing.assert_allclose(below[0], best.max(axis=1), rtol=0, atol=1e-10)
    assert (np.diff(below, axis=0) >= -1e-12).all()
    np.testing.assert_allclose(below[-1], 1, rtol=0, atol=1e-9)


@pytest.mark.parametrize("quantile", [0.5, 0.8, 0.95, 0.999])
def test_the_quantile_inverts_the_distribution(quantile):
    conversions, visits = running(6, 60)
    best = probability_best(conversions, visits)
    value = potential_value_remaining(conversions, visits, quantile)
    reached = [value_remaining_below(c, v, h) for c, v, h in zip(conversions, visits, value)]
    champion = best.max(axis=1)
    assert (value[champion >= quantile] == 0).all()
    np.testing.assert_allclose(np.where(champion >= quantile, quantile, reached), quantile, rtol=0, atol=1e-9)


def test_two_arms_reduce_to_beating_the_control():
    conversions, visits = running(2)
    best, beats = probability_best(conversions, visits), probability_beats(conversions, visits)
    assert (beats[:, 0] == 0).all()
    assert (beats[:, 1] == best[:, 1]).all()
    np.testing.assert_allclose(probability_beats(conversions, visits, control=1)[:, 0], best[:, 0], rtol=0, atol=1e-11)


def test_beating_the_control_pair_by_pair():
    conversions, visits = running(6, 20)
    beats = probability_beats(conversions, visits, control=2)
    for arm in (0, 1, 3, 4, 5):
        pair = probability_best(conversions[:, [2, arm]], visits[:, [2, arm]])
        assert (beats[:, arm] == pair[:, 1]).all()
    assert (beats == probability_beats(conversions, visits, control=-4)).all()


def test_expected_loss_against_scipy():
    conversions, visits = running(3, 12)
    loss = expected_loss(conversions, visits)

    def product(t, a, b):
        return np.prod(special.betainc(a, b, t))

    for row in range(len(loss)):
        arms = [stats.beta(c + 1, v - c + 1) for c, v in zip(conversions[row], visits[row])]
        edges = sorted(q for arm in arms for q in arm.ppf([1e-14, 0.01, 0.5, 0.99]))
        top = max(arm.isf(1e-14) for arm in arms)
        # E[max] = 1 - int prod F dt
        a, b = conversions[row] + 1, visits[row] - conversions[row] + 1
        area = integrate.quad(product, 0, top, args=(a, b), points=edges, limit=500, epsabs=1e-12)
        exact = top - area[0] - np.array([arm.mean() for arm in arms])
        np.testing.assert_allclose(loss[row], exact, rtol=0, atol=1e-10)


def test_against_scipy_s_distribution_functions():
    # P(second best) = int f_2 F_1, SciPy's densities and distribution functions, quantile by quantile
    conversions, visits = running(2, 25)
    q, w = special.roots_legendre(400)
    best = probability_best(conversions, visits)
    for row in range(25):
        first, second = (stats.beta(c + 1, v - c + 1) for c, v in zip(conversions[row], visits[row]))
        low, high = min(first.ppf(1e-15), second.ppf(1e-15)), max(first.isf(1e-15), second.isf(1e-15))
        t = low + (high - low) * (q + 1) / 2
        exact = (high - low) / 2 * (w * second.pdf(t) * first.cdf(t)).sum()
        assert best[row, 1] == pytest.approx(exact, abs=1e-10)


def below_by_scipy(conversions, visits, threshold, champion):
    """P((1 + threshold) t_champion exceeds the others), by SciPy's distribution functions on 400 panels."""
    a, b = np.array(conversions) + 1, np.array(visits) - np.array(conversions) + 1
    arm = stats.beta(a[champion], b[champion])
    edges = np.unique([*np.linspace(arm.ppf(1e-18), arm.isf(1e-18), 400), 1 / (1 + threshold)])
    q, w = special.roots_legendre(30)
    t = edges[:-1, None] + np.diff(edges)[:, None] * (q + 1) / 2
    others = [special.betainc(a[j], b[j], np.minimum((1 + threshold) * t, 1)) for j in range(len(a)) if j != champion]
    return (np.diff(edges)[:, None] / 2 * w * arm.pdf(t) * np.prod(others, axis=0)).sum()


@pytest.mark.parametrize(
    ("conversions", "visits", "threshold", "champion"),
    [
        ([0, 0, 2], [4, 20, 25], 0.01, 0),
        ([2, 0, 1], [24, 26, 14], 0.3, 2),  # a champion whose rate times 1.3 may exceed 1
        ([197, 125, 172, 208, 209], [578] * 5, 0.3, 4),  # a density that a sinc rule's window would cut
        ([65, 45, 80, 53, 60], [135] * 5, 0.3, 2),
        ([2, 0], [4, 0], 0.3, 0),  # a tie: the lowest index is the champion, whatever rounding says
        ([0, 2], [0, 4], 0.3, 0),
        ([40, 500_000], [1000, 10_000_000], 0.2, 1),
    ],
)
def test_value_remaining_against_scipy(conversions, visits, threshold, champion):
    exact = below_by_scipy(conversions, visits, threshold, champion)
    assert value_remaining_below(conversions, visits, threshold) == pytest.approx(exact, abs=1e-11)


def test_monte_carlo_agrees():
    conversions, visits = np.array([12, 18, 9, 15]), np.array([300, 350, 280, 310])
    draws = np.random.default_rng(7).beta(conversions + 1, visits - conversions + 1, (400_000, 4))
    champion = int(probability_best(conversions, visits).argmax())
    share = np.bincount(draws.argmax(axis=1), minlength=4) / len(draws)
    np.testing.assert_allclose(share, probability_best(conversions, visits), atol=4 * 0.5 / np.sqrt(len(draws)))
    remaining = draws.max(axis=1) / draws[:, champion] - 1
    below = (remaining <= 0.05).mean()
    assert below == pytest.approx(value_remaining_below(conversions, visits, 0.05), abs=4 * 0.5 / np.sqrt(len(draws)))
    loss = (draws.max(axis=1, keepdims=True) - draws).mean(axis=0)
    np.testing.assert_allclose(loss, expected_loss(conversions, visits), atol=4 * 0.02 / np.sqrt(len(draws)))


def test_weights_and_value_are_those_of_the_separate_functions():
    conversions, visits = running(6)
    best, below = weights_and_value_remaining(conversions, visits, 0.02)
    np.testing.assert_allclose(best, probability_best(conversions, visits), rtol=0, atol=1e-12)
    assert (below == value_remaining_below(conversions, visits, 0.02)).all()


@pytest.mark.parametrize("prior", [(0.01, 0.03), (0.03, 0.01), (0.02, 0.02), (0.004, 0.01)])
def test_priors_far_below_one(prior):
    """One visit apart the difference is exact: P(X > Y) = 1/2 + B(2a, 2b) / (a B(a, b)^2), X ~ Beta(a + 1, b).

    Cook, "Exact calculation of beta inequalities" (2005), section 2. Log densities reach over 600 on the log odds here.
    """
    a, b = prior
    apart = np.exp(special.betaln(2 * a, 2 * b) - 2 * special.betaln(a, b))
    (best,) = probability_best([[0, 1]], [[0, 1]], prior=prior)
    assert best[1] == pytest.approx(0.5 + apart / a, abs=1e-10)
    (best,) = probability_best([[0, 0]], [[0, 1]], prior=prior)
    assert best[0] == pytest.approx(0.5 + apart / b, abs=1e-10)
