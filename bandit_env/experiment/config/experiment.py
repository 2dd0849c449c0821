"""An experiment file resolved: the configuration as it will be stored, and a plan for each cell."""

import dataclasses
import importlib.metadata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bandit_env
from bandit_env import beside
from bandit_env.errors import ExperimentError
from bandit_env.experiment.cell import CellPlan
from bandit_env.experiment.config import keys, text
from bandit_env.experiment.config.names import folders_of
from bandit_env.experiment.config.players import check_task, check_weights, made_of, plain, players, remarks, with_plan
from bandit_env.experiment.config.scenarios import published_for, scenarios
from bandit_env.experiment.results import FORMAT
from bandit_env.plugins import suggest
from bandit_env.tables.history import with_priors


@dataclass(frozen=True)
class Experiment:
    """What is to be played: the resolved configuration, and a plan for each cell.

    Attributes:
        config: JSON-able; what `config.json` holds, and what a resumed run must share.
        cells: a plan per scenario and agent, scenario by scenario.
        about: what `cell.json` holds, for each cell.
        remarks: what is doubtful in the file, and what agents have to say about their scenarios; to be shown once
            before anything is played.
    """

    config: dict[str, Any]
    cells: list[CellPlan]
    about: list[dict[str, Any]]
    remarks: list[str] = dataclasses.field(default_factory=list)

    @property
    def replications(self) -> int:
        """Replications of each cell."""
        return int(self.config["replications"])

    @property
    def folders(self) -> list[str]:
        """Each cell's folder, within the run's."""
        return [entry["folder"] for entry in self.config["cells"]]


def load(path: str | Path, **overrides: Any) -> Experiment:
    """Read an experiment file; `overrides` that are not None replace its keys.

    "module:Class" in it is also looked for beside the file and in the current folder.

    Raises:
        ExperimentError: the file cannot be read, or something in it is wrong; names the file and the key.
    """
    path = Path(path)
    table = (
        {"name": path.stem} | text.read(path) | {key: value for key, value in overrides.items() if value is not None}
    )
    try:
        with beside.searching([path.absolute().parent, Path.cwd()]):
            return resolve(with_priors(table, path.parent))
    except ExperimentError as error:
        raise ExperimentError(f"{path}: {error}") from error


def resolve(table: dict[str, Any]) -> Experiment:
    """Check an experiment's table and work out its cells. Agents may be objects as well as tables.

    Raises:
        ExperimentError: something in it is wrong; names the key, what was found and what is allowed.
    """
    file = keys.validate(with_priors(table, Path()))
    worlds = list(scenarios(file))
    agents = list(players(file.agents))
    _refuse_duplicates("scenario", [name for name, *_ in worlds])
    _refuse_duplicates("agent", [label for label, *_ in agents])
    _refuse_unknown([name for name, *_ in worlds], agents)
    plans, about, modules = [], [], beside.found()
    for name, scenario, classical, wanted, _ in worlds:
        for label, player, described, chosen in agents:
            if chosen is not None and name not in chosen:
                continue
            world = scenario.arguments()
            where = f"agent {label!r} in scenario {name!r}"
            player, described = with_plan(player, described, world.get("rates"), where)
            seeded = file.seed, file.traces
            plans.append(CellPlan(name, label, world, scenario.task, player, *seeded, modules, wanted))
            check_task(plans[-1])
            check_weights(plans[-1])
            about.append(
                {
                    "scenario": name,
                    "agent": label,
                    "parameters": {"scenario": world, "agent": described} | wanted.parameters,
                    "task": dataclasses.asdict(scenario.task),
                    "rates": world.get("rates"),
                    "classical": classical,
                }
            )
    folders = folders_of([(plan.scenario, plan.agent) for plan in plans])
    published, doubts = published_for([scenario.arguments().get("rates") for _, scenario, *_ in worlds], file.published)
    config = {
        "format": FORMAT,
        "versions": _versions(),
        "name": file.name,
        "replications": file.replications,
        "seed": file.seed,
        "traces": file.traces,
        "published": plain(published),
        "cells": [
            {key: entry[key] for key in ("scenario", "agent", "parameters", "classical")}
            | ({"made_of": digests} if (digests := made_of(plan)) else {})
            | {"folder": folder}
            for folder, plan, entry in zip(folders, plans, about, strict=True)
        ],
    }
    doubts = [doubt for *_, doubts_of_one in worlds for doubt in doubts_of_one] + doubts
    return Experiment(config, plans, about, [*doubts, *remarks(plans)])


def _refuse_duplicates(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            key = "label" if kind == "agent" else "name"
            raise ExperimentError(f"{kind}s: two are called {name!r}; give each a `{key}` of its own")
        seen.add(name)


def _refuse_unknown(scenarios: list[str], agents: list[tuple[str, Any, dict[str, Any], list[str] | None]]) -> None:
    for label, *_, chosen in agents:
        for name in chosen or ():
            if name not in scenarios:
                raise ExperimentError(f"agent {label!r}: no scenario is called {name!r}{suggest(name, scenarios)}")


def _versions() -> dict[str, str]:
    """Versions of what the rows depend on."""
    packages = ("numpy", "scipy", "numba")
    return {"bandit_env": bandit_env.__version__} | {name: importlib.metadata.version(name) for name in packages}
