"""What platforms do, as far as they say: presets built from the parts, each dated, with a link to the page.

A preset is an agent like any other; its fields are the platform's documented knobs, and those of every allocation.
What a platform does not document is said in the docstring. What only a scenario can set, such as two updates a day,
is remarked on once before anything is played, where the scenario differs.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from agents import _check
from agents.allocation import Allocation
from agents.allocations.thompson import PeriodWeightedThompson, Thompson
from agents.evidence import Evidence, Floats
from agents.stopping import ProbabilityBest
from bandit_env.world.task import Task


@dataclass(eq=False)
class Google2013(Thompson):
    """Google Analytics content experiments as of 23 January 2013: Thompson sampling, twice a day, two weeks at least.

    https://support.google.com/analytics/answer/2844870. Weights are P(best). It ends when some variation beats the
    original with a probability of 95 %, or when the value remaining is below 1 % with one of 95 %: the article to the
    letter. The product looked twice a day (`updates_per_day = 2`) and never ended within two weeks (`min_days = 14`):
    both are the scenario's. Not documented: the product's prior (uniform in the article).
    """

    stopping: Any = field(default="beats-control | value-remaining", kw_only=True)
    formula: ClassVar[str] = "w_a = P(rate_a is the largest | data)"
    source: ClassVar[str] = "https://support.google.com/analytics/answer/2844870 (Scott, 23 January 2013)"

    def remarks(self, task: Task) -> list[str]:
        said = super().remarks(task)
        if task.updates_per_day != 2:
            said.append(f"the product changed weights twice a day; this scenario has {_updates(task)}")
        if task.min_days != 14:
            said.append(f"the product ran for two weeks at least; this scenario has min_days = {task.min_days:g}")
        return said


@dataclass(eq=False)
class AdobeAutoAllocate(Allocation):
    """Adobe Target's Auto-Allocate as documented in November 2026: a fifth of the traffic explores, the leader gains.

    https://experienceleague.adobe.com/en/docs/target/using/activities/auto-allocate/automated-traffic-allocation. Equal
    traffic until every experience has `min_visits` visitors and `min_conversions` conversions. Then 20 % are shared
    equally and 80 % follow the confidence in the leader: of two experiences it is served 2/3 from 75 % on and 90 % from
    95 % on. A winner is one whose 95 % interval overlaps no other, with a false-positive rate of 5 % at any time: here
    the rule "confidence-sequence".

    Not documented, and chosen here: the bounds behind the confidence (Bernstein's inequality with a margin of 1 %; here
    P(best)), and the shares of more than two experiences (here the leader has of the 80 % what it has of two, and the
    others share the rest).

    Attributes:
        min_visits, min_conversions: of every experience before weights change.
        reserve: share of the traffic that is always served equally.
    """

    min_visits: int = 1000
    min_conversions: int = 50
    reserve: float = 0.2
    stopping: Any = field(default="confidence-sequence", kw_only=True)
    formula: ClassVar[str] = (
        "w_a = reserve / K + (1 - reserve) s_a; the leader's s is 2/3 from P(best) = 0.75 on, 9/10 from 0.95 on"
    )
    source: ClassVar[str] = (
        "https://experienceleague.adobe.com/en/docs/target/using/activities/auto-allocate/automated-traffic-allocation "
        "(November 2026)"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.whole("min_visits", self.min_visits, at_least=0)
        _check.whole("min_conversions", self.min_conversions, at_least=0)
        _check.share("reserve", self.reserve)

    def weights(self, evidence: Evidence) -> Floats:
        equal, best = evidence.equal_weights, evidence.probability_best
        enough = (evidence.raw_visits >= self.min_visits) & (evidence.raw_conversions >= self.min_conversions)
        confidence = best.max(axis=1, keepdims=True)
        leads = np.arange(best.shape[1]) == evidence.champion[:, None]
        others = evidence.available & ~leads
        # of two, 2/3 = .8 x + .1 and .9 = .8 x + .1
        share = np.where(confidence >= 0.95, 1.0, np.where(confidence >= 0.75, 17 / 24, equal))
        rest = (1 - share) / np.maximum(others.sum(axis=1, keepdims=True), 1)
        focused = np.where(confidence >= 0.75, np.where(leads, share, np.where(others, rest, 0.0)), equal)
        served = self.reserve * equal + (1 - self.reserve) * focused
        return np.where((enough | ~evidence.available).all(axis=1, keepdims=True), served, equal)


@dataclass(eq=False)
class GrowthBook(PeriodWeightedThompson):
    """GrowthBook's bandits as documented in November 2026: Thompson sampling on period-weighted rates, floor 1 %.

    https://docs.growthbook.io/bandits/config. Equal traffic for the exploratory stage (`warm_up_days`) and until
    every variation has `min_visits` users; then, at the update cadence (`every_days`), P(best) of rates that are
    averaged over periods with the traffic's weights, at least 1 % each. Users keep their variation there (sticky
    bucketing, unless switched off): here every visit is a new user. Normal posteriors there, Beta ones here; shares
    below 1 % are raised to it there, here the floor is w' = floor + (1 - K floor) w. No rule ends a bandit there: none
    does here unless one is given.

    Attributes:
        min_visits: of every variation before weights change.
        warm_up_days, every_days: exploratory stage and cadence, set by the user there; a day each by default here.
    """

    min_visits: int = 100
    warm_up_days: float = field(default=1, kw_only=True)
    every_days: float = field(default=1, kw_only=True)
    floor: float = field(default=0.01, kw_only=True)
    formula: ClassVar[str] = (
        "w_a = floor + (1 - K floor) P(best_a), of rates sum_p N_p c_pa / n_pa / sum_p N_p over periods p"
    )
    source: ClassVar[str] = "https://docs.growthbook.io/bandits/config (November 2026)"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.whole("min_visits", self.min_visits, at_least=0)

    def weights(self, evidence: Evidence) -> Floats:
        return equal_until(self.min_visits, evidence, super().weights(evidence))


@dataclass(eq=False)
class StatsigAutotune(Thompson):
    """Statsig's Autotune as documented in November 2026: equal for a while, then Thompson sampling to a winner.

    https://docs.statsig.com/autotune/setup. Equal traffic for the exploration window; then P(best), computed every
    hour; ends when a variant's probability to be the best reaches the winner threshold, and serves it to all. Its
    attribution window (visits count once it is over) has no part here: give the world a `delay`, and the agent the
    memory "delay-corrected". Not documented: the default threshold (here 95 %), the prior, and a least share.

    Attributes:
        warm_up_days: the exploration window; a day by default here.
        winner_threshold: P(best) at which a winner is declared, unless another `stopping` is given.
    """

    winner_threshold: float = 0.95
    warm_up_days: float = field(default=1, kw_only=True)
    formula: ClassVar[str] = "w_a = P(rate_a is the largest | data); stops once the largest is winner_threshold or more"
    source: ClassVar[str] = "https://docs.statsig.com/autotune/setup (November 2026)"

    def __post_init__(self) -> None:
        if self.stopping is None:
            self.stopping = ProbabilityBest(self.winner_threshold)
        super().__post_init__()

    def remarks(self, task: Task) -> list[str]:
        said = super().remarks(task)
        if task.updates_per_day != 24:
            said.append(f"the product computes weights every hour; this scenario has {_updates(task)}")
        return said


@dataclass(eq=False)
class Amplitude(Thompson):
    """Amplitude's multi-armed bandits as documented in November 2026: Thompson sampling after 100 exposures a variant.

    https://amplitude.com/docs/feature-experiment/workflow/multi-armed-bandit-experiments. Equal traffic until every
    variant has `min_visits` exposures; then P(best), anew every hour, day or week (`every_days`). There is no control
    and no significance there, and the page gives no rule that ends a bandit: none does here unless one is given. Not
    documented: the prior, and a least share.

    Attributes:
        min_visits: of every variant before weights change.
        every_days: how often they do; 0 is every update, such as an hour of a scenario with 24 a day.
    """

    min_visits: int = 100
    every_days: float = field(default=1, kw_only=True)
    formula: ClassVar[str] = "w_a = P(rate_a is the largest | data), once every arm has min_visits; 1 / K until then"
    source: ClassVar[str] = (
        "https://amplitude.com/docs/feature-experiment/workflow/multi-armed-bandit-experiments (November 2026)"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.whole("min_visits", self.min_visits, at_least=0)

    def weights(self, evidence: Evidence) -> Floats:
        return equal_until(self.min_visits, evidence, super().weights(evidence))


def equal_until(visits: int, evidence: Evidence, weights: Floats) -> Floats:
    """Equal shares until every arm that is there has so many visits, then `weights`, shape (n, K)."""
    enough = ((evidence.raw_visits >= visits) | ~evidence.available).all(axis=1, keepdims=True)
    return np.where(enough, weights, evidence.equal_weights)


def _updates(task: Task) -> str:
    return f"{task.updates_per_day} update{'' if task.updates_per_day == 1 else 's'} a day"
