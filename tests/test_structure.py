"""The floors of the house: what may import what, how large a room may be, and what an import may cost."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("numba", "matplotlib", "tensorboard", "pandas", "pydantic", "rich", "scipy", "torch", "distributed", "pyarrow")
MOST_LINES, MOST_MODULES = 2000, 12  # of a room: one folder's own files, `__init__` not counted among the modules
GROUND = ("bandit_env.errors", "bandit_env.beside", "bandit_env.plugins", "bandit_env.compilation")
FLOORS = {  # what each may import besides itself and the ground
    "bandit_env/stats": (),
    "bandit_env/tables": ("bandit_env.stats",),
    "bandit_env/world": ("bandit_env.stats",),
    "bandit_env/envs": ("bandit_env.stats", "bandit_env.world"),
    "bandit_env/rl": ("bandit_env.stats", "bandit_env.world", "bandit_env.envs"),
    "bandit_env/engines": (),
    "bandit_env/experiment": (
        "bandit_env.stats",
        "bandit_env.tables",
        "bandit_env.world",
        "bandit_env.envs",
        "bandit_env.engines",
    ),
    "bandit_env/views": ("bandit_env.stats", "bandit_env.world", "bandit_env.experiment"),
    "bandit_env/desk": (
        "bandit_env.stats",
        "bandit_env.tables",
        "bandit_env.world",
        "bandit_env.engines",
        "bandit_env.experiment",
        "bandit_env.views",
        "agents",  # replays of published formulas that stand there
    ),
    "bandit_env/commands": (
        "bandit_env.tables",
        "bandit_env.world",
        "bandit_env.engines",
        "bandit_env.experiment",
        "bandit_env.views",
        "bandit_env.desk",
    ),
    "agents": ("bandit_env.stats", "bandit_env.world.action", "bandit_env.world.task"),
}


def imports(path: Path) -> set[str]:
    """Modules of ours that a file imports, wherever in the file, also for types only."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("bandit_env", "agents")}


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def upward(root: Path) -> list[str]:
    """Imports that a floor may not have."""
    found = []
    for floor, below in FLOORS.items():
        allowed = (floor.replace("/", "."), *GROUND, *below)
        for path in sorted((root / floor).rglob("*.py")):
            for name in sorted(imports(path)):
                is_package = name == "bandit_env" or name.startswith("bandit_env.__")  # registers the ids, no more
                if not is_package and not any(inside(name, one) for one in allowed):
                    found.append(f"{path.relative_to(root)} imports {name}")
    return found


def modules(root: Path) -> dict[str, Path]:
    paths = [path for package in ("bandit_env", "agents") for path in (root / package).rglob("*.py")]
    return {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def circles(root: Path) -> list[str]:
    """Modules that import each other in a circle; a package is not held against its own modules."""
    files = modules(root)
    arrows = {
        module: {target for name in imports(path) if (target := _target(name, files)) and not inside(module, target)}
        for module, path in files.items()
    }
    done: set[str] = set()
    found: list[str] = []

    def visit(module: str, way: tuple[str, ...]) -> None:
        if module in way:
            found.append(" -> ".join((*way[way.index(module) :], module)))
        elif module not in done:
            for target in sorted(arrows[module]):
                visit(target, (*way, module))
            done.add(module)

    for module in sorted(arrows):
        visit(module, ())
    return found


def _target(name: str, files: dict[str, Path]) -> str | None:
    """The module that an imported name stands in."""
    return name if name in files else name.rpartition(".")[0] if name.rpartition(".")[0] in files else None


def crowded(root: Path) -> list[str]:
    """Rooms with too many modules or lines."""
    found = []
    for package in ("bandit_env", "agents"):
        for room in (root / package, *(path for path in (root / package).rglob("*") if path.is_dir())):
            files = sorted(room.glob("*.py"))
            lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
            count = sum(path.name != "__init__.py" for path in files)
            if lines > MOST_LINES or count > MOST_MODULES:
                found.append(f"{room.relative_to(root)}: {count} modules, {lines:,} lines")
    return found


def test_no_import_runs_upward():
    assert upward(ROOT) == []


def test_no_import_runs_in_a_circle():
    assert circles(ROOT) == []


def test_no_room_is_crowded():
    assert crowded(ROOT) == []


def test_a_planted_violation_is_found(tmp_path):
    def plant(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")

    plant("bandit_env/stats/power.py", "def f():\n    from bandit_env.world.task import Task\n")
    plant("agents/thompson.py", "from bandit_env.world import scenario\n")
    plant(
        "bandit_env/experiment/a.py",
        "if TYPE_CHECKING:\n    import bandit_env.experiment.b",
    )
    plant("bandit_env/experiment/b.py", "from bandit_env.experiment.a import x\n")
    for index in range(MOST_MODULES + 1):
        plant(f"bandit_env/views/view_{index}.py", "")
    plant("bandit_env/world/long.py", "\n" * (MOST_LINES + 1))
    assert upward(tmp_path) == [
        "bandit_env/stats/power.py imports bandit_env.world.task.Task",
        "agents/thompson.py imports bandit_env.world.scenario",
    ]
    assert circles(tmp_path) == ["bandit_env.experiment.a -> bandit_env.experiment.b -> bandit_env.experiment.a"]
    assert sorted(line.split(":")[0] for line in crowded(tmp_path)) == ["bandit_env/views", "bandit_env/world"]


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("package", ["bandit_env", "agents", "bandit_env.cli"])
def test_import_is_light(package):
    """`import bandit_env`, and the command line before a command runs, load nothing that Gymnasium does not."""
    code = f"import sys, gymnasium; before = set(sys.modules); import {package}; print(*(set(sys.modules) - before))"
    loaded = {name.split(".")[0] for name in run_python(code).split()}
    assert not loaded & set(HEAVY)


def test_registered_ids_load_nothing_until_made():
    code = "import bandit_env, sys; print('bandit_env.world.simulation' in sys.modules)"
    assert run_python(code) == "False"
