"""Docstrings as reStructuredText: what is a formula for a reader is one for Sphinx, too.

Ours are plain text with single backticks for code (`default_role`). Bars, as in |x| or P(a | b), mean nothing more, and
several names before a colon share what is said of them. Agents and their parts have a table of parameters in place of a
signature.
"""

import inspect
import itertools
import re
from typing import Any

from sphinx.application import Sphinx

from agents.part import Part
from bandit_env.world.effects import Effect

CODE = re.compile(r"(`+[^`]*`+)")
NAMES = re.compile(r"^( {4}\w+(?:, \w+)+):(?= )")
NO_SPACE = ",\u200b"  # may be broken there, and is no space that would make a type of the first name


def is_part(thing: Any) -> bool:
    """Whether it is an agent, a part of one or an effect: a dataclass whose fields are its parameters."""
    return isinstance(thing, type) and issubclass(thing, Part | Effect)


def escape(_app: object, _what: str, _name: str, thing: object, _options: object, lines: list[str]) -> None:
    """Escape bars outside of code and examples, and keep names together."""
    example = False
    if is_part(thing) and not inspect.isabstract(thing) and "Attributes:" in lines:
        start = lines.index("Attributes:")
        rest = itertools.dropwhile(lambda line: not line or line.startswith(" "), lines[start + 1 :])
        lines[start:] = rest
    for number, line in enumerate(lines):
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>>"))
        if not example:
            pieces = CODE.split(NAMES.sub(lambda found: found[1].replace(", ", NO_SPACE) + ":", line))
            pieces[::2] = [piece.replace("|", r"\|") for piece in pieces[::2]]
            lines[number] = "".join(pieces)


def signature(_app: object, _what: str, _name: str, thing: Any, *_: object) -> tuple[str, None] | None:
    """None at all for what has a table of parameters."""
    return ("", None) if is_part(thing) else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Before Napoleon sees the docstrings: extensions are asked by priority."""
    app.connect("autodoc-process-docstring", escape, priority=400)
    app.connect("autodoc-process-signature", signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
