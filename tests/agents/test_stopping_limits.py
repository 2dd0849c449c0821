"""What every stopping rule does at its limits: certainty, a threshold that is just reached, ties, the last look."""

import numpy as np
import pytest
from play import first_action, play

import agents
from agents.allocations.uniform import Uniform
from agents.evidence import Evidence
from agents.stopping import (
    After,
    BeatsControl,
    ConfidenceSequence,
    ExpectedLoss,
    FixedSample,
    GeneralizedLikelihoodRatio,
    GroupSequential,
    MixtureSPRT,
    ProbabilityBest,
    RepeatedTest,
    ValueRemaining,
    group_sequential,
)
from agents.stopping.always_valid import likelihood_ratio, log_pooled_mixture_ratio
from agents.stopping.boundaries import SHAPES
from bandit_env.stats import posterior
from bandit_env.stats.power import two_proportion_test
from bandit_env.world.task import Task

CLAIMING = [
    BeatsControl(),
    ProbabilityBest(),
    FixedSample(visits_per_arm=100),
    RepeatedTest(),
    *(GroupSequential(shape) for shape in SHAPES),
    MixtureSPRT(),
    MixtureSPRT(relative_sd=0.25),
    ConfidenceSequence(),
    GeneralizedLikelihoodRatio(),
    GeneralizedLikelihoodRatio(threshold="proved"),
]
SHIPPING = [ValueRemaining(), ExpectedLoss(), ExpectedLoss(relative_threshold=0.01), After(5)]
DAYS = Task(3, 100, min_days=2, max_days=20)


@pytest.mark.parametrize("rule", CLAIMING + SHIPPING, ids=repr)
@pytest.mark.parametrize("allocation", ["uniform", "thompson"])
@pytest.mark.parametrize("rates", [(0, 1, 0.5), (0.5, 0, 1)], ids=str)
def test_certainty_is_seen(rule, allocation, rates):
    count = 20
    played = play(agents.make(allocation, stopping=rule), np.tile(np.array(rates, float), (count, 1)), DAYS, seed=0)
    assert (played.declared == rates.index(1)).all()
    assert (played.claims == (rule in CLAIMING)).all()


@pytest.mark.parametrize("rule", CLAIMING, ids=repr)
def test_a_control_that_always_converts_is_claimed(rule):
    played = play(Uniform(stopping=rule), np.tile([1.0, 0, 0.5], (20, 1)), DAYS, seed=0)
    never = isinstance(rule, BeatsControl)  # it never stops in favour of the control
    assert (played.declared == (-1 if never else 0)).all()
    assert (played.claims == (not never)).all()


@pytest.mark.parametrize("rule", CLAIMING, ids=repr)
@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_nothing_is_claimed_of_arms_that_all_do_the_same(rule, rate):
    assert not play(Uniform(stopping=rule), np.full((20, 3), rate), DAYS, seed=0).claims.any()


@pytest.mark.parametrize("rule", CLAIMING + SHIPPING, ids=repr)
def test_nothing_is_claimed_without_data(rule):
    declared, claims = decide(rule, [0, 0, 0], [0, 0, 0], day=3)
    assert not claims
    assert declared == -1


def decide(rule, conversions, visits, day=1000.0, **task):
    """(declared, claimed) of one experiment."""
    _, declared, claims = first_action(Uniform(stopping=rule), conversions, visits, day=day, **task)
    return int(declared[0]), bool(claims[0])


S, N = [447, 650, 500], [11165, 11165, 11165]
OPEN = [447, 470, 460]


def counts():
    return np.array([S], float), np.array([N], float)


def just(value, solved):
    """The number nearest to `value` at which `solved` is exactly 0."""
    around = value + np.spacing(value) * np.array(sorted(range(-100, 101), key=abs))
    exact = [x for x in around if solved(x) == 0]
    assert exact, "no double gives equality"
    return float(exact[0])


def test_a_threshold_that_is_just_reached():
    # Each documented ">=" stops at equality, each ">" and "<" does not.
    conversions, visits = counts()
    best = posterior.probability_best(conversions, visits).max()
    beats = posterior.probability_beats(conversions, visits).max()
    below = posterior.weights_and_value_remaining(conversions, visits, threshold=0.01)[1][0]
    loss = posterior.expected_loss(conversions, visits).min()
    p_value = two_proportion_test(conversions, visits)[1].min()
    ratio = log_pooled_mixture_ratio(conversions, visits).max()
    statistic = likelihood_ratio(conversions, visits)[0][0]
    alpha = just(2 / np.exp(ratio), lambda a: ratio - np.log(2 / a))
    delta = just((np.log(sum(N)) + 1) / np.exp(statistic), lambda d: statistic - np.log((np.log(sum(N)) + 1) / d))
    for rule, expected in [
        (ProbabilityBest(best), (1, True)),
        (ProbabilityBest(np.nextafter(best, 1)), (-1, False)),
        (BeatsControl(beats), (1, True)),
        (BeatsControl(np.nextafter(beats, 1)), (-1, False)),
        (ValueRemaining(0.01, below), (1, False)),
        (ValueRemaining(0.01, np.nextafter(below, 1)), (-1, False)),
        (ExpectedLoss(loss), (-1, False)),
        (ExpectedLoss(np.nextafter(loss, 1)), (1, False)),
        (RepeatedTest(2 * p_value), (1, True)),  # two comparisons
        (RepeatedTest(np.nextafter(2 * p_value, 0)), (-1, False)),
        (FixedSample(visits_per_arm=11165, alpha=2 * p_value), (1, True)),
        (FixedSample(visits_per_arm=11165, alpha=np.nextafter(2 * p_value, 0)), (0, False)),
        (FixedSample(visits_per_arm=11165.1, alpha=2 * p_value), (-1, False)),
        (MixtureSPRT(alpha), (1, True)),
        (MixtureSPRT(alpha * (1 - 1e-12)), (-1, False)),
        (GeneralizedLikelihoodRatio(delta), (-1, False)),
        (GeneralizedLikelihoodRatio(delta * (1 + 1e-12)), (1, True)),
    ]:
        assert decide(rule, S, N) == expected, rule


def test_a_boundary_that_is_just_reached(monkeypatch):
    z = float(two_proportion_test(*counts())[0].max())
    for bound, expected in ((z, (1, True)), (np.nextafter(z, 9), (-1, False))):
        monkeypatch.setattr(group_sequential, "boundaries", lambda *_, bound=bound: (bound, bound))
        assert decide(GroupSequential(looks=2), S, N, day=10, max_days=20) == expected


def test_a_confidence_bound_that_is_just_reached(monkeypatch):
    lower = np.array([[0.1, 0.3, 0.2]])
    for highest, expected in ((0.3, (-1, False)), (np.nextafter(0.3, 0), (1, True))):
        upper = np.array([[highest, 0.5, 0.25]])
        monkeypatch.setattr(
            "agents.stopping.always_valid.confidence_bounds", lambda *_, upper=upper: (lower.copy(), upper.copy())
        )
        assert decide(ConfidenceSequence(), S, N) == expected


@pytest.mark.parametrize("rule", [*CLAIMING, *SHIPPING], ids=repr)
def test_ties_go_to_the_first_and_a_draw_of_two_variations_stops_only_rules_that_need_not_tell_them_apart(rule):
    declared, claims = decide(rule, [447, 700, 700], N, max_days=1000)
    tells_apart = isinstance(rule, ProbabilityBest | ConfidenceSequence | GeneralizedLikelihoodRatio)
    if tells_apart:
        assert (declared, claims) == (-1, False)
    elif isinstance(rule, ValueRemaining | ExpectedLoss):
        assert not claims
        assert declared in (-1, 1)
    else:
        assert declared == 1


@pytest.mark.parametrize("rule", CLAIMING, ids=repr)
def test_the_third_arm_counts(rule):
    # The third arm is far ahead, the second level with the control; and the other way round.
    assert decide(rule, [447, 447, 700], N, max_days=1000) == (2, True)
    assert decide(rule, [447, 700, 447], N, max_days=1000) == (1, True)


def test_the_control_is_claimed_only_against_every_variation():
    for rule in CLAIMING:
        if not isinstance(rule, BeatsControl):
            assert decide(rule, [700, 447, 450], N, max_days=1000) == (0, True), rule
            assert decide(rule, [700, 447, 699], N, max_days=1000)[1] is False, rule


def test_the_last_look_is_made_where_it_was_missed():
    # All looks lie before min_days: the last one is made at the first update that may stop.
    rule = GroupSequential(days=7)
    assert decide(rule, OPEN, N, day=13, min_days=14) == (-1, False)
    assert decide(rule, OPEN, N, day=14, min_days=14) == (0, False)
    assert decide(rule, [447, 700, 447], N, day=14, min_days=14) == (1, True)
    # And where updates do not fall on it: days 6.5 and 7.5 of half days are no looks of 7 planned days.
    assert decide(rule, OPEN, N, day=7.5, updates_per_day=2) == (0, False)
    assert decide(rule, OPEN, N, day=6.5, updates_per_day=2) == (-1, False)
    assert decide(After(7), OPEN, N, day=6.5, updates_per_day=2) == (-1, False)
    assert decide(After(7), OPEN, N, day=7, updates_per_day=2) == (1, False)


def test_a_boundary_of_another_look_does_not_stop():
    # O'Brien and Fleming's first of five looks asks for 4.56, the last for 2.04: z is 2.79 here.
    conversions, visits = [500, 590], [11165, 11165]
    for day, expected in ((20, (-1, False)), (40, (-1, False)), (60, (1, True)), (100, (1, True))):
        assert decide(GroupSequential(days=100), conversions, visits, day=day) == expected, day


def test_rules_see_each_experiment_on_its_own_day():
    visits = np.tile([11165.0, 11165.0], (3, 1))
    evidence = Evidence(visits, np.tile([447.0, 600.0], (3, 1)), np.array([3.0, 20, 21]), np.arange(3), Task(2, 100))
    declared, claims = GroupSequential(days=100).decide(evidence)
    assert declared.tolist() == [-1, 1, -1]
    assert claims.tolist() == [False, True, False]
