"""A run that was interrupted, damaged or outgrown goes on, and ends as if nothing had happened."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from odd_agents import Even

from bandit_env.errors import ExperimentError
from bandit_env.experiment import results, run

WORLD = {"rates": [0.4, 0.5], "min_days": 2, "max_days": 4}
AGENTS = {"even": "odd_agents:Even", "drawing": "odd_agents:Drawing"}
FILES = ("episodes.parquet", "curves.parquet", "cell.json", "traces.npz")


def play(out, replications=3500, world=WORLD, agents=AGENTS, **options):
    options = {"seed": 11, "executor": 1} | options
    return run(world, agents, replications, out=out, **options)


def contents(out):
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(Path(out).rglob("*")) if p.name in FILES}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    play(out)
    return contents(out)


SCRIPT = """
import sys
from bandit_env.experiment import run
run({world!r}, {agents!r}, {replications}, seed=11, executor={workers}, out=sys.argv[1], resume=True)
"""


@pytest.mark.parametrize(("workers", "moment"), [(1, 0), (1, 1), (2, 2)])
def test_kill_9_at_a_random_moment_then_resume(tmp_path, workers, moment):
    """The moment is drawn from the seed `moment`: as chunks appear, a random number of them and then some."""
    chance, replications = random.Random(moment), 30_000
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    play(whole, replications)
    script = SCRIPT.format(world=WORLD, agents=AGENTS, replications=replications, workers=workers)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "helpers")}
    process = subprocess.Popen([sys.executable, "-c", script, cut], env=environment, start_new_session=True)
    wanted = chance.randrange(0, 50)
    while sum(1 for _ in cut.rglob("chunks/*")) < wanted and process.poll() is None:
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.02))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "ended before it could be killed"
    assert contents(cut) != contents(whole)
    play(cut, replications, resume=True)
    assert contents(cut) == contents(whole)
    assert not list(cut.rglob("*.part"))


@pytest.mark.parametrize("damage", ["truncated", "altered", "emptied", "removed"])
def test_a_damaged_chunk_is_played_again(tmp_path, reference, damage):
    play(tmp_path)
    path = tmp_path / "experiment" / "drawing" / "chunks" / "000001.chunk"
    content = path.read_bytes()
    if damage == "removed":
        path.unlink()
    else:
        middle = len(content) // 2
        altered = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes({"truncated": content[:middle], "altered": altered, "emptied": b""}[damage])
    played = Played()
    play(tmp_path, resume=True, watcher=played)
    assert played.experiments == 1000
    assert path.read_bytes() == content
    assert contents(tmp_path) == reference


class Played:
    """A watcher that counts."""

    experiments = 0

    def start(self, cells, replications, finished):
        self.finished = finished

    def advance(self, experiments):
        self.experiments += experiments

    def chunks(self, plan, folder, chunks):
        pass


def test_resume_of_a_complete_folder_plays_nothing(tmp_path, reference):
    play(tmp_path)
    played = Played()
    play(tmp_path, resume=True, watcher=played)
    assert (played.finished, played.experiments) == (7000, 0)
    assert contents(tmp_path) == reference


@pytest.mark.parametrize("folder", ["absent", "deeply/absent", "empty"])
def test_resume_of_nothing_plays_all(tmp_path, reference, folder):
    (tmp_path / "empty").mkdir()
    play(tmp_path / folder, resume=True)
    assert contents(tmp_path / folder) == reference


@pytest.mark.parametrize("small", [1, 700, 1000, 2300])
def test_more_replications_extend_the_rows(tmp_path, reference, small):
    """Also where a last chunk was cut: it is played again, whole, and begins with the same rows."""
    play(tmp_path, small)
    before = results.load(tmp_path)
    play(tmp_path, 3500, resume=True)
    assert contents(tmp_path) == reference
    after = results.load(tmp_path)
    after = after[after["replication"] < small].reset_index(drop=True)
    pd.testing.assert_frame_equal(before, after)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 12}, "cannot resume, seed was 11 and is now 12"),
        ({"replications": 800}, "replications was 900 and is now 800; it may grow, not shrink"),
        ({"traces": 2}, "traces was 1 and is now 2"),
        (
            {"world": WORLD | {"rates": [0.4, 0.6]}},
            r"cells\[0\].parameters.scenario.rates\[1\] was 0.5 and is now 0.6",
        ),
        ({"world": WORLD | {"max_days": 7}}, r"scenario.max_days was 4 and is now 7"),
        ({"world": WORLD | {"name": "other"}}, r'cells\[0\].scenario was "experiment" and is now "other"'),
        ({"agents": {"even": "odd_agents:Even"}}, r"cells was .* and is now"),
        ({"agents": AGENTS | {"drawing": "uniform"}}, r'agent.name was "odd_agents:Drawing" and is now "uniform"'),
        ({"classical": {}}, r"classical was absent and is now"),
    ],
)
def test_resume_with_another_configuration_says_what_differs(tmp_path, change, message):
    play(tmp_path, 900)
    before = contents(tmp_path) | {"config": (tmp_path / "config.json").read_bytes()}
    with pytest.raises(ExperimentError, match=message):
        play(tmp_path, **({"replications": 900} | change), resume=True)
    assert contents(tmp_path) | {"config": (tmp_path / "config.json").read_bytes()} == before


@pytest.mark.parametrize("package", ["bandit_env", "numpy", "numba", "scipy"])
def test_resume_with_another_version_says_which(tmp_path, package):
    play(tmp_path, 10)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config["versions"][package] = "0.0.1"
    path.write_text(json.dumps(config))
    with pytest.raises(ExperimentError, match=rf'versions.{package} was "0.0.1" and is now'):
        play(tmp_path, 10, resume=True)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"format": 1}', '{"versions": {"bandit_env": 1}, "cells": 3}']
)
def test_resume_of_a_damaged_configuration_is_refused(tmp_path, content):
    play(tmp_path, 10)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ExperimentError, match=r"config.json"):
        play(tmp_path, 10, resume=True)
    with pytest.raises(ExperimentError, match=r"config.json"):
        results.read(tmp_path)


def test_a_folder_that_holds_results_is_refused_and_kept(tmp_path):
    play(tmp_path, 10)
    before = contents(tmp_path)
    with pytest.raises(ExperimentError, match="--resume to go on, or --overwrite"):
        play(tmp_path, 10)
    assert contents(tmp_path) == before


def test_overwrite_removes_the_run_and_nothing_else(tmp_path):
    play(tmp_path, 1500)
    (tmp_path / "notes.txt").write_text("mine")
    play(tmp_path, 20, {**WORLD, "name": "new"}, [Even()], overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "experiment").exists()
    assert len(results.load(tmp_path)) == 20


def test_overwrite_refuses_a_folder_that_is_no_run(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ExperimentError, match="not a run"):
        play(tmp_path, 20, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
