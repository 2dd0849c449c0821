"""Memories: which data count, and how much. A memory goes with any allocation and any stopping rule.

>>> import agents
>>> agents.make("thompson", memory={"memory": "window", "days": 14}).parameters["memory"]["days"]
14
"""

from agents.memories.delay_corrected import DelayCorrected
from agents.memories.discounted import Discounted, Window
from agents.memories.memory import GROUP, All, Memory, make_memory
from agents.memories.period_weighted import PeriodWeighted

__all__ = ["GROUP", "All", "DelayCorrected", "Discounted", "Memory", "PeriodWeighted", "Window", "make_memory"]
