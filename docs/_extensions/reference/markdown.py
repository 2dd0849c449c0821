"""Small pieces of Markdown."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; bars in cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def toctree(names: Iterable[str]) -> str:
    """A toctree that only the side bar shows."""
    return "```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```"


def first_sentence(thing: Any) -> str:
    """The first paragraph of a docstring, on one line."""
    return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")


def autodoc(kind: str, name: str, *options: str) -> str:
    """A directive of autodoc."""
    return "\n".join(
        [
            "```{eval-rst}",
            f".. auto{kind}:: {name}",
            *(f"   :{name}: {value}".rstrip() for name, _, value in (option.partition(": ") for option in options)),
            "```",
        ]
    )
