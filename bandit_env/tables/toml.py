"""An experiment's table as TOML text, for `tomllib` to read back."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def text(table: Mapping[str, Any], remark: str = "") -> str:
    """The text of an experiment file.

    Args:
        table: keys with numbers, texts, lists and tables; a key whose value is None is left out.
        remark: lines to stand above it.

    >>> print(text({"seed": 1, "scenario": {"rates": [0.04, 0.05]}, "agents": [{"name": "thompson"}]}))
    seed = 1
    <BLANKLINE>
    [scenario]
    rates = [0.04, 0.05]
    <BLANKLINE>
    [[agents]]
    name = "thompson"
    <BLANKLINE>
    """
    return "\n".join([*(f"# {line}" for line in remark.splitlines()), *_lines(table)]) + "\n"


def _lines(table: Mapping[str, Any]) -> Iterator[str]:
    given = {key: value for key, value in table.items() if value is not None}
    tables = {key: value for key, value in given.items() if isinstance(value, Mapping) or _are_tables(value)}
    yield from (f"{_key(key)} = {_value(value)}" for key, value in given.items() if key not in tables)
    for key, value in tables.items():
        heading = f"[[{_key(key)}]]" if isinstance(value, list) else f"[{_key(key)}]"
        for one in value if isinstance(value, list) else [value]:
            yield ""
            yield heading
            yield from (f"{_key(name)} = {_value(item)}" for name, item in one.items() if item is not None)


def _are_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items() if item is not None)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value)  # TOML's texts, numbers and truth values are JSON's
