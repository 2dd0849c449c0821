"""A Dask cluster as an engine: the same rows, and workers that die."""

import logging

import pytest
from odd_agents import Killing
from test_engine import AGENTS, REPLICATIONS, WORLDS, contents

from bandit_env.experiment import config, run
from bandit_env.experiment.dask import cluster
from bandit_env.experiment.errors import ExperimentError, WorkerError
from bandit_env.experiment.sweep import execute

distributed = pytest.importorskip("distributed", reason="needs the extra [distributed]")
pytestmark = [pytest.mark.extra, pytest.mark.filterwarnings("ignore")]  # Dask's own warnings are not ours to mend


@pytest.fixture(scope="module")
def local_cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None, silence_logs=logging.CRITICAL
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def one_thread_each():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=logging.CRITICAL
    ) as cluster:
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
    monkeypatch.setattr("bandit_env.experiment.dask.TIMEOUT", 1)
    with (
        pytest.raises(ExperimentError, match=r"--dask tcp://127\.0\.0\.1:9: no Dask scheduler there"),
        cluster("tcp://127.0.0.1:9"),
    ):
        pass
    with pytest.raises(ExperimentError, match="--dask nonsense://x: no Dask scheduler there"), cluster("nonsense://x"):
        pass


def test_a_cluster_without_workers():
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=logging.CRITICAL) as empty,
        pytest.raises(ExperimentError, match="the cluster has no workers"),
        cluster(empty.scheduler_address),
    ):
        pass
