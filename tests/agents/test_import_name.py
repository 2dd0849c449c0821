"""The import name `agents`, which other distributions and many a folder have too."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOMEBODY_ELSES = '"""Somebody else\'s."""\n\n\nclass Agent:\n    pass\n'
RUN = "from bandit_env.experiment import run\nprint(len(run({}, ['uniform'], 3, executor=1).cells[0].episodes))\n"


def python(*arguments, cwd, path=()):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.fixture
def folder(tmp_path):
    """A folder of a user's, with packages of that name in it and a script beside."""
    for name in ("agents", "bandit_env_notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(SOMEBODY_ELSES)
    (tmp_path / "bandit_env").mkdir()  # merely lies there
    (tmp_path / "script.py").write_text(RUN)
    (tmp_path / "both.py").write_text("import agents\n" + RUN)
    return tmp_path


def test_a_folder_of_that_name_beside_a_script_does_no_harm(folder):
    done = python("script.py", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr


def test_a_folder_of_that_name_where_a_command_is_given_does_no_harm(folder):
    done = python("-m", "bandit_env", "agents", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "log-odds-thompson" in done.stdout
    assert "cannot be loaded" not in done.stdout


def test_whoever_has_imported_another_is_told_which_and_what_to_do(folder):
    done = python("both.py", cwd=folder)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert f"the import name 'agents' leads to {folder / 'agents' / '__init__.py'}; expected that of bandit-env" in last
    ours = python(
        "-c", "import bandit_env; print(bandit_env.__file__)", cwd=folder
    ).stdout.strip()  # of this installation
    assert str(Path(ours).parents[1] / "agents" / "__init__.py") in last
    assert "rename a file or folder of yours" in last
    assert "No module named" not in last


def test_a_part_of_ours_imported_past_another_says_so_as_well(folder):
    code = "import agents, sys\nagents.__path__ = [sys.argv[1]]\nimport agents._check\n"
    done = python("-c", code, str(ROOT / "agents"), cwd=folder)
    assert "ImportError: the import name 'agents' leads to" in done.stderr.strip().splitlines()[-1]


THREADS = """
import importlib.machinery, threading, time
from bandit_env import plugins
execute = importlib.machinery.SourceFileLoader.exec_module
def slowly(loader, module):
    if module.__name__ == "agents":
        time.sleep(0.5)
    execute(loader, module)
importlib.machinery.SourceFileLoader.exec_module = slowly
found = []
threads = [threading.Thread(target=lambda: found.append(plugins.load("bandit_env.agents", "uniform"))) for _ in "ab"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(found))
"""


def test_two_threads_that_want_ours_at_once(folder):
    done = python("-c", THREADS, cwd=folder)
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr


@pytest.fixture
def overwritten(tmp_path):
    """A folder of packages into which another distribution of that name was installed after ours."""
    site = tmp_path / "site"
    for name in ("agents", "bandit_env"):
        shutil.copytree(ROOT / name, site / name, ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
    (site / "agents" / "__init__.py").write_text("from agents.agent import Agent\n")
    (site / "agents" / "agent.py").write_text(SOMEBODY_ELSES)
    return site


@pytest.mark.parametrize("arguments", [("agents",), ("run", "experiment.toml")])
def test_the_command_line_says_that_ours_was_overwritten(overwritten, tmp_path, arguments):
    (tmp_path / "experiment.toml").write_text('replications = 2\n[scenario]\n[[agents]]\nname = "uniform"\n')
    done = python("-m", "bandit_env", *arguments, cwd=tmp_path, path=[overwritten])
    assert done.returncode == 2
    (sentence,) = done.stderr.strip().splitlines()
    assert f"leads to {overwritten / 'agents' / '__init__.py'}, over which" in sentence
    assert "was installed" in sentence
    assert "pip install --force-reinstall" in sentence


def test_an_agent_that_needs_ours_is_told_where_it_meets_another(folder):
    """A user's module that derives from ours, in a folder where the name leads elsewhere."""
    (folder / "mine.py").write_text("from agents.allocation import Allocation\n")
    done = python("-c", RUN.replace("'uniform'", "'mine:Mine'"), cwd=folder)
    last = done.stderr.strip().splitlines()[-1]
    assert f"leads to {folder / 'agents' / '__init__.py'}" in last
