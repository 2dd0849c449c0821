"""The textbook's Bernoulli bandit: one visit a step, K arms, a fixed number of visits."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from bandit_env.envs.base import BatchEnv, SingleEnv
from bandit_env.envs.spaces import World
from bandit_env.world.action import check_arms
from bandit_env.world.checks import one_of, whole_number
from bandit_env.world.effects import Effect
from bandit_env.world.scenario import Prior, Rates, Scenario
from bandit_env.world.simulation import Outcome
from bandit_env.world.tasks import Sampler, read_sampler

DEFAULT_RATES = (0.5, 0.6)
DRAWN = ("rates", "prior", "horizon", "effects")  # what a sampler may draw


class BernoulliBandit(World):
    """Experiments whose action is the arm that the next visit is sent to."""

    clock = "elapsed"
    least_left = 1  # the last pull ends the episode

    @property
    def action_space(self) -> gym.spaces.Discrete:
        """The arms."""
        return gym.spaces.Discrete(self.rates.shape[1])

    def read(self, action: Any, batch: tuple[int, ...]) -> NDArray[np.int64]:
        """The arms as int64, the dtype of the action space."""
        arms = np.asarray(action)
        if arms.shape != batch or arms.dtype.kind not in "iu":
            came = f"{arms.dtype} of shape {arms.shape}"
            raise ValueError(f"the action is {came}; expected whole numbers of shape {batch}")
        if batch == ():
            check_arms(arms, self.rates.shape[1])
        if arms.dtype == np.int64 and arms.flags.carray:
            return arms
        return np.require(arms, np.int64, ["C", "W"])  # the one kind that the simulation is compiled for

    def advance(self, actions: NDArray[np.int64]) -> Outcome:
        """One visit of all running rows."""
        return self.pull(actions)


class BernoulliBanditEnv(SingleEnv[np.int64]):
    """A Bernoulli bandit, one visit a step.

    ## Description
    K arms; pulling arm k pays 1 with probability `rates[k]` and 0 otherwise. The agent pulls `horizon` times and wants
    to earn as much as it can. It is `DailyTrafficEnv` with one visit an update, whole visits for weights and no stop,
    on the same dynamics.

    ## Action Space
    `Discrete(K)`: the arm to pull.

    ## Observation Space
    `Dict` of `Box`, float64:

    | entry | shape | meaning | min | max | unit |
    | --- | --- | --- | --- | --- | --- |
    | `visits` | (K,) | pulls of each arm so far | 0 | 2**53 | visits |
    | `conversions` | (K,) | how many of them paid | 0 | 2**53 | conversions |
    | `elapsed` | (1,) | pulls so far | 0 | `horizon` | visits |

    ## Starting State
    No pulls; or those of `reset(options={"visits": [...], "conversions": [...], "day": pulls elapsed})`. The rates are
    `rates`, or drawn anew from the Beta distribution `prior`, or `reset(options={"rates": [...]})`.

    ## Rewards
    With `reward="reward"`: 0 or 1. With `reward="regret"`: minus the pseudo-regret, -(best rate - rate of the arm).

    ## Episode End
    `terminated` with the last of `horizon` pulls: the horizon is part of the task and is observed. `truncated` is
    never True.

    ## Information
    The same keys from `reset` and from `step`: `rates` (K,), the true rates of the pull just made (at reset, of the
    first); `base_rates` (K,), those given or drawn, before effects; `best_rate`, the best of `rates`; `regret`, best
    rate - rate of the arm pulled (0 at reset).

    ## Arguments
    ```python
    gym.make("bandit_env/BernoulliBandit-v0", rates=[0.5, 0.6], horizon=100)
    gym.make("bandit_env/BernoulliBandit-v0", prior=[1, 1], num_arms=5, horizon=100)
    ```

    | argument | default | meaning |
    | --- | --- | --- |
    | `rates` | [0.5, 0.6] | the probability of each arm's paying |
    | `prior` | None | (a, b) of the Beta distribution that each episode draws its rates from, or one (a, b) per arm |
    | `num_arms` | None | K; needed with a single (a, b) |
    | `horizon` | 100 | pulls in an episode |
    | `reward` | "reward" | or "regret" |
    | `effects` | None | as of `DailyTrafficEnv`, a pull being a day: such as {"effect": "walk", "sd": 0.05} |
    | `delay` | None | mean pulls from a pull to its pay, one or one per arm; what is still to come is paid last |
    | `sampler` | None | what each episode draws its task from: `rates`, `prior`, `horizon`, `effects`, as there |
    | `render_mode` | None | "ansi", "human" or "rgb_array": the arms as a table |

    ## References
    W. R. Thompson, "On the likelihood that one unknown probability exceeds another in view of the evidence of two
    samples", Biometrika 25 (1933), 285-294.

    ## Version History
    * v0: initial version
    """

    def __init__(
        self,
        rates: Rates | None = None,
        prior: Prior | None = None,
        num_arms: int | None = None,
        horizon: int = 100,
        reward: str = "reward",
        effects: Sequence[Mapping[str, Any] | Effect] | None = None,
        delay: float | Sequence[float] | None = None,
        sampler: Sampler | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(make_world(1, sampler, rates, prior, num_arms, horizon, reward, effects, delay), render_mode)


class BernoulliBanditVectorEnv(BatchEnv):
    """N bandits of `BernoulliBanditEnv` side by side, in one compiled step; row by row the same, bit for bit.

    Arguments are those of `BernoulliBanditEnv`, and `num_envs` and `autoreset_mode`: "NextStep", "SameStep",
    "Disabled", or the member of `gymnasium.vector.AutoresetMode` (only the strings survive `spec.to_json()`).
    """

    def __init__(
        self,
        num_envs: int = 1,
        rates: Rates | None = None,
        prior: Prior | None = None,
        num_arms: int | None = None,
        horizon: int = 100,
        reward: str = "reward",
        effects: Sequence[Mapping[str, Any] | Effect] | None = None,
        delay: float | Sequence[float] | None = None,
        sampler: Sampler | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        n = whole_number("num_envs", num_envs, 1)
        world = make_world(n, sampler, rates, prior, num_arms, horizon, reward, effects, delay)
        super().__init__(world, autoreset_mode, render_mode)


def make_world(num_experiments: int, sampler: Sampler | None, *arguments: Any) -> BernoulliBandit:
    """A world from the arguments of `make_scenario`, all of them in its order, with tasks that are drawn or without."""
    names = ("rates", "prior", "num_arms", "horizon", "reward", "effects", "delay")
    scenario, tasks = read_sampler(sampler, dict(zip(names, arguments, strict=True)), make_scenario, DRAWN)
    return BernoulliBandit(scenario, num_experiments, tasks)


def make_scenario(
    rates: Rates | None,
    prior: Prior | None,
    num_arms: int | None,
    horizon: int,
    reward: str,
    effects: Sequence[Mapping[str, Any] | Effect] | None,
    delay: float | Sequence[float] | None,
) -> Scenario:
    """A day for each pull."""
    one_of("reward", reward, ("reward", "regret"))
    return Scenario(
        rates=DEFAULT_RATES if rates is None and prior is None else rates,
        prior=prior,
        num_arms=num_arms,
        visits_per_day=1,
        max_days=whole_number("horizon", horizon, 1),
        min_days=0,
        reward="conversions" if reward == "reward" else "regret",
        effects=effects,
        delay=delay,
    )
