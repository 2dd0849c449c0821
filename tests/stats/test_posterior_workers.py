"""Threads inside the posterior, wherever it is called from."""

import multiprocessing
import os
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import bandit_env
from bandit_env.stats.posterior import probability_best, weights_and_value_remaining


def answers(workers):
    rng = np.random.default_rng(11)
    visits = rng.multinomial(6000, [0.2, 0.3, 0.5], 4000)
    conversions = rng.binomial(visits, [0.04, 0.05, 0.045])
    return np.column_stack(weights_and_value_remaining(conversions, visits, workers=workers))


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_threads_in_a_started_process(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this platform has no {method}")
    expected = answers(None)
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        for found in pool.map(answers, [2, 3]):
            assert (found == expected).all()


def test_threads_in_threads():
    expected = answers(None)
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(answers, [2, 1, 3, 2]):
            assert (found == expected).all()


@pytest.mark.extra
@pytest.mark.filterwarnings("ignore")  # Dask's own warnings are not ours to mend
def test_threads_in_a_dask_worker_of_two_threads():
    distributed = pytest.importorskip("distributed", reason="needs the extra [distributed]")
    expected = answers(None)
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0") as cluster,
        distributed.Client(cluster) as client,
    ):
        for found in client.gather(client.map(answers, [1, 2, 3, 2], pure=False)):
            assert (found == expected).all()


def test_an_installation_that_cannot_be_written_to(tmp_path):
    """Neither the package's folder nor the home: there is no place to keep compiled code, and no error."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a file system needs root on Linux")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("cannot mount a tmpfs")
    try:
        package = Path(bandit_env.__file__).parent
        for name in ("bandit_env", "agents"):
            shutil.copytree(package.parent / name, disk / name, ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        code = "from bandit_env.stats import posterior as p; print(p.__file__, p.probability_best([1, 2], [30, 40])[0])"
        environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
        out = subprocess.run(
            [sys.executable, "-P", "-c", code],
            env=environment | {"HOME": str(disk), "XDG_CACHE_HOME": str(disk / "cache"), "PYTHONPATH": str(disk)},
            capture_output=True,
            text=True,
            timeout=110,
        )
        assert out.returncode == 0, out.stderr
        where, share = out.stdout.split()
        assert where.startswith(str(disk))
        assert 0.3 < float(share) < 0.5
    finally:
        subprocess.run(["umount", disk], check=True)


def test_every_row_keeps_its_own_prior_in_threads():
    """2,100 rows are more than one thread's share, so that the second begins in the middle of the priors."""
    rng = np.random.default_rng(12)
    visits = rng.integers(50, 500, (2100, 2))
    conversions = rng.binomial(visits, 0.1)
    prior = rng.uniform(1, 30, (2100, 2, 2))
    single = probability_best(conversions, visits, prior=prior)
    np.testing.assert_array_equal(probability_best(conversions, visits, prior=prior, workers=2), single)
    alone = probability_best(conversions[2000], visits[2000], prior=prior[2000])
    np.testing.assert_array_equal(single[2000], alone)
