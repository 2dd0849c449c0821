"""Agents that misbehave, for tests of what happens then; named "odd_agents:Class" in experiment files."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import ClassVar

import numpy as np

from agents.agent import Agent
from bandit_env.world.action import encode_action


class Even(Agent):
    """Equal traffic, stops at the first day that allows it, and draws nothing."""

    deterministic = True

    def reset(self, task, num_experiments, rng):
        self.task, self.rng = task, rng

    def act(self, observation, experiments):
        n, num_arms = observation["visits"].shape
        declared = np.where(observation["day"][:, 0] >= self.task.min_days, 0, -1)
        return encode_action(np.full((n, num_arms), 1 / num_arms), declared)


class Leaking(Even):
    """Keeps 8 bytes of each decision for good."""

    kept: ClassVar[list[np.ndarray]] = []

    def act(self, observation, experiments):
        self.kept.append(observation["day"][:, 0].copy())
        return super().act(observation, experiments)


class Drawing(Even):
    """Random weights and random stops, from the generator that it is given: its batch decides what it draws."""

    deterministic = False

    def act(self, observation, experiments):
        n, num_arms = observation["visits"].shape
        stop = (self.rng.random(n) < 0.1) & (observation["day"][:, 0] >= self.task.min_days)
        weights = 0.5 / num_arms + 0.5 * self.rng.dirichlet(np.ones(num_arms), n)
        return encode_action(weights, np.where(stop, num_arms - 1, -1))


class Tuned(Drawing):
    """Drawing, with a parameter."""

    def __init__(self, by=1):
        self.by = by
        self.parameters = {"by": by}


class Scores(Even):
    """Any action that the space allows, also none of the traffic to any arm, and stops that come too early."""

    deterministic = False

    def act(self, observation, experiments):
        n, num_arms = observation["visits"].shape
        action = self.rng.random((n, num_arms + 1), dtype=np.float32)
        action[self.rng.random(n) < 0.2, :num_arms] = 0
        action[:, -1] = self.rng.random(n) ** 4
        return action


class Failing(Even):
    """Fails in scenarios of `visits_per_day` visits, on `day`: with an error, or with what is no action."""

    def __init__(self, visits_per_day=13, day=2, how="raise"):
        self.visits_per_day, self.day, self.how = visits_per_day, day, how

    def act(self, observation, experiments):
        action = super().act(observation, experiments)
        if self.task.visits_per_day == self.visits_per_day and observation["day"][0, 0] == self.day:
            if self.how == "raise":
                raise RuntimeError("out of ideas")
            if self.how == "shape":
                return action[:, :-1]
            action[min(5, len(action) - 1), 0] = np.nan
        return action


class Killing(Even):
    """Kills its own process, as `kill -9` or the kernel short of memory would: `times` times in all."""

    def __init__(self, marks, times=1):
        self.marks, self.times = marks, times

    def act(self, observation, experiments):
        for count in range(self.times):
            mark = Path(self.marks) / str(count)
            try:
                mark.touch(exist_ok=False)
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)
        return super().act(observation, experiments)


class Slow(Even):
    """Takes its time for each decision, in seconds; blocks in one call, as compiled code does."""

    def __init__(self, seconds=0.05):
        self.seconds = seconds

    def act(self, observation, experiments):
        time.sleep(self.seconds)
        return super().act(observation, experiments)


def modules(job, progress):
    """Work for an engine: the modules that a worker has, this one and its imports among them."""
    return set(sys.modules)
