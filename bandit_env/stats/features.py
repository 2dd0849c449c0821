"""What a learner sees instead of raw counts: a few numbers per arm, the same number whatever the number of arms."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bandit_env.stats.feature_names import DEFAULT_FEATURES, FEATURES, LARGEST_GAP, LEARNER_FEATURES, check_names

__all__ = ["DEFAULT_FEATURES", "FEATURES", "LARGEST_GAP", "LEARNER_FEATURES", "arm_features", "check_names"]


def arm_features(
    conversions: ArrayLike,
    visits: ArrayLike,
    day: ArrayLike,
    max_days: ArrayLike,
    visits_per_day: ArrayLike = 1,
    prior: tuple[float, float] = (1.0, 1.0),
    names: Sequence[str] = DEFAULT_FEATURES,
    dtype: type[np.floating] = np.float64,
    updates_per_day: float = 1,
) -> NDArray[Any]:
    """Describe every arm of an experiment by numbers of the order of 1.

    Permuting the arms permutes the rows of the result and changes nothing else.

    Args:
        conversions: cumulative, shape (..., K), arms on the last axis.
        visits: cumulative, shape (..., K).
        day: days elapsed, shape (...,).
        max_days: the horizon, in days, one number or shape (...,).
        visits_per_day: traffic of one day, one number or shape (...,), for "log_left" and "log_batch".
        prior: (a, b) of the Beta prior of every rate.
        names: which features, in which order:

            - "mean", "sd": of the posterior of the arm's rate;
            - "logit": log10 of the odds of the mean, of the order of 1 for rates near 0 as well;
            - "probability_best": P(the arm is the best);
            - "log_visits": log10(1 + visits of the arm);
            - "log_precision": log10(a + b + visits of the arm), with the prior's pseudo-visits a + b;
            - "log_left": log10(1 + visits left in the experiment), the same for every arm;
            - "day": the share of the horizon that has passed, 0 to 1, the same for every arm;
            - "gap": the posterior mean less the best one among the other arms, in standard deviations of the
              difference, clipped to +-10. Of several others with that mean, the one with the fewest visits counts;
            - "log_batch", "log_arms", "log_strength": log10 of the mean traffic of an update, of K and of the prior's
              pseudo-visits a + b, the same for every arm.
        dtype: of the result; computed in float64.
        updates_per_day: updates in a day; only "log_batch" depends on it.

    Returns:
        Features, shape (..., K, F), F = len(names).

    Raises:
        ValueError: an unknown name, or fewer than two arms.
    """
    return Reader(names, prior, dtype)(conversions, visits, day, max_days, visits_per_day, updates_per_day)


class Reader:
    """`arm_features` of some names, prior and dtype, made once for many calls.

    Raises:
        ValueError: an unknown name.
    """

    def __init__(self, names: Sequence[str], prior: tuple[float, float], dtype: type[np.floating]) -> None:
        from bandit_env.stats._special import features as compiled  # loaded when it is asked for

        check_names(names)
        self._names, self._prior, self._dtype = tuple(names), prior, dtype
        self._tables = compiled.tabulate(float(prior[0]), float(prior[1]))
        self._codes = np.array([FEATURES[name].code for name in names], np.int64)
        self._fill = compiled.fill

    def __call__(
        self,
        conversions: ArrayLike,
        visits: ArrayLike,
        day: ArrayLike,
        max_days: ArrayLike,
        visits_per_day: ArrayLike = 1,
        updates_per_day: float = 1,
    ) -> NDArray[Any]:
        """The features, shape (..., K, F); raises a ValueError for fewer than two arms, or counts that do not fit."""
        conversions, visits = np.asarray(conversions, dtype=np.float64), np.asarray(visits, dtype=np.float64)
        if visits.ndim == 0 or visits.shape[-1] < 2:
            raise ValueError(f"visits has shape {visits.shape}; expected at least two arms on the last axis")
        if conversions.shape != visits.shape:
            raise ValueError(f"conversions has shape {conversions.shape}; expected that of visits, {visits.shape}")
        batch, num_arms = visits.shape[:-1], visits.shape[-1]
        out = np.empty((*visits.shape, len(self._names)), self._dtype)
        self._fill(
            np.ascontiguousarray(conversions).reshape(-1, num_arms), np.ascontiguousarray(visits).reshape(-1, num_arms),
            _flat(day, batch), _one_or_all(max_days, batch), _one_or_all(visits_per_day, batch),
            float(updates_per_day), *self._tables,
            self._codes, out.reshape(-1, num_arms, len(self._names)),
        )  # fmt: skip
        if "probability_best" in self._names:
            from bandit_env.stats import posterior

            place = self._names.index("probability_best")
            out[..., place] = posterior.probability_best(conversions, visits, prior=self._prior)
        return out


def _flat(given: ArrayLike, batch: tuple[int, ...]) -> NDArray[np.float64]:
    """Numbers of each experiment, shape `batch`, in a row."""
    numbers = np.asarray(given, dtype=np.float64)
    return np.ascontiguousarray(numbers if numbers.shape == batch else np.broadcast_to(numbers, batch)).reshape(-1)


def _one_or_all(given: ArrayLike, batch: tuple[int, ...]) -> NDArray[np.float64]:
    """One number for all experiments, shape (1,), or those of each in a row."""
    return np.array([given], np.float64) if isinstance(given, (int, float)) else _flat(given, batch)
