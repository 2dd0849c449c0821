"""Speed of the posterior functions beside NumPy's own draws, all in one process, both sides in turns, medians.

    python scripts/benchmark_posterior.py

The floor is what NumPy needs to draw one day of the same experiments: one multinomial and K binomials each. Posteriors
are those of a running experiment: visits shared by Dirichlet(8) weights over 14 to 120 days of 100 visits.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

from bandit_env.stats.posterior import (
    expected_loss,
    potential_value_remaining,
    probability_best,
    weights_and_value_remaining,
)

ROWS = 10_000
RATES = [0.04, 0.05, 0.045, 0.03, 0.02, 0.035]


def counts(arms, rows, rng, a_day=100):
    rates = np.resize(RATES, arms)
    share = rng.dirichlet(np.full(arms, 8.0), rows)
    visits = rng.multinomial(rng.integers(14, 121, rows) * a_day, share)
    return rng.binomial(visits, rates), visits, share, rates


def compare(sides: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median thread seconds of each side, in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for function in sides.values():
        function()
    for _ in range(repeats):
        for name, function in sides.items():
            start = time.thread_time()
            function()
            seconds[name].append(time.thread_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def line(what, seconds, per, unit, ratio, bar=""):
    print(f"{what:<58} {seconds / per * 1e6:>10.3f} us/{unit:<5} {ratio:>10.3g} x {bar}")


def bulk(arms, rng):
    conversions, visits, share, rates = counts(arms, ROWS, rng)
    sides = {
        "floor: a day's multinomial and binomials": lambda: rng.binomial(rng.multinomial(100, share), rates),
        "probability_best": lambda: probability_best(conversions, visits),
        "weights_and_value_remaining": lambda: weights_and_value_remaining(conversions, visits),
        "potential_value_remaining": lambda: potential_value_remaining(conversions, visits),
    }
    taken = compare(sides, 15)
    floor = next(iter(taken.values()))
    for name, seconds in taken.items():
        bar = "of the floor; bar 3, aim 1.5" if name.startswith("weights") else "of the floor"
        line(f"{arms} arms, {ROWS} rows: {name}", seconds, ROWS, "row", seconds / floor, bar)


def single(rng):
    conversions, visits, share, _ = counts(6, 1, rng)
    conversions, visits = conversions[0], visits[0]

    def repeat(function, times=200):
        return lambda: [function() for _ in range(times)]

    def monte_carlo():
        draws = rng.beta(conversions + 1, visits - conversions + 1, (10_000, 6))
        return np.bincount(draws.argmax(axis=1), minlength=6), np.quantile(draws.max(axis=1), 0.95)

    taken = compare(
        {
            "multinomial": repeat(lambda: rng.multinomial(100, share[0])),
            "call": repeat(lambda: weights_and_value_remaining(conversions, visits)),
            "best": repeat(lambda: probability_best(conversions, visits)),
            "monte carlo": repeat(monte_carlo, 3),
        },
        15,
    )
    one = taken["multinomial"] / 200
    line("one rng.multinomial call", one, 1, "call", 1)
    line(
        "one weights_and_value_remaining, six arms", taken["call"] / 200, 1, "call", taken["call"] / 200 / one, "bar 20"
    )
    line("one probability_best, six arms", taken["best"] / 200, 1, "call", taken["best"] / 200 / one)
    return taken["monte carlo"] / 3


def scaling(rng):
    for what, a_day in (("50 visits an arm and day", 50), ("100 visits a day in all", None)):
        for arms in (2, 4, 8, 16, 32, 64, 128, 256):
            rows = max(200, 16_000 // arms)
            conversions, visits, *_ = counts(arms, rows, rng, arms * a_day if a_day else 100)
            seconds = compare({"": lambda c=conversions, v=visits: weights_and_value_remaining(c, v)}, 5)[""]
            line(f"{arms} arms, {rows} rows, {what}", seconds, rows * arms, "arm", 1)
    conversions, visits, *_ = counts(6, 32_000, rng)
    for rows in (1_000, 4_000, 16_000, 32_000):
        seconds = compare({"": lambda n=rows: weights_and_value_remaining(conversions[:n], visits[:n])}, 5)[""]
        line(f"6 arms, {rows} rows: weights_and_value_remaining", seconds, rows, "row", 1)


def panels(rng):
    """What is always done in panels: losses, and visits that differ by orders of magnitude."""
    conversions, visits, *_ = counts(6, 1000, rng)
    seconds = compare({"": lambda: expected_loss(conversions, visits)}, 5)[""]
    line("6 arms, 1000 rows: expected_loss", seconds, 1000, "row", 1)
    visits = np.floor(np.exp(rng.uniform(3, 18, (1000, 6))))
    conversions = np.floor(visits * rng.beta(20, 300, visits.shape))
    seconds = compare({"": lambda: weights_and_value_remaining(conversions, visits)}, 5)[""]
    line("6 arms of 20 to 10^8 visits, 1000 rows: weights_and_value_remaining", seconds, 1000, "row", 1)


def first_calls():
    code = (
        "import time; from bandit_env.stats.posterior import weights_and_value_remaining as f; t = time.perf_counter();"
        "p = time.process_time(); f([1, 2], [30, 40]); print(time.perf_counter() - t, time.process_time() - p)"
    )
    with tempfile.TemporaryDirectory() as folder:
        for what in ("compiling", "from the cache"):
            out = subprocess.run(
                [sys.executable, "-c", code], env={"NUMBA_CACHE_DIR": folder}, capture_output=True, check=True
            )
            wall, cpu = (float(x) for x in out.stdout.split())
            print(f"first call in a process, {what}: {wall:.2f} s, of which {cpu:.2f} s of this process's CPU; bar 5")


def main():
    rng = np.random.default_rng(1)
    for arms in (2, 6):
        bulk(arms, rng)
    monte_carlo = single(rng)
    conversions, visits, *_ = counts(6, ROWS, rng)
    seconds = compare({"": lambda: weights_and_value_remaining(conversions, visits)}, 5)[""] / ROWS
    line("10,000 draws of one posterior, six arms", monte_carlo, 1, "row", monte_carlo / seconds, "of ours; bar 1000")
    scaling(rng)
    panels(rng)
    first_calls()


if __name__ == "__main__":
    main()
