"""The random streams: reference vectors, exact distributions, independence between seeds.

Statistical tests have fixed seeds. Each allows a false alarm with probability 1e-3 over all its cells together
(Bonferroni), decided before the first run.
"""

import mpmath
import numpy as np
import pytest
from numba import njit
from scipy import stats

from bandit_env.world import streams as module
from bandit_env.world.streams import fold_seed, seed_streams, uniforms

FALSE_ALARM = 1e-3
next_word, binomial, log_ratio, hat = module.next_word, module.binomial, module._log_ratio, module._hat
bernoulli = module.bernoulli


@njit(error_model="numpy")
def words(streams, out):
    for i in range(out.size):
        out[i] = next_word(streams, 0)


@njit(error_model="numpy")
def binomials(streams, n, p, out):
    for i in range(out.size):
        out[i] = binomial(streams, 0, n, p)


@njit(error_model="numpy")
def bernoullis(streams, p, out):
    for i in range(out.size):
        out[i] = bernoulli(streams, 0, p)


@njit(error_model="numpy")
def log_ratios(x, n, p, out):
    for i in range(out.size):
        out[i] = log_ratio(x[i], n, p)


@njit(error_model="numpy")
def hats(n, p):
    return hat(n, p)


def stream(*seeds):
    streams = np.zeros((len(seeds), 4), np.uint64)
    seed_streams(streams, np.arange(len(seeds)), np.array(seeds, np.uint64))
    return streams


def draw(n, p, size, seed=0):
    out = np.empty(size, np.int64)
    binomials(stream(seed), n, p, out)
    return out


def test_splitmix64_gives_the_reference_outputs():
    # The first four outputs for seed 1234567, https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64
    assert stream(1234567)[0].tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
    ]


def test_xoshiro256plusplus_gives_the_reference_outputs():
    # State (1, 2, 3, 4); the outputs of the authors' C program https://prng.di.unimi.it/xoshiro256plusplus.c, as
    # printed in the tests of the Rust crate rand_xoshiro.
    out = np.empty(10, np.uint64)
    words(np.array([[1, 2, 3, 4]], np.uint64), out)
    assert out.tolist() == [
        41943041,
        58720359,
        3588806011781223,
        3591011842654386,
        9228616714210784205,
        9973669472204895162,
        14011001112246962877,
        12406186145184390807,
        15849039046786891736,
        10450023813501588000,
    ]


def test_uniform_numbers_are_the_middles_of_2_to_the_53_parts():
    expected = np.empty(6, np.uint64)
    words(stream(5), expected)
    out = np.empty((1, 6))
    uniforms(stream(5), np.zeros(1, np.int64), out)
    assert out[0].tolist() == [((int(word) >> 11) + 0.5) / 2**53 for word in expected]


def test_large_seeds_are_folded_to_64_bits_without_collisions():
    assert fold_seed(0) == 0
    assert fold_seed(2**64 - 1) == 2**64 - 1
    folded = {fold_seed(seed) for seed in (2**64, 2**64 + 1, 2**65, 2**128, 2**200 + 1, 0, 1, 2)}
    assert len(folded) == 8
    assert all(0 <= seed < 2**64 for seed in folded)


@pytest.mark.parametrize("start", [0, 2**63])
def test_neighbouring_seeds_are_independent(start):
    """The first numbers of seeds s, s + 1, ...: uniform, pairs fill the square evenly, no serial correlation."""
    n = 100_000
    out = np.empty((n, 2))
    uniforms(stream(*(start + i for i in range(n))), np.arange(n), out)
    columns = (out[:, 0], out[:, 1])
    p_values = [stats.kstest(column, "uniform").pvalue for column in columns]
    for a, b in ((out[:-1, 0], out[1:, 0]), (out[:-1, 0], out[1:, 1]), (out[:, 0], out[:, 1])):
        cells = np.bincount((a * 16).astype(int) * 16 + (b * 16).astype(int), minlength=256)
        p_values += [stats.chisquare(cells).pvalue, stats.pearsonr(a, b).pvalue]
    differences = np.diff(out[:, 0]) % 1  # of independent uniform numbers: uniform
    p_values += [stats.kstest(differences[::2], "uniform").pvalue]
    assert min(p_values) > FALSE_ALARM / 2 / len(p_values), p_values


# n p from far below 1 to 5e11, on both sides of the samplers' border (10), of the table's (1,024) and of 1/2
GRID = [
    (n, p)
    for n in (1, 2, 3, 10, 50, 100, 1000, 1023, 1024, 10**4, 10**6, 10**9, 10**12)
    for p in (1e-12, 1e-6, 0.001, 0.01, 0.04, 0.0999, 0.1, 0.25, 0.5, 0.5001, 0.75, 0.96, 0.999, 1 - 1e-9)
] + [(n, mean / n) for n in (20, 100, 1000, 2000, 10**5, 10**9, 10**12) for mean in (0.5, 3, 9.99, 10, 10.01, 12)]


@pytest.mark.parametrize("part", range(6))
def test_binomial_draws_have_the_exact_distribution(part):
    """Chi-square against scipy.stats.binom over a grid of n and p, in cells of equal probability."""
    size = 40_000
    p_values = {}
    for i, (n, p) in enumerate(GRID[part::6]):
        draws = draw(n, p, size, seed=1000 * part + i)
        assert draws.min() >= 0
        assert draws.max() <= n
        law = stats.binom(n, p)
        edges = np.unique(law.ppf(np.linspace(0, 1, 41)[1:-1]))
        inner = np.diff(law.cdf(edges))
        expected = size * np.concatenate([[law.cdf(edges[0])], inner, [law.sf(edges[-1])]])
        found = np.bincount(np.searchsorted(edges, draws, side="left"), minlength=expected.size)
        while expected.size > 1 and (rare := expected.min()) < 5:  # too small for a chi-square: with its neighbour
            j = int(expected.argmin())
            k = j - 1 if j else 1
            expected[k] += rare
            found[k] += found[j]
            expected, found = np.delete(expected, j), np.delete(found, j)
        if expected.size > 1:
            p_values[n, p] = stats.chisquare(found, expected * found.sum() / expected.sum()).pvalue
        elif law.pmf(round(n * p)) > 1 - 1e-6:
            assert (draws == round(n * p)).all(), f"binomial({n}, {p}) is almost surely {round(n * p)}"
    worst = min(p_values, key=p_values.__getitem__)
    assert p_values[worst] > FALSE_ALARM / len(GRID), f"binomial{worst}: chi-square p-value {p_values[worst]}"


@pytest.mark.parametrize("n", [30, 1023, 1024, 10**6, 10**12, 10**15])
def test_binomial_moments(n):
    """Mean and variance of a million draws within 5 standard errors of theirs (false alarm: 6e-7 each)."""
    for p in (12 / n, 0.4, 0.7):
        draws = draw(n, p, 1_000_000, seed=n).astype(np.float64)
        law = stats.binom(n, p)
        sd, excess = law.std(), (1 - 6 * p * (1 - p)) / (n * p * (1 - p))
        assert abs((draws - n * p).mean()) < 5 * sd / 1000, f"mean of binomial({n}, {p})"
        error = ((draws - n * p) ** 2).mean() / sd**2 - 1
        assert abs(error) < 5 * np.sqrt((2 + excess) / 1e6), f"variance of binomial({n}, {p})"


@pytest.mark.parametrize(("n", "p", "certain"), [(0, 0.3, 0), (5, 0.0, 0), (5, 1.0, 5), (10**15, 1.0, 10**15)])
def test_certain_binomials_draw_nothing(n, p, certain):
    streams = stream(3)
    before = streams.copy()
    out = np.empty(100, np.int64)
    binomials(streams, n, p, out)
    assert (out == certain).all()
    assert (streams == before).all()


@pytest.mark.parametrize(
    ("n", "p"), [(20, 0.5), (100, 0.3), (1023, 0.02), (1024, 0.02), (10**6, 0.4), (10**12, 0.1), (10**15, 0.5)]
)
def test_acceptance_uses_the_exact_ratio_of_probabilities(n, p):
    mode = int((n + 1) * p)
    sd = (n * p * (1 - p)) ** 0.5
    x = np.unique(np.clip((mode + sd * np.linspace(-8, 8, 33)).astype(np.int64), 0, n))
    out = np.empty(x.size)
    log_ratios(x, n, p, out)
    with mpmath.workdps(40):
        odds = mpmath.mpf(p) / (1 - mpmath.mpf(p))
        factorial = [mpmath.loggamma(m + 1) for m in (mode, n - mode)]
        expected = [
            float((k - mode) * mpmath.log(odds) + sum(factorial) - mpmath.loggamma(k + 1) - mpmath.loggamma(n - k + 1))
            for k in map(int, x)
        ]
    # the sums carry terms of the size of x - mode, up to 1e8, in float64: hence the absolute tolerance
    np.testing.assert_allclose(out, expected, rtol=1e-10, atol=1e-9 + 1e-15 * 8 * sd)


@pytest.mark.parametrize("n", [20, 50, 100, 1000, 10**4, 10**6, 10**9])
def test_the_hat_lies_above_the_distribution_and_quick_acceptance_below(n):
    """What makes the rejection exact, for every number that can be drawn, to a fine grid.

    A proposal x(u) is accepted with probability t(u) = P(x) / P(mode) (a / us**2 + b) / alpha: never more than 1, and
    where it is accepted without a test never less than the bound `quick` of that test.
    """
    us = np.concatenate([np.geomspace(1e-6, 0.07, 400), np.linspace(0.07, 0.5, 4_001)[:-1]])
    u = np.concatenate([us - 0.5, 0.5 - us])
    us = np.concatenate([us, us])
    for p in {min(10 / n, 0.5), min(15 / n, 0.5), min(40 / n, 0.5), 0.1, 0.3, 0.5}:
        if n * p < 10 - 1e-9:
            continue
        a, b, alpha, quick = hats(n, p)
        x = np.floor((2 * a / us + b) * u + n * p + 0.5)
        law = stats.binom(n, p)
        inside = (x >= 0) & (x <= n)
        t = np.where(inside, np.exp(law.logpmf(x) - law.logpmf(np.floor((n + 1) * p))), 0) * (a / us**2 + b) / alpha
        assert t.max() <= 1 + 1e-6, f"n = {n}, p = {p}: the hat is {t.max()} times too low at u = {u[t.argmax()]}"
        at_once = us >= 0.07
        assert t[at_once].min() >= quick, f"n = {n}, p = {p}: {t[at_once].min()} < {quick}"


def test_compiles_where_nothing_can_be_kept(monkeypatch):
    """Numba refuses to cache if neither the package's folder nor the user's can be written."""

    def refuses_to_cache(*, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(module, "njit", refuses_to_cache)

    def half(x):
        return x / 2

    assert module.compiled(half)(3) == 1.5


@pytest.mark.parametrize("p", [0.0, 1e-12, 0.04, 0.5, np.nextafter(0.5, 1), 0.93, 1 - 1e-12, 1.0])
def test_one_trial_is_the_binomial_of_one_to_the_last_bit(p):
    ours, theirs = stream(7), stream(7)
    out, expected = np.empty(100_000, np.int64), np.empty(100_000, np.int64)
    bernoullis(ours, p, out)
    binomials(theirs, 1, p, expected)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(ours, theirs)  # as many draws
