"""The agent and the stopping rule that are asked about an experiment's counts, and what they say day by day."""

import inspect
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit_env import plugins
from bandit_env.desk.table import Counts
from bandit_env.errors import ExperimentError
from bandit_env.experiment.cell import AGENTS
from bandit_env.experiment.config import text
from bandit_env.tables.cells import Floats
from bandit_env.world.action import decode_action
from bandit_env.world.task import Task

RULE = "value-remaining"
NEVER = "after"  # at the horizon: an agent that must go on says how it would split the traffic

Stopping = str | Mapping[str, Any] | None


@dataclass(frozen=True)
class Player:
    """An agent, by name and arguments, as an experiment file has it.

    Attributes:
        name: as `bandit-env agents` lists it, or "package.module:Class".
        arguments: the agent's, without its stopping rule.
        stopping: its rule; None for an agent that has one of its own.
        label: what it is called.
    """

    name: str
    arguments: dict[str, Any]
    stopping: Stopping
    label: str

    @property
    def settings(self) -> dict[str, Any]:
        """All arguments of the agent."""
        return self.arguments if self.stopping is None else self.arguments | {"stopping": self.stopping}

    @property
    def rule(self) -> str:
        """The rule in words."""
        return "the agent's own rule" if self.stopping is None else describe_rule(self.stopping)

    @property
    def going_on(self) -> "Player":
        """The same agent, made to go on to the horizon, where it lets itself be told."""
        return replace(self, stopping=NEVER) if "stopping" in taken_by(self.name) else self

    def table(self) -> dict[str, Any]:
        """The agent as a table of an experiment file."""
        return {"name": self.name, "label": self.label, **self.settings}

    def build(self) -> Any:
        """Build it.

        Raises:
            ExperimentError: an unknown name, or an argument that it does not take.
        """
        try:
            return plugins.build(AGENTS, "agent", self.name, self.settings)
        except ValueError as error:
            raise ExperimentError(str(error)) from error


def choose(
    agent: str,
    stopping: Stopping = None,
    prior: tuple[float, float] | None = None,
    knobs: Mapping[str, Any] | None = None,
) -> Player:
    """The agent asked for.

    Args:
        agent: a name, or an experiment file, of which the first agent is taken.
        stopping: a rule, as in an experiment file; by default the file's, the agent's own, or value remaining.
        prior: (a, b) of every rate; by default the agent's.
        knobs: further arguments of the agent, in place of the file's.

    Raises:
        ExperimentError: no such agent, or an argument that it does not take.
    """
    name, arguments = (agent, {}) if not agent.endswith(".toml") else _from_file(Path(agent))
    label = arguments.pop("label", name)
    own = arguments.pop("stopping", None)
    rule = own if stopping is None else stopping
    arguments |= {} if prior is None else {"prior": list(prior)}
    arguments |= knobs or {}
    player = Player(name, arguments, None, label)
    built = player.build()
    if rule is None and "stopping" in taken_by(name) and not _stops_by_itself(built):
        rule = RULE
    player = replace(player, stopping=rule)
    player.build()
    return player


def _from_file(path: Path) -> tuple[str, dict[str, Any]]:
    found = text.read(path).get("agents")
    first = found[0] if isinstance(found, list) and found else None
    if not (isinstance(first, dict) and isinstance(first.get("name"), str)):
        raise ExperimentError(f"{path}: has no agent; expected a table [[agents]] with a name")
    return first["name"], {key: value for key, value in first.items() if key not in ("name", "sweep")}


def taken_by(name: str) -> set[str]:
    """The arguments that an agent takes."""
    try:
        return set(inspect.signature(plugins.load(AGENTS, name)).parameters)
    except ValueError as error:
        raise ExperimentError(f"agent: {error}") from error


def _stops_by_itself(agent: Any) -> bool:
    return bool(getattr(getattr(agent, "policy", None), "stops", False))


def looks_at_traffic(agent: Any) -> bool:
    """Whether the agent's weights depend on the day and the traffic, as a trained policy's do."""
    return hasattr(agent, "policy")


def describe_rule(stopping: Stopping) -> str:
    """A rule as people write it: its name, with what is set."""
    if not isinstance(stopping, Mapping):
        return str(stopping)
    for how, sign in (("any", " | "), ("all", " & ")):
        if how in stopping:
            return sign.join(describe_rule(part) for part in stopping[how])
    settings = ", ".join(f"{key}={value}" for key, value in stopping.items() if key != "rule")
    return f"{stopping['rule']} ({settings})" if settings else str(stopping["rule"])


@dataclass(frozen=True)
class Replay:
    """What an agent would have said after each day of the table, asked day by day from the first morning on.

    Attributes:
        day: days served when it was asked, shape (T,).
        stop: whether it would stop, shape (T,); it is asked again on the days after.
        arm: the arm that it would ship, shape (T,); -1 where it goes on.
        claims: whether it claims that the arm is better, shape (T,).
        weights: how it would split the next day's traffic, shape (T, K).
    """

    day: Floats
    stop: NDArray[np.bool_]
    arm: NDArray[np.intp]
    claims: NDArray[np.bool_]
    weights: Floats


def replay(agent: Any, counts: Counts, task: Task, day: float) -> tuple[Replay, list[str]]:
    """Show an agent the counts as they came; also the warnings that it gave.

    Args:
        agent: with `reset` and `act`.
        counts: by day, or totals alone: then it is asked once.
        task: the public facts of the experiment.
        day: days served at the end of the table.

    Raises:
        ExperimentError: the agent refuses the task, or fails.
    """
    visits, conversions = counts.visits.cumsum(axis=0), counts.conversions.cumsum(axis=0)
    days = np.array([day], dtype=np.float64) if counts.days is None else counts.days + (day - counts.days[-1])
    if counts.days is not None:  # the first morning, for agents that remember
        visits, conversions = (np.concatenate([np.zeros((1, visits.shape[1])), part]) for part in (visits, conversions))
        days = np.concatenate([[days[0] - 1], days])
    said = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            check = getattr(agent, "check_task", None)
            if check is not None:
                check(task)
            agent.reset(task, 1, np.random.default_rng(0))
            said = [_ask(agent, v, c, d) for v, c, d in zip(visits, conversions, days)]
        except Exception as error:
            raise ExperimentError(f"the agent cannot be asked: {error}") from error
    if counts.days is not None:
        said, days = said[1:], days[1:]
    weights, stop, arm, claims = (np.array(part) for part in zip(*said))
    return Replay(days, stop, arm, claims, weights), list(dict.fromkeys(str(one.message) for one in caught))


def remarks(agent: Any, task: Task) -> list[str]:
    """What an agent has to say of a task beforehand, where it has."""
    ask = getattr(agent, "remarks", None)
    return [] if ask is None else list(ask(task))


def _ask(agent: Any, visits: Floats, conversions: Floats, day: float) -> tuple[Floats, bool, int, bool]:
    """Weights, stop, arm and claim after some day."""
    alone = np.zeros(1, dtype=np.intp)
    observation = {"visits": visits[None], "conversions": conversions[None], "day": np.array([[day]])}
    weights, stop, arm = decode_action(agent.act(observation, alone))
    if not stop[0]:
        return weights[0], False, -1, False
    claims = bool(agent.claims_winner(alone, arm)[0]) if hasattr(agent, "claims_winner") else True
    return weights[0], True, int(arm[0]), claims
