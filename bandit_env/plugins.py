"""Names to objects: entry points, "package.module:Class", and the nearest name when there is none."""

import difflib
import importlib
from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Any


def available(group: str) -> list[str]:
    """The names registered in an entry-point group, sorted."""
    return sorted(entry_points(group=group).names)


def load(group: str, name: str) -> Any:
    """The object that `name` stands for in an entry-point group, or that "package.module:Class" names.

    Raises:
        ValueError: no such name (the nearest one is suggested), or no such module or attribute.
    """
    if ":" in name:
        return _import(name)
    found = entry_points(group=group, name=name)
    if not found:
        raise ValueError(f"unknown name {name!r}{suggest(name, available(group))}")
    return next(iter(found)).load()


def suggest(name: str, known: Iterable[str]) -> str:
    """The end of an error message: the known name nearest to `name`, and all of them."""
    known = sorted(known)
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return f"{hint} (known: {', '.join(known) or 'none'})"


def _import(reference: str) -> Any:
    module_name, _, attribute = reference.partition(":")
    try:
        target: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            target = getattr(target, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"cannot load {reference!r}: {error}") from error
    return target
