"""A release says one version everywhere, and comes with what it should."""

import re
import tomllib
from pathlib import Path

import bandit_env

ROOT = Path(__file__).parents[1]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_stands_in_one_place():
    project = tomllib.loads(text("pyproject.toml"))
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "bandit_env/__init__.py"
    assert f"\nversion: {bandit_env.__version__}\n" in text("CITATION.cff")


def test_the_changelog_and_the_citation_agree_on_the_day():
    version, day = re.search(r"^## \[(\d[^]]*)\] - (\S+)$", text("CHANGELOG.md"), flags=re.M).groups()
    assert version == bandit_env.__version__
    assert f"\ndate-released: {day}\n" in text("CITATION.cff")


def test_hooks_are_what_lint_runs():
    commands = [line for line in text("scripts/lint").splitlines() if re.match("ruff|mypy|codespell", line)]
    hooks = re.findall(r"entry: ([^,]+),", text(".pre-commit-config.yaml"))
    assert [command.removesuffix(" .") for command in commands] == hooks


def test_workflows_call_the_script_that_everybody_can_run():
    assert "- run: .ci/run\n" in text(".github/workflows/ci.yml")
