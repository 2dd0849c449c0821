"""Losses, replication by replication: those of the built-in agents, which are kept, and a newcomer's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bandit_env.errors import ExperimentError
from bandit_env.experiment.config import shipped
from bandit_env.experiment.results import Run

FILE = "leaderboard.parquet"
COLUMNS = ["scenario", "agent", "replication", "loss", "claimed"]


def rows_of(run: Run) -> pd.DataFrame:
    """What the leaderboard keeps of a run: scenario, agent, replication, loss (conversions), claimed.

    Its `attrs` say what was played: the seed, and every scenario's arguments.
    """
    tables = []
    for cell in run.cells:
        table = cell.columns(["replication", "loss", "claimed_winner"]).rename(columns={"claimed_winner": "claimed"})
        tables.append(table.assign(scenario=cell.scenario, agent=cell.agent))
    rows = pd.concat(tables, ignore_index=True)[COLUMNS]
    rows = rows.astype({"replication": np.int32, "loss": np.float32, "scenario": "category", "agent": "category"})
    worlds = {cell.scenario: cell.parameters["scenario"] for cell in run.cells}
    rows.attrs = {"seed": run.config["seed"], "scenarios": worlds}
    return rows


def write_rows(rows: pd.DataFrame, path: Path) -> None:
    """Keep them."""
    rows.to_parquet(path, compression="zstd", compression_level=19, index=False)


def stored_rows(path: Path | None = None) -> pd.DataFrame:
    """The rows of the built-in agents; by default those that come with the package.

    Raises:
        ExperimentError: the file is missing or cannot be read.
    """
    path = path or shipped.folder() / FILE
    try:
        with path.open("rb") as file:
            return pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise ExperimentError(f"{path}: the leaderboard's rows cannot be read ({error})") from error


def doubts(config: Mapping[str, Any], stored: pd.DataFrame) -> list[str]:
    """Why a resolved experiment cannot be compared with the stored rows; nothing where it can."""
    if config["seed"] != stored.attrs["seed"]:
        return [f"its seed is {config['seed']}; that of the stored rows is {stored.attrs['seed']}"]
    found = []
    for name, world in {cell["scenario"]: cell["parameters"]["scenario"] for cell in config["cells"]}.items():
        then = stored.attrs["scenarios"].get(name)
        if then is None:
            found.append(f"there are no stored rows of scenario {name!r}")
        elif changed := [key for key in {**then, **world} if world.get(key) != then.get(key)]:
            found.append(f"in scenario {name!r} {', '.join(changed)} is not as it was for the stored rows")
    return found


def with_newcomer(run: Run, stored: pd.DataFrame) -> pd.DataFrame:
    """A newcomer's rows together with the stored ones, in the scenarios and replications that it has played.

    Stored rows of an agent of the newcomer's name are left out.

    Raises:
        ExperimentError: the two cannot be compared.
    """
    if doubtful := doubts(run.config, stored):
        raise ExperimentError("; ".join(doubtful))
    new = rows_of(run)
    theirs = stored[~stored["agent"].isin(set(new["agent"]))]
    played = new[["scenario", "replication"]].drop_duplicates()
    return pd.concat([theirs.merge(played, on=["scenario", "replication"]), new], ignore_index=True)
