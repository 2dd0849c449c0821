"""Experiments of one's own: planned beforehand, judged while they run, published ones replayed."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bandit_env.desk.analysis import analyse
    from bandit_env.desk.result import Analysis

__all__ = ["Analysis", "analyse"]


def __getattr__(name: str) -> Any:  # loaded when first asked for
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bandit_env.desk import analysis, result

    return getattr(result if name == "Analysis" else analysis, name)
