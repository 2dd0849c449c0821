"""The runner's rows, curves and traces, against a plain loop over single environments."""

import re

import gymnasium as gym
import numpy as np
import pytest

import agents
import bandit_env  # noqa: F401
from bandit_env.experiment import run
from bandit_env.experiment.chunk import CHUNK_SIZE
from bandit_env.experiment.recorder import value_grid
from bandit_env.experiment.results import UNIFORM, prior_of, read
from bandit_env.stats.posterior import potential_value_remaining, probability_best
from bandit_env.world.action import decode_action, encode_action
from bandit_env.world.task import Task

WORLD = {"rates": [0.04, 0.07, 0.05], "visits_per_day": 200, "updates_per_day": 2, "min_days": 3, "max_days": 40}
AGENT = {"name": "thompson", "stopping": {"rule": "value-remaining", "threshold": 0.2}}
REPLICATIONS = 30
SEED = 7


@pytest.fixture(scope="module")
def cell():
    result = run(WORLD, [AGENT], REPLICATIONS, seed=SEED, executor=1, traces=3)
    assert not result.failures
    return result.cells[0]


@pytest.fixture(scope="module")
def by_hand():
    """Each replication played alone, in a single environment, one step at a time."""
    seeds = np.random.SeedSequence(SEED, spawn_key=(0, 0)).generate_state(REPLICATIONS, np.uint64)
    return [play_alone(int(seed)) for seed in seeds]


def play_alone(seed):
    env = gym.make("bandit_env/DailyTraffic-v0", **WORLD)
    agent = agents.make(**AGENT)
    task = Task(3, 200, 2, 3, 40)
    agent.reset(task, 1, np.random.default_rng(0))
    observation, _ = env.reset(seed=seed)
    steps, terminated = [], False
    while not terminated:
        action = agent.act({k: v[None] for k, v in observation.items()}, np.array([0]))[0]
        before = observation
        observation, _, terminated, _, info = env.step(action)
        steps.append((before, action, info))
    return {"steps": steps, "final": observation, "info": info, "regret": sum(i["regret"] for *_, i in steps)}


def test_rows_are_those_of_single_environments(cell, by_hand):
    rows = cell.episodes
    assert rows["replication"].tolist() == list(range(REPLICATIONS))
    for name in ("stopping_day", "declared_arm", "correct", "regret_after"):
        assert rows[name].tolist() == [played["info"][name] for played in by_hand], name
    assert rows["loss"].tolist() == [row + p["info"]["loss_after"] for row, p in zip(rows["regret"], by_hand)]
    assert rows["regret"].to_numpy() == pytest.approx([played["regret"] for played in by_hand], rel=1e-12)
    for arm in range(3):
        assert rows[f"visits_{arm}"].tolist() == [played["final"]["visits"][arm] for played in by_hand]
        assert rows[f"conversions_{arm}"].tolist() == [played["final"]["conversions"][arm] for played in by_hand]
        assert set(rows[f"rate_{arm}"]) == {WORLD["rates"][arm]}
    assert (rows["visits"] == rows[["visits_0", "visits_1", "visits_2"]].sum(axis=1)).all()
    assert set(rows["best_rate"]) == {0.07}


def test_curves_are_sums_over_the_replications(cell, by_hand):
    curves = cell.curves
    served = [[info["regret"] for *_, info in p["steps"][:-1]] for p in by_hand]  # the last step serves nothing
    assert len(curves) == max(map(len, served))
    assert curves["day"].tolist() == [(u + 1) / 2 for u in range(len(curves))]
    for update in range(len(curves)):
        regrets = [r[update] for r in served if len(r) > update]
        row = curves.iloc[update]
        assert row["running"] == len(regrets)
        assert row["regret_sum"] == pytest.approx(sum(regrets))
        assert row["regret_sumsq"] == pytest.approx(sum(r * r for r in regrets))
        cumulative = [sum(r[: update + 1]) for r in served]
        assert row["cumulative_sum"] == pytest.approx(sum(cumulative))
        assert row["cumulative_sumsq"] == pytest.approx(sum(c * c for c in cumulative))
        after = [p["steps"][update + 1][0]["visits"] for p in by_hand if len(p["steps"]) > update + 1]
        before = [p["steps"][update][0]["visits"] for p in by_hand if len(p["steps"]) > update + 1]
        shares = [(a - b)[1] / 100 for a, b in zip(after, before, strict=True)]
        assert row["best_arm_sum"] == pytest.approx(sum(shares))
        assert row["best_arm_sumsq"] == pytest.approx(sum(s * s for s in shares))


def test_potential_value_remaining_on_its_grid(cell, by_hand):
    update = 10
    seen = [p["steps"][update][0] for p in by_hand if len(p["steps"]) > update + 1]
    values = [potential_value_remaining(s["conversions"], s["visits"]) for s in seen]
    assert cell.curves["value_n"][update] == len(values)
    assert cell.curves["value_sum"][update] == pytest.approx(sum(values))
    grid = value_grid(10_000)
    assert grid[:30].tolist() == list(range(30))
    assert len(grid) < 200
    assert (np.diff(grid) > 0).all()


def test_traces_are_the_first_experiments(cell, by_hand):
    assert [trace.replication for trace in cell.traces] == [0, 1, 2]
    for trace, played in zip(cell.traces, by_hand, strict=False):
        steps = played["steps"][:-1]
        assert trace.day.tolist() == [s["day"][0] for s, *_ in steps]
        assert trace.visits.tolist() == [s["visits"].tolist() for s, *_ in steps]
        assert trace.conversions.tolist() == [s["conversions"].tolist() for s, *_ in steps]
        weights = [decode_action(action)[0] for _, action, _ in steps]
        assert trace.weights == pytest.approx(np.array(weights), abs=1e-7)
        assert trace.probability_best == pytest.approx(trace.weights, abs=1e-6)  # Thompson serves by P(best)


class Drawing:
    """An agent that splits the traffic at random, and stops at random."""

    def reset(self, task, num_experiments, rng):
        self.num_arms, self.rng, self.num_experiments = task.num_arms, rng, num_experiments

    def act(self, observation, experiments):
        assert self.num_experiments == CHUNK_SIZE
        declared = np.where(self.rng.random(len(experiments)) < 0.2, 0, -1)
        return encode_action(self.rng.dirichlet(np.ones(self.num_arms), len(experiments)), declared)


def test_an_agent_that_draws_is_extended_too():
    """It is played a whole chunk at a time, so that more replications do not change the first ones."""
    world = {"rates": [0.04, 0.05], "min_days": 0, "max_days": 20}
    few = run(world, [Drawing()], 40, seed=3, executor=1).cells[0]
    more = run(world, [Drawing()], CHUNK_SIZE + 50, seed=3, executor=1).cells[0]
    assert few.episodes.equals(more.episodes.head(40))
    assert few.curves["n"].iloc[0] == 40
    assert few.curves["running"].iloc[0] <= 40  # surplus experiments are not in the curves
    assert few.curves["cumulative_sum"].iloc[-1] == pytest.approx(few.episodes["regret"].sum())
    assert more.curves["cumulative_sum"].iloc[-1] == pytest.approx(more.episodes["regret"].sum())


def test_agents_meet_the_same_drawn_rates():
    world = {"prior": [4, 96], "num_arms": 2, "max_days": 20}
    one, other = run(world, ["thompson", "uniform"], 50, seed=1, executor=1).cells
    assert one.rates is None
    assert one.episodes[["rate_0", "rate_1"]].equals(other.episodes[["rate_0", "rate_1"]])
    assert one.episodes["rate_0"].nunique() == 50


class Broken(Drawing):
    """Returns something that is no action, from the fourth day on, for the third experiment."""

    def __init__(self, how):
        self.how = how

    def act(self, observation, experiments):
        actions = encode_action(np.full(observation["visits"].shape, 0.5))
        if observation["day"][0, 0] < 4:
            return actions
        if self.how == "raises":
            raise RuntimeError("out of ideas")
        if self.how == "shape":
            return actions[:, :-1]
        actions[2, 0] = {"nan": np.nan, "negative": -0.5}[self.how]
        return actions


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raises", "replication 0: RuntimeError: out of ideas"),
        ("shape", r"replication 0: an action of shape \(1000, 2\) and type float32; expected \(1000, 3\)"),
        ("nan", r"replication 2: the action \[nan, 0.5, 0.0\]; expected numbers in \[0, 1\]"),
        ("negative", r"replication 2: the action \[-0.5, 0.5, 0.0\]; expected numbers in \[0, 1\]"),
    ],
)
def test_a_broken_agent_is_named_and_the_others_are_kept(how, message):
    result = run({"rates": [0.04, 0.05], "max_days": 20}, {"good": "uniform", "bad": Broken(how)}, 20, executor=1)
    assert [cell.agent for cell in result.cells] == ["good"]
    (failure,) = result.failures
    assert failure.startswith("agent 'bad' in scenario 'experiment', day 4, ")

    assert re.search(message, failure), failure


class Hasty(Drawing):
    """Declares an arm before any traffic."""

    def act(self, observation, experiments):
        return encode_action(np.ones((len(experiments), 2)), np.ones(len(experiments), int))


def test_days_without_visits_are_no_part_of_the_best_arm_s_share():
    world = {"rates": [0.04, 0.05], "weekday_traffic": [0, *[1] * 6], "min_days": 8, "max_days": 8}
    curves = run(world, ["uniform"], 5, seed=1, executor=1).cells[0].curves
    assert curves["running"].tolist() == [5] * 8
    assert curves["visited"].tolist() == [0, *[5] * 6, 0]
    assert curves["best_arm_sum"].gt(0).tolist() == [False, *[True] * 6, False]


def test_an_experiment_may_end_before_any_visit():
    cell = run({"rates": [0.04, 0.05], "min_days": 0, "max_days": 5}, [Hasty()], 20, executor=1).cells[0]
    assert cell.replications == 20
    assert len(cell.curves) == 0
    assert cell.episodes[["stopping_day", "visits", "regret"]].to_numpy().sum() == 0
    assert cell.episodes["correct"].all()


def test_what_is_shown_of_the_posterior_is_under_the_agents_prior(tmp_path):
    """Thompson's weights are P(best), so under a prior of its own they are the trace's only if that prior is used."""
    agent = {"name": "thompson", "prior": [40, 960]}
    played = run({"rates": [0.04, 0.05], "max_days": 20}, [agent], 3, seed=1, executor=1, out=tmp_path / "run")
    for found in (played, read(tmp_path / "run")):
        trace = found.cells[0].traces[0]
        np.testing.assert_allclose(trace.probability_best, trace.weights, atol=1e-6)
        assert np.abs(probability_best(trace.conversions, trace.visits) - trace.weights).max() > 0.05
    curves = played.cells[0].curves
    assert curves["value_n"].tolist() == [0] * 14 + [3] * 6  # from `min_days`, 14, on
    rows = curves.iloc[14]
    alone = run({"rates": [0.04, 0.05], "max_days": 20}, [agent], 3, seed=1, executor=1, traces=3).cells[0]
    before = [(t.conversions[14], t.visits[14]) for t in alone.traces]
    values = [potential_value_remaining(*counts, prior=(40, 960)) for counts in before]
    assert rows["value_n"] == 3
    assert rows["value_sum"] == pytest.approx(sum(values))


def test_what_is_no_prior_is_the_uniform_one():
    assert [prior_of(value) for value in (None, "x", [4], [0, 1], [4, 96], [[4, 96], [1, 1]])] == [
        *[UNIFORM] * 4,
        (4.0, 96.0),
        UNIFORM,
    ]
