"""A third party's package: installed, found by entry point, held to the contract, and played."""

import shutil
import sys
import tomllib
from pathlib import Path

import pytest

import agents
from agents.stopping import make_rule
from agents.testing import check_agent
from bandit_env import cli, plugins

PACKAGE = Path(__file__).parent / "example_package"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install the example package into a folder on the path: its module, and the metadata that an installer writes."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shutil.copy(PACKAGE / "example_bandit_agents.py", tmp_path)
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("example_bandit_agents", None)


def test_an_installed_package_s_agent_is_found_by_name(installed):
    assert "half-and-half" in agents.available()
    agent = agents.make("half-and-half", mix=0.2, stopping={"rule": "many-visits", "visits": 500})
    assert type(agent).__name__ == "HalfAndHalf"
    assert agent.parameters["mix"] == 0.2
    check_agent(agent)


def test_its_stopping_rule_goes_with_ours(installed):
    rule = make_rule("many-visits | value-remaining")
    assert [type(part).__name__ for part in rule.rules] == ["ManyVisits", "ValueRemaining"]
    check_agent(agents.make("thompson", stopping=rule))


def test_its_memory_goes_with_our_agents_and_rules(installed):
    agent = agents.make("thompson", memory={"memory": "first-days", "days": 3}, stopping="value-remaining")
    assert agent.parameters["memory"] == {"memory": "example_bandit_agents:FirstDays", "days": 3}
    assert agents.make("thompson", memory=agent.parameters["memory"]) == agents.make("thompson", memory=agent.memory)
    check_agent(agent)


def test_without_installing_a_class_is_named_in_full(installed):
    assert agents.make("example_bandit_agents:HalfAndHalf", mix=0.1).mix == 0.1


def test_it_is_played_by_the_command_line(installed, tmp_path, capsys):
    config = tmp_path / "experiment.toml"
    config.write_text(
        "replications = 20\n[scenario]\nrates = [0.2, 0.4]\nmax_days = 30\n"
        '[[agents]]\nname = "half-and-half"\nstopping = "many-visits"\nmemory = { memory = "first-days", days = 5 }\n'
    )
    assert cli.main(["run", str(config), "--out", str(tmp_path / "run"), "--no-figures"]) == 0
    assert "half-and-half" in capsys.readouterr().out


def test_when_it_is_gone_so_is_its_name():
    assert "half-and-half" not in agents.available()
    with pytest.raises(ValueError, match=r"unknown name 'half-and-half'"):
        agents.make("half-and-half")


def test_a_broken_package_does_not_hide_the_others(installed):
    (installed / "example_bandit_agents.py").write_text("import no_such_module\n")
    sys.modules.pop("example_bandit_agents", None)
    assert agents.make("thompson").deterministic
    with pytest.raises((ImportError, ValueError), match="no_such_module"):
        plugins.load("bandit_env.agents", "half-and-half")


def test_what_is_no_agent_is_refused():
    with pytest.raises(ValueError, match=r"is a ValueRemaining; expected an agents.Agent"):
        agents.make("agents.stopping:ValueRemaining")


def test_what_an_agent_remarks_is_said_once_before_play(installed, tmp_path, capsys):
    config = tmp_path / "experiment.toml"
    config.write_text(
        "replications = 5\n[[scenarios]]\nname = 'a'\nmax_days = 20\n[[scenarios]]\nname = 'b'\nmax_days = 20\n"
        '[[agents]]\nname = "thompson"\nstopping = "many-visits"\nmemory = { memory = "first-days" }\n'
    )
    assert cli.main(["run", str(config), "--out", str(tmp_path / "run"), "--no-figures"]) == 0
    said = capsys.readouterr().err
    assert said.count("note: agent 'thompson' in scenario 'a': ManyVisits promises an example where every visit") == 1
    assert "scenario 'b'" not in said
