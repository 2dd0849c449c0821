"""What the data of a batch of experiments say: counts, and the posterior quantities that follow from them."""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit_env.world.task import Task

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

State = dict[str, NDArray[Any]]
"""What a part of an agent remembers: arrays whose first axis is the batch's experiments."""


def or_one(visits: Floats) -> Floats:
    """The visits as a divisor: 1 where there are none. A memory's counts may lie between."""
    return np.where(visits > 0, visits, 1.0)


class Evidence:
    """The counts of n experiments, and what follows from them.

    Posterior quantities are computed when first asked for and kept, so that an allocation and a stopping rule that want
    the same integral pay for it once. They are over the arms that are there. Every quantity of a row follows from that
    row alone.

    Attributes:
        visits: the visits that count, cumulative, shape (n, K): all of them, or what the agent's memory makes of them;
            then they need not be whole numbers.
        conversions: those that count, shape (n, K), never more than `visits`.
        day: days elapsed, shape (n,).
        experiments: the rows' places in the batch, shape (n,).
        task: the public facts of the experiments.
        prior: (a, b) of the Beta prior of every rate.
        raw_visits, raw_conversions: all of them, as observed, whatever the memory, shape (n, K).
        new_visits, new_conversions: what this update brought, as observed, shape (n, K).
    """

    def __init__(
        self,
        visits: Floats,
        conversions: Floats,
        day: Floats,
        experiments: Rows,
        task: Task,
        prior: tuple[float, float] = (1.0, 1.0),
        *,
        new_visits: Floats | None = None,
        new_conversions: Floats | None = None,
        states: Sequence[tuple[object, State]] = (),
    ) -> None:
        self.visits = self.raw_visits = visits
        self.conversions = self.raw_conversions = conversions
        self.day = day
        self.experiments = experiments
        self.task = task
        self.prior = prior
        self.new_visits = visits if new_visits is None else new_visits
        self.new_conversions = conversions if new_conversions is None else new_conversions
        self._states = states
        self._probability_best: Floats | None = None
        self._value_remaining_below: dict[float, Floats] = {}

    def __len__(self) -> int:
        return len(self.day)

    def at(self, rows: Rows) -> "Evidence":
        """The evidence of some of the experiments."""
        part = Evidence(
            self.raw_visits[rows],
            self.raw_conversions[rows],
            self.day[rows],
            self.experiments[rows],
            self.task,
            self.prior,
            new_visits=self.new_visits[rows],
            new_conversions=self.new_conversions[rows],
            states=self._states,
        )
        part.visits, part.conversions = self.visits[rows], self.conversions[rows]
        if self._probability_best is not None:
            part._probability_best = self._probability_best[rows]
        part._value_remaining_below = {key: value[rows] for key, value in self._value_remaining_below.items()}
        return part

    def remembered(self, visits: Floats, conversions: Floats) -> "Evidence":
        """The same with the counts that a memory lets count, shape (n, K)."""
        other = copy(self)
        other.visits, other.conversions = visits, conversions
        other._probability_best, other._value_remaining_below = None, {}
        return other

    def state_of(self, part: object) -> State:
        """What `part`, a part of the agent, remembers of the whole batch: the arrays that its `new_state` made.

        Rows of this evidence are their rows `experiments`. Write into them; never replace them.
        """
        for owner, state in self._states:
            if owner is part:
                return state
        raise ValueError(f"{part!r} has no state here; expected a part of the agent that made this evidence")

    @cached_property
    def update(self) -> Rows:
        """Updates served, shape (n,)."""
        return np.rint(self.day * self.task.updates_per_day).astype(np.intp)

    @property
    def all_available(self) -> bool:
        """Whether no arm ever joins or leaves, so that nothing need be masked."""
        return not self.task.changes_arms

    @cached_property
    def available(self) -> NDArray[np.bool_]:
        """Which arms the next update can serve, shape (n, K)."""
        return self.task.available(self.day)

    @cached_property
    def num_available(self) -> Rows:
        """How many arms the next update can serve, shape (n, 1)."""
        return np.asarray(self.available.sum(axis=1, keepdims=True))

    @property
    def equal_weights(self) -> Floats:
        """Equal shares of the arms that are there, shape (n, K)."""
        if self.all_available:
            return np.full(self.visits.shape, 1 / self.task.num_arms)
        return self.available / np.maximum(self.num_available, 1)

    def present(self, values: Floats, otherwise: float = -np.inf) -> Floats:
        """`values`, shape (n, K), with `otherwise` for the arms that are not there."""
        return values if self.all_available else np.where(self.available, values, otherwise)

    def patterns(self) -> Iterator[tuple[Rows, Rows]]:
        """The experiments grouped by the arms that are there: (rows, arms) of each group."""
        if self.all_available:
            yield np.arange(len(self)), np.arange(self.task.num_arms)
            return
        kinds, kind = np.unique(self.available, axis=0, return_inverse=True)
        for index, there in enumerate(kinds):
            yield np.flatnonzero(kind.ravel() == index), np.flatnonzero(there)

    @property
    def total_visits(self) -> Floats:
        """Visits that count, of all arms together, shape (n,)."""
        return np.asarray(self.visits.sum(axis=1))

    @property
    def total_served(self) -> Floats:
        """All visits served so far, of all arms together, whatever the memory, shape (n,)."""
        return np.asarray(self.raw_visits.sum(axis=1))

    @property
    def rate(self) -> Floats:
        """Observed conversion rate of every arm, shape (n, K); 0 for an arm without visits."""
        return self.conversions / or_one(self.visits)

    @property
    def posterior_mean(self) -> Floats:
        """Posterior mean of every arm's rate, shape (n, K)."""
        a, b = self.prior
        return (self.conversions + a) / (self.visits + (a + b))

    @property
    def posterior_sd(self) -> Floats:
        """Posterior standard deviation of every arm's rate, shape (n, K)."""
        a, b = self.prior
        mean = self.posterior_mean
        return np.sqrt(mean * (1 - mean) / (self.visits + (a + b + 1)))

    @property
    def probability_best(self) -> Floats:
        """P(arm is the best of those that are there), shape (n, K)."""
        if self._probability_best is None:
            from bandit_env.stats import posterior

            def solve(conversions: Floats, visits: Floats) -> tuple[Floats, ...]:
                return (posterior.probability_best(conversions, visits, prior=self.prior),)

            (self._probability_best,) = self._over_present(solve, ((1.0, 0.0),))
        return self._probability_best

    @property
    def champion(self) -> Rows:
        """The arm that is most probably the best, shape (n,); the lowest index on ties."""
        return np.asarray(self.probability_best.argmax(axis=1))

    def value_remaining_below(self, threshold: float) -> Floats:
        """P(value remaining < threshold), shape (n,). Finds `probability_best` in the same pass."""
        known = self._value_remaining_below.get(threshold)
        if known is None:
            from bandit_env.stats import posterior

            def solve(conversions: Floats, visits: Floats) -> tuple[Floats, ...]:
                best, below = posterior.weights_and_value_remaining(
                    conversions, visits, threshold=threshold, prior=self.prior
                )
                return best, below

            best, known = self._over_present(solve, ((1.0, 0.0), (1.0,)))
            self._value_remaining_below[threshold] = known
            if self._probability_best is None:
                self._probability_best = best
        return known

    def probability_beats(self, control: int = 0) -> Floats:
        """P(arm beats the control), shape (n, K); 0 for the control itself, and where one of the two is not there."""
        from bandit_env.stats import posterior

        beats = posterior.probability_beats(self.conversions, self.visits, control=control, prior=self.prior)
        return beats if self.all_available else beats * (self.available & self.available[:, control, None])

    def expected_loss(self) -> Floats:
        """E[best rate - rate of the arm], shape (n, K); infinite for arms that are not there."""
        from bandit_env.stats import posterior

        def solve(conversions: Floats, visits: Floats) -> tuple[Floats, ...]:
            return (posterior.expected_loss(conversions, visits, prior=self.prior),)

        (loss,) = self._over_present(solve, ((0.0, np.inf),))
        return loss

    def _over_present(
        self, solve: Callable[[Floats, Floats], tuple[Floats, ...]], alone: Sequence[tuple[float, ...]]
    ) -> tuple[Floats, ...]:
        """`solve(conversions, visits)` of the arms that are there; each answer (n, K), or (n,).

        `alone` holds, for each answer, what it is for an arm that is there alone, and for arms that are not there.
        """
        if self.all_available:
            return solve(self.conversions, self.visits)
        answers = tuple(np.full((len(self), self.task.num_arms)[: len(values)], values[-1]) for values in alone)
        for rows, arms in self.patterns():
            place = np.ix_(rows, arms)
            found = tuple(np.asarray(values[0]) for values in alone)
            if len(arms) > 1:
                found = solve(self.conversions[place], self.visits[place])
            for answer, part in zip(answers, found, strict=True):
                answer[place if answer.ndim == 2 else rows] = part
        return answers
