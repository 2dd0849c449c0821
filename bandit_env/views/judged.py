"""What the estimates are worth: each experiment's own against the truth, over the experiments of a cell.

Pooled over experiments, conversions over visits equal the truth under any rule; what one experiment estimates does not,
where its traffic followed its data or its stop did.
"""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bandit_env.experiment.results import LISTED_ARMS, Cell

LEVEL = 0.95
MAX_ARMS = 10  # the most for which intervals of lifts are worked out: each is an integral

Floats = NDArray[np.float64]


def summarise_arms(cell: Cell) -> pd.DataFrame:
    """What each arm got, and what the experiments say of it.

    Columns: arm; rate (NaN where drawn); traffic (mean share of the visits); picked (share of the experiments that
    declare it); and of the observed rate, conversions over visits, in each experiment that served the arm: estimate
    (the mean), bias (the mean less the true rate's) and coverage (the share of all experiments whose 95 % credible
    interval under the agent's prior, `bandit_env.stats.estimates.rate_interval`, holds the true rate). Bias and
    coverage are NaN where rates change over time.
    """
    rows = []
    declared = cell.columns(["declared_arm"])["declared_arm"]
    total = cell.columns(["visits"])["visits"].to_numpy()
    for arm in range(cell.task.num_arms):
        visits, conversions, rate = _arm(cell, arm)
        served = visits > 0
        found = conversions[served] / visits[served]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = (visits / total)[total > 0]
        rows.append(
            {
                "arm": arm,
                "rate": math.nan if cell.rates is None else cell.rates[arm],
                "traffic": _mean(share),
                "picked": float((declared == arm).mean()),
                "estimate": _mean(found),
                "bias": _mean(found - rate[served]) if cell.steady else math.nan,
                "coverage": _mean(_covers(cell, visits, conversions, rate)) if cell.steady else math.nan,
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
    found, true = np.full(declared.size, math.nan), np.full(declared.size, math.nan)
    arms = _arms(cell)
    control = arms(0)
    for arm in np.unique(declared[declared > 0]):
        rows = declared == arm
        visits, conversions, rate = (column[rows] for column in arms(int(arm)))
        with np.errstate(invalid="ignore", divide="ignore"):
            base = control[1][rows] / np.maximum(control[0][rows], 1)
            found[rows] = conversions / np.maximum(visits, 1) / base - 1
            true[rows] = rate / control[2][rows] - 1
    told = found[~np.isnan(found)]
    finite = np.isfinite(told)
    return {
        "lift_median": float(np.median(told)) if told.size else math.nan,
        "lift_mean": _mean(told[finite]),
        "lift_infinite": int(np.count_nonzero(~finite)),
        "lift_true": _mean(true[declared > 0]) if cell.steady else math.nan,
        "lift_coverage": _lift_coverage(cell),
    }


def _lift_coverage(cell: Cell) -> float:
    """The share of equal-tailed intervals that hold the true lift: the posterior has it within its middle 95 %."""
    try:
        from bandit_env.stats.estimates import Lift  # type: ignore[attr-defined,unused-ignore]
    except ImportError:
        return math.nan
    if not cell.steady or cell.task.num_arms > MAX_ARMS:
        return math.nan
    visits, conversions, rates = (
        np.stack(columns, axis=-1) for columns in zip(*(_arm(cell, k) for k in range(cell.task.num_arms)))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        below = Lift(conversions, visits, prior=cell.prior).cdf(rates / rates[:, :1] - 1)[:, 1:]
    return float(_inside(below).mean())


def _covers(cell: Cell, visits: Floats, conversions: Floats, rate: Floats) -> NDArray[np.bool_]:
    """Whether the credible interval of `rate_interval` holds the true rate, without a search for its ends."""
    from scipy.special import betainc

    a, b = cell.prior
    return _inside(np.asarray(betainc(conversions + a, visits - conversions + b, rate), dtype=np.float64))


def _inside(below: Floats) -> NDArray[np.bool_]:
    tail = (1 - LEVEL) / 2
    return np.asarray((below >= tail) & (below <= 1 - tail))


def _arm(cell: Cell, arm: int) -> tuple[Floats, Floats, Floats]:
    """An arm's visits, conversions and true rate in each experiment."""
    rows = cell.columns([f"{what}_{arm}" for what in ("visits", "conversions", "rate")])
    visits, conversions, rate = (rows[name].to_numpy(np.float64) for name in rows.columns)
    return visits, conversions, rate


def _arms(cell: Cell) -> Callable[[int], tuple[Floats, Floats, Floats]]:
    """`_arm` of any arm; lists of all arms' counts are read once."""
    if cell.task.num_arms <= LISTED_ARMS:
        return lambda arm: _arm(cell, arm)
    visits, conversions, rates = (cell.per_arm(what) for what in ("visits", "conversions", "rate"))
    return lambda arm: (visits[:, arm], conversions[:, arm], rates[:, arm])


def _mean(values: NDArray[np.generic]) -> float:
    return float(values.mean()) if values.size else math.nan
