"""The agents of an experiment file: built once, so that what is wrong with them is said before anything runs."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bandit_env import plugins
from bandit_env.errors import ExperimentError
from bandit_env.experiment.cell import AGENTS, CellPlan
from bandit_env.experiment.config.names import check_name
from bandit_env.experiment.config.sweeps import expand
from bandit_env.experiment.estimates.methods import E_PROCESS
from bandit_env.experiment.results import LISTED_ARMS


def players(tables: list[dict[str, Any]]) -> Iterator[tuple[str, Any, dict[str, Any], list[str] | None]]:
    """Each agent's label, what the runner builds it from, how it is described, and its scenarios (None: all)."""
    for index, table in enumerate(tables):
        where = f"agents[{index}]"
        if "object" in table:  # from Python: an agent as it is
            thing = table["object"]
            if not _is_agent(thing):
                raise ExperimentError(f"{where}: {thing!r} is no agent; expected an object with `reset` and `act`")
            label = table.get("label") or type(thing).__name__
            check_name(f"{where}.label", label)
            name = f"{type(thing).__module__}:{type(thing).__qualname__}"
            yield label, thing, {"name": name, **_parameters(thing, {})}, None
            continue
        for sweep_label, settings in expand(table, where):
            name = settings.pop("name", None)
            if not isinstance(name, str):
                raise ExperimentError(f"{where}.name: {'missing' if name is None else f'found {name!r}'}")
            check_name(f"{where}.name", name)
            label = settings.pop("label", name)
            check_name(f"{where}.label", label)
            chosen = _chosen(settings.pop("scenarios", None), where)
            agent = _build(name, settings, where)
            yield f"{label}{sweep_label}", (name, settings), {"name": name, **_parameters(agent, settings)}, chosen


def _chosen(scenarios: Any, where: str) -> list[str] | None:
    if scenarios is None or (isinstance(scenarios, list) and scenarios and all(isinstance(s, str) for s in scenarios)):
        return scenarios
    raise ExperimentError(f"{where}.scenarios: found {scenarios!r}; expected a list of scenarios' names")


def with_plan(
    player: Any, described: dict[str, Any], rates: Sequence[float] | None, where: str
) -> tuple[Any, dict[str, Any]]:
    """The same, with the plan of a fixed test that lacks one: the control's rate and the best other of the scenario.

    Agents never see rates; those that need a plan have a method `planned`, which tells the arguments that they lack.
    Where rates are drawn, or the best other is the control's, nothing is filled in.
    """
    if not isinstance(player, tuple) or rates is None or max(rates[1:]) == rates[0]:
        return player, described
    name, settings = player
    planned = getattr(_build(name, settings, where), "planned", None)
    lacking = planned(rates[0], max(rates[1:])) if callable(planned) else {}
    if not lacking:
        return player, described
    settings = settings | lacking
    return (name, settings), {"name": name, **_parameters(_build(name, settings, where), settings)}


def _build(name: str, arguments: dict[str, Any], where: str) -> Any:
    """Build the agent once, so that what is wrong with it is said before anything runs."""
    try:
        return plugins.build(AGENTS, "agent", name, arguments, _is_agent, "a class with `reset` and `act`")
    except ValueError as error:
        raise ExperimentError(f"{where}: {error}") from error


def _is_agent(thing: Any) -> bool:
    return callable(getattr(thing, "act", None)) and callable(getattr(thing, "reset", None))


def check_task(plan: CellPlan) -> None:
    """Ask an agent with a method `check_task` whether the task is one for it, before anything runs."""
    check = getattr(plan.build_agent(), "check_task", None)
    if check is None:
        return
    try:
        check(plan.task)
    except ValueError as error:
        raise ExperimentError(f"agent {plan.agent!r} in scenario {plan.scenario!r}: {error}") from error


def check_weights(plan: CellPlan) -> None:
    """Refuse estimates of more arms than rows have columns for, and inverse weighting where weights may vanish."""
    if plan.estimates and plan.task.num_arms > LISTED_ARMS:
        found = f"found {plan.task.num_arms:,} arms; expected at most {LISTED_ARMS:,}"
        raise ExperimentError(f"estimates in scenario {plan.scenario!r}: {found}")
    if not plan.estimates.weighs:
        return
    agent = plan.build_agent()
    promise = getattr(agent, "least_weight", None)
    smallest = float(promise(plan.task)) if callable(promise) else 0.0
    least = plan.estimates.least_weight
    if smallest < least - 1e-12:
        raise ExperimentError(
            f"agent {plan.agent!r} in scenario {plan.scenario!r}: aipw divides by the weights served, of which the "
            f"smallest may be {smallest:g}; expected at least {least:g}: give it a `floor = {max(least, 0.01):g}`, "
            "or `least_weight = 0` to estimate all the same"
        )


def made_of(plan: CellPlan) -> dict[str, str]:
    """Digests of what an agent is made of besides its parameters: modules beside the file, and what it says itself.

    An agent says so by an attribute `made_of`, as one with a file of weights does.
    """
    modules = {Path(module.path).name: module.digest for module in plan.modules}
    return modules | dict(getattr(plan.build_agent(), "made_of", {}))


def remarks(plans: list[CellPlan]) -> Iterator[str]:
    """What agents with a method `remarks` say about their tasks, each once for an agent."""
    said: set[tuple[str, str]] = set()
    for plan in plans:
        ask = getattr(plan.build_agent(), "remarks", None)
        for remark in ask(plan.task) if callable(ask) else ():
            if (plan.agent, remark) not in said:
                said.add((plan.agent, remark))
                yield f"agent {plan.agent!r} in scenario {plan.scenario!r}: {remark}"
    late = {plan.scenario for plan in plans if E_PROCESS in plan.estimates.methods and plan.world.get("delay")}
    for scenario in dict.fromkeys(plan.scenario for plan in plans if plan.scenario in late):
        yield (
            f"estimates in scenario {scenario!r}: the e-process wants conversions on the day of their visit; "
            "with a delay its level does not hold"
        )


def _parameters(agent: Any, given: dict[str, Any]) -> dict[str, Any]:
    """An agent's arguments, defaults included where it tells them, as JSON can hold them."""
    return dict(plain(getattr(agent, "parameters", given)))


def plain(value: Any) -> Any:
    """The value as JSON gives it back; what JSON cannot hold, such as a date, as text."""
    return json.loads(json.dumps(value, default=str))
