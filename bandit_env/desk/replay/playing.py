"""Plays what a replay needs: an experiment file, or the part of it that is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bandit_env.engines.engine import Engine, InProcess
from bandit_env.errors import ExperimentError
from bandit_env.experiment import config
from bandit_env.experiment.config import shipped, text
from bandit_env.experiment.sweep import Watcher, execute


@dataclass(frozen=True)
class Stage:
    """Where replays are played, and how often.

    Attributes:
        replications: in place of every entry's own number, or None.
        engine: where the work is done.
        watcher: told how a run is getting on.
    """

    replications: int | None = None
    engine: Engine | None = None
    watcher: Watcher | None = None

    def count(self, usual: int) -> int:
        """How many replications to play where an entry usually plays so many."""
        return usual if self.replications is None else self.replications

    def rows(
        self, experiment: str, usual: int, *, agents: Sequence[str] = (), scenarios: Sequence[str] = ()
    ) -> dict[tuple[str, str], pd.DataFrame]:
        """Rows of an experiment file's cells, by scenario and agent's label.

        Args:
            experiment: the file, as `bandit-env run` finds it.
            usual: replications.
            agents, scenarios: which; all of them where empty.

        Raises:
            ExperimentError: an agent failed on the way.
        """
        table = text.read(shipped.find(Path(experiment)))
        table |= {"name": experiment, "replications": self.count(usual), "traces": 0}
        table["agents"] = _chosen(table["agents"], agents, "label")
        if "scenarios" in table:
            table["scenarios"] = _chosen(table["scenarios"], scenarios, "name")
        run = execute(config.resolve(table), engine=self.engine or InProcess(), watcher=self.watcher)
        if run.failures:
            raise ExperimentError("; ".join(run.failures))
        return {(cell.scenario, cell.agent): cell.episodes for cell in run.cells}


def _chosen(tables: list[dict[str, Any]], names: Sequence[str], key: str) -> list[dict[str, Any]]:
    return [table for table in tables if not names or table.get(key, table["name"]) in names]
