"""`bandit-env agents`: the list, and one in full."""

import inspect
import tomllib

import pytest

from bandit_env import cli, plugins
from bandit_env.views import catalogue

EVERYTHING = [(group, name) for group in catalogue.TITLES for name in plugins.available(group)]


def told(capsys, *arguments):
    assert cli.main(["agents", *arguments]) == 0
    return capsys.readouterr().out


def test_the_list_fits_a_screen(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = told(capsys)
    assert len(text.splitlines()) <= 23  # and the prompt
    assert max(map(len, text.splitlines())) <= 80
    words = text.replace(",", " ").split()
    assert [name for _, name in EVERYTHING if name not in words] == []


def test_a_line_for_each(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = told(capsys, "--long").splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) == len(EVERYTHING) + len(catalogue.TITLES)


@pytest.mark.parametrize(("group", "name"), EVERYTHING)
def test_one_is_told_in_full(capsys, monkeypatch, group, name):
    monkeypatch.setenv("COLUMNS", "80")
    text = told(capsys, name)
    thing = plugins.load(group, name)
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    for heading in ("formula", "source", "parameters, with their defaults", "example, in an experiment file"):
        assert heading in words
    letters = "".join(words.split())  # links are longer than a line
    assert "".join(thing.formula.split()) in letters
    assert "".join(thing.source.split()) in letters
    for parameter in inspect.signature(thing).parameters:
        assert f" {parameter} = " in words or f" {parameter} to be given: " in words


@pytest.mark.parametrize(("group", "name"), [one for one in EVERYTHING if one[1] != "sb3"])
def test_examples_can_be_played(group, name):
    table = tomllib.loads(catalogue.example(group, name, plugins.load(group, name)))
    [settings] = table["agents"]
    plugins.build(catalogue.AGENTS, "agent", settings.pop("name"), settings)


def test_a_class_of_one_s_own(capsys):
    text = told(capsys, "odd_agents:Even")
    assert text.startswith("odd_agents:Even: an agent")


def test_an_unknown_name_is_told_the_nearest(capsys):
    assert cli.main(["agents", "thomson"]) == 2
    assert "did you mean 'thompson'?" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "plan", "analyse", "report", "replay", "agents"])
def test_help_fits_the_terminal(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("  bandit-env")) <= 80


def test_experiments_are_listed_within_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["run", "--list"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
