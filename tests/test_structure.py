"""The floors of the house: what may import what, and what an import may cost."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("numba", "matplotlib", "tensorboard", "pandas", "pydantic", "rich", "scipy", "torch", "distributed", "pyarrow")
ALLOWED = {
    "bandit_env/stats": {"bandit_env.stats", "bandit_env.compilation"},
    "bandit_env/envs": {"bandit_env.envs", "bandit_env.stats", "bandit_env.plugins", "bandit_env.compilation"},
    "bandit_env/rl": {"bandit_env.envs", "bandit_env.stats", "bandit_env.plugins", "bandit_env.rl"},
    "agents": {
        "agents",
        "bandit_env.stats",
        "bandit_env.envs.action",
        "bandit_env.envs.task",
        "bandit_env.plugins",
        "bandit_env.compilation",
    },
    "bandit_env/experiment": {
        "bandit_env.experiment",
        "bandit_env.envs",
        "bandit_env.stats",
        "bandit_env.plugins",
        "bandit_env.compilation",
    },
}


def imports(path: Path) -> set[str]:
    """Modules of ours that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("bandit_env", "agents")}


@pytest.mark.parametrize("floor", ALLOWED)
def test_no_import_runs_upward(floor):
    for path in (ROOT / floor).rglob("*.py"):
        for name in imports(path):
            is_package = name == "bandit_env" or name.startswith("bandit_env.__")  # registers the ids, no more
            fine = is_package or any(name == a or name.startswith(a + ".") for a in ALLOWED[floor])
            assert fine, f"{path.relative_to(ROOT)} imports {name}"


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("package", ["bandit_env", "agents"])
def test_import_is_light(package):
    """`import bandit_env` loads nothing heavy that `import gymnasium` does not."""
    code = f"import sys, gymnasium; before = set(sys.modules); import {package}; print(*(set(sys.modules) - before))"
    loaded = {name.split(".")[0] for name in run_python(code).split()}
    assert not loaded & set(HEAVY)


def test_registered_ids_load_nothing_until_made():
    code = "import bandit_env, sys; print('bandit_env.envs.simulation' in sys.modules)"
    assert run_python(code) == "False"
