"""Tasks that were drawn, written into the arrays that the compiled step reads."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit_env.world.effects import Effect
from bandit_env.world.effects.effect import RATE
from bandit_env.world.effects.program import Program, compile_effects
from bandit_env.world.moving import Moving, make_moving
from bandit_env.world.streams import Rows
from bandit_env.world.task import Task
from bandit_env.world.tasks.sampler import Drawn, TaskSampler


class Facts(NamedTuple):
    """What agents may know of N rows' tasks."""

    visits_per_day: NDArray[np.int64]  # (N,)
    max_days: NDArray[np.int64]  # (N,)
    min_days: NDArray[np.float64]  # (N,)


class RowTasks:
    """The tasks that N rows are in.

    Attributes:
        sampler: what they are drawn from.
        facts: what agents may know of them.
        moving: the arrays of the compiled step; others once rows need more room for their effects.
    """

    def __init__(self, sampler: TaskSampler, num_rows: int) -> None:
        scenario = sampler.scenario
        self.sampler, self._scenario = sampler, scenario
        self.moving = make_moving(scenario, num_rows, own_tasks=True)
        if sampler.moves_effects:
            self.moving = self.moving._replace(
                effects=_tiled(self.moving.effects, num_rows), effects_step=self.moving.num_effects
            )
        self.facts = Facts(
            np.full(num_rows, scenario.visits_per_day),
            np.full(num_rows, scenario.max_days),
            np.full(num_rows, scenario.task.min_days, np.float64),
        )
        self._rates = np.zeros((num_rows, scenario.task.num_arms))
        self._prior = np.zeros((num_rows, scenario.task.num_arms, 2))
        self._programs: dict[Any, Program] = {}

    def draw(self, streams: NDArray[np.uint64], rows: Rows) -> None:
        """Draw new tasks for `rows`."""
        drawn, moving, scenario = self.sampler.draw(streams, rows), self.moving, self._scenario
        least = drawn.min_days
        if scenario.joins is not None:
            least = np.maximum(least, max(scenario.joins) + 1)
        for array, values in zip(self.facts, (drawn.visits_per_day, drawn.max_days, least), strict=True):
            array[rows] = values
        per_day = scenario.updates_per_day
        moving.max_days[rows], moving.loss_days[rows] = drawn.max_days, drawn.loss_days
        moving.max_updates[rows] = drawn.max_days * per_day
        moving.min_updates[rows] = first_update(least, per_day)
        factors = np.array(scenario.weekday_traffic or [1.0] * 7)
        means = drawn.visits_per_day[:, None] * factors
        moving.means[rows] = means if moving.random_traffic else np.floor(means + 0.5)
        moving.visits[rows] = shares(moving.means[rows].astype(np.int64), per_day)
        self._rates[rows], self._prior[rows] = drawn.rates, drawn.prior
        if drawn.effects is not None:
            self._write_effects(rows, drawn, drawn.effects)

    def law(self, rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What the rates of `rows` are or are drawn from: rates, shape (n, K), or NaN; priors, shape (n, K, 2)."""
        return self._rates[rows], self._prior[rows]

    def task(self, row: int) -> Task:
        """The task that a row is in."""
        task, facts = self._scenario.task, self.facts
        return Task(
            task.num_arms, int(facts.visits_per_day[row]), task.updates_per_day, float(facts.min_days[row]),
            int(facts.max_days[row]), task.joins, task.leaves,
        )  # fmt: skip

    def _write_effects(self, rows: Rows, drawn: Drawn, effects: Sequence[tuple[Effect, ...]]) -> None:
        days = zip(drawn.loss_days.tolist(), drawn.max_days.tolist(), strict=True)
        programs = [self._program(some, *ends) for some, ends in zip(effects, days, strict=True)]
        most = max((program.operations.size for program in programs), default=0)
        longest = max((program.factors.shape[1] for program in programs if program.operations.size), default=0)
        if most > self.moving.num_effects or longest > self.moving.effects.factors.shape[1]:
            self.moving = _enlarged(self.moving, most, longest)
        target, step = self.moving.effects, self.moving.effects_step
        for row, program in zip(rows.tolist(), programs, strict=True):
            first, m = row * step, program.operations.size
            target.on[first : first + step] = False  # an effect on no arm is none
            target.operations[first : first + step] = RATE
            for array, values in zip(target, program, strict=True):
                if array is target.factors:
                    array[first : first + m, : values.shape[1]] = values
                else:
                    array[first : first + m] = values

    def _program(self, effects: tuple[Effect, ...], loss_days: int, max_days: int) -> Program:
        """Effects as arrays, kept for when they are drawn again."""
        key = effects, loss_days, max_days
        if key not in self._programs:
            if len(self._programs) > 1000:
                self._programs.clear()
            self._programs[key] = compile_effects(effects, self._scenario.presence[0], loss_days + 1, max_days)
        return self._programs[key]


def first_update(min_days: NDArray[np.float64], per_day: int) -> NDArray[np.int64]:
    """The first update t with t / per_day >= min_days, shape (n,)."""
    updates: NDArray[np.int64] = (min_days * per_day).astype(np.int64)
    while (early := updates / per_day < min_days).any():
        updates += early
    return updates


def shares(visits: NDArray[np.int64], per_day: int) -> NDArray[np.int64]:
    """The visits of each update of days with so many, shape (..., U): floor((u + 1) v / U) - floor(u v / U)."""
    whole, rest = np.divmod(visits[..., None], per_day)  # (u + 1) v itself could be too large
    ends = np.arange(per_day + 1)
    return np.diff(ends * whole + ends * rest // per_day, axis=-1)


def _tiled(program: Program, rows: int) -> Program:
    """A program of each row's own."""
    arrays: Iterable[Any] = (np.tile(array, (rows, *[1] * (array.ndim - 1))) for array in program)
    return Program(*arrays)


def _enlarged(moving: Moving, num_effects: int, days: int) -> Moving:
    """The same with room for more effects in each row, and for more days."""
    (n, k), old = moving.base_rates.shape, moving.num_effects
    m, days = max(num_effects, old), max(days, moving.effects.factors.shape[1])

    def grown(array: NDArray[Any], shape: tuple[int, ...], empty: float) -> NDArray[Any]:
        room = np.full((n, m, *shape), empty, array.dtype)
        room[(slice(None), slice(old), *map(slice, array.shape[1:]))] = array.reshape(n, old, *array.shape[1:])
        return room.reshape(n * m, *shape)

    shapes: tuple[tuple[int, ...], ...] = ((), (k,), (k,), (days,), (k,), ())
    effects = Program(*map(grown, moving.effects, shapes, (RATE, False, 0, 1, 0, 0)))
    walks = np.zeros((n, m, k))
    walks[:, : moving.walks.shape[1]] = moving.walks
    return moving._replace(effects=effects, num_effects=m, effects_step=m, walks=walks)
