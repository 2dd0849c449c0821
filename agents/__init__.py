"""Agents: how to split the traffic of an experiment, and when to stop it.

>>> import agents
>>> "thompson" in agents.available()
True
"""

from typing import cast

from agents.agent import Agent
from bandit_env import plugins

GROUP = "bandit_env.agents"

__all__ = ["Agent", "available", "make"]


def make(name: str, **kwargs: object) -> Agent:
    """The agent registered as `name` (or "package.module:Class"), built with `kwargs`."""
    return cast(Agent, plugins.load(GROUP, name)(**kwargs))


def available() -> list[str]:
    """Names that `make` knows: ours, and those of any installed package with the entry point."""
    return plugins.available(GROUP)
