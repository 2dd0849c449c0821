"""What can be named in an experiment file: agents, memories and stopping rules; all in a list, or one in full."""

import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from bandit_env import plugins
from bandit_env.experiment.cell import AGENTS

MEMORIES = "bandit_env.memories"
STOPPING_RULES = "bandit_env.stopping_rules"
KINDS = {AGENTS: "agent", STOPPING_RULES: "stopping rule", MEMORIES: "memory"}
TITLES = {AGENTS: "Agents", STOPPING_RULES: "Stopping rules", MEMORIES: "Memories"}

FAMILIES = {  # by the last part of a module's name; what others bring is listed under the name of its package
    "probability matching": ("thompson", "log_odds"),
    "indices": ("ucb", "gittins", "posterior_index"),
    "best arm": ("successive_elimination", "track_and_stop"),
    "simple": ("epsilon_greedy", "uniform"),
    "optimal, trained": ("dynamic_programming", "learned", "sb3"),
    "platforms' presets": ("presets",),
    "posterior": ("posterior",),
    "fixed, at looks": ("classical", "group_sequential", "rule"),
    "always valid": ("always_valid", "e_process"),
    "which data count": ("memory", "discounted", "delay_corrected", "period_weighted"),
}
LONGEST = 24  # letters of a name with its comma
SAMPLES: Mapping[str, Any] = {"mean_days": 3, "factor": 0.98, "days": 28, "path": "policy.zip"}
"""Values, in examples, of arguments that have to be given."""


def overview(width: int) -> Iterator[str]:
    """All names by family, in lines of `width` letters: few enough for a screen."""
    indent = max(map(len, FAMILIES)) + 4
    if width < indent + LONGEST:
        indent = 4
    for group, title in TITLES.items():
        yield title
        for family, names in _families(group).items():
            first = f"  {family:{indent - 2}}"
            if indent < len(first):  # a narrow page
                yield first
                first = " " * indent
            yield from textwrap.wrap(
                ", ".join(names),
                max(width, indent + LONGEST),
                initial_indent=first,
                subsequent_indent=" " * indent,
                break_on_hyphens=False,
                break_long_words=False,
            )
    yield from textwrap.wrap(
        "`bandit-env agents NAME` tells of one: parameters, formula, source, example; --long: a line for each.", width
    )


def lines(width: int) -> Iterator[str]:
    """A line for each name: what it does, cut to `width` letters."""
    for group, title in TITLES.items():
        yield title
        names = plugins.available(group)
        indent = max(map(len, names), default=0) + 4
        for name in names:
            summary = f"  {name:{indent - 2}}{_summary(group, name)}"
            yield summary if len(summary) <= width else f"{summary[: max(width - 1, indent)].rstrip()}…"


def details(name: str, width: int) -> Iterator[str]:
    """All there is to say of what has a name, of each kind that has it: text, in lines of `width` letters.

    Raises:
        ValueError: nothing has that name; the nearest one is suggested.
    """
    groups = [group for group in TITLES if name in plugins.available(group)]
    if not groups and ":" not in name:
        raise ValueError(f"unknown name {name!r}{plugins.suggest(name, _everything())}")
    for group in groups or [_group_of(plugins.load(AGENTS, name))]:
        yield from _one(group, name, plugins.load(group, name), width)


def example(group: str, name: str, thing: Any) -> str:
    """A piece of an experiment file that uses it."""
    given = {
        key: SAMPLES.get(key, "...") for key, parameter in _parameters(thing).items() if parameter.default is _REQUIRED
    }
    if group == AGENTS:
        own = "".join(f"\n{key} = {as_toml(value)}" for key, value in given.items())
        rule = _parameters(thing).get("stopping")
        stops = '\nstopping = "value-remaining"' if rule is not None and rule.default is None else ""
        return f'[[agents]]\nname = "{name}"{own}{stops}'
    key = "memory" if group == MEMORIES else "rule"
    table = ", ".join([f'{key} = "{name}"', *(f"{name} = {as_toml(value)}" for name, value in given.items())])
    argument = "memory" if group == MEMORIES else "stopping"
    return f'[[agents]]\nname = "thompson"\n{argument} = ' + (f"{{{table}}}" if given else f'"{name}"')


_REQUIRED = inspect.Parameter.empty


def _one(group: str, name: str, thing: Any, width: int) -> Iterator[str]:
    described = inspect.getdoc(thing) or ""
    yield f"{name}: {'an' if KINDS[group][0] in 'aeiou' else 'a'} {KINDS[group]}"
    yield ""
    for paragraph in re.split(r"\n\n|(?=\nAttributes:)", _without_sections(described)):
        yield from [*textwrap.wrap(" ".join(paragraph.split()), width, break_on_hyphens=False), ""]
    module = f"{thing.__module__}:{thing.__qualname__}"
    for title, words in (("formula", thing.formula if hasattr(thing, "formula") else ""),
                         ("source", getattr(thing, "source", "")), ("class", module)):  # fmt: skip
        if words:
            yield from textwrap.wrap(f"{title:10}{words}", width, subsequent_indent=" " * 10, break_on_hyphens=False)
    yield from ["", "parameters, with their defaults"]
    said = meanings(thing)
    for key, parameter in _parameters(thing).items():
        default = "to be given" if parameter.default is _REQUIRED else f"= {as_toml(parameter.default)}"
        text = f"  {key} {default}" + (f": {said[key]}" if key in said else "")
        yield from textwrap.wrap(text, width, subsequent_indent=" " * 6, break_on_hyphens=False)
    yield from ["", "example, in an experiment file"]
    yield from (f"  {line}" for line in example(group, name, thing).splitlines())
    if group == AGENTS and "path" not in _required(thing):
        yield from ["", "and in a shell", f"  bandit-env plan --rates 0.04 0.05 --agent {name}"]
    yield ""


def _required(thing: Any) -> list[str]:
    return [key for key, parameter in _parameters(thing).items() if parameter.default is _REQUIRED]


def _families(group: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {family: [] for family in FAMILIES}
    for name in plugins.available(group):
        try:
            module = plugins.load(group, name).__module__
        except Exception:  # a third party's package may be broken; the others are still listed
            found.setdefault("cannot be loaded", []).append(name)
            continue
        top, last = module.partition(".")[0], module.rpartition(".")[2]
        ours = (family for family, modules in FAMILIES.items() if top == "agents" and last in modules)
        found.setdefault(next(ours, f"of {top}"), []).append(name)
    return {family: names for family, names in found.items() if names}


def _summary(group: str, name: str) -> str:
    try:
        thing = plugins.load(group, name)
    except Exception as error:
        return f"cannot be loaded: {error}"
    return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")


def _everything() -> list[str]:
    return sorted({name for group in TITLES for name in plugins.available(group)})


def _group_of(thing: Any) -> str:
    """What kind a class is that was named by its module."""
    methods = {STOPPING_RULES: "decide", MEMORIES: "counts"}
    return next((group for group, method in methods.items() if hasattr(thing, method)), AGENTS)


def _parameters(thing: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(thing).parameters)


def _without_sections(described: str) -> str:
    """A docstring up to its first section, such as "Attributes:", or its first doctest."""
    return re.split(r"\n(?=\w+:\n)|\n(?=>>> )", described)[0]


def meanings(thing: Any) -> dict[str, str]:
    """What the docstrings of a class and of its bases say of each attribute."""
    found: dict[str, str] = {}
    for base in getattr(thing, "__mro__", (thing,)):
        section = re.search(r"^Attributes:\n((?: +.*\n?|\n)+)", inspect.cleandoc(base.__doc__ or ""), re.M)
        for entry in re.split(r"\n(?= {4}\S)", f"\n{section[1]}" if section else ""):
            names, colon, words = " ".join(entry.split()).partition(": ")
            for name in names.split(", ") if colon else ():
                found.setdefault(name, words)
    return found


def as_toml(value: Any) -> str:
    """A value as an experiment file has it."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_toml, value))}]"
    return "none" if value is None else f"{value}"
