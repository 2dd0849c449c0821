"""Who loses least: ranks by paired differences."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bandit_env.views.summary import Z95, share_with_interval, with_interval


def standings(rows: pd.DataFrame) -> pd.DataFrame:
    """One line per scenario and agent, by rank, and in each rank by the mean loss.

    Columns: scenario, agent, replications; loss, its mean with a 95 % interval (loss_low, loss_high); behind, by how
    much more it loses than the first, replication by replication, with its interval; claims, the share of experiments
    that claim a winner, with its interval; rank, 1 and one for every agent that loses less by a paired difference whose
    95 % interval does not hold 0. Where nothing can be lost, as on equal arms, nobody has a rank (NaN).
    """
    parts = rows.groupby("scenario", sort=False, observed=True)
    return pd.concat([_scenario(str(name), part) for name, part in parts], ignore_index=True)


def _scenario(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    losses = rows.pivot(index="replication", columns="agent", values="loss").dropna(axis=1, how="all").dropna()
    losses = losses.astype(np.float64)[losses.mean().sort_values(kind="stable").index]
    claims = dict(iter(rows.groupby("agent", observed=True)["claimed"]))
    values = losses.to_numpy()
    ranks = _ranks(values)
    lines = []
    for place, agent in enumerate(losses.columns):
        line = {"scenario": name, "agent": str(agent), "replications": len(values)}
        line |= with_interval("loss", values[:, place]) | with_interval("behind", values[:, place] - values[:, 0])
        line |= share_with_interval("claims", claims[agent].to_numpy(dtype=bool)) | {"rank": ranks[place]}
        lines.append(line)
    return pd.DataFrame(lines).sort_values("rank", kind="stable")


def _ranks(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks of agents by their losses, shape (replications, agents)."""
    if not losses.any():
        return np.full(losses.shape[1], np.nan)
    count, mean = len(losses), losses.mean(axis=0)
    spread = np.atleast_2d(np.cov(losses, rowvar=False))
    variance = np.diag(spread)[:, None] + np.diag(spread) - 2 * spread  # of paired differences
    error = Z95 * np.sqrt(np.maximum(variance, 0) / count)
    loses_less = mean[None, :] < mean[:, None] - error
    return np.asarray(1.0 + loses_less.sum(axis=1))
