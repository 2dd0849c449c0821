"""A simulation as Gymnasium sees it: spaces, observations, infos."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from bandit_env.world.dynamics import Bools, Floats
from bandit_env.world.scenario import MAX_COUNT
from bandit_env.world.simulation import Outcome, Simulation
from bandit_env.world.streams import Rows

Observation = Any  # a dict of arrays, or one array
Info = dict[str, Any]


class World(Simulation, ABC):
    """A simulation as Gymnasium sees it: spaces, observations, infos, and how an action becomes a step."""

    clock: ClassVar[str]  # the name of the observation's third entry, the time elapsed

    @property
    @abstractmethod
    def action_space(self) -> gym.Space[Any]:
        """The action space of one experiment."""

    @abstractmethod
    def read(self, action: Any, batch: tuple[int, ...]) -> NDArray[Any]:
        """Actions of shape (*batch, ...) as an array for `advance`; a ValueError if their shape or kind is another."""

    @abstractmethod
    def advance(self, actions: NDArray[Any]) -> Outcome:
        """One step of all running rows; `actions` has one row per experiment."""

    def info_at_start(self, rows: Rows) -> Info:
        """What `info` tells about `rows`, shape (m,), that have just begun: new arrays of shape (m, ...)."""
        state = self.state
        return {
            "rates": state.rates[rows],
            "base_rates": self.base_rates[rows],
            "best_rate": state.best_rate[rows],
            "regret": np.zeros(rows.size),
        }

    def info_of_step(self, outcome: Outcome, ran: Bools | None) -> Info:
        """What `info` tells about a step: new arrays over all N rows.

        Args:
            outcome: of the step.
            ran: which rows the step was for, shape (N,); the others are told 0. None: it was for all of them.
        """
        state, rows = self.state, None if ran is None else np.flatnonzero(ran)
        rates = _only(state.rates, rows)
        return {
            "rates": rates,
            "base_rates": rates.copy() if self.moving is None else _only(self.base_rates, rows),
            "best_rate": _only(state.best_rate, rows),
            "regret": outcome.regret,
        }

    @property
    def last_start(self) -> int:
        """The last day that an experiment may begin from: at the horizon there is still the last decision to take."""
        return self.scenario.max_days - self.least_left

    def seed_unseeded(self, rows: Rows, env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> None:
        """Start those of `rows` that have no stream yet from the environment's own generator."""
        new = self.unseeded(rows)
        if new.size:
            self.seed(new, env.np_random.integers(0, 2**64, new.size, np.uint64))

    @property
    def observation_space(self) -> gym.Space[Any]:
        """The observation space of one experiment: cumulative counts and the time elapsed."""
        counts = (self.rates.shape[1],)
        bounded = self.row_tasks is None or self.row_tasks.sampler.bounded
        return gym.spaces.Dict(
            {
                "visits": gym.spaces.Box(0, MAX_COUNT, counts, np.float64),
                "conversions": gym.spaces.Box(0, MAX_COUNT, counts, np.float64),
                self.clock: gym.spaces.Box(0, self.scenario.max_days if bounded else MAX_COUNT, (1,), np.float64),
            }
        )

    def observe(self) -> Observation:
        """What all N experiments show, copied."""
        return {
            "visits": self.visits.copy(),
            "conversions": self.conversions.copy(),
            self.clock: self.day[:, None],
        }

    def observation_of(self, observations: Observation, row: int) -> Observation:
        """One experiment's part of what `observe` returned, copied."""
        return {name: array[row].copy() for name, array in observations.items()}


def _only(values: Floats, rows: Rows | None) -> Floats:
    """The values, shape (N, ...), of some rows (None: of all), and 0 in the others."""
    if rows is None:
        return values.copy()
    told = np.zeros_like(values)
    told[rows] = values.take(rows, axis=0)
    return told
