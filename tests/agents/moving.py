"""A small world in NumPy in which rates move, arms join and conversions come late: to try agents, and nothing else."""

import numpy as np

from bandit_env.world.action import decode_action


def regret(agent, task, rates, seed, count, *, mean_delay=None, poisson=False, batch=None, since=0):
    """Regret of experiments to the horizon, (count,); their last weights, (count, K).

    Args:
        agent: plays without stopping.
        task: its facts; one update a day.
        rates: (days, K), or a function rng -> (days, count, K).
        seed: of traffic.
        count: experiments.
        mean_delay: mean days until a conversion is seen, one per arm.
        since: first day that counts.
    """
    rng = np.random.default_rng(seed)
    days, num_arms = round(task.max_days), task.num_arms
    path = rates(rng) if callable(rates) else np.broadcast_to(rates[:, None], (days, count, num_arms))
    agent.reset(task, count, rng)
    visits, conversions = np.zeros((count, num_arms)), np.zeros((count, num_arms))
    pending, lost, rows = np.zeros((count, num_arms), int), np.zeros(count), np.arange(count)
    for day in range(days):
        observation = {
            "visits": visits.copy(),
            "conversions": conversions.copy(),
            "day": np.full((count, 1), 1.0 * day),
        }
        weights, _, _ = decode_action(agent.act(observation, rows))
        served = serve(rng, task.visits_per_day, weights)
        new = rng.binomial(served, path[day])
        if mean_delay is None:
            seen = new
        else:  # geometric from the visit's own day on: seen at the end of it with chance g
            pending += new
            seen = rng.binomial(pending, 1 / (1 + np.asarray(mean_delay)))
            pending -= seen
        visits += served
        conversions += seen
        best = np.where(task.available([day]), path[day], 0).max(axis=1, keepdims=True)
        lost += (day >= since) * (served * (best - path[day])).sum(axis=1)
    return lost, weights


def serve(rng, visits, weights):
    """Visits of each arm, multinomial."""
    if visits > 1:
        return rng.multinomial(visits, weights)
    edges = weights.cumsum(axis=1)
    arm = (rng.random((len(weights), 1)) * edges[:, -1:] > edges).sum(axis=1)
    return np.eye(weights.shape[1], dtype=np.int64)[arm]
