"""Trained policies as agents: the network's mathematics, the weights that ship, and files that are not ours."""

import json
import warnings
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

import agents
import bandit_env  # noqa: F401
from agents.allocations.dynamic_programming import policy_of, policy_value
from agents.allocations.learned import Learned
from agents.policy import Policy, shipped
from bandit_env.world.task import Task

VISITS, DAILY = Task(2, 1, max_days=100), Task(2, 100, max_days=60)


def counts(rows, num_arms, seed=0):
    rng = np.random.default_rng(seed)
    visits = np.floor(rng.uniform(0, 300, (rows, num_arms)))
    return {
        "visits": visits,
        "conversions": rng.binomial(visits.astype(int), 0.05).astype(float),
        "day": np.floor(rng.uniform(1, 60, (rows, 1))),
    }


def small_policy(**changes):
    rng = np.random.default_rng(3)
    policy = Policy(
        kind="daily",
        features=("mean", "log_visits", "gap"),
        inner=rng.normal(size=(3, 4)).astype(np.float32),
        pooled=rng.normal(size=(3, 4)).astype(np.float32),
        bias=rng.normal(size=4).astype(np.float32),
        heads=rng.normal(size=(5, 3)).astype(np.float32),
        trained={"num_arms": [2, 5]},
    )
    return replace(policy, **changes)


def test_network_written_out():
    policy = small_policy()
    conversions, visits = [3.0, 8.0], [50.0, 90.0]
    scores, stop = policy.scores(np.array([conversions]), np.array([visits]), np.array([2.0]), 60, 100)
    mean = [(s + 1) / (n + 2) for s, n in zip(conversions, visits, strict=True)]
    sd = [(m * (1 - m) / (n + 3)) ** 0.5 for m, n in zip(mean, visits, strict=True)]
    gap = (mean[0] - mean[1]) / (sd[0] ** 2 + sd[1] ** 2) ** 0.5
    x = [np.array([mean[0], np.log10(51), gap]), np.array([mean[1], np.log10(91), -gap])]
    out = []
    for arm in range(2):
        z = policy.bias + x[arm] @ policy.inner + (x[0] + x[1]) / 2 @ policy.pooled
        out.append(np.append(z / (1 + abs(z)), 1) @ policy.heads)
    sharp = np.exp((out[0][1] + out[1][1]) / 2) / ((sd[0] ** 2 + sd[1] ** 2) / 2) ** 0.5
    np.testing.assert_allclose(
        scores[0], [(m + s * o[0]) * sharp for m, s, o in zip(mean, sd, out, strict=True)], rtol=1e-12
    )
    assert stop[0] == pytest.approx((out[0][2] + out[1][2]) / 2, rel=1e-12)


def test_zero_heads_are_greedy_on_the_posterior_mean():
    policy = small_policy(kind="per-visit", heads=np.zeros((5, 3)))
    scores, _ = policy.scores(np.array([[2.0, 3, 3]]), np.array([[9.0, 9, 9]]), np.array([1.0]), 60, 100)
    assert policy.weights(scores).tolist() == [[0, 0.5, 0.5]]  # ties are shared


@pytest.mark.parametrize("name", shipped())
def test_permuting_arms_permutes_weights(name):
    policy = Policy.load(name)
    seen = counts(200, 4)
    order = [2, 0, 3, 1]
    args = (seen["day"][:, 0], 60, 100)
    scores, stop = policy.scores(seen["conversions"], seen["visits"], *args)
    permuted, stop_permuted = policy.scores(seen["conversions"][:, order], seen["visits"][:, order], *args)
    np.testing.assert_allclose(permuted, scores[:, order], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(stop_permuted, stop, rtol=1e-9, atol=1e-9)


def test_a_row_does_not_depend_on_its_batch():
    agent = Learned(path="daily")
    agent.reset(DAILY, 3000, np.random.default_rng(0))
    seen = counts(3000, 2)
    whole = agent.act(seen, np.arange(3000))
    for rows in ([0], [5, 2999], list(range(7, 1500, 3))):
        part = agent.act({name: values[rows] for name, values in seen.items()}, np.array(rows))
        np.testing.assert_array_equal(part, whole[rows])


def on_half_of_the_states(policy):
    """The same policy, asked about one of each pair of states that differ in the arms' order only: half the time."""

    def mirrored(visits, conversions):
        own = visits * 1000 + conversions
        swap = own[:, 0] < own[:, 1]
        code = own.max(axis=1) * 1e6 + own.min(axis=1)
        _, chosen, back = np.unique(code, return_index=True, return_inverse=True)
        second = policy(visits[chosen], conversions[chosen])[back]
        return np.where(swap != swap[chosen][back], 1 - second, second)

    return mirrored


@pytest.mark.parametrize("path", ["per-visit", "per-visit-ppo"])
def test_per_visit_exact_value_of_two_arms(path):
    # Bayes-optimal play earns 64.91842065, Thompson sampling 63.880, greedy play 63.975 (by dynamic programming)
    value = policy_value(100, on_half_of_the_states(policy_of(agents.make("learned", path=path), 100)))
    assert 64.80 <= value <= 64.91842066


def test_file_holds_the_policy(tmp_path):
    policy = small_policy(stops=True)
    policy.save(tmp_path / "own.npz")
    again = Policy.load(tmp_path / "own.npz")
    assert (again.kind, again.features, again.stops, again.trained) == (
        "daily",
        policy.features,
        True,
        {"num_arms": [2, 5]},
    )
    for name in ("inner", "pooled", "bias", "heads"):
        np.testing.assert_array_equal(getattr(again, name), getattr(policy, name))


def test_shipped_weights_are_small():
    from agents.policy import SHIPPED

    assert {"per-visit", "per-visit-ppo", "daily", "daily-cost"} <= set(shipped())
    assert all(file.stat().st_size < 300_000 for file in SHIPPED.iterdir())


def rewrite(path, **changes):
    """The small policy's file with some arrays changed, or taken out where the change is None."""
    small_policy().save(path)
    with np.load(path) as stored:
        arrays = {**stored, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": None}, "not a weights file of bandit_env"),
        ({"format": np.array("policy 7")}, "not a weights file of bandit_env"),
        ({"inner": None}, "not a readable weights file"),
        ({"features": np.array(["mean", "log_visits", "age"])}, "unknown feature 'age'.*known: mean"),
        ({"features": np.array(["mean", "gap"])}, r"inner has shape \(3, 4\); expected \(2, 4\) for 2 features"),
        ({"heads": np.zeros((5, 2))}, r"heads has shape \(5, 2\); expected \(5, 3\)"),
        ({"bias": np.array([1, np.nan, 1, 1])}, "bias holds a number that is not finite"),
        ({"kind": np.array("hourly")}, "kind is 'hourly'; expected one of per-visit, daily"),
        ({"features": np.array(["mean", "gap", {}], dtype=object)}, "allow_pickle=False"),
        ({"trained": np.array("{")}, "own.npz: "),
        ({"trained": np.array(json.dumps({"num_arms": 3}))}, "num_arms = 3; expected"),
    ],
)
def test_file_that_cannot_be_used(tmp_path, changes, message):
    path = tmp_path / "own.npz"
    rewrite(path, **changes)
    with pytest.raises(ValueError, match=message) as error:
        agents.make("learned", path=str(path))
    assert "own.npz" in str(error.value)


@pytest.mark.parametrize("kept", [0, 10, 500, -30])
def test_truncated_file(tmp_path, kept):
    path = tmp_path / "own.npz"
    small_policy().save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"own\.npz: not a readable weights file"):
        agents.make("learned", path=str(path))


def test_other_files(tmp_path):
    text = tmp_path / "own.npz"
    text.write_text("weights = 3")
    with pytest.raises(ValueError, match=r"own\.npz: not a readable weights file"):
        agents.make("learned", path=str(text))
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"array\.npy: not a readable weights file"):
        agents.make("learned", path=str(tmp_path / "array.npy"))
    with pytest.raises(ValueError, match="no weights file 'dayly'; did you mean 'daily'"):
        agents.make("learned", path="dayly")
    with pytest.raises(ValueError, match="path is 3; expected a file's name"):
        agents.make("learned", path=3)


@pytest.mark.parametrize(("path", "task"), [("per-visit", DAILY), ("daily", VISITS)])
def test_other_kind_of_task(path, task):
    with pytest.raises(
        ValueError, match=rf"'{path}' were trained for {path} tasks; this one has .* visits in an update"
    ):
        agents.make("learned", path=path).reset(task, 1, np.random.default_rng(0))


def test_experiment_with_another_kind_of_task_is_refused_before_anything_runs(tmp_path):
    from bandit_env.errors import ExperimentError
    from bandit_env.experiment import run

    players = ["thompson", {"name": "learned", "path": "per-visit"}]
    with pytest.raises(
        ExperimentError, match=r"agent 'learned' in scenario .*: the weights 'per-visit' were trained for"
    ):
        run({"rates": [0.04, 0.05]}, players, 10, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_task_outside_the_trained_range_is_warned_about():
    agent = agents.make("learned", path="daily")
    agent.reset(DAILY, 1, np.random.default_rng(0))  # no warning here
    with pytest.warns(UserWarning, match="trained for max_days from .* this task has 1000, .* untested"):
        agent.reset(replace(DAILY, max_days=1000), 1, np.random.default_rng(0))


def test_what_else_is_outside_the_range():
    agent = agents.make("learned", path="daily", prior=[4, 96])
    with pytest.warns(UserWarning, match="trained for updates_per_day from 1 to 2; this task has 4, .* untested"):
        agent.reset(replace(DAILY, updates_per_day=4), 1, np.random.default_rng(0))
    agent = agents.make("learned", path="daily", prior=[40_000, 960_000])
    with pytest.warns(UserWarning, match="trained for prior_strength from .* this task has 1e\\+06"):
        agent.reset(DAILY, 1, np.random.default_rng(0))


def warnings_of(agent, rates, size=200):
    """What is warned of in 20 days of experiments with these rates."""
    envs = gym.make_vec("bandit_env/DailyTraffic-v0", num_envs=size, rates=[0, 0], autoreset_mode="Disabled")
    agent.reset(DAILY, size, np.random.default_rng(0))
    observation, _ = envs.reset(seed=1, options={"rates": rates})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(20):
            observation, *_ = envs.step(agent.act(observation, np.arange(size)))
    return [str(warning.message) for warning in caught]


def test_prior_that_the_data_contradict():
    told = agents.make("learned", path="daily", prior=[4, 96])
    (said,) = warnings_of(told, np.full((200, 2), 0.25))
    assert "told the prior Beta(4, 96), which hardly allows for the conversions that are seen" in said
    assert not warnings_of(told, np.random.default_rng(2).beta(4, 96, (200, 2)))
    assert not warnings_of(agents.make("learned", path="daily"), np.full((200, 2), 0.25))  # nothing was told


def test_learned_stop_ships_the_arm_with_the_largest_score():
    agent = agents.make("learned", path="daily-cost")
    agent.reset(replace(DAILY, min_days=0), 2, np.random.default_rng(0))
    seen = {
        "visits": np.array([[50.0, 50], [2500, 2500]]),
        "conversions": np.array([[2.0, 2], [50, 200]]),
        "day": np.array([[1.0], [50]]),
    }
    action = agent.act(seen, np.arange(2))
    assert action[:, -1].tolist() == [0, 1]
    assert action[1].tolist() == [0, 1, 1]
    assert not agent.claims_winner(np.array([1]), np.array([1])).any()  # it ships, and claims nothing


@pytest.mark.parametrize("path", shipped())
def test_parameters_rebuild_the_agent(path):
    agent = agents.make("learned", path=path, prior=[4, 96])
    again = agents.make("learned", **agent.parameters)
    assert again.parameters == agent.parameters
    assert {"path": path, "prior": [4, 96], "stopping": None}.items() <= agent.parameters.items()
