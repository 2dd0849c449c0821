"""Memories and log odds on rates that move, arms that join and conversions that come late.

The expected regrets are those of independent programs, with their standard errors; each test is within 4 combined ones,
with seeds fixed beforehand. Two arms of .04 and .05 unless said, uniform prior, multinomial split, no stop.
"""

import numpy as np
import pytest
from moving import regret

import agents
from bandit_env.world.task import Task

DAY = np.arange(80)
FACTORS = {
    "none": np.ones(60),
    "weekend": np.where(DAY[:60] % 7 >= 5, 0.5, 1.2),
    "down": np.where(DAY[:60] >= 20, 0.6, 1.0),
    "up": np.where(DAY[:60] >= 20, 1.6, 1.0),
}
DISCOUNTED = {"memory": {"memory": "discounted", "factor": 0.95}}


def agrees(lost, expected, error):
    own = lost.std(ddof=1) / np.sqrt(len(lost))
    assert abs(lost.mean() - expected) <= 4 * np.hypot(own, error), (lost.mean(), own)


@pytest.mark.parametrize(
    ("factor", "name", "arguments", "expected", "error"),
    [
        ("none", "thompson", {}, 43.1, 0.4),
        ("none", "log-odds-thompson", {}, 46.9, 0.5),
        ("none", "thompson", DISCOUNTED, 64.8, 0.2),
        ("weekend", "log-odds-thompson", {}, 47.2, 0.5),
        ("down", "thompson", {}, 60.0, 0.5),
        ("down", "log-odds-thompson", {}, 45.2, 0.4),
        ("down", "thompson", DISCOUNTED, 67.1, 0.2),
        ("up", "log-odds-thompson", {}, 49.0, 0.5),
        ("up", "thompson", DISCOUNTED, 46.4, 0.2),
    ],
)
def test_a_factor_that_all_rates_share(factor, name, arguments, expected, error):
    """1,000 visits a day, 60 days, the first seven equal; the method is Kim and Kim's (2020, arXiv 2003.01905)."""
    agent = agents.make(name, warm_up_days=7, **arguments)
    rates = FACTORS[factor][:, None] * [0.04, 0.05]
    agrees(regret(agent, Task(2, 1000, max_days=60), rates, seed=1, count=250)[0], expected, error)


@pytest.mark.parametrize(
    ("name", "arguments", "expected", "error", "worse"),
    [
        ("thompson", {}, 22.5, 0.1, 0.54),
        ("thompson", {"floor": 0.05}, 21.9, 0.1, 0.53),
        ("log-odds-thompson", {}, 10.4, 0.2, 0.12),
        ("thompson", DISCOUNTED, 16.7, 0.1, 0.20),
    ],
)
def test_a_better_arm_that_joins_after_the_rates_have_fallen(name, arguments, expected, error, worse):
    """From day 20 on rates x .6 and arm 1 there; 100 visits a day to day 80; `worse`: who leads on the last day."""
    agent = agents.make(name, warm_up_days=3, **arguments)
    rates = np.where(DAY >= 20, 0.6, 1.0)[:, None] * [0.04, 0.05]
    lost, weights = regret(agent, Task(2, 100, max_days=80, joins=(0, 20)), rates, seed=2, count=300, since=20)
    agrees(lost, expected, error)
    share = (weights[:, 0] > weights[:, 1]).mean()
    assert abs(share - worse) <= 4 * np.sqrt(worse * (1 - worse) * (1 / 300 + 1 / 2000))


@pytest.mark.parametrize(
    ("delay", "corrected", "expected", "error"),
    [
        ([0.25, 4], None, 201.2, 0.9),
        ([0.25, 4], [0.25, 4], 45.5, 0.3),
        ([0.25, 4], 4, 178.6, 1.0),
        ([4, 4], None, 82.8, 0.5),
        ([4, 4], 4, 47.3, 0.3),
    ],
)
def test_conversions_that_come_late(delay, corrected, expected, error):
    """1,000 visits a day, 60 days, the first seven equal; delays geometric from the visit on."""
    memory = "all" if corrected is None else {"memory": "delay-corrected", "mean_days": corrected}
    agent = agents.make("thompson", warm_up_days=7, memory=memory)
    rates = np.tile([0.04, 0.05], (60, 1))
    agrees(regret(agent, Task(2, 1000, max_days=60), rates, seed=3, count=250, mean_delay=delay)[0], expected, error)


@pytest.mark.parametrize(
    ("name", "memory", "expected", "error"),
    [
        ("kl-ucb", {"memory": "window", "days": 206}, 178.0, 0.5),
        ("thompson", {"memory": "discounted", "factor": 0.99}, 186.9, 0.3),
    ],
)
def test_piecewise_stationary_rates(name, memory, expected, error):
    """Problem 1 of Besson et al. (2022), JMLR 23: one visit an update, 5,000 visits; they print 175.4 for the first."""
    rates = np.repeat(
        [(0.3, 0.5, 0.9), (0.3, 0.2, 0.9), (0.3, 0.2, 0.1), (0.7, 0.2, 0.1), (0.7, 0.5, 0.1)], 1000, axis=0
    )
    lost, _ = regret(agents.make(name, memory=memory), Task(3, 1, max_days=5000), rates, seed=4, count=30)
    agrees(lost, expected, error)
