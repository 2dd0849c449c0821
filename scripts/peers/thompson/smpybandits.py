# /// script
# dependencies = ["SMPyBandits", "numpy<2", "scipy<1.12", "tqdm"]
# ///
"""SMPyBandits, Thompson, visit by visit."""

import random

from SMPyBandits.Policies import Thompson

rng, rates, visits = random.Random(1), (0.5, 0.6), 20_000


def work():
    policy = Thompson(2)
    policy.startGame()
    for _ in range(visits):
        arm = policy.choice()
        policy.getReward(arm, float(rng.random() < rates[arm]))
    return visits, None
