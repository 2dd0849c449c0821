"""What each stopping rule says of an experiment's counts: whether it stops, since when, and why, in a sentence."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bandit_env import plugins
from bandit_env.desk import agents
from bandit_env.desk.agents import Player, Replay
from bandit_env.desk.reasons import Facts, reason
from bandit_env.desk.table import Counts
from bandit_env.errors import ExperimentError
from bandit_env.world.task import Task

RULES = "bandit_env.stopping_rules"
CARRIER = "uniform"  # the cheapest agent that a rule can be asked through


@dataclass(frozen=True)
class Verdict:
    """What one rule says.

    Attributes:
        rule: its name, or what it was asked as.
        asked: whether it is the rule asked for.
        stop: whether it would stop now; None where it cannot be asked.
        first_day: days served when it would first have stopped, or None: not yet, or not known from totals.
        first_date: that day's date, where the table has dates.
        ships: the arm that it ships: at its first stop, else now; None where it goes on.
        claims: whether it claims there that the arm is better.
        reason: one sentence.
    """

    rule: str
    asked: bool
    stop: bool | None
    first_day: float | None
    first_date: str | None
    ships: str | None
    claims: bool
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        told = asdict(self)
        if self.first_date is None:
            del told["first_date"]
        return told


def verdicts(player: Player, counts: Counts, task: Task, day: float | None, facts: Facts) -> Iterator[Verdict]:
    """The verdict of the rule asked for, then those of all rules that can be named without arguments.

    Args:
        player: the agent and the rule asked for.
        counts: the experiment's.
        task: the public facts.
        day: days served, or None where not known: rules that depend on it say so.
        facts: what reasons are made of.
    """
    yield _one(player, player.rule, True, counts, task, day, facts)
    prior = player.arguments.get("prior")
    for name in plugins.available(RULES):
        if name in (player.rule, agents.NEVER):
            continue
        settings = {} if prior is None else {"prior": prior}
        try:
            yield _one(Player(CARRIER, settings, name, name), name, False, counts, task, day, facts)
        except ExperimentError:
            why = "It cannot be asked without arguments of its own; --stopping takes a table with them."
            yield Verdict(name, False, None, None, None, None, False, why)


def _one(
    player: Player, name: str, asked: bool, counts: Counts, task: Task, day: float | None, facts: Facts
) -> Verdict:
    agent = player.build()
    if day is None:
        early, late = (agents.replay(player.build(), counts, task, d)[0] for d in (task.min_days, task.max_days - 1))
        if (early.stop != late.stop).any():
            said = "What it says depends on the day: --day tells how long the experiment has run."
            return Verdict(name, asked, None, None, None, None, False, said)
        played = early
    else:
        played, _ = agents.replay(agent, counts, task, day)
    may = played.day >= task.min_days
    stops = played.stop & may
    last = bool(stops[-1])
    known = counts.days is not None
    first = int(stops.argmax()) if stops.any() else None
    at = first if first is not None else len(stops) - 1
    rule = getattr(agent, "parameters", {}).get("stopping")
    why = reason(rule if isinstance(rule, Mapping) else None, facts, last)
    ships = counts.names[played.arm[at]] if first is not None else None
    return Verdict(
        name,
        asked,
        last,
        float(played.day[first]) if first is not None and known else None,
        counts.dates[first] if first is not None and counts.dates is not None else None,
        ships,
        bool(played.claims[at]) if first is not None else False,
        _with_time(why, played, may, first if known else None, task, day),
    )


def _with_time(why: str, played: Replay, may: Any, first: int | None, task: Task, day: float | None) -> str:
    """The reason, with what the day adds to it."""
    if not may[-1]:
        served = _days(float(played.day[-1]))
        return f"No rule may stop before day {task.min_days:g}, and {served} are served. {why}"
    if first is not None and not played.stop[-1]:
        return f"{why.rstrip('.')}, though it would have stopped after day {played.day[first]:g}."
    return why


def _days(count: float) -> str:
    return f"{count:g} day{'s' * (count != 1)}"


def day_of(counts: Counts, day: float | None) -> float | None:
    """Days served at the end of the table: as told, else as the table has it.

    Raises:
        ExperimentError: fewer days than the table has.
    """
    if day is None:
        return None if counts.days is None else float(counts.days[-1])
    if not (np.isfinite(day) and day >= 0):
        raise ExperimentError(f"--day: found {day:g}; expected the number of days served, at least 0")
    if counts.days is not None and day < counts.days[-1]:
        raise ExperimentError(f"--day: found {day:g}; expected at least {counts.days[-1]}, the days of the table")
    return float(day)
