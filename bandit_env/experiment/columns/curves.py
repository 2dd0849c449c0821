"""`curves.parquet`: a row per update, sums over a cell's experiments."""

from bandit_env.experiment.columns.column import Column

CURVE = (
    Column("running", "int64", "experiments", "experiments that were served in the update"),
    Column("regret_sum", "float64", "conversions", "regret of the update, over all experiments; 0 after the stop"),
    Column("regret_sumsq", "float64", "conversions²", "the same, squared"),
    Column(
        "cumulative_sum",
        "float64",
        "conversions",
        "regret so far, over all experiments; a stopped one keeps its own",
    ),
    Column("cumulative_sumsq", "float64", "conversions²", "the same, squared"),
    Column(
        "best_arm_sum",
        "float64",
        "share",
        "share of the update's traffic on the day's best arms, over the experiments that had any",
    ),
    Column("best_arm_sumsq", "float64", "share²", "the same, squared"),
    Column(
        "value_n",
        "int64",
        "experiments",
        "experiments for which the potential value remaining was worked out as the update began: those running of the "
        "first 200, from the first day that may stop, on a grid of days",
    ),
    Column("value_sum", "float64", "relative rate", "their potential value remaining: the posterior's 95 % quantile"),
    Column("visited", "int64", "experiments", "experiments that had traffic in the update"),
)
"""What a chunk sums over its experiments, in the file's order; a mean is a sum over `n`, `visited` or `value_n`."""

CURVES = (
    Column("day", "float64", "days", "days served at the end of the update"),
    Column("n", "int64", "experiments", "the cell's replications, the same in every row"),
    *CURVE,
)
