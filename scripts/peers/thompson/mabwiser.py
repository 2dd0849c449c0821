# /// script
# dependencies = ["mabwiser"]
# ///
"""MABWiser, ThompsonSampling, visit by visit."""

import random

from mabwiser.mab import MAB, LearningPolicy

rng, rates, visits = random.Random(1), (0.5, 0.6), 5000


def work():
    policy = MAB([0, 1], LearningPolicy.ThompsonSampling(), seed=1)
    policy.fit([0, 1], [1, 1])
    for _ in range(visits):
        arm = policy.predict()
        policy.partial_fit([arm], [int(rng.random() < rates[arm])])
    return visits, None
