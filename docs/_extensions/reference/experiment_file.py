"""The experiment file: each key, its type, its limits and its default, from the models that check it."""

import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from bandit_env.experiment import config
from bandit_env.experiment.config.keys import ClassicalTable, ExperimentFile
from bandit_env.experiment.estimates.methods import QUANTITIES
from bandit_env.world.scenario import Scenario

from .markdown import table


def pages() -> Iterator[tuple[str, str]]:
    """One page."""
    example, rest = example_of(inspect.getdoc(config) or "")
    methods = [[f"`{name}`", ", ".join(quantities)] for name, quantities in QUANTITIES.items()]
    lines = [
        "# Experiment file",
        "",
        "TOML. Every key is checked before anything is played, and an unknown one is refused with the nearest that "
        "there is.",
        "",
        "```toml",
        example,
        "```",
        "",
        rest,
        "",
        "## Keys",
        "",
        keys(ExperimentFile),
        "",
        "## `[scenario]` and `[[scenarios]]`",
        "",
        "The arguments of [DailyTraffic](environments/dailytraffic.md) and of `Scenario`; besides them `name`, "
        "`classical`, `estimates`, `least_weight` and `sweep`.",
        "",
        table(["key", "default", "meaning"], arguments(Scenario)),
        "",
        "## `[classical]`",
        "",
        inspect.getdoc(ClassicalTable).removeprefix("`[classical]`: ").capitalize(),
        "",
        keys(ClassicalTable),
        "",
        "## `[[agents]]`",
        "",
        "`name`, `label`, `scenarios` and `sweep`, as above; every other key is an argument of the agent: "
        "[agents](agents.md), [stopping rules](stopping.md), [memories](memories.md).",
        "",
        "(estimates)=",
        "## Estimates",
        "",
        "`estimates` is a list of these methods; each adds columns to the [rows](results.md#episodes-parquet).",
        "",
        table(["method", "what it estimates"], methods),
        "",
    ]
    yield "experiment_file", "\n".join(lines)


def example_of(text: str) -> tuple[str, str]:
    """The commented example of the package's docstring, and what follows it."""
    _, example, rest = text.split("\n\n", 1)[0], *split_after_toml(text.split("\n\n", 1)[1])
    return example, rest


def split_after_toml(text: str) -> tuple[str, str]:
    """The lines that are TOML, and the prose after them."""
    blocks = text.split("\n\n")
    toml = [block for block in blocks if block.lstrip().startswith("[") or " = " in block.splitlines()[0]]
    return "\n\n".join(toml), "\n\n".join(block for block in blocks if block not in toml)


def keys(model: type[BaseModel]) -> str:
    """The keys of a model: type and limits, default."""
    comments = meanings(model)
    schema = model.model_json_schema()["properties"]
    rows = []
    for name, field in model.model_fields.items():
        default = "needed" if field.is_required() else f"`{field.default}`" if field.default is not None else ""
        rows.append([f"`{name}`", kind(schema[name]), default, comments.get(name, "")])
    return table(["key", "type", "default", "meaning"], rows)


def kind(schema: dict[str, Any]) -> str:
    """A JSON schema's type and limits in words."""
    if "anyOf" in schema:
        return " or ".join(kind(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "$ref" in schema:
        return "table"
    limits = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "above", "exclusiveMaximum": "below"}
    said = [f"{word} {schema[key]:,}" for key, word in limits.items() if key in schema]
    names = {"object": "table", "integer": "whole number", "string": "text"}
    name = names.get(schema.get("type", ""), schema.get("type", ""))
    if schema.get("type") == "array":
        inner = kind(schema["items"])
        name = f"list of {inner}{'s' if inner in ('table',) else ''}"
    return ", ".join([name, *said])


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """What stands under each field of a model's class as a string."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0].body  # type: ignore[attr-defined]
    found = {}
    for field, after in itertools.pairwise(body):
        documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and documented:
            found[field.target.id] = " ".join(str(after.value.value).split())  # type: ignore[union-attr,attr-defined]
    return found


def arguments(thing: type) -> Iterator[list[str]]:
    """The arguments of a dataclass: default, and what its docstring says."""
    text = inspect.getdoc(thing) or ""
    section = text.split("\nArgs:\n", 1)[1].split("\n\nRaises:", 1)[0]
    said: dict[str, str] = {}
    for line in textwrap.dedent(section).splitlines():
        if line and not line.startswith(" "):
            name, _, rest = line.partition(": ")
            said[name] = rest
        else:
            said[name] += " " + line.strip()
    for name, parameter in inspect.signature(thing).parameters.items():
        default = "" if parameter.default is None else f"`{parameter.default}`"
        yield [f"`{name}`", default, said[name]]
