"""The features that there are: their names, codes and ranges."""

from collections.abc import Sequence
from typing import NamedTuple

DEFAULT_FEATURES = ("mean", "sd", "probability_best", "log_visits", "day", "gap")
LEARNER_FEATURES = ("logit", "log_visits", "gap", "day")  # of the order of 1 whatever the rates, without P(best)
FEATURES_VERSION = 1  # goes up when a feature of the same name becomes another number
LARGEST_GAP = 10.0  # standard deviations; beyond it one arm is surely better, and a network needs no larger number


class Feature(NamedTuple):
    """How compiled code calls a feature, and its range (counts up to 2**53, a prior's a and b above 1e-4)."""

    code: int
    low: float
    high: float


FEATURES: dict[str, Feature] = {  # -1: not computed in _special/features.py
    "mean": Feature(0, 0, 1),
    "sd": Feature(1, 0, 0.5),
    "logit": Feature(2, -20, 20),
    "probability_best": Feature(-1, 0, 1),
    "log_visits": Feature(3, 0, 16),
    "log_precision": Feature(4, -4, 16),
    "log_left": Feature(5, 0, 16),
    "day": Feature(6, 0, 1),
    "gap": Feature(7, -LARGEST_GAP, LARGEST_GAP),
    "log_batch": Feature(8, -6, 16),
    "log_arms": Feature(9, 0, 5),
    "log_strength": Feature(10, -4, 13),
}


def check_names(names: Sequence[str]) -> None:
    """Refuse features that are not known.

    Raises:
        ValueError: says which name, and which are known.
    """
    for name in names:
        if name not in FEATURES:
            raise ValueError(f"unknown feature {name!r} (known: {', '.join(FEATURES)})")
