"""A running experiment as a table of text."""

import numpy as np
from numpy.typing import NDArray

from bandit_env.envs.spaces import World


def draw(world: World, row: int, served: NDArray[np.float64]) -> str:
    """One experiment as a table with a row per arm.

    Args:
        world: the simulation.
        row: the experiment's place in it.
        served: the visits of its last update, shape (K,): "weight" is each arm's share of them.
    """
    visits, conversions = world.visits[row], world.conversions[row]
    total = served.sum()
    lines = [_headline(world, row), f"{'arm':>3} {'visits':>16} {'conversions':>16} {'rate':>8} {'weight':>7}"]
    for arm in range(visits.size):
        rate = f"{conversions[arm] / visits[arm]:.5f}" if visits[arm] else "-"
        weight = f"{served[arm] / total:.3f}" if total else "-"
        lines.append(f"{arm:>3} {visits[arm]:>16,.0f} {conversions[arm]:>16,.0f} {rate:>8} {weight:>7}")
    return "\n".join(lines) + "\n"


def _headline(world: World, row: int) -> str:
    scenario = world.scenario
    elapsed = world.updates[row] / scenario.updates_per_day
    time = f"{world.clock} {elapsed:g} of {scenario.max_days}"
    if not world.ended[row]:
        return f"{time}, running"
    if world.declared[row] < 0:
        return f"{time}, ended"
    return f"{time}, ended: arm {world.declared[row]} declared"
