"""Experiments of one's own: planned beforehand, judged while they run, published ones replayed."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bandit_env.desk.analysis import Analysis, analyse

__all__ = ["Analysis", "analyse"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bandit_env.desk import analysis

    return getattr(analysis, name)
