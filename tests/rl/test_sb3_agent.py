"""A policy that Stable-Baselines3 trained, as an agent: shown what it was trained on, refused where it does not fit."""

import json
import zipfile

import gymnasium as gym
import numpy as np
import pytest

import agents
from agents.testing import check_agent
from bandit_env.errors import ExperimentError
from bandit_env.experiment import run
from bandit_env.world.task import Task

pytest.importorskip("stable_baselines3")
pytestmark = [
    pytest.mark.extra,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

DAILY, MENU, VISITS = (f"bandit_env/{name}-v0" for name in ("LearnDaily", "LearnDailyMenu", "LearnPerVisit"))
TASK = Task(num_arms=2, visits_per_day=100, max_days=60, min_days=14)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    from stable_baselines3 import DQN, PPO, SAC

    from bandit_env.rl.sb3 import make_native_vec_env, save_policy

    folder, saved = tmp_path_factory.mktemp("policies"), {}
    small = {"net_arch": [8, 8]}
    for name, env_id, algorithm, settings in (
        ("ppo", DAILY, PPO, {"n_steps": 16, "batch_size": 32}),
        ("sac", DAILY, SAC, {"learning_starts": 8, "buffer_size": 100}),
        ("dqn", MENU, DQN, {"learning_starts": 8, "buffer_size": 100}),
        ("visits", VISITS, PPO, {"n_steps": 16, "batch_size": 32}),
    ):
        env = make_native_vec_env(env_id, 2, seed=0)
        model = algorithm("MlpPolicy", env, seed=0, policy_kwargs=dict(small), device="cpu", **settings).learn(64)
        saved[name] = model, env_id, folder / f"{name}.zip"
        save_policy(model, str(saved[name][2]), env.env)
        model.save(folder / f"{name}-plain.zip")
    return saved


@pytest.mark.parametrize("name", ["ppo", "sac", "dqn", "visits"])
@pytest.mark.parametrize("plain", [False, True])
def test_it_does_what_the_model_does_in_its_environment(files, name, plain):
    model, env_id, path = files[name]
    path = path.with_name(f"{name}-plain.zip") if plain else path
    env = gym.make_vec(env_id, num_envs=64)  # one matrix product, whose size may decide the last bit
    world = env.unwrapped.world
    agent = agents.make("sb3", path=str(path))
    agent.reset(env.unwrapped.task, 64, np.random.default_rng(0))
    seen, _ = env.reset(seed=3)
    for _ in range(6):
        chosen, _ = model.predict(seen, deterministic=True)
        counts = {"visits": world.visits, "conversions": world.conversions, "day": world.day[:, None]}
        found = agent.act(counts, np.arange(64))
        expected = world.menu[chosen] if name == "dqn" else np.eye(3)[chosen] if name == "visits" else chosen.copy()
        expected[:, -1] = 0  # before min_days no stop is heard
        np.testing.assert_array_equal(found, expected)
        seen, *_ = env.step(chosen)


def test_it_may_stop_from_min_days_on(files, monkeypatch):
    agent = agents.make("sb3", path=str(files["ppo"][2]))
    agent.reset(TASK, 4, np.random.default_rng(0))
    monkeypatch.setattr(agent, "_choose", lambda features: np.tile(np.float32([0.2, 0.8, 1]), (len(features), 1)))
    counts = {"visits": np.full((4, 2), 700.0), "conversions": np.full((4, 2), 30.0)}
    days = np.array([[0], [13], [14], [15]], np.float64)  # min_days is 14
    assert agent.act(counts | {"day": days}, np.arange(4))[:, -1].tolist() == [0, 0, 1, 1]


def test_beside_thompson_in_one_table(files, tmp_path):
    scenario = {"prior": [4, 96], "num_arms": 2, "max_days": 20}
    players = [{"name": "sb3", "path": str(files["ppo"][2])}, {"name": "thompson"}]
    results = run(scenario, players, replications=4, out=tmp_path / "out")
    assert len(results.cells) == 2
    with pytest.raises(ExperimentError, match="this task shows 12: 3 arms"):
        run(scenario | {"num_arms": 3}, players, replications=4, out=tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["ppo", "dqn"])
def test_it_conforms(files, name):
    check_agent(agents.make("sb3", path=str(files[name][2])), tasks=[TASK])


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        ("ppo", Task(3, 100), "observations of 8 numbers; this task shows 12: 3 arms with 4 features"),
        ("visits", TASK, r"actions of Discrete\(2\); this task takes Discrete\(7\)"),
        ("dqn", Task(2, 1), r"actions of Discrete\(7\); this task takes Discrete\(2\)"),
    ],
)
def test_another_space_is_refused(files, name, task, message):
    with pytest.raises(ValueError, match=message):
        agents.make("sb3", path=str(files[name][2])).check_task(task)


def test_files_that_do_not_fit(files, tmp_path):
    with pytest.raises(ValueError, match="expected a file that Stable-Baselines3 saved"):
        agents.make("sb3", path=str(tmp_path / "none.zip"))
    other = tmp_path / "other.zip"
    other.write_text("no archive")
    with pytest.raises(ValueError, match="is no file that Stable-Baselines3 saved"):
        agents.make("sb3", path=str(other))
    old = tmp_path / "old.zip"
    with zipfile.ZipFile(files["ppo"][2]) as source, zipfile.ZipFile(old, "w") as target:
        for member in source.namelist():
            content = source.read(member)
            if member == "bandit_env.json":
                content = json.dumps(json.loads(content) | {"version": 0})
            target.writestr(member, content)
    with pytest.raises(ValueError, match="features of version 0; expected 1"):
        agents.make("sb3", path=str(old))
    with pytest.raises(ValueError, match="unknown feature 'meen'"):
        agents.make("sb3", path=str(files["ppo"][2].with_name("ppo-plain.zip")), features=["meen"])


def test_history_cannot_be_saved(files):
    from bandit_env.rl.sb3 import save_policy

    with pytest.raises(ValueError, match="has a history"):
        save_policy(files["ppo"][0], "unused.zip", gym.make(DAILY, history=True))
