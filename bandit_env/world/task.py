"""The public facts of an experiment: what an agent may know before it begins."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """What the planner of an experiment has fixed. Never the rates: those are what the agent is to find out.

    Attributes:
        num_arms: K, the number of arms; arm 0 is the control.
        visits_per_day: traffic of one day, in visits.
        updates_per_day: environment steps in one day.
        min_days: no agent may stop before this day.
        max_days: the horizon, in days.
    """

    num_arms: int
    visits_per_day: int
    updates_per_day: int = 1
    min_days: float = 0
    max_days: float = 1000

    @property
    def max_updates(self) -> int:
        """The horizon, in updates."""
        return round(self.max_days * self.updates_per_day)
