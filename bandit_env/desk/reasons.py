"""Why a stopping rule says what it says: one sentence, with the number that it looks at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bandit_env.desk.findings import p_value as said_p
from bandit_env.desk.findings import quote
from bandit_env.stats import posterior
from bandit_env.stats.power import two_proportion_test
from bandit_env.tables.cells import Floats


@dataclass(frozen=True)
class Facts:
    """What an experiment's totals say, found when first asked for.

    Attributes:
        names: the arms', the control first.
        visits, conversions: totals, shape (K,).
        prior: (a, b) of every rate.
    """

    names: tuple[str, ...]
    visits: Floats
    conversions: Floats
    prior: tuple[float, float]

    @cached_property
    def best(self) -> Floats:
        """P(best), shape (K,)."""
        return posterior.probability_best(self.conversions, self.visits, prior=self.prior)

    @cached_property
    def beats(self) -> Floats:
        """P(beats the control), shape (K,); 0 for the control itself."""
        return posterior.probability_beats(self.conversions, self.visits, prior=self.prior)

    @cached_property
    def loss(self) -> Floats:
        """Expected loss of shipping each arm, conversions per visit, shape (K,)."""
        return posterior.expected_loss(self.conversions, self.visits, prior=self.prior)

    @cached_property
    def test(self) -> tuple[Floats, Floats]:
        """Z and p-value of every arm against the control, shape (K,)."""
        return two_proportion_test(self.conversions, self.visits)

    @property
    def champion(self) -> str:
        """The arm that is most probably the best."""
        return self.names[int(self.best.argmax())]

    def value_below(self, threshold: float) -> float:
        """P(value remaining < threshold)."""
        return float(posterior.value_remaining_below(self.conversions, self.visits, threshold, prior=self.prior))


Settings = Mapping[str, Any]


def reason(rule: Settings | None, facts: Facts, stops: bool) -> str:
    """A sentence for a rule's parameters, as the rule tells them; a general one for rules that are not ours."""
    if rule is not None and len(rule) == 1:
        ((how, parts),) = rule.items()
        if how in ("any", "all"):
            said = [reason(part, facts, stops).rstrip(".") for part in parts]
            return ("; and " if how == "all" else "; or ").join(said) + "."
    name = str((rule or {}).get("rule", "")).rpartition(":")[2]
    make = SENTENCES.get(name)
    if make is None or rule is None:
        return "Its condition is met." if stops else "Its condition is not met."
    return make(facts, rule)


def _against(value: float, bound: float, what: str) -> str:
    return f"{what} is {_number(value)}, {'at least' if value >= bound else 'below'} {bound:g}."


def _number(value: float) -> str:
    """Three digits, and never 1 for what is less."""
    shown = f"{value:.3f}"
    if shown == "1.000":
        return "above 0.999"
    return shown if value >= 0.001 or value == 0 else f"{value:.1e}"


def _value_remaining(facts: Facts, rule: Settings) -> str:
    threshold = rule["threshold"]
    what = f"The chance that nothing beats {quote(facts.champion)} by {100 * threshold:g} % or more"
    return _against(facts.value_below(threshold), rule["confidence"], what)


def _probability_best(facts: Facts, rule: Settings) -> str:
    return _against(float(facts.best.max()), rule["confidence"], f"P(best) of {quote(facts.champion)}")


def _beats_control(facts: Facts, rule: Settings) -> str:
    arm = int(facts.beats[1:].argmax()) + 1
    what = f"P(beats {quote(facts.names[0])}), the largest that of {quote(facts.names[arm])},"
    return _against(float(facts.beats[arm]), rule["confidence"], what)


def _expected_loss(facts: Facts, rule: Settings) -> str:
    arm = int(facts.loss.argmin())
    below = facts.loss[arm] < rule["threshold"]
    return (
        f"Shipping {quote(facts.names[arm])} is expected to lose {facts.loss[arm]:.2g} conversions a visit, "
        f"{'below' if below else 'not below'} {rule['threshold']:g}."
    )


def _test(facts: Facts) -> str:
    """The most significant comparison, in words."""
    z, p_value = facts.test
    arm = int(np.abs(z[1:]).argmax()) + 1
    pair = f"{quote(facts.names[arm])} against {quote(facts.names[0])}"
    return f"{pair} has z = {z[arm]:.2f}, {said_p(float(p_value[arm]))}"


def _repeated_test(facts: Facts, rule: Settings) -> str:
    level = rule["alpha"] / (len(facts.names) - 1)
    return f"{_test(facts)}, to be at most {level:.3g} (a level that holds for one look only)."


def _fixed_sample(facts: Facts, rule: Settings) -> str:
    return f"{_test(facts)}; it looks once, when all planned visits are served ({facts.visits.sum():,.0f} so far)."


def _group_sequential(facts: Facts, rule: Settings) -> str:
    looks = "every update" if rule["looks"] == "all" else f"{rule['looks']} planned looks"
    return f"{_test(facts)}; {rule['shape']} boundaries at {looks}, until {_until(rule['days'])}."


def _until(days: float | None) -> str:
    return "the horizon" if days is None else f"day {days:g}"


def _mixture(facts: Facts, rule: Settings) -> str:
    return f"{_test(facts)}; the mixture likelihood ratio has to reach (K - 1)/alpha = {_odds(facts, rule['alpha'])}."


def _odds(facts: Facts, alpha: float) -> str:
    return f"{(len(facts.names) - 1) / alpha:.4g}"


def _confidence_sequence(facts: Facts, rule: Settings) -> str:
    return f"One arm's confidence sequence has to lie above all others', all together at {1 - rule['alpha']:.4g}."


def _likelihood_ratio(facts: Facts, rule: Settings) -> str:
    visits = max(facts.visits.sum(), 1)
    threshold = np.log((np.log(visits) + 1) / rule["delta"])
    return f"The leader's least log likelihood ratio against another arm has to exceed about {threshold:.2f} by now."


def _after(facts: Facts, rule: Settings) -> str:
    return f"It waits for {_until(rule['days'])}."


SENTENCES: dict[str, Callable[[Facts, Settings], str]] = {
    "ValueRemaining": _value_remaining,
    "ProbabilityBest": _probability_best,
    "BeatsControl": _beats_control,
    "ExpectedLoss": _expected_loss,
    "RepeatedTest": _repeated_test,
    "FixedSample": _fixed_sample,
    "GroupSequential": _group_sequential,
    "MixtureSPRT": _mixture,
    "ConfidenceSequence": _confidence_sequence,
    "GeneralizedLikelihoodRatio": _likelihood_ratio,
    "After": _after,
}
"""By the class of the rule."""
