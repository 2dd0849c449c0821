"""What a run leaves: per-episode rows, per-day curves and traces; read from its folder, or kept in memory.

A *cell* is one scenario with one agent. Its folder holds the chunks as they were played; at the end their rows
are joined in `episodes.parquet` and their curves, summed in chunk order, in `curves.parquet`. `cell.json` says what
the cell is and holds the digests of these files, and of itself: what has been altered since is refused, not shown.
"""

import importlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bandit_env.errors import ExperimentError
from bandit_env.experiment.columns import TRACE
from bandit_env.experiment.files import SEAL, DamagedError, check, digest, read_json, unseal, within
from bandit_env.stats.posterior import weights_and_value_remaining
from bandit_env.world.scenario import Scenario
from bandit_env.world.task import Task

CONFIG = "config.json"
CELL = "cell.json"
EPISODES = "episodes.parquet"
CURVES = "curves.parquet"
TRACES = "traces.npz"
STANDINGS = "standings.md"  # in the run's folder: a newcomer's on the leaderboard
WRITTEN = ".written.json"  # in the folder of figures: the names of those that the report has drawn
FILES = (EPISODES, CURVES, TRACES)
LISTED_ARMS = 2000
"""Up to so many arms, each has columns of its own, `rate_0`; beyond, a column holds a list of all arms, `rate_arms`."""
ARMS = "arms"
UNIFORM = (1.0, 1.0)
SHOWN = "bandit_env.views.shown"
TYPICAL_OF = 16
"""Where one experiment is to be recorded update by update, it is the typical one of the first so many."""


@dataclass(frozen=True)
class Classical:
    """The classical fixed-sample test that savings are measured against: its traffic, and how long it takes."""

    visits: float
    days: float

    def cost(self, rates: Sequence[float]) -> float:
        """Expected conversions lost by serving all arms equally for the whole test: visits x mean gap."""
        return self.visits * (max(rates) - float(np.mean(rates)))


@dataclass(frozen=True)
class Trace:
    """One experiment, update by update.

    Attributes:
        replication: which replication.
        day: days elapsed when each update began, shape (T,).
        weights: serving weights of each update, shape (T, K).
        visits, conversions: cumulative counts before each update, shape (T, K).
        rates: the true rates of each update, shape (T, K).
        served: visits of each update, shape (T,).
        prior: (a, b) of the Beta prior of every rate that the agent holds; Beta(1, 1) where it does not say.
        probability_best: P(best) given those counts and that prior, shape (T, K).
    """

    replication: int
    day: NDArray[np.float64]
    weights: NDArray[np.float32]
    visits: NDArray[np.float64]
    conversions: NDArray[np.float64]
    rates: NDArray[np.float64]
    served: NDArray[np.float64]
    prior: tuple[float, float] = UNIFORM

    @cached_property
    def probability_best(self) -> NDArray[np.float64]:  # noqa: D102 (see Attributes)
        # the kernel that agents use
        return weights_and_value_remaining(self.conversions, self.visits, prior=self.prior)[0]


@dataclass(frozen=True)
class Cell:
    """One scenario with one agent: what was asked, and what came of it.

    Attributes:
        scenario, agent: their names; the agent's is its label in the experiment file.
        parameters: {"scenario": {...}, "agent": {...}}, resolved.
        task: the public facts of the experiment.
        rates: the true rates, or None where each replication drew its own.
        classical: the test that savings are measured against, or None.
        curves: one row per update; `bandit_env.experiment.columns` defines the columns.
        traces: the first few experiments, update by update.
        directory: where the cell's files are, or None for a run kept in memory.
    """

    scenario: str
    agent: str
    parameters: dict[str, Any]
    task: Task
    rates: list[float] | None
    classical: Classical | None
    curves: pd.DataFrame
    traces: list[Trace] = field(default_factory=list)
    directory: Path | None = None
    rows: pd.DataFrame | None = None

    def __repr__(self) -> str:
        return f"<Cell of {self.replications:,} experiments: scenario {self.scenario!r}, agent {self.agent!r}>"

    def __post_init__(self) -> None:
        object.__setattr__(self, "traces", [replace(trace, prior=self.prior) for trace in self.traces])

    @property
    def prior(self) -> tuple[float, float]:
        """(a, b) of the Beta prior that the agent holds; Beta(1, 1) where it does not say."""
        return prior_of(self.parameters["agent"].get("prior"))

    @cached_property
    def world(self) -> Scenario:
        """The scenario, made anew from its arguments."""
        return Scenario(**self.parameters["scenario"])

    @property
    def equal_arms(self) -> bool:
        """Whether no arm is better than another, by construction: then there is no correct, wrong or worse."""
        return self.world.equal_arms

    @property
    def loss_days(self) -> int:
        """The day to which the loss is counted."""
        assert self.world.loss_days is not None
        return self.world.loss_days

    @property
    def steady(self) -> bool:
        """Whether every arm's rate is the same on every day."""
        return not getattr(self.world, "effects", ())

    @property
    def episodes(self) -> pd.DataFrame:
        """All rows, one per replication; read from disk at each call, so that memory holds one cell at a time."""
        return self.columns(None)

    def columns(self, names: list[str] | None) -> pd.DataFrame:
        """Some columns of the rows, without reading the others."""
        if self.rows is not None:
            return self.rows if names is None else self.rows[names]
        assert self.directory is not None
        with (self.directory / EPISODES).open("rb") as file:  # by name, pandas would take "s3:x" for a machine's
            return pd.read_parquet(file, columns=names)

    def per_arm(self, name: str) -> NDArray[Any]:
        """What each row has of each arm, such as "visits": shape (n, K)."""
        if self.task.num_arms > LISTED_ARMS:
            return np.stack(self.columns([f"{name}_{ARMS}"])[f"{name}_{ARMS}"].to_list())
        return self.columns([f"{name}_{arm}" for arm in range(self.task.num_arms)]).to_numpy()

    @property
    def replications(self) -> int:
        """How many experiments were played."""
        return int(self.curves["n"].iloc[0]) if len(self.curves) else len(self.columns(["replication"]))

    @property
    def gap(self) -> float | None:
        """Best rate less mean rate: what a visit costs under equal traffic. None where rates are drawn."""
        return None if self.rates is None else max(self.rates) - float(np.mean(self.rates))


@dataclass(frozen=True)
class Run:
    """A finished run: its resolved configuration, its cells in the order of the file, and what went wrong.

    Attributes:
        config: the resolved experiment file, as `config.json` holds it.
        cells: one per scenario and agent that finished.
        failures: one message per cell that did not, and per file that could not be read.
        directory: the run's folder, or None for a run kept in memory.
    """

    config: dict[str, Any]
    cells: list[Cell]
    failures: list[str] = field(default_factory=list)
    directory: Path | None = None

    def __repr__(self) -> str:
        """The tables, as a terminal shows them."""
        return self._shown("text")

    def _repr_html_(self) -> str:
        """The tables, as a notebook shows them."""
        return self._shown("as_html")

    def _shown(self, how: str) -> str:
        """By a name, as what people look at stands on a floor above; in a few words where it cannot be shown."""
        try:
            return str(getattr(importlib.import_module(SHOWN), how)(self))
        except Exception as error:  # such as a folder that has gone: a debugger wants something to show all the same
            return f"<Run of {len(self.cells)} cells in {self.directory}; no table ({type(error).__name__}: {error})>"


def read(directory: str | Path) -> Run:
    """Read a run's folder; what cannot be read is said in `Run.failures`, what can is there.

    Every file is compared with the digest that was stored when it was written.

    Raises:
        ExperimentError: the folder is not there, or is no run of this package, or was altered.
    """
    return _read(directory)[0]


def _read(directory: str | Path) -> tuple[Run, list[str]]:
    """A run, and those of its failures that are more than a cell that is not finished."""
    directory = Path(directory)
    config = read_config(directory)
    cells, failures, damages = [], [], []
    for entry in config["cells"]:
        try:
            cells.append(read_cell(within(directory, entry["folder"]), config, entry))
        except _Unfinished as unfinished:
            failures.append(f"{entry['folder']}: not finished{unfinished}")
        except (ExperimentError, OSError, ValueError, KeyError, TypeError) as error:
            hint = "; `bandit-env run` with --resume makes it anew" if isinstance(error, DamagedError) else ""
            failures.append(f"{entry['folder']}: cannot be read ({error}{hint})")
            damages.append(failures[-1])
    return Run(config, cells, failures, directory), damages


def load(directory: str | Path) -> pd.DataFrame:
    """All per-episode rows of a run or sweep as one table, with columns `scenario` and `agent` in front.

    Arms that only some scenarios have are NaN in the rows of the others. Beyond 2,000 arms the columns `rate_arms`,
    `visits_arms` and `conversions_arms` hold an array of all arms in each row. Categories are in the file's order.

    Raises:
        ExperimentError: the folder is no run, a file in it was altered, or not one of its cells is finished.
    """
    run, damages = _read(directory)
    if damages:
        raise ExperimentError("; ".join(damages))
    if not run.cells:
        raise ExperimentError(f"{directory}: no finished results ({'; '.join(run.failures)})")
    tables = []
    for cell in run.cells:
        table = cell.episodes
        table.insert(0, "scenario", cell.scenario)
        table.insert(1, "agent", cell.agent)
        tables.append(table)
    everything = pd.concat(tables, ignore_index=True)
    for name in ("scenario", "agent"):
        known = list(dict.fromkeys(getattr(cell, name) for cell in run.cells))
        everything[name] = pd.Categorical(everything[name], known)
    return everything


def read_config(directory: Path, *, resume: bool = False) -> dict[str, Any]:
    """The resolved configuration in a run's folder; `resume`: its seal may be broken, as it is compared as a whole.

    Raises:
        ExperimentError: there is none, it is of another format, it was altered, or a cell's folder lies elsewhere.
    """
    path = directory / CONFIG
    try:
        if not directory.is_dir():
            raise ExperimentError(f"{directory}: no such folder")
        if not path.is_file():
            raise ExperimentError(f"{directory}: not a run (there is no {CONFIG} in it)")
        config = read_json(path)
        version = config["versions"]["bandit_env"]
        folders = [cell["folder"] for cell in config["cells"]]
    except (DamagedError, OSError, ValueError, KeyError, TypeError) as error:
        raise ExperimentError(f"{path}: not a run's configuration ({error})") from error
    if config.get("format") != FORMAT:
        raise ExperimentError(
            f"{path}: written by bandit_env {version} in format {config.get('format')}; this version reads {FORMAT}"
        )
    for folder in folders:
        try:
            within(directory, folder)
        except ExperimentError as error:
            raise ExperimentError(f"{path}: {error}") from error
    if resume:
        return {name: value for name, value in config.items() if name != SEAL}
    return unseal(config, path)


FORMAT = 2  # of the folder; raised when an older one can no longer be read


class _Unfinished(Exception):
    """A cell that was not played to its end."""


def cell_identity(config: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """What decides a cell's rows: versions, seed, scenario and agent; and how many traces are kept of it."""
    common = {name: config[name] for name in ("format", "versions", "seed", "traces")}
    own = ("scenario", "agent", "parameters", "made_of")
    return common | {name: entry[name] for name in own if name in entry}


def read_cell(folder: Path, config: Mapping[str, Any], entry: Mapping[str, Any]) -> Cell:
    """One finished cell from its folder; `entry` is what the run's configuration says of it.

    Raises:
        DamagedError: a file was altered or removed, or is another cell's.
    """
    try:
        about = read_json(folder / CELL)
    except FileNotFoundError:
        raise _Unfinished from None
    about = unseal(about, folder / CELL)
    if about["of"] != digest(cell_identity(config, entry)):
        raise DamagedError(f"{folder / CELL} is another cell's, or another run's")
    if about["replications"] != config["replications"]:
        raise _Unfinished(f" ({about['replications']:,} of {config['replications']:,} replications)")
    files = about["files"]
    contents = {name: _verified(folder / name, files[name]) for name in files if name != EPISODES}
    check(folder / EPISODES, files[EPISODES])
    classical = about["classical"]
    return Cell(
        scenario=about["scenario"],
        agent=about["agent"],
        parameters=about["parameters"],
        task=Task(**about["task"]),
        rates=about["rates"],
        classical=Classical(**classical) if classical else None,
        curves=pd.read_parquet(io.BytesIO(contents[CURVES])),
        traces=_read_traces(contents.get(TRACES)),
        directory=folder,
    )


def prior_of(value: Any) -> tuple[float, float]:
    """An agent's `prior` as (a, b): Beta(1, 1), which agents begin with, where it has none or means something else."""
    try:
        a, b = map(float, value)
    except (TypeError, ValueError):
        return UNIFORM
    return (a, b) if 0 < a < math.inf and 0 < b < math.inf else UNIFORM


def typical(stopping_day: NDArray[np.float64], regret: NDArray[np.float64], among: Sequence[int] | range) -> int:
    """Of some experiments the one that stopped the nearest to the median; of several, the nearest to median regret.

    Args:
        stopping_day, regret: of all experiments that the medians are taken over, shape (n,).
        among: the experiments to choose from.
    """
    near = (np.abs(values - np.median(values)) for values in (stopping_day, regret))
    by_day, by_regret = near
    return min(among, key=lambda one: (by_day[one], by_regret[one], one))


TRACE_FIELDS = tuple(column.name for column in TRACE)


def trace_arrays(traces: Sequence[Trace]) -> dict[str, NDArray[Any]]:
    """Traces as named arrays, for an .npz."""
    arrays: dict[str, NDArray[Any]] = {"replications": np.array([t.replication for t in traces], dtype=np.int64)}
    for trace in traces:
        arrays |= {f"{trace.replication}.{name}": getattr(trace, name) for name in TRACE_FIELDS}
    return arrays


def traces_from(arrays: Mapping[str, NDArray[Any]]) -> list[Trace]:
    """The traces that `trace_arrays` named."""
    fields: list[dict[str, Any]] = [{n: arrays[f"{r}.{n}"] for n in TRACE_FIELDS} for r in arrays["replications"]]
    return [Trace(int(r), **found) for r, found in zip(arrays["replications"], fields)]


def _verified(path: Path, expected: object) -> bytes:
    """A file's content, compared with its digest."""
    check(path, expected)
    return path.read_bytes()


def _read_traces(content: bytes | None) -> list[Trace]:
    if content is None:
        return []
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return traces_from(arrays)
