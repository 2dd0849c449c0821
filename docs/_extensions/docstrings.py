"""Docstrings as reStructuredText: what is a formula for a reader is one for Sphinx, too.

Ours are plain text with single backticks for code (`default_role`). Bars, as in |x| or P(a | b), mean nothing more.
"""

import re

from sphinx.application import Sphinx

CODE = re.compile(r"(`+[^`]*`+)")


def escape(_app: object, _what: str, _name: str, _object: object, _options: object, lines: list[str]) -> None:
    """Escape bars outside of code and examples."""
    example = False
    for number, line in enumerate(lines):
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>>"))
        if not example:
            pieces = CODE.split(line)
            pieces[::2] = [piece.replace("|", r"\|") for piece in pieces[::2]]
            lines[number] = "".join(pieces)


def setup(app: Sphinx) -> dict[str, bool]:
    """Before Napoleon sees them, or after, is the same."""
    app.connect("autodoc-process-docstring", escape)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
