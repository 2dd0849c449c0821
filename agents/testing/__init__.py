"""A conformance test for agents, to be run on your own: `agents.testing.check_agent(MyAgent())`."""

from agents.testing.conformance import BATCH, TASKS, Nonconformity, check_agent

__all__ = ["BATCH", "TASKS", "Nonconformity", "check_agent"]
