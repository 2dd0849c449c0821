# /// script
# dependencies = ["river", "gymnasium"]
# ///
"""river, ThompsonSampling, visit by visit."""

import random

from river import bandit, proba

rng, rates, visits = random.Random(1), (0.5, 0.6), 50_000


def work():
    policy = bandit.ThompsonSampling(reward_obj=proba.Beta(), seed=1)
    for _ in range(visits):
        arm = policy.pull([0, 1])
        policy.update(arm, rng.random() < rates[arm])
    return visits, None
