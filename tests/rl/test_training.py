"""The training scripts: they run, what they write plays, and the strategy's own simulator is the environment's."""

import sys

import gymnasium as gym
import numpy as np
import pytest
from loading import load

import agents
import bandit_env  # noqa: F401
from agents.policy import Policy
from bandit_env.stats.features import arm_features


@pytest.fixture(scope="module")
def evolution():
    return load("train_evolution")


def flat(policy):
    parts = [policy.inner.ravel(), policy.pooled.ravel(), policy.bias, policy.heads.T.ravel()]
    return np.concatenate(parts).astype(np.float32)


@pytest.mark.parametrize("num_arms", [2, 5])
def test_compiled_network_is_the_one_that_ships(evolution, num_arms):
    rng = np.random.default_rng(0)
    theta = rng.normal(0, 0.5, evolution.SIZE).astype(np.float32)
    policy = evolution.to_policy("daily", theta)
    np.testing.assert_array_equal(flat(policy), theta)
    visits = rng.integers(0, 40, (50, num_arms)) ** 2
    conversions = rng.binomial(visits, 0.1)
    day, prior = rng.integers(0, 60, 50), (4.0, 96.0)
    scores, stop = policy.scores(conversions.astype(float), visits.astype(float), day.astype(float), 60, 100, prior)
    x, pool = np.zeros((num_arms, evolution.FEATURES + 1), np.float32), np.empty(evolution.FEATURES, np.float32)
    hidden, found = np.empty(evolution.HIDDEN, np.float32), np.empty(num_arms, np.float32)
    for row in range(50):
        counts = conversions[row].astype(np.int32), visits[row].astype(np.int32)
        left = 6000 - 100 * int(day[row])
        sharpness, found_stop = evolution.decide(
            theta, np.float32(prior), *counts, int(day[row]), 60, left, x, pool, hidden, found
        )
        np.testing.assert_allclose(sharpness * found, scores[row], rtol=2e-4, atol=2e-4)
        assert found_stop == pytest.approx(stop[row], rel=1e-4, abs=1e-4)


def test_own_simulator_agrees_with_the_environment(evolution):
    policy, size = Policy.load("daily"), 4000
    rng = np.random.default_rng(1)
    rates, priors = evolution.draw(evolution.Group(2, size, (4, 96)), size, rng)
    batches = [
        evolution.play(flat(policy)[None], rates[i : i + 100], priors[i : i + 100], 100, 60, 0.0, False, rng)[0]
        for i in range(0, size, 100)
    ]
    envs = gym.make_vec(
        "bandit_env/DailyTraffic-v0", num_envs=size, rates=[0, 1], max_days=60, autoreset_mode="Disabled"
    )
    agent = agents.make("learned", path="daily", prior=[4, 96])
    agent.reset(envs.unwrapped.task, size, rng)
    observation, _ = envs.reset(seed=2, options={"rates": rates})
    regret = np.zeros(size)
    for _ in range(60):
        observation, _, _, _, infos = envs.step(agent.act(observation, np.arange(size)))
        regret += infos["regret"]
    error = np.hypot(np.std(batches, ddof=1) / len(batches) ** 0.5, regret.std() / size**0.5)
    assert np.mean(batches) == pytest.approx(regret.mean(), abs=4 * error)
    assert regret.mean() < 7.3 + 4 * regret.std() / size**0.5  # 8.12 +- .06 for Thompson sampling with value remaining


def test_evolution_writes_a_policy_and_its_curve(evolution, tmp_path, monkeypatch, capsys):
    out = tmp_path / "own.npz"
    arguments = ["daily-cost", "--iterations", "1", "--pairs", "1", "--episodes", "20", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["train_evolution.py", *arguments])
    monkeypatch.setitem(evolution.TASKS["daily-cost"], "groups", [evolution.Group(2, 10, evolution.RANDOM)])
    evolution.main()
    assert agents.make("learned", path=str(out)).policy.stops
    curve = np.loadtxt(out.with_suffix(".csv"), delimiter=",")
    assert curve[:, 0].tolist() == [0, 1]
    assert "daily-cost     1" in capsys.readouterr().out


@pytest.mark.extra
def test_ppo_writes_a_policy_that_plays_as_it_was_trained(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch", reason="needs the extra: pip install 'bandit-env[rl]'")
    ppo, out = load("train_ppo"), tmp_path / "own.npz"
    sizes = ["--iterations", "2", "--num-envs", "16", "--horizon", "10", "--minibatches", "2", "--hidden", "4"]
    monkeypatch.setattr(sys, "argv", ["train_ppo.py", *sizes, "--logdir", str(tmp_path / "log"), "--out", str(out)])
    ppo.main()
    assert list((tmp_path / "log").glob("events.out.tfevents.*"))
    assert np.loadtxt(out.with_suffix(".csv"), delimiter=",").shape == (2, 4)
    policy, actor = Policy.load(out), ppo.Actor(4)
    state = {"inner": policy.inner, "pooled": policy.pooled, "bias": policy.bias, "heads": policy.heads[:, :2]}
    actor.load_state_dict({name: torch.tensor(value, dtype=torch.float32) for name, value in state.items()})
    visits, conversions = np.array([[3.0, 1, 0], [4, 4, 1]]), np.array([[1.0, 1, 0], [2, 0, 1]])
    x = arm_features(conversions, visits, visits.sum(axis=1), 10, names=ppo.FEATURES)
    logits = actor(torch.tensor(x, dtype=torch.float32)).detach().numpy()
    scores, _ = policy.scores(conversions, visits, visits.sum(axis=1), 10, 1)
    np.testing.assert_allclose(logits, scores, rtol=1e-4)
