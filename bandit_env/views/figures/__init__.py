"""The figures of a run: those of Scott's article, regret by day, and each agent's operating characteristic.

Nothing here touches pyplot, so drawing leaves no state behind and needs no screen; matplotlib is loaded when the first
figure is drawn. A file draws one figure: its function `draw` gives None where a run has no data for it.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bandit_env.experiment.config import slug
from bandit_env.experiment.files import write_atomically
from bandit_env.experiment.results import Run
from bandit_env.views import canvas
from bandit_env.views.attempt import attempt
from bandit_env.views.figures import (
    daily_cost,
    estimated,
    operating_characteristic,
    regret,
    savings,
    weights,
    world,
)
from bandit_env.views.figures.drawing import Drawing, Scene
from bandit_env.views.figures.names import colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FOLDER", "Drawing", "Scene", "all_figures", "render", "save", "scenes", "stems"]

FOLDER = "figures"
KINDS = (weights, world, savings, daily_cost, regret, operating_characteristic, estimated)


def all_figures(run: Run, max_scenarios: int | None = None, failures: list[str] | None = None) -> list[Drawing]:
    """Draw every figure that a run has the data for, scenario by scenario.

    Args:
        run: a finished run.
        max_scenarios: draw those of the first few scenarios only; None draws all.
        failures: a list for a sentence about each figure that cannot be drawn.
    """
    drawings = []
    with canvas.style():
        for stem, scene in list(scenes(run).items())[:max_scenarios]:
            scenario = scene.cells[0].scenario
            for kind in KINDS:
                name = kind.__name__.rpartition(".")[2]
                drawing, failed = attempt(f"figure {name} of scenario {scenario!r}", kind.draw, scene)
                if failures is not None:
                    failures += failed
                if drawing is not None:
                    drawings.append(drawing._replace(name=f"{stem}-{drawing.name}"))
    return drawings


def scenes(run: Run) -> dict[str, Scene]:
    """Each scenario's cells, by a stem for the names of files; an agent has the same colour in all of them."""
    inks = colours([cell.agent for cell in run.cells])
    scenarios = list(dict.fromkeys(cell.scenario for cell in run.cells))
    found = ([cell for cell in run.cells if cell.scenario == scenario] for scenario in scenarios)
    return {stem: Scene(cells, run.config.get("seed"), inks) for stem, cells in zip(stems(scenarios), found)}


def save(drawings: Sequence[Drawing], directory: str | Path, dpi: int = 130) -> list[Path]:
    """Write each figure as PNG and as SVG; files of the same names are replaced.

    Raises:
        OSError: the folder cannot be written.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for drawing in drawings:
        for suffix in ("png", "svg"):
            path = directory / f"{drawing.name}.{suffix}"
            write_atomically(path, render(drawing.figure, suffix, dpi))
            paths.append(path)
    return paths


def render(figure: "Figure", suffix: str, dpi: int = 130) -> bytes:
    """A figure as the bytes of a file, "png" or "svg"; the same figure always gives the same bytes."""
    buffer = io.BytesIO()
    with canvas.style():
        if suffix == "png":  # level 4: 1 % larger than the default, in half the time
            figure.savefig(buffer, format=suffix, dpi=dpi, pil_kwargs={"compress_level": 4})
        else:
            figure.savefig(buffer, format=suffix, dpi=dpi, metadata={"Date": None})
    return buffer.getvalue()


def stems(scenarios: Sequence[str]) -> list[str]:
    """Names of scenarios, which may hold anything, as parts of file names, no two the same."""
    stems: dict[str, str] = {}
    for scenario in scenarios:
        stem = slug(scenario)
        while stem.casefold() in stems:
            stem += "_"
        stems[stem.casefold()] = stem
    return list(stems.values())
