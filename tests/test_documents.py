"""README and the site's pages are run: Python, commands, experiment files. Notebooks and the rest are the build's."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import code_blocks
import pytest

from bandit_env import cli
from bandit_env.experiment import config

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MEASURED = {"error_rates", "worlds", "inference", "leaderboard", "replay", "peers", "learned", "article"}
"""Pages of results: their commands are what made them, in minutes to hours, as docs/results.md says."""

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(page for page in DOCS.glob("*.md") if page.stem not in MEASURED),
    *sorted((DOCS / "guide").glob("*.md")),
    *sorted((DOCS / "how").glob("*.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_code_block_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for block in code_blocks.blocks(page):
        if block.why_not or block.kind in code_blocks.PRINTED:
            continue
        if block.kind == "python":
            code_blocks.run_python(block, names, page)
        elif block.kind == "toml":
            play(block)
        elif block.kind == "bash":
            for command in code_blocks.commands(block):
                obey(command, tmp_path, capsys)
        else:
            pytest.fail(
                f"{page}:{block.line}: a block of {block.kind or 'no language'}; expected a known one, or a mark"
            )


def play(block):
    """An experiment file is played three times."""
    table = {"name": "page"} | tomllib.loads(block.code) | {"replications": 3}
    path = Path("page.toml")
    path.write_text(block.code)
    assert config.resolve(table).cells
    assert cli.main(["run", str(path), "--replications", "3", "--out", f"page-{block.line}"]) == 0


def obey(command, folder, capsys):
    """A command of ours is given here, a script to a Python of its own."""
    program, *arguments = shlex.split(command)
    if program == "python":
        subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True, timeout=100)
        return
    for path in arguments[1:] if arguments[0] == "report" else ():
        if not path.startswith("-") and not (folder / path).exists():
            assert cli.main(["run", "configs/ab_test.toml", "--replications", "5", "--out", path]) == 0
    if "--resume" in arguments:
        out = arguments[arguments.index("--out") + 1]
        if not (folder / out).exists():
            assert cli.main([*(a for a in arguments if a != "--resume"), *fewer(arguments, "20")]) == 0
    assert cli.main([*arguments, *fewer(arguments, "30")]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


def fewer(arguments, count):
    """The later of two options counts."""
    less = ["--replications", count, "--workers", "1"]
    return less if arguments[0] in ("run", "plan") and "--list" not in arguments else []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(page):
    """Those of the site's pages are the build's to check."""
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / page).read_text(encoding="utf-8"))
    missing = [link for link in links if not link.startswith("http") and not (ROOT / link).exists()]
    assert not missing
    assert page != "README.md" or len(links) > 20


def test_readme_begins_with_the_main_job():
    first = next(block for block in code_blocks.blocks(ROOT / "README.md") if block.kind == "bash")
    assert "bandit-env run configs/ab_test.toml" in code_blocks.commands(first)


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_a_block_that_fails_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```python\n>>> 1 + 1\n3\n```\n\n<!-- not run: no -->\n```bash\nrm -rf x\n```\n```bash\nrm -rf x\n```\n"
    )
    doctest, marked, unmarked = code_blocks.blocks(page)
    with pytest.raises(AssertionError, match=r"Expected:\n +3"):
        code_blocks.run_python(doctest, {}, page)
    assert marked.why_not == "no"
    with pytest.raises(ValueError, match="line 11: 'rm -rf x'"):
        code_blocks.commands(unmarked)


CONFIGS = sorted((ROOT / "configs").glob("*.toml"))


LARGE = {"leaderboard", "worlds"}  # whose parts are played by tests of their own
MANY_CELLS = {"error_rates", "inference", "loss"}  # whose figures take ten times what the playing takes


@pytest.mark.parametrize("path", [path for path in CONFIGS if path.stem not in LARGE], ids=lambda path: path.stem)
def test_every_config_runs(path, tmp_path, capsys):
    out = tmp_path / "run"
    figures = ["--no-figures"] if path.stem in MANY_CELLS else []
    assert cli.main(["run", str(path), "--replications", "3", "--out", str(out), *figures]) == 0, (
        capsys.readouterr().err
    )
    assert list(out.glob("*/*/episodes.parquet"))
