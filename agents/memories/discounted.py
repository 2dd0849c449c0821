"""Memories that let the past fade: a discount, and a window."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agents import _check
from agents.evidence import Evidence, Floats, State
from agents.memories.memory import Memory
from bandit_env.world.task import Task


@dataclass(frozen=True)
class Discounted(Memory):
    """Multiplies what is kept by `factor` once a day: a visit of d days ago counts factor^d.

    At a day's first update the kept visits and conversions of all arms are multiplied by the factor; then what is new
    is added, unreduced. n <- factor n + new visits, c <- factor c + new conversions. The prior is not discounted, and
    nothing is rounded. Where conversions arrive late an arm may keep fewer visits than conversions: it is then given as
    many.

    Attributes:
        factor: of the counts, per day; 1 keeps everything.
    """

    factor: float
    formula: ClassVar[str] = "n <- factor n + new visits, c <- factor c + new conversions, once a day"
    source: ClassVar[str] = 'Garivier and Moulines (2011), "On upper-confidence bound policies for switching bandits"'

    def __post_init__(self) -> None:
        _check.share("factor", self.factor)
        if self.factor == 0:
            raise ValueError(f"factor is {self.factor}; expected a number above 0 and at most 1")

    def new_state(self, task: Task, num_experiments: int) -> State:
        kept = (num_experiments, task.num_arms)
        return {"visits": np.zeros(kept), "conversions": np.zeros(kept), "days": np.zeros(num_experiments)}

    def counts(self, evidence: Evidence) -> tuple[Floats, Floats]:
        state, rows = evidence.state_of(self), evidence.experiments
        begun = np.ceil(evidence.update / evidence.task.updates_per_day)  # days of which something was served
        fading = (self.factor ** (begun - state["days"][rows]))[:, None]
        visits = state["visits"][rows] * fading + evidence.new_visits
        conversions = state["conversions"][rows] * fading + evidence.new_conversions
        state["visits"][rows], state["conversions"][rows], state["days"][rows] = visits, conversions, begun
        return np.maximum(visits, conversions), conversions


@dataclass(frozen=True)
class Window(Memory):
    """Counts the last whole days alone, today included.

    Whole counts: all so far, less those at the end of the day before the window. Where conversions arrive late an arm
    may have fewer visits than conversions in the window: it is then given as many.

    Attributes:
        days: length of the window.
    """

    days: int
    formula: ClassVar[str] = "n, c: those of the last `days` days, today included"
    source: ClassVar[str] = 'Garivier and Moulines (2011), "On upper-confidence bound policies for switching bandits"'

    def __post_init__(self) -> None:
        _check.whole("days", self.days)

    def new_state(self, task: Task, num_experiments: int) -> State:
        days = min(self.days, int(np.ceil(task.max_days)) + 1)
        return {name: np.zeros((num_experiments, days, task.num_arms)) for name in ("visits", "conversions")}

    def counts(self, evidence: Evidence) -> tuple[Floats, Floats]:
        """Place t % days holds the counts at the end of day t - days until day t itself has ended."""
        state, rows = evidence.state_of(self), evidence.experiments
        per_day = evidence.task.updates_per_day
        today = np.maximum(evidence.update - 1, 0) // per_day
        place = today % state["visits"].shape[1]
        visits = evidence.raw_visits - state["visits"][rows, place]
        conversions = evidence.raw_conversions - state["conversions"][rows, place]
        over = np.flatnonzero((evidence.update > 0) & (evidence.update % per_day == 0))
        state["visits"][rows[over], place[over]] = evidence.raw_visits[over]
        state["conversions"][rows[over], place[over]] = evidence.raw_conversions[over]
        return np.maximum(visits, conversions), conversions
