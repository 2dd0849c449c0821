"""What the estimates are worth: each experiment's own against the truth, over the experiments of a cell.

Pooled over experiments, conversions over visits equal the truth under any rule; what one experiment estimates does not,
where its traffic followed its data or its stop did.
"""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bandit_env.experiment.results import Cell

LEVEL = 0.95
MAX_ARMS = 10  # the most for which intervals of lifts are worked out: each is an integral

BLOCK = 20_000  # experiments whose intervals are worked out at a time, for memory

Floats = NDArray[np.float64]


def summarise_arms(cell: Cell) -> pd.DataFrame:
    """What each arm got, and what the experiments say of it.

    Columns: arm; rate (NaN where drawn); traffic (mean share of the visits); picked (share of the experiments that
    declare it); and of the observed rate, conversions over visits, in each experiment that served the arm: estimate
    (the mean), bias (the mean less the true rate's) and coverage (the share of all experiments whose 95 % credible
    interval under the agent's prior, `bandit_env.stats.estimates.rate_interval`, holds the true rate). Bias and
    coverage are NaN where rates change over time.
    """
    counts = cell.columns(["declared_arm", "visits"])
    total = counts["visits"].to_numpy()
    visits, conversions, rates = _per_arm(cell)
    rows = []
    for arm in range(cell.task.num_arms):
        served = visits[:, arm] > 0
        found = conversions[served, arm] / visits[served, arm]
        covered = _covers(cell, visits[:, arm], conversions[:, arm], rates[:, arm])
        rows.append(
            {
                "arm": arm,
                "rate": math.nan if cell.rates is None else cell.rates[arm],
                "traffic": _mean(visits[total > 0, arm] / total[total > 0]),
                "picked": float((counts["declared_arm"] == arm).mean()),
                "estimate": _mean(found),
                "bias": _mean(found - rates[served, arm]) if cell.steady else math.nan,
                "coverage": _mean(covered) if cell.steady else math.nan,
            }
        )
    return pd.DataFrame(rows)


def shipped_lift(cell: Cell) -> dict[str, float]:
    """The lift over the control, as the experiments that ship a variation estimate it, against the truth.

    Returns:
        lift_median and lift_mean of the shipped arm's observed rate over the control's, less 1; lift_infinite, how many
        have no conversion on the control, which are in the median and not in the mean; lift_true, the mean of the true
        lifts of the arms shipped; and lift_coverage, over *all* experiments (and all variations, up to ten arms) the
        share of 95 % credible intervals that hold the true lift, under the agent's prior. NaN where nothing is
        shipped; the last two also where rates change over time.
    """
    declared = cell.columns(["declared_arm"])["declared_arm"].to_numpy()
    visits, conversions, rates = _per_arm(cell)
    rows = np.flatnonzero(declared > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = conversions[rows] / np.maximum(visits[rows], 1)
        found, true = (x[np.arange(rows.size), declared[rows]] / x[:, 0] - 1 for x in (observed, rates[rows]))
    told = found[~np.isnan(found)]
    finite = np.isfinite(told)
    return {
        "lift_median": float(np.median(told)) if told.size else math.nan,
        "lift_mean": _mean(told[finite]),
        "lift_infinite": int(np.count_nonzero(~finite)),
        "lift_true": _mean(true) if cell.steady else math.nan,
        "lift_coverage": _lift_coverage(cell, visits, conversions, rates),
    }


def _lift_coverage(cell: Cell, visits: Floats, conversions: Floats, rates: Floats) -> float:
    """The share of equal-tailed intervals that hold the true lift: the posterior has it within its middle 95 %."""
    from bandit_env.stats.estimates import Lift

    if not cell.steady or cell.task.num_arms > MAX_ARMS:
        return math.nan
    held = 0
    for start in range(0, len(visits), BLOCK):
        block = slice(start, start + BLOCK)
        with np.errstate(invalid="ignore", divide="ignore"):
            true = rates[block] / rates[block, :1] - 1
        below = Lift(conversions[block], visits[block], prior=cell.prior).cdf(true)
        held += int(_inside(below[:, 1:]).sum())
    return held / (len(visits) * (cell.task.num_arms - 1))


def _covers(cell: Cell, visits: Floats, conversions: Floats, rate: Floats) -> NDArray[np.bool_]:
    """Whether the credible interval of `rate_interval` holds the true rate, without a search for its ends."""
    from scipy.special import betainc

    a, b = cell.prior
    return _inside(np.asarray(betainc(conversions + a, visits - conversions + b, rate), dtype=np.float64))


def _inside(below: Floats) -> NDArray[np.bool_]:
    tail = (1 - LEVEL) / 2
    return np.asarray((below >= tail) & (below <= 1 - tail))


def _per_arm(cell: Cell) -> tuple[Floats, Floats, Floats]:
    """Visits, conversions and true rates, each of shape (n, K)."""
    visits, conversions, rates = (cell.per_arm(name).astype(np.float64) for name in ("visits", "conversions", "rate"))
    return visits, conversions, rates


def _mean(values: NDArray[np.generic]) -> float:
    return float(values.mean()) if values.size else math.nan
