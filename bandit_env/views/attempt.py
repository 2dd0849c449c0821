"""Views that fail one by one: what cannot be shown of one thing does not cost the others theirs."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def attempt(what: str, make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T | None, list[str]]:
    """What `make` gives, and no failure; or None, and a sentence about why.

    Raises:
        OSError: the disk's failures are those of the whole report.
    """
    try:
        return make(*args, **kwargs), []
    except OSError:
        raise
    except Exception as error:
        words = " ".join(str(error).split())
        return None, [f"{what} cannot be shown ({type(error).__name__}: {words})"]
