"""Agents, memories, stopping rules and effects: a page for each kind, an entry for each name."""

import inspect
import json
from collections.abc import Iterator
from typing import Any

from bandit_env import plugins
from bandit_env.world import effects

from .markdown import autodoc, first_sentence, table

KINDS = (
    ("agents", "Agents", "bandit_env.agents", '[[agents]]\nname = "{name}"'),
    ("stopping", "Stopping rules", "bandit_env.stopping_rules", 'stopping = "{name}"'),
    ("memories", "Memories", "bandit_env.memories", 'memory = "{name}"'),
)
INTRODUCTIONS = {
    "agents": (
        "What can be named in `[[agents]]`. An agent is an allocation, here with its formula and source, with a "
        "[stopping rule](stopping.md) and a [memory](memories.md). All take `stopping`, `memory`, `warm_up_days`, "
        "`every_days`, `floor` and `prior` where they have one. `bandit-env agents NAME` prints an entry. How to add "
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
    for page, title, group, example in KINDS:
        found = {name: plugins.load(group, name) for name in plugins.available(group)}
        found = {name: thing for name, thing in found.items() if thing.__module__.split(".")[0] == "agents"}
        rows = [[f"[`{name}`](#{name})", first_sentence(thing)] for name, thing in found.items()]
        entries = [entry(name, thing, example) for name, thing in found.items()]
        text = f"# {title}\n\n{INTRODUCTIONS[page]}\n\n{table(['name', 'what it does'], rows)}\n\n"
        yield page, text + "\n".join(entries)
    yield "effects", effects_page()


def entry(name: str, thing: Any, example: str) -> str:
    """One name: its class, as autodoc shows it; its source; how it is named; its parameters."""
    lines = [f"## {name}", "", autodoc("class", f"{thing.__module__}.{thing.__qualname__}"), ""]
    if source := getattr(thing, "source", ""):
        lines += [f"*Source.* {source}", ""]
    lines += ["```toml", example.format(name=name), "```", "", table(["parameter", "default"], parameters(thing)), ""]
    return "\n".join(lines)


def parameters(thing: Any) -> list[list[str]]:
    """Names and defaults, as an experiment file writes them."""
    return [[f"`{p.name}`", default_of(p.default)] for p in inspect.signature(thing).parameters.values()]


def default_of(value: Any) -> str:
    """A default as TOML writes it; what it cannot write, as Python does."""
    if value is inspect.Parameter.empty:
        return "needed"
    if value is None:
        return "none"
    try:
        return f"`{json.dumps(value)}`"
    except TypeError:
        return f"`{value!r}`"


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
        lines += [table(["key", "default"], parameters(kind)), ""]
    return "\n".join(lines)
