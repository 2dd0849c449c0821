"""Every column of every file that a run leaves: type, unit and meaning. The site's page is made of these."""

from bandit_env.experiment.columns.column import Column, defining
from bandit_env.experiment.columns.curves import CURVE, CURVES
from bandit_env.experiment.columns.episodes import ARMS, EPISODES, ESTIMATES, ROWS
from bandit_env.experiment.columns.traces import TRACE, TRACES
from bandit_env.experiment.columns.views import ESTIMATES_CSV, SUMMARY

FILES = {
    "episodes.parquet": EPISODES,
    "curves.parquet": CURVES,
    "traces.npz": TRACES,
    "summary.csv": SUMMARY,
    "estimates.csv": ESTIMATES_CSV,
}
"""By file, in the files' order."""

__all__ = [
    "ARMS",
    "CURVE",
    "CURVES",
    "EPISODES",
    "ESTIMATES",
    "ESTIMATES_CSV",
    "FILES",
    "ROWS",
    "SUMMARY",
    "TRACE",
    "TRACES",
    "Column",
    "defining",
]
