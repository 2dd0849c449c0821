# /// script
# dependencies = []
# [tool.peer]
# package = "numpy"
# ///
"""NumPy, 200 side by side, 1,000 draws of each posterior a day."""

import numpy as np

rates = np.array([0.04, 0.05])


def work():
    rng, served = np.random.default_rng(1), 0
    visits, conversions, weight = np.zeros((200, 2)), np.zeros((200, 2)), np.full(200, 0.5)
    for day in range(1000):
        split = rng.binomial(100, weight)
        new = np.stack([100 - split, split], axis=1)
        visits += new
        conversions += rng.binomial(new, rates)
        served += 100 * len(visits)
        draws = rng.beta(conversions + 1, visits - conversions + 1, (1000, len(visits), 2))
        weight = (draws[..., 1] > draws[..., 0]).mean(axis=0)
        champion = np.where(weight > 0.5, draws[..., 1], draws[..., 0])
        if day >= 13:
            on = np.quantile((draws.max(axis=2) - champion) / champion, 0.95, axis=0) >= 0.01
            visits, conversions, weight = visits[on], conversions[on], weight[on]
            if not on.any():
                break
    return served, None
