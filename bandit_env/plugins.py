"""Names to objects: entry points, "package.module:Class", and the nearest name when there is none."""

import difflib
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from bandit_env import beside

AGENTS = "agents"  # the import name of our other package, which others have too
MARK = 'GROUP = "bandit_env.agents"'  # a line of its __init__.py
_importing = threading.RLock()  # so that no thread takes what another has imported by half for somebody else's


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
        if claims[0].module.partition(".")[0] == AGENTS:
            require_agents()
        return claims[0].load()
    except (Exception, SystemExit) as error:
        _tell_whose_agents(error)
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


def require_agents() -> None:
    """Have the import name `agents` stand for ours, which lies beside this package.

    The distribution openai-agents has that name too, and many a folder. Where nothing of the name has been imported,
    ours is, wherever else the name would lead: so a folder that merely lies there does no harm.

    Raises:
        ImportError: another one has been imported, or another distribution has overwritten ours; says what to do.
    """
    with _importing:
        module = sys.modules.get(AGENTS)
        if module is not None:
            if getattr(module, "GROUP", None) != "bandit_env.agents":
                found = getattr(module, "__file__", None) or str(list(getattr(module, "__path__", [])))
                raise ImportError(_whose_agents(found), name=AGENTS)
            return
        ours = _our_agents()
        if not ours.is_file() or MARK not in ours.read_text(encoding="utf-8"):
            raise ImportError(_whose_agents(str(ours) if ours.is_file() else "no file"), name=AGENTS)
        spec = importlib.util.spec_from_file_location(AGENTS, ours, submodule_search_locations=[str(ours.parent)])
        assert spec is not None
        assert spec.loader is not None
        sys.modules[AGENTS] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[AGENTS])
        except BaseException:
            del sys.modules[AGENTS]
            raise


def _our_agents() -> Path:
    return Path(__file__).resolve().parents[1] / AGENTS / "__init__.py"


def _whose_agents(found: str) -> str:
    """What to say where `agents` is not ours."""
    ours = str(_our_agents())
    others = [name for name in importlib.metadata.packages_distributions().get(AGENTS, []) if name != "bandit-env"]
    over = f", over which {' and '.join(others) or 'another distribution'} was installed" if found == ours else ""
    return (
        f"the import name 'agents' leads to {found}{over}; expected that of bandit-env, {ours}: rename a file or "
        "folder of yours, and keep bandit-env apart from others that have the name, such as openai-agents, in an "
        "environment of its own (there `pip install --force-reinstall --no-deps bandit-env` puts ours back)"
    )


def _tell_whose_agents(error: BaseException) -> None:
    """Where something could not be imported from `agents` since it is not ours, say that instead of the error."""
    blamed = getattr(error, "name", None) or ""
    if isinstance(error, ImportError) and blamed.partition(".")[0] == AGENTS:
        try:
            require_agents()
        except ImportError as wrong:
            raise ValueError(str(wrong)) from error


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
        if top == AGENTS:
            require_agents()
        local = beside.load(top)
        target: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            target = getattr(target, part)
    except (Exception, SystemExit) as error:
        _tell_whose_agents(error)
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
