"""The keys of an experiment file and what they may hold, with messages that name the key."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bandit_env import plugins
from bandit_env.errors import ExperimentError
from bandit_env.experiment.config.names import check_name
from bandit_env.experiment.estimates.methods import LEAST_WEIGHT

Rate = Annotated[float, Field(gt=0, lt=1)]


class ClassicalTable(BaseModel):
    """`[classical]`: the fixed-sample test that savings are measured against."""

    model_config = ConfigDict(extra="forbid", strict=True)
    visits: Annotated[float, Field(gt=0)] | None = None
    """All arms' visits together. Default: K ceil(n), n the sample size per arm of the power calculation."""
    days: Annotated[float, Field(gt=0)] | None = None
    """Default: the days that these visits take, rounded up."""
    baseline: Rate | None = None
    """The control's rate in the power calculation. Default: the scenario's."""
    target: Rate | None = None
    """The rate to be found. Default: the best of the other arms."""
    power: Rate = 0.95
    """Of the power calculation."""
    alpha: Rate = 0.05
    """Two-sided level, divided by the K - 1 comparisons."""


class ExperimentFile(BaseModel):
    """The keys of an experiment file. Scenario and agent tables are checked by what they describe."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: Annotated[str, Field(min_length=1)]
    """The experiment's name. Default: the file's."""
    replications: Annotated[int, Field(ge=1, le=10**9)] = 500
    """Experiments of each cell. More of them extend the rows and do not change them."""
    seed: Annotated[int, Field(ge=0)] = 0
    """The same seed, the same rows, wherever they are played."""
    traces: Annotated[int, Field(ge=0, le=1000)] = 1
    """How many experiments of each cell are kept update by update: the first so many; 1 is a typical one."""
    scenario: dict[str, Any] | None = None
    """The world; or, for several, `scenarios`."""
    scenarios: list[dict[str, Any]] | None = None
    """Several worlds, each with a `name`."""
    agents: Annotated[list[dict[str, Any]], Field(min_length=1)]
    """Who plays. Every agent meets every scenario, unless it names its `scenarios`."""
    classical: ClassicalTable | None = None
    """The fixed-sample test that savings are measured against; also a key of a scenario. Default: none."""
    published: dict[str, dict[str, Any]] = {}
    """Figures of another source, printed beside ours, by the agent's label."""
    estimates: list[str] = []
    """Methods of estimation, also a key of a scenario."""
    least_weight: Annotated[float, Field(ge=0, lt=1)] = LEAST_WEIGHT
    """The smallest serving weight with which `aipw` is played at all; 0: any."""


def validate(table: dict[str, Any]) -> ExperimentFile:
    """The experiment file's keys, checked.

    Raises:
        ExperimentError: one is unknown, missing, or holds what it cannot.
    """
    try:
        file = ExperimentFile(**table)
    except ValidationError as error:
        raise ExperimentError(first(error, ExperimentFile, table)) from error
    if (file.scenario is None) == (file.scenarios is None):
        found = "neither" if file.scenario is None else "both"
        raise ExperimentError(f"expected one of the keys 'scenario' and 'scenarios', found {found}")
    if file.scenarios == []:
        raise ExperimentError("scenarios: is empty; expected at least one")
    check_name("name", file.name)
    return file


def first(error: ValidationError, model: type[BaseModel], table: dict[str, Any], prefix: str = "") -> str:
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
