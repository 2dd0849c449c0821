"""Classes in modules beside an experiment file, and what is refused before anything is called."""

import shutil
import sys
from pathlib import Path

import pytest

from agents.policy import SHIPPED
from bandit_env import beside, cli, plugins
from bandit_env.experiment import config, results

MINE = """
import numpy as np
from agents.agent import Agent
from agents.stopping import StoppingRule
from bandit_env.world.action import encode_action

DAY = {day}

class Mine(Agent):
    deterministic = True
    def reset(self, task, num_experiments, rng):
        pass
    def act(self, observation, experiments):
        n, num_arms = observation["visits"].shape
        stop = np.where(observation["day"][:, 0] >= DAY, 0, -1)
        return encode_action(np.full((n, num_arms), 1 / num_arms), stop)

class OnDay(StoppingRule):
    source = "a test"
    def decide(self, evidence):
        stop = evidence.day >= DAY
        return np.where(stop, 0, -1), np.zeros_like(stop)
"""
FILE = """
replications = {replications}
[scenario]
min_days = 1
max_days = 20
[[agents]]
name = "{name}"
"""
RULE = 'stopping = "{name}"\n'


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with a module and an experiment file; the current folder is another, and Python's path has neither."""
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before = set(sys.modules)
    yield tmp_path / "home"
    for name in [name for name in sys.modules if name.startswith("local_") and name not in before]:
        del sys.modules[name]


def play(home, name, *options, replications=3, extra=""):
    (home / "e.toml").write_text(FILE.format(name=name, replications=replications) + extra)
    shutil.rmtree("out", ignore_errors=True)
    return cli.main(["run", str(home / "e.toml"), "--out", "out", "--no-figures", *options])


def days():
    return set(results.load("out")["stopping_day"])


@pytest.mark.parametrize("where", ["home", "here"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_module_beside_the_file_or_here(home, where, workers):
    (home.parent / where / "local_mine.py").write_text(MINE.format(day=3))
    path = list(sys.path)
    assert play(home, "local_mine:Mine", "--workers", workers, replications=2001) == 0
    assert days() == {3}
    assert sys.path == path


def test_the_one_beside_the_file_goes_first(home):
    (home / "local_mine.py").write_text(MINE.format(day=3))
    Path("local_mine.py").write_text(MINE.format(day=4))
    assert play(home, "local_mine:Mine") == 0
    assert days() == {3}


def test_a_rule_a_package_and_another_experiment_s_module_of_the_same_name(home):
    (home / "local_pack").mkdir()
    (home / "local_pack" / "__init__.py").write_text("")
    (home / "local_pack" / "rules.py").write_text(MINE.format(day=5))
    (home / "local_mine.py").write_text(MINE.format(day=6))
    rule = RULE.format(name="local_pack.rules:OnDay")
    assert play(home, "uniform", "--workers", "2", replications=1001, extra=rule) == 0
    assert days() == {5}
    assert play(home, "local_mine:Mine") == 0
    assert days() == {6}
    other = home.parent / "other"
    other.mkdir()
    (other / "local_mine.py").write_text(MINE.format(day=7))
    assert play(other, "local_mine:Mine") == 0
    assert days() == {7}
    assert play(home, "local_mine:Mine") == 0
    assert days() == {6}


def test_a_worker_without_the_folder_has_the_module_too(home):
    """As on another machine: what it is told is enough."""
    (home / "local_mine.py").write_text(MINE.format(day=3))
    (home / "e.toml").write_text(FILE.format(name="local_mine:Mine", replications=1))
    (plan,) = config.load(home / "e.toml").cells
    shutil.rmtree(home)
    del sys.modules["local_mine"]
    agent = plan.build_agent()
    assert type(agent).__name__ == "Mine"
    assert sys.modules["local_mine"].DAY == 3
    assert type(plan.build_agent()) is type(agent)


def test_nothing_else_is_looked_for_there(home):
    (home / "local_mine.py").write_text(MINE.format(day=3))
    (home / "e.toml").write_text(FILE.format(name="local_mine:Mine", replications=1))
    config.load(home / "e.toml")
    sys.modules.pop("local_mine")
    with pytest.raises(ImportError):
        import local_mine  # noqa: F401
    with pytest.raises(ValueError, match="No module named 'local_mine'"):
        plugins.load("bandit_env.agents", "local_mine:Mine")
    assert beside.find("local_mine") is None


@pytest.mark.parametrize("name", ["random", "agents", "bandit_env", "numpy"])
def test_a_module_called_like_an_installed_one_is_not_put_before_it(home, capsys, name):
    (home / f"{name}.py").write_text(MINE.format(day=3))
    before = sys.modules.get(name)
    assert play(home, f"{name}:Mine") == 2
    told = capsys.readouterr().err
    assert f"{home / name}.py is not looked at, since '{name}' is the name of " in told
    assert told.count("\n") == 1
    assert sys.modules.get(name) is before or before is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("os:system", "'os:system' is no agent but a builtin_function_or_method; expected a class with `reset` and"),
        ("sys:exit", "'sys:exit' is no agent but a builtin_function_or_method; expected a class"),
        ("os:path", "'os:path' is no agent but a module; expected a class"),
        ("json:JSONEncoder", "'json:JSONEncoder' is a JSONEncoder; expected a class with `reset` and `act`"),
        ("local_bad:X", "cannot load 'local_bad:X': RuntimeError: no luck"),
        ("local_leaving:X", "cannot load 'local_leaving:X': SystemExit: 3"),
        ("local_syntax:X", "cannot load 'local_syntax:X': SyntaxError: "),
        ("local_mine:Absent", "cannot load 'local_mine:Absent': module 'local_mine' has no attribute 'Absent'"),
        ("local_mine:build", "'local_mine:build' is no agent but a function; expected a class with `reset` and `act`"),
        ("local_mine:Failing", "'local_mine:Failing': RuntimeError: not today"),
        (".rel:X", "'.rel:X' is no name; expected one as in the lists, or \"module:Class\""),
        ("../x:X", "'../x:X' is no name; expected"),
        ("x:", "'x:' is no name; expected"),
        ("x:X()", "'x:X()' is no name; expected"),
        ("x\\u0000:X", "agents[0].name: found 'x\\x00:X'; expected a name without control characters"),
        ("no_such:X", "cannot load 'no_such:X': No module named 'no_such'"),
        ("thomson", "unknown name 'thomson'; did you mean 'thompson'?"),
    ],
)
def test_what_is_no_agent_is_refused_uncalled_in_one_sentence(home, capsys, name, told):
    (home / "local_bad.py").write_text("raise RuntimeError('no luck')")
    (home / "local_leaving.py").write_text("import sys; sys.exit(3)")
    (home / "local_syntax.py").write_text("def (")
    more = "def build(): raise AssertionError('called')\nclass Failing(Mine):\n    def __init__(self):\n"
    (home / "local_mine.py").write_text(MINE.format(day=3) + more + "        raise RuntimeError('not\\ntoday')\n")
    assert play(home, name) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert "Traceback" not in said
    assert not Path("out").exists()


@pytest.mark.parametrize("name", ["os:system", "json:JSONEncoder", "local_mine:Mine"])
def test_what_is_no_rule_is_refused(home, capsys, name):
    (home / "local_mine.py").write_text(MINE.format(day=3))
    assert play(home, "uniform", extra=RULE.format(name=name)) == 2
    assert "expected a StoppingRule" in capsys.readouterr().err


CLAIM = "Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"


def test_two_packages_that_claim_a_name(tmp_path, monkeypatch, capsys):
    for name, target in (("ours-again", "agents.allocations.uniform:Uniform"), ("theirs", "local_mine:Mine")):
        info = tmp_path / f"{name.replace('-', '_')}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(CLAIM.format(name=name))
        (info / "entry_points.txt").write_text(f"[bandit_env.agents]\nuniform = {target}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    told = "the name 'uniform' means 'agents.allocations.uniform:Uniform' (ours-again) and 'local_mine:Mine' (theirs)"
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        plugins.load("bandit_env.agents", "uniform")
    assert str(caught.value) == f'{told}; write the one that is meant, "module:Class"'
    assert plugins.load("bandit_env.agents", "thompson").__name__ == "Thompson"
    (tmp_path / "e.toml").write_text(FILE.format(name="uniform", replications=1))
    assert cli.main(["run", str(tmp_path / "e.toml"), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    shutil.rmtree(tmp_path / "theirs-1.dist-info")  # the same object twice is no conflict
    plugins._entry_points.cache_clear()
    assert plugins.load("bandit_env.agents", "uniform").__name__ == "Uniform"


@pytest.mark.filterwarnings("ignore:the weights")
@pytest.mark.parametrize("kind", ["module", "package", "weights"])
def test_a_run_does_not_go_on_with_other_code_or_weights_of_the_same_name(home, capsys, kind):
    """The rows of its two halves would not be of one agent."""
    extra, name, what = "", "local_mine:Mine", "local_mine.py"
    path = home / "local_mine.py"
    if kind == "package":
        (home / "local_pack").mkdir()
        (home / "local_pack" / "__init__.py").write_text("")
        path, name, what = home / "local_pack" / "mine.py", "local_pack.mine:Mine", "__init__.py"
    if kind == "weights":
        path, name, what = home / "w.npz", "learned", str(home / "w.npz")
        extra = f'path = "{path}"\n'
        shutil.copy(SHIPPED / "daily.npz", path)
    else:
        path.write_text(MINE.format(day=3))
    assert play(home, name, extra=extra) == 0
    command = ["run", str(home / "e.toml"), "--out", "out", "--resume", "--no-figures"]
    assert cli.main(command) == 0
    shutil.copy(SHIPPED / "daily-cost.npz", path) if kind == "weights" else path.write_text(MINE.format(day=4))
    capsys.readouterr()
    assert cli.main(command) == 2
    assert f"cannot resume, cells[0].made_of.{what} was " in capsys.readouterr().err
