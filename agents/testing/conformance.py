"""Plays an agent through tasks, and looks at every action that it gives."""

import pickle
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, Observation
from agents.allocation import Allocation
from agents.batch import Batch
from bandit_env.world.action import TOLERANCE
from bandit_env.world.task import Task

TASKS = (
    Task(num_arms=2, visits_per_day=100, min_days=14, max_days=60),
    Task(num_arms=5, visits_per_day=1000, updates_per_day=2, min_days=0, max_days=30),
    Task(num_arms=3, visits_per_day=1, max_days=50),
    Task(num_arms=3, visits_per_day=100, min_days=9, max_days=40, joins=(0, 0, 8), leaves=(None, 15, None)),
)
BATCH = 12
UPDATES = 25


class Nonconformity(AssertionError):
    """An agent breaks the contract of `agents.Agent`."""


def check_agent(agent: Agent, tasks: Sequence[Task] = TASKS) -> None:
    """Play an agent through tasks and check what `agents.Agent` asks of it.

    Checked: actions have the right type, shape and dtype, are finite and in [0, 1], carry some traffic, never
    stop before `min_days`, and never declare an arm that is not there; the observation is left alone and shares
    no memory with the action; a later call leaves earlier actions alone; `reset` forgets the last batch; the
    same seed gives the same actions; pickling keeps the agent; zero counts, huge counts (10^12 visits), an
    experiment alone, and part of a batch are served; `claims_winner` answers. Where `deterministic` is True, as
    well: another seed gives the same actions, and an experiment's action depends neither on its place in the
    batch nor on the rows around it, now or before, in any bit. Of an allocation, as well: its parts stay as they
    were, whatever was played; its memory's counts are counts; arms that are not there are served nothing.

    Args:
        agent: to be checked; it is left reset.
        tasks: to play; give your own if the agent is made for particular ones.

    Raises:
        Nonconformity: says which agent, what was found and what was expected.
    """
    if not isinstance(agent, Agent):
        raise Nonconformity(f"{agent!r} is a {type(agent).__name__}; expected an instance of agents.Agent")
    for task in tasks:
        checked = _Checked(agent, task)
        for check in CHECKS:
            check(checked)


class _Checked:
    """An agent under test: every action is looked at before it is handed on."""

    def __init__(self, agent: Agent, task: Task) -> None:
        self.agent = agent
        self.task = task

    def reset(self, num_experiments: int = BATCH, seed: int = 0) -> None:
        answer = self.agent.reset(self.task, num_experiments, np.random.default_rng(seed))  # type: ignore[func-returns-value]
        self.require(answer is None, f"reset returned {answer!r}; expected None")

    def act(self, observation: Observation, experiments: NDArray[np.intp]) -> NDArray[np.float32]:
        before = {key: value.copy() for key, value in observation.items()}
        places = experiments.copy()
        action = self.agent.act(observation, experiments)
        for key, value in observation.items():
            self.require(np.array_equal(value, before[key]), f"act changed the observation's {key!r} in place")
        self.require(np.array_equal(experiments, places), "act changed `experiments` in place")
        self._look_at(action, observation)
        return action

    def _look_at(self, action: object, observation: Observation) -> None:
        shape = (*observation["day"].shape[:1], self.task.num_arms + 1)
        kind = type(action).__name__
        if not isinstance(action, np.ndarray):
            raise Nonconformity(self.message(f"act returned a {kind}; expected a NumPy array of shape {shape}"))
        self.require(action.shape == shape, f"act returned shape {action.shape}; expected {shape}")
        self.require(action.dtype == np.float32, f"act returned {action.dtype}; expected float32")
        wrong = ~((action >= -TOLERANCE) & (action <= 1 + TOLERANCE))  # True for NaN
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            found = f"{action[row, column]} in row {row}, column {column}"
            self.require(False, f"act returned {found} on {_row(observation, row)}; expected numbers in [0, 1]")
        idle = action[:, :-1].sum(axis=1) <= 0
        self.require(not idle.any(), f"act gave no arm any traffic in row {idle.argmax()}")
        early = (action[:, -1] > 0.5) & (observation["day"][:, 0] < self.task.min_days)
        if early.any():
            day = observation["day"][early.argmax(), 0]
            self.require(False, f"act stopped on day {day:g}; expected no stop before min_days, {self.task.min_days:g}")
        self._look_at_absent(action, observation["day"][:, 0])
        for key, value in observation.items():
            self.require(
                not np.shares_memory(action, value), f"the action shares memory with the observation's {key!r}"
            )

    def _look_at_absent(self, action: NDArray[np.float32], day: NDArray[np.float64]) -> None:
        absent = ~self.task.available(day)
        stops = action[:, -1] > 0.5
        declared = action[:, :-1].argmax(axis=1)
        gone = stops & absent[np.arange(len(day)), declared]
        row = int(gone.argmax())
        self.require(not gone.any(), f"act declared arm {declared[row]} on day {day[row]:g}, when it is not there")
        served = absent & (action[:, :-1] > 0) & ~stops[:, None]
        if isinstance(self.agent, Allocation) and served.any():  # the world serves them nothing whatever their score
            row, arm = np.argwhere(served)[0]
            self.require(False, f"act served arm {arm} on day {day[row]:g}, when it is not there")

    def require(self, holds: bool, message: str) -> None:
        if not holds:
            raise Nonconformity(self.message(message))

    def message(self, text: str) -> str:
        return f"{type(self.agent).__name__}: {text} (playing {self.task})"

    def play(self, num_experiments: int = BATCH, seed: int = 0) -> list[NDArray[np.float32]]:
        """A short batch of experiments from the start, a third of which ends on the way; all actions.

        What the agent was shown, and of which experiments, is kept in `shown`.
        """
        self.reset(num_experiments, seed)
        self.shown: list[tuple[Observation, NDArray[np.intp]]] = []
        rng = np.random.default_rng(99)
        visits = np.zeros((num_experiments, self.task.num_arms))
        conversions = np.zeros_like(visits)
        experiments = np.arange(num_experiments)
        actions: list[NDArray[np.float32]] = []
        copies: list[NDArray[np.float32]] = []
        for update in range(min(UPDATES, self.task.max_updates)):
            if update == UPDATES // 2:
                experiments = experiments[experiments % 3 != 1]
            day = np.full((len(experiments), 1), update / self.task.updates_per_day)
            observation = {"visits": visits[experiments], "conversions": conversions[experiments], "day": day}
            self.shown.append((observation, experiments))
            action = self.act(observation, experiments)
            actions.append(action)
            copies.append(action.copy())
            there = self.task.available(day[:, 0])
            weights = action[:, :-1].astype(np.float64) * there
            weights += there * (weights.sum(axis=1, keepdims=True) == 0)
            served = rng.multinomial(
                self.task.visits_per_day // self.task.updates_per_day, weights / weights.sum(axis=1, keepdims=True)
            )
            visits[experiments] += served
            conversions[experiments] += rng.binomial(served, np.linspace(0.2, 0.3, self.task.num_arms))
        for update, (action, copy) in enumerate(zip(actions, copies, strict=True)):
            self.require(np.array_equal(action, copy), f"a later call changed the action of update {update}")
        return actions


def _row(observation: Observation, row: int) -> str:
    return ", ".join(f"{key} {value[row].tolist()}" for key, value in observation.items())


def _states(task: Task, count: int = BATCH) -> Observation:
    """States that an experiment could be in, of all ages, as an observation."""
    rng = np.random.default_rng(7)
    update = np.linspace(0, task.max_updates - 1, count).astype(int)
    total = update * task.visits_per_day // task.updates_per_day
    shares = rng.dirichlet(np.ones(task.num_arms), count)
    visits = np.array([rng.multinomial(n, share) for n, share in zip(total, shares, strict=True)])
    conversions = rng.binomial(visits, rng.uniform(0.02, 0.5, visits.shape))
    return {
        "visits": visits.astype(np.float64),
        "conversions": conversions.astype(np.float64),
        "day": (update / task.updates_per_day)[:, None],
    }


def _take(observation: Observation, rows: NDArray[np.intp] | list[int]) -> Observation:
    return {key: value[rows] for key, value in observation.items()}


def _plays_and_forgets(checked: _Checked) -> None:
    for update, (action, again) in enumerate(zip(checked.play(), checked.play(), strict=True)):
        same = np.array_equal(action, again)
        checked.require(same, f"the same seed gave other actions at update {update}, after a second reset")


def _pickles(checked: _Checked) -> None:
    copy = _Checked(pickle.loads(pickle.dumps(checked.agent)), checked.task)
    for update, (action, other) in enumerate(zip(checked.play(), copy.play(), strict=True)):
        same = np.array_equal(action, other)
        checked.require(same, f"a pickled copy gave other actions at update {update} under the same seed")


def _serves_extremes(checked: _Checked) -> None:
    task = checked.task
    zero = np.zeros((1, task.num_arms))
    extremes = [("zero counts", zero, zero)]
    if task.visits_per_day > 1:
        huge = np.full((1, task.num_arms), 1e12)
        extremes += [("10^12 visits an arm, rate 0.05", huge, huge // 20 + np.arange(task.num_arms))]
        extremes += [("no conversion at all", huge, 0 * huge), ("nothing but conversions", huge, huge)]
        lone = zero.copy()
        lone[0, 0] = 1e6
        extremes += [("one arm with visits", lone, lone // 20)]
    for name, visits, conversions in extremes:
        day = np.full((1, 1), 0.0 if not visits.any() else max(task.min_days, task.max_days - 1))
        checked.reset(1)
        try:
            checked.act({"visits": visits, "conversions": conversions, "day": day}, np.arange(1))
        except Nonconformity as error:
            raise Nonconformity(f"{error}; on {name}") from error


def _claims(checked: _Checked) -> None:
    checked.reset()
    experiments = np.array([0, 2, BATCH - 1])
    declared = np.array([-1, 0, checked.task.num_arms - 1])
    claims = checked.agent.claims_winner(experiments, declared)
    fits = isinstance(claims, np.ndarray) and claims.shape == (3,) and claims.dtype == np.bool_
    checked.require(fits, f"claims_winner returned {claims!r}; expected booleans of shape (3,)")
    checked.require(not claims[0], "claims_winner claims a winner where no arm is declared (-1)")


def _keeps_its_promise(checked: _Checked) -> None:
    """What `deterministic` promises: an action follows from its own row of the observation alone."""
    if not checked.agent.deterministic:
        return
    states, places = _states(checked.task), np.arange(BATCH)
    for update, (action, other) in enumerate(zip(checked.play(seed=0), checked.play(seed=1), strict=True)):
        checked.require(
            np.array_equal(action, other),
            f"deterministic is True, but another seed gave other actions at update {update}",
        )
    checked.reset()
    actions = checked.act(states, places)

    order = np.random.default_rng(3).permutation(BATCH)
    checked.reset()
    permuted = checked.act(_take(states, order), places)
    checked.require(
        np.array_equal(permuted, actions[order]),
        "deterministic is True, but permuting the experiments did not permute the actions",
    )
    others = {key: value.copy() for key, value in states.items()}
    for key in ("visits", "conversions"):
        others[key][1:] = others[key][1:, ::-1]
    checked.reset()
    beside_others = checked.act(others, places)
    checked.require(
        np.array_equal(beside_others[0], actions[0]),
        "deterministic is True, but changing other experiments changed the action of the first",
    )
    for row in (1, BATCH - 1):
        checked.reset()
        alone = checked.act(_take(states, [row]), np.array([row]))
        checked.require(
            np.array_equal(alone[0], actions[row]),
            f"deterministic is True, but an experiment alone gets another action than in a batch: "
            f"{alone[0]} and {actions[row]} on {_row(states, row)}",
        )


def _stands_alone_over_time(checked: _Checked) -> None:
    """What `deterministic` promises of an agent that remembers: what others did before does not matter either."""
    if not checked.agent.deterministic:
        return
    actions = checked.play()
    shown = checked.shown
    for experiment in (0, BATCH - 1):
        checked.reset(1)
        for update, ((observation, experiments), action) in enumerate(zip(shown, actions, strict=True)):
            rows = np.flatnonzero(experiments == experiment)
            alone = checked.act(_take(observation, rows), np.zeros(1, dtype=np.intp))
            checked.require(
                np.array_equal(alone, action[rows]),
                f"deterministic is True, but an experiment played alone got another action at update {update}",
            )


def _parts_are_data(checked: _Checked) -> None:
    """The parts of an allocation are what they were made, before and after playing, and after pickling."""
    if not isinstance(checked.agent, Allocation):
        return
    parts = [part for part in checked.agent.parts if part is not checked.agent]
    before = [repr(part) for part in parts]
    checked.play()
    for part, was in zip(parts, before, strict=True):
        checked.require(repr(part) == was, f"playing changed {was} into {part!r}; expected it to keep its state")
        again = repr(pickle.loads(pickle.dumps(part)))
        checked.require(again == was, f"pickling changed {was} into {again}")


def _memory_counts(checked: _Checked) -> None:
    """The counts of an allocation's memory are counts: finite, and no more conversions than visits."""
    memory = getattr(checked.agent, "_memory", None)
    if not isinstance(checked.agent, Allocation) or memory is None:
        return
    checked.play()
    batch = Batch(checked.task, BATCH, (memory,))
    for observation, experiments in checked.shown:
        evidence = batch.see(observation, experiments, checked.agent.prior)
        counts = memory.counts(evidence)
        shape = evidence.visits.shape
        for name, array in zip(("visits", "conversions"), counts, strict=True):
            fits = isinstance(array, np.ndarray) and array.shape == shape
            checked.require(fits, f"{memory!r} returned {name} {array!r}; expected an array of shape {shape}")
        visits, conversions = counts
        wrong = ~((conversions >= 0) & (conversions <= visits) & np.isfinite(visits))
        if wrong.any():
            row, arm = np.argwhere(wrong)[0]
            found = f"{conversions[row, arm]} conversions of {visits[row, arm]} visits"
            checked.require(False, f"{memory!r} counts {found} on day {evidence.day[row]:g}, arm {arm}")


CHECKS: tuple[Callable[[_Checked], None], ...] = (
    _plays_and_forgets,
    _pickles,
    _serves_extremes,
    _claims,
    _keeps_its_promise,
    _stands_alone_over_time,
    _parts_are_data,
    _memory_counts,
)
