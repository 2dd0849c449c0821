"""Tables of Gittins indices of a Bernoulli arm, compiled. Imported only when an agent needs one.

A state is an arm's n visits and s conversions, at n (n + 1) / 2 + s.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bandit_env.compilation import kept

Floats = NDArray[np.float64]

CLOSE = 1e-7  # a step of Dinkelbach's that is smaller is the last: what is left is at most about 1e-9
NEGLIGIBLE = 1e-16  # probability of a path that is not followed

compiled = kept([Path(__file__)])
reassociated = kept([Path(__file__)], fastmath={"reassoc", "contract", "nsz"})  # sums by the vector unit


@compiled
def finite_horizon_table(horizon: int, a: float, b: float) -> Floats:
    """Finite-horizon indices; of state (n, s), m visits left, at T (T + 1) (T + 2) / 6 + n (n + 1) / 2 + s, T = n + m.

    The index is max E[conversions until tau] / E[visits until tau] over stopping times tau of 1 to m visits. The
    best tau serves on where the index of the state that is reached lies above, so that states of one T are
    worked out from the most visits down. Dinkelbach's (1967) iteration; it starts from T - 1, T - 2 and T - 3.
    """
    table = np.empty((horizon + 1) * (horizon + 2) * (horizon + 3) // 6)
    chance, counts = np.zeros(horizon + 2), np.arange(horizon + 2) * 1.0
    for total in range(horizon + 1):
        size, start = (total + 1) * (total + 2) // 2, total * (total + 1) * (total + 2) // 6
        block = table[start : start + size]
        one = start - total * (total + 1) // 2
        two = one - (total - 1) * total // 2
        three = two - (total - 2) * (total - 1) // 2
        for n in range(total, -1, -1):
            for s in range(n + 1):
                state = n * (n + 1) // 2 + s
                if n == total:
                    block[state] = (s + a) / (n + a + b)
                    continue
                index = table[one + state]
                if total - n > 3:
                    index = 3.0 * index - 3.0 * table[two + state] + table[three + state]
                for _ in range(100):
                    before = index
                    index = _rate_until(total - n, n, s, a, b, index, block, chance, counts)
                    if abs(index - before) <= CLOSE:
                        break
                block[state] = index
    return table


@reassociated
def _rate_until(
    left: int, n: int, s: int, a: float, b: float, known: float, block: Floats, chance: Floats, counts: Floats
) -> float:
    """E[conversions] / E[visits] of serving once, and on as long as the index lies above the known rate.

    `chance` is work space: the chance of every number of conversions more, on paths that are still served. They
    reach from `low` to `high`: an index falls with each visit that does not convert.
    """
    chance[0] = 1.0
    low, high, rewards, visits = 0, 0, 0.0, 0.0
    for step in range(left):
        if step > 0:
            row = (n + step) * (n + step + 1) // 2 + s
            while low <= high and block[row + low] <= known:
                low += 1
            while low <= high and chance[high] < NEGLIGIBLE:
                high -= 1
            if low > high:
                break
        won, mass = 0.0, 0.0
        for k in range(low, high + 1):
            won += chance[k] * (s + a + counts[k])
            mass += chance[k]
        inverse = 1.0 / (n + step + a + b)
        rewards += won * inverse
        visits += mass
        chance[high + 1] = chance[high] * (s + a + counts[high]) * inverse
        for k in range(high, low, -1):
            converts = chance[k - 1] * (s + a + counts[k - 1]) * inverse
            chance[k] = converts + chance[k] * (1.0 - (s + a + counts[k]) * inverse)
        chance[low] *= 1.0 - (s + a + counts[low]) * inverse
        high += 1
    return rewards / visits


@compiled
def discounted_table(horizon: int, longest: int, discount: float, a: float, b: float, grid: Floats) -> Floats:
    """Indices of an endless discounted arm, of all states of up to `horizon` visits.

    "This arm, or a known rate for ever" by backward induction at the known rates of the grid, a few at a time;
    an arm of `longest` visits counts as known. The gain of one more visit falls with the known rate, and is
    convex: the index is the root of the cubic through its values and slopes at the two rates around.
    """
    table = np.empty((horizon + 1) * (horizon + 2) // 2)
    together = 16
    value, slope = np.empty((longest + 1, together)), np.empty((longest + 1, together))
    gain, steep = np.empty(together), np.empty(together)
    for first in range(0, len(grid) - 1, together - 1):
        rates = grid[first : first + together]
        for n in range(longest, -1, -1):
            for s in range(n + 1):
                mean = (s + a) / (n + a + b)
                for g in range(len(rates)):
                    on, change = mean, 0.0
                    if n < longest:
                        after, before = value[s + 1, g], value[s, g]
                        on = mean * (1.0 - discount) + discount * (mean * after + (1.0 - mean) * before)
                        change = discount * (mean * slope[s + 1, g] + (1.0 - mean) * slope[s, g])
                    gain[g], steep[g] = on - rates[g], change - 1.0
                    value[s, g] = max(on, rates[g])
                    slope[s, g] = change if on > rates[g] else 1.0
                if n <= horizon and gain[0] > 0.0 and gain[len(rates) - 1] <= 0.0:
                    g = 1
                    while gain[g] > 0.0:
                        g += 1
                    width = rates[g] - rates[g - 1]
                    root = _cubic_root(gain[g - 1], width * steep[g - 1], gain[g], width * steep[g])
                    table[n * (n + 1) // 2 + s] = rates[g - 1] + width * root
    return table


@compiled
def _cubic_root(y0: float, d0: float, y1: float, d1: float) -> float:
    """Where in [0, 1] the cubic with these values and slopes at 0 and 1 crosses zero; y0 > 0 >= y1. By bisection."""
    low, high = 0.0, 1.0
    for _ in range(50):
        t = 0.5 * (low + high)
        rest = 1.0 - t
        y = rest * rest * (y0 * (1.0 + 2.0 * t) + d0 * t) + t * t * (y1 * (3.0 - 2.0 * t) - d1 * rest)
        if y > 0.0:
            low = t
        else:
            high = t
    return 0.5 * (low + high)
