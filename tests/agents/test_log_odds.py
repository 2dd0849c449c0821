"""Stratified log odds: the two-arm formula of its authors written out, and P(best) by other quadratures."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

import agents
from bandit_env.stats._special import normal_best
from bandit_env.world.task import Task


def two_arms(visits, conversions):
    """Weight of arm 1 after each update of one experiment: Kim and Kim (2020), Newton's root by bisection."""
    mean, precision, weights = 0.0, 1.0, []
    for n, c in zip(visits, conversions):
        total = c.sum()
        if n.min() > 0 and 0 < total < n.sum():

            def score(m, n=n, c=c, total=total, mean=mean, precision=precision):
                q = n[1] * np.exp(m) / (n[1] * np.exp(m) + n[0])
                return c[1] - total * q - precision * (m - mean)

            mean = brentq(score, -30, 30, xtol=1e-14)
            q = n[1] * np.exp(mean) / (n[1] * np.exp(mean) + n[0])
            precision += total * q * (1 - q)
        weights.append(stats.norm.cdf(mean * np.sqrt(precision)))
    return np.array(weights)


def test_two_arms_are_the_formula_of_its_authors():
    rng = np.random.default_rng(0)
    visits = rng.integers(0, 300, (30, 2))
    visits[[3, 9], [0, 1]] = 0  # updates without information
    conversions = rng.binomial(visits, [0.04, 0.06])
    conversions[12] = 0
    agent = agents.make("log-odds-thompson")
    agent.reset(Task(2, 100), 1, rng)
    agent.act({"visits": np.zeros((1, 2)), "conversions": np.zeros((1, 2)), "day": np.zeros((1, 1))}, np.zeros(1, int))
    found = []
    for day in range(30):
        totals = {"visits": visits[: day + 1].sum(axis=0)[None] + 0.0, "day": np.full((1, 1), day + 1.0)}
        totals["conversions"] = conversions[: day + 1].sum(axis=0)[None] + 0.0
        found.append(agent.act(totals, np.zeros(1, int))[0, 1])
    assert found == pytest.approx(two_arms(visits, conversions), abs=1e-6)


def best(mean, precision, available=None):
    arms = len(mean)
    there = np.ones((1, arms), bool) if available is None else np.array([available])
    covariance = np.linalg.inv(np.array([precision]))
    return normal_best.probability_best(np.array([mean]), covariance, there)[0]


@pytest.mark.parametrize("arms", [2, 3, 4, 6, 9])
def test_independent_arms_are_one_integral(arms):
    rng = np.random.default_rng(arms)
    mean, sd = rng.normal(0, 0.2, arms), rng.uniform(0.1, 0.4, arms)

    x = np.linspace(-4, 4, 20_001)[:, None]
    below = stats.norm.cdf(x, mean, sd)
    others = np.stack([np.delete(below, arm, axis=1).prod(axis=1) for arm in range(arms)], axis=1)
    expected = (stats.norm.pdf(x, mean, sd) * others).sum(axis=0) * 8 / 20_000  # nothing at the ends: to all digits
    assert best(mean, np.diag(sd**-2.0)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("arms", [3, 4, 6])
def test_correlated_arms_against_scipy_s_integrals(arms):
    rng = np.random.default_rng(10 + arms)
    precision = 2 * np.eye(arms)
    for _ in range(20):
        share = rng.dirichlet(np.full(arms, 2.0))
        precision += rng.integers(1, 60) * (np.diag(share) - np.outer(share, share))
    mean, covariance = rng.normal(0, 0.15, arms), np.linalg.inv(precision)
    expected = []
    for arm in range(arms):
        contrast = np.delete(np.eye(arms), arm, axis=0)
        contrast[:, arm] -= 1
        law = stats.multivariate_normal(contrast @ mean, contrast @ covariance @ contrast.T)
        law.maxpts, law.abseps, law.releps = 10**6, 1e-7, 1e-7  # older SciPy takes them in no other way
        expected.append(law.cdf(np.zeros(arms - 1)))
    found = best(mean, precision)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert found == pytest.approx(expected, abs=1e-6)


def test_an_arm_that_is_not_there_is_left_out():
    mean, precision = [0.1, 0.3, 0.9], np.diag([20.0, 30.0, 5.0])
    assert best(mean, precision, [True, True, False]) == pytest.approx(
        [*best(mean[:2], precision[:2, :2]), 0], abs=1e-12
    )
    assert best(mean, precision, [False, True, False]).tolist() == [0, 1, 0]


def test_what_moves_all_arms_alike_does_not_move_it():
    """The same shares of the conversions, once with three times as many visits that did not convert."""
    conversions = np.array([[40.0, 55.0, 30.0]])
    weights = []
    for visits in (1000.0, 3000.0):
        agent = agents.make("log-odds-thompson")
        agent.reset(Task(3, 100), 1, np.random.default_rng(0))
        observation = {"visits": np.full((1, 3), visits), "conversions": conversions, "day": np.ones((1, 1))}
        weights.append(agent.act(observation, np.zeros(1, int)))
    assert (weights[0] == weights[1]).all()


def test_an_arm_that_joins_is_at_the_prior():
    """N(0, 1/2) each, and what was learned of the others stays."""
    agent = agents.make("log-odds-thompson")
    task = Task(3, 100, joins=(0, 0, 1))
    agent.reset(task, 1, np.random.default_rng(0))
    visits, conversions = np.array([[5000.0, 5000.0, 0.0]]), np.array([[200.0, 300.0, 0.0]])
    agent.act({"visits": 0 * visits, "conversions": 0 * visits, "day": np.zeros((1, 1))}, np.zeros(1, int))
    action = agent.act({"visits": visits, "conversions": conversions, "day": np.ones((1, 1))}, np.zeros(1, int))
    state = agent._batch._states[0][1]
    covariance = np.linalg.inv(state["precision"][0])
    assert state["mean"][0, 2] == 0
    assert covariance[2] == pytest.approx([0, 0, 0.5])
    gap = state["mean"][0, 1] / np.sqrt(covariance[1, 1] + 0.5)
    assert action[0, 2] == pytest.approx(stats.norm.cdf(-gap), abs=1e-3)  # arm 0 is out


def test_its_memory_is_for_its_rule_alone_and_it_says_so():
    agent = agents.make("log-odds-thompson", memory={"memory": "window", "days": 7})
    (remark,) = agent.remarks(Task(2, 100))
    assert "Window(days=7)" in remark
