# /// script
# dependencies = ["obp"]
# ///
"""obp, the action distribution of BernoulliTS, 20,000 draws."""

import numpy as np
from obp.policy import BernoulliTS

EXACT = [0.0839175251, 0.6323484927, 0.2622339374, 0.0026373305, 6.5964e-6, 0.0188561177]
policy = BernoulliTS(n_actions=6, random_state=1)
policy.action_counts = np.full(6, 1000)
policy.reward_counts = np.array([40.0, 50, 45, 30, 20, 35])


def work():
    for _ in range(20):
        found = policy.compute_batch_action_dist(n_rounds=1, n_sim=20_000)[0, :, 0]
    return 20, float(max(abs(a - b) for a, b in zip(found, EXACT)))
