"""The layout of an action, known here and nowhere else: K traffic scores, then one stop score.

A flat Box, because Stable-Baselines3 and CleanRL refuse Dict actions. `encode_action` writes what an agent means,
`decode_action` reads what an environment was sent. `row_is_valid` and `read_row` do the same for one row, in plain
loops: the simulation compiles them into its step.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

TOLERANCE = 1e-6  # how far outside [0, 1] a score may lie before it is an error: float32 arithmetic of a learner
STOP_THRESHOLD = 0.5


def encode_action(weights: ArrayLike, declared: ArrayLike | None = None) -> NDArray[np.float32]:
    """Write serving weights, and an arm to declare, as an action.

    Args:
        weights: serving weights, shape (..., K), non-negative.
        declared: the arm to declare, shape (...,), or -1 to go on; None goes on everywhere.

    Returns:
        The action, shape (..., K + 1), float32: the weights and 0 to go on; a one-hot and 1 to declare.
    """
    weights = np.asarray(weights)
    num_arms = weights.shape[-1]
    action = np.zeros((*weights.shape[:-1], num_arms + 1), dtype=np.float32)
    action[..., :num_arms] = weights
    if declared is not None:
        arm = np.asarray(declared)
        stopping = arm >= 0
        action[stopping] = 0
        action[..., :num_arms][stopping, arm[stopping]] = 1
        action[stopping, -1] = 1
    return action


def decode_action(action: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp]]:
    """Read actions as serving weights, the wish to stop, and the arm that a stop would declare.

    Args:
        action: shape (..., K + 1), values in [0, 1] to within 1e-6.

    Returns:
        weights (..., K), summing to 1 (uniform where all scores are zero); stop (...,); arm (...,), the argmax
        of the scores, the lowest index on ties.

    Raises:
        ValueError: a NaN, or a value outside [0, 1] by more than 1e-6; says which value, and where.
    """
    scores = np.asarray(action, dtype=np.float64)
    check_scores(scores)
    scores = scores.clip(0, 1)
    traffic, stop = scores[..., :-1], scores[..., -1] > STOP_THRESHOLD
    total = traffic.sum(axis=-1, keepdims=True)
    weights = np.where(total > 0, traffic / np.where(total > 0, total, 1), 1 / traffic.shape[-1])
    return weights, stop, traffic.argmax(axis=-1)


def make_menu(num_arms: int, allocations: Sequence[Sequence[float]] | None, declare: bool) -> NDArray[np.float32]:
    """The actions of a menu, shape (M, K + 1): the allocations, then to stop and ship arm 0, ..., K - 1.

    Args:
        num_arms: K.
        allocations: serving weights, one row per entry; None stands for uniform, each arm alone, and for each arm four
            fifths of the traffic with the rest shared equally.
        declare: whether the menu holds the K ways to stop.

    Raises:
        ValueError: allocations that are not one row of K non-negative weights each, not all zero.
    """
    alone = np.eye(num_arms)
    if allocations is None:
        most = 0.8 * alone + 0.2 * (1 - alone) / (num_arms - 1)
        weights = np.concatenate([np.full((1, num_arms), 1 / num_arms), alone, most])
    else:
        weights = np.asarray(allocations, dtype=np.float64)
        if weights.ndim != 2 or weights.shape[1] != num_arms or not len(weights):
            raise ValueError(f"allocations has shape {weights.shape}; expected (M, {num_arms}), one row per entry")
        if not (np.isfinite(weights) & (weights >= 0)).all() or not (weights.sum(axis=1) > 0).all():
            raise ValueError("allocations holds a row that is no split; expected non-negative weights, not all zero")
        weights = weights / weights.sum(axis=1, keepdims=True)
    menu = encode_action(weights)
    return np.concatenate([menu, encode_action(alone, np.arange(num_arms))]) if declare else menu


def check_choice(action: Any, size: int) -> NDArray[np.intp]:
    """Choices of any shape as whole numbers; raises a ValueError unless they are from 0 to size - 1."""
    choice = np.asarray(action)
    if choice.dtype.kind not in "iu" or ((choice < 0) | (choice >= size)).any():
        raise ValueError(f"action is {action!r}; expected whole numbers from 0 to {size - 1}")
    return choice.astype(np.intp)


def check_scores(scores: NDArray[np.floating]) -> None:
    """Raise a ValueError that says which of `scores`, of any shape, is not in [0, 1] to within 1e-6, if one is not."""
    inside = (scores >= -TOLERANCE) & (scores <= 1 + TOLERANCE)  # False for NaN
    if not inside.all():
        where = tuple(np.argwhere(~inside)[0].tolist())
        raise ValueError(f"action{list(where)} is {scores[where]}; expected a number in [0, 1]")


def check_arms(arms: NDArray[np.integer], num_arms: int) -> None:
    """Raise a ValueError that says which of `arms`, of any shape, is not in 0 .. num_arms - 1, if one is not."""
    inside = (arms >= 0) & (arms < num_arms)
    if not inside.all():
        where = tuple(np.argwhere(~inside)[0].tolist())
        raise ValueError(f"action{list(where) or ''} is {arms[where]}; expected an arm, 0 to {num_arms - 1}")


def row_is_valid(actions: NDArray[np.float32], row: int) -> bool:
    """Whether `check_scores` would pass one row of the actions, shape (N, K + 1)."""
    for k in range(actions.shape[1]):  # noqa: SIM110 (Numba compiles no generator expression)
        if not -TOLERANCE <= actions[row, k] <= 1 + TOLERANCE:  # true for NaN
            return False
    return True


def read_row(actions: NDArray[np.float32], row: int, scores: NDArray[np.float64]) -> tuple[bool, int]:
    """What `decode_action` reads in one valid row of the actions, shape (N, K + 1).

    Writes the traffic scores into `scores`, shape (K,): proportional to the weights, but not summing to 1. Returns
    the wish to stop and the arm that a stop would declare.
    """
    arm = 0
    total = 0.0
    for k in range(scores.size):
        score = actions[row, k]
        scores[k] = 0.0 if score < 0 else 1.0 if score > 1 else score  # min and max take longer to compile
        total += scores[k]
        if scores[k] > scores[arm]:
            arm = k
    if total == 0:
        for k in range(scores.size):
            scores[k] = 1.0
    return actions[row, scores.size] > STOP_THRESHOLD, arm
