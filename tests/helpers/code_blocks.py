"""The code blocks of a page: each is run, or the comment above it says why not.

    <!-- not run: it takes an hour -->

Python with prompts is a doctest, without prompts a script; both share the page's names. Of `bash` the lines that begin
with `bandit-env` or `python` are run, with fewer replications; installing things and watching them is not. `toml` is
an experiment file, and is played. `text` is what something printed. Directives, in braces, are the site's build's.
"""

import doctest
import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(
    r"^(?P<above><!-- not run: (?P<why>[^\n]+) -->\n)?```(?P<kind>[^\n`]*)\n(?P<code>.*?)^```", re.M | re.S
)
OURS = ("bandit-env ", "python ")
OTHERS = ("pip ", "python -m venv", "source ", "tensorboard ", "pytest", "scripts/", "git ", "cd ")
PRINTED = ("text", "console", "json")


@dataclass(frozen=True)
class Block:
    """A fenced block, and the line on which it begins."""

    kind: str
    code: str
    line: int
    why_not: str | None


def blocks(page: Path) -> list[Block]:
    """All blocks of a page but the directives."""
    text = page.read_text(encoding="utf-8")
    found = []
    for fence in FENCE.finditer(text):
        line = text.count("\n", 0, fence.start("code")) + 1
        kind = fence["kind"].strip()
        if not kind.startswith("{"):
            found.append(Block(kind, fence["code"], line, fence["why"]))
    return found


def commands(block: Block) -> list[str]:
    """The commands of a bash block that are run.

    Raises:
        ValueError: a command that is neither ours nor known not to be.
    """
    joined = block.code.replace("\\\n", " ")
    parts = [part.split(" #")[0].strip() for line in joined.splitlines() for part in line.split("&&")]
    found = []
    for part in filter(None, parts):
        if part.startswith(OTHERS):
            continue
        if not part.startswith(OURS):
            raise ValueError(f"line {block.line}: {part!r} is no command that can be run here; mark the block")
        found.append(part)
    return found


def run_python(block: Block, names: dict, page: Path) -> None:
    """Run a block of Python, a doctest where it has prompts.

    Raises:
        AssertionError: a doctest printed something else.
    """
    if ">>>" not in block.code:
        exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(block.code, names, page.name, str(page), block.line - 1)
    said: list[str] = []
    failed = doctest.DocTestRunner().run(test, out=said.append, clear_globs=False).failed
    names.update(test.globs)
    assert not failed, "".join(said)
