"""The scenarios of an experiment file, and the classical test that each is compared to."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from bandit_env import plugins
from bandit_env.errors import ExperimentError
from bandit_env.experiment.config.keys import ClassicalTable, ExperimentFile, first
from bandit_env.experiment.config.names import check_name
from bandit_env.experiment.config.sweeps import expand
from bandit_env.stats.power import sample_size
from bandit_env.world.scenario import Scenario


def scenarios(file: ExperimentFile) -> Iterator[tuple[str, Scenario, dict[str, float] | None]]:
    """Each scenario with its name, and the classical test that it is compared to."""
    known = [field.name for field in dataclasses.fields(Scenario)]
    tables = [file.scenario] if file.scenarios is None else file.scenarios
    for index, table in enumerate(tables):
        where = "scenario" if file.scenarios is None else f"scenarios[{index}]"
        for label, settings in expand(table or {}, where):
            name = settings.pop("name", file.name)
            check_name(f"{where}.name", name)
            classical = _classical_table(settings.pop("classical", None), file.classical, where)
            for key in settings:
                if key not in known:
                    more = ["name", "classical", "sweep"]
                    raise ExperimentError(f"{where}.{key}: unknown key{plugins.suggest(key, known + more)}")
            try:
                scenario = Scenario(**settings)
            except (TypeError, ValueError) as error:
                raise ExperimentError(f"{where}: {error}") from error
            yield f"{name}{label}", scenario, _classical(classical, scenario, where)


def _classical_table(own: dict[str, Any] | None, common: ClassicalTable | None, where: str) -> ClassicalTable | None:
    if own is None:
        return common
    try:
        return ClassicalTable(**own)
    except (ValidationError, TypeError) as error:
        if isinstance(error, TypeError):
            raise ExperimentError(f"{where}.classical: found {own!r}; expected a table") from error
        raise ExperimentError(first(error, ClassicalTable, own, f"{where}.classical.")) from error


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
