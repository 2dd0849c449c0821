"""The second process of a first run: it compiles what the run then finds, and can do no harm."""

import os
import subprocess
import sys

import pytest

from bandit_env.commands import warm_up

PLAY = """
import numpy as np
from bandit_env.world.scenario import Scenario
from bandit_env.world.dynamics import step
from bandit_env.world.simulation import Simulation
from bandit_env.commands import warm_up
from bandit_env.experiment import recorder, run
print(warm_up.is_compiled())
run({"rates": [0.4, 0.5, 0.6], "min_days": 1, "max_days": 1}, ["uniform"], 5, executor=1)
for function in (step, recorder._accumulate):
    print(sum(function.stats.cache_hits.values()), sum(function.stats.cache_misses.values()))
"""


def test_a_later_process_finds_the_compiled_code_of_the_world_and_the_recorder(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "MPLCONFIGDIR": str(tmp_path)}
    command = [sys.executable, "-c", "from bandit_env.commands import warm_up; print(warm_up.is_compiled())"]
    before = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert before.stdout.split() == ["False"]
    subprocess.run([sys.executable, "-m", "bandit_env.commands.warm_up"], env=environment, check=True)
    after = subprocess.run([sys.executable, "-c", PLAY], env=environment, capture_output=True, text=True, check=True)
    assert after.stdout.split() == ["True", "1", "0", "1", "0"]
    assert not list(tmp_path.glob("stats*/*")), "the posterior is the run's own share"


@pytest.fixture
def cold(monkeypatch):
    monkeypatch.setattr(warm_up, "is_compiled", lambda: False)
    monkeypatch.setattr(warm_up, "available_cores", lambda: 2)


def test_its_process_does_not_outlive_the_block(cold, monkeypatch):
    started = []

    def start(command, **options):
        started.append(popen([sys.executable, "-c", "import time; time.sleep(60)"], **options))
        return started[-1]

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    with warm_up.beside():
        assert started[0].poll() is None
    assert started[0].poll() is not None


def test_a_process_that_cannot_be_started_is_no_error(cold, monkeypatch):
    def fail(*arguments, **options):
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", fail)
    with warm_up.beside():
        pass


@pytest.mark.parametrize(("compiled", "cores"), [(True, 2), (False, 1)])
def test_nothing_is_started_where_nothing_is_gained(monkeypatch, compiled, cores):
    monkeypatch.setattr(warm_up, "is_compiled", lambda: compiled)
    monkeypatch.setattr(warm_up, "available_cores", lambda: cores)
    monkeypatch.setattr(subprocess, "Popen", lambda *arguments, **options: pytest.fail("started a process"))
    with warm_up.beside():
        pass
