"""One run at a time plays into a folder: it holds a lock on a file there, which the system takes back when it dies."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from bandit_env.errors import ExperimentError

LOCK = ".lock"

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]

    ACCESS = os.O_RDWR
else:

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    ACCESS = os.O_RDONLY  # a file open for writing would keep its disk from becoming read-only


@contextlib.contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Within the block the folder, made if need be, is this run's alone; a file system without locks is taken as is.

    Raises:
        ExperimentError: another run has it, or it cannot be written.
    """
    try:
        made = not directory.exists()
        if not made and not directory.is_dir():
            raise ExperimentError(f"{directory}: is a file; expected a folder for the results")
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = _take(directory / LOCK)
    except OSError as error:
        raise ExperimentError(f"{directory}: cannot be written ({error.strerror or error})") from error
    if descriptor is None:
        raise ExperimentError(f"{directory}: another run is being played into it; choose another folder")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # gone, perhaps, with the folder
            (directory / LOCK).unlink()
        os.close(descriptor)
        if made:
            with contextlib.suppress(OSError):
                directory.rmdir()  # only where nothing has come into it


def _take(path: Path) -> int | None:
    """The open file, locked; None where another process holds it."""
    while True:
        descriptor = os.open(path, ACCESS | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
        except (BlockingIOError, PermissionError):
            os.close(descriptor)
            return None
        except OSError:  # locks are not known here
            return descriptor
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        os.close(descriptor)  # it was removed, by the run that had it, before we could lock it
