"""A plain loop that plays agents, independent of the environment and the runner."""

from dataclasses import dataclass

import numpy as np

from bandit_env.world.action import decode_action
from bandit_env.world.task import Task


def observe(conversions, visits, day=1000.0):
    """An observation of experiments that have these counts."""
    conversions, visits = np.atleast_2d(conversions).astype(float), np.atleast_2d(visits).astype(float)
    return {"conversions": conversions, "visits": visits, "day": np.full((len(visits), 1), float(day))}


def first_action(agent, conversions, visits, day=1000.0, **task):
    """The action of a fresh agent on one experiment, or several, and whether it claims."""
    observation = observe(conversions, visits, day)
    count, num_arms = observation["visits"].shape
    agent.reset(Task(num_arms=num_arms, **({"visits_per_day": 100} | task)), count, np.random.default_rng(0))
    action = agent.act(observation, np.arange(count))
    declared = np.where(action[:, -1] > 0.5, action[:, :-1].argmax(axis=1), -1)
    return action[:, :-1], declared, agent.claims_winner(np.arange(count), declared)


@dataclass
class Played:
    """How experiments ended, one entry each."""

    visits: np.ndarray
    conversions: np.ndarray
    declared: np.ndarray
    claims: np.ndarray
    stopping_update: np.ndarray
    snapshot: np.ndarray  # visits before the update asked for


def play(agent, rates, task, seed, snapshot=0):
    """Play experiments with the given rates, (N, K), to their ends."""
    rng = np.random.default_rng(seed)
    count, num_arms = rates.shape
    agent.reset(task, count, rng)
    visits, conversions = np.zeros((count, num_arms)), np.zeros((count, num_arms))
    declared, claims = np.full(count, -1), np.zeros(count, bool)
    stopping_update = np.full(count, task.max_updates)
    running = np.arange(count)
    batch = task.visits_per_day // task.updates_per_day
    for update in range(task.max_updates + 1):
        if update == snapshot:
            early = visits.copy()
        day = np.full((len(running), 1), update / task.updates_per_day)
        observation = {"visits": visits[running], "conversions": conversions[running], "day": day}
        weights, stop, arm = decode_action(agent.act(observation, running))
        ended = running[stop]
        declared[ended], stopping_update[ended] = arm[stop], update
        claims[ended] = agent.claims_winner(ended, declared[ended])
        running, weights = running[~stop], weights[~stop]
        if update == task.max_updates or len(running) == 0:
            break
        served = _serve(rng, batch, weights)
        visits[running] += served
        conversions[running] += rng.binomial(served, rates[running])
    return Played(visits, conversions, declared, claims, stopping_update, early)


def _serve(rng, batch, weights):
    if batch > 1:
        return rng.multinomial(batch, weights)
    cumulative = weights.cumsum(axis=1)
    arm = (rng.random((len(weights), 1)) * cumulative[:, -1:] > cumulative).sum(axis=1)
    return np.eye(weights.shape[1], dtype=np.int64)[arm]
