"""The runner: plays thousands of experiments, and reports what came of them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bandit_env.experiment.sweep import run

__all__ = ["run"]


def __getattr__(name: str) -> Any:
    if name == "run":  # imported when asked for: it brings pandas and Numba
        from bandit_env.experiment.sweep import run

        return run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
