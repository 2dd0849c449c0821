"""What engines hand out: some chunks of one cell, and how they are played."""

from dataclasses import dataclass

from bandit_env.errors import AgentError
from bandit_env.experiment.cell import CellPlan, Part
from bandit_env.experiment.chunk import Chunk
from bandit_env.experiment.runner import Tick, play


@dataclass(frozen=True)
class Job:
    """Some chunks of one cell, to be played side by side.

    Attributes:
        surplus: experiments played beyond those wanted, for the sake of an agent that draws for whole chunks.
    """

    cell: int
    plan: CellPlan
    parts: tuple[Part, ...]
    surplus: int = 0

    @property
    def wanted(self) -> int:
        """Experiments of which rows are kept."""
        return sum(part.replications for part in self.parts)

    @property
    def size(self) -> int:
        """Experiments that are played."""
        return self.wanted + self.surplus


def work(job: Job, tick: Tick | None) -> list[Chunk] | AgentError:
    """Play one job. An agent's failure is a result: it ends its cell, not the run."""
    try:
        return play(job.plan, job.parts, tick)
    except AgentError as error:
        return AgentError(str(error))  # without its cause, which might not travel between processes
