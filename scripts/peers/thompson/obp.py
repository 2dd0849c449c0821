# /// script
# dependencies = ["obp"]
# ///
"""obp, BernoulliTS, visit by visit."""

import random

from obp.policy import BernoulliTS

rng, rates, visits = random.Random(1), (0.5, 0.6), 20_000


def work():
    policy = BernoulliTS(n_actions=2, random_state=1)
    for _ in range(visits):
        arm = int(policy.select_action()[0])
        policy.update_params(arm, float(rng.random() < rates[arm]))
    return visits, None
