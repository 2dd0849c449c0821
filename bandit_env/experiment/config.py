"""The experiment file (TOML), checked and resolved into cells to be played.

name = "ab_test"                 # default: the file's name
replications = 500
seed = 2013
traces = 1                       # experiments recorded update by update

[scenario]                       # or several: [[scenarios]], each with a name
rates = [0.04, 0.05]             # keyword arguments of the environment
visits_per_day = 100

[classical]                      # what savings are measured against; or under a scenario
visits = 22330                   # default: K ceil(n), the sample size of the power calculation
days = 223                       # default: the days that takes

[[agents]]
name = "thompson"                # as `bandit-env agents` lists them, or "package.module:Class"
label = "Thompson"               # default: the name
stopping = "value-remaining"     # any other key: an argument of the agent
sweep = { gamma = [0.5, 1.0] }   # one agent (or scenario) for each combination of the lists

[published.Thompson]             # printed beside our results: another source's figures, by agent's label
days_saved = "175"
"""

import dataclasses
import importlib.metadata
import itertools
import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import bandit_env
from bandit_env import plugins
from bandit_env.errors import ExperimentError
from bandit_env.experiment.cell import AGENTS, CellPlan
from bandit_env.experiment.results import FORMAT
from bandit_env.stats.power import sample_size
from bandit_env.world.scenario import Scenario

Rate = Annotated[float, Field(gt=0, lt=1)]
MAX_SWEEP = 10_000
"""Combinations of one sweep: more is a mistake rather than a plan."""


class ClassicalTable(BaseModel):
    """`[classical]`: the fixed-sample test that savings are measured against."""

    model_config = ConfigDict(extra="forbid", strict=True)
    visits: Annotated[float, Field(gt=0)] | None = None
    days: Annotated[float, Field(gt=0)] | None = None
    baseline: Rate | None = None
    target: Rate | None = None
    power: Rate = 0.95
    alpha: Rate = 0.05


class ExperimentFile(BaseModel):
    """The keys of an experiment file. Scenario and agent tables are checked by what they describe."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: Annotated[str, Field(min_length=1)]
    replications: Annotated[int, Field(ge=1, le=10**9)] = 500
    seed: Annotated[int, Field(ge=0)] = 0
    traces: Annotated[int, Field(ge=0, le=1000)] = 1
    scenario: dict[str, Any] | None = None
    scenarios: list[dict[str, Any]] | None = None
    agents: Annotated[list[dict[str, Any]], Field(min_length=1)]
    classical: ClassicalTable | None = None
    published: dict[str, dict[str, Any]] = {}


@dataclass(frozen=True)
class Experiment:
    """What is to be played: the resolved configuration, and a plan for each cell.

    Attributes:
        config: JSON-able; what `config.json` holds, and what a resumed run must share.
        cells: a plan per scenario and agent, scenario by scenario.
        about: what `cell.json` holds, for each cell.
        remarks: what agents have to say about their scenarios, to be shown once before anything is played.
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

    Raises:
        ExperimentError: the file cannot be read, or something in it is wrong; names the file and the key.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ExperimentError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise ExperimentError(f"{path}: not TOML: {error}") from error
    except OSError as error:
        raise ExperimentError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:  # ValueError also for numbers of thousands of digits
        raise ExperimentError(f"{path}: not TOML: {error}") from error
    table = {"name": path.stem} | table | {key: value for key, value in overrides.items() if value is not None}
    try:
        return resolve(table)
    except ExperimentError as error:
        raise ExperimentError(f"{path}: {error}") from error


def resolve(table: dict[str, Any]) -> Experiment:
    """Check an experiment's table and work out its cells. Agents may be objects as well as tables.

    Raises:
        ExperimentError: something in it is wrong; names the key, what was found and what is allowed.
    """
    file = _validate(table)
    scenarios = list(_scenarios(file))
    players = list(_agents(file.agents))
    _refuse_duplicates("scenario", [name for name, *_ in scenarios])
    _refuse_duplicates("agent", [label for label, *_ in players])
    folders = _folders([(scenario[0], player[0]) for scenario in scenarios for player in players])
    plans, about = [], []
    for name, scenario, classical in scenarios:
        for label, player, described in players:
            world = scenario.arguments()
            plans.append(CellPlan(name, label, world, scenario.task, player, file.seed, file.traces))
            _check_task(plans[-1])
            about.append(
                {
                    "scenario": name,
                    "agent": label,
                    "parameters": {"scenario": world, "agent": described},
                    "task": dataclasses.asdict(scenario.task),
                    "rates": world.get("rates"),
                    "classical": classical,
                }
            )
    config = {
        "format": FORMAT,
        "versions": _versions(),
        "name": file.name,
        "replications": file.replications,
        "seed": file.seed,
        "traces": file.traces,
        "published": _as_json(file.published),
        "cells": [
            {key: entry[key] for key in ("scenario", "agent", "parameters", "classical")} | {"folder": folder}
            for folder, entry in zip(folders, about, strict=True)
        ],
    }
    return Experiment(config, plans, about, list(_remarks(plans)))


def _validate(table: dict[str, Any]) -> ExperimentFile:
    try:
        file = ExperimentFile(**table)
    except ValidationError as error:
        raise ExperimentError(_first(error, ExperimentFile, table)) from error
    if (file.scenario is None) == (file.scenarios is None):
        found = "neither" if file.scenario is None else "both"
        raise ExperimentError(f"expected one of the keys 'scenario' and 'scenarios', found {found}")
    if file.scenarios == []:
        raise ExperimentError("scenarios: is empty; expected at least one")
    return file


def _first(error: ValidationError, model: type[BaseModel], table: dict[str, Any], prefix: str = "") -> str:
    """The first of pydantic's complaints, as one line: the key, what was found, what is allowed."""
    problem = error.errors()[0]
    key = prefix + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in problem["loc"]).lstrip(".")
    if problem["type"] == "missing":
        return f"{key}: missing"
    if problem["type"] == "extra_forbidden":
        name = str(problem["loc"][-1])
        inner = ClassicalTable if len(problem["loc"]) > 1 or model is ClassicalTable else ExperimentFile
        return f"{key}: unknown key{plugins.suggest(name, inner.model_fields)}"
    return f"{key}: found {problem['input']!r}; {problem['msg'][0].lower() + problem['msg'][1:]}"


def _scenarios(file: ExperimentFile) -> Iterator[tuple[str, Scenario, dict[str, float] | None]]:
    """Each scenario with its name, and the classical test that it is compared to."""
    known = [field.name for field in dataclasses.fields(Scenario)]
    tables = [file.scenario] if file.scenarios is None else file.scenarios
    for index, table in enumerate(tables):
        where = "scenario" if file.scenarios is None else f"scenarios[{index}]"
        for label, settings in _sweep(table or {}, where):
            name = settings.pop("name", file.name)
            if not isinstance(name, str) or not name:
                raise ExperimentError(f"{where}.name: found {name!r}; expected a name")
            classical = _classical_table(settings.pop("classical", None), file.classical, where)
            for key in settings:
                if key not in known:
                    more = ["name", "classical", "sweep"]
                    raise ExperimentError(f"{where}.{key}: unknown key{plugins.suggest(key, known + more)}")
            try:
                scenario = Scenario(**settings)
            except (TypeError, ValueError) as error:
                raise ExperimentError(f"{where}: {error}") from error
            yield _name(name, label), scenario, _classical(classical, scenario, where)


def _classical_table(own: dict[str, Any] | None, common: ClassicalTable | None, where: str) -> ClassicalTable | None:
    if own is None:
        return common
    try:
        return ClassicalTable(**own)
    except (ValidationError, TypeError) as error:
        if isinstance(error, TypeError):
            raise ExperimentError(f"{where}.classical: found {own!r}; expected a table") from error
        raise ExperimentError(_first(error, ClassicalTable, own, f"{where}.classical.")) from error


def _classical(table: ClassicalTable | None, scenario: Scenario, where: str) -> dict[str, float] | None:
    """The classical test's traffic and days; by default those that its power calculation gives."""
    if table is None or scenario.rates is None:
        return None
    visits = table.visits
    if visits is None:
        baseline = table.baseline if table.baseline is not None else scenario.rates[0]
        target = table.target if table.target is not None else max(scenario.rates[1:])
        comparisons = len(scenario.rates) - 1
        try:
            size = sample_size(baseline, target, power=table.power, alpha=table.alpha, comparisons=comparisons)
        except ValueError as error:
            raise ExperimentError(
                f"{where}: no classical test can be worked out ({error}); give it `visits` or `baseline` and `target`"
            ) from error
        visits = float(len(scenario.rates) * math.ceil(size))
    days = table.days if table.days is not None else float(math.ceil(visits / scenario.visits_per_day))
    return {"visits": visits, "days": days}


def _agents(tables: list[dict[str, Any]]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Each agent's label, what the runner builds it from, and how it is described in the files."""
    for index, table in enumerate(tables):
        where = f"agents[{index}]"
        if "object" in table:  # from Python: an agent as it is
            thing = table["object"]
            _check_agent(thing, f"{where}: {thing!r}")
            label = table.get("label") or type(thing).__name__
            name = f"{type(thing).__module__}:{type(thing).__qualname__}"
            yield label, thing, {"name": name, **_parameters(thing, {})}
            continue
        for sweep_label, settings in _sweep(table, where):
            name = settings.pop("name", None)
            if not isinstance(name, str):
                raise ExperimentError(f"{where}.name: {'missing' if name is None else f'found {name!r}'}")
            label = settings.pop("label", name)
            if not isinstance(label, str) or not label:
                raise ExperimentError(f"{where}.label: found {label!r}; expected a name")
            agent = _build(name, settings, where)
            yield _name(label, sweep_label), (name, settings), {"name": name, **_parameters(agent, settings)}


def _build(name: str, arguments: dict[str, Any], where: str) -> Any:
    """Build the agent once, so that what is wrong with it is said before anything runs."""
    try:
        agent = plugins.build(AGENTS, "agent", name, arguments)
    except ValueError as error:
        raise ExperimentError(f"{where}: {error}") from error
    _check_agent(agent, f"{where}.name: {name!r}")
    return agent


def _check_agent(agent: Any, what: str) -> None:
    if not callable(getattr(agent, "act", None)) or not callable(getattr(agent, "reset", None)):
        raise ExperimentError(f"{what} is no agent; expected an object with `reset` and `act`")


def _check_task(plan: CellPlan) -> None:
    """Ask an agent with a method `check_task` whether the task is one for it, before anything runs."""
    check = getattr(plan.build_agent(), "check_task", None)
    if check is None:
        return
    try:
        check(plan.task)
    except ValueError as error:
        raise ExperimentError(f"agent {plan.agent!r} in scenario {plan.scenario!r}: {error}") from error


def _remarks(plans: list[CellPlan]) -> Iterator[str]:
    """What agents with a method `remarks` say about their tasks, each once for an agent."""
    said: set[tuple[str, str]] = set()
    for plan in plans:
        ask = getattr(plan.build_agent(), "remarks", None)
        for remark in ask(plan.task) if callable(ask) else ():
            if (plan.agent, remark) not in said:
                said.add((plan.agent, remark))
                yield f"agent {plan.agent!r} in scenario {plan.scenario!r}: {remark}"


def _parameters(agent: Any, given: dict[str, Any]) -> dict[str, Any]:
    """An agent's arguments, defaults included where it tells them, as JSON can hold them."""
    return dict(_as_json(getattr(agent, "parameters", given)))


def _as_json(value: Any) -> Any:
    """The value as JSON gives it back; what JSON cannot hold, such as a date, as text."""
    return json.loads(json.dumps(value, default=str))


def _sweep(table: dict[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The table once for each combination of its `sweep` lists, with a label that tells them apart."""
    settings = {key: value for key, value in table.items() if key != "sweep"}
    sweep = table.get("sweep", {})
    if not isinstance(sweep, dict) or not all(isinstance(values, list) and values for values in sweep.values()):
        raise ExperimentError(f"{where}.sweep: found {sweep!r}; expected a table of lists")
    combinations = math.prod(map(len, sweep.values()))
    if combinations > MAX_SWEEP:
        raise ExperimentError(f"{where}.sweep: makes {combinations:,} combinations; expected at most {MAX_SWEEP:,}")
    for values in itertools.product(*sweep.values()):
        chosen = dict(zip(sweep, values, strict=True))
        yield ", ".join(f"{key}={_compact(value)}" for key, value in chosen.items()), settings | chosen


def _compact(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(_compact(v) if k == "rule" else f"{k}={_compact(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "[" + " ".join(map(_compact, value)) + "]"
    return str(value)


def _name(name: str, sweep: str) -> str:
    return f"{name}, {sweep}" if sweep else name


def _refuse_duplicates(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            key = "label" if kind == "agent" else "name"
            raise ExperimentError(f"{kind}s: two are called {name!r}; give each a `{key}` of its own")
        seen.add(name)


def _folders(cells: list[tuple[str, str]]) -> list[str]:
    """A folder for each cell, from names that may hold anything; no two the same."""
    folders: list[str] = []
    for scenario, agent in cells:
        stem = folder = f"{slug(scenario)}/{slug(agent)}"
        count = itertools.count(2)
        while folder.lower() in map(str.lower, folders):
            folder = f"{stem}-{next(count)}"
        folders.append(folder)
    return folders


def slug(name: str) -> str:
    """A name as a folder can have it."""
    slug = re.sub(r"[^A-Za-z0-9_.=-]+", "-", name).strip("-.")[:80] or "unnamed"
    return f"{slug}_" if slug in ("figures", "config.json", "summary.csv") else slug


def _versions() -> dict[str, str]:
    """Versions of what the rows depend on."""
    packages = ("numpy", "scipy", "numba")
    return {"bandit_env": bandit_env.__version__} | {name: importlib.metadata.version(name) for name in packages}
