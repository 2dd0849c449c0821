"""What learners need on top of the environments: features instead of counts, a menu instead of a simplex.

Each comes for single and for vector environments, native or Gymnasium's own. A vector wrapper also rewrites the last
observations of episodes in `infos["final_obs"]`, so that SAME_STEP autoreset hands out one kind of observation only.

>>> import gymnasium as gym, bandit_env
>>> env = ArmFeatures(gym.make("bandit_env/DailyTraffic-v0", prior=[4, 96], num_arms=3, max_days=60))
>>> env.observation_space.shape
(3, 6)
>>> AllocationMenu(env).action_space
Discrete(10)
"""

from bandit_env.envs.wrappers.features import ArmFeatures, ArmFeaturesVector
from bandit_env.envs.wrappers.flat import FlatCounts, FlatCountsVector
from bandit_env.envs.wrappers.menu import AllocationMenu, AllocationMenuVector

__all__ = [
    "AllocationMenu",
    "AllocationMenuVector",
    "ArmFeatures",
    "ArmFeaturesVector",
    "FlatCounts",
    "FlatCountsVector",
]
