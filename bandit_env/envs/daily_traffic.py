"""A website's daily traffic on K arms: the agent splits it, and decides when to stop and which arm to declare."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from bandit_env.envs.base import BatchEnv, SingleEnv
from bandit_env.envs.spaces import Info, World
from bandit_env.world.action import check_scores, row_is_valid
from bandit_env.world.checks import whole_number
from bandit_env.world.dynamics import Bools
from bandit_env.world.effects import Effect
from bandit_env.world.scenario import Prior, Rates, Scenario
from bandit_env.world.simulation import Outcome
from bandit_env.world.streams import Rows
from bandit_env.world.tasks import Sampler, read_sampler

DRAWN = ("rates", "prior", "visits_per_day", "max_days", "min_days", "effects")  # what a sampler may draw


class DailyTraffic(World):
    """Experiments whose action is K traffic scores and a stop score, laid out as action.py says."""

    clock = "day"

    @property
    def action_space(self) -> gym.spaces.Box:
        """One score in [0, 1] per arm, and one for stopping."""
        return gym.spaces.Box(0, 1, (self.rates.shape[1] + 1,), np.float32)

    def read(self, action: Any, batch: tuple[int, ...]) -> NDArray[np.float32]:
        """The scores as float32, the dtype of the action space."""
        expected = (*batch, self.rates.shape[1] + 1)
        try:
            with np.errstate(over="ignore"):  # too large for float32 becomes inf, which is refused as such
                scores = np.require(action, np.float32, ["C", "W"])  # the one kind that the step is compiled for
        except (TypeError, ValueError):
            raise ValueError(f"the action is {action!r}; expected numbers of shape {expected}") from None
        if scores.shape != expected:
            raise ValueError(f"the action has shape {scores.shape}; expected {expected}")
        if batch == () and not row_is_valid(scores[None], 0):
            check_scores(scores)  # here, as the error tells the place in the array that came
        return scores

    def advance(self, actions: NDArray[np.float32]) -> Outcome:
        """One update of all running rows."""
        return self.step(actions)

    def info_at_start(self, rows: Rows) -> Info:
        """Rates, and the neutral values of all else."""
        return super().info_at_start(rows) | _untold(np.ones(rows.size, np.bool_))

    def info_of_step(self, outcome: Outcome, ran: Bools | None) -> Info:
        """Rates and regret, the visits of the update, and what came of experiments that have ended."""
        told = super().info_of_step(outcome, ran)
        told |= _untold(np.ones(outcome.served.size, np.bool_) if ran is None else ran)
        told["served"] = outcome.served
        ended, state = outcome.ended, self.state
        if ended.size:
            told["stopping_day"][ended] = state.updates[ended] / self.scenario.updates_per_day
            for name, values in (
                ("declared_arm", state.declared),
                ("correct", state.correct),
                ("best_arm", state.best_arm),
                ("regret_after", state.regret_after),
                ("loss_after", state.loss_after),
            ):
                told[name][ended] = values[ended]
        return told


def _untold(runs: Bools) -> Info:
    """What `info` tells of experiments before anything has come of them; 0 in rows that do not run."""
    no_arm = -runs.astype(np.int64)
    return {
        "served": np.zeros(runs.size, np.int64),
        "declared_arm": no_arm,
        "correct": np.zeros(runs.size, np.bool_),
        "best_arm": no_arm.copy(),
        "stopping_day": np.zeros(runs.size),
        "regret_after": np.zeros(runs.size),
        "loss_after": np.zeros(runs.size),
    }


class DailyTrafficEnv(SingleEnv[NDArray[np.float32]]):
    """An A/B test, or a test of K arms, on a website's daily traffic.

    ## Description
    Each day `visits_per_day` visitors come to a website that has K variations of a page, the *arms*; arm 0 is the
    *control*. A visitor who is shown arm k converts with probability `rates[k]`, which nobody knows; with `effects` the
    rates move from day to day. Each step the agent splits the traffic of an update (by default a day) over the arms. At
    any time from `min_days` on it may stop and declare an arm, which then serves all traffic up to the horizon. This is
    the setting of Scott (2013).

    ## Action Space
    `Box(0, 1, (K + 1,), float32)`: K traffic scores, then a stop score.

    - The serving weights are the scores divided by their sum; all zero means uniform. The score of an arm that is not
      there (`joins`, `leaves`) counts as 0; uniform is then over those that are.
    - The experiment stops when the stop score is above 0.5 and `day >= min_days`. A stopping step serves no traffic,
      and declares the arm with the largest score, the lowest index on ties.

    `bandit_env.world.action.encode_action(weights, declared)` writes such actions.

    ## Observation Space
    `Dict` of `Box`, float64; with a `delay`, `conversions` has those that have been seen:

    | entry | shape | meaning | min | max | unit |
    | --- | --- | --- | --- | --- | --- |
    | `visits` | (K,) | visits served by each arm so far | 0 | 2**53 | visits |
    | `conversions` | (K,) | how many of them converted | 0 | 2**53 | conversions |
    | `day` | (1,) | time elapsed | 0 | `max_days` | days |

    ## Starting State
    No visits, no conversions, day 0; or the counts and the day of `start`, or of this episode's
    `reset(options={"visits": [...], "conversions": [...], "day": ...})`, as an experiment that is running already has
    them. The rates are `rates`, or drawn anew from the Beta distribution `prior`, or
    `reset(options={"rates": [...]})`.

    ## Rewards
    With `reward="conversions"`: the conversions seen in the update; and on the step that declares an arm, the
    conversions which that arm is expected to earn in the days left to the horizon (rate times mean traffic, by day),
    without which a learner would never stop. With a `delay` the last step also pays the conversions that are still to
    come. With `reward="regret"`: minus the pseudo-regret on the same footing, so that an episode's return is
    -(regret + regret after). `cost_per_day` is charged while the experiment runs.

    The lump at the end is not discounted: train with gamma = 1. A discount, such as the 0.99 that many learners have
    by default, makes the future traffic cheaper than the lump that stands for it, and pays for stopping at once.

    ## Episode End
    `terminated` when the agent declares an arm; or, after `max_days` days of traffic, on one last step, which serves
    nothing and declares if the stop score is above 0.5 (else the experiment ends undecided, arm -1). The horizon is
    part of the task and the day is observed, so `truncated` is never True.

    ## Information
    The same keys from `reset` and from `step`:

    | key | shape | meaning | at reset, and while it does not apply |
    | --- | --- | --- | --- |
    | `rates` | (K,) | the true rates of the update just served | those of the first day |
    | `base_rates` | (K,) | the rates given or drawn, before effects | |
    | `best_rate` | () | the best of `rates`, of the arms that are there | that of the first day |
    | `regret` | () | the update's pseudo-regret, sum_k visits_k (best rate - rate_k), in conversions | 0 |
    | `served` | () | the update's visits | 0 |
    | `declared_arm` | () | the arm declared | -1, also for an experiment that ends undecided |
    | `correct` | () | whether the declared arm is a best arm of the stop | False |
    | `best_arm` | () | the best arm of the stop, the lowest index on ties | -1 |
    | `stopping_day` | () | days served, at the end | 0 |
    | `regret_after` | () | what the declared arm loses from the stop to `max_days` | 0 |
    | `loss_after` | () | what the shipped arm loses from the stop to `loss_days` | 0 |

    What an arm loses after the stop is, day by day, mean traffic times (best rate of an arm that is there - its rate),
    along the experiment's own path. The undecided ship the arm with the largest observed rate of those that are there,
    the lowest index on ties. The *best arm of the stop* has the most expected conversions from the stop to `max_days`,
    while it is there; at the horizon, on the last day.

    ## Arguments
    ```python
    gym.make("bandit_env/DailyTraffic-v0", rates=[0.04, 0.05], visits_per_day=100, max_days=1000, min_days=14)
    gym.make("bandit_env/DailyTraffic-v0", prior=[4, 96], num_arms=2, max_days=60, updates_per_day=2)
    gym.make_vec("bandit_env/DailyTraffic-v0", num_envs=1000, autoreset_mode="SameStep")
    ```

    | argument | default | meaning |
    | --- | --- | --- |
    | `rates` | [0.04, 0.05] | conversion rates, one per arm |
    | `prior` | None | (a, b) of the Beta distribution that each episode draws its rates from, or one (a, b) per arm |
    | `num_arms` | None | K; needed with a single (a, b) |
    | `visits_per_day` | 100 | visits |
    | `updates_per_day` | 1 | steps in a day |
    | `max_days` | 1000 | the horizon, in days |
    | `min_days` | None | no stop before this day; None stands for 14, or `max_days` where that is less |
    | `split` | "multinomial" | or "proportional": whole numbers nearest to the weights, by largest remainder |
    | `reward` | "conversions" | or "regret" |
    | `cost_per_day` | 0 | charged while the experiment runs |
    | `loss_days` | None | the day up to which `loss_after` counts; None stands for `max_days` |
    | `start` | None | {"visits": (K,), "conversions": (K,), "day": days elapsed}, from which every episode begins |
    | `traffic` | "fixed" | or "poisson", or {"model": "negative-binomial", "size": k} |
    | `weekday_traffic` | None | seven factors of the mean traffic; day d has d % 7 |
    | `effects` | None | what moves the rates, tables such as {"effect": "step", "day": 20, "factor": 0.6} |
    | `delay` | None | mean days from a visit to its conversion, one number or one per arm |
    | `joins` | None | the first day on which each arm is served |
    | `leaves` | None | the first day on which each arm is no longer served, None for one that stays |
    | `sampler` | None | what each episode draws its task from, see below |
    | `render_mode` | None | "ansi", "human" or "rgb_array": the arms as a table |

    `bandit_env.world.scenario.Scenario` says what is allowed.

    With `sampler` each episode draws its own task: a table of `rates`, `prior`, `visits_per_day`, `max_days`,
    `min_days`, `effects`, each a value or a distribution, {"distribution": "uniform" or "log-uniform", "low": ...,
    "high": ...}, {"distribution": "beta", "a": ..., "b": ...} or {"distribution": "choice", "values": [...],
    "weights": [...]}; `prior` also as {"mean": ..., "strength": ...}, of a + b = strength:

    ```python
    days = {"distribution": "log-uniform", "low": 14, "high": 365}
    prior = {"mean": {"distribution": "beta", "a": 4, "b": 96}, "strength": 200}
    gym.make("bandit_env/DailyTraffic-v0", num_arms=3, sampler={"prior": prior, "max_days": days})
    ```

    or a function from a NumPy Generator, the row's own, to a dict of such arguments. What it draws takes the argument's
    place; K stays. A row's tasks depend on its seed only. `env.unwrapped.task` (of a vector environment, `tasks`) tells
    an agent what it may know of the task; `reset(options={"rates": ...})` draws all the same, but for the rates. A
    sampler that can draw an impossible task is refused when the environment is made: a table by the edges of its
    distributions, a function by some of its tasks, the others when it draws them. See `bandit_env.world.tasks`.

    ## References
    S. L. Scott, "Multi-armed Bandit Experiments", Google Analytics, 23 January 2013.
    S. L. Scott, "A modern Bayesian look at the multi-armed bandit", Applied Stochastic Models in Business and Industry
    26 (2010), 639-658.

    ## Version History
    * v0: initial version
    """

    def __init__(
        self,
        rates: Rates | None = None,
        prior: Prior | None = None,
        num_arms: int | None = None,
        visits_per_day: int = 100,
        updates_per_day: int = 1,
        max_days: int = 1000,
        min_days: float | None = None,
        split: str = "multinomial",
        reward: str = "conversions",
        cost_per_day: float = 0.0,
        loss_days: int | None = None,
        start: Mapping[str, Any] | None = None,
        traffic: str | Mapping[str, Any] = "fixed",
        weekday_traffic: Sequence[float] | None = None,
        effects: Sequence[Mapping[str, Any] | Effect] | None = None,
        delay: float | Sequence[float] | None = None,
        joins: Sequence[int] | None = None,
        leaves: Sequence[int | float | None] | None = None,
        sampler: Sampler | None = None,
        render_mode: str | None = None,
    ) -> None:
        world = make_world(
            1, sampler, rates, prior, num_arms, visits_per_day, updates_per_day, max_days, min_days, split, reward,
            cost_per_day, loss_days, start, traffic, weekday_traffic, effects, delay, joins, leaves,
        )  # fmt: skip
        super().__init__(world, render_mode)


class DailyTrafficVectorEnv(BatchEnv):
    """N experiments of `DailyTrafficEnv` side by side, in one compiled step; row by row the same, bit for bit.

    Arguments are those of `DailyTrafficEnv`, and `num_envs` and `autoreset_mode`: "NextStep", "SameStep", "Disabled",
    or the member of `gymnasium.vector.AutoresetMode` (only the strings survive `spec.to_json()`). Infos are arrays
    over the N experiments, each with its mask `_key`; those of the end are there in steps in which an experiment ends.
    """

    def __init__(
        self,
        num_envs: int = 1,
        rates: Rates | None = None,
        prior: Prior | None = None,
        num_arms: int | None = None,
        visits_per_day: int = 100,
        updates_per_day: int = 1,
        max_days: int = 1000,
        min_days: float | None = None,
        split: str = "multinomial",
        reward: str = "conversions",
        cost_per_day: float = 0.0,
        loss_days: int | None = None,
        start: Mapping[str, Any] | None = None,
        traffic: str | Mapping[str, Any] = "fixed",
        weekday_traffic: Sequence[float] | None = None,
        effects: Sequence[Mapping[str, Any] | Effect] | None = None,
        delay: float | Sequence[float] | None = None,
        joins: Sequence[int] | None = None,
        leaves: Sequence[int | float | None] | None = None,
        sampler: Sampler | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        world = make_world(
            whole_number("num_envs", num_envs, 1), sampler, rates, prior, num_arms, visits_per_day, updates_per_day,
            max_days, min_days, split, reward, cost_per_day, loss_days, start, traffic, weekday_traffic, effects, delay,
            joins, leaves,
        )  # fmt: skip
        super().__init__(world, autoreset_mode, render_mode)


def make_world(num_experiments: int, sampler: Sampler | None, *arguments: Any) -> DailyTraffic:
    """A world from a scenario's arguments, all of them in its order, with tasks that are drawn or without."""
    names = (field.name for field in fields(Scenario))
    scenario, tasks = read_sampler(sampler, dict(zip(names, arguments, strict=True)), Scenario, DRAWN)
    return DailyTraffic(scenario, num_experiments, tasks)
