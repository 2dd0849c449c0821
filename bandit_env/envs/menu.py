"""A menu of allocations, for learners that choose among a few actions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit_env.world.action import encode_action


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
