"""`summary.csv` and `estimates.csv`: a row per cell, and a row per cell, method, quantity and arm."""

from bandit_env.experiment.columns.column import Column

ENDS = (("_low", "lower"), ("_high", "upper"))


def _with_interval(name: str, unit: str, meaning: str, interval: str) -> tuple[Column, ...]:
    ends = (Column(name + end, "float64", unit, f"{which} end of {interval}") for end, which in ENDS)
    return Column(name, "float64", unit, meaning), *ends


def _mean(name: str, unit: str, meaning: str) -> tuple[Column, ...]:
    return _with_interval(name, unit, meaning, "its normal 95 % interval")


def _share(name: str, meaning: str) -> tuple[Column, ...]:
    return _with_interval(name, "share", meaning, "its 95 % interval (Wilson's)")


SUMMARY = (
    Column("scenario", "object", "", "the scenario's name"),
    Column("agent", "object", "", "the agent's label"),
    Column("replications", "int64", "experiments", "how many were played"),
    *_mean("mean_day", "days", "mean stopping day; at least that, where `undecided` is not 0"),
    Column("median_day", "float64", "days", "median stopping day"),
    Column("q95_day", "float64", "days", "the 95 % quantile: 95 % of the experiments stop within so many days"),
    Column("max_day", "float64", "days", "the longest experiment"),
    *_mean("days_saved", "days", "days of the classical test less `mean_day`; NaN without one, or if rates are drawn"),
    *_mean(
        "conversions_saved",
        "conversions",
        "what the classical test is expected to lose, its visits x (best rate - mean rate), less `regret`; NaN "
        "likewise",
    ),
    Column("worst_saved", "float64", "conversions", "the smallest conversions saved of any experiment"),
    Column("longer", "float64", "share", "experiments that take longer than the classical test"),
    *_share("correct", "experiments that declare a best arm of the stop; NaN on equal arms"),
    *_share("undecided", "experiments that no rule stopped before the horizon"),
    *_share("claimed", "experiments that claim a winner: on equal arms, a difference"),
    *_share("wrong", "experiments that claim an arm that is not a best one; NaN on equal arms"),
    *_share("ships_worse", "experiments that declare an arm that is not a best one; NaN on equal arms"),
    *_share("ships_variation", "experiments that declare another arm than the control"),
    *_mean("regret", "conversions", "mean of the column `regret` of the episodes"),
    *_mean("regret_after", "conversions", "mean of the column `regret_after`"),
    *_mean("loss", "conversions", "mean of the column `loss`"),
    *_mean(
        "difference",
        "conversions",
        "`regret` less that of the scenario's first agent, replication by replication; NaN for the first itself",
    ),
    *_mean("loss_difference", "conversions", "the same of `loss`"),
    Column(
        "lift_median",
        "float64",
        "relative rate",
        "over the experiments that ship a variation: the median of its observed rate over the control's, less 1",
    ),
    Column("lift_mean", "float64", "relative rate", "the mean of the same, of those whose control has a conversion"),
    Column("lift_infinite", "int64", "experiments", "those whose control has none: in the median, not in the mean"),
    Column("lift_true", "float64", "relative rate", "the mean of the true lifts of what they ship; NaN if rates move"),
    Column(
        "lift_coverage",
        "float64",
        "share",
        "over all experiments and up to ten arms: how often the 95 % credible interval of a lift holds the true one",
    ),
)

ESTIMATES_CSV = (
    Column("scenario", "object", "", "the scenario's name"),
    Column("agent", "object", "", "the agent's label"),
    Column("method", "object", "", "one of those asked for"),
    Column("quantity", "object", "", "`rate`, `difference` from the control, or `log_odds` ratio to it"),
    Column("arm", "int64", "arm", "whose"),
    Column("experiments", "int64", "experiments", "how many have an estimate"),
    Column("estimate", "float64", "the quantity's", "mean of the estimates"),
    Column("true", "float64", "the quantity's", "mean of the truths"),
    Column("low", "float64", "the quantity's", "mean of the 95 % intervals' lower ends, of those that are finite"),
    Column("high", "float64", "the quantity's", "mean of their upper ends, likewise"),
    Column("bias", "float64", "the quantity's", "mean of estimate less truth"),
    Column("bias_se", "float64", "the quantity's", "its standard error"),
    Column("rmse", "float64", "the quantity's", "root mean square of estimate less truth"),
    Column("rmse_se", "float64", "the quantity's", "its standard error, by the delta method"),
    Column("coverage", "float64", "share", "how often the 95 % interval holds the truth"),
    Column("coverage_se", "float64", "share", "its standard error, of a share"),
)
