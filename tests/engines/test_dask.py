"""A Dask cluster as an engine: the same rows, and workers that die."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time

import odd_agents
import pytest
from disturbing import HERE, busy_machine, finished, start_cli, wait_until
from odd_agents import Killing
from test_engine import AGENTS, REPLICATIONS, WORLDS, contents

from bandit_env import cli
from bandit_env.engines.dask import cluster
from bandit_env.errors import ExperimentError, WorkerError
from bandit_env.experiment import config, results, run
from bandit_env.experiment.sweep import execute

distributed = pytest.importorskip("distributed", reason="needs the extra [distributed]")
pytestmark = [pytest.mark.extra, pytest.mark.filterwarnings("ignore")]  # Dask's own warnings are not ours to mend


def quiet_cluster(**options):
    return distributed.LocalCluster(dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL, **options)


@pytest.fixture(scope="module")
def local_cluster():
    with quiet_cluster(n_workers=2, threads_per_worker=2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def one_thread_each():
    with quiet_cluster(n_workers=2, threads_per_worker=1) as cluster:
        yield cluster


def experiment(agents=AGENTS, worlds=WORLDS, replications=REPLICATIONS):
    table = {"name": "experiment", "replications": replications, "seed": 3, "scenarios": worlds}
    table["agents"] = [agent | {"label": label} for label, agent in agents.items()]
    return config.resolve(table)


@pytest.mark.parametrize("threads", [1, 2])
def test_same_bytes_on_dask(local_cluster, one_thread_each, tmp_path, threads):
    run(WORLDS, AGENTS, REPLICATIONS, seed=3, executor=1, out=tmp_path / "here")
    address = (one_thread_each if threads == 1 else local_cluster).scheduler_address
    with cluster(address) as engine:
        assert engine.workers == 2 * threads
        execute(experiment(), engine=engine, out=tmp_path / "dask")
    assert contents(tmp_path / "dask") == contents(tmp_path / "here")


def test_a_killed_worker_is_replaced(local_cluster, tmp_path):
    (tmp_path / "marks").mkdir()
    world = {"rates": [0.4, 0.5], "min_days": 2, "max_days": 4}
    whole = run(world, {"x": "odd_agents:Even"}, 8000, seed=1, executor=1)
    with cluster(local_cluster.scheduler_address) as engine:
        agents = {"x": {"object": Killing(str(tmp_path / "marks"))}}
        killed = execute(experiment(agents, [world | {"name": "experiment"}], 8000), engine=engine)
    assert not killed.failures
    assert len(list((tmp_path / "marks").iterdir())) == 1
    assert len(killed.cells[0].episodes) == 8000
    # the same seed as above, in memory: the rows of a run without faults
    again = run(world | {"name": "experiment"}, {"x": "odd_agents:Even"}, 8000, seed=3, executor=1)
    assert killed.cells[0].episodes.equals(again.cells[0].episodes)
    assert not killed.cells[0].episodes.equals(whole.cells[0].episodes)


def test_workers_that_always_die_end_in_one_error(local_cluster, tmp_path):
    (tmp_path / "marks").mkdir()
    agents = {"x": {"object": Killing(str(tmp_path / "marks"), times=1000)}}
    with pytest.raises(WorkerError, match="workers kept dying"), cluster(local_cluster.scheduler_address) as engine:
        execute(experiment(agents, WORLDS[:1], 2000), engine=engine)


def test_no_scheduler_there(monkeypatch):
    monkeypatch.setattr("bandit_env.engines.dask.TIMEOUT", 1)
    with (
        pytest.raises(ExperimentError, match=r"--dask tcp://127\.0\.0\.1:9: no Dask scheduler there"),
        cluster("tcp://127.0.0.1:9"),
    ):
        pass
    with pytest.raises(ExperimentError, match="--dask nonsense://x: no Dask scheduler there"), cluster("nonsense://x"):
        pass


def test_a_cluster_without_workers():
    with (
        quiet_cluster(n_workers=0) as empty,
        pytest.raises(ExperimentError, match="the cluster has no workers"),
        cluster(empty.scheduler_address),
    ):
        pass


LONG = """
replications = 12_000
[scenario]
rates = [0.04, 0.05]
min_days = 20
max_days = 60
[[agents]]
name = "odd_agents:Slow"
label = "slow"
"""


class Cluster:
    """A scheduler and two workers, each a process of its own that can be killed."""

    def __init__(self, tmp_path, stack):
        self._tmp_path, self._stack = tmp_path, stack
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", str(tmp_path / "scheduler.json"))
        self.workers = [self.add_worker() for _ in range(2)]
        wait_until(lambda: (tmp_path / "scheduler.json").exists())
        with distributed.Client(scheduler_file=str(tmp_path / "scheduler.json"), set_as_default=False) as client:
            self.address = client.scheduler.address
            client.wait_for_workers(2)

    def add_worker(self):
        there = ("--scheduler-file", str(self._tmp_path / "scheduler.json"), "--local-directory", str(self._tmp_path))
        return self._start("worker", *there, "--nthreads", "1", "--no-nanny")

    def _start(self, what, *options):
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options, "--no-dashboard"]
        environment = os.environ | {"PYTHONPATH": str(HERE)}
        with open(self._tmp_path / f"{what}.log", "a") as file:
            process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, start_new_session=True)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process


@pytest.fixture
def processes(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Cluster(tmp_path, stack)


@pytest.fixture
def playing(processes, tmp_path):
    """A run on that cluster of which a part is finished."""
    ask_often = "from bandit_env.engines import pool; pool.IDLE = 0.5"
    process = start_cli(tmp_path, "--no-figures", "--dask", processes.address, experiment=LONG, before=ask_often)
    wait_until(lambda: process.poll() is not None or len(list((tmp_path / "out").rglob("chunks/[0-9]*"))) > 0)
    yield process
    process.kill()
    process.communicate()


def assert_resumed_rows_are_those_of_a_whole_run(tmp_path, monkeypatch):
    """Goes on in this process with what is in `out`."""
    kept = finished(tmp_path / "out")
    assert 0 < len(kept) < 12
    assert kept == set((tmp_path / "out").rglob("chunks/*")), "no half-written chunk, no leftover"
    monkeypatch.setattr(odd_agents.Slow, "act", odd_agents.Even.act)
    monkeypatch.setattr("bandit_env.views.report.write", lambda *arguments, **options: None)
    long, out = str(tmp_path / "long.toml"), str(tmp_path / "out")
    assert cli.main(["run", long, "--out", out, "--resume", "--workers", "1"]) == 0
    whole = run({"rates": [0.04, 0.05], "min_days": 20, "max_days": 60}, ["odd_agents:Even"], 12_000, executor=1)
    assert results.read(tmp_path / "out").cells[0].episodes.equals(whole.cells[0].episodes)


@pytest.mark.parametrize("whom", ["process", "group"])
def test_ctrl_c_stops_within_two_seconds_and_says_how_to_go_on(playing, processes, tmp_path, monkeypatch, whom):
    begin = time.monotonic()
    (os.killpg if whom == "group" else os.kill)(playing.pid, signal.SIGINT)
    _, complaint = playing.communicate(timeout=15)
    took = time.monotonic() - begin
    assert playing.returncode == 130, complaint
    assert "Traceback" not in complaint
    assert "bandit-env: interrupted" in complaint
    assert f"bandit-env run long.toml --dask {processes.address} --out out --resume" in complaint
    assert took < 2 * busy_machine()
    assert_resumed_rows_are_those_of_a_whole_run(tmp_path, monkeypatch)


def test_the_scheduler_vanishes(playing, processes, tmp_path, monkeypatch):
    processes.scheduler.kill()
    _, complaint = playing.communicate(timeout=15)
    assert playing.returncode == 1, complaint
    assert "Traceback" not in complaint
    assert f"bandit-env: --dask {processes.address}: the scheduler went away; what was finished is in out" in complaint
    assert_resumed_rows_are_those_of_a_whole_run(tmp_path, monkeypatch)


def test_all_workers_vanish_and_another_comes(playing, processes, tmp_path):
    for worker in processes.workers:
        worker.kill()
    assert "no workers left; waiting for new ones" in playing.stderr.readline()
    assert playing.poll() is None
    processes.add_worker()
    _, complaint = playing.communicate(timeout=60)
    assert playing.returncode == 0, complaint
    assert "Traceback" not in complaint
    assert len(results.load(tmp_path / "out")) == 12_000
