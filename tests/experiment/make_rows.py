"""Writes rows.json: what every experiment of configs/ gives at a few replications.

Run it only when rows change on purpose.
Of whole-number columns a digest is kept, which any other row changes; of the others two sums, the plain one and one
weighted by the replication, which are compared to 1e-9.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bandit_env.engines.engine import InProcess
from bandit_env.experiment import config
from bandit_env.experiment.config import Experiment
from bandit_env.experiment.estimates.methods import QUANTITIES
from bandit_env.experiment.sweep import execute

ROWS = Path(__file__).with_name("rows.json")
LONG = "leaderboard"  # minutes even of few replications; its rows are kept beside it
CONFIGS = sorted(path for path in Path(__file__).parents[2].glob("configs/*.toml") if path.stem != LONG)
REPLICATIONS = 10
EVERY = {"worlds": 41}  # of its many cells only one in so many; coprime to the number of agents, so that all are met
ESTIMATED = ("true_", *(f"{method.replace('-', '_')}_" for method in QUANTITIES))  # columns, of tests of their own


def digest(rows: pd.DataFrame) -> dict[str, Any]:
    """The rows of one cell, by column."""
    weight = np.arange(1, len(rows) + 1)
    return {
        name: (
            [float(column.sum()), float((weight * column).sum())]
            if column.dtype.kind == "f"
            else hashlib.sha256(column.to_numpy().astype("<i8").tobytes()).hexdigest()[:16]
        )
        for name, column in rows.items()
        if not name.startswith(ESTIMATED)
    }


def rows_of(path: Path) -> dict[str, Any]:
    """The digests of an experiment file's cells."""
    run = execute(thinned(config.load(path, replications=REPLICATIONS), EVERY.get(path.stem, 1)), engine=InProcess())
    assert not run.failures, run.failures
    return {f"{cell.scenario} / {cell.agent}": digest(cell.episodes) for cell in run.cells}


def thinned(experiment: Experiment, every: int) -> Experiment:
    """The experiment with some of its cells."""
    cells = experiment.config | {"cells": experiment.config["cells"][::every]}
    return replace(experiment, config=cells, cells=experiment.cells[::every], about=experiment.about[::every])


if __name__ == "__main__":
    digests = {path.stem: rows_of(path) for path in CONFIGS}
    ROWS.write_text(json.dumps(digests, indent=0) + "\n", encoding="utf-8")
