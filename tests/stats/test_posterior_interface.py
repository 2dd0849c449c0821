"""What goes in and out of the posterior functions, and what they need of the machine."""

import gc
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats

from bandit_env.stats._posterior import panels as _panels
from bandit_env.stats._posterior import sinc as _sinc
from bandit_env.stats.posterior import (
    PosteriorAccuracyWarning,
    expected_loss,
    potential_value_remaining,
    probability_beats,
    probability_best,
    value_remaining_below,
    weights_and_value_remaining,
)

FUNCTIONS = [
    probability_best,
    probability_beats,
    value_remaining_below,
    potential_value_remaining,
    weights_and_value_remaining,
    expected_loss,
]
EVERY = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)


def parts(result):
    """The arrays of a result: one function returns two."""
    return result if isinstance(result, tuple) else (result,)


@EVERY
@pytest.mark.parametrize(
    ("conversions", "visits", "prior", "message"),
    [
        ([[3, 4], [7, 2]], [[9, 9], [5, 9]], (1, 1), r"conversions\[1, 0\] is 7\.0; expected .* visits\[1, 0\] = 5\.0"),
        ([3, -1], [9, 9], (1, 1), r"conversions\[1\] is -1\.0"),
        ([3, 0], [9, -2], (1, 1), r"visits\[1\] is -2\.0; expected a finite number, at least 0"),
        ([3, np.nan], [9, 9], (1, 1), r"conversions\[1\] is nan"),
        ([3, 1], [9, np.inf], (1, 1), r"visits\[1\] is inf"),
        ([3, 1], [np.nan, 9], (1, 1), r"visits\[0\] is nan"),
        ([1, 2, 3], [4, 5], (1, 1), r"conversions \(3,\), visits \(2,\) and prior \(2,\) do not broadcast"),
        ([1, 2], [4, 5], [(1, 1)] * 3, r"do not broadcast"),
        ([1], [4], (1, 1), r"shape \(1,\); expected \(\.\.\., K\), K at least 2"),
        (1, 4, (1, 1), r"shape \(\); expected \(\.\.\., K\), K at least 2"),
        ([1, 2], [4, 5], (0, 1), r"prior\[0\] is 0\.0; expected a positive number, from 1e-100 to 1e\+100"),
        ([1, 2], [4, 5], [(1, 1), (1, -3)], r"prior\[1, 1\] is -3\.0"),
        ([1, 2], [4, 5], (1, np.nan), r"prior\[1\] is nan"),
        ([1, 2], [4, 5], (1, 1, 1), r"prior has shape \(3,\); expected \(2,\) or \(\.\.\., K, 2\)"),
    ],
)
def test_bad_input_is_named(function, conversions, visits, prior, message):
    with pytest.raises(ValueError, match=message):
        function(conversions, visits, prior=prior)


@pytest.mark.parametrize("threshold", [-0.01, np.nan, np.inf])
def test_bad_thresholds(threshold):
    for function in (value_remaining_below, weights_and_value_remaining):
        with pytest.raises(ValueError, match="threshold is"):
            function([1, 2], [3, 4], threshold)


@pytest.mark.parametrize("quantile", [0, 1, -0.5, np.nan])
def test_bad_quantiles(quantile):
    with pytest.raises(ValueError, match=r"quantile is .* between 0 and 1"):
        potential_value_remaining([1, 2], [3, 4], quantile)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("workers", [None, 1, 2, 3])
def test_an_invalid_count_is_named_by_its_own_place_whoever_finds_it(function, workers):
    """Rows are shared out to threads in slices of whole blocks of 1,024."""
    visits = np.full((2500, 2), 10.0)
    for row, arm in ((2400, 1), (1500, 0), (30, 1)):  # from the last slice to the first
        conversions = np.full((2500, 2), 3.0)
        conversions[row, arm] = 11
        with pytest.raises(ValueError, match=rf"conversions\[{row}, {arm}\] is 11.0; expected a number from 0 to"):
            function(conversions, visits, workers=workers)


def test_bad_control_and_workers():
    with pytest.raises(ValueError, match="control is 2; expected an arm's index, from -2 to 1"):
        probability_beats([1, 2], [3, 4], control=2)
    with pytest.raises(ValueError, match="workers is 0"):
        probability_best([1, 2], [3, 4], workers=0)


@EVERY
def test_leading_axes_and_dtypes(function):
    conversions, visits = np.arange(24).reshape(2, 3, 4), np.full(4, 100)
    result = function(conversions, visits)
    for cast in (np.int32, np.float32, np.float64):
        again = function(conversions.astype(cast), visits.astype(cast))
        for one, other in zip(parts(result), parts(again)):
            assert np.array_equal(one, other)
    for part in parts(result):
        assert part.dtype == np.float64
        assert part.shape in ((2, 3, 4), (2, 3))
    for part, one in zip(parts(result), parts(function(conversions[1, 2], visits))):
        assert np.array_equal(part[1, 2], one)


@EVERY
def test_no_rows_is_no_rows(function):
    result = function(np.zeros((0, 3)), np.zeros((0, 3)))
    for part in parts(result):
        assert part.shape[0] == 0


@EVERY
def test_input_is_left_alone(function):
    conversions, visits = np.array([[4.0, 5.0]]), np.array([[50.0, 40.0]])
    function(conversions, visits)
    assert (conversions == [[4, 5]]).all()
    assert (visits == [[50, 40]]).all()


@EVERY
def test_priors_add_to_the_counts(function):
    plain = function([4, 9], [50, 60], prior=(1, 1))
    per_arm = function([3, 7], [40, 45], prior=[(2, 10), (3, 14)])
    per_row = function([[3, 7]], [[40, 45]], prior=[[(2, 10), (3, 14)]])
    for one, other, third in zip(parts(plain), parts(per_arm), parts(per_row)):
        np.testing.assert_allclose(one, other, rtol=1e-13)
        np.testing.assert_allclose(third[0], other, rtol=1e-13)


def test_priors_differ_by_row():
    prior = np.array([[(1, 1), (1, 1)], [(0.5, 0.5), (0.5, 0.5)]])
    best = probability_best([[4, 9]] * 2, [[50, 60]] * 2, prior=prior)
    assert (best[0] == probability_best([4, 9], [50, 60])).all()
    assert (best[1] == probability_best([4, 9], [50, 60], prior=(0.5, 0.5))).all()


def test_weighted_counts_need_not_be_whole():
    between = probability_best([4.5, 9], [50, 60])[0]
    assert probability_best([4, 9], [50, 60])[0] < between < probability_best([5, 9], [50, 60])[0]


def rows(count, arms=3):
    rng = np.random.default_rng(11)
    visits = rng.integers(200, 2000, (count, arms))
    return rng.binomial(visits, np.resize([0.04, 0.05, 0.045], arms)), visits


def test_threads_give_the_same_bits():
    conversions, visits = rows(4100)
    best, below = weights_and_value_remaining(conversions, visits)
    for workers in (1, 2, 3):
        again, below_again = weights_and_value_remaining(conversions, visits, workers=workers)
        assert (again == best).all()
        assert (below_again == below).all()


def test_two_threads_may_call_at_once():
    conversions, visits = rows(600)
    expected = probability_best(conversions, visits)
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(lambda _: probability_best(conversions, visits), range(8)):
            assert (result == expected).all()


def test_a_failed_check_warns(monkeypatch):
    def spoiled(*arguments):
        *_, best, value, error = arguments
        best[:], value[:], error[:] = 0.5, 0.1, 1e-6

    monkeypatch.setattr(_panels, "rows", spoiled)
    monkeypatch.setattr(_sinc, "MOST_ARMS", 0)
    for function in FUNCTIONS:
        with pytest.warns(PosteriorAccuracyWarning, match=r"1 posteriors may be off by up to 1\.0e-06") as caught:
            function([1, 2], [3, 4])
        assert caught[0].filename == __file__  # the line that called


@pytest.mark.parametrize("prior", [(1, 0.08), (1, 0.04), (1, 0.01), (0.01, 0.01), (0.3, 0.2)])
def test_rates_that_pile_up_at_0_or_1_are_right_or_warned_of(prior):
    """Priors far below 1/2: beyond what is promised, but never silently wrong. Two equal arms."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loss = expected_loss([0, 0], [0, 0], prior=prior)
    u = stats.beta(*prior).ppf((np.arange(20_000) + 0.5) / 20_000)
    exact = np.abs(u[:, None] - u[::40]).mean() / 2  # E[max] - E[rate]
    assert caught or loss == pytest.approx(exact, abs=1e-3)
    for quantile in (0.5, 0.95):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            value = potential_value_remaining([0, 0], [0, 0], quantile, prior=prior)
        assert caught or (value >= 0 and (quantile > 0.5 or value == 0))


def test_ordinary_and_extreme_rows_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights_and_value_remaining([[0, 0], [10**9, 5], [3, 10**8]], [[0, 0], [10**9, 10], [10, 10**9]])


def test_importing_the_package_does_not_import_numba():
    code = "import sys, bandit_env, bandit_env.stats; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_compiled_code_is_kept_between_processes(tmp_path):
    # an installation that cannot be written to: Numba then keeps its files where NUMBA_CACHE_DIR says
    code = (
        "import time; from bandit_env.stats import posterior; from bandit_env.stats._posterior import sinc;"
        "t = time.process_time();"
        "posterior.weights_and_value_remaining([1, 2], [30, 40]); print(time.process_time() - t);"
        "print(sum(sinc.rows.stats.cache_hits.values()))"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    seconds, hits = [], []
    for _ in range(2):
        out = subprocess.run(
            [sys.executable, "-c", code], check=True, timeout=110, env=environment, capture_output=True
        )
        spent, hit = out.stdout.split()
        seconds.append(float(spent))
        hits.append(int(hit))
    assert hits == [0, 1]
    assert seconds[1] < 0.5 * seconds[0]


@pytest.mark.parametrize("enabled", [True, False])
def test_compiling_leaves_the_garbage_collector_as_it_was(enabled):
    from numba import TypingError, njit

    import bandit_env.compilation  # noqa: F401 (pauses it while Numba compiles)

    @njit
    def successor(number):
        return number + 1

    (gc.enable if enabled else gc.disable)()
    try:
        assert successor(1) == 2
        assert gc.isenabled() is enabled
        with pytest.raises(TypingError):
            successor("text")
        assert gc.isenabled() is enabled
    finally:
        gc.enable()


def test_ordinary_experiments_need_no_panels(monkeypatch):
    """They would take longer, and several seconds to compile in a first run."""

    def panels(*arguments):
        raise AssertionError("panels were asked for")

    monkeypatch.setattr(_panels, "rows", panels)
    for arms in (2, 3, 6):
        weights_and_value_remaining([0] * arms, [0] * arms)
        weights_and_value_remaining(*rows(1000, arms))
    potential_value_remaining(*rows(1000, 2))


def test_one_compilation_serves_every_call():
    fixed = np.array([[30.0, 40.0]])
    fixed.flags.writeable = False
    probability_best([1, 2], [30, 40])
    probability_best([[1, 2]] * 3, [30, 40], prior=[[1, 1], [2, 2]])
    probability_best([1, 2], fixed, prior=np.broadcast_to([1, 2], (1, 2, 2)), workers=2)
    weights_and_value_remaining(fixed, fixed)
    expected_loss(np.asfortranarray(np.ones((3, 2))), 2 * np.ones((3, 4))[:, ::2])
    assert len(_sinc.rows.signatures) == 1
    assert len(_panels.rows.signatures) <= 2  # of expected losses, and of all else
