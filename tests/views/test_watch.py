"""The bar: what it says, and how it moves."""

import io
import itertools

import pytest
from rich.console import Console

from bandit_env.experiment import run
from bandit_env.views import watch


class Steps:
    """Writes down how a run gets on."""

    def __init__(self):
        self.ended, self.parts, self.wanted = 0, [], 0

    def start(self, cells, replications, finished):
        self.wanted = cells * replications

    def advance(self, experiments):
        self.ended += experiments

    def moved(self, experiments):
        self.parts.append(experiments)

    def chunks(self, plan, folder, chunks):
        pass


@pytest.mark.parametrize(
    ("agent", "max_days"),
    [
        ("uniform", 100),
        ({"name": "uniform", "stopping": {"rule": "after", "days": 50}}, 5000),
        ("uniform-classical", 9000),
    ],
)
def test_what_ends_all_at_once_is_on_its_way_before(agent, max_days):
    """The horizon, or the day that a rule knows beforehand."""
    steps = Steps()
    run({"rates": [0.04, 0.05], "max_days": max_days}, [agent], 50, executor=1, watcher=steps)
    assert steps.ended == steps.wanted == 50
    assert sum(steps.parts) == pytest.approx(50)
    assert 0 < max(steps.parts) <= 0.05 * 50


def test_processes_tell_on_the_way(monkeypatch):
    steps = Steps()
    run({"rates": [0.5, 0.6], "visits_per_day": 1, "max_days": 3000}, ["uniform"] * 1, 2500, executor=2, watcher=steps)
    assert steps.ended == 2500
    assert sum(steps.parts) == pytest.approx(2500)
    assert len(steps.parts) > 3


@pytest.fixture
def pictures(monkeypatch):
    """Each picture of the bar that is drawn when it is told to."""
    seen = []
    monkeypatch.setattr(watch.Progress, "refresh", lambda bar: seen.append(bar.tasks[0].percentage))
    monkeypatch.setattr(watch, "Console", lambda stderr: Console(file=io.StringIO(), width=80))
    return seen


def test_it_moves_in_small_steps(pictures):
    with watch.ProgressBar() as bar:
        bar.start(3, 100, 0)
        for experiments in (1.5, 200, 0.5, 98):
            bar.moved(experiments)
        assert max(after - before for before, after in itertools.pairwise(pictures)) <= 5
        assert bar._progress.tasks[0].percentage == 100


def test_it_says_what_its_numbers_are():
    console = Console(file=io.StringIO(), width=100)
    with watch.ProgressBar(compiling=True) as bar:
        bar.start(1, 4000, 0)
        columns = bar._progress
        console.print(columns.get_renderable())
        bar.moved(1000.0)
        bar.advance(1000)
        console.print(columns.get_renderable())
    before, after = (" ".join(line.split()) for line in console.file.getvalue().splitlines())
    assert before.startswith("compiling")
    assert after.startswith("playing")
    assert "25 % 1,000 of 4,000 experiments" in after
    assert after.count("elapsed") == after.count("remaining") == 1
