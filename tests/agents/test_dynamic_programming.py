"""Bayes-optimal play of two arms, exact values of policies, and the Gittins index."""

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from play import first_action, play
from scipy.special import betaln

import agents
from agents.allocations.dynamic_programming import policy_of, policy_value, solve, states
from agents.allocations.gittins import index_table
from bandit_env.world.task import Task


@cache
def optimal_by_hand(s0, f0, s1, f1, left):
    """The textbook recursion in rational numbers, without any of the package's layout."""
    if left == 0:
        return Fraction(0)
    mean0, mean1 = Fraction(s0 + 1, s0 + f0 + 2), Fraction(s1 + 1, s1 + f1 + 2)
    first = mean0 * (1 + optimal_by_hand(s0 + 1, f0, s1, f1, left - 1)) + (1 - mean0) * optimal_by_hand(
        s0, f0 + 1, s1, f1, left - 1
    )
    second = mean1 * (1 + optimal_by_hand(s0, f0, s1 + 1, f1, left - 1)) + (1 - mean1) * optimal_by_hand(
        s0, f0, s1, f1 + 1, left - 1
    )
    return max(first, second)


@pytest.mark.parametrize("horizon", [1, 2, 3, 10])
def test_the_optimal_value_in_rational_numbers(horizon):
    assert solve(horizon)[0] == pytest.approx(float(optimal_by_hand(0, 0, 0, 0, horizon)), abs=1e-13)


def test_published_optimal_values():
    # Two independent programmes agree on these; the first is also 6 + 61/2800.
    assert solve(10)[0] == pytest.approx(6.0217857142857145, abs=1e-13)
    assert solve(100)[0] == pytest.approx(64.91842065, abs=5e-9)


def test_the_states_are_numbered_as_they_are_listed():
    visits, conversions = states(3)
    assert len(visits) == 20  # (t+1)(t+2)(t+3)/6
    assert (visits.sum(axis=1) == 3).all()
    assert (conversions <= visits).all()
    assert len(np.unique(np.hstack([visits, conversions]), axis=0)) == 20


def test_the_value_of_the_optimal_agent_is_the_optimal_value():
    value, _ = solve(40)
    assert policy_value(40, policy_of(agents.make("bayes-optimal"), 40)) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    "name", ["thompson", "kl-ucb", "bayes-ucb", "ucb1", "gittins", "posterior-index", "epsilon-greedy"]
)
def test_no_agent_is_worth_more_than_the_optimal_one(name):
    value = policy_value(15, policy_of(agents.make(name), 15))
    assert 7.5 < value < solve(15)[0]


def test_a_policy_s_value_by_hand():
    def always_second(visits, conversions):
        return np.ones(len(visits))

    def stay_with_a_winner(visits, conversions):
        return np.where(visits[:, 1] > 0, 1.0, np.where(visits[:, 0] > conversions[:, 0], 1.0, 0.0))

    assert policy_value(7, always_second, rates=(0.3, 0.6)) == pytest.approx(4.2, abs=1e-12)
    assert policy_value(7, always_second, prior=(3, 1)) == pytest.approx(5.25, abs=1e-12)
    # First arm 0; if it fails, arm 1: .3 + .3 .3 + .7 .6
    assert policy_value(2, stay_with_a_winner, rates=(0.3, 0.6)) == pytest.approx(0.81, abs=1e-12)


def thompson_by_recursion(horizon):
    """The value of Thompson's policy without the package's integrals, by Cook's recursion for whole-number posteriors.

    Cook (2005), "Exact calculation of Beta inequalities": g(a + 1, b, c, d) = g(a, b, c, d) + B(a + c, b + d)
    / (a B(a, b) B(c, d)), and g(1, b, c, d) = B(c, b + d) / B(c, d). A state with one conversion less belongs
    to the layer before.
    """
    chances, before = [], None
    for t in range(horizon):
        (n0, n1), (s0, s1) = (counts.T.astype(int) for counts in states(t))
        a, b, c, d = s1 + 1, n1 - s1 + 1, s0 + 1, n0 - s0 + 1
        chance = np.exp(betaln(c, b + d) - betaln(c, d))
        won = np.flatnonzero(s1 > 0)
        i, b, c, d = a[won] - 1, b[won], c[won], d[won]
        if before is not None:
            step = np.exp(betaln(i + c, b + d) - betaln(i, b) - betaln(c, d)) / i
            chance[won] = before[n1[won] - 1, s1[won] - 1, s0[won]] + step
        chances.append(chance)
        before = np.zeros((t + 1, t + 1, t + 1))
        before[n1, s1, s0] = chance
    return policy_value(horizon, lambda visits, conversions: chances[int(visits[0].sum())])


def test_thompson_s_exact_value():
    of_agent = policy_value(12, policy_of(agents.make("thompson"), 12))
    assert of_agent == pytest.approx(thompson_by_recursion(12), abs=1e-6)  # an action is float32
    # An independent programme's value, to the digits given.
    assert thompson_by_recursion(100) == pytest.approx(63.880, abs=5e-4)


def test_greedy_s_exact_value():
    # An independent programme's value, to the digits given: the larger posterior mean, ties shared.
    greedy = agents.make("posterior-index", c=0)
    assert policy_value(100, policy_of(greedy, 100)) == pytest.approx(63.975, abs=5e-4)


@pytest.mark.parametrize("name", ["bayes-optimal", "thompson"])
def test_simulated_play_agrees_with_the_exact_value(name):
    horizon, count = 20, 2000
    rates = np.random.default_rng(1).random((count, 2))
    total = play(agents.make(name), rates, Task(2, 1, max_days=horizon), seed=2).conversions.sum(axis=1)
    exact = policy_value(horizon, policy_of(agents.make(name), horizon)) if name == "thompson" else solve(horizon)[0]
    assert abs(total.mean() - exact) < 4 * total.std() / np.sqrt(count)


def test_gittins_at_five_arms_and_100_visits():
    # Our independent simulation: 78.68 +- .05; rates uniform on [0, 1].
    count = 20_000
    rates = np.random.default_rng(3).random((count, 5))
    total = play(agents.make("gittins"), rates, Task(5, 1, max_days=100), seed=4).conversions.sum(axis=1)
    assert abs(total.mean() - 78.68) < 4 * np.hypot(total.std() / np.sqrt(count), 0.05)


def test_the_posterior_index_at_five_arms_and_100_visits():
    # Our independent simulation: mean + 1.0 sd, 78.15 +- .05.
    count = 20_000
    rates = np.random.default_rng(5).random((count, 5))
    agent = agents.make("posterior-index", c=1.0, exponent=0)
    total = play(agent, rates, Task(5, 1, max_days=100), seed=6).conversions.sum(axis=1)
    assert abs(total.mean() - 78.15) < 4 * np.hypot(total.std() / np.sqrt(count), 0.05)


def gittins_by_hand(s, f, left):
    """The index by bisection on the known rate, with the textbook recursion for each."""

    def gain(known):
        @cache
        def value(s, f, left):
            return 0.0 if left == 0 else max(known * left, go_on(s, f, left))

        def go_on(s, f, left):
            mean = (s + 1) / (s + f + 2)
            return mean * (1 + value(s + 1, f, left - 1)) + (1 - mean) * value(s, f + 1, left - 1)

        return go_on(s, f, left) - known * left

    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if gain(middle) > 0 else (low, middle)
    return low


@pytest.mark.parametrize(("s", "f", "left"), [(0, 0, 1), (0, 0, 20), (3, 5, 10), (0, 8, 12), (6, 0, 14), (1, 1, 7)])
def test_the_gittins_index_by_bisection(s, f, left):
    horizon = 20
    table = index_table(horizon)
    start = sum((horizon - m + 1) ** 2 for m in range(left))
    assert table[start + s * (horizon - left + 1) + f] == pytest.approx(gittins_by_hand(s, f, left), abs=2e-5)


def test_at_the_horizon_the_gittins_index_is_the_mean():
    weights, _, _ = first_action(
        agents.make("gittins"), [[0, 8], [2, 1]], [[0, 10], [5, 5]], visits_per_day=1, max_days=10
    )
    assert weights.tolist() == [[0, 1], [1, 0]]
    assert index_table(10)[: 11**2].reshape(11, 11)[8, 2] == 9 / 12


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        ("bayes-optimal", Task(3, 1, max_days=50), "two arms; got 3"),
        ("bayes-optimal", Task(2, 100, max_days=50), "expected as many updates as visits a day, got 1 updates for 100"),
        ("bayes-optimal", Task(2, 1, max_days=1000), "expected a horizon of 1 to 150 visits, got 1000"),
        ("gittins", Task(5, 1, max_days=1000), "expected a horizon of 1 to 400 visits"),
    ],
)
def test_a_task_that_the_table_cannot_hold_is_refused(name, task, message):
    with pytest.raises(ValueError, match=message):
        agents.make(name).reset(task, 1, np.random.default_rng(0))
