"""One update of all running rows, compiled: read the action, split the traffic, draw the conversions, count the regret.

Everything of a world that moves (moving.py) is behind `if moving is not None`: Numba leaves it out where None comes.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit_env.world.action import STOP_THRESHOLD, read_row, row_is_valid
from bandit_env.world.moving import Moving, is_there, keep_there, look_ahead, open_updates
from bandit_env.world.streams import Rows, Streams, bernoulli, binomial, compiled, inlined, internal

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_read_row = inlined(read_row)
_row_is_valid = internal(row_is_valid)


class State(NamedTuple):
    """The state of N rows."""

    streams: Streams
    rates: Floats  # (N, K) of the update just served; of the first day, before it
    best_rate: Floats  # (N,) of the arms that are there, then
    visits: Floats  # (N, K) cumulative, whole numbers
    conversions: Floats  # (N, K)
    updates: Ints  # (N,) updates behind
    ended: Bools  # (N,) a row runs from `begin` to its end
    declared: Ints  # (N,) -1 where undecided, or running
    best_arm: Ints  # (N,) of the stop; -1 while it runs
    correct: Bools  # (N,)
    regret_after: Floats  # (N,) what the declared arm loses from the stop to max_days
    loss_after: Floats  # (N,) the same to loss_days, where the undecided ship the leader


class Scratch(NamedTuple):
    """Room for one row's update, and for the rows that run and end."""

    running: Rows  # the first so many are the rows that run, increasing
    goes_on: Bools  # of those
    just_ended: Rows
    scores: Floats  # (K,)
    to_come: Floats  # (K,)
    counts: Ints  # (K,)


class Plan(NamedTuple):
    """Numbers of the scenario."""

    per_day: int
    max_days: int
    loss_days: int
    max_updates: int
    min_updates: int
    regret_reward: bool
    cost: float  # of an update


@compiled
def step(
    actions: NDArray[np.float32], num_running: int, plan: Plan, traffic: Ints, state: State, scratch: Scratch,
    remainders: Floats | None, moving: Moving | None, reward: Floats, regret: Floats, served: Ints,
) -> tuple[int, int]:  # fmt: skip
    """The daily-traffic step of the running rows.

    Returns how many still run and how many ended; -1, and nothing has happened, if an action is not valid.
    """
    # Arrays in variables: Numba counts references whenever an array is taken out of a tuple, or handed to a function.
    streams, rates, best_rate, visits, conversions, updates = (
        state.streams, state.rates, state.best_rate, state.visits, state.conversions, state.updates
    )  # fmt: skip
    running, goes_on, scores, counts = scratch.running, scratch.goes_on, scratch.scores, scratch.counts
    for j in range(num_running):
        if not _row_is_valid(actions, running[j]):
            return -1, 0
    if moving is not None:
        joins, leaves, pending, seen, changes = (
            moving.joins, moving.leaves, moving.pending, moving.seen, moving.changes
        )  # fmt: skip
        own, horizons, earliest = moving.step, moving.max_updates, moving.min_updates
        for j in range(num_running):
            i = running[j]
            stops = actions[i, scores.size] > STOP_THRESHOLD and updates[i] >= earliest[i * own]
            goes_on[j] = updates[i] < horizons[i * own] and not stops
        open_updates(moving, running[:num_running], goes_on, rates, best_rate, updates, served)
    max_updates, min_updates, regret_reward, cost = plan.max_updates, plan.min_updates, plan.regret_reward, plan.cost
    still = num_ended = 0
    for j in range(num_running):
        i = running[j]
        stop, arm = _read_row(actions, i, scores)
        if moving is not None:
            max_updates, min_updates = horizons[i * own], earliest[i * own]
            if changes:
                arm = keep_there(joins, leaves, updates[i] // traffic.size, scores, arm)
        if updates[i] == max_updates or (stop and updates[i] >= min_updates):
            state.ended[i] = True
            scratch.just_ended[num_ended] = i
            num_ended += 1
            if moving is None:
                reward[i] = _end(plan, traffic, state, i, arm if stop else -1)
            else:
                reward[i] = _end_moving(plan, state, moving, i, arm if stop else -1)
        else:
            if moving is None:
                served[i] = traffic[updates[i] % traffic.size if traffic.size > 1 else 0]
            updates[i] += 1
            if remainders is None:
                _split_at_random(streams, i, served[i], scores, counts, scratch.to_come)
            else:
                _split_proportionally(served[i], scores, visits, i, counts, remainders)
            if moving is None:
                earned, regret[i] = _serve(streams, i, counts, rates, best_rate, visits, conversions)
            else:
                earned, regret[i] = _serve_moving(
                    streams, i, counts, rates, best_rate, visits, conversions, pending, seen
                )
            reward[i] = (-regret[i] if regret_reward else earned) - cost
            running[still] = i
            still += 1
    return still, num_ended


@compiled
def pull(
    arms: Ints, num_running: int, max_updates: int, regret_reward: bool, streams: Streams, rates: Floats,
    best_rate: Floats, visits: Floats, conversions: Floats, updates: Ints, ended: Bools, running: Rows,
    just_ended: Rows, reward: Floats, regret: Floats, served: Ints,
) -> tuple[int, int]:  # fmt: skip
    """The one-visit step of the running rows, in a world that stays as it is; returns as `step` does.

    Arrays one by one, as taking them out of tuples costs a call of few rows more than the step itself; and places as
    uint64, which Numba need not look at for their sign.
    """
    whole = num_running == ended.size  # then `running` is 0, 1, ..., and stays so until a row ends
    if not _arms_are_valid(arms, num_running, running, rates.shape[1]):
        return -1, 0
    still = num_ended = 0
    for j in range(num_running):
        i = np.uint64(j) if whole else np.uint64(running[j])
        update, arm = updates[i] + 1, np.uint64(arms[i])
        rate = rates[i, arm]
        earned = 1.0 if bernoulli(streams, i, rate) else 0.0  # type: ignore[arg-type]
        lost = best_rate[i] - rate
        updates[i] = update
        served[i] = 1
        visits[i, arm] += 1
        conversions[i, arm] += earned
        regret[i] = lost
        reward[i] = -lost if regret_reward else earned
        if update == max_updates:
            ended[i] = True
            just_ended[num_ended] = i
            num_ended += 1
        else:
            if num_ended > 0 or not whole:
                running[still] = i
            still += 1
    return still, num_ended


@compiled
def pull_moving(
    arms: Ints, num_running: int, plan: Plan, state: State, scratch: Scratch, moving: Moving, reward: Floats,
    regret: Floats, served: Ints,
) -> tuple[int, int]:  # fmt: skip
    """The same in a world that moves."""
    streams, rates, best_rate, visits, conversions, updates = (
        state.streams, state.rates, state.best_rate, state.visits, state.conversions, state.updates
    )  # fmt: skip
    running, counts = scratch.running, scratch.counts
    pending, seen, own, horizons = moving.pending, moving.seen, moving.step, moving.max_updates
    if not _arms_are_valid(arms, num_running, running, counts.size):
        return -1, 0
    counts[:] = 0
    scratch.goes_on[:num_running] = True
    open_updates(moving, running[:num_running], scratch.goes_on, rates, best_rate, updates, served)
    still = num_ended = 0
    for j in range(num_running):
        i = running[j]
        updates[i] += 1
        served[i] = 1
        counts[arms[i]] = 1
        earned, regret[i] = _serve_moving(streams, i, counts, rates, best_rate, visits, conversions, pending, seen)
        counts[arms[i]] = 0
        last = updates[i] == horizons[i * own]
        if last:
            earned += pending[i].sum()
            state.ended[i] = True
            scratch.just_ended[num_ended] = i
            num_ended += 1
        else:
            running[still] = i
            still += 1
        reward[i] = -regret[i] if plan.regret_reward else earned
    return still, num_ended


@inlined
def _arms_are_valid(arms: Ints, num_running: int, running: Rows, num_arms: int) -> bool:
    """Whether the arms of all running rows are some of the K."""
    wrong = 0
    for j in range(num_running):
        if not 0 <= arms[running[j]] < num_arms:
            wrong += 1
    return wrong == 0


@internal
def _end(plan: Plan, traffic: Ints, state: State, row: int, declared: int) -> float:
    """Close a row of a world that stays as it is, -1 where no arm is declared; returns the reward's lump sum."""
    rates, best_rate = state.rates, state.best_rate[row]
    past = state.updates[row] // traffic.size * plan.per_day  # visits of the updates behind, whoever served them
    for u in range(state.updates[row] % traffic.size):
        past += traffic[u]
    shipped = declared if declared >= 0 else _leader(state, None, row)
    state.loss_after[row] = (plan.loss_days * plan.per_day - past) * (best_rate - rates[row, shipped])
    for k in range(rates.shape[1] - 1, -1, -1):
        if rates[row, k] == best_rate:
            state.best_arm[row] = k
    if declared < 0:
        return 0.0
    left = plan.max_days * plan.per_day - past
    state.declared[row] = declared
    state.correct[row] = rates[row, declared] == best_rate
    state.regret_after[row] = left * (best_rate - rates[row, declared])
    return float(-state.regret_after[row] if plan.regret_reward else left * rates[row, declared])


@internal
def _end_moving(plan: Plan, state: State, moving: Moving, row: int, declared: int) -> float:
    """The same for a world that moves; conversions that are still to come are paid with the lump sum."""
    shipped = declared if declared >= 0 else _leader(state, moving, row)
    regret, loss, earned, best, right = look_ahead(moving, row, state.updates[row], shipped, state.rates)
    state.loss_after[row] = loss
    state.best_arm[row] = best
    late = moving.pending[row].sum()
    if declared < 0:
        return 0.0 if plan.regret_reward else late
    state.declared[row] = declared
    state.correct[row] = right
    state.regret_after[row] = regret
    return -regret if plan.regret_reward else earned + late


@internal
def _leader(state: State, moving: Moving | None, row: int) -> int:
    """The arm with the largest observed rate of those there, 0 where it has no visits; the lowest index on ties."""
    leader, most = 0, -1.0
    for k in range(state.visits.shape[1]):
        if moving is not None:
            day = state.updates[row] // moving.visits.shape[2]
            if not is_there(moving.joins, moving.leaves, day, k):
                continue
        rate = state.conversions[row, k] / state.visits[row, k] if state.visits[row, k] > 0 else 0.0
        if rate > most:
            leader, most = k, rate
    return leader


@inlined
def _serve(
    streams: Streams, row: int, counts: Ints, rates: Floats, best_rate: Floats, visits: Floats, conversions: Floats
) -> tuple[float, float]:
    """Send counts[k] visits to each arm k; returns the conversions and the pseudo-regret."""
    earned = lost = 0.0
    for k in range(counts.size):
        if counts[k] > 0:
            converted = binomial(streams, row, counts[k], rates[row, k])
            visits[row, k] += counts[k]
            conversions[row, k] += converted
            earned += converted
            lost += counts[k] * (best_rate[row] - rates[row, k])
    return earned, lost


@inlined
def _serve_moving(
    streams: Streams, row: int, counts: Ints, rates: Floats, best_rate: Floats, visits: Floats, conversions: Floats,
    pending: Ints, seen: Floats,
) -> tuple[float, float]:  # fmt: skip
    """The same, where each conversion still to come is seen with one chance, however long it has waited.

    Returns the conversions that are seen, and the pseudo-regret.
    """
    earned = lost = 0.0
    for k in range(counts.size):
        waiting = pending[row, k]
        if counts[k] > 0:
            waiting += binomial(streams, row, counts[k], rates[row, k])
            visits[row, k] += counts[k]
            lost += counts[k] * (best_rate[row] - rates[row, k])
        come = binomial(streams, row, waiting, seen[k]) if seen[k] < 1 else waiting
        pending[row, k] = waiting - come
        conversions[row, k] += come
        earned += come
    return earned, lost


@inlined
def _split_at_random(streams: Streams, row: int, traffic: int, scores: Floats, counts: Ints, to_come: Floats) -> None:
    """Multinomial counts, arm by arm: binomial, given the visits left for this arm and those after it.

    `to_come`, a scratch array, sums the scores from the end, so that the last arm with any has probability exactly 1
    and one without any exactly 0.
    """
    rest = 0.0
    for k in range(scores.size - 1, -1, -1):
        rest += scores[k]
        to_come[k] = rest
    left = traffic
    for k in range(scores.size):
        counts[k] = binomial(streams, row, left, scores[k] / to_come[k]) if left > 0 else 0
        left -= counts[k]


@internal
def _split_proportionally(
    traffic: int, scores: Floats, visits: Floats, row: int, counts: Ints, remainders: Floats
) -> None:
    """Largest remainder; ties to the arm with the fewest visits so far, then to the lowest index."""
    total = 0.0
    for k in range(scores.size):
        total += scores[k]
    left = traffic
    for k in range(scores.size):
        quota = traffic * scores[k] / total
        counts[k] = min(int(quota), left)  # rounding of huge quotas could hand out one visit too many
        remainders[k] = quota - counts[k]
        left -= counts[k]
    while left > 0:
        chosen = -1
        for k in range(scores.size):
            if scores[k] > 0 and (
                chosen < 0
                or remainders[k] > remainders[chosen]
                or (remainders[k] == remainders[chosen] and visits[row, k] < visits[row, chosen])
            ):
                chosen = k
        counts[chosen] += 1
        remainders[chosen] -= 1
        left -= 1
