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
    estimates: list[str] = []
    least_weight: Annotated[float, Field(ge=0, lt=1)] = LEAST_WEIGHT


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
