"""A world that shows features of its arms, in one row of float32, instead of counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from bandit_env.envs.history import History
from bandit_env.envs.spaces import World
from bandit_env.stats.features import FEATURES, LEARNER_FEATURES, Reader, check_names
from bandit_env.world.checks import whole_number
from bandit_env.world.scenario import Scenario
from bandit_env.world.simulation import Outcome
from bandit_env.world.start import Start
from bandit_env.world.streams import Rows
from bandit_env.world.task import Task
from bandit_env.world.tasks import TaskSampler
from bandit_env.world.tasks.rows import Facts


class FeatureTable:
    """Counts as features, over any leading axes.

    Args:
        task: of the experiments.
        names: the features, see `bandit_env.stats.features.arm_features`.
        prior: (a, b) of the Beta prior under which the learner sees the counts.
        flat: one row of K F numbers instead of a table (K, F).

    Raises:
        ValueError: an unknown feature, none at all, or a prior that is none.
    """

    def __init__(self, task: Task, names: Sequence[str], prior: Sequence[float], flat: bool) -> None:
        if isinstance(names, str) or not len(names):
            raise ValueError(f"features are {names!r}; expected a list of names (known: {', '.join(FEATURES)})")
        check_names(names)
        if np.shape(prior) != (2,) or not all(0 < number < np.inf for number in prior):
            raise ValueError(f"the prior of the features is {prior!r}; expected (a, b), two numbers above 0")
        self.task, self.names, self.flat = task, tuple(names), flat
        self.prior = float(prior[0]), float(prior[1])
        self._read = Reader(names, self.prior, np.float32)
        self.shape = (task.num_arms * len(names),) if flat else (task.num_arms, len(names))

    @property
    def space(self) -> gym.spaces.Box:
        """The space of one experiment's features."""
        bounds = [FEATURES[name] for name in self.names]
        low, high = (
            np.array([ends] * self.task.num_arms, np.float32).reshape(self.shape)
            for ends in ([bound.low for bound in bounds], [bound.high for bound in bounds])
        )
        return gym.spaces.Box(low, high, dtype=np.float32)

    def read(
        self,
        conversions: NDArray[np.float64],
        visits: NDArray[np.float64],
        day: NDArray[np.float64],
        own: Facts | None = None,
    ) -> NDArray[np.float32]:
        """The features of counts (..., K), at `day` (...), in the experiments' own tasks, if they have some."""
        task = self.task if own is None else own
        features = self._read(conversions, visits, day, task.max_days, task.visits_per_day, self.task.updates_per_day)
        return features.reshape(*visits.shape[:-1], *self.shape)


@dataclass(frozen=True)
class View:
    """What a learner is shown.

    Attributes:
        features: names of the features of each arm.
        feature_prior: (a, b) under which the learner sees the counts; None stands for the scenario's prior where that
            is one for all arms, else for (1, 1).
        history: whether the last action, as it was served, and the last reward are appended, 0 at first; an arm as a
            one-hot.
        episodes_per_world: how many episodes a row plays before it draws new rates; the history goes on between them.
    """

    features: Sequence[str] = LEARNER_FEATURES
    feature_prior: Sequence[float] | None = None
    history: bool = False
    episodes_per_world: int = 1

    def table(self, scenario: Scenario) -> FeatureTable:
        """The features of a scenario's experiments."""
        own = set(scenario.prior or ())
        prior: Any = self.feature_prior
        if prior is None:
            prior = own.pop() if len(own) == 1 else (1.0, 1.0)
        return FeatureTable(scenario.task, self.features, prior, flat=True)


class FeatureView(World):
    """Mixed in before a world: its observation is one row of features and, with `history`, what was last done."""

    def __init__(
        self, scenario: Scenario, num_experiments: int, view: View, sampler: TaskSampler | None = None
    ) -> None:
        super().__init__(scenario, num_experiments, sampler)
        self.table = view.table(scenario)
        self._history = History(self._served_space, num_experiments) if view.history else None
        self._episodes_per_world = whole_number("episodes_per_world", view.episodes_per_world, 1)
        self._played = np.zeros(num_experiments, np.int64)  # episodes begun in the row's world

    @property
    def _served_space(self) -> gym.Space[Any]:
        """The space of what `advance` is handed."""
        return self.action_space

    @property
    def observation_space(self) -> gym.spaces.Box:
        """The features of all arms, arm by arm, and the history."""
        space = self.table.space
        return space if self._history is None else self._history.extend(space)

    def observe(self) -> NDArray[np.float32]:
        """What all N experiments show, shape (N, K F [+ A + 1])."""
        own = None if self.row_tasks is None else self.row_tasks.facts
        features = self.table.read(self.conversions, self.visits, self.day, own)
        return features if self._history is None else self._history.append(features)

    def observation_of(self, observations: NDArray[np.float32], row: int) -> NDArray[np.float32]:
        """One experiment's row, copied."""
        return np.array(observations[row])

    def seed(self, rows: Rows, seeds: NDArray[np.uint64]) -> None:
        """Start the random streams of `rows` anew, and with them new worlds."""
        super().seed(rows, seeds)
        self._played[rows] = 0

    def begin(
        self,
        rows: Rows,
        rates: NDArray[np.float64] | None = None,
        start: Start | None = None,
        stay: NDArray[np.bool_] | None = None,
    ) -> None:
        """Begin new episodes in `rows`: in the world that a row is in, or in a new one."""
        if stay is None:
            stay = np.zeros(rows.size, np.bool_)
        if rates is None and self._episodes_per_world > 1:
            stay = self._played[rows] % self._episodes_per_world > 0
        self._played[rows] = np.where(stay, self._played[rows] + 1, 1)
        super().begin(rows, rates, start, stay)
        if self._history is not None:
            self._history.clear(rows[~stay])

    def advance(self, actions: NDArray[Any]) -> Outcome:
        """One step of all running rows, remembered."""
        ran = ~self.ended
        outcome = super().advance(actions)  # type: ignore[safe-super]
        if self._history is not None:
            self._history.remember(ran, actions, outcome.reward)
        return outcome
