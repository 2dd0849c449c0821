"""What the environments have in common: Gymnasium's reset, step and render, single and vector, over a world."""

from typing import Any, Generic, TypeVar

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from bandit_env.envs.arguments import (
    RENDER_MODES,
    Seeds,
    read_autoreset_mode,
    read_counts,
    read_mask,
    read_options,
    read_rates,
    read_render_mode,
    read_seeds,
)
from bandit_env.envs.render import Picture, draw, paint
from bandit_env.envs.spaces import Info, Observation, World
from bandit_env.world.dynamics import Bools, Floats
from bandit_env.world.scenario import START
from bandit_env.world.streams import Rows
from bandit_env.world.task import Task

Action = TypeVar("Action")


class SingleEnv(gym.Env[Observation, Action], Generic[Action]):
    """One experiment: a world of one row."""

    metadata = {"render_modes": RENDER_MODES, "render_fps": 4}  # noqa: RUF012 (Gymnasium's form)

    def __init__(self, world: World, render_mode: str | None) -> None:
        self.world = world
        self.render_mode = read_render_mode(render_mode)
        self.action_space = world.action_space
        self.observation_space: gym.Space[Any] = world.observation_space
        self._served: Floats = np.zeros(world.rates.shape[1])  # visits of the last update, for rendering

    @property
    def task(self) -> Task:
        """What an agent may know of the experiment."""
        return self.world.task_of(0)

    @property
    def draws_tasks(self) -> bool:
        """Whether each episode draws its task from a sampler."""
        return self.world.row_tasks is not None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Begin a new experiment.

        Args:
            seed: starts the random stream anew; None goes on with it.
            options: {"rates": (K,)} fixes the rates of this episode; {"visits": (K,), "conversions": (K,), "day": days}
                begins it from counts, on a day, instead of from nothing (for pulls, the day is the pulls elapsed).

        Returns:
            The first observation, and what `step` tells, see "Information": rates as they are, all else 0 or none yet.

        Raises:
            ValueError: an unknown option, or rates of another shape or outside [0, 1].
        """
        options = read_options(options, ("rates", *START))
        rates = read_rates(options, self.world, (self.world.rates.shape[1],))
        start = read_counts(options, self.world, None)
        super().reset(seed=seed)  # refuses what is no seed
        rows, seeds = np.zeros(1, np.int64), read_seeds(seed, 1)
        if seeds is not None:
            self.world.seed(rows, seeds[0])
        self.world.seed_unseeded(rows, self)
        self.world.begin(rows, None if rates is None else rates[None], start)
        self._served[:] = 0
        if self.render_mode == "human":
            self.render()
        return self._observe(), _one_row(self.world.info_at_start(rows))

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, Info]:
        """Serve one update, or end the experiment.

        Raises:
            ValueError: an action outside the action space; nothing has happened then.
            gymnasium.error.ResetNeeded: before the first reset, and after the end of an episode.
        """
        world = self.world
        if world.ended[0]:
            raise ResetNeeded("step() came before the first reset or after the end of the episode; call reset()")
        before = world.visits[0].copy()
        outcome = world.advance(world.read(action, ())[None])
        if outcome.served[0] > 0:
            self._served = world.visits[0] - before
        terminated = outcome.ended.size > 0
        if self.render_mode == "human":
            self.render()
        info = _one_row(world.info_of_step(outcome, None))
        return self._observe(), float(outcome.reward[0]), terminated, False, info

    def render(self) -> str | Picture | None:
        """The experiment as a table of its arms: returned as text ("ansi") or a picture ("rgb_array"), or printed."""
        if self.render_mode is None:
            gym.logger.warn(f"render() does nothing without a render_mode; expected one of {RENDER_MODES}")
            return None
        frame = draw(self.world, 0, self._served)
        if self.render_mode == "rgb_array":
            return paint(frame)
        if self.render_mode == "ansi":
            return frame
        print(frame)
        return None

    def _observe(self) -> Observation:
        return self.world.observation_of(self.world.observe(), 0)


class BatchEnv(VectorEnv[Observation, NDArray[Any], NDArray[Any]]):
    """N experiments: a world of N rows, with Gymnasium's three ways of starting over."""

    metadata = {  # noqa: RUF012 (Gymnasium's form)
        "render_modes": RENDER_MODES,
        "render_fps": 4,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(self, world: World, autoreset_mode: str | AutoresetMode, render_mode: str | None) -> None:
        self.world = world
        self.num_envs = world.ended.size
        _keep_freed_memory()
        self.autoreset_mode = read_autoreset_mode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = read_render_mode(render_mode)
        self.single_action_space = world.action_space
        self.single_observation_space = world.observation_space
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self._begun = False
        self._served: Floats = np.zeros_like(world.visits)  # visits of the last update, kept for rendering only

    @property
    def task(self) -> Task:
        """What an agent may know of the experiments.

        Raises:
            ValueError: each of them has drawn a task of its own; `tasks` has them.
        """
        if self.draws_tasks:
            raise ValueError("each experiment has drawn a task of its own; `tasks` has them all")
        return self.world.scenario.task

    @property
    def tasks(self) -> list[Task]:
        """What an agent may know of each experiment."""
        return [self.world.task_of(row) for row in range(self.num_envs)]

    @property
    def draws_tasks(self) -> bool:
        """Whether each episode draws its task from a sampler."""
        return self.world.row_tasks is not None

    def reset(self, *, seed: Seeds = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Begin new experiments, in all rows or in some.

        Args:
            seed: an int seeds row i with seed + i, a sequence row i with seed[i]; None, whole or for a row, goes on
                with its stream.
            options: {"rates": (K,) or (N, K)} fixes the rates of these episodes; {"visits": (K,) or (N, K),
                "conversions": the same, "day": days, () or (N,)} begins them from counts, on a day, instead of from
                nothing; {"reset_mask": (N,) bool} resets these rows only.

        Returns:
            The observations of all rows; and what `step` tells, see "Information", with masks of the rows reset.

        Raises:
            ValueError: an unknown option, or one of another shape or out of range; another number of seeds.
            gymnasium.error.ResetNeeded: a mask before the first reset.
        """
        n, k = self.world.rates.shape
        options = read_options(options, ("rates", *START, "reset_mask"))
        rates, rows = read_rates(options, self.world, (k,), (n, k)), read_mask(options, n)
        start = read_counts(options, self.world, n)
        if not self._begun and rows.size < n:
            raise ResetNeeded("options['reset_mask'] came before the first reset; call reset() without it")
        super().reset(seed=seed if isinstance(seed, int) else None)  # refuses a negative one
        seeds = read_seeds(seed, n)
        if seeds is not None:
            values, given = seeds
            seeded = rows[given[rows]]
            self.world.seed(seeded, values[seeded])
        self.world.seed_unseeded(rows, self)
        own = None if rates is None else np.broadcast_to(rates, (n, k))[rows]
        self.world.begin(rows, own, None if start is None else start.at(rows))
        self._begun = True
        self._served[rows] = 0
        if self.render_mode == "human":
            self.render()
        return self.world.observe(), self._spread(rows, self.world.info_at_start(rows))

    def step(self, actions: NDArray[Any]) -> tuple[Observation, Floats, Bools, Bools, Info]:
        """One update of every experiment.

        A row that has ended ignores its action. In NEXT_STEP mode it begins anew, with reward 0. In DISABLED mode it
        idles until its masked reset, still terminated, with reward 0. In SAME_STEP mode a row that ends begins anew at
        once; its last observation and info are infos["final_obs"] and infos["final_info"].

        Raises:
            ValueError: actions of another shape, or outside the action space in a running row; nothing has happened.
            gymnasium.error.ResetNeeded: before the first reset.
        """
        if not self._begun:
            raise ResetNeeded("step() came before the first reset; call reset()")
        world, whole, ran = self.world, self.world.all_running, ~self.world.ended
        before = None if self.render_mode is None else world.visits.copy()
        outcome = world.advance(world.read(actions, (self.num_envs,)))
        if before is not None:
            self._served[outcome.served > 0] = (world.visits - before)[outcome.served > 0]
        infos, begun = {}, np.zeros(0, np.int64)
        info, terminations = world.info_of_step(outcome, None if whole else ran), world.ended.copy()
        if self.autoreset_mode is AutoresetMode.SAME_STEP and outcome.ended.size:
            infos, begun = self._final(outcome.ended, info), outcome.ended
        elif self.autoreset_mode is AutoresetMode.NEXT_STEP and not whole:
            begun = np.flatnonzero(~ran)
            terminations &= ran
        if begun.size:
            self._begin_again(begun, info)
            ran[begun] = True
        if whole or ran.any():
            infos |= _masked(info, ran)
        if self.render_mode == "human":
            self.render()
        return world.observe(), outcome.reward, terminations, np.zeros(self.num_envs, np.bool_), infos

    def render(self) -> tuple[str, ...] | tuple[Picture, ...] | None:
        """Each experiment as a table of its arms: as text ("ansi") or pictures ("rgb_array"), or printed ("human")."""
        if self.render_mode is None:
            gym.logger.warn(f"render() does nothing without a render_mode; expected one of {RENDER_MODES}")
            return None
        frames = tuple(draw(self.world, row, self._served[row]) for row in range(self.num_envs))
        if self.render_mode == "rgb_array":
            return tuple(paint(frame) for frame in frames)
        if self.render_mode == "ansi":
            return frames
        print("\n".join(frames))
        return None

    def _begin_again(self, rows: Rows, info: Info) -> None:
        """Start `rows` anew, and write what their reset tells into `info`."""
        self.world.begin(rows)
        self._served[rows] = 0
        for name, array in self.world.info_at_start(rows).items():
            info[name][rows] = array

    def _final(self, rows: Rows, info: Info) -> Info:
        """The last observations and infos of `rows`, in SyncVectorEnv's form."""
        last = self.world.observe()
        observations = np.full(self.num_envs, None, dtype=object)
        for row in rows:
            observations[row] = self.world.observation_of(last, row)
        final_info = {name: array[rows] for name, array in info.items()}
        final = {"final_obs": observations, "final_info": self._spread(rows, final_info)}
        return final | {f"_{name}": self._mask(rows) for name in final}

    def _spread(self, rows: Rows, values: Info) -> Info:
        """Arrays over `rows`, shape (m, ...), as arrays over all, shape (N, ...), with their masks."""
        infos: Info = {}
        for name, array in values.items():
            infos[name] = np.zeros((self.num_envs, *array.shape[1:]), array.dtype)
            infos[name][rows] = array
            infos[f"_{name}"] = self._mask(rows)
        return infos

    def _mask(self, rows: Rows) -> Bools:
        mask = np.zeros(self.num_envs, np.bool_)
        mask[rows] = True
        return mask


def _one_row(info: Info) -> Info:
    """Infos of a world of one row; single numbers as Python's."""
    return {name: array[0] if array.ndim > 1 else array[0].item() for name, array in info.items()}


def _masked(info: Info, told: Bools) -> Info:
    """Arrays of all rows, each with a mask of its own of those told about."""
    infos = dict(info)
    for name in info:
        infos[f"_{name}"] = told.copy()
    return infos


def _keep_freed_memory() -> None:
    """Let arrays of a step lie where those of the step before lay.

    The C library of Linux gives freed blocks of 128 KiB and more back to the system, and each step would take its own
    anew, page by page, which takes longer than the step. Once a large block was freed, its threshold is that size
    (mallopt(3), M_MMAP_THRESHOLD). The block is never written to, so it costs no memory.
    """
    np.empty(31 * 2**20, np.uint8)  # up to 32 MiB
