"""Objects from names and arguments, with errors that say which argument is wrong."""

import inspect
from collections.abc import Mapping
from typing import Any

from bandit_env import plugins


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
        factory = plugins.load(group, name)
    except ValueError as error:
        raise ValueError(f"{kind}: {error}") from error
    if not callable(factory):
        raise ValueError(f"{kind} {name!r} is {factory!r}; expected a class")
    _check_arguments(factory, kind, name, arguments)
    try:
        return factory(**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{kind} {name!r}: {error}") from error


def _check_arguments(factory: Any, kind: str, name: str, arguments: Mapping[str, Any]) -> None:
    try:
        taken = inspect.signature(factory).parameters
    except (TypeError, ValueError):  # built in C: its own error has to do
        return
    if any(p.kind is p.VAR_KEYWORD for p in taken.values()):
        return
    for argument in arguments:
        if argument not in taken:
            raise ValueError(
                f"{kind} {name!r}: unknown argument {argument!r}{plugins.suggest(argument, taken)}"
            )
    for argument, parameter in taken.items():
        required = parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL
        if required and argument not in arguments:
            raise ValueError(f"{kind} {name!r}: argument {argument!r} is missing")
