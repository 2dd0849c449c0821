"""Estimates that a cell asks for: sums kept update by update, and the columns of the rows that come of them.

A method estimates each arm's rate, or each arm's difference from the control (arm 0), or both; the e-process the log
odds ratio to the control. Columns are called `<method>_<quantity>_<arm>`, hyphens as underscores: `aipw_rate_1` is the
estimate, with `_se` its standard error and `_low`, `_high` the ends of its 95 % interval. The truth is
`true_rate_<arm>` and so on: an arm's rates on the days served on which it was there, averaged by their traffic.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit_env.experiment.cell import CellPlan
from bandit_env.experiment.estimates.methods import DIFFERENCE, E_PROCESS, ENDS, LOG_ODDS, QUANTITIES, RATE, column
from bandit_env.stats import e_process
from bandit_env.stats.estimates import (
    AIPW,
    METHODS,
    Difference,
    Estimate,
    newcombe_interval,
    rate_interval,
    streaming,
    wald_interval,
    wilson_interval,
)

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Parts = tuple[Floats, Floats, Floats, Floats]  # estimate, standard error, low, high; shape (n, K) each


class Estimates:
    """The sums of a batch of experiments, of what its cell asks for; `update` for each, `columns` at the end."""

    def __init__(self, plan: CellPlan, rates: Floats, prior: tuple[float, float]) -> None:
        size, arms = rates.shape
        self._plan, self._methods, self._rates, self._prior = plan, plan.estimates.methods, rates, prior
        self._sums = {name: streaming(name, size, arms, least_weight=0.0) for name in self._methods if name in METHODS}
        self._state = e_process.new_state(size, arms) if E_PROCESS in self._methods else None
        self._log_e = np.zeros((size, arms))
        self._most_e = np.zeros((size, arms))
        self._moves = bool(plan.world.get("effects")) or plan.task.changes_arms
        self._visits, self._conversions = np.zeros((size, arms)), np.zeros((size, arms))
        # sums over visits, for the truth: of the days on which the arm was there, and both it and the control were
        self._days, self._rate_days = np.zeros((size, arms)), np.zeros((size, arms))
        self._both, self._both_own, self._both_control = (np.zeros((size, arms)) for _ in range(3))

    def update(
        self,
        served: Rows,
        before: dict[str, Floats],
        after: dict[str, Floats],
        actions: NDArray[np.float32],
        info: dict[str, Any],
    ) -> None:
        """Add the update that the experiments `served` have just had."""
        if not served.size:
            return
        rows = slice(None) if served.size == len(self._visits) else served  # copies cost as much as the sums
        visits, conversions = (after[name][rows] - before[name][rows] for name in ("visits", "conversions"))
        available = None
        if self._plan.task.changes_arms:
            available = self._plan.task.available(before["day"][served, 0])
        if self._sums:
            weights = _weights(actions[rows, :-1], available)
            for sums in self._sums.values():
                sums.add(weights, visits, conversions, served, available)
        if self._state is not None:
            known = np.minimum(conversions, visits)  # where delays bring more, the test does not hold anyway
            log_e = e_process.update_state(self._state, known, visits, rows=served)
            self._log_e[rows] = log_e
            self._most_e[rows] = np.maximum(self._most_e[rows], log_e)
        if self._moves:
            self._add_truth(served, visits.sum(axis=1, keepdims=True), info["rates"][served], available)

    def end(self, ended: Rows, after: dict[str, Floats]) -> None:
        """Keep the counts of the experiments that have just ended."""
        self._visits[ended], self._conversions[ended] = after["visits"][ended], after["conversions"][ended]

    def columns(self) -> dict[str, Floats]:
        """The columns of the rows, of shape (n,) each."""
        found: dict[str, Floats] = {}
        truth = self._truth()
        for quantity in dict.fromkeys(q for name in self._methods for q in QUANTITIES[name]):
            for arm in self._arms(quantity):
                found[f"true_{quantity}_{arm}"] = truth[quantity][:, arm]
        for method in self._methods:
            for quantity in QUANTITIES[method]:
                parts = self._parts(method, quantity)
                for arm in self._arms(quantity):
                    name = column(method, quantity, arm)
                    found |= {f"{name}{end}": part[:, arm] for end, part in zip(ENDS, parts, strict=True)}
        if self._state is not None:
            for arm in self._arms(LOG_ODDS):
                found[f"e_process_most_{arm}"] = np.exp(np.minimum(self._most_e[:, arm], 700))
        return found

    def _arms(self, quantity: str) -> range:
        return range(0 if quantity == RATE else 1, self._rates.shape[1])

    def _add_truth(self, served: Rows, traffic: Floats, rates: Floats, available: NDArray[np.bool_] | None) -> None:
        there = np.ones_like(rates) if available is None else available.astype(np.float64)
        both = there * there[:, :1]
        self._days[served] += traffic * there
        self._rate_days[served] += traffic * there * rates
        self._both[served] += traffic * both
        self._both_own[served] += traffic * both * rates
        self._both_control[served] += traffic * both * rates[:, :1]

    def _truth(self) -> dict[str, Floats]:
        own = control = rate = self._rates
        control = np.broadcast_to(self._rates[:, :1], self._rates.shape)
        if self._moves:
            with np.errstate(invalid="ignore"):
                rate = self._rate_days / self._days
                own, control = self._both_own / self._both, self._both_control / self._both
        with np.errstate(divide="ignore", invalid="ignore"):
            log_odds = np.log(own / (1 - own)) - np.log(control / (1 - control))
        return {RATE: rate, DIFFERENCE: own - control, LOG_ODDS: log_odds}

    def _parts(self, method: str, quantity: str) -> Parts:
        if method in self._sums:
            sums = self._sums[method]
            estimate = sums.rates() if quantity == RATE and isinstance(sums, AIPW) else sums.difference()
            return (*estimate, *estimate.interval())
        if method == E_PROCESS:
            assert self._state is not None
            low, high = e_process.bounds(self._state, self._log_e)
            with np.errstate(invalid="ignore"):
                middle = (low + high) / 2
            return np.where(np.isfinite(middle), middle, np.nan), np.full_like(low, np.nan), low, high
        c, n = self._conversions, self._visits
        if method == "credible":
            return self._credible(quantity)
        observed = _observed(c, n)
        if quantity == RATE:
            return (*observed, *(wald_interval(c, n) if method == "wald" else wilson_interval(c, n)))
        value = observed.value - observed.value[:, :1]
        error = np.sqrt(observed.standard_error**2 + observed.standard_error[:, :1] ** 2)
        difference = Estimate(value, error)
        return (*difference, *(difference.interval() if method == "wald" else newcombe_interval(c, n)))

    def _credible(self, quantity: str) -> Parts:
        """The posterior's mean, standard deviation and equal-tailed interval."""
        c, n, (a, b) = self._conversions, self._visits, self._prior
        total = n + a + b
        mean = (c + a) / total
        variance = mean * (1 - mean) / (total + 1)
        if quantity == RATE:
            return (mean, np.sqrt(variance), *rate_interval(c, n, prior=self._prior))
        posterior = Difference(c, n, prior=self._prior)
        error = np.sqrt(variance + variance[:, :1])
        error[:, 0] = 0.0
        return (posterior.mean(), error, *posterior.interval())


def _observed(conversions: Floats, visits: Floats) -> Estimate:
    with np.errstate(invalid="ignore"):
        rate = conversions / visits
        return Estimate(rate, np.sqrt(rate * (1 - rate) / visits))


def _weights(scores: NDArray[np.float32], available: NDArray[np.bool_] | None) -> Floats:
    """The weights that were served: shares of the scores of the arms that are there, equal ones where all are 0."""
    weights = scores.astype(np.float64)
    there = np.ones(weights.shape, dtype=bool) if available is None else available
    weights *= there
    total = weights.sum(axis=1, keepdims=True)
    equal = there / there.sum(axis=1, keepdims=True)
    return np.where(total > 0, weights / np.where(total > 0, total, 1), equal)
