"""What can be named in an experiment file: agents, memories and stopping rules, with their parameters and sources."""

import inspect
from collections.abc import Iterator
from typing import Any

from rich.table import Table

from bandit_env import plugins
from bandit_env.experiment.cell import AGENTS

MEMORIES = "bandit_env.memories"
STOPPING_RULES = "bandit_env.stopping_rules"


def tables() -> Iterator[Table]:
    """A table per group, one row per name."""
    for title, group in (("Agents", AGENTS), ("Memories", MEMORIES), ("Stopping rules", STOPPING_RULES)):
        table = Table(title=title, title_justify="left", title_style="bold", padding=(0, 1))
        for column in ("name", "what it does", "parameters", "source"):
            table.add_column(column, no_wrap=column == "name", overflow="fold")
        for name in plugins.available(group):
            table.add_row(name, *_describe(group, name))
        yield table


def _describe(group: str, name: str) -> tuple[str, str, str]:
    try:
        thing = plugins.load(group, name)
    except Exception as error:  # a third party's package may be broken; the others are still listed
        return f"cannot be loaded: {error}", "", ""
    summary = (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")
    return summary, ", ".join(_parameters(thing)), getattr(thing, "source", "")


def _parameters(thing: Any) -> Iterator[str]:
    for parameter in inspect.signature(thing).parameters.values():
        default = parameter.default
        yield parameter.name if default is parameter.empty else f"{parameter.name}={default!r}"
