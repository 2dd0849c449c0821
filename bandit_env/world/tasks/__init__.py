"""Tasks as a distribution: each episode of a row draws its own rates' prior, traffic, horizon and effects."""

from bandit_env.world.tasks.sampler import MakeScenario, Sampler, TaskSampler, read_sampler

__all__ = ["MakeScenario", "Sampler", "TaskSampler", "read_sampler"]
