"""Numba's njit as the compiled code here uses it."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from numba import njit


def kept(sources: Iterable[Path], **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile with IEEE division, and keep the code on disk between runs where there is a place to write.

    Numba keeps machine code by the date of the one file that a function stands in, not of the files whose functions
    went into it. With the contents of all, the `sources`, in its name, code from another version is never found.
    """
    version = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()[:8]
    options = {"error_model": "numpy", "no_cfunc_wrapper": True} | options

    def compile_(function: Callable[..., Any]) -> Any:
        function.__qualname__ += f"_{version}"
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # "no locator available": neither the package's folder nor the home can be written
            return njit(**options)(function)

    return compile_
