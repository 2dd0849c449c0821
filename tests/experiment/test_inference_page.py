"""The numbers of docs/inference.md, from a few of its experiments, against an independent simulation's."""

import importlib.util
import sys
import tomllib
from pathlib import Path

import pytest

from bandit_env.engines.engine import InProcess
from bandit_env.experiment import config
from bandit_env.experiment.sweep import execute

ROOT = Path(__file__).parents[2]
PLAYED = {"equal arms": ("uniform", "thompson", "floor .1"), "until it stops": ("thompson, value remaining",)}


@pytest.fixture(scope="module")
def script():
    """scripts/make_inference.py, which holds the simulated numbers and compares with them."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        found = importlib.util.spec_from_file_location("make_inference", ROOT / "scripts" / "make_inference.py")
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    return module


@pytest.fixture(scope="module")
def run():
    table = tomllib.loads((ROOT / "configs" / "inference.toml").read_text(encoding="utf-8"))
    table |= {"name": "inference", "replications": 500, "seed": 20260}
    table["scenarios"] = [one for one in table["scenarios"] if one["name"] in PLAYED]
    agents = []
    for agent in table["agents"]:
        label = agent.get("label", agent["name"])
        played = [name for name in agent["scenarios"] if label in PLAYED.get(name, ())]
        agents += [agent | {"scenarios": played}] * bool(played)
    return execute(config.resolve(table | {"agents": agents}), engine=InProcess())


def test_within_four_standard_errors_of_another_simulation(script, run):
    table, sound = script.check(run)
    assert len(table.splitlines()) == 2 + 18 + 9
    assert sound, table


def test_the_check_can_fail(script, run, monkeypatch):
    monkeypatch.setattr(script, "SIMULATED", [("equal arms", "thompson", "bias", 10.0, 0.1)])
    table, sound = script.check(run)
    assert not sound
    assert "thompson" in table
