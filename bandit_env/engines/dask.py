"""A Dask cluster as an engine."""

import contextlib
import logging
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

from bandit_env.engines.pool import Pool
from bandit_env.errors import ExperimentError, WorkerError

if TYPE_CHECKING:
    from distributed import Client

TIMEOUT = 10  # seconds to wait for the scheduler
LOGGERS = ("distributed.client", "distributed.core", "distributed.batched", "tornado.application")

log = logging.getLogger(__name__)


@contextlib.contextmanager
def cluster(address: str) -> Iterator[Pool]:
    """An engine on the Dask cluster whose scheduler is at `address`, such as "tcp://host:8786".

    The workers need this package, in the same version. A worker that dies is Dask's to replace; its job is played
    again elsewhere. With no workers left the run waits for new ones, as Dask does, and says so.

    Raises:
        ExperimentError: Dask is not installed, or there is no scheduler at that address.
        WorkerError: workers kept dying under one job, or the scheduler went away.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise ExperimentError("--dask needs the extra: pip install 'bandit-env[distributed]'") from None
    try:
        client = Client(address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ExperimentError(f"--dask {address}: no Dask scheduler there ({error})") from error
    for name in LOGGERS:  # they tell at length, with tracebacks and until after the end, what one message of ours says
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise ExperimentError(f"--dask {address}: the cluster has no workers")
        try:
            yield _Cluster(client, address, threads)
        except KilledWorker as error:
            raise WorkerError(f"--dask {address}: workers kept dying ({error})") from error
        except CancelledError as error:  # Dask cancels what it has lost touch with
            raise WorkerError(f"--dask {address}: the scheduler went away") from error


class _Cluster(Pool):
    def __init__(self, client: "Client", address: str, threads: int) -> None:
        super().__init__(client.get_executor(pure=False), workers=threads)
        self._client, self._address, self._told = client, address, False

    def idle(self) -> None:
        """See `Pool.idle`. Says it, once, when there are no workers left."""
        try:
            gone = not self._client.nthreads()
        except OSError:  # the scheduler is gone too; the jobs will tell
            return
        if gone and not self._told:
            log.warning("--dask %s: no workers left; waiting for new ones (Ctrl-C stops the run)", self._address)
        self._told = gone
