"""The Bernoulli bandit to learn on: the world of `BernoulliBanditEnv`, seen and paid as learners need it."""

from typing import Any

import numpy as np

from bandit_env.envs.bernoulli_bandit import DRAWN, BernoulliBandit, make_scenario
from bandit_env.envs.feature_view import FeatureView
from bandit_env.envs.learner import LearnEnv, LearnVectorEnv, read_arguments

DEFAULTS = {
    "rates": None, "prior": (1.0, 1.0), "num_arms": 2, "horizon": 100, "reward": "regret", "effects": None,
    "delay": None,
}  # fmt: skip


class LearnPerVisit(FeatureView, BernoulliBandit):
    """A Bernoulli bandit that shows features."""


def make_per_visit(num_experiments: int, /, **arguments: Any) -> LearnPerVisit:
    """A world from an environment's arguments."""
    scenario, view, sampler = read_arguments(arguments, DEFAULTS, make_scenario, DRAWN, tuple(DEFAULTS))
    return LearnPerVisit(scenario, num_experiments, view, sampler)


class LearnPerVisitEnv(LearnEnv[np.int64]):
    """A Bernoulli bandit to learn on: `BernoulliBanditEnv` with one row of features to look at.

    ## Description
    The world, the actions and the end are those of `BernoulliBanditEnv`. Each episode draws its rates from a prior, the
    reward is minus the regret, and the observation is a flat Box of float32 whose entries are of the order of 1.

    ## Action Space
    `Discrete(K)`: the arm to pull.

    ## Observation Space
    `Box` of shape (K F,), float32: the F features of arm 0, then those of arm 1, and so on. By default F = 4:

    | index in an arm | name | min | max | unit |
    | --- | --- | --- | --- | --- |
    | 0 | `logit`: log10 of the odds of the posterior mean | -20 | 20 | |
    | 1 | `log_visits`: log10(1 + pulls) | 0 | 16 | |
    | 2 | `gap`: mean less the best other one, in standard deviations of the difference | -10 | 10 | |
    | 3 | `day`: share of the horizon that has passed | 0 | 1 | |

    `features` takes others: see `bandit_env.stats.features.arm_features`. With `history`, K + 1 numbers follow: the
    last arm as a one-hot and the last reward, 0 at first.

    ## Starting State
    No pulls, rates drawn from `prior`; or what `reset(options=...)` says, as of `BernoulliBanditEnv`. With
    `episodes_per_world=m`, m episodes in a row have the same rates; a seed begins a new world.

    ## Rewards
    Minus the pseudo-regret of the pull, -(best rate - rate of the arm); with `reward="reward"`, 0 or 1.

    ## Episode End
    `terminated` with the last of `horizon` pulls. `truncated` is never True: the horizon is part of the task and is
    observed. So no `max_episode_steps` is registered, whose TimeLimit would call the same end a truncation.

    ## Information
    As of `BernoulliBanditEnv`: the same keys from `reset` and from `step`.

    ## Arguments
    ```python
    gym.make("bandit_env/LearnPerVisit-v0")
    gym.make("bandit_env/LearnPerVisit-v0", num_arms=10, horizon=500, history=True, reward="reward")  # RL^2's task
    gym.make_vec("bandit_env/LearnPerVisit-v0", num_envs=1024)
    ```

    | argument | default | meaning |
    | --- | --- | --- |
    | `features` | ["logit", "log_visits", "gap", "day"] | names of the features of each arm |
    | `feature_prior` | None | (a, b) of what is seen; None: `prior` where that is one for all arms, else (1, 1) |
    | `history` | False | append the last arm and reward |
    | `episodes_per_world` | 1 | episodes that a row plays before it draws new rates, and a new task |
    | `sampler` | None | what each episode draws its task from, as of `BernoulliBanditEnv` |
    | `prior` | [1, 1] | as of `BernoulliBanditEnv`; not with `rates` |
    | `num_arms` | 2 | K |
    | `horizon` | 100 | pulls in an episode |
    | `reward` | "regret" | or "reward" |
    | all others | | those of `BernoulliBanditEnv` |

    ## References
    Y. Duan et al., "RL^2: Fast Reinforcement Learning via Slow Reinforcement Learning", arXiv:1611.02779.

    ## Version History
    * v0: initial version
    """

    make_world = staticmethod(make_per_visit)


class LearnPerVisitVectorEnv(LearnVectorEnv):
    """N bandits of `LearnPerVisitEnv` side by side, in one compiled step; row by row the same, bit for bit.

    Arguments are those of `LearnPerVisitEnv`, and `num_envs` and `autoreset_mode`.
    """

    make_world = staticmethod(make_per_visit)
