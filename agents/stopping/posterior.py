"""Stopping rules on posterior probabilities: those of the article, and the expected loss."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agents import _check
from agents.evidence import Evidence
from agents.stopping.rule import Decision, StoppingRule, declare

ARTICLE = 'Scott (2013), "Multi-armed Bandit Experiments", Google Analytics'


@dataclass(frozen=True)
class BeatsControl(StoppingRule):
    """Stops when some variation beats the control with enough probability; claims the champion.

    max_{j > 0} P(rate_j > rate_0 | data) >= confidence. The article's first condition, to the letter: of
    several variations the one that beats the control need not yet be told from the others. It never stops in
    favour of the control.
    """

    confidence: float = 0.95
    formula: ClassVar[str] = "max_{j > 0} P(rate_j > rate_0 | data) >= confidence"
    source: ClassVar[str] = ARTICLE

    def __post_init__(self) -> None:
        _check.fraction("confidence", self.confidence)

    def decide(self, evidence: Evidence) -> Decision:
        stop = evidence.probability_beats(control=0).max(axis=1) >= self.confidence
        return declare(stop, evidence.champion), stop


@dataclass(frozen=True)
class ProbabilityBest(StoppingRule):
    """Stops when the champion is the best arm with enough probability; claims it: P(best) >= confidence."""

    confidence: float = 0.95
    formula: ClassVar[str] = "max_a P(rate_a is the largest | data) >= confidence"
    source: ClassVar[str] = ARTICLE

    def __post_init__(self) -> None:
        _check.fraction("confidence", self.confidence)

    def decide(self, evidence: Evidence) -> Decision:
        stop = evidence.probability_best.max(axis=1) >= self.confidence
        return declare(stop, evidence.champion), stop


@dataclass(frozen=True)
class ValueRemaining(StoppingRule):
    """Stops when little can be gained by going on; ships the champion, and claims nothing.

    P((max_j rate_j - rate_champion) / rate_champion < threshold | data) >= confidence: the article's second
    condition. The threshold is a fraction of the champion's rate, not percentage points.
    """

    threshold: float = 0.01
    confidence: float = 0.95
    formula: ClassVar[str] = "P((max_j rate_j - rate_champion) / rate_champion < threshold | data) >= confidence"
    source: ClassVar[str] = ARTICLE

    def __post_init__(self) -> None:
        _check.positive("threshold", self.threshold)
        _check.fraction("confidence", self.confidence)

    def decide(self, evidence: Evidence) -> Decision:
        stop = evidence.value_remaining_below(self.threshold) >= self.confidence
        return declare(stop, evidence.champion), np.zeros_like(stop)


@dataclass(frozen=True)
class ExpectedLoss(StoppingRule):
    """Stops when shipping an arm is expected to lose less than one cares for; ships it, and claims nothing.

    min_i E[max_j rate_j - rate_i | data] < threshold: the threshold of caring.

    Attributes:
        threshold: in conversions per visit; 1e-4, which suits rates of some per cent, where neither it nor
            `relative_threshold` is given.
        relative_threshold: in place of `threshold`: a fraction of the control's posterior mean rate. 0.0025 at
            4 % is a threshold of 1e-4.
    """

    threshold: float | None = None
    relative_threshold: float | None = None
    formula: ClassVar[str] = "min_i E[max_j rate_j - rate_i | data] < threshold"
    source: ClassVar[str] = 'Stucchio (2015), "Bayesian A/B Testing at VWO", section 4'

    def __post_init__(self) -> None:
        _check.one_of_two(self, "threshold", "relative_threshold", default=1e-4)

    def decide(self, evidence: Evidence) -> Decision:
        loss = evidence.expected_loss()
        threshold = np.asarray(self.threshold, np.float64)
        if self.relative_threshold is not None:
            threshold = self.relative_threshold * evidence.posterior_mean[:, 0]
        stop = loss.min(axis=1) < threshold
        return declare(stop, loss.argmin(axis=1)), np.zeros_like(stop)
