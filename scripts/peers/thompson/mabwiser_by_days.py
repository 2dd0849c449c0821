# /// script
# dependencies = ["mabwiser"]
# ///
"""MABWiser, told of 100 visits at once."""

import random

from mabwiser.mab import MAB, LearningPolicy

rng, rates, days = random.Random(1), (0.5, 0.6), 200


def work():
    policy = MAB([0, 1], LearningPolicy.ThompsonSampling(), seed=1)
    policy.fit([0, 1], [1, 1])
    for _ in range(days):
        arms = [policy.predict() for _ in range(100)]
        policy.partial_fit(arms, [int(rng.random() < rates[arm]) for arm in arms])
    return 100 * days, None
