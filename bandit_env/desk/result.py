"""What an analysis tells: plain data, and the JSON that it makes."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bandit_env.desk.findings import Check
from bandit_env.desk.forecast import Forecast
from bandit_env.desk.table import Counts
from bandit_env.desk.verdicts import Verdict


@dataclass(frozen=True)
class Arm:
    """What is known of one arm. The control's own lift, and its chance to beat itself, are 0.

    Attributes:
        name: as in the table.
        visits, conversions: totals.
        rate: conversions over visits; None without visits.
        rate_interval: equal-tailed 95 % credible interval.
        lift: rate over the control's, less 1; None where the control has no conversion, or the arm no visit.
        lift_interval: equal-tailed 95 % credible interval.
        probability_best: P(the arm's rate is the largest).
        probability_beats_control: P(the arm's rate is above the control's).
        expected_loss: conversions per visit that shipping the arm is expected to give away.
        weight: share of tomorrow's traffic under the agent asked for.
    """

    name: str
    visits: int
    conversions: int
    rate: float | None
    rate_interval: tuple[float, float]
    lift: float | None
    lift_interval: tuple[float, float]
    probability_best: float
    probability_beats_control: float
    expected_loss: float
    weight: float


@dataclass(frozen=True)
class ValueRemaining:
    """What going on could still gain: (best rate - champion's rate) / champion's rate under the posterior.

    Attributes:
        quantile_95: with probability .95 no arm beats the champion by more.
        probability_below_1_percent: P(value remaining < 1 %).
    """

    quantile_95: float
    probability_below_1_percent: float


@dataclass(frozen=True)
class Analysis:
    """All that `analyse` tells.

    Attributes:
        arms: the control first, the others as in the table.
        value_remaining: what going on could still gain.
        verdicts: of the rule asked for, then of the others.
        forecast: the days left; None where it was not wanted or the day or the traffic is not known.
        no_forecast: why there is none, and what to give; None where there is one.
        checks: what bites in the data.
        counts: the table as it was read.
        prior: (a, b) of every rate, and `prior_from`, where it comes from.
        agent, rule: those asked for.
        day: days served, or None where not known.
        visits_per_day: the traffic to come, or None where not known.
        min_days, max_days: no stop before the one; the horizon.
    """

    arms: tuple[Arm, ...]
    value_remaining: ValueRemaining
    verdicts: tuple[Verdict, ...]
    forecast: Forecast | None
    no_forecast: str | None
    checks: tuple[Check, ...]
    counts: Counts
    prior: tuple[float, float]
    prior_from: str
    agent: str
    rule: str
    day: float | None
    visits_per_day: int | None
    min_days: float
    max_days: int

    @property
    def verdict(self) -> Verdict:
        """That of the rule asked for."""
        return self.verdicts[0]

    @property
    def champion(self) -> Arm:
        """The arm that is most probably the best."""
        return max(self.arms, key=lambda arm: arm.probability_best)

    @property
    def visits_tomorrow(self) -> tuple[int, ...] | None:
        """Tomorrow's traffic by arm: the nearest whole numbers to weight x visits, which sum to the traffic."""
        if self.visits_per_day is None:
            return None
        quota = np.array([arm.weight for arm in self.arms]) * self.visits_per_day
        visits = np.floor(quota)
        left = self.visits_per_day - int(visits.sum())
        visits[np.argsort(visits - quota, kind="stable")[:left]] += 1
        return tuple(int(v) for v in visits)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it; `docs/analyse.md` has the schema. `forecast` is there only where there is one."""
        tomorrow: dict[str, Any] = {"agent": self.agent, "weights": {arm.name: arm.weight for arm in self.arms}}
        if self.visits_tomorrow is not None:
            tomorrow["visits"] = dict(zip((arm.name for arm in self.arms), self.visits_tomorrow))
        told = {
            "arms": [asdict(arm) for arm in self.arms],
            "control": self.arms[0].name,
            "champion": self.champion.name,
            "value_remaining": asdict(self.value_remaining),
            "verdicts": [verdict.to_dict() for verdict in self.verdicts],
            "tomorrow": tomorrow,
            "checks": [check.to_dict() for check in self.checks],
            "day": self.day,
            "visits_per_day": self.visits_per_day,
            "prior": {"a": self.prior[0], "b": self.prior[1], "from": self.prior_from},
        }
        if self.forecast is not None:
            told["forecast"] = self.forecast.to_dict()
        return {key: _plain(value) for key, value in told.items()}


def _plain(value: Any) -> Any:
    """Tuples as lists, and None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
