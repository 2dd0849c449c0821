"""`traces.npz`: a few experiments, update by update (`traces` says how many: 1 is a typical one, else the first)."""

from bandit_env.experiment.columns.column import Column

TRACE = (
    Column("day", "float64", "days", "days served as each update began, shape (T,)"),
    Column("weights", "float32", "share", "serving weights of each update, shape (T, K)"),
    Column("visits", "float64", "visits", "visits of each arm before the update, shape (T, K)"),
    Column("conversions", "float64", "conversions", "conversions of each arm seen before the update, shape (T, K)"),
    Column("rates", "float64", "rate", "the true rates of the update, shape (T, K)"),
    Column("served", "float64", "visits", "visits of the update, all arms together, shape (T,)"),
)
"""The arrays of one experiment."""

TRACES = (
    Column("replications", "int64", "", "which replications have been traced"),
    *(trace._replace(name=f"<replication>.{trace.name}") for trace in TRACE),
)
