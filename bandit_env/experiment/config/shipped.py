"""Experiments by name: the files of the top-level folder `configs`, which come with the package."""

import re
from collections.abc import Iterator
from pathlib import Path

import bandit_env
from bandit_env import plugins
from bandit_env.errors import ExperimentError

SUFFIX = ".toml"


def folder() -> Path:
    """Where they are: within the installed package, or, for one that is used from its sources, beside it."""
    package = Path(bandit_env.__file__).parent
    installed = package / "_configs"
    return installed if installed.is_dir() else package.parent / "configs"


def experiments() -> dict[str, Path]:
    """The files by name, sorted; those of a folder within it are called folder/name."""
    home = folder()
    found = {path.relative_to(home).with_suffix("").as_posix(): path for path in home.rglob(f"*{SUFFIX}")}
    return dict(sorted(found.items()))


def find(wanted: Path) -> Path:
    """The experiment file that is meant: a path, or the name of one that comes with the package.

    Raises:
        ExperimentError: a name that is neither; suggests the nearest.
    """
    known, name = experiments(), str(wanted)
    try:
        is_file, is_there = wanted.is_file(), wanted.exists()
    except OSError:  # a name that no file can have: who opens it will say so
        return wanted
    if is_file:
        return wanted
    if name in known:
        return known[name]
    if is_there or wanted.name != name or wanted.suffix == SUFFIX:
        return wanted
    raise ExperimentError(f"{name}: no such file, and no experiment of that name{plugins.suggest(name, known)}")


def lines() -> Iterator[str]:
    """A line for each: its name, and the first sentence of its file."""
    known = experiments()
    width = max(map(len, known), default=0)
    for name, path in known.items():
        yield f"{name:{width}}  {_sentence(path)}"


def _sentence(path: Path) -> str:
    comment = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    return re.split(r"(?<=[.?!])(?<! al\.)\s", " ".join(comment))[0]
