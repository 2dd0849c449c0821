"""Names to objects: entry points, "package.module:Class", and the nearest name when there is none."""

import difflib
import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from bandit_env import beside


def available(group: str) -> list[str]:
    """The names registered in an entry-point group, sorted."""
    return sorted(_registered(group))


def load(group: str, name: str) -> Any:
    """The object that `name` stands for in an entry-point group, or that "package.module:Class" names.

    Nothing of it is called; its module is imported.

    Raises:
        ValueError: no such name (the nearest one is suggested), one that several packages claim, no such module or
            attribute, or a module that cannot be imported.
    """
    if ":" in name:
        return _import(name)
    registered = _registered(group)
    if name not in registered:
        raise ValueError(f"unknown name {name!r}{suggest(name, registered)}")
    claims = registered[name]
    if len(claims) > 1:
        claimed = " and ".join(f"{entry.value!r} ({entry.dist.name if entry.dist else 'unknown'})" for entry in claims)
        raise ValueError(f'the name {name!r} means {claimed}; write the one that is meant, "module:Class"')
    try:
        return claims[0].load()
    except (Exception, SystemExit) as error:
        raise ValueError(f"cannot load {name!r}, which is {claims[0].value!r}: {_words(error)}") from error


def build(
    group: str,
    kind: str,
    name: str,
    arguments: Mapping[str, Any],
    accepts: Callable[[type], bool] = lambda found: True,
    expected: str = "a class",
) -> Any:
    """Build the object registered as `name` in an entry-point group, or named "package.module:Class".

    Args:
        group: the entry-point group.
        kind: what it is, for messages: "agent", "stopping rule".
        name: the registered name or "package.module:Class".
        arguments: keyword arguments of its constructor.
        accepts: whether a class is of that kind; asked before anything is called.
        expected: what would be accepted, for messages.

    Raises:
        ValueError: an unknown name, something of another kind, an unknown or missing argument, or a value that the
            constructor refuses.
    """
    try:
        factory = load(group, name)
    except ValueError as error:
        raise ValueError(f"{kind}: {error}") from error
    if not inspect.isclass(factory):
        raise ValueError(f"{name!r} is no {kind} but a {type(factory).__name__}; expected {expected}")
    if not accepts(factory):
        raise ValueError(f"{kind} {name!r} is a {factory.__name__}; expected {expected}")
    _check_arguments(factory, kind, name, arguments)
    try:
        return factory(**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{kind} {name!r}: {error}") from error
    except (Exception, SystemExit) as error:  # whatever a class of somebody's does
        raise ValueError(f"{kind} {name!r}: {_words(error)}") from error


def suggest(name: str, known: Iterable[str]) -> str:
    """The end of an error message: the known name nearest to `name`, and all of them."""
    known = sorted(known)
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return f"{hint} (known: {', '.join(known) or 'none'})"


def _registered(group: str) -> dict[str, list[EntryPoint]]:
    return _entry_points(group, tuple(sys.path))


@functools.lru_cache(maxsize=8)
def _entry_points(group: str, path: tuple[str, ...]) -> dict[str, list[EntryPoint]]:
    """The entry points of a group, those of a name that mean different objects side by side.

    Remembered, as finding them reads the metadata of every package on the path.
    """
    found: dict[str, list[EntryPoint]] = {}
    for entry_point in entry_points(group=group):
        claims = found.setdefault(entry_point.name, [])
        if entry_point.value not in [claim.value for claim in claims]:
            claims.append(entry_point)
            claims.sort(key=lambda claim: claim.value)
    return found


def _import(reference: str) -> Any:
    """The object that "package.module:Class" names, where the module is installed or lies beside (`beside`)."""
    module_name, _, attribute = reference.partition(":")
    parts = [*module_name.split("."), *attribute.split(".")]
    if not all(part.isidentifier() for part in parts):
        raise ValueError(f'{reference!r} is no name; expected one as in the lists, or "module:Class"')
    top, local = parts[0], None
    try:
        local = beside.load(top)
        target: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            target = getattr(target, part)
    except (Exception, SystemExit) as error:
        raise ValueError(f"cannot load {reference!r}: {_words(error)}{_another(top, local)}") from error
    return target


def _another(top: str, local: "beside.Module | None") -> str:
    """That a module beside the experiment file is not the one that Python has imported, where that is so."""
    used = getattr(sys.modules.get(top), "__file__", None) or "part of Python"
    if local is None or top not in sys.modules or used == local.path:
        return ""
    return f"; {local.path} is not looked at, since {top!r} is the name of {used}: rename it"


def _words(error: BaseException) -> str:
    """An error in one line."""
    words = " ".join(str(error).split())
    return words if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: {words}"


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
