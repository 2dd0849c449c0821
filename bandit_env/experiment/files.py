"""Files of a run: written whole or not at all, and sealed, so that who reads them knows them unaltered."""

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit_env.errors import ExperimentError

SEAL = "checksum"
MAX_JSON = 2**28  # bytes; the configuration of 10,000 cells has about 10 MB


class DamagedError(ExperimentError):
    """A file of a run is not what the run wrote."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a process that dies on the way leaves it whole or absent.

    Not flushed to the disk's platter: after a power cut the checksum tells, and the chunk is played again.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def pack(arrays: dict[str, NDArray[Any]]) -> bytes:
    """Named arrays of numbers as bytes: the length of a JSON header, the header, and one array after the other.

    (NumPy's own formats refuse to read a table of more than 138 arms, or take twice the time.)
    """
    header = json.dumps([[name, array.dtype.str, array.shape] for name, array in arrays.items()]).encode()
    return b"".join([struct.pack("<Q", len(header)), header, *map(np.ndarray.tobytes, arrays.values())])


def unpack(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays that `pack` wrote; copies, that may be changed.

    Raises:
        ValueError: other bytes.
    """
    try:
        (length,) = struct.unpack_from("<Q", content)
        arrays, place = {}, 8 + length
        for name, dtype, shape in json.loads(content[8:place]):
            count = int(np.prod(shape, dtype=np.int64))
            arrays[name] = np.frombuffer(content, np.dtype(dtype), count, place).reshape(shape).copy()
            place += arrays[name].nbytes
    except (struct.error, TypeError, RecursionError) as error:
        raise ValueError(f"no packed arrays ({error})") from error
    return arrays


def digest(data: Any) -> str:
    """The SHA-256 digest of JSON-able data, however it is laid out in a file."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """The SHA-256 digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def as_json(data: Any) -> bytes:
    """JSON for a person to read, with a newline at the end."""
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()


def sealed(data: dict[str, Any]) -> bytes:
    """A JSON file that says itself what its content's digest is."""
    data = json.loads(as_json(data))  # as it will be read again
    return as_json(data | {SEAL: digest(data)})


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file, whether its seal is whole or not.

    Raises:
        DamagedError: no JSON object, or more than MAX_JSON bytes.
        OSError: the file cannot be read.
    """
    if (size := path.stat().st_size) > MAX_JSON:
        raise DamagedError(f"{path} has {size:,} bytes; expected at most {MAX_JSON:,}")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path} is not JSON ({error})") from error
    if not isinstance(data, dict):
        raise DamagedError(f"{path} holds {type(data).__name__}; expected an object")
    return data


def unseal(data: dict[str, Any], path: Path) -> dict[str, Any]:
    """What `sealed` was given.

    Raises:
        DamagedError: the data is not what was sealed.
    """
    content = {name: value for name, value in data.items() if name != SEAL}
    if data.get(SEAL) != digest(content):
        raise DamagedError(f"{path} was altered or cut short after the run wrote it")
    return content


def check(path: Path, expected: object) -> None:
    """Compare a file's content with its digest.

    Raises:
        DamagedError: it is another, or the file is not there.
    """
    if not path.is_file():
        raise DamagedError(f"{path} is missing")
    if file_digest(path) != expected:
        raise DamagedError(f"{path} was altered or cut short after the run wrote it")


def within(directory: Path, name: object) -> Path:
    """The path `name` in a folder.

    Raises:
        ExperimentError: it is no name of something in there, or a link leads out of the folder.
    """
    path = Path(name) if isinstance(name, str) and name and "\0" not in name else None
    if path is None or path.is_absolute() or ".." in path.parts or not path.parts:
        raise ExperimentError(f"names the folder {name!r}; expected one within the run's")
    home = directory.resolve()
    if not (home / path).resolve().is_relative_to(home):
        raise ExperimentError(f"{directory / path}: leads out of the run's folder")
    return directory / path
