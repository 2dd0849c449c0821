"""Agents: how to split the traffic of an experiment, and when to stop it.

>>> import agents
>>> "thompson" in agents.available()
True
"""

from agents.agent import Agent
from bandit_env import plugins

GROUP = "bandit_env.agents"

__all__ = ["Agent", "available", "make"]


def make(name: str, **kwargs: object) -> Agent:
    """The agent registered as `name` (or "package.module:Class"), built with `kwargs`.

    Raises:
        ValueError: an unknown name, an argument that the agent does not take, or a value that it refuses.

    >>> make("epsilon-greedy", epsilon=0.2, stopping="value-remaining").epsilon
    0.2
    """
    accepts, expected = lambda found: issubclass(found, Agent), "an agents.Agent"
    agent: Agent = plugins.build(GROUP, "agent", name, kwargs, accepts, expected)
    return agent


def available() -> list[str]:
    """Names that `make` knows: ours, and those of any installed package with the entry point."""
    return plugins.available(GROUP)
