"""Why a stopping rule says what it says: one sentence, with the number that it looks at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bandit_env.desk.findings import p_value as said_p
from bandit_env.desk.findings import quote
from bandit_env.desk.table import Counts
from bandit_env.stats import posterior
from bandit_env.stats.e_process import log_e_values
from bandit_env.stats.power import two_proportion_test
from bandit_env.tables.cells import Floats


@dataclass(frozen=True)
class Facts:
    """What an experiment's totals say, found when first asked for.

    Attributes:
        counts: the experiment's, the control first.
        prior: (a, b) of every rate.
    """

    counts: Counts
    prior: tuple[float, float]

    @property
    def names(self) -> tuple[str, ...]:
        """The arms' names."""
        return self.counts.names

    @cached_property
    def visits(self) -> Floats:
        """Totals, shape (K,)."""
        return self.counts.total_visits

    @cached_property
    def conversions(self) -> Floats:
        """Totals, shape (K,)."""
        return self.counts.total_conversions

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

    @cached_property
    def log_e(self) -> Floats:
        """Log of every arm's e-value against the control, a stratum a day, shape (K,)."""
        visits = self.counts.visits
        return np.asarray(log_e_values(np.minimum(self.counts.conversions, visits), visits)[-1])

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
            first, *others = (reason(part, facts, stops).rstrip(".") for part in parts)
            sign = "; and " if how == "all" else "; or "
            return sign.join([first, *map(_as_end, others)]) + "."
    name = str((rule or {}).get("rule", "")).rpartition(":")[2]
    make = SENTENCES.get(name)
    if make is None or rule is None:
        return "Its condition is met." if stops else "Its condition is not met."
    return make(facts, rule)


def _as_end(sentence: str) -> str:
    """A sentence after a semicolon; one that begins with a symbol or a name stays as it is."""
    return sentence[0].lower() + sentence[1:] if sentence.split()[0].isalpha() else sentence


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
    threshold = rule["threshold"]
    if rule.get("relative_threshold") is not None:
        a, b = facts.prior
        threshold = rule["relative_threshold"] * (facts.conversions[0] + a) / (facts.visits[0] + a + b)
    below = "below" if facts.loss[arm] < threshold else "not below"
    return (
        f"Shipping {quote(facts.names[arm])} is expected to lose {max(0.0, float(facts.loss[arm])):.2g} conversions a "
        f"visit, {below} {threshold:.3g}."
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


def _e_process(facts: Facts, rule: Settings) -> str:
    arm = int(facts.log_e[1:].argmax()) + 1
    value = float(np.exp(min(facts.log_e[arm], 700.0)))
    least = f"{_odds(facts, rule['alpha'])}" if rule["adjust"] == "bonferroni" else "what e-BH asks for"
    return f"The e-value of {quote(facts.names[arm])} against {quote(facts.names[0])} is {value:.3g}, to reach {least}."


def _likelihood_ratio(facts: Facts, rule: Settings) -> str:
    if rule.get("threshold", "practical") != "practical":
        return "The leader's least log likelihood ratio against another arm has to exceed the proved threshold."
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
    "EProcess": _e_process,
    "After": _after,
}
"""By the class of the rule."""
