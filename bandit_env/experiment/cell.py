"""What is to be played: one scenario with one agent, and the chunks of it that are wanted. Plain data."""

import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

from bandit_env import beside, plugins
from bandit_env.experiment.estimates.methods import NOTHING, Wanted
from bandit_env.world.task import Task

AGENTS = "bandit_env.agents"


@dataclass(frozen=True)
class CellPlan:
    """What is to be played: one scenario with one agent. Plain data, so that it can be sent to a worker.

    Attributes:
        scenario, agent: their names.
        world: keyword arguments of `DailyTrafficVectorEnv`.
        task: the public facts of the experiment.
        player: an agent's name and keyword arguments, or the agent itself (anything with `reset` and `act`).
        seed: of the whole run.
        traces: how many experiments are recorded update by update.
        estimates: what it asks for besides.
        modules: those that lie beside the experiment file, of which the agent is made.
    """

    scenario: str
    agent: str
    world: dict[str, Any]
    task: Task
    player: Any
    seed: int
    traces: int = 0
    modules: tuple[beside.Module, ...] = ()
    estimates: Wanted = NOTHING

    @property
    def first_update(self) -> int:
        """The update that comes first: not 0 where experiments begin from counts."""
        day: float = self.world.get("start", {}).get("day", 0)
        return round(day * self.task.updates_per_day)

    def __str__(self) -> str:
        return f"agent {self.agent!r} in scenario {self.scenario!r}"

    def build_agent(self) -> Any:
        """The agent, made anew from its name, or as it was handed over."""
        if not isinstance(self.player, tuple):
            try:
                return copy.deepcopy(self.player)
            except Exception:  # it holds what cannot be copied, nor sent elsewhere: it plays here, a batch at a time
                return self.player
        name, arguments = self.player
        with beside.searching(modules=self.modules):
            return plugins.load(AGENTS, name)(**arguments)


class Part(NamedTuple):
    """The share of a chunk that is wanted: its first `replications` of CHUNK_SIZE."""

    chunk: int
    replications: int
