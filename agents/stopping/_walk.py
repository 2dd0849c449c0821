"""A Brownian motion carried from look to look on the event that none has stopped it. Compiled.

The motion is symmetric, so that half of its density is enough: nodes on [0, edge], and of each the mirror
image. A step between looks is a normal kernel of the step's standard deviation; what lies farther than a
`reach` of them adds nothing, so that of thousands of looks each costs the nodes near to each node only.
"""

from math import erfc, exp, inf, pi, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bandit_env.compilation import kept

Floats = NDArray[np.float64]

compiled = kept([Path(__file__)])


@compiled
def beyond(nodes: Floats, mass: Floats, edge: float, sd: float, reach: float) -> tuple[float, float]:
    """Probability that a step from the density ends beyond -edge or edge, and its derivative by the edge (negative).

    Args:
        nodes: on [0, inf), increasing.
        mass: density of both sides together times quadrature weight, at the nodes.
        edge: at least 0.
        sd: standard deviation of the step.
        reach: number of them beyond which nothing is carried.
    """
    chance, slope = 0.0, 0.0
    for i in range(len(nodes) - 1, -1, -1):
        near, far = (edge - nodes[i]) / sd, (edge + nodes[i]) / sd
        if near > reach:
            break
        chance += mass[i] * 0.5 * (erfc(near / sqrt(2.0)) + erfc(far / sqrt(2.0)))
        slope -= mass[i] * (exp(-0.5 * near * near) + exp(-0.5 * far * far))
    return chance, slope / (sd * sqrt(2.0 * pi))


@compiled
def carry(nodes: Floats, mass: Floats, new: Floats, sd: float, reach: float) -> Floats:
    """The density of both sides together at the nodes `new`, one step after; both sets of nodes increase from 0."""
    out = np.empty(len(new))
    first = 0
    for i in range(len(new)):
        while first < len(nodes) and nodes[first] < new[i] - reach * sd:
            first += 1
        total = 0.0
        for j in range(first, len(nodes)):
            gap = (nodes[j] - new[i]) / sd
            if gap > reach:
                break
            total += mass[j] * exp(-0.5 * gap * gap)
        for j in range(len(nodes)):
            gap = (nodes[j] + new[i]) / sd
            if gap > reach:
                break
            total += mass[j] * exp(-0.5 * gap * gap)
        out[i] = total / (sd * sqrt(2.0 * pi))
    return out


@compiled
def edge_that_spends(nodes: Floats, mass: Floats, sd: float, reach: float, due: float, farthest: float) -> float:
    """The edge beyond which a step ends with probability `due`; infinite where it lies beyond `farthest`.

    Newton's steps on the logarithm of the chance, kept within a bracket that each of them narrows.
    """
    if due <= beyond(nodes, mass, farthest, sd, reach)[0]:
        return inf
    low, high = 0.0, farthest
    edge = min(nodes[-1], farthest) if len(nodes) > 1 else 0.5 * farthest
    for _ in range(200):
        chance, slope = beyond(nodes, mass, edge, sd, reach)
        if chance > due:
            low = edge
        else:
            high = edge
        step = -1.0
        if chance > 0.0 and slope < 0.0:
            step = edge - chance * np.log(chance / due) / slope
        following = step if low < step < high else 0.5 * (low + high)
        if abs(following - edge) <= 1e-13 * farthest:
            return following
        edge = following
    return edge
