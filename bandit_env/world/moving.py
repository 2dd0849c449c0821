"""A world that moves: each day's rates and traffic, arms that come and go, conversions that come late. As arrays.

A row's path (its rates day by day, and its traffic) is drawn from two streams of the row's own beside the one that
visits are drawn from, started anew for every episode. So it is the same under every agent, and goes on after the stop.

Rows share one task, or each has its own, drawn when its episode began (tasks/): R below is 1, or N.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit_env.world.effects.effect import RATE, SHOCK, SWITCH, WALK
from bandit_env.world.effects.program import Program
from bandit_env.world.effects.samplers import gamma, normal_pair, poisson
from bandit_env.world.scenario import Scenario
from bandit_env.world.streams import Rows, Streams, compiled, inlined, internal
from bandit_env.world.traffic import fixed_visits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Moving(NamedTuple):
    """What moves in a scenario, and its state in N rows."""

    effects: Program  # the M effects of each of R rows, one row's after another's
    num_effects: int  # M
    effects_step: int  # places from a row's first effect to the next row's: M, or 0 where they share them
    step: int  # 1 where each row has its own task, 0 where they share one
    max_days: Ints  # (R,)
    loss_days: Ints  # (R,)
    max_updates: Ints  # (R,)
    min_updates: Ints  # (R,)
    means: Floats  # (R, 7) mean traffic of each day of the week
    visits: Ints  # (R, 7, U) visits of each update, where traffic is fixed
    random_traffic: bool
    size: float  # of the negative binomial; 0 for Poisson
    joins: Ints  # (K,) first day on which an arm is there
    leaves: Ints  # (K,) first day on which it no longer is
    changes: bool  # whether any joins or leaves
    seen: Floats  # (K,) chance that a conversion that is still to come is seen in an update
    base_rates: Floats  # (N, K) before effects
    day: Ints  # (N,) the last day whose rates were drawn
    walks: Floats  # (N, W, K) log odds that each walk has come to
    crowd: Floats  # (N,) what the day's mean traffic is multiplied by
    pending: Ints  # (N, K) conversions still to come
    rate_streams: Streams
    visit_streams: Streams
    ahead: Floats  # (1, K) scratch: rates of a day to come
    sums: Floats  # (K,) scratch: what each arm would earn


def make_moving(scenario: Scenario, num_experiments: int, own_tasks: bool = False) -> Moving:
    """The arrays of a scenario, for N rows that have not begun, with room for tasks of their own or without."""
    n, k = num_experiments, scenario.task.num_arms
    rows = n if own_tasks else 1
    joins, leaves = scenario.presence
    program = scenario.program
    delay = np.broadcast_to(np.asarray(scenario.delay or 0.0, np.float64), (k,))
    return Moving(
        effects=program,
        num_effects=program.operations.size,
        effects_step=0,
        step=int(own_tasks),
        max_days=np.full(rows, scenario.max_days, np.int64),
        loss_days=np.full(rows, scenario.loss_days, np.int64),
        max_updates=np.full(rows, scenario.task.max_updates, np.int64),
        min_updates=np.full(rows, scenario.min_updates, np.int64),
        means=np.tile(scenario.mean_visits, (rows, 1)),
        visits=np.tile(fixed_visits(scenario.mean_visits, scenario.updates_per_day), (rows, 1, 1)),
        random_traffic=scenario.traffic_model.random,
        size=scenario.traffic_model.size or 0.0,
        joins=joins,
        leaves=leaves,
        changes=scenario.task.changes_arms,
        seen=1 / (1 + delay * scenario.updates_per_day),
        base_rates=np.zeros((n, k)),
        day=np.zeros(n, np.int64),
        walks=np.zeros((n, int((program.operations == WALK).sum()), k)),
        crowd=np.ones(n),
        pending=np.zeros((n, k), np.int64),
        rate_streams=np.zeros((n, 4), np.uint64),
        visit_streams=np.zeros((n, 4), np.uint64),
        ahead=np.zeros((1, k)),
        sums=np.zeros(k),
    )


@compiled
def open_rows(moving: Moving, rows: Rows, rates: Floats, best_rate: Floats, updates: Ints) -> None:
    """Begin the path of `rows`, and follow it to the day on which they stand; writes `rates` and `best_rate`."""
    effects, joins, leaves = moving.effects, moving.joins, moving.leaves
    operations, on, first = effects.operations, effects.on, effects.first
    factors, new_rates, deviations = effects.factors, effects.new_rates, effects.deviations
    base_rates, walks, streams = moving.base_rates, moving.walks, moving.rate_streams
    for j in range(rows.size):
        i = rows[j]
        moving.crowd[i] = 1.0
        for k in range(rates.shape[1]):
            moving.pending[i, k] = 0
            for w in range(walks.shape[1]):
                walks[i, w, k] = 0.0
        moving.day[i] = updates[i] // moving.visits.shape[2]
        for day in range(moving.day[i] + 1):
            draw_rates(
                operations, on, first, factors, new_rates, deviations, i * moving.effects_step, moving.num_effects,
                base_rates, walks, streams, i, day, rates, i,
            )  # fmt: skip
            if moving.size > 0:
                moving.crowd[i] = gamma(moving.visit_streams, i, moving.size) / moving.size
        best_rate[i] = best_there(joins, leaves, moving.day[i], rates, i)


@internal
def open_updates(
    moving: Moving, rows: Rows, goes_on: Bools, rates: Floats, best_rate: Floats, updates: Ints, served: Ints
) -> None:
    """Draw what the next update brings to those of `rows` that go on: its visits and, on a new day, rates.

    One call for all rows, with the arrays in variables: Numba counts references for every array that a call is handed.
    """
    effects, joins, leaves = moving.effects, moving.joins, moving.leaves
    operations, on, first = effects.operations, effects.on, effects.first
    factors, new_rates, deviations = effects.factors, effects.new_rates, effects.deviations
    base_rates, walks, streams = moving.base_rates, moving.walks, moving.rate_streams
    days, visits, means, crowd, visit_streams = (
        moving.day,
        moving.visits,
        moving.means,
        moving.crowd,
        moving.visit_streams,
    )
    size, random_traffic, per_day = moving.size, moving.random_traffic, moving.visits.shape[2]
    own, effects_step, num_effects = moving.step, moving.effects_step, moving.num_effects
    for j in range(rows.size):
        i = rows[j]
        if not goes_on[j]:
            continue
        day = updates[i] // per_day
        if day > days[i]:
            days[i] = day
            draw_rates(
                operations, on, first, factors, new_rates, deviations, i * effects_step, num_effects,
                base_rates, walks, streams, i, day, rates, i,
            )  # fmt: skip
            best_rate[i] = best_there(joins, leaves, day, rates, i)
            if size > 0:
                crowd[i] = gamma(visit_streams, i, size) / size
        if random_traffic:
            served[i] = poisson(visit_streams, i, means[i * own, day % 7] * crowd[i] / per_day)
        else:
            served[i] = visits[i * own, day % 7, updates[i] - day * per_day]


@inlined
def draw_rates(
    operations: Ints, on: Bools, first: Ints, factors: Floats, new_rates: Floats, deviations: Floats, begin: int,
    count: int, base_rates: Floats, walks: Floats, streams: Streams, row: int, day: int, out: Floats, place: int,
) -> None:  # fmt: skip
    """Write a row's rates on the day after its last one into out[place], one of its effects after the other."""
    for k in range(out.shape[1]):
        out[place, k] = base_rates[row, k]
    walk = -1
    for index in range(begin, begin + count):
        operation = operations[index]
        one = other = shared = 0.0
        spare = False
        if operation == SHOCK:
            one, other = normal_pair(streams, row)
            shared = math.exp(deviations[index] * one)
        elif operation == WALK:
            walk += 1
        for k in range(out.shape[1]):
            since = day - first[index, k]
            if not on[index, k]:
                continue
            if operation == SWITCH:
                if since >= 0:
                    out[place, k] = new_rates[index, k]
                continue
            if operation == SHOCK:
                factor = shared
            elif operation == WALK:
                if day > 0:
                    if spare:
                        one = other
                    else:
                        one, other = normal_pair(streams, row)
                    spare = not spare
                    walks[row, walk, k] += deviations[index] * one
                factor = math.exp(walks[row, walk, k])
            else:
                factor = factors[index, since] if since >= 0 else 1.0
            if factor != 1.0:
                out[place, k] = _moved(out[place, k], factor, operation)


@internal
def _moved(rate: float, factor: float, operation: int) -> float:
    """A rate times a factor, cut at 1, or with its odds times the factor."""
    if factor == 0 or rate == 0:
        return 0.0
    if operation == RATE:
        return min(rate * factor, 1.0)
    if math.isinf(factor):
        return 1.0
    return rate * factor / (1 - rate + rate * factor)


@inlined
def is_there(joins: Ints, leaves: Ints, day: int, arm: int) -> bool:
    """Whether an arm is served on a day."""
    return bool(joins[arm] <= day < leaves[arm])


@inlined
def best_there(joins: Ints, leaves: Ints, day: int, rates: Floats, place: int) -> float:
    """The best rate of an arm that is there; 0 if none is."""
    best = 0.0
    for k in range(rates.shape[1]):
        if joins[k] <= day < leaves[k] and rates[place, k] > best:
            best = rates[place, k]
    return best


@internal
def keep_there(joins: Ints, leaves: Ints, day: int, scores: Floats, arm: int) -> int:
    """Set the scores of absent arms to 0, equal ones where nothing is left; returns the arm with the largest one."""
    chosen, total = -1, 0.0
    for k in range(scores.size):
        if is_there(joins, leaves, day, k):
            total += scores[k]
            if chosen < 0 or scores[k] > scores[chosen]:
                chosen = k
    if chosen < 0:
        return arm
    for k in range(scores.size):
        if not is_there(joins, leaves, day, k):
            scores[k] = 0.0
        elif total == 0:
            scores[k] = 1.0
    return chosen


@internal
def look_ahead(
    moving: Moving, row: int, updates: int, shipped: int, rates: Floats
) -> tuple[float, float, float, int, bool]:
    """What a row's path brings after the stop, all traffic served by one arm while it is there.

    Returns the regret until max_days; that until loss_days; the conversions until max_days; the best arm of the stop,
    which earns the most until max_days (on the last day, if no day is left); and whether the shipped arm earns as much.
    """
    effects, joins, leaves = moving.effects, moving.joins, moving.leaves
    operations, on, first = effects.operations, effects.on, effects.first
    factors, new_rates, deviations = effects.factors, effects.new_rates, effects.deviations
    base_rates, walks, streams = moving.base_rates, moving.walks, moving.rate_streams
    ahead, sums, per_day, task = moving.ahead, moving.sums, moving.visits.shape[2], row * moving.step
    today, max_days, loss_days = updates // per_day, moving.max_days[task], moving.loss_days[task]
    regret = loss = earned = 0.0
    for k in range(sums.size):
        sums[k] = rates[row, k] if today >= max_days else 0.0
    for day in range(today, loss_days):
        mean = moving.means[task, day % 7]
        if day > moving.day[row]:
            draw_rates(
                operations, on, first, factors, new_rates, deviations, row * moving.effects_step, moving.num_effects,
                base_rates, walks, streams, row, day, ahead, 0,
            )  # fmt: skip
        else:  # the day has begun
            for k in range(sums.size):
                ahead[0, k] = rates[row, k]
            mean = _rest_of(moving, task, day, updates - day * per_day)
        own = ahead[0, shipped] if is_there(joins, leaves, day, shipped) else 0.0
        lost = mean * (best_there(joins, leaves, day, ahead, 0) - own)
        loss += lost
        if day < max_days:
            regret += lost
            earned += mean * own
            for k in range(sums.size):
                if is_there(joins, leaves, day, k):
                    sums[k] += mean * ahead[0, k]
    best = -1
    for k in range(sums.size):
        if is_there(joins, leaves, min(today, max_days - 1), k) and (best < 0 or sums[k] > sums[best]):
            best = k
    return regret, loss, earned, best, bool(sums[shipped] == sums[best])


@internal
def _rest_of(moving: Moving, task: int, day: int, update: int) -> float:
    """The mean traffic of a day from one of its updates on."""
    per_day = moving.visits.shape[2]
    if moving.random_traffic:
        return float(moving.means[task, day % 7] * (per_day - update) / per_day)
    left = 0
    for u in range(update, per_day):
        left += moving.visits[task, day % 7, u]
    return float(left)
