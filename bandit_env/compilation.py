"""Numba's njit as the compiled code here uses it."""

import gc
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import event


class _Uncollected(event.Listener):  # type: ignore[misc]
    """Keeps the garbage collector away while Numba compiles: a fifth of the time, and it would find next to nothing."""

    def __init__(self) -> None:
        self._depth, self._enabled = 0, False

    def on_start(self, event: Any) -> None:
        if self._depth == 0:
            self._enabled = gc.isenabled()
            gc.disable()
        self._depth += 1

    def on_end(self, event: Any) -> None:
        self._depth -= 1
        if self._depth == 0 and self._enabled:
            gc.enable()


event.register("numba:compile", _Uncollected())  # Numba's lock is held meanwhile: one compilation at a time


def kept(sources: Iterable[Path], **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile with IEEE division, and keep the code on disk between runs where there is a place to write.

    Numba keeps machine code by the date of the one file that a function stands in, not of the files whose functions
    went into it. With the contents of all, the `sources`, in its name, code from another version is never found.
    """
    version = hashlib.sha256(b"".join(path.read_bytes() for path in (*sorted(sources), Path(__file__)))).hexdigest()[:8]
    options = {"error_model": "numpy", "no_cfunc_wrapper": True} | options

    def compile_(function: Callable[..., Any]) -> Any:
        function.__qualname__ += f"_{version}"
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # "no locator available": neither the package's folder nor the home can be written
            return njit(**options)(function)

    return compile_
