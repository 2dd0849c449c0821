"""Before an experiment: how long will it take, how often is it wrong, what does it cost, and what can it find?"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bandit_env.desk import agents
from bandit_env.desk.agents import Stopping
from bandit_env.desk.designs import ALPHA, POWER, Design, design
from bandit_env.engines.engine import Engine
from bandit_env.errors import ExperimentError, StorageError
from bandit_env.experiment import config
from bandit_env.experiment.config import text
from bandit_env.experiment.files import write_atomically
from bandit_env.experiment.results import Run
from bandit_env.experiment.sweep import Watcher, execute
from bandit_env.tables import toml
from bandit_env.tables.history import read_history

BANDIT = "thompson"
HORIZON = 5000  # days, by default: no plan is longer, unless its classical test is
EQUAL = "equal arms"
FILE = "plan.toml"


def plan(
    rates: Sequence[float] | Design,
    *,
    visits_per_day: int,
    updates_per_day: int = 1,
    min_days: float = 14,
    max_days: int | None = None,
    loss_days: int | None = None,
    baseline: float | None = None,
    target: float | None = None,
    power: float = POWER,
    alpha: float = ALPHA,
    agent: str = BANDIT,
    stopping: Stopping = None,
    prior: tuple[float, float] | None = None,
    history: str | Path | None = None,
    world: Mapping[str, Any] | None = None,
    replications: int,
    seed: int,
    engine: Engine,
    out: Path | None = None,
    overwrite: bool = False,
    watcher: Watcher | None = None,
) -> Run:
    """Simulate a planned test, and the same with equal arms: an agent against the classical test.

    Args:
        rates: the rates that the planner thinks possible, control first; or a `Design` of several cases.
        visits_per_day: traffic of one day, in visits.
        updates_per_day: new serving weights per day.
        min_days: no stop before this day.
        max_days: the horizon, in days; None is HORIZON, or the classical test's days where those are more. With equal
            arms it is the classical test's days.
        loss_days: the day up to which the loss counts; None is the horizon.
        baseline: the control's rate in the classical test's plan; by default the first rate.
        target: the rate that the classical test is designed to find; by default the best other rate.
        power, alpha: of the classical test.
        agent: a name, or an experiment file, of which the first agent is taken.
        stopping: its rule; by default the agent's own, or value remaining. With three arms and more the plan then has
            both readings of the article's rule.
        prior: (a, b) of the agent's prior.
        history: past experiments that the agent's prior is fitted to.
        world: further keys of the scenario: effects, delay, traffic.
        replications: simulated tests of each case.
        seed: of the simulation.
        engine: where the work is done.
        out: a folder for the rows and the experiment file; None keeps all in memory.
        overwrite: remove the run that the folder holds.
        watcher: told how the simulation is getting on.

    Raises:
        ExperimentError: a value that cannot be.
        StorageError: the folder cannot be written.
    """
    wanted = rates if isinstance(rates, Design) else design(rates, baseline=baseline, target=target)
    for rate in wanted.target.values():
        if wanted.baseline == rate:
            raise ExperimentError(
                f"no classical test can tell {wanted.baseline:g} from {rate:g}; "
                "give --target the rate that it is to find"
            )
    if history is not None:
        if prior is not None:
            raise ExperimentError("both --prior and --history came; expected one of them")
        fitted = read_history(history)
        prior = (fitted.a, fitted.b)
    scenario = {
        **(world or {}),
        "visits_per_day": visits_per_day,
        "updates_per_day": updates_per_day,
        "min_days": min_days,
    }
    test = {"baseline": wanted.baseline, "power": power, "alpha": alpha}
    table: dict[str, Any] = {
        "name": "plan",
        "seed": seed,
        "replications": replications,
        "traces": 0 if out is None else 1,
        "agents": _players(agent, stopping, prior, wanted) + _classical_agent(test, wanted),
    }
    table["scenarios"] = _scenarios(table, scenario, wanted, test, max_days, loss_days)
    experiment = config.resolve(table)
    run = execute(experiment, engine=engine, out=out, overwrite=overwrite, watcher=watcher)
    if out is not None:
        _leave(table, out)
    return run


def _players(agent: str, stopping: Stopping, prior: tuple[float, float] | None, wanted: Design) -> list[dict[str, Any]]:
    """The agent; with three arms and more, and no rule asked for, under both readings of the article's rule."""
    player = agents.choose(agent, stopping, prior)
    table = player.table()
    if stopping is not None or player.stopping != agents.RULE or min(map(len, wanted.cases.values())) < 3:
        return [table]
    literal = {"label": f"{player.label}, until any variation beats the control"}
    return [table, table | literal | {"stopping": "beats-control | value-remaining"}]


def _classical_agent(test: Mapping[str, float], wanted: Design) -> list[dict[str, Any]]:
    """The classical test as an agent; none for several cases, whose tests differ: their days and power are known."""
    if len(wanted.cases) > 1:
        return []
    return [{"name": "uniform-classical", **test, "target": next(iter(wanted.target.values()))}]


def _scenarios(
    table: Mapping[str, Any],
    scenario: Mapping[str, Any],
    wanted: Design,
    test: Mapping[str, float],
    max_days: int | None,
    loss_days: int | None,
) -> list[dict[str, Any]]:
    """Every case, and the one with equal arms, each with its classical test and its horizon."""
    made, longest = [], 0.0
    for name, rates in wanted.cases.items():
        classical = {**test, "target": wanted.target[name]}
        case = {"name": name, "rates": list(rates), **scenario, "classical": classical}
        days = _classical_days(table, case)
        longest = max(longest, days)
        horizon = max(HORIZON, math.ceil(days)) if max_days is None else max_days
        made.append(case | {"max_days": horizon, "loss_days": loss_days})
    days = max(math.ceil(longest), math.ceil(scenario["min_days"]))
    equal = {"name": EQUAL, "rates": [wanted.baseline] * len(made[0]["rates"])}
    made.append(made[0] | equal | {"max_days": days if max_days is None else min(days, max_days), "loss_days": None})
    return made


def _classical_days(table: Mapping[str, Any], case: Mapping[str, Any]) -> float:
    """How long the classical test of a case takes."""
    known = {"name": "plan", "scenario": {**case, "max_days": HORIZON, "min_days": 0}, "agents": [{"name": "uniform"}]}
    classical = config.resolve(known).about[0]["classical"]
    return float(classical["days"]) if classical else 0.0


def _leave(table: Mapping[str, Any], out: Path) -> None:
    """Write the experiment file that plays the plan."""
    remark = f"A plan made by `bandit-env plan`; `bandit-env run {FILE}` plays it."
    try:
        write_atomically(out / FILE, toml.text(table, remark).encode())
    except OSError as error:
        raise StorageError(f"{out / FILE}: cannot be written ({error.strerror or error})") from error


def read_world(path: Path) -> dict[str, Any]:
    """The scenario of an experiment file, or a file of a scenario's keys alone, without its rates and its name.

    Raises:
        ExperimentError: no such file, or none of these.
    """
    table = text.read(path)
    scenario = table.get("scenario", table)
    if not isinstance(scenario, dict) or "scenarios" in table:
        raise ExperimentError(f"{path}: expected one table [scenario], or its keys alone")
    return {
        key: value for key, value in scenario.items() if key not in ("name", "rates", "prior", "num_arms", "classical")
    }
