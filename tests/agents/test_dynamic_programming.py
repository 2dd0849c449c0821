"""Bayes-optimal play of two arms, exact values of policies, and the Gittins index."""

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from play import first_action, play
from scipy.special import betaln

import agents
from agents.allocations.dynamic_programming import policy_of, policy_value, solve, states
from agents.allocations.gittins import discounted_index_table, index_table
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


def gittins_by_hand(n, s, left, discount=1.0):
    """The index by bisection on the known rate, with the textbook recursion for each: no table, no layout."""
    # Discounted, the horizon is endless, and after `left` visits the arm counts as known.
    remaining = np.arange(left, -1, -1.0) if discount == 1 else np.full(left + 1, 1 / (1 - discount))

    def gain(known):
        mean = (s + np.arange(left + 1) + 1) / (n + left + 2)
        value = np.zeros(left + 1) if discount == 1 else np.maximum(mean, known) * remaining[left]
        for step in range(left - 1, -1, -1):
            mean = (s + np.arange(step + 1) + 1) / (n + step + 2)
            go_on = mean * (1 + discount * value[1:]) + (1 - mean) * discount * value[:-1]
            value = np.maximum(go_on, known * remaining[step])
        return go_on[0] - known * remaining[0]

    low, high = 0.0, 1.0
    for _ in range(48):
        middle = (low + high) / 2
        low, high = (middle, high) if gain(middle) > 0 else (low, middle)
    return low


def place(n, s, left):
    """Where a state stands in the table."""
    total = n + left
    return total * (total + 1) * (total + 2) // 6 + n * (n + 1) // 2 + s


def test_the_gittins_index_by_bisection():
    horizon = 100
    table = index_table(horizon)
    rng = np.random.default_rng(0)
    drawn = [(n, int(rng.integers(n + 1)), int(rng.integers(1, horizon - n + 1))) for n in rng.integers(0, 100, 40)]
    assert len(table) == place(horizon, horizon, 0) + 1
    for n, s, left in [(0, 0, 100), (1, 1, 99), (1, 0, 99), (99, 0, 1), (2, 1, 7), (50, 50, 50), *drawn]:
        assert table[place(n, s, left)] == pytest.approx(gittins_by_hand(n, s, left), abs=1e-8), (n, s, left)


def test_the_gittins_index_under_another_prior():
    # Beta(4, 2) is the uniform prior after 3 conversions of 4 visits.
    assert index_table(10, (4.0, 2.0))[place(2, 1, 8)] == pytest.approx(gittins_by_hand(6, 4, 8), abs=1e-8)


@pytest.mark.parametrize(
    ("discount", "won", "lost", "index"),
    # Gittins' tables print the first three as .7029, .8695 and .6677; five digits by an independent programme.
    [
        (0.9, 1, 1, 0.70289),
        (0.9, 10, 2, 0.86949),
        (0.9, 10, 6, 0.66766),
        (0.99, 1, 1, 0.86986),
        (0.99, 2, 1, 0.91018),
        (0.99, 1, 2, 0.70054),
        (0.99, 2, 2, 0.78436),
        (0.99, 5, 5, 0.66972),
    ],
)
def test_published_discounted_indices(discount, won, lost, index):
    n, s = won + lost - 2, won - 1
    table = discounted_index_table(14, discount)
    assert table[n * (n + 1) // 2 + s] == pytest.approx(index, abs=5.1e-6)


def test_discounted_indices_by_bisection():
    table = discounted_index_table(40, 0.9)
    for n, s in [(0, 0), (1, 0), (1, 1), (7, 3), (40, 0), (40, 40), (33, 21)]:
        by_hand = gittins_by_hand(n, s, 250, discount=0.9)
        assert table[n * (n + 1) // 2 + s] == pytest.approx(by_hand, abs=1e-6), (n, s)


def test_the_discounted_agent_serves_the_larger_index():
    # Of (10, 2) and (10, 6) the first; of (2, 2) and (1, 1) the one that is known less, though the means are equal.
    for conversions, visits, best in (
        ([9, 9], [10, 14], [1, 0]),
        ([1, 0], [2, 0], [0, 1]),
        ([1, 1], [2, 2], [0.5, 0.5]),
    ):
        weights, _, _ = first_action(
            agents.make("gittins-discounted", discount=0.9), conversions, visits, visits_per_day=1, max_days=40
        )
        assert weights[0].tolist() == best


def test_at_the_horizon_the_gittins_index_is_the_mean():
    weights, _, _ = first_action(
        agents.make("gittins"), [[0, 8], [2, 1]], [[0, 10], [5, 5]], visits_per_day=1, max_days=10
    )
    assert weights.tolist() == [[0, 1], [1, 0]]
    assert index_table(10)[place(10, 8, 0)] == 9 / 12


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        ("bayes-optimal", Task(3, 1, max_days=50), "two arms; got 3"),
        ("bayes-optimal", Task(2, 100, max_days=50), "expected as many updates as visits a day, got 1 updates for 100"),
        ("bayes-optimal", Task(2, 1, max_days=1000), "expected a horizon of 1 to 150 visits, got 1000"),
        ("gittins-discounted", Task(5, 100, max_days=50), "expected as many updates as visits a day"),
        ("gittins-discounted", Task(5, 1, max_days=4000), "expected a horizon of 1 to 3625 visits"),
        ("gittins", Task(5, 1, max_days=1000), "expected a horizon of 1 to 500 visits"),
    ],
)
def test_a_task_that_the_table_cannot_hold_is_refused(name, task, message):
    with pytest.raises(ValueError, match=message):
        agents.make(name).reset(task, 1, np.random.default_rng(0))


def test_a_discount_that_looks_too_far_is_refused():
    with pytest.raises(
        ValueError, match=r"discount is 0.999, which looks 13,809 visits ahead; expected less than 5,000"
    ):
        agents.make("gittins-discounted", discount=0.999).reset(Task(2, 1, max_days=10), 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="discount is 1; expected a number between 0 and 1"):
        agents.make("gittins-discounted", discount=1)
