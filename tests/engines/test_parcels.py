"""Agents of scripts and notebooks, on every engine; what cannot travel plays here, and says so first."""

import os
import signal
import subprocess
import sys
import threading
import time
import types
from collections import deque
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest
from odd_agents import Even

from bandit_env.engines import processes
from bandit_env.engines.parcels import NotLoadedError, Parcels, play, unpack
from bandit_env.experiment import run
from bandit_env.experiment.sweep import PRELOAD

WORLD = {"rates": [0.4, 0.42], "min_days": 2, "max_days": 8}
HELPERS = str(Path(__file__).parents[1] / "helpers")

OWN = """
import numpy as np
SCORE = [0.0]  # of the script too
class Even:
    def reset(self, task, n, rng):
        self.k = task.num_arms
    def act(self, observation, rows):
        return np.tile(np.float32([1 / self.k] * self.k + SCORE), (len(rows), 1))
from bandit_env.engines import processes
processes.WORTH_PROCESSES = 0.0  # so little work would not be worth them
from bandit_env.experiment import run
result = run({"rates": [0.4, 0.5], "min_days": 0, "max_days": 8}, {"even": Even()}, 3000, seed=1, executor=%s)
print(len(result.cells[0].episodes), result.cells[0].episodes["visits"].sum())
"""


@pytest.mark.parametrize(("how", "executor"), [("script", "None"), ("notebook", "2")])
def test_a_class_of_a_script_or_a_notebook(tmp_path, how, executor):
    """No main guard, and nothing is run twice. A notebook's `__main__` has no file either."""
    (tmp_path / "own.py").write_text(OWN % executor)
    source = [str(tmp_path / "own.py")] if how == "script" else ["-c", OWN % executor]
    done = subprocess.run([sys.executable, *source], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode, done.stderr) == ("3000 2400000\n", 0, "")


def dynamic_module(name):
    """A module that no other process can import."""
    module = types.ModuleType(name)
    source = "from odd_agents import Even\nclass Mine(Even): pass\n"
    sys.modules[name] = module
    exec(source, module.__dict__)
    return module


@pytest.mark.parametrize("executor", [2, "spawn"])
def test_classes_of_functions_and_of_modules_that_workers_lack_travel_by_value(executor, caplog):
    class Own(Even):
        pass

    module = dynamic_module(f"not_to_be_found_{executor}")
    try:
        agents = {"mine": module.Mine(), "own": Own()}
        if executor == "spawn":
            with ProcessPoolExecutor(2, get_context("spawn")) as pool:
                result = run(WORLD, agents, 3000, seed=1, executor=pool)
        else:
            result = run(WORLD, agents, 3000, seed=1, executor=executor)
    finally:
        del sys.modules[module.__name__]
    here = run(WORLD, {"even": "odd_agents:Even"}, 3000, seed=1, executor=1).cells[0].episodes
    assert all(cell.episodes.equals(here) for cell in result.cells)
    assert len(result.cells) == 2
    assert not caplog.messages, "nothing had to stay here"


class Locked(Even):
    """Cannot be pickled, nor copied."""

    def __init__(self):
        self.lock, self.pids = threading.Lock(), set()

    def act(self, observation, experiments):
        with self.lock:
            self.pids.add(os.getpid())
        return super().act(observation, experiments)


class Telling:
    """A watcher that notes what had been said when the first chunks came."""

    said = None

    def __init__(self, caplog):
        self.caplog = caplog

    def start(self, cells, replications, finished):
        pass

    def advance(self, experiments):
        if self.said is None:
            self.said = list(self.caplog.messages)

    def chunks(self, plan, folder, chunks):
        pass


@pytest.mark.parametrize("executor", [1, 2, None, "threads", "processes"])
def test_what_cannot_be_sent_plays_here_and_says_so_before(executor, caplog, monkeypatch):
    monkeypatch.setattr("bandit_env.engines.processes.WORTH_PROCESSES", 0.0)
    monkeypatch.setattr("bandit_env.engines.processes.available_cores", lambda: 2)
    locked, telling = Locked(), Telling(caplog)
    agents = {"locked": locked, "even": "odd_agents:Even"}
    options = {"seed": 1, "watcher": telling}
    if executor in ("threads", "processes"):
        make = (
            ThreadPoolExecutor
            if executor == "threads"
            else partial(ProcessPoolExecutor, mp_context=get_context("fork"))
        )
        with make(2) as pool:
            result = run(WORLD, agents, 5000, executor=pool, **options)
    else:
        result = run(WORLD, agents, 5000, executor=executor, **options)
    here = run(WORLD, {"even": "odd_agents:Even"}, 5000, seed=1, executor=1).cells[0].episodes
    assert [cell.agent for cell in result.cells] == ["locked", "even"]
    assert all(cell.episodes.equals(here) for cell in result.cells)
    assert locked.pids == {os.getpid()}
    told = "agent 'locked' in scenario 'experiment' cannot be sent to other processes and is played in this one ("
    assert [message.startswith(told) for message in caplog.messages] == ([] if executor == 1 else [True])
    if executor not in (1, None):
        assert telling.said == caplog.messages


class Unloadable(Even):
    """Pickles, and is an error wherever it is loaded."""

    def __reduce__(self):
        return refuse, ("no licence here",)

    def __deepcopy__(self, memo):
        return self


def refuse(why):
    raise OSError(why)


@pytest.mark.parametrize("executor", [2, "threads"])
def test_what_cannot_be_loaded_elsewhere_plays_here(executor, caplog):
    if executor == "threads":
        with ThreadPoolExecutor(2) as pool:
            result = run(WORLD, {"x": Unloadable(), "even": "odd_agents:Even"}, 3000, executor=pool)
    else:
        result = run(WORLD, {"x": Unloadable(), "even": "odd_agents:Even"}, 3000, executor=executor)
    assert [len(cell.episodes) for cell in result.cells] == [3000, 3000]
    assert caplog.messages == [
        "agent 'x' in scenario 'experiment' cannot be sent to other processes and is played in this one "
        "(OSError: no licence here)"
    ]


class Sized(int):
    size = 1


def add(job, progress):
    return job + 1


def test_parcels():
    with Parcels(add) as parcels:
        parcel = parcels.pack(Sized(4))
        assert play(parcel) == 5
        assert unpack(parcel) == (add, 4)
        with pytest.raises(NotLoadedError, match="UnpicklingError"):
            play(b"nonsense")
        assert not parcels.stay([Sized(1)])
        parcels.returned(job := Sized(2), NotLoadedError("no such thing", None))
        assert parcels.pack(job) is None
        assert parcels.stay([job])


def slowly(job, progress):
    time.sleep(0.3)
    return os.getpid()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_a_stopped_worker_is_told_of(monkeypatch, caplog):
    monkeypatch.setattr(processes, "LOOK", 0.1)
    results = processes.LocalProcesses(2, PRELOAD).map(slowly, deque(map(Sized, range(12))), lambda n: None)
    pid = next(results)[1]
    os.kill(pid, signal.SIGSTOP)
    others = [next(results)[1] for _ in range(5)]
    assert pid not in others[1:]
    assert caplog.messages == [
        f"worker process {pid} has been stopped, and its job waits: "
        f"`kill -CONT {pid}` lets it go on, `kill -9 {pid}` has its job played anew"
    ]
    os.kill(pid, signal.SIGCONT)
    assert len(list(results)) == 12 - 6
    assert len(caplog.messages) == 1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_a_run_that_ends_does_not_wait_for_a_stopped_worker():
    results = processes.LocalProcesses(2, PRELOAD).map(slowly, deque(map(Sized, range(12))), lambda n: None)
    pid = next(results)[1]
    os.kill(pid, signal.SIGSTOP)
    begin = time.monotonic()
    results.close()
    assert time.monotonic() - begin < 1
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_long_name_of_the_folder_for_temporary_files(tmp_path):
    """Too long for a socket's name."""
    folder = tmp_path / ("t" * 110)
    folder.mkdir()
    environment = os.environ | {"PYTHONPATH": HELPERS, "TMPDIR": str(folder)}
    done = subprocess.run([sys.executable, "-c", OWN % 2], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode, done.stderr) == ("3000 2400000\n", 0, "")
