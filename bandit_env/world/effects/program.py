"""A list of effects as arrays: what the compiled step reads, and what can be said of rates before anything runs."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit_env.world.effects.effect import ODDS, RATE, SHOCK, SWITCH, Effect

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
MOST_FACTORS = 50_000_000  # days times effects that are held in memory
BLOCK = 200_000  # numbers at a time
ROUNDING = 1e-9  # a rate may come out above 1 by so much


class Program(NamedTuple):
    """M effects, in order."""

    operations: Ints  # (M,)
    on: Bools  # (M, K) which arms it moves
    first: Ints  # (M, K) the day on which its factors begin
    factors: Floats  # (M, days) from that day on
    new_rates: Floats  # (M, K) of a switch
    deviations: Floats  # (M,) of what is drawn


def compile_effects(effects: Sequence[Effect], joins: Ints, days: int, max_days: int) -> Program:
    """The arrays of some effects over so many days, for arms that join on `joins`, shape (K,)."""
    m, k = len(effects), joins.size
    tabled = [effect.operation in (RATE, ODDS) for effect in effects]
    if sum(tabled) * days > MOST_FACTORS:
        raise ValueError(f"effects over {days:,} days; expected at most {MOST_FACTORS // max(sum(tabled), 1):,} days")
    on = np.zeros((m, k), np.bool_)
    factors = np.ones((m, days if any(tabled) else 1))
    for index, effect in enumerate(effects):
        on[index, list(effect.arms(k))] = True
        if tabled[index]:
            factors[index] = effect.by_day(days, max_days)
    return Program(
        np.array([effect.operation for effect in effects], np.int64),
        on,
        np.array([effect.first_days(joins) for effect in effects], np.int64).reshape(m, k),
        factors,
        np.array([effect.new_rates(k) for effect in effects], np.float64).reshape(m, k),
        np.array([effect.deviation for effect in effects], np.float64),
    )


def stages(program: Program, rates: Floats, days: Ints) -> Iterator[tuple[int, Floats, Bools]]:
    """Rates on some days after each effect in turn, as far as they can be known: nothing is drawn.

    Args:
        program: the effects.
        rates: before effects, shape (n, K).
        days: shape (d,).

    Yields:
        The effect's place; the rates, shape (n, d, K); and which arms' rates are known, shape (d, K).
    """
    now = np.repeat(rates[:, None], days.size, axis=1)
    known = np.ones((days.size, rates.shape[1]), np.bool_)
    for index, operation in enumerate(program.operations):
        since = days[:, None] - program.first[index]  # (d, K)
        moved = program.on[index] & (since >= 0)
        if operation == SWITCH:
            now = np.where(moved, program.new_rates[index], now)
            known |= moved
        elif operation in (RATE, ODDS):
            factor = np.where(moved, program.factors[index][np.clip(since, 0, None)], 1.0)
            odds = now * factor / np.maximum(1 - now + now * factor, np.finfo(float).tiny)
            now = np.where(factor == 1, now, now * factor if operation == RATE else odds)
        else:
            known &= ~program.on[index]
        yield index, now, known


def check_rates_stay(program: Program, effects: Sequence[Effect], rates: Floats, there: Bools) -> None:
    """Raise a ValueError that names the effect, the arm and the day where a rate is known to leave [0, 1].

    Args:
        program, effects: the effects, twice.
        rates: before effects, shape (n, K).
        there: which arms are there on each day, shape (days, K).
    """
    if not any(o == RATE and f.max() > 1 for o, f in zip(program.operations, program.factors, strict=True)):
        return
    for days in _blocks(len(there), rates.size):
        for index, now, known in stages(program, rates, days):
            bad = (now > 1 + ROUNDING) & known & there[days]
            if bad.any():
                row, day, arm = np.argwhere(bad)[0]
                raise ValueError(
                    f"effects[{index}]: {effects[index].name} takes the rate of arm {arm} to {now[row, day, arm]:g} on "
                    f"day {days[day]}; expected a rate in [0, 1]"
                )


def rates_are_equal(program: Program, rates: Floats, there: Bools) -> bool:
    """Whether on each day all arms that are there have the same rate, but for what is drawn for all of them together.

    Args:
        program: effects, of which none draws for arms alone.
        rates: before effects, shape (K,).
        there: which arms are there on each day, shape (days, K).
    """
    for days in _blocks(len(there), rates.size):
        now = np.repeat(rates[None, None], days.size, axis=1)
        for _, after, _known in stages(program, rates[None], days):
            now = after
        lowest = np.where(there[days], now[0], np.inf).min(axis=1)
        highest = np.where(there[days], now[0], -np.inf).max(axis=1)
        if (lowest < highest).any():
            return False
    return True


def _blocks(days: int, width: int) -> Iterator[Ints]:
    size = max(1, BLOCK // width)
    for start in range(0, days, size):
        yield np.arange(start, min(start + size, days))


def draws_alone(effects: Sequence[Effect], num_arms: int) -> bool:
    """Whether an effect moves some arms only, or draws for each on its own."""
    return any(
        len(effect.arms(num_arms)) < num_arms or (effect.random and effect.operation != SHOCK) for effect in effects
    )
