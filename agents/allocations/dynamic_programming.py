"""Two arms, visit by visit, a short horizon: the Bayes-optimal policy, and the exact value of any other.

A state is the counts of both arms. After t visits there are (t+1)(t+2)(t+3)/6 of them, 4.6 million up to t =
100, so that backward induction visits them all in a second.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent
from agents.allocation import Allocation
from agents.allocations.gittins import require_visit_by_visit
from agents.evidence import Evidence
from bandit_env.world.action import decode_action
from bandit_env.world.task import Task

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Policy = Callable[[Floats, Floats], Floats]
"""(visits (n, 2), conversions (n, 2)) -> probability (n,) that the next visit goes to arm 1, the second."""

MAX_HORIZON = 150  # 22 million states
TIE = 1e-12  # expected totals of at most 150 conversions that differ by less differ by rounding


def states(visits: int) -> tuple[Floats, Floats]:
    """All states after a number of visits: visits (n, 2) and conversions (n, 2), in the order of `_position`."""
    n0, s0, s1 = _layer(visits)
    served = np.stack([n0, visits - n0], axis=1).astype(np.float64)
    return served, np.stack([s0, s1], axis=1).astype(np.float64)


def policy_value(
    horizon: int,
    policy: Policy,
    prior: tuple[float, float] = (1.0, 1.0),
    rates: tuple[float, float] | None = None,
) -> float:
    """Expected total conversions of a policy over `horizon` visits to two arms; exact, by backward induction.

    Args:
        horizon: visits in all.
        policy: probability that the next visit goes to arm 1, from the counts; called once for every number
            of visits with all its states. `policy_of` makes one of an agent.
        prior: (a, b) of the Beta prior from which both rates are drawn.
        rates: fixed rates, in place of the prior.

    >>> round(policy_value(10, lambda visits, conversions: np.full(len(visits), 0.5)), 10)
    5.0
    """
    value = np.zeros(len(_layer(horizon)[0]))
    for t in range(horizon - 1, -1, -1):
        first, second = _values_of_arms(t, value, prior, rates)
        second_share = policy(*states(t))
        value = first + second_share * (second - first)
    return float(value[0])


def policy_of(agent: Agent, horizon: int) -> Policy:
    """The policy that an agent follows: visit by visit, without stopping, from the counts and the visits left.

    The agent must be a function of the observation; one that draws or remembers has no such policy.
    """
    task = Task(num_arms=2, visits_per_day=1, min_days=horizon, max_days=horizon)

    def policy(visits: Floats, conversions: Floats) -> Floats:
        agent.reset(task, len(visits), np.random.default_rng(0))
        day = visits.sum(axis=1, keepdims=True)
        observation = {"visits": visits, "conversions": conversions, "day": day}
        return decode_action(agent.act(observation, np.arange(len(visits))))[0][:, 1]

    return policy


@lru_cache(maxsize=4)
def solve(horizon: int, prior: tuple[float, float] = (1.0, 1.0)) -> tuple[float, NDArray[np.float32]]:
    """The Bayes-optimal expected total of `horizon` visits, and the share of arm 1 in every state.

    V_t(state) = max over arms of m (1 + V_{t+1}(converted)) + (1 - m) V_{t+1}(not), m the arm's posterior
    mean: Berry and Fristedt (1985), "Bandit Problems", chapter 2.

    Returns:
        The expected conversions from the start; the shares (states of all t < horizon,): 0, 1, or 0.5 on
        ties.
    """
    value = np.zeros(len(_layer(horizon)[0]))
    shares = np.empty(_layer_start(np.int64(horizon)), dtype=np.float32)
    for t in range(horizon - 1, -1, -1):
        first, second = _values_of_arms(t, value, prior, None)
        value = np.maximum(first, second)
        start = _layer_start(np.int64(t))
        shares[start : start + len(value)] = np.where(abs(second - first) <= TIE, 0.5, second > first)
    shares.flags.writeable = False
    return float(value[0]), shares


@dataclass(eq=False)
class BayesOptimal(Allocation):
    """Maximises the expected conversions to the horizon, exactly: two arms, visit by visit, rates from the prior.

    No agent earns more on average over rates drawn from the prior: the limit that others are measured
    against.
    """

    formula: ClassVar[str] = (
        "V_m(n, c) = max_a p_a (1 + V_{m-1}(+ a success of a)) + (1 - p_a) V_{m-1}(+ a failure of a), p_a "
        "the posterior mean"
    )
    source: ClassVar[str] = 'Berry and Fristedt (1985), "Bandit Problems", chapter 2'
    needs_all: ClassVar[bool] = True

    def reset(self, task: Task, num_experiments: int, rng: np.random.Generator) -> None:
        super().reset(task, num_experiments, rng)
        if task.num_arms != 2:
            raise ValueError(f"BayesOptimal is tabulated for two arms; got {task.num_arms}")
        self._shares = solve(require_visit_by_visit("BayesOptimal", task, MAX_HORIZON), self.prior)[1]

    def weights(self, evidence: Evidence) -> Floats:
        visits = evidence.visits.astype(np.int64)
        conversions = evidence.conversions.astype(np.int64)
        t = np.minimum(visits.sum(axis=1), self.task.max_updates - 1)  # at the horizon nothing is served
        state = _layer_start(t) + _position(t, visits[:, 0], conversions[:, 0], conversions[:, 1])
        second = self._shares[np.minimum(state, len(self._shares) - 1)].astype(np.float64)
        return np.stack([1 - second, second], axis=1)


def _values_of_arms(
    t: int, value: Floats, prior: tuple[float, float], rates: tuple[float, float] | None
) -> tuple[Floats, Floats]:
    """Expected conversions from each state after t visits when the next goes to arm 0, or to arm 1."""
    a, b = prior
    n0, s0, s1 = _layer(t)
    mean0, mean1 = ((s0 + a) / (n0 + a + b), (s1 + a) / (t - n0 + a + b)) if rates is None else rates
    won = value[_position(t + 1, n0 + 1, s0 + 1, s1)]
    lost = value[_position(t + 1, n0 + 1, s0, s1)]
    first = mean0 * (1 + won) + (1 - mean0) * lost
    won = value[_position(t + 1, n0, s0, s1 + 1)]
    lost = value[_position(t + 1, n0, s0, s1)]
    return first, mean1 * (1 + won) + (1 - mean1) * lost


@lru_cache(maxsize=2)
def _layer(t: int) -> tuple[Ints, Ints, Ints]:
    """The states after t visits, in order: visits of arm 0, its conversions, conversions of arm 1."""
    sizes = [(n0 + 1) * (t - n0 + 1) for n0 in range(t + 1)]
    n0 = np.repeat(np.arange(t + 1), sizes)
    s0 = np.concatenate([np.repeat(np.arange(n + 1), t - n + 1) for n in range(t + 1)])
    s1 = np.concatenate([np.tile(np.arange(t - n + 1), n + 1) for n in range(t + 1)])
    return n0, s0, s1


def _position(t: int | Ints, n0: Ints, s0: Ints, s1: Ints) -> Ints:
    """Place of a state among those after t visits: all with fewer visits of arm 0 come first, then by s0, s1."""
    before = (t + 1) * n0 * (n0 + 1) // 2 - (n0 - 1) * n0 * (n0 + 1) // 3
    return np.asarray(before + s0 * (t - n0 + 1) + s1)


def _layer_start(t: Ints | np.int64) -> Ints:
    """Number of states after fewer than t visits."""
    return np.asarray(t * (t + 1) * (t + 2) * (t + 3) // 24)
