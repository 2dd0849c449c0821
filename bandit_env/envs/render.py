"""A running experiment as a table of text."""

import numpy as np
from numpy.typing import NDArray

from bandit_env.envs.spaces import World


def draw(world: World, row: int, served: NDArray[np.float64]) -> str:
    """One experiment as a table with a row per arm.

    Args:
        world: the simulation.
        row: the experiment's place in it.
        served: the visits of its last update, shape (K,): "share" is each arm's share of them. "rate" is the observed
            one, "true" that of the update just served (of the first day, before it).
    """
    visits, conversions, rates = world.visits[row], world.conversions[row], world.rates[row]
    total = served.sum()
    head = f"{'arm':>3} {'visits':>16} {'conversions':>16} {'rate':>8} {'true':>8} {'share':>6}"
    lines = [_headline(world, row), head]
    for arm in range(visits.size):
        rate = f"{conversions[arm] / visits[arm]:.5f}" if visits[arm] else "-"
        share = f"{served[arm] / total:.3f}" if total else "-"
        counts = f"{visits[arm]:>16,.0f} {conversions[arm]:>16,.0f}"
        lines.append(f"{arm:>3} {counts} {rate:>8} {rates[arm]:>8.5f} {share:>6}")
    return "\n".join(lines) + "\n"


def _headline(world: World, row: int) -> str:
    time = f"{world.clock} {world.day[row]:g} of {world.scenario.max_days}"
    if not world.ended[row]:
        return f"{time}, running"
    declared = world.state.declared[row]
    if declared < 0:
        return f"{time}, ended"
    return f"{time}, ended: arm {declared} declared"
