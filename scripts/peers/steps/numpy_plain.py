# /// script
# dependencies = []
# [tool.peer]
# package = "numpy"
# ///
"""NumPy, twenty lines: draw, count, copy."""

import numpy as np

rng, n = np.random.default_rng(1), 1024
rates, rows, actions = np.array([0.5, 0.6]), np.arange(n), rng.integers(0, 2, n)
visits, conversions = np.zeros((n, 2)), np.zeros((n, 2))


def step(actions):
    reward = rng.random(n) < rates[actions]
    visits[rows, actions] += 1
    conversions[rows, actions] += reward
    return visits.copy(), conversions.copy(), reward


def work():
    for _ in range(2000):
        step(actions)
    return 2000 * n, None
