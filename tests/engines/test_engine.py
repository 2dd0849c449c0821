"""The same rows from every engine, and what becomes of workers that die."""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import odd_agents
import pytest
from numba.core import event
from odd_agents import Drawing, Killing

from bandit_env.engines import processes
from bandit_env.engines.engine import InProcess, available_cores
from bandit_env.engines.pool import Pool
from bandit_env.errors import ExperimentError, WorkerError
from bandit_env.experiment import config, run
from bandit_env.experiment.sweep import PRELOAD, choose_engine, execute

# All start the same server, and whoever comes first in a process says what it imports.
LocalProcesses = partial(processes.LocalProcesses, preload=PRELOAD)
Automatic = partial(processes.Automatic, preload=PRELOAD)

WORLDS = [
    {"name": "fixed", "rates": [0.4, 0.42], "min_days": 2, "max_days": 8},
    {"name": "drawn", "prior": [[40, 60], [45, 55], [42.5, 57.5]], "min_days": 3, "max_days": 5, "updates_per_day": 2},
]
AGENTS = {
    "thompson": {"name": "thompson", "stopping": {"rule": "value-remaining", "threshold": 0.05}},
    "epsilon-greedy": {"name": "epsilon-greedy", "stopping": "mixture-sprt"},
    "drawing": {"name": "odd_agents:Drawing"},
}
REPLICATIONS = 2200  # three chunks, the last one cut


def contents(directory):
    """Every byte of the rows and curves that a run has left, and of its chunks."""
    files = [p for p in sorted(Path(directory).rglob("*")) if p.suffix in (".parquet", ".npz", ".chunk")]
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    out = tmp_path_factory.mktemp("reference")
    assert not run(WORLDS, AGENTS, REPLICATIONS, seed=3, executor=1, out=out).failures
    return contents(out)


def test_reference_is_whole(reference):
    cells = len(WORLDS) * len(AGENTS)
    assert sum(name.endswith("episodes.parquet") for name in reference) == cells
    assert sum("chunks" in name for name in reference) == 3 * cells


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_same_bytes_on_local_processes(reference, tmp_path, workers):
    table = {"name": "experiment", "replications": REPLICATIONS, "seed": 3, "scenarios": WORLDS}
    table["agents"] = [agent | {"label": label} for label, agent in AGENTS.items()]
    execute(config.resolve(table), engine=LocalProcesses(workers), out=tmp_path)
    assert contents(tmp_path) == reference


def test_same_bytes_on_threads_of_a_pool(reference, tmp_path):
    with ThreadPoolExecutor(2) as executor:
        run(WORLDS, AGENTS, REPLICATIONS, seed=3, executor=executor, out=tmp_path)
    assert contents(tmp_path) == reference


def test_same_rows_in_memory_and_in_any_order_of_agents(reference, tmp_path):
    backwards = dict(reversed(AGENTS.items()))
    run(WORLDS[::-1], backwards, REPLICATIONS, seed=3, executor=1, out=tmp_path / "run")
    assert contents(tmp_path / "run") == reference
    in_memory = run(WORLDS[:1], {"drawing": Drawing()}, REPLICATIONS, seed=3, executor=1)
    import pandas as pd

    stored = pd.read_parquet(tmp_path / "run" / "fixed" / "drawing" / "episodes.parquet")
    pd.testing.assert_frame_equal(in_memory.cells[0].episodes, stored)


def test_a_killed_worker_is_replaced_and_its_job_played_again(tmp_path):
    world = {"rates": [0.4, 0.5], "min_days": 2, "max_days": 4}
    (tmp_path / "marks").mkdir()
    whole = run(world, {"x": "odd_agents:Even"}, 8000, seed=1, executor=1)
    killed = run(world, {"x": Killing(str(tmp_path / "marks"), times=2)}, 8000, seed=1, executor=2)
    assert not killed.failures
    assert len(list((tmp_path / "marks").iterdir())) == 2
    assert killed.cells[0].episodes.equals(whole.cells[0].episodes)
    assert killed.cells[0].curves.equals(whole.cells[0].curves)


def test_workers_that_always_die_end_in_one_error(tmp_path):
    (tmp_path / "marks").mkdir()
    with pytest.raises(WorkerError, match="died 3 times with nothing finished"):
        run(WORLDS[0], [Killing(str(tmp_path / "marks"), times=1000)], 4000, executor=2)


@dataclass(frozen=True)
class Deadly:
    """Kills the process that tries it first."""

    mark: Path
    size: int = 1


def survive(job, progress):
    try:
        job.mark.touch(exist_ok=False)
    except FileExistsError:
        return job.mark.name
    os.kill(os.getpid(), signal.SIGKILL)


def test_deaths_with_something_finished_in_between_end_nothing(tmp_path):
    """Four of them, one more than may come in a row."""
    jobs = deque(Deadly(tmp_path / str(n)) for n in range(4))
    found = LocalProcesses(1).map(survive, jobs, lambda count: None)
    assert [name for _, name in found] == ["0", "1", "2", "3"]


def double(job, progress):
    if progress is not None:
        progress(job)
    return 2 * job


class Sized(int):
    size = 1


@pytest.mark.parametrize("make", [InProcess, lambda: LocalProcesses(2), Automatic, lambda: Pool(ThreadPoolExecutor(2))])
def test_every_job_is_done_once(make):
    told = []
    found = list(make().map(double, deque(map(Sized, range(20))), told.append))
    assert sorted(found) == [(n, 2 * n) for n in range(20)]
    assert told


def slowly(job, progress):
    threading.Event().wait(0.2)
    return os.getpid()


def test_automatic_starts_processes_only_where_that_gains(monkeypatch):
    monkeypatch.setattr("bandit_env.engines.processes.available_cores", lambda: 2)
    here = {pid for _, pid in Automatic().map(slowly, deque(map(Sized, range(3))), lambda n: None)}
    assert here == {os.getpid()}
    monkeypatch.setattr("bandit_env.engines.processes.WORTH_PROCESSES", 0.1)
    first, *rest = (pid for _, pid in Automatic().map(slowly, deque(map(Sized, range(6))), lambda n: None))
    assert first == os.getpid()
    assert os.getpid() not in rest


def compiling(job, progress):
    with event.trigger_event("numba:compiler_lock"):
        threading.Event().wait(0.2)
    return os.getpid()


def test_automatic_does_not_start_processes_for_the_time_that_compiling_took(monkeypatch):
    monkeypatch.setattr("bandit_env.engines.processes.available_cores", lambda: 2)
    monkeypatch.setattr("bandit_env.engines.processes.WORTH_PROCESSES", 0.1)
    assert {pid for _, pid in Automatic().map(compiling, deque(map(Sized, range(6))), lambda n: None)} == {os.getpid()}


def threads(job, progress):
    import numba

    status = Path("/proc/self/status").read_text()
    return numba.get_num_threads(), os.environ["OMP_NUM_THREADS"], status


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_workers_have_one_thread_each_and_leave_the_environment_alone(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    ((_, (numba_threads, openmp, _)),) = LocalProcesses(1).map(threads, deque([Sized(1)]), lambda n: None)
    assert (numba_threads, openmp) == (1, "1")
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="forks no workers")
def test_workers_are_forked_with_what_they_need_and_no_more():
    jobs = deque([np.zeros(1)])  # of size 1, and from a module that workers have
    ((_, modules),) = LocalProcesses(1).map(odd_agents.modules, jobs, lambda n: None)
    assert {"bandit_env.experiment.preload", "agents.allocations.thompson", "numba.np.arraymath"} <= modules
    assert not {"pydantic", "pyarrow.parquet", "matplotlib", "bandit_env.experiment.sweep"} & modules


def test_abandoned_run_leaves_no_process(monkeypatch):
    jobs = deque(map(Sized, range(50)))
    results = LocalProcesses(2).map(slowly, jobs, lambda n: None)
    pids = {next(results)[1], next(results)[1]}
    results.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


class Breaking(Sized):
    """A job whose answer breaks off in the middle, once, in one of two ways: its worker is killed, or just stays."""

    def __new__(cls, folder, then):
        job = super().__new__(cls, 1)
        job.begin, job.broken, job.then = folder / "begin", folder / "broken", then
        return job

    def __reduce__(self):
        return Breaking, (self.begin.parent, self.then)


def answer(job, progress):
    if isinstance(job, Breaking) and not job.broken.exists():
        while not job.begin.exists():
            time.sleep(0.01)

        def send_half(pipe, message, write=os.write):
            write(pipe.fileno(), bytes(message)[: len(message) // 2])
            job.broken.touch()
            job.then()

        Connection._send = send_half
    return bytes(1_000_000)  # more than a pipe holds


@pytest.mark.skipif(os.name != "posix", reason="breaks off as Python writes to pipes of POSIX")
def test_a_worker_killed_in_the_middle_of_its_answer_is_replaced(tmp_path):
    (tmp_path / "begin").touch()
    jobs = [Breaking(tmp_path, then=partial(signal.raise_signal, signal.SIGKILL)), *map(Sized, range(5))]
    found = list(LocalProcesses(2).map(answer, deque(jobs), lambda n: None))
    assert (tmp_path / "broken").exists()
    assert [len(result) for _, result in found] == [1_000_000] * 6


@pytest.mark.skipif(os.name != "posix", reason="breaks off as Python writes to pipes of POSIX")
def test_a_run_that_ends_does_not_wait_for_the_rest_of_an_answer(tmp_path):
    jobs = [Breaking(tmp_path, then=signal.pause), *map(Sized, range(5))]
    results = LocalProcesses(2).map(answer, deque(jobs), lambda n: None)
    next(results)
    (tmp_path / "begin").touch()
    while not (tmp_path / "broken").exists():
        time.sleep(0.01)
    results.close()


class Unwelcome(Exception):
    """Cannot be made again from what it says of itself."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def raising(job, progress):
    raise [KeyError("no such thing"), Unwelcome(1, 2)][job]


def test_an_error_in_a_worker_arrives_with_where_it_came_from():
    with pytest.raises(KeyError, match="no such thing") as caught:
        list(LocalProcesses(1).map(raising, deque([Sized(0)]), lambda n: None))
    assert "in raising" in caught.value.__notes__[0]
    with pytest.raises(WorkerError, match=r"(?s)in raising.*Unwelcome: 1 and 2"):
        list(LocalProcesses(1).map(raising, deque([Sized(1)]), lambda n: None))


def test_results_that_cannot_be_sent_are_errors():
    with pytest.raises(TypeError, match="cannot pickle"):
        list(LocalProcesses(1).map(unsendable, deque([Sized(1)]), lambda n: None))


def unsendable(job, progress):
    return threading.Lock()


def test_choose_engine():
    assert isinstance(choose_engine(None), processes.Automatic)
    assert isinstance(choose_engine(1), InProcess)
    assert choose_engine(3).workers == 3
    assert available_cores() >= 1
    with pytest.raises(ExperimentError, match="workers: found 0; expected 1 or more"):
        choose_engine(0)
