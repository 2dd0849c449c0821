"""Agents, memories, stopping rules and effects: a page for each kind, an entry for each name."""

import inspect
from collections.abc import Iterator
from typing import Any

from bandit_env import plugins
from bandit_env.views import catalogue
from bandit_env.world import effects

from .markdown import autodoc, first_sentence, table

KINDS = {"agents": catalogue.AGENTS, "stopping": catalogue.STOPPING_RULES, "memories": catalogue.MEMORIES}
INTRODUCTIONS = {
    "agents": (
        "What can be named in `[[agents]]`. An agent is an allocation, here with its formula and source, with a "
        "[stopping rule](stopping.md) and a [memory](memories.md). `bandit-env agents NAME` prints "
        "an entry. How to add "
        "your own: [tutorial](../tutorials/own_agent.md)."
    ),
    "stopping": (
        "When an experiment ends, which arm is shipped, and whether that is a claim. `|` and `&` combine names; a "
        'table sets parameters: `stopping = { rule = "value-remaining", threshold = 0.02 }`. How often each errs is '
        "[measured](../error_rates.md)."
    ),
    "memories": (
        "Which data count, and how much. Allocation and stopping rule both see the counts that the memory makes. A "
        'table sets parameters: `memory = { memory = "discounted", factor = 0.95 }`.'
    ),
}


def pages() -> Iterator[tuple[str, str]]:
    """A page per kind."""
    for page, group in KINDS.items():
        found = {name: plugins.load(group, name) for name in plugins.available(group)}
        found = {name: thing for name, thing in found.items() if thing.__module__.split(".")[0] == "agents"}
        rows = [[f"[`{name}`](#{name})", first_sentence(thing)] for name, thing in found.items()]
        entries = [entry(group, name, thing) for name, thing in found.items()]
        text = f"# {catalogue.TITLES[group]}\n\n{INTRODUCTIONS[page]}\n\n{table(['name', 'what it does'], rows)}\n\n"
        yield page, text + "\n".join(entries)
    yield "effects", effects_page()


def entry(group: str, name: str, thing: Any) -> str:
    """One name: its class, as autodoc shows it; formula and source; how it is named; its parameters."""
    lines = [f"## {name}", "", autodoc("class", f"{thing.__module__}.{thing.__qualname__}"), ""]
    if formula := getattr(thing, "formula", ""):
        lines += ["*Formula.*", "", "```text", formula, "```", ""]
    if source := getattr(thing, "source", ""):
        lines += [f"*Source.* {source}", ""]
    lines += ["```toml", catalogue.example(group, name, thing), "```", "", parameters(thing), ""]
    return "\n".join(lines)


def parameters(thing: Any) -> str:
    """A table of parameters: defaults as an experiment file writes them, and what the docstrings say."""
    said, rows = catalogue.meanings(thing), []
    for name, parameter in inspect.signature(thing).parameters.items():
        needed = parameter.default is inspect.Parameter.empty
        default = "needed" if needed else f"`{catalogue.as_toml(parameter.default)}`"
        rows.append([f"`{name}`", default, said.get(name, "")])
    return table(["parameter", "default", "meaning"], rows) if rows else "It has no parameters."


def effects_page() -> str:
    """The effects that move rates, by name."""
    lines = [
        "# Effects",
        "",
        "What moves rates from day to day: entries of a scenario's list `effects`, applied in order. How they are "
        "used: [worlds that move](../guide/worlds.md).",
        "",
    ]
    for name, kind in effects.KINDS.items():
        lines += [f"## {name}", "", autodoc("class", f"{kind.__module__}.{kind.__qualname__}"), ""]
        lines += [parameters(kind), ""]
    return "\n".join(lines)
