"""Names of scenarios and agents, in any script and of any length, and folders called after them."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable

from bandit_env.errors import ExperimentError

MAX_LETTERS, MAX_BYTES = 80, 200  # of a folder's name; file systems allow 255 bytes
RESERVED = {"figures", "config.json", "summary.csv", "estimates.csv", "standings.md"}  # what else is in a run's folder
RESERVED |= {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}  # Windows'


def check_name(where: str, name: object) -> None:
    """Raise an ExperimentError for what is no name, or what no table can show."""
    if not isinstance(name, str) or not name:
        raise ExperimentError(f"{where}: found {name!r}; expected a name")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise ExperimentError(f"{where}: found {name!r}; expected a name without control characters")


def folders_of(cells: Iterable[tuple[str, str]]) -> list[str]:
    """A folder for each cell, scenario/agent; no two the same, not even where case makes no difference."""
    folders: dict[str, str] = {}
    for scenario, agent in cells:
        stem = folder = f"{slug(scenario)}/{slug(agent)}"
        count = 2
        while folder.casefold() in folders:
            folder = f"{stem}-{count}"
            count += 1
        folders[folder.casefold()] = folder
    return list(folders.values())


def slug(name: str) -> str:
    """A name as a folder can have it: letters, marks and digits of any script, and "-" for everything else.

    What is cut short, or has nothing left, ends with a digest of the name. So does what the file system cannot write.
    """
    plain = "".join(letter if _is_kept(letter) else " " for letter in unicodedata.normalize("NFC", name))
    whole = "-".join(plain.split()).strip("-.")
    short = _cut(whole)
    if short == whole and short and _is_writable(short):
        return f"{short}_" if short.split(".")[0].casefold() in RESERVED or short.casefold() in RESERVED else short
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    readable = short if _is_writable(short) else short.encode("ascii", "ignore").decode().strip("-.")
    return f"{readable or 'unnamed'}-{digest}"


def _is_kept(letter: str) -> bool:
    return letter in "_.=-" or unicodedata.category(letter)[0] in "LMN"


def _cut(text: str) -> str:
    text = text[:MAX_LETTERS]
    return text.encode()[:MAX_BYTES].decode(errors="ignore").strip("-.")


def _is_writable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True
