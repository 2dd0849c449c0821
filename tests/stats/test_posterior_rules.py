"""The posterior's two rules of quadrature: what only one of them meets, and that they agree."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import special, stats
from test_posterior import running

from bandit_env.stats._posterior import rules
from bandit_env.stats._posterior import sinc as _sinc
from bandit_env.stats.posterior import (
    potential_value_remaining,
    probability_best,
    value_remaining_below,
    weights_and_value_remaining,
)


@pytest.mark.parametrize(
    ("wide", "narrow"), [((233, 6820), (21_016_677, 329_720_506)), ((32, 885), (47_215_741, 353_429_670))]
)
def test_a_tiny_share_won_far_above_a_narrow_champion(wide, narrow):
    # P(wide is the best) = E[P(rate_wide > t)] over the narrow arm's posterior
    arm = stats.beta(narrow[0] + 1, narrow[1] - narrow[0] + 1)
    q, w = special.roots_legendre(200)
    low, high = arm.ppf(1e-18), arm.isf(1e-18)
    t = low + (high - low) * (q + 1) / 2
    tails = special.betaincc(wide[0] + 1, wide[1] - wide[0] + 1, t)
    exact = (high - low) / 2 * (w * arm.pdf(t) * tails).sum()
    share = probability_best([wide[0], narrow[0]], [wide[1], narrow[1]])[0]
    assert 1e-30 < exact < 1e-20
    assert share == pytest.approx(exact, rel=1e-6, abs=0)


@pytest.mark.parametrize(
    ("conversions", "visits", "arm", "low", "high"),
    [
        ([3, 8213, 5_485_490], [52, 139_625, 87_118_059], 1, 0.0625, 0.09),
        ([108_027, 49, 285_754_014], [126_202, 51, 330_506_627], 0, 0.8643, 0.9),  # below a narrow arm and a wide one
        ([5827, 65, 4_125_741, 3_165_696], [16_785, 197, 16_355_994, 8_284_172], 0, 0.36, 0.45),
        ([100_000, 9_882_416], [10**6, 10**8], 1, 0.0982, 0.0996),  # as far as the continued fraction is used
    ],
)
def test_a_small_share_between_narrow_and_wide_arms(conversions, visits, arm, low, high):
    arms = [stats.beta(c + 1, v - c + 1) for c, v in zip(conversions, visits)]
    q, w = special.roots_legendre(16)
    edges = np.linspace(low, high, 20_000)
    t = edges[:-1, None] + np.diff(edges)[:, None] * (q + 1) / 2
    below = np.prod([other.cdf(t) for other in arms if other is not arms[arm]], axis=0)
    exact = (np.diff(edges)[:, None] / 2 * w * arms[arm].pdf(t) * below).sum()
    assert 1e-30 < exact < 1e-4
    assert probability_best(conversions, visits)[arm] == pytest.approx(exact, rel=1e-6, abs=0)


@pytest.mark.parametrize(
    ("arm", "leader"),
    [((989, 49_289), (50, 311)), ((107_322, 123_323), (602, 607)), ((27, 1804), (26, 53)), ((21, 27_188), (13, 64))],
)
def test_a_tiny_share_won_far_below_the_leader(arm, leader):
    # P(arm is the best) = E[P(rate_leader < t)] over the arm's posterior, won far from both modes
    own, other = (stats.beta(c + 0.5, v - c + 0.5) for c, v in (arm, leader))
    q, w = special.roots_legendre(16)
    edges = np.linspace(own.mean() - 9 * own.std(), min(own.mean() + 40 * own.std(), 1), 800)
    t = edges[:-1, None] + np.diff(edges)[:, None] * (q + 1) / 2
    exact = (np.diff(edges)[:, None] / 2 * w * own.pdf(t) * other.cdf(t)).sum()
    share = probability_best([arm[0], leader[0]], [arm[1], leader[1]], prior=(0.5, 0.5))[0]
    assert 1e-30 < exact < 1e-26
    assert share == pytest.approx(exact, rel=1e-6, abs=0)


@pytest.mark.parametrize("prior", [(1, 1), (0.5, 0.5)])
@pytest.mark.parametrize("arms", [2, 3, 6])
def test_sinc_rules_and_panels_agree(arms, prior, monkeypatch):
    """Two ways to the same numbers, on rows of all kinds: of experiments, of few visits, of visits far apart."""
    rng = np.random.default_rng(arms)
    few, apart = rng.integers(0, 40, (500, arms)), np.floor(np.exp(rng.uniform(0, 12, (2000, arms)))).astype(int)
    near = np.floor(np.exp(rng.uniform(2, 9, (1000, arms)))).astype(int)
    visits = np.concatenate([running(arms, 200)[1], few, near, apart])
    rates = [rng.beta(4, 96, (1200, 1)) * rng.uniform(0.6, 1.4, (1200, arms)), rng.uniform(0, 1, (2500, arms))]
    conversions = rng.binomial(visits, np.concatenate([rates[0][:200], rates[1][:500], rates[0][200:], rates[1][500:]]))

    def answers():
        best, below = weights_and_value_remaining(conversions, visits, prior=prior)
        far = value_remaining_below(conversions, visits, 0.2, prior=prior)
        return best, below, far, potential_value_remaining(conversions, visits, prior=prior)

    best, below, far, value = answers()
    monkeypatch.setattr(_sinc, "MOST_ARMS", 0)  # no row is one for sinc rules
    best_too, below_too, far_too, value_too = answers()
    assert (best != best_too).any(axis=1).mean() > 0.2  # many rows are
    np.testing.assert_allclose(best, best_too, rtol=0, atol=1e-10)
    np.testing.assert_allclose(below, below_too, rtol=0, atol=1e-10)
    np.testing.assert_allclose(far, far_too, rtol=0, atol=1e-10)
    np.testing.assert_allclose(value, value_too, rtol=1e-8, atol=1e-8)
    told = best_too > 1e-30
    np.testing.assert_allclose(best[told], best_too[told], rtol=1e-6)


@pytest.mark.parametrize("arms", [4, 12, 24, 25, 80, 256])
def test_sinc_rules_serve_many_arms_that_look_alike(arms, monkeypatch):
    """Where no arm alone, but all together say where the window begins; also with one arm far ahead, or behind."""
    rng = np.random.default_rng(arms)
    visits = np.full((24, arms), 1000)
    rates = np.repeat([np.full(arms, 0.05), np.full(arms, 0.5), np.linspace(0.02, 0.06, arms)], 8, axis=0)
    rates[3::8, 0], rates[5::8, 0], rates[6::8, 1] = 0.1, 0.8, 0.01
    conversions = rng.binomial(visits, rates)
    best, below = weights_and_value_remaining(conversions, visits)
    monkeypatch.setattr(_sinc, "MOST_ARMS", 0)
    best_too, below_too = weights_and_value_remaining(conversions, visits)
    assert (best != best_too).any(axis=1).mean() > 0.9  # those that panels did anyway are the same, bit for bit
    np.testing.assert_allclose(best, best_too, rtol=0, atol=1e-10)
    np.testing.assert_allclose(below, below_too, rtol=0, atol=1e-10)
    told = best_too > 1e-30
    np.testing.assert_allclose(best[told], best_too[told], rtol=1e-6)


def mixed_rows():
    """Rows of every kind: ordinary ones, and ones for panels."""
    rng = np.random.default_rng(3)
    visits = np.floor(np.exp(rng.uniform(0, 21, (1000, 4))))
    visits[:700] = running(4, 700)[1]
    conversions = np.floor(visits * rng.beta(2, 30, visits.shape))
    conversions[::50] = 0
    conversions[25::50] = visits[25::50]
    visits[10::40], conversions[10::40] = 800, 40
    return conversions, visits


def test_a_row_is_the_same_in_any_batch():
    conversions, visits = mixed_rows()
    best, below = weights_and_value_remaining(conversions, visits)
    value = potential_value_remaining(conversions, visits)
    ones, twos = [slice(i, i + 1) for i in range(0, 1000, 45)], [slice(i, i + 2) for i in range(1, 1000, 95)]
    for cut in (*ones, *twos, slice(600, 607), slice(993, 1000)):
        alone, alone_below = weights_and_value_remaining(conversions[cut], visits[cut])
        assert (alone == best[cut]).all(), cut
        assert (alone_below == below[cut]).all(), cut
        assert (potential_value_remaining(conversions[cut], visits[cut]) == value[cut]).all(), cut
    backwards, below_backwards = weights_and_value_remaining(conversions[::-1], visits[::-1])
    assert (backwards[::-1] == best).all()
    assert (below_backwards[::-1] == below).all()


def test_sums_over_arms_hold_for_any_counts():
    conversions, visits = mixed_rows()
    assert np.abs(probability_best(conversions, visits).sum(axis=1) - 1).max() < 1e-10


def test_arms_so_far_apart_that_nothing_is_left_of_the_others():
    far = np.array([[4e6, 5e6], [4e8, 5e8]]), np.array([[1e8, 1e8], [1e10, 1e10]])
    weights, value = weights_and_value_remaining(*far)
    np.testing.assert_allclose(weights, [[0, 1], [0, 1]], rtol=0, atol=1e-12)
    np.testing.assert_allclose(value, 1, rtol=0, atol=1e-12)
    assert potential_value_remaining(*far).tolist() == [0, 0]


@pytest.mark.parametrize("most_arms", [0, 256])
@pytest.mark.parametrize(
    ("better", "visits"), [(300, 2000), (330, 2000), (700, 2000), (1000, 2000), (1100, 2000), (70_000, 200_000)]
)
def test_a_tail_is_right_down_to_1e30_and_never_too_large_below(better, visits, most_arms, monkeypatch):
    """The tail by Miller's closed sum ("Formulas for Bayesian A/B testing", 2014, eq. 6): its terms are positive."""
    monkeypatch.setattr(_sinc, "MOST_ARMS", most_arms)  # with 0, panels do all rows
    a, b, c, d = 101, 1901, better + 1, visits - better + 1  # Beta(a, b) and Beta(c, d): 100 of 2,000, and `better`
    i = np.arange(a)
    logs = special.betaln(c + i, b + d) - np.log(b + i) - special.betaln(1 + i, b) - special.betaln(c, d)
    tail = np.exp(special.logsumexp(logs))
    share = probability_best([100, better], [2000, visits])[0]
    if tail > 1e-30:
        assert share == pytest.approx(tail, rel=1e-6, abs=0)
    else:
        assert 0 <= share < 1.001 * tail
    if most_arms == 0 and tail > 1e-150:
        assert share > 0.1 * tail


def test_tables_are_the_same_under_any_number_of_blas_threads():
    """Or the last digit of a curve would depend on whether a worker, which has one thread, played it."""
    code = (
        "import hashlib; from bandit_env.stats._posterior import rules\n"
        "print(*(hashlib.sha256(table.tobytes()).hexdigest() for table in rules.tables(2)))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(said) == 1
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(16, 16))
    np.testing.assert_allclose(rules._inverse(matrix), np.linalg.inv(matrix), rtol=0, atol=1e-12)
