"""A Dask cluster as an engine."""

import contextlib
from collections.abc import Iterator

from bandit_env.experiment.engine import Pool
from bandit_env.experiment.errors import ExperimentError, WorkerError

TIMEOUT = 10  # seconds to wait for the scheduler


@contextlib.contextmanager
def cluster(address: str) -> Iterator[Pool]:
    """An engine on the Dask cluster whose scheduler is at `address`, such as "tcp://host:8786".

    The workers need this package, in the same version. A worker that dies is Dask's to replace; its job is played
    again elsewhere.

    Raises:
        ExperimentError: Dask is not installed, or there is no scheduler at that address.
        WorkerError: workers kept dying under one job.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise ExperimentError("--dask needs the extra: pip install 'bandit-env[distributed]'") from None
    try:
        client = Client(address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ExperimentError(f"--dask {address}: no Dask scheduler there ({error})") from error
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise ExperimentError(f"--dask {address}: the cluster has no workers")
        try:
            yield Pool(client.get_executor(pure=False), workers=threads)
        except KilledWorker as error:
            raise WorkerError(f"--dask {address}: workers kept dying ({error})") from error
