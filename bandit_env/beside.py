"""Modules that lie beside an experiment file: found for the names in that file, and for nothing else.

Their folders never become part of Python's path, where a `random.py` in one of them would stand in for Python's own.
"""

import contextlib
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Module:
    """A module that is not installed. Plain data, so that a worker without its folder can have it too.

    Attributes:
        name: of the module; of a package its own, without those of its modules.
        path: its file.
        source: what is in the file; None for a package, which is read where it lies.
    """

    name: str
    path: str
    source: bytes | None

    @property
    def digest(self) -> str:
        """The SHA-256 digest of its source, of a package of all its modules'."""
        if self.source is not None:
            return hashlib.sha256(self.source).hexdigest()
        files = sorted(Path(self.path).parent.rglob("*.py"))
        return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


class _Search:
    """What may be found in a block: the modules that are known, those in some folders, and those found so far."""

    def __init__(self, modules: Sequence[Module], folders: Sequence[Path]) -> None:
        self.known = {module.name: module for module in modules}
        self.folders = list(dict.fromkeys(map(str, folders)))
        self.found: dict[str, Module] = {}


MARK = "__beside__"  # an attribute of a module that came from here: what it was made from
_SEARCH: ContextVar[_Search | None] = ContextVar("_SEARCH", default=None)
_LOADING = threading.RLock()


@contextlib.contextmanager
def searching(folders: Sequence[Path] = (), modules: Sequence[Module] = ()) -> Iterator[None]:
    """Within the block `load` finds these modules, and those in these folders."""
    token = _SEARCH.set(_Search(modules, folders))
    try:
        yield
    finally:
        _SEARCH.reset(token)


def found() -> tuple[Module, ...]:
    """The modules that `load` has found so far in the block around."""
    search = _SEARCH.get()
    return () if search is None else tuple(search.found.values())


def find(name: str) -> Module | None:
    """The module of this name (without dots) that lies where the block around looks for it."""
    search = _SEARCH.get()
    if search is None:
        return None
    if name in search.known:
        return search.known[name]
    spec = importlib.machinery.PathFinder.find_spec(name, search.folders)
    if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader) or spec.origin is None:
        return None
    path = Path(spec.origin).absolute()
    return Module(name, str(path), None if spec.submodule_search_locations else path.read_bytes())


def load(name: str) -> Module | None:
    """Have the module `name` (without dots) ready for `import`, if it is not installed and lies beside.

    Returns:
        The module that lies beside; also where an installed one goes before it.
    """
    module = find(name)
    if module is None:
        return None
    with _LOADING:
        if _is_importable(module):
            return module
        spec = _spec(module)
        made = importlib.util.module_from_spec(spec)
        setattr(made, MARK, module)
        before = sys.modules.get(name)
        sys.modules[name] = made
        try:
            assert spec.loader is not None
            spec.loader.exec_module(made)
        except BaseException:
            del sys.modules[name]
            if before is not None:
                sys.modules[name] = before
            raise
    return module


def _is_importable(module: Module) -> bool:
    """Whether `import` finds a module of that name by itself: an installed one, or this one from before."""
    search = _SEARCH.get()
    assert search is not None
    there = sys.modules.get(module.name)
    if there is not None and hasattr(there, MARK):
        search.found[module.name] = module
        return bool(getattr(there, MARK) == module)  # else another experiment's of the same name
    spec = importlib.util.find_spec(module.name) if there is None else None
    if there is None and spec is None:
        search.found[module.name] = module
        return False
    origin = spec.origin if spec is not None else getattr(there, "__file__", None)
    if origin is not None and Path(origin).absolute() == Path(module.path):  # its folder is on Python's path, here
        search.found[module.name] = module
    return True


def _spec(module: Module) -> importlib.machinery.ModuleSpec:
    if module.source is None:
        spec = importlib.machinery.PathFinder.find_spec(module.name, [str(Path(module.path).parents[1])])
    else:
        spec = importlib.util.spec_from_loader(module.name, _Loader(module))
    if spec is None:
        raise ImportError(f"{module.path} is not there")
    return spec


class _Loader(importlib.abc.SourceLoader):
    """Makes a module from its source, wherever that came from."""

    def __init__(self, module: Module) -> None:
        self.module = module

    def get_filename(self, fullname: str) -> str:
        """The file that tracebacks name."""
        return self.module.path

    def get_data(self, path: bytes | str) -> bytes:
        """The source. (There is no compiled file beside it.)"""
        assert self.module.source is not None
        return self.module.source
