"""Runs made by hand for the tests of the views: no world and no agent, so that every number can be worked out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bandit_env.experiment.results import Cell, Classical, Run, Trace
from bandit_env.world.task import Task

ARTICLE = Classical(22330, 223)


def cell(
    rates: Sequence[float] = (0.04, 0.05),
    *,
    agent: str = "thompson",
    scenario: str = "ab_test",
    replications: int = 60,
    stops: Sequence[int] | None = None,
    longest: int = 40,
    visits_per_day: int = 100,
    updates_per_day: int = 1,
    classical: Classical | None = ARTICLE,
    drawn: bool = False,
    traces: int = 1,
    seed: int = 0,
    directory: Path | None = None,
    parameters: dict[str, object] | None = None,
) -> Cell:
    """A cell whose experiments serve random weights, and stop after `stops` updates (drawn by default)."""
    rng = np.random.default_rng(seed)
    num_arms, gaps = len(rates), max(rates) - np.asarray(rates)
    lengths = rng.integers(2, longest + 1, replications) if stops is None else np.asarray(stops)
    weights = rng.dirichlet(np.ones(num_arms), (replications, lengths.max()))
    per_update = visits_per_day // updates_per_day
    served = np.arange(lengths.max()) < lengths[:, None]
    visits = np.round(weights * per_update) * served[:, :, None]
    regret = visits @ gaps
    conversions = rng.binomial(visits.astype(int), rates).astype(float)
    rows = pd.DataFrame(
        {
            "replication": np.arange(replications),
            "stopping_day": lengths / updates_per_day,
            "declared_arm": rng.integers(0, num_arms, replications),
            "claimed_winner": True,
            "visits": visits.sum(axis=(1, 2)).astype(int),
            "conversions": conversions.sum(axis=(1, 2)).astype(int),
            "regret": regret.sum(axis=1),
            "regret_after": 0.0,
            "loss": regret.sum(axis=1),
            "best_rate": max(rates),
        }
    )
    rows["correct"] = gaps[rows["declared_arm"]] == 0
    rows["loss"] += gaps[rows["declared_arm"]] * visits_per_day * (1000 - rows["stopping_day"])
    for arm in range(num_arms):
        rows[f"rate_{arm}"] = rates[arm]
        rows[f"visits_{arm}"] = visits[:, :, arm].sum(axis=1).astype(int)
        rows[f"conversions_{arm}"] = conversions[:, :, arm].sum(axis=1).astype(int)
    share = np.where(served, visits[:, :, int(np.argmin(gaps))] / np.maximum(visits.sum(axis=2), 1), 0)
    cumulative = regret.cumsum(axis=1)
    curves = pd.DataFrame(
        {
            "day": np.arange(1, lengths.max() + 1) / updates_per_day,
            "n": replications,
            "running": served.sum(axis=0),
            "regret_sum": regret.sum(axis=0),
            "regret_sumsq": (regret**2).sum(axis=0),
            "cumulative_sum": cumulative.sum(axis=0),
            "cumulative_sumsq": (cumulative**2).sum(axis=0),
            "best_arm_sum": share.sum(axis=0),
            "best_arm_sumsq": (share**2).sum(axis=0),
            "value_n": served.sum(axis=0),
            "value_sum": served.sum(axis=0) * 0.25,
            "visited": served.sum(axis=0),
        }
    )
    before = [np.concatenate([np.zeros((1, num_arms)), x.cumsum(axis=0)[:-1]]) for x in visits[:traces]]
    earned = [np.concatenate([np.zeros((1, num_arms)), x.cumsum(axis=0)[:-1]]) for x in conversions[:traces]]
    recorded = [
        Trace(
            r,
            np.arange(n) / updates_per_day,
            weights[r, :n].astype(np.float32),
            before[r][:n],
            earned[r][:n],
            np.tile(rates, (n, 1)),
            visits[r, :n].sum(axis=1),
        )
        for r, n in enumerate(lengths[:traces])
    ]
    world = {"rates": None if drawn else list(rates), "visits_per_day": visits_per_day}
    return Cell(
        scenario=scenario,
        agent=agent,
        parameters={
            "scenario": world,
            "agent": {"name": agent, "stopping": {"rule": "x"}, **(parameters or {})},
        },
        task=Task(num_arms, visits_per_day, updates_per_day, 0, 1000),
        rates=None if drawn else list(rates),
        classical=None if drawn else classical,
        curves=curves,
        traces=recorded,
        directory=directory,
        rows=rows,
    )


def with_estimates(cell: Cell, truth: Sequence[float] = (0.04, 0.05), seed: int = 0) -> Cell:
    """The cell with Wald estimates of both rates, of their difference, and the e-process' log odds ratio (made up)."""
    rng, rows = np.random.default_rng(seed), cell.rows
    assert rows is not None
    wanted = {"wald_rate_0": truth[0], "wald_rate_1": truth[1], "wald_difference_1": truth[1] - truth[0]}
    for name, true in (wanted | {"e_process_log_odds_1": 0.2336}).items():
        rows[f"true_{name.removeprefix('wald_').removeprefix('e_process_')}"] = true
        rows[name] = true + rng.normal(0.001, 0.01, len(rows))
        rows[f"{name}_se"] = 0.01
        rows[f"{name}_low"], rows[f"{name}_high"] = rows[name] - 0.0196, rows[name] + 0.0196
    cell.parameters["estimates"] = {"methods": ["wald", "e-process"], "least_weight": 0.001}
    return cell


def run(*cells: Cell, directory: Path | None = None, published: dict[str, object] | None = None) -> Run:
    """A run of these cells."""
    return Run({"seed": 2013, "name": "sample", "published": published or {}}, list(cells), [], directory)
