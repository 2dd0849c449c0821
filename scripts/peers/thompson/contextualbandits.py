# /// script
# dependencies = ["contextualbandits"]
# ///
"""contextualbandits, PartitionedTS without context, told of 100 visits at once."""

import numpy as np
from contextualbandits.online import PartitionedTS

rates, days, context = np.array([0.5, 0.6]), 100, np.ones((100, 1))


def work():
    rng = np.random.default_rng(1)
    policy = PartitionedTS(nchoices=2, beta_prior=((1, 1), 1), random_state=1, njobs=1)
    arms, rewards = rng.integers(0, 2, 100), np.empty(0)
    for day in range(1, days + 1):
        new = arms[-100:]
        rewards = np.concatenate([rewards, rng.random(100) < rates[new]])
        policy.fit(np.ones((100 * day, 1)), arms, rewards)  # a tree cannot be told of new visits alone
        arms = np.concatenate([arms, policy.predict(context)])
    assert (arms[-2000:] == 1).mean() > 0.6, "it learns"
    return 100 * days, None
