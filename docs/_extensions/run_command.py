"""The directive `run`: a command is run when the site is built, and shown with what it prints.

    ```{run} bandit-env analyse --visits 1000 1000 --conversions 40 50
    :lines: 20
    ```

A command of its content is run first, unseen. All commands of a page share a folder, in which `configs` are the
experiments of the repository. One that fails is a warning, and so fails the build.
"""

import os
import shlex
import subprocess
import sysconfig
import tempfile
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[2]
COLUMNS = 110  # as many as fit a page, and the tables of a run
FOLDERS: dict[str, tempfile.TemporaryDirectory] = {}
"""By page; removed when the build ends."""


class RunCommand(SphinxDirective):
    """The command is the argument; lines of the content are commands that are run before, unseen."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = {
        "columns": directives.nonnegative_int,
        "lines": directives.nonnegative_int,
        "shown": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """Run it; what is shown is the command, as `shown` writes it, and its output."""
        command = " ".join(self.arguments[0].split())
        for line in (*self.content, command):
            done = execute(line, self.env.docname, self.options.get("columns", COLUMNS))
            if done.returncode:
                raise self.error(f"`{line}` ended with status {done.returncode}:\n{done.stderr}{done.stdout}")
        output = [line.rstrip() for line in done.stdout.rstrip().splitlines()]
        if (most := self.options.get("lines")) is not None and len(output) > most:
            output = [*output[:most], "..."]
        shown, text = self.options.get("shown", command), "\n".join(output)
        said = nodes.literal_block(text, text, language="text", classes=["output-of-command"])
        return [nodes.literal_block(shown, shown, language="bash"), said]


def execute(command: str, page: str, columns: int) -> subprocess.CompletedProcess[str]:
    """Run a command in the page's folder, with the scripts of the active environment on the path."""
    if page not in FOLDERS:
        FOLDERS[page] = tempfile.TemporaryDirectory(prefix="docs-")
        (Path(FOLDERS[page].name) / "configs").symlink_to(ROOT / "configs")
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    return subprocess.run(
        shlex.split(command),
        cwd=FOLDERS[page].name,
        env=os.environ | {"PATH": path, "COLUMNS": str(columns), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def clean(*_: object) -> None:
    """Remove the folders."""
    for folder in FOLDERS.values():
        folder.cleanup()
    FOLDERS.clear()


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("run", RunCommand)
    app.connect("build-finished", clean)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
