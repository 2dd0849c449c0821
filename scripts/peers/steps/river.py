# /// script
# dependencies = ["river", "gymnasium"]
# ///
"""river, its Gymnasium environment, one at a time."""

import gymnasium
import river.bandit  # noqa: F401

env = gymnasium.make("river_bandits/KArmedTestbed-v0", k=2)
env.reset(seed=1)


def work():
    for i in range(20_000):
        *_, terminated, truncated, _ = env.step(i % 2)
        if terminated or truncated:
            env.reset()
    return 20_000, None
