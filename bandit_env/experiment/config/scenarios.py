"""The scenarios of an experiment file, and the classical test that each is compared to."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from bandit_env import plugins
from bandit_env.errors import ExperimentError
from bandit_env.experiment.config.keys import ClassicalTable, ExperimentFile, first
from bandit_env.experiment.config.names import check_name
from bandit_env.experiment.config.sweeps import expand
from bandit_env.experiment.estimates.methods import Wanted, check_methods
from bandit_env.stats.power import sample_size
from bandit_env.world.scenario import Scenario

CLOSE = 0.01
"""Relative difference up to which given visits and days of a classical test may be another rounding of the plan's."""


def scenarios(file: ExperimentFile) -> Iterator[tuple[str, Scenario, dict[str, float] | None, Wanted, list[str]]]:
    """Each scenario: its name, the classical test it is compared to, estimates asked for, and what is doubtful."""
    known = [field.name for field in dataclasses.fields(Scenario)]
    tables = [file.scenario] if file.scenarios is None else file.scenarios
    for index, table in enumerate(tables):
        where = "scenario" if file.scenarios is None else f"scenarios[{index}]"
        for label, settings in expand(table or {}, where):
            name = settings.pop("name", file.name)
            check_name(f"{where}.name", name)
            classical = _classical_table(settings.pop("classical", None), file.classical, where)
            wanted = _wanted(settings, file, where)
            for key in settings:
                if key not in known:
                    more = ["name", "classical", "sweep", "estimates", "least_weight"]
                    raise ExperimentError(f"{where}.{key}: unknown key{plugins.suggest(key, known + more)}")
            try:
                scenario = Scenario(**settings)
            except (TypeError, ValueError) as error:
                raise ExperimentError(f"{where}: {error}") from error
            test = _classical(classical, scenario, where)
            yield (
                f"{name}{label}",
                scenario,
                test,
                wanted,
                list(_doubts(classical, test, scenario, f"scenario {name + label!r}")),
            )


def _wanted(settings: dict[str, Any], file: ExperimentFile, where: str) -> Wanted:
    """The estimates of a scenario, its own or the file's."""
    place = f"{where}.estimates" if "estimates" in settings else "estimates"
    methods, least = settings.pop("estimates", file.estimates), settings.pop("least_weight", file.least_weight)
    if not isinstance(methods, list):
        raise ExperimentError(f"{place}: found {methods!r}; expected a list of methods")
    if isinstance(least, bool) or not isinstance(least, int | float) or not 0 <= least < 1:
        raise ExperimentError(f"{where}.least_weight: found {least!r}; expected a number from 0 to 1, 1 excluded")
    try:
        check_methods(place, methods)
    except ValueError as error:
        raise ExperimentError(str(error)) from error
    return Wanted(tuple(methods), float(least))


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
    if table is None:
        return None
    visits = table.visits
    if visits is None:
        try:
            visits = float(_planned_visits(table, scenario))
        except ValueError as error:
            raise ExperimentError(
                f"{where}: no classical test can be worked out ({error}); give it `visits` or `baseline` and `target`"
            ) from error
    days = table.days if table.days is not None else float(math.ceil(visits / scenario.mean_visits.mean()))
    return {"visits": visits, "days": days}


def _planned_visits(table: ClassicalTable, scenario: Scenario) -> int:
    """Visits of all arms by the power calculation; the plan's rates are by default the control's and the best other.

    Raises:
        ValueError: rates are drawn, or equal, and not given by the table.
    """
    baseline, target = table.baseline, table.target
    if baseline is None or target is None:
        if scenario.rates is None:
            raise ValueError("rates are drawn")
        baseline = scenario.rates[0] if baseline is None else baseline
        target = max(scenario.rates[1:]) if target is None else target
    comparisons = scenario.task.num_arms - 1
    size = sample_size(baseline, target, power=table.power, alpha=table.alpha, comparisons=comparisons)
    return scenario.task.num_arms * math.ceil(size)


def _doubts(
    table: ClassicalTable | None, test: dict[str, float] | None, scenario: Scenario, where: str
) -> Iterator[str]:
    """What makes visits and days that were written down look like those of another scenario."""
    if table is None or test is None:
        return
    try:
        planned = _planned_visits(table, scenario)
    except ValueError:  # nothing to compare to
        planned = None
    if table.visits is not None and planned is not None and abs(table.visits / planned - 1) > CLOSE:
        yield (
            f"{where}: classical.visits is {table.visits:,.10g}, but its rates at power {table.power:g} take "
            f"{planned:,}; left out, they are worked out"
        )
    days = test["visits"] / float(scenario.mean_visits.mean())
    if table.days is not None and abs(table.days - days) > max(CLOSE * days, 1):
        yield (
            f"{where}: classical.days is {table.days:,.10g}, but {test['visits']:,.10g} visits at "
            f"{scenario.visits_per_day:,} a day take {math.ceil(days):,}; left out, they are worked out"
        )


def published_for(
    rates: Sequence[Sequence[float] | None], published: dict[str, dict[str, Any]]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The published figures that are shown, and what is said of the others: those for rates that no scenario has.

    A table of figures may say in `rates` which they are for.
    """
    known = [list(one) for one in rates if one is not None]
    shown, doubts = {}, []
    for label, figures in published.items():
        own = figures.get("rates")
        if own is None or own in known:
            shown[label] = {key: value for key, value in figures.items() if key != "rates"}
        else:
            doubts.append(f"published.{label} is for rates {own}, which no scenario has: it is not shown")
    return shown, doubts
