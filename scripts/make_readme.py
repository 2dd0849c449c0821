"""Write anew what commands print in README.md: the blocks under `<!-- made by: COMMAND -->`.

    python scripts/make_readme.py

The tables are as wide as a page of a repository's site shows them, and the lines that name folders are left out.
"""

import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE = re.compile(r"(<!-- made by: (?P<command>[^\n]+) -->\n```text\n).*?(?=^```)", re.M | re.S)
COLUMNS = 110


def printed(command: str) -> str:
    """What a command prints, down to its last table."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "configs").symlink_to(ROOT / "configs")
        environment = os.environ | {"COLUMNS": str(COLUMNS), "NO_COLOR": "1"}
        done = subprocess.run(
            shlex.split(command), cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    last = next((number for number, line in enumerate(lines) if "runs/" in line), len(lines))
    return "\n".join(lines[:last]).rstrip() + "\n"


def main() -> None:
    page = ROOT / "README.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(MADE.sub(lambda found: found[1] + printed(found["command"]), text), encoding="utf-8")


if __name__ == "__main__":
    main()
