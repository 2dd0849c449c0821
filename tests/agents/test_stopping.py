"""Stopping rules: when they fire, what they ship, what they claim, how they combine and how they are written."""

import numpy as np
import pytest
from play import first_action

from agents.allocations.uniform import Uniform, UniformClassical
from agents.evidence import Evidence
from agents.stopping import (
    After,
    AllOf,
    AnyOf,
    BeatsControl,
    ExpectedLoss,
    FixedSample,
    ProbabilityBest,
    StoppingRule,
    ValueRemaining,
    make_rule,
)
from bandit_env.stats import posterior
from bandit_env.world.task import Task


def decide(rule, conversions, visits, **options):
    """(declared, claimed) of one experiment, or lists of them."""
    _, declared, claims = first_action(Uniform(stopping=rule), conversions, visits, **options)
    return (declared.tolist(), claims.tolist()) if len(declared) > 1 else (declared[0], bool(claims[0]))


GO_ON = (-1, False)
FIVE_PERCENT = {"conversions": [200, 250], "visits": [5000, 5000]}  # P(second best) = .99205, recomputed at 30 digits
WEAK = {"conversions": [40, 50], "visits": [1000, 1000]}  # P(second best) = .85838; P(value remaining < 1 %) = .86902
SIX = {"conversions": [40, 50, 45, 30, 20, 35], "visits": [1000] * 6}  # P(value remaining < 1 %) = .65279


@pytest.mark.parametrize(
    ("rule", "data", "expected"),
    [
        (ProbabilityBest(), FIVE_PERCENT, (1, True)),
        (ProbabilityBest(0.9921), FIVE_PERCENT, GO_ON),
        (ProbabilityBest(0.9920), FIVE_PERCENT, (1, True)),
        (ProbabilityBest(0.858), WEAK, (1, True)),
        (BeatsControl(0.9921), FIVE_PERCENT, GO_ON),
        (BeatsControl(0.9920), FIVE_PERCENT, (1, True)),
        (BeatsControl(0.5), {"conversions": [250, 200], "visits": [5000, 5000]}, GO_ON),
        (ProbabilityBest(), {"conversions": [250, 200], "visits": [5000, 5000]}, (0, True)),
        (ValueRemaining(confidence=0.8690), WEAK, (1, False)),
        (ValueRemaining(confidence=0.8691), WEAK, GO_ON),
        (ValueRemaining(confidence=0.6527), SIX, (1, False)),
        (ValueRemaining(confidence=0.6528), SIX, GO_ON),
        (ValueRemaining(threshold=0.274), SIX, GO_ON),  # the 95 % quantile is .2742548
        (ValueRemaining(threshold=0.275), SIX, (1, False)),
        (ValueRemaining(threshold=0.1, confidence=0.95), {"conversions": [1, 1], "visits": [9, 9]}, GO_ON),
    ],
)
def test_the_article_s_rules_fire_where_the_exact_posterior_says(rule, data, expected):
    assert decide(rule, **data) == expected


def test_the_literal_rule_ships_the_champion_before_it_is_told_from_the_others():
    # Arms 1 and 2 both beat the control; which of the two is best is open.
    data = {"conversions": [100, 160, 155], "visits": [4000, 4000, 4000]}
    assert posterior.probability_best(*map(np.array, data.values())).max() < 0.7
    assert decide(BeatsControl(), **data) == (1, True)
    assert decide(ProbabilityBest(), **data) == GO_ON


def test_expected_loss():
    # Published (VWO's white paper, as in references): losses .0481119843 and .0106119843 for Beta (40, 60)
    # and (70, 90).
    data = {"conversions": [39, 69], "visits": [98, 158]}
    assert decide(ExpectedLoss(0.010612), **data) == (1, False)
    assert decide(ExpectedLoss(0.010611), **data) == GO_ON


def test_expected_loss_relative_to_the_control_s_rate():
    # The same losses; the control's posterior mean is .4.
    data = {"conversions": [39, 69], "visits": [98, 158]}
    assert decide(ExpectedLoss(relative_threshold=0.0106120 / 0.4), **data) == (1, False)
    assert decide(ExpectedLoss(relative_threshold=0.0106119 / 0.4), **data) == GO_ON
    assert ExpectedLoss() == ExpectedLoss(1e-4) != ExpectedLoss(relative_threshold=1e-4)


def test_expected_loss_is_that_of_the_integral():
    conversions, visits = np.array(SIX["conversions"], float)[None], np.array(SIX["visits"], float)[None]
    evidence = Evidence(visits, conversions, np.zeros(1), np.arange(1), Task(6, 100), prior=(2.0, 5.0))
    expected = posterior.expected_loss(conversions, visits, prior=(2.0, 5.0))
    assert evidence.expected_loss() == pytest.approx(expected, abs=1e-12)


def test_nothing_stops_before_min_days():
    data = dict(FIVE_PERCENT, min_days=14)
    assert decide(ProbabilityBest(), day=13.5, updates_per_day=2, **data) == GO_ON
    assert decide(ProbabilityBest(), day=14, **data) == (1, True)


def test_experiments_of_different_days_are_decided_alone():
    rule = ProbabilityBest()
    agent = Uniform(stopping=rule)
    conversions, visits = [[200, 250], [200, 250], [40, 50]], [[5000, 5000], [5000, 5000], [1000, 1000]]
    agent.reset(Task(2, 100, min_days=14), 3, np.random.default_rng(0))
    observation = {
        "conversions": np.array(conversions, float),
        "visits": np.array(visits, float),
        "day": np.array([[3.0], [14.0], [20.0]]),
    }
    action = agent.act(observation, np.arange(3))
    assert action.tolist() == [[0.5, 0.5, 0], [0, 1, 1], [0.5, 0.5, 0]]
    assert agent.claims_winner(np.arange(3), np.array([-1, 1, -1])).tolist() == [False, True, False]


class Says(StoppingRule):
    """A rule that says the same of every experiment."""

    def __init__(self, arm, claim):
        object.__setattr__(self, "arm", arm)
        object.__setattr__(self, "claim", claim)

    def decide(self, evidence):
        return np.full(len(evidence), self.arm), np.full(len(evidence), self.claim)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Says(-1, False) | Says(1, True), (1, True)),
        (Says(0, False) | Says(1, True), (0, False)),  # the first that stops decides; the other claims another arm
        (Says(1, False) | Says(1, True), (1, True)),
        (Says(-1, False) | Says(-1, False), GO_ON),
        (Says(-1, False) & Says(1, True), GO_ON),
        (Says(1, True) & Says(-1, False), GO_ON),
        (Says(1, False) & Says(1, True), (1, True)),
        (Says(1, True) & Says(0, False), (1, True)),  # the first declares
        (Says(-1, False) | Says(1, True) & Says(0, False), (1, True)),
        ((Says(1, False) | Says(0, True)) & Says(0, True), (1, False)),
    ],
)
def test_combinations(rule, expected):
    assert decide(rule, **WEAK) == expected


def test_a_least_duration():
    rule = ProbabilityBest() & After(28)
    assert decide(rule, day=27, **FIVE_PERCENT) == GO_ON
    assert decide(rule, day=28, **FIVE_PERCENT) == (1, True)
    assert decide(After(28), day=28, **WEAK) == (1, False)
    assert decide(After(), day=999, max_days=1000, **WEAK) == GO_ON
    assert decide(After(), day=1000, max_days=1000, **WEAK) == (1, False)


def test_fixed_sample_ends_by_total_visits():
    rule = FixedSample(baseline=0.04, target=0.05)  # 2 x 11,166
    assert rule.planned_visits(2) == 22332
    assert rule.planned_visits(6) == 6 * 15308
    assert decide(rule, [447, 558], [11165, 11166]) == GO_ON
    assert decide(rule, [447, 558], [11164, 11168]) == (1, True)
    assert decide(FixedSample(visits_per_arm=99.5), [1, 20], [100, 100]) == (1, True)


@pytest.mark.parametrize("rule", [FixedSample(), FixedSample(baseline=0.04), FixedSample() | ValueRemaining()])
def test_a_fixed_sample_without_a_plan_is_refused_before_anything_is_played(rule):
    with pytest.raises(ValueError, match="the fixed-sample test has no plan: expected either baseline and target, or"):
        Uniform(stopping=rule).reset(Task(2, 100), 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="no plan"):
        UniformClassical().reset(Task(2, 100), 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="no plan"):
        FixedSample().planned_visits(2)


def test_a_plan_fills_in_what_is_missing_and_nothing_else():
    assert FixedSample().planned(0.04, 0.05) == FixedSample(0.04, 0.05)
    assert FixedSample(target=0.06, power=0.8).planned(0.04, 0.05) == FixedSample(0.04, 0.06, power=0.8)
    assert FixedSample(visits_per_arm=9).planned(0.04, 0.05) == FixedSample(visits_per_arm=9)
    rule = ValueRemaining() | FixedSample() & After(3)
    assert rule.planned(0.04, 0.05) == ValueRemaining() | FixedSample(0.04, 0.05) & After(3)
    assert UniformClassical(target=0.07).planned(0.04, 0.05) == {"baseline": 0.04}
    assert Uniform(stopping="value-remaining").planned(0.04, 0.05) == {}
    assert Uniform().planned(0.04, 0.05) == {}


@pytest.mark.parametrize(
    ("conversions", "expected"),
    [
        ([447, 558], (1, True)),
        ([558, 447], (0, True)),  # significantly better than every variation
        ([500, 501], (0, False)),
        ([500, 620, 640], (2, True)),  # of several the highest rate
        ([500, 620, 400], (1, True)),
        ([500, 400, 501], (0, False)),  # worse than one, but not better than all
        ([500, 400, 390], (0, True)),
    ],
)
def test_what_the_test_ships(conversions, expected):
    visits = [11166] * len(conversions)
    assert decide(FixedSample(visits_per_arm=11166), conversions, visits) == expected


def test_the_level_is_shared_by_the_comparisons():
    # z of 560 against 500 of 11,166 each is 1.89, of 565 it is 2.04: significant alone, not at .05 / 2.
    assert decide(FixedSample(visits_per_arm=11166), [500, 565], [11166] * 2) == (1, True)
    assert decide(FixedSample(visits_per_arm=11166), [500, 565, 500], [11166] * 3) == (0, False)


@pytest.mark.parametrize("rates", [(0.04, 0.05), (0.04, 0.04)])
def test_uniform_classical_keeps_its_power_and_its_size(rates):
    # The plan's power is .95 and its size .05, by a normal approximation that is good to .002 here.
    count, n = 40_000, 11_166
    rng = np.random.default_rng(0)
    conversions = rng.binomial(n, rates, (count, 2))
    _, declared, claims = first_action(UniformClassical(0.04, 0.05), conversions, np.full((count, 2), n))
    if rates[0] == rates[1]:
        found, expected = claims.mean(), 0.05
        assert (claims & (declared == 0)).mean() == pytest.approx(0.025, abs=0.004)
    else:
        found, expected = (claims & (declared == 1)).mean(), 0.95
    assert abs(found - expected) < 4 * np.sqrt(0.05 * 0.95 / count) + 0.002


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        (None, None),
        ("value-remaining", ValueRemaining()),
        ("agents.stopping:ValueRemaining", ValueRemaining()),
        (" beats-control|value-remaining ", AnyOf((BeatsControl(), ValueRemaining()))),
        (
            "beats-control | probability-best & after",
            AnyOf((BeatsControl(), AllOf((ProbabilityBest(), After())))),
        ),
        ({"rule": "value-remaining", "threshold": 0.02}, ValueRemaining(threshold=0.02)),
        ({"rule": "expected-loss", "relative_threshold": 0.002}, ExpectedLoss(relative_threshold=0.002)),
        ({"any": ["beats-control"]}, BeatsControl()),
        (
            {"all": ["probability-best", {"any": [{"rule": "after", "days": 28}, "value-remaining"]}]},
            ProbabilityBest() & (After(28) | ValueRemaining()),
        ),
    ],
)
def test_rules_as_they_are_written(written, rule):
    made = make_rule(written)
    assert made == rule
    if made is not None:
        assert make_rule(made) is made
        assert make_rule(made.parameters) == made


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("value-remainig", "unknown name 'value-remainig'; did you mean 'value-remaining'"),
        ("beats-control |", "expected names of rules, joined by"),
        ("", "expected names of rules"),
        (3, "stopping is 3; expected the name of a rule or a table"),
        ({"threshold": 0.01}, "expected a key 'rule', or one key 'any' or 'all'"),
        ({"rule": 7}, "stopping rule is 7; expected a name"),
        ({"any": "beats-control"}, "stopping.any is 'beats-control'; expected a list of rules"),
        ({"all": []}, r"stopping.all is \[\]; expected a list"),
        ({"any": [None]}, "expected a list of rules"),
        ({"rule": "value-remaining", "treshold": 1}, "unknown argument 'treshold'; did you mean 'threshold'"),
        ({"rule": "value-remaining", "threshold": 0}, "threshold is 0; expected a positive number"),
        ({"rule": "probability-best", "confidence": 95}, "confidence is 95; expected a number between 0 and 1"),
        ({"rule": "probability-best", "confidence": "high"}, "confidence is 'high'"),
        ({"rule": "after", "days": -1}, "days is -1"),
        ({"rule": "expected-loss", "threshold": True}, "threshold is True; expected a positive number"),
        (
            {"rule": "expected-loss", "threshold": 0.1, "relative_threshold": 0.1},
            "threshold is 0.1 and relative_threshold is 0.1; expected one of the two",
        ),
        ({"rule": "expected-loss", "relative_threshold": 0}, "relative_threshold is 0; expected a positive number"),
        ({"rule": "mixture-sprt", "variance": 1e-4, "relative_sd": 0.2}, "variance is 0.0001 and relative_sd is 0.2"),
        ({"rule": "mixture-sprt", "relative_sd": -1}, "relative_sd is -1; expected a positive number"),
        ({"rule": "glr", "threshold": "proven"}, "threshold is 'proven'; expected one of practical, proved"),
        ({"rule": "fixed-sample", "target": 1.5}, "target is 1.5; expected a number between 0 and 1"),
        ({"rule": "fixed-sample", "baseline": 0.04, "visits_per_arm": 9}, "expected either baseline and target"),
        ({"rule": "fixed-sample", "baseline": 0.04, "target": 4}, "target is 4"),
        ({"rule": "fixed-sample", "visits_per_arm": 0}, "visits_per_arm is 0"),
        ({"rule": "group-sequential", "shape": "pockock"}, "shape is 'pockock'; expected one of pocock, "),
        ({"rule": "group-sequential", "looks": 2.5}, "looks is 2.5; expected a whole number of at least 1"),
        ({"rule": "group-sequential", "days": 0}, "days is 0"),
        ({"rule": "mixture-sprt", "variance": 0}, "variance is 0"),
        ({"rule": "confidence-sequence", "mixture": [1]}, r"mixture is \[1\]; expected two positive numbers"),
        ({"rule": "glr", "delta": 1}, "delta is 1"),
        ({"rule": "repeated-test", "alpha": 0}, "alpha is 0"),
        ("agents.allocations.uniform:Uniform", "is a Uniform; expected a StoppingRule"),
    ],
)
def test_rules_that_are_written_wrong(written, message):
    with pytest.raises(ValueError, match=message):
        make_rule(written)
