"""Names to objects: entry points, "package.module:Class", and the nearest name when there is none."""

import difflib
import functools
import importlib
import inspect
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any


def available(group: str) -> list[str]:
    """The names registered in an entry-point group, sorted."""
    return sorted(_registered(group))


def load(group: str, name: str) -> Any:
    """The object that `name` stands for in an entry-point group, or that "package.module:Class" names.

    Raises:
        ValueError: no such name (the nearest one is suggested), or no such module or attribute.
    """
    if ":" in name:
        return _import(name)
    registered = _registered(group)
    if name not in registered:
        raise ValueError(f"unknown name {name!r}{suggest(name, registered)}")
    return registered[name].load()


def build(group: str, kind: str, name: str, arguments: Mapping[str, Any]) -> Any:
    """Build the object registered as `name` in an entry-point group, or named "package.module:Class".

    Args:
        group: the entry-point group.
        kind: what it is, for messages: "agent", "stopping rule".
        name: the registered name or "package.module:Class".
        arguments: keyword arguments of its constructor.

    Raises:
        ValueError: an unknown name, an unknown or missing argument, or a value that the constructor refuses.
    """
    try:
        factory = load(group, name)
    except ValueError as error:
        raise ValueError(f"{kind}: {error}") from error
    if not callable(factory):
        raise ValueError(f"{kind} {name!r} is {factory!r}; expected a class")
    _check_arguments(factory, kind, name, arguments)
    try:
        return factory(**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{kind} {name!r}: {error}") from error


def suggest(name: str, known: Iterable[str]) -> str:
    """The end of an error message: the known name nearest to `name`, and all of them."""
    known = sorted(known)
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return f"{hint} (known: {', '.join(known) or 'none'})"


def _registered(group: str) -> dict[str, EntryPoint]:
    return _entry_points(group, tuple(sys.path))


@functools.lru_cache(maxsize=8)
def _entry_points(group: str, path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """The entry points of a group; remembered, as finding them reads the metadata of every package on the path."""
    found: dict[str, EntryPoint] = {}
    for entry_point in entry_points(group=group):
        found.setdefault(entry_point.name, entry_point)
    return found


def _import(reference: str) -> Any:
    module_name, _, attribute = reference.partition(":")
    try:
        target: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            target = getattr(target, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"cannot load {reference!r}: {error}") from error
    return target


def _check_arguments(factory: Any, kind: str, name: str, arguments: Mapping[str, Any]) -> None:
    try:
        taken = inspect.signature(factory).parameters
    except (TypeError, ValueError):  # built in C: its own error has to do
        return
    if any(p.kind is p.VAR_KEYWORD for p in taken.values()):
        return
    for argument in arguments:
        if argument not in taken:
            raise ValueError(f"{kind} {name!r}: unknown argument {argument!r}{suggest(argument, taken)}")
    for argument, parameter in taken.items():
        required = parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL
        if required and argument not in arguments:
            raise ValueError(f"{kind} {name!r}: argument {argument!r} is missing")
