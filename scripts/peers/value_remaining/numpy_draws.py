# /// script
# dependencies = []
# [tool.peer]
# package = "numpy"
# ///
"""NumPy, 10,000 draws, as R's bandit does it."""

import numpy as np

EXACT = 0.2742548
conversions, rng = np.array([40, 50, 45, 30, 20, 35]), np.random.default_rng(1)


def work():
    for _ in range(100):
        draws = rng.beta(1 + conversions, 1001 - conversions, (10_000, 6))
        champion = draws[:, np.bincount(draws.argmax(axis=1), minlength=6).argmax()]
        found = np.quantile((draws.max(axis=1) - champion) / champion, 0.95)
    return 100, abs(float(found) - EXACT)
