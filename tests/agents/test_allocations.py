"""Allocations on states worked out by hand, and their regret against the lower bound."""

import numpy as np
import pytest
from play import first_action, observe, play
from scipy import stats
from scipy.optimize import brentq

import agents
from bandit_env.world.task import Task


def kl(p, q):
    return stats.entropy([p, 1 - p], [q, 1 - q])


@pytest.mark.parametrize(
    "name", ["ucb1", "kl-ucb", "bayes-ucb", "thompson", "epsilon-greedy", "uniform", "track-and-stop"]
)
def test_the_first_update_is_split_equally(name):
    weights, *_ = first_action(agents.make(name), [0, 0, 0], [0, 0, 0], day=0)
    assert weights[0] == pytest.approx([1 / 3] * 3, abs=1e-7)


@pytest.mark.parametrize("name", ["ucb1", "kl-ucb", "bayes-ucb", "epsilon-greedy"])
def test_arms_that_tie_share(name):
    weights, *_ = first_action(agents.make(name), [9, 9, 1], [20, 20, 20])
    assert weights[0, 0] == weights[0, 1] > weights[0, 2]


def index(name, conversions, visits, **arguments):
    agent = agents.make(name, **arguments)
    agent.reset(Task(len(visits), 100, max_days=100), 1, np.random.default_rng(0))
    captured = {}
    original = agent.index

    def capture(evidence):
        captured["index"] = original(evidence)
        return captured["index"]

    agent.index = capture
    agent.act(observe(conversions, visits, day=36), np.arange(1))
    return captured["index"][0]


def test_ucb1_index():
    expected = [0.2 + np.sqrt(2 * np.log(150) / 50), 0.3 + np.sqrt(2 * np.log(150) / 100)]
    assert index("ucb1", [10, 30], [50, 100]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("s", "n"), [(10, 50), (0, 50), (49, 50), (1, 10_000)])
@pytest.mark.parametrize("c", [0, 3])
def test_kl_ucb_index(s, n, c):
    reach = np.log(n + 100) + c * np.log(np.log(n + 100))
    expected = brentq(lambda q: n * kl(s / n, q) - reach, s / n + 1e-12, 1 - 1e-15, xtol=1e-15)
    assert index("kl-ucb", [s, 30], [n, 100], c=c)[0] == pytest.approx(expected, rel=1e-9)


def test_kl_ucb_of_nothing_but_conversions_is_one():
    assert index("kl-ucb", [50, 3], [50, 100])[0] == 1


def test_bayes_ucb_index():
    expected = stats.beta([11, 31], [41, 71]).isf(1 / 151)
    assert index("bayes-ucb", [10, 30], [50, 100]) == pytest.approx(expected, rel=1e-10)
    expected = stats.beta([12, 32], [43, 73]).isf(1 / (151 * np.log(10_000) ** 5))
    assert index("bayes-ucb", [10, 30], [50, 100], c=5, prior=(2, 3)) == pytest.approx(expected, rel=1e-10)


def test_posterior_index():
    posterior = stats.beta([11, 31], [41, 71])
    expected = posterior.mean() + 2 * 0.8 * posterior.std()  # day 36 of 100: sqrt(.64) = .8
    assert index("posterior-index", [10, 30], [50, 100], c=2) == pytest.approx(expected, rel=1e-12)


def test_epsilon_greedy_shares():
    weights, *_ = first_action(agents.make("epsilon-greedy", epsilon=0.3), [10, 30, 20], [100, 100, 100])
    assert weights[0] == pytest.approx([0.1, 0.8, 0.1])
    decayed = agents.make("epsilon-greedy", epsilon=0.3, decay_after=100)  # 300 visits: a third of it is left
    weights, *_ = first_action(decayed, [10, 30, 20], [100, 100, 100])
    assert weights[0] == pytest.approx([0.1 / 3, 1 - 0.2 / 3, 0.1 / 3])


def test_tempering_and_floor():
    plain, *_ = first_action(agents.make("thompson"), [20, 25, 24], [100, 100, 100])
    same, *_ = first_action(agents.make("tempered-thompson"), [20, 25, 24], [100, 100, 100])
    assert same == pytest.approx(plain, rel=1e-6)
    weights, *_ = first_action(agents.make("tempered-thompson", gamma=2, floor=0.05), [20, 25, 24], [100, 100, 100])
    assert weights[0] == pytest.approx(0.05 + 0.85 * plain[0] ** 2 / (plain[0] ** 2).sum(), rel=1e-5)
    sure, *_ = first_action(agents.make("tempered-thompson", gamma=50, floor=0.05), [1e5, 1, 1], [1e6, 1e6, 1e6])
    assert sure[0] == pytest.approx([0.9, 0.05, 0.05])


def test_thompson_is_p_best():
    # R `bandit` manual's example, recomputed at 30 digits.
    weights, *_ = first_action(agents.make("thompson"), [10, 20, 30, 50], [100, 102, 120, 130])
    expected = [1.61186333371e-7, 8.0482925595271e-4, 0.011428671561779, 0.98776633799594]
    assert weights[0] == pytest.approx(expected, rel=1e-6)


def test_the_prior_reaches_the_weights():
    # P(best) of the first of 2/100 and 20/1000 under prior (2, 5), recomputed at 30 digits.
    weights, *_ = first_action(agents.make("thompson", prior=[2, 5]), [2, 20], [100, 1000])
    assert weights[0, 0] == pytest.approx(0.79080095145051, rel=1e-6)


def test_regret_grows_at_the_rate_of_the_lower_bound():
    # Lai and Robbins (1985): regret over log t tends to at least C = sum (best - rate) / kl(rate, best),
    # 2.2521 for (.9, .8). The slope between t = 400 and 3,200 is near C for the policies that attain it, and
    # several times C for UCB1.
    constant = 0.1 / kl(0.8, 0.9)
    assert constant == pytest.approx(2.2521, abs=5e-5)
    task, rates = Task(2, 1, max_days=3200), np.tile([0.9, 0.8], (200, 1))
    slope = {}
    for name in ("kl-ucb", "bayes-ucb", "thompson", "ucb1"):
        played = play(agents.make(name), rates, task, seed=0, snapshot=400)
        slope[name] = 0.1 * (played.visits - played.snapshot)[:, 1].mean() / np.log(8)
    assert all(slope[name] < 1.6 * constant for name in ("kl-ucb", "bayes-ucb", "thompson")), slope
    assert slope["ucb1"] > 4 * constant, slope


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("epsilon-greedy", {"epsilon": -0.1}, "epsilon is -0.1; expected a number from 0 to 1"),
        ("epsilon-greedy", {"epsilon": "high"}, "epsilon is 'high'"),
        ("epsilon-greedy", {"decay_after": 0}, "decay_after is 0; expected a positive number"),
        ("epsilon-greedy", {"eps": 0.1}, "unknown argument 'eps'; did you mean 'epsilon'"),
        ("thompson", {"prior": [1, 0]}, r"prior is \[1, 0\]; expected two positive numbers"),
        ("thompson", {"prior": 3}, "prior is 3; expected two positive numbers"),
        ("tempered-thompson", {"gamma": 0}, "gamma is 0; expected a positive number"),
        ("tempered-thompson", {"floor": 2}, "floor is 2"),
        ("top-two-thompson", {"beta": 1}, "beta is 1; expected a number between 0 and 1"),
        ("kl-ucb", {"c": -1}, "c is -1; expected a number of at least 0"),
        ("bayes-ucb", {"c": float("nan")}, "c is nan"),
        ("successive-elimination", {"delta": 0}, "delta is 0"),
        ("posterior-index", {"exponent": -1}, "exponent is -1"),
        ("uniform-classical", {"baseline": 0.04, "target": 4}, "target is 4; expected a number between 0 and 1"),
        ("uniform-classical", {"baseline": 0.04, "target": 0.04}, "both 0.04"),
        ("thomson", {}, "did you mean 'thompson'"),
    ],
)
def test_bad_arguments_are_named(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        agents.make(name, **arguments)


def test_a_floor_that_the_arms_cannot_have_is_refused():
    with pytest.raises(ValueError, match=r"floor is 0.4; expected at most 1 / 3"):
        first_action(agents.make("tempered-thompson", floor=0.4), [1, 1, 1], [9, 9, 9])
