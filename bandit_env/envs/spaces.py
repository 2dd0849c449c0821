"""A simulation as Gymnasium sees it: spaces, observations, infos."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from bandit_env.world.scenario import MAX_COUNT
from bandit_env.world.simulation import Floats, Outcome, Simulation
from bandit_env.world.streams import Rows

Observation = dict[str, Floats]
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

    @abstractmethod
    def step_info(self, outcome: Outcome) -> Info:
        """What `info` tells about a step: new arrays of shape (N,), 0 in rows that did not run."""

    def end_info(self, rows: Rows) -> Info:
        """What `info` tells besides about experiments that have just ended: new arrays of shape (m,)."""
        return {}

    def reset_info(self, rows: Rows) -> Info:
        """What `info` tells about new experiments: new arrays of shape (m, ...)."""
        return {"rates": self.rates[rows], "best_rate": self.best_rate[rows]}

    @property
    def last_start(self) -> int:
        """The last day that an experiment may begin from: at the horizon there is still the last decision to take."""
        return self.scenario.max_days

    def seed_unseeded(self, rows: Rows, env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> None:
        """Start those of `rows` that have no stream yet from the environment's own generator."""
        new = self.unseeded(rows)
        if new.size:
            self.seed(new, env.np_random.integers(0, 2**64, new.size, np.uint64))

    @property
    def observation_space(self) -> gym.spaces.Dict:
        """The observation space of one experiment: cumulative counts and the time elapsed."""
        counts = (self.rates.shape[1],)
        return gym.spaces.Dict(
            {
                "visits": gym.spaces.Box(0, MAX_COUNT, counts, np.float64),
                "conversions": gym.spaces.Box(0, MAX_COUNT, counts, np.float64),
                self.clock: gym.spaces.Box(0, self.scenario.max_days, (1,), np.float64),
            }
        )

    def observe(self) -> Observation:
        """What all N experiments show, copied."""
        return {
            "visits": self.visits.copy(),
            "conversions": self.conversions.copy(),
            self.clock: self.updates[:, None] / self.scenario.updates_per_day,
        }
