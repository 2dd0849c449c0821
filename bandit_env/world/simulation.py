"""The dynamics, once, over arrays: split the traffic, draw the conversions, count the regret.

One row is one experiment. The single environments are a simulation of one row, the vector environments of N.

Chance. Every row has a random stream of its own: the generator xoshiro256++ (Blackman and Vigna 2021), started from
one 64-bit seed by SplitMix64 (Steele, Lea and Flood 2014), with our own binomial sampler on it (inversion after
Kachitvichyanukul and Schmeiser 1988, rejection after Hoermann 1993; see streams.py). Hence a row's path is a function
of its own seed and its own actions, whatever the rows beside it do: any grouping of experiments into batches gives
the same rows, a vector environment equals as many single ones bit for bit, and agents that are compared on the same
seeds meet the same rates and, as long as they act alike, the same visitors. One numpy Generator for the whole array
could promise none of this.
"""

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit_env.world.action import check_arms, check_scores
from bandit_env.world.dynamics import Bools, Floats, Ints, Plan, Scratch, State, pull, pull_moving, step
from bandit_env.world.moving import Moving, make_moving, open_rows
from bandit_env.world.scenario import Scenario
from bandit_env.world.start import Start
from bandit_env.world.streams import Rows, seed_streams, uniforms
from bandit_env.world.task import Task
from bandit_env.world.tasks import TaskSampler
from bandit_env.world.tasks.rows import RowTasks

_RATES, _VISITS, _NEXT = (np.uint64(i) for i in (0xD1B54A32D192ED03, 0xAEF17502108EF2D9, 0xF1357AEA2E62A9C5))


class Outcome(NamedTuple):
    """What one step did, for all N rows; zero in the rows that did not run."""

    reward: Floats  # (N,)
    regret: Floats  # (N,) of this update, in conversions
    served: Ints  # (N,) visits of this update
    ended: Rows  # (m,) the rows whose experiment ended in this step, increasing


class Simulation:
    """N experiments of one scenario, side by side.

    The arrays are the state; read them, copy them, but leave the writing to the methods.

    Args:
        scenario: of all of them; with a sampler its own, which has the longest horizon.
        num_experiments: N.
        sampler: what each episode draws its task from, see `bandit_env.world.tasks`.
    """

    least_left: ClassVar[int] = 0  # days that must be left where an experiment begins

    def __init__(self, scenario: Scenario, num_experiments: int, sampler: TaskSampler | None = None) -> None:
        n, k = num_experiments, scenario.task.num_arms
        self.scenario = scenario
        self.row_tasks = None if sampler is None else RowTasks(sampler, n)
        self.state = State(
            streams=np.zeros((n, 4), np.uint64),  # all zero: never seeded
            rates=np.zeros((n, k)),
            best_rate=np.zeros(n),
            visits=np.zeros((n, k)),
            conversions=np.zeros((n, k)),
            updates=np.zeros(n, np.int64),
            ended=np.ones(n, np.bool_),
            declared=np.full(n, -1, np.int64),
            best_arm=np.full(n, -1, np.int64),
            correct=np.zeros(n, np.bool_),
            regret_after=np.zeros(n),
            loss_after=np.zeros(n),
        )
        self.moving: Moving | None = make_moving(scenario, n) if scenario.moves else None
        if self.row_tasks is not None:
            self.moving = self.row_tasks.moving
        self._paths = np.zeros(n, np.uint64)  # seeds of the path that each row's next episode takes
        self._num_running = 0
        self._scratch = Scratch(
            running=np.zeros(n, np.int64),
            goes_on=np.zeros(n, np.bool_),
            just_ended=np.zeros(n, np.int64),
            scores=np.zeros(k),
            to_come=np.zeros(k),
            counts=np.zeros(k, np.int64),
        )
        # None where traffic is split at random: then Numba leaves the other way out, and compiles a tenth less
        self._remainders = np.zeros(k) if scenario.split == "proportional" else None
        v, u = scenario.visits_per_day, scenario.updates_per_day
        assert scenario.loss_days is not None
        self._traffic: Ints = np.array([(i + 1) * v // u - i * v // u for i in range(u)], np.int64)
        self._plan = Plan(
            per_day=v,
            max_days=scenario.max_days,
            loss_days=scenario.loss_days,
            max_updates=scenario.task.max_updates,
            min_updates=scenario.min_updates,
            regret_reward=scenario.reward == "regret",
            cost=float(scenario.cost_per_day / u),
        )

    @property
    def rates(self) -> Floats:
        """The rates of the update just served, or of the first day before it, shape (N, K)."""
        return self.state.rates

    @property
    def base_rates(self) -> Floats:
        """The rates before effects, shape (N, K)."""
        return self.state.rates if self.moving is None else self.moving.base_rates

    @property
    def visits(self) -> Floats:
        """Cumulative, shape (N, K)."""
        return self.state.visits

    @property
    def conversions(self) -> Floats:
        """Cumulative, as far as they have been seen, shape (N, K)."""
        return self.state.conversions

    @property
    def ended(self) -> Bools:
        """Which rows do not run, shape (N,)."""
        return self.state.ended

    @property
    def all_running(self) -> bool:
        """Whether every row runs."""
        return self._num_running == self.state.ended.size

    @property
    def day(self) -> Floats:
        """Days elapsed, shape (N,)."""
        per_day, updates = self.scenario.updates_per_day, self.state.updates
        return updates.astype(np.float64) if per_day == 1 else updates / per_day

    def task_of(self, row: int) -> Task:
        """What an agent may know of a row's experiment."""
        return self.scenario.task if self.row_tasks is None else self.row_tasks.task(row)

    def seed(self, rows: Rows, seeds: NDArray[np.uint64]) -> None:
        """Start the random streams of `rows`, shape (n,), from `seeds`, shape (n,)."""
        seed_streams(self.state.streams, rows, seeds)
        self._paths[rows] = seeds

    def unseeded(self, rows: Rows) -> Rows:
        """Those of `rows` whose stream was never started."""
        return rows[~self.state.streams[rows].any(axis=1)]

    def begin(
        self, rows: Rows, rates: Floats | None = None, start: Start | None = None, stay: Bools | None = None
    ) -> None:
        """Begin new experiments in `rows`, shape (n,).

        Args:
            rows: their places.
            rates: shape (n, K); None stands for the scenario's.
            start: what they begin from, over all of `rows` alike or for each; None stands for the scenario's.
            stay: which of `rows` keep their rates and their task, shape (n,); None for none.

        Raises:
            ValueError: a row whose task has fewer days than `start` says are past, or a sampler's impossible task.
        """
        state, start = self.state, start or self.scenario.begins
        new = rows if stay is None else rows[~stay]
        if self.row_tasks is not None and new.size:
            self.row_tasks.draw(state.streams, new)
            self.moving = self.row_tasks.moving
        if self.row_tasks is not None:
            self._check_day(rows, start)
        if rates is not None:
            self.base_rates[rows] = rates
        elif new.size:
            self.base_rates[new] = self._draw_rates(new)
        state.visits[rows], state.conversions[rows] = start.visits, start.conversions
        state.updates[rows] = np.rint(np.asarray(start.day) * self.scenario.updates_per_day)
        state.regret_after[rows] = state.loss_after[rows] = 0
        state.declared[rows] = state.best_arm[rows] = -1
        state.correct[rows] = state.ended[rows] = False
        if self.moving is None:
            state.best_rate[rows] = state.rates[rows].max(axis=1)
        else:
            paths = self._paths[rows]
            seed_streams(self.moving.rate_streams, rows, paths ^ _RATES)
            seed_streams(self.moving.visit_streams, rows, paths ^ _VISITS)
            self._paths[rows] = paths * _NEXT + _NEXT
            open_rows(self.moving, rows, state.rates, state.best_rate, state.updates)
        running = np.flatnonzero(~state.ended)
        self._num_running = running.size
        self._scratch.running[: running.size] = running

    def step(self, actions: NDArray[np.float32]) -> Outcome:
        """One update of every running row: serve its traffic, or end it.

        Args:
            actions: shape (N, K + 1), laid out as action.py says; ignored in rows that have ended.

        Raises:
            ValueError: a running row's action holds a NaN or a number outside [0, 1]. Nothing has happened then.
        """
        outcome = self._empty_outcome()
        still, ended = step(
            actions, self._num_running, self._plan, self._traffic, self.state, self._scratch, self._remainders,
            self.moving, *outcome[:3],
        )  # fmt: skip
        if still < 0:
            check_scores(np.where(self.ended[:, None], 0, actions))
        self._num_running = still
        return outcome._replace(ended=self._scratch.just_ended[:ended].copy())

    def pull(self, arms: Ints) -> Outcome:
        """One visit of every running row to the arm of `arms`, shape (N,); a row ends with its last visit.

        The scenario has one visit a day, so that `max_days` counts visits.

        Raises:
            ValueError: a running row's arm is not in 0 .. K - 1. Nothing has happened then.
        """
        outcome, state, scratch, plan = self._empty_outcome(), self.state, self._scratch, self._plan
        if self.moving is None:
            still, ended = pull(
                arms, self._num_running, plan.max_updates, plan.regret_reward, state.streams, state.rates,
                state.best_rate, state.visits, state.conversions, state.updates, state.ended, scratch.running,
                scratch.just_ended, *outcome[:3],
            )  # fmt: skip
        else:
            still, ended = pull_moving(arms, self._num_running, plan, state, scratch, self.moving, *outcome[:3])
        if still < 0:
            check_arms(np.where(self.ended, 0, arms), self.rates.shape[1])
        self._num_running = still
        return Outcome(*outcome[:3], scratch.just_ended[:ended].copy())

    def _empty_outcome(self) -> Outcome:
        n = self.state.ended.size
        return Outcome(np.zeros(n), np.zeros(n), np.zeros(n, np.int64), self._scratch.just_ended)

    def _check_day(self, rows: Rows, start: Start) -> None:
        """Refuse days past the horizon of the task that a row has drawn."""
        assert self.row_tasks is not None
        days = np.broadcast_to(start.day, rows.shape)
        late = np.flatnonzero(days > self.row_tasks.facts.max_days[rows] - self.least_left)
        if late.size:
            row, day = rows[late[0]], days[late[0]]
            most = self.row_tasks.facts.max_days[row] - self.least_left
            raise ValueError(f"the day is {day:g} in row {row}; expected at most {most} in the task that it has drawn")

    def _draw_rates(self, rows: Rows) -> Floats:
        if self.row_tasks is not None:
            own, laws = self.row_tasks.law(rows)
            drawn = np.isnan(own[:, 0])
            own[drawn] = self._draw_from(laws[drawn], rows[drawn])
            return own
        if self.scenario.prior is None:
            return np.asarray(self.scenario.rates, np.float64)
        return self._draw_from(np.asarray(self.scenario.prior, np.float64), rows)

    def _draw_from(self, prior: Floats, rows: Rows) -> Floats:
        """Rates of `rows`, shape (n, K), from Beta distributions (a, b), shape (K, 2) or (n, K, 2)."""
        from scipy.special import betaincinv  # here, as fixed rates can do without

        chance = np.empty((rows.size, self.rates.shape[1]))
        uniforms(self.state.streams, rows, chance)
        return np.asarray(betaincinv(prior[..., 0], prior[..., 1], chance))  # the quantile function of Beta(a, b)
