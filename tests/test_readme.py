"""The README is run: its Python as doctests, its commands with fewer replications."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

from bandit_env import cli

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def commands():
    """Every `bandit-env ...` in a bash block."""
    blocks = re.findall(r"```bash\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.S)
    lines = [part.strip() for block in blocks for line in block.splitlines() for part in line.split("&&")]
    return [line for line in lines if line.startswith("bandit-env ")]


def test_python_examples():
    results = doctest.testfile(str(README), module_relative=False)
    assert results.attempted > 5
    assert results.failed == 0


def test_there_are_commands():
    assert "bandit-env run configs/ab_test.toml" in commands()


@pytest.mark.parametrize("command", commands())
def test_commands(command, tmp_path, monkeypatch, capsys):
    arguments = shlex.split(command)[1:]
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    if arguments[0] == "report":
        cli.main(["run", "configs/ab_test.toml", "--replications", "5", "--out", arguments[1]])
    if "--resume" in arguments:
        first = [a for a in arguments if a != "--resume"]
        assert cli.main([*first, *fewer(first, "20")]) == 0
    assert cli.main([*arguments, *fewer(arguments, "30")]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


def fewer(arguments, count):
    """The later of two options counts."""
    return ["--replications", count] if arguments[0] in ("run", "plan") else []


CONFIGS = sorted((ROOT / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", [path for path in CONFIGS if path.stem != "leaderboard"], ids=lambda path: path.stem)
def test_every_config_runs(path, tmp_path, capsys):
    out = tmp_path / "run"
    assert cli.main(["run", str(path), "--replications", "3", "--out", str(out)]) == 0, capsys.readouterr().err
    assert list(out.glob("*/*/episodes.parquet"))
