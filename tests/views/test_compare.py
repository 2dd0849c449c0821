"""Runs beside each other, and a swept parameter."""

import numpy as np
import pandas as pd
import pytest

from bandit_env import cli
from bandit_env.experiment import results, run
from bandit_env.views import compare
from bandit_env.views.figures import comparison

WORLD = {"name": "ab", "rates": [0.1, 0.2], "min_days": 1, "max_days": 9}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two runs that differ in a threshold, and a sweep."""
    home = tmp_path_factory.mktemp("runs")
    for name, threshold in (("a", 0.01), ("b", 0.2)):
        agent = {"name": "thompson", "stopping": {"rule": "value-remaining", "threshold": threshold}}
        run([WORLD], [agent, "uniform"], 30, seed=2, executor=1, out=home / name)
    swept = {"name": "epsilon-greedy", "sweep": {"epsilon": [0.4, 0.1, 0.2]}}
    run([WORLD], [swept], 30, seed=2, executor=1, out=home / "sweep")
    return home


def test_two_runs_are_compared(home, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "140")
    before = sorted(home.rglob("*"))
    assert cli.main(["report", str(home / "a"), str(home / "b"), "--out", str(tmp_path / "out")]) == 0
    assert sorted(home.rglob("*")) == before
    text = capsys.readouterr().out
    words = text.split()
    assert (words.count("a"), words.count("b"), words.count("thompson"), words.count("uniform")) == (2, 2, 2, 2)
    assert "threshold" in words
    assert "0.2" in words
    table = pd.read_csv(tmp_path / "out" / "comparison.csv")
    assert table["run"].tolist() == ["a", "a", "b", "b"]
    assert table["agent.stopping.threshold"].tolist()[::2] == [0.01, 0.2]
    first, second = (results.load(home / name).query("agent == 'thompson'") for name in "ab")
    assert table["regret"][0] == pytest.approx(first["regret"].mean())
    difference = second["loss"].to_numpy() - first["loss"].to_numpy()
    assert table["loss_difference"][2] == pytest.approx(difference.mean())
    half = 1.96 * difference.std(ddof=1) / np.sqrt(30)
    assert table["loss_difference_high"][2] == pytest.approx(difference.mean() + half, rel=1e-3)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("comparison.csv", "ab-comparison.png", "ab-comparison.svg"),
    }


def test_a_sweep_is_a_table_and_a_curve(home, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "140")
    assert cli.main(["report", str(home / "sweep"), "--by", "epsilon", "--out", str(tmp_path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(" epsilon-greedy")]
    assert [line[1] for line in lines] == ["0.1", "0.2", "0.4"]
    found = compare.entries([results.read(home / "sweep")])
    assert compare.swept(found) == "agent.epsilon"
    figure = comparison.draw(found, "agent.epsilon").figure
    by_epsilon = {entry.parameters["agent.epsilon"]: entry.cell.episodes for entry in found}
    for axes, column in zip(figure.axes, ("stopping_day", "correct", "regret", "loss")):
        [line] = [line for line in axes.lines if line.get_marker() == "o"]
        assert list(line.get_xdata()) == [0.1, 0.2, 0.4]
        factor = 100 if column == "correct" else 1
        expected = [factor * by_epsilon[x][column].mean() for x in (0.1, 0.2, 0.4)]
        assert line.get_ydata() == pytest.approx(expected)


def test_a_parameter_that_does_not_differ(home, capsys):
    assert cli.main(["report", str(home / "sweep"), "--by", "floor"]) == 2
    expected = "--by: found 'floor'; expected a parameter in which the runs differ (agent.epsilon)"
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/x", "runs/y"], ["x", "y"]),
        (["a/1/run", "b/1/run"], ["a/1/run", "b/1/run"]),
        (["runs", "runs/y"], ["runs", "y"]),
        (["x", "x"], ["x (1)", "x (2)"]),
    ],
)
def test_runs_have_short_names_no_two_alike(paths, names):
    assert compare.short_names(paths) == names
