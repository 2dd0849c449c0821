"""Other simulators' tables of regret and of stopping times."""

import numpy as np
from numpy.typing import NDArray

from bandit_env.desk.replay.entry import Entry, Figure, mean
from bandit_env.desk.replay.playing import Stage

NINE_ARMS = "SMPyBandits, notebooks Do_we_even_need_UCB (100 runs) and a small single-player simulation (10 runs)"
PIECEWISE = "SMPyBandits, log main_nonstationary (40 runs); problem 1 of Besson et al. (2022), JMLR 23"
BANDITBENCH = "banditbench, README, experiment Uniform (10,001 runs)"
GARIVIER = "Garivier and Kaufmann (2016), COLT, table 1 (3,000 runs)"
ONE_STREAM = "every run of an arm is paid from the same stream of random numbers, so 10,001 runs are nearly one"
OWN_DISCOUNT = "a slip in their loop discounts the arm served K - 1 times more, in place of the others"


def _nine_arms(problem: str, printed: dict[str, tuple[float, int]], usual: int) -> "Entry":
    def play(stage: Stage) -> list[Figure]:
        found = stage.rows("replay/smpybandits", usual, scenarios=[problem], agents=list(printed))
        return [
            mean(f"regret of {agent}", regret, found[problem, agent]["regret"], runs=runs)
            for agent, (regret, runs) in printed.items()
        ]

    name = f"smpybandits-{problem}-{'ucb' if 'ucb1' in printed else 'thompson'}"
    settings = f"nine arms ({problem}), 10,000 visits one at a time: {', '.join(printed)}"
    return Entry(name, NINE_ARMS, settings, play, quick="ucb1" in printed, experiment="replay/smpybandits")


def _piecewise(stage: Stage) -> list[Figure]:
    found = stage.rows("replay/smpybandits_piecewise", 400)
    honest = {agent: rows["regret"] for (_, agent), rows in found.items()}
    rng = np.random.default_rng(2022)
    slip = _discounting_the_served(stage.count(400), rng)
    return [
        mean("regret of Thompson", 445.87, honest["thompson"], runs=40),
        mean("regret of KL-UCB, the last 206 visits", 175.42, honest["kl-ucb, window"], runs=40),
        mean("regret of discounted Thompson, .95", 210.65, honest["thompson, discounted"], runs=40, known=OWN_DISCOUNT),
        mean("the same with their slip", 210.65, slip, runs=40),
    ]


def _discounting_the_served(replications: int, rng: np.random.Generator, factor: float = 0.95) -> NDArray[np.float64]:
    """Regret of Thompson sampling on the piecewise problem with their slip: all discounts are the served arm's.

    SMPyBandits 0.9.7, `DiscountedBayesianIndexPolicy.getReward`: once before the visit counts, K - 1 times after.
    """
    rates = np.array([[0.3, 0.5, 0.9], [0.3, 0.2, 0.9], [0.3, 0.2, 0.1], [0.7, 0.2, 0.1], [0.7, 0.5, 0.1]])
    counts = np.zeros((2, replications, 3))  # conversions, and visits without
    rows, regret = np.arange(replications), np.zeros(replications)
    for visit in range(5000):
        rate = rates[visit // 1000]
        arm = rng.beta(counts[0] + 1, counts[1] + 1).argmax(axis=1)
        converted = rng.random(replications) < rate[arm]
        counts[:, rows, arm] *= factor
        counts[0, rows, arm] += converted
        counts[1, rows, arm] += ~converted
        counts[:, rows, arm] *= factor**2
        regret += rate.max() - rate[arm]
    return regret


def _banditbench(stage: Stage) -> list[Figure]:
    found = {agent: rows["regret"] for (_, agent), rows in stage.rows("replay/banditbench", 2000).items()}
    shared = _one_stream_for_all(40, np.random.default_rng(123456))
    return [
        mean("regret of UCB1", 86.8474, found["ucb1"], runs=10_001),
        mean("regret of Thompson", 28.9339, found["thompson"], runs=10_001, known=ONE_STREAM),
        mean("regret of KL-UCB", 29.6304, found["kl-ucb"], runs=10_001, known=ONE_STREAM),
        mean("Thompson where all runs share one stream", 28.9339, shared, runs=1),
    ]


def _one_stream_for_all(streams: int, rng: np.random.Generator, runs: int = 250) -> NDArray[np.float64]:
    """Mean regret of Thompson where all runs pay an arm's k-th visit by the same random number; one per stream."""
    found = np.empty(streams)
    rows = np.arange(runs)
    for stream in range(streams):
        chance = rng.random((10, 500))
        rates = rng.random((runs, 10))
        successes, visits = np.zeros((runs, 10)), np.zeros((runs, 10), np.int64)
        regret = np.zeros(runs)
        for _ in range(500):
            arm = rng.beta(successes + 1, visits - successes + 1).argmax(axis=1)
            successes[rows, arm] += chance[arm, visits[rows, arm]] < rates[rows, arm]
            visits[rows, arm] += 1
            regret += rates.max(axis=1) - rates[rows, arm]
        found[stream] = regret.mean()
    return found


def _stopping_times(instance: str, printed: float, usual: int) -> "Entry":
    def play(stage: Stage) -> list[Figure]:
        ((_, rows),) = stage.rows("replay/garivier_kaufmann", usual, scenarios=[instance]).items()
        return [mean("visits until it stops", printed, rows["stopping_day"], unit=1, runs=3000)]

    settings = f"Track-and-Stop, instance {instance}, delta = .1"
    name = f"garivier-kaufmann-{instance}"
    return Entry(name, GARIVIER, settings, play, quick=False, experiment="replay/garivier_kaufmann")


ENTRIES = (
    _nine_arms("grid", {"ucb1": (330.67, 100), "ucb1, a quarter": (51.636, 100)}, 100),
    _nine_arms("close", {"ucb1": (236.885, 100), "ucb1, a quarter": (72.965, 100)}, 100),
    _nine_arms("rare", {"ucb1": (484.38, 100), "ucb1, a quarter": (162.84, 100)}, 100),
    _nine_arms("grid", {"thompson": (33.2, 10), "kl-ucb": (51.36, 10)}, 100),
    _nine_arms("close", {"thompson": (83.188, 10), "kl-ucb": (84.505, 10)}, 100),
    _nine_arms("rare", {"thompson": (69.227, 10), "kl-ucb": (94.7, 10)}, 100),
    Entry(
        "smpybandits-piecewise",
        PIECEWISE,
        "three arms whose rates switch every 1,000 of 5,000 visits",
        _piecewise,
        quick=False,
        experiment="replay/smpybandits_piecewise",
    ),
    _stopping_times("mu1", 4052, 200),
    _stopping_times("mu2", 1406, 400),
    Entry(
        "banditbench-uniform",
        BANDITBENCH,
        "ten arms, rates uniform on [0, 1], 500 visits",
        _banditbench,
        quick=False,
        experiment="replay/banditbench",
    ),
)
