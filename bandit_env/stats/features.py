"""What a learner sees instead of raw counts: a few numbers per arm, the same number whatever the number of arms."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

DEFAULT_FEATURES = ("mean", "sd", "probability_best", "log_visits", "day", "gap")
LARGEST_GAP = 10.0  # standard deviations; beyond it one arm is surely better, and a network needs no larger number


def arm_features(
    conversions: ArrayLike,
    visits: ArrayLike,
    day: ArrayLike,
    max_days: float,
    visits_per_day: float = 1,
    prior: tuple[float, float] = (1.0, 1.0),
    names: Sequence[str] = DEFAULT_FEATURES,
) -> Floats:
    """Describe every arm of an experiment by numbers of the order of 1.

    Permuting the arms permutes the rows of the result and changes nothing else.

    Args:
        conversions: cumulative, shape (..., K), arms on the last axis.
        visits: cumulative, shape (..., K).
        day: days elapsed, shape (...,).
        max_days: the horizon, in days.
        visits_per_day: traffic of one day; only "log_left" depends on it.
        prior: (a, b) of the Beta prior of every rate.
        names: which features, in which order:

            - "mean", "sd": of the posterior of the arm's rate;
            - "logit": log10 of the odds of the mean, for rates near 0 or 1;
            - "probability_best": P(the arm is the best);
            - "log_visits": log10(1 + visits of the arm);
            - "log_precision": log10(a + b + visits of the arm), with the prior's pseudo-visits a + b;
            - "log_left": log10(1 + visits left in the experiment), the same for every arm;
            - "day": the share of the horizon that has passed, 0 to 1, the same for every arm;
            - "gap": the posterior mean less the best one among the other arms, in standard deviations of the
              difference, clipped to +-10. Of several others with that mean, the one with the fewest visits counts.

    Returns:
        Features, shape (..., K, F), float64, F = len(names).

    Raises:
        ValueError: an unknown name, or fewer than two arms.
    """
    check_names(names)
    conversions, visits = np.asarray(conversions, dtype=np.float64), np.asarray(visits, dtype=np.float64)
    if visits.ndim == 0 or visits.shape[-1] < 2:
        raise ValueError(f"visits has shape {visits.shape}; expected at least two arms on the last axis")
    arms = _Arms(conversions, visits, np.asarray(day, dtype=np.float64)[..., None], max_days, visits_per_day, prior)
    out = np.empty((*visits.shape, len(names)))
    for i, name in enumerate(names):
        out[..., i] = FEATURES[name].column(arms)
    return out


def check_names(names: Sequence[str]) -> None:
    """Refuse features that are not known.

    Raises:
        ValueError: says which name, and which are known.
    """
    for name in names:
        if name not in FEATURES:
            raise ValueError(f"unknown feature {name!r} (known: {', '.join(FEATURES)})")


class _Arms:
    """Counts of a batch and the posterior's first two moments."""

    def __init__(
        self,
        conversions: Floats,
        visits: Floats,
        day: Floats,
        max_days: float,
        visits_per_day: float,
        prior: tuple[float, float],
    ) -> None:
        self.conversions = conversions  # (..., K)
        self.visits = visits  # (..., K)
        self.day = day  # (..., 1)
        self.max_days = max_days
        self.visits_per_day = visits_per_day
        self.prior = prior
        a, b = prior
        self.mean = (conversions + a) / (visits + (a + b))
        self.variance = self.mean * (1 - self.mean) / (visits + (a + b + 1))


def _logit(arms: _Arms) -> Floats:
    a, b = arms.prior
    return np.asarray(np.log10((arms.conversions + a) / (arms.visits - arms.conversions + b)))


def _probability_best(arms: _Arms) -> Floats:
    from bandit_env.stats import posterior  # compiled: loaded when it is asked for

    return posterior.probability_best(arms.conversions, arms.visits, prior=arms.prior)


def _log_left(arms: _Arms) -> Floats:
    return np.asarray(np.log10(1 + np.maximum(arms.max_days - arms.day, 0) * arms.visits_per_day))


def _gap(arms: _Arms) -> Floats:
    order = np.lexsort((arms.visits, -arms.mean), axis=-1)
    best, second = order[..., :1], order[..., 1:2]
    rival = np.where(np.arange(arms.visits.shape[-1]) == best, second, best)  # (..., K)
    difference = arms.mean - np.take_along_axis(arms.mean, rival, axis=-1)
    variance = arms.variance + np.take_along_axis(arms.variance, rival, axis=-1)
    return np.asarray((difference / np.sqrt(variance)).clip(-LARGEST_GAP, LARGEST_GAP))


class Feature(NamedTuple):
    """How a feature is computed, and the range that it keeps to (counts up to 2**53, a prior's a and b above 1e-4)."""

    column: Callable[[_Arms], Floats]
    low: float
    high: float


FEATURES: dict[str, Feature] = {
    "mean": Feature(lambda arms: arms.mean, 0, 1),
    "sd": Feature(lambda arms: np.sqrt(arms.variance), 0, 0.5),
    "logit": Feature(_logit, -20, 20),
    "probability_best": Feature(_probability_best, 0, 1),
    "log_visits": Feature(lambda arms: np.log10(1 + arms.visits), 0, 16),
    "log_precision": Feature(lambda arms: np.log10(arms.visits + sum(arms.prior)), -4, 16),
    "log_left": Feature(_log_left, 0, 16),
    "day": Feature(lambda arms: np.minimum(arms.day / arms.max_days, 1), 0, 1),
    "gap": Feature(_gap, -LARGEST_GAP, LARGEST_GAP),
}
