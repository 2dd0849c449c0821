"""Daily traffic to learn on: the world of `DailyTrafficEnv`, seen and paid as learners need it."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from bandit_env.envs.daily_traffic import DRAWN, DailyTraffic
from bandit_env.envs.feature_view import FeatureView, View
from bandit_env.envs.learner import LearnEnv, LearnVectorEnv, read_arguments
from bandit_env.world.action import check_choice, make_menu
from bandit_env.world.scenario import Scenario
from bandit_env.world.tasks import TaskSampler

DEFAULTS = {"prior": (4.0, 96.0), "num_arms": 2, "max_days": 60, "reward": "regret"}
Allocations = Sequence[Sequence[float]]


class LearnDaily(FeatureView, DailyTraffic):
    """Daily traffic that shows features."""


class LearnDailyMenu(LearnDaily):
    """The same, with a menu of actions to choose from."""

    def __init__(
        self,
        scenario: Scenario,
        num_experiments: int,
        view: View,
        sampler: TaskSampler | None = None,
        allocations: Allocations | None = None,
    ) -> None:
        self.menu = make_menu(scenario.task.num_arms, allocations, declare=True)  # (M, K + 1)
        super().__init__(scenario, num_experiments, view, sampler)

    @property
    def action_space(self) -> gym.spaces.Discrete:  # type: ignore[override]
        """The menu's entries."""
        return gym.spaces.Discrete(len(self.menu))

    @property
    def _served_space(self) -> gym.spaces.Box:
        return DailyTraffic.action_space.fget(self)  # type: ignore[attr-defined, no-any-return]

    def read(self, action: Any, batch: tuple[int, ...]) -> NDArray[np.float32]:
        """The entries that were chosen."""
        choice = check_choice(action, len(self.menu))
        if choice.shape != batch:
            raise ValueError(f"the action has shape {choice.shape}; expected {batch}")
        return self.menu[choice]


def make_daily(num_experiments: int, /, **arguments: Any) -> LearnDaily:
    """A world from an environment's arguments."""
    scenario, view, sampler = read_arguments(arguments, DEFAULTS, Scenario, DRAWN)
    return LearnDaily(scenario, num_experiments, view, sampler)


def make_menu_world(
    num_experiments: int, /, allocations: Allocations | None = None, **arguments: Any
) -> LearnDailyMenu:
    """The same, with a menu."""
    scenario, view, sampler = read_arguments(arguments, DEFAULTS, Scenario, DRAWN)
    return LearnDailyMenu(scenario, num_experiments, view, sampler, allocations)


class LearnDailyEnv(LearnEnv[NDArray[np.float32]]):
    """Daily traffic to learn on: `DailyTrafficEnv` with one row of features to look at.

    ## Description
    The world, the actions and the ends are those of `DailyTrafficEnv`. What differs is what a learner needs from an
    id alone: each episode draws its rates from a prior, the reward is minus the regret, the horizon is two months, and
    the observation is a flat Box of float32 whose entries are of the order of 1, whatever the rates and the traffic.

    ## Action Space
    `Box(0, 1, (K + 1,), float32)`: K traffic scores, then a stop score, as of `DailyTrafficEnv`.

    ## Observation Space
    `Box` of shape (K F,), float32: the F features of arm 0, then those of arm 1, and so on. By default F = 4:

    | index in an arm | name | min | max | unit |
    | --- | --- | --- | --- | --- |
    | 0 | `logit`: log10 of the odds of the posterior mean | -20 | 20 | |
    | 1 | `log_visits`: log10(1 + visits) | 0 | 16 | |
    | 2 | `gap`: mean less the best other one, in standard deviations of the difference | -10 | 10 | |
    | 3 | `day`: share of the horizon that has passed | 0 | 1 | |

    `features` takes others, in any order: `bandit_env.stats.features.arm_features` has them all. With `history`,
    K + 2 numbers follow: the last action and the last reward, 0 at first.

    ## Starting State
    No visits, day 0, rates drawn from `prior`; or what `reset(options=...)` or `start` say, as of `DailyTrafficEnv`.
    With `episodes_per_world=m`, m episodes in a row have the same rates; a seed begins a new world.

    ## Rewards
    Minus the pseudo-regret of the update, and on the step that declares an arm minus what that arm loses up to the
    horizon. Train with gamma = 1, or near it.

    ## Episode End
    `terminated` when the agent declares an arm, or on one last step after `max_days` days. `truncated` is never True:
    the horizon is part of the task and the day is observed. So no `max_episode_steps` is registered; the TimeLimit that
    it brings would only call some of these ends truncations. An episode has at most `max_days * updates_per_day + 1`
    steps.

    ## Information
    As of `DailyTrafficEnv`: the same keys from `reset` and from `step`.

    ## Arguments
    ```python
    gym.make("bandit_env/LearnDaily-v0")
    gym.make("bandit_env/LearnDaily-v0", num_arms=5, prior=[1, 1], features=["logit", "log_precision", "log_left"])
    gym.make_vec("bandit_env/LearnDaily-v0", num_envs=64, autoreset_mode="SameStep")
    ```

    | argument | default | meaning |
    | --- | --- | --- |
    | `features` | ["logit", "log_visits", "gap", "day"] | names of the features of each arm |
    | `feature_prior` | None | (a, b) of what is seen; None: `prior` where that is one for all arms, else (1, 1) |
    | `history` | False | append the last action and reward |
    | `episodes_per_world` | 1 | episodes that a row plays before it draws new rates, and a new task |
    | `sampler` | None | what each episode draws its task from, as of `DailyTrafficEnv` |
    | `prior` | [4, 96] | as of `DailyTrafficEnv`; not with `rates` |
    | `num_arms` | 2 | K |
    | `max_days` | 60 | the horizon, in days |
    | `reward` | "regret" | or "conversions" |
    | all others | | those of `DailyTrafficEnv`, with its defaults |

    ## References
    S. L. Scott, "Multi-armed Bandit Experiments", Google Analytics, 23 January 2013.
    Y. Duan et al., "RL^2: Fast Reinforcement Learning via Slow Reinforcement Learning", arXiv:1611.02779 (history,
    several episodes in one world).

    ## Version History
    * v0: initial version
    """

    make_world = staticmethod(make_daily)


class LearnDailyVectorEnv(LearnVectorEnv):
    """N experiments of `LearnDailyEnv` side by side, in one compiled step; row by row the same, bit for bit.

    Arguments are those of `LearnDailyEnv`, and `num_envs` and `autoreset_mode`: "NextStep", "SameStep", "Disabled", or
    the member of `gymnasium.vector.AutoresetMode`.
    """

    make_world = staticmethod(make_daily)


class LearnDailyMenuEnv(LearnEnv[np.int64]):
    """`LearnDailyEnv` with a menu of allocations, for learners of few actions such as DQN.

    ## Description
    As of `LearnDailyEnv`; what is chosen is an entry of a menu.

    ## Action Space
    `Discrete(3 K + 1)`: uniform; each arm alone; for each arm four fifths of the traffic, with the rest shared equally;
    then to stop and ship arm 0, ..., K - 1. With `allocations`, of shape (M, K), it is `Discrete(M + K)`: these, then
    the ways to stop. Before `min_days` a stop serves all traffic with the arm it would ship.

    ## Observation Space
    As of `LearnDailyEnv`: `Box` of shape (K F,), float32. With `history`, the last action is the entry's scores.

    ## Starting State
    As of `LearnDailyEnv`.

    ## Rewards
    As of `LearnDailyEnv`.

    ## Episode End
    As of `LearnDailyEnv`: `terminated` only, within `max_days * updates_per_day + 1` steps, so that no
    `max_episode_steps` is needed.

    ## Information
    As of `DailyTrafficEnv`: the same keys from `reset` and from `step`.

    ## Arguments
    ```python
    gym.make("bandit_env/LearnDailyMenu-v0")
    gym.make("bandit_env/LearnDailyMenu-v0", allocations=[[0.5, 0.5], [0.9, 0.1], [0.1, 0.9]])
    ```

    | argument | default | meaning |
    | --- | --- | --- |
    | `allocations` | None | serving weights, one row for each entry, shape (M, K); None: the menu above |
    | all others | | those of `LearnDailyEnv` |

    ## References
    As of `LearnDailyEnv`.

    ## Version History
    * v0: initial version
    """

    make_world = staticmethod(make_menu_world)


class LearnDailyMenuVectorEnv(LearnVectorEnv):
    """N experiments of `LearnDailyMenuEnv` side by side, in one compiled step; row by row the same, bit for bit.

    Arguments are those of `LearnDailyMenuEnv`, and `num_envs` and `autoreset_mode`.
    """

    make_world = staticmethod(make_menu_world)
