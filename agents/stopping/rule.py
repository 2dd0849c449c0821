"""What a stopping rule is, how rules combine, and how they are written in an experiment file."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import _check
from agents.evidence import Evidence
from agents.part import Part
from bandit_env import plugins
from bandit_env.world.task import Task

GROUP = "bandit_env.stopping_rules"

Decision = tuple[NDArray[np.intp], NDArray[np.bool_]]


@dataclass(frozen=True)
class StoppingRule(Part, ABC):
    """Decides from the evidence whether an experiment ends. A dataclass whose fields are its parameters.

    It is asked at every update from `min_days` on. One that must follow an experiment from its first update remembers
    what it needs (see `agents.part.Part`).
    """

    promise: ClassVar[str] = ""
    """What it promises of counts that are all kept, and what a memory voids: "a level of alpha"."""

    @abstractmethod
    def decide(self, evidence: Evidence) -> Decision:
        """Which arm to ship, and whether it is claimed to be better.

        Returns:
            declared (n,), -1 where the experiment goes on; claims (n,), True only where an arm is declared.
        """

    def planned(self, baseline: float, target: float) -> "StoppingRule":
        """The rule with what its plan lacks: the control's rate, and that of the variation to be found.

        An experiment file asks for it, as agents do not know the rates.
        """
        return self

    def ends_by(self, task: Task) -> float:
        """The day on which it has stopped every experiment: the horizon, where no earlier one is known beforehand."""
        return task.max_days

    def __or__(self, other: "StoppingRule") -> "AnyOf":
        return AnyOf((self, other))

    def __and__(self, other: "StoppingRule") -> "AllOf":
        return AllOf((self, other))

    @property
    def parameters(self) -> dict[str, Any]:
        """The rule as a table that `make_rule` reads: its class and its arguments, defaults included."""
        rule = f"{type(self).__module__}:{type(self).__qualname__}"
        return {"rule": rule} | {f.name: getattr(self, f.name) for f in fields(self)}


def declare(stop: NDArray[np.bool_], arm: NDArray[np.intp]) -> NDArray[np.intp]:
    """`arm` where the experiment stops, -1 where it goes on."""
    return np.where(stop, arm, -1)


@dataclass(frozen=True)
class AnyOf(StoppingRule):
    """Stops as soon as one of the rules does; ships what the first rule that stops declares.

    A winner is claimed if one of the rules that stop claims that same arm.
    """

    rules: tuple[StoppingRule, ...]

    def decide(self, evidence: Evidence) -> Decision:
        decisions = [rule.decide(evidence) for rule in self.rules]
        declared = decisions[-1][0]
        for arm, _ in reversed(decisions[:-1]):
            declared = np.where(arm >= 0, arm, declared)
        return declared, _claimed(declared, decisions)

    def planned(self, baseline: float, target: float) -> "StoppingRule":
        return replace(self, rules=tuple(rule.planned(baseline, target) for rule in self.rules))

    def ends_by(self, task: Task) -> float:
        return min(rule.ends_by(task) for rule in self.rules)

    @property
    def parameters(self) -> dict[str, Any]:
        return {"any": [rule.parameters for rule in self.rules]}


@dataclass(frozen=True)
class AllOf(StoppingRule):
    """Stops once all the rules do at the same update; ships what the first rule declares.

    A winner is claimed if one of the rules claims that same arm.
    """

    rules: tuple[StoppingRule, ...]

    def decide(self, evidence: Evidence) -> Decision:
        decisions = [rule.decide(evidence) for rule in self.rules]
        stop = np.logical_and.reduce([arm >= 0 for arm, _ in decisions])
        declared = declare(stop, decisions[0][0])
        return declared, _claimed(declared, decisions)

    def planned(self, baseline: float, target: float) -> "StoppingRule":
        return replace(self, rules=tuple(rule.planned(baseline, target) for rule in self.rules))

    @property
    def parameters(self) -> dict[str, Any]:
        return {"all": [rule.parameters for rule in self.rules]}


def _claimed(declared: NDArray[np.intp], decisions: Sequence[Decision]) -> NDArray[np.bool_]:
    claimed = np.zeros(len(declared), dtype=bool)
    for arm, claims in decisions:
        claimed |= (arm == declared) & claims
    return claimed & (declared >= 0)


@dataclass(frozen=True)
class After(StoppingRule):
    """Ships the champion from a given day on, claiming nothing; `rule & After(28)` sets a least duration.

    Attributes:
        days: the first day that may stop; None stands for the horizon.
    """

    days: float | None = None

    formula: ClassVar[str] = "stops on day `days`; ships argmax_a P(best_a)"
    source: ClassVar[str] = "a fixed end; no method of anybody's"

    def __post_init__(self) -> None:
        if self.days is not None:
            _check.non_negative("days", self.days)

    def ends_by(self, task: Task) -> float:
        return task.max_days if self.days is None else min(self.days, task.max_days)

    def decide(self, evidence: Evidence) -> Decision:
        days = evidence.task.max_days if self.days is None else self.days
        stop = evidence.day >= days
        if not stop.any():  # the integral behind the champion is not free
            return np.full(len(evidence), -1), stop
        return declare(stop, evidence.champion), np.zeros_like(stop)


def make_rule(rule: StoppingRule | str | Mapping[str, Any] | None) -> StoppingRule | None:
    """A stopping rule from the forms in which it may be written.

    Args:
        rule: a rule; None, for no rule; a name such as "value-remaining", or "package.module:Class"; names
            joined by "&" and "|" ("&" binds tighter); a table `{rule = "value-remaining", threshold = 0.02}`;
            or `{any = [...]}`, `{all = [...]}` of such.

    Raises:
        ValueError: none of these, an unknown name, or an argument that the rule does not take.
    """
    if rule is None or isinstance(rule, StoppingRule):
        return rule
    if isinstance(rule, str):
        return _from_expression(rule)
    if not isinstance(rule, Mapping):
        raise ValueError(f"stopping is {rule!r}; expected the name of a rule or a table")
    if len(rule) == 1 and next(iter(rule)) in ("any", "all"):
        ((how, parts),) = rule.items()
        return _combine(how, parts)
    if "rule" not in rule:
        raise ValueError(f"stopping is {dict(rule)}; expected a key 'rule', or one key 'any' or 'all'")
    return _named(rule["rule"], {key: value for key, value in rule.items() if key != "rule"})


def _from_expression(text: str) -> StoppingRule:
    alternatives = [[name.strip() for name in part.split("&")] for part in text.split("|")]
    if any(not name for names in alternatives for name in names):
        raise ValueError(f"stopping is {text!r}; expected names of rules, joined by '|' and '&'")
    rules = [_fold("all", [_named(name, {}) for name in names]) for names in alternatives]
    return _fold("any", rules)


def _combine(how: str, parts: object) -> StoppingRule:
    if isinstance(parts, str) or not isinstance(parts, Sequence) or not parts:
        raise ValueError(f"stopping.{how} is {parts!r}; expected a list of rules")
    rules = [make_rule(part) for part in parts]
    if any(rule is None for rule in rules):
        raise ValueError(f"stopping.{how} is {parts!r}; expected a list of rules")
    return _fold(how, [rule for rule in rules if rule is not None])


def _fold(how: str, rules: list[StoppingRule]) -> StoppingRule:
    if len(rules) == 1:
        return rules[0]
    return AnyOf(tuple(rules)) if how == "any" else AllOf(tuple(rules))


def _named(name: object, arguments: Mapping[str, Any]) -> StoppingRule:
    if not isinstance(name, str):
        raise ValueError(f"stopping rule is {name!r}; expected a name")
    accepts, expected = lambda found: issubclass(found, StoppingRule), "a StoppingRule"
    made: StoppingRule = plugins.build(GROUP, "stopping rule", name, arguments, accepts, expected)
    return made
