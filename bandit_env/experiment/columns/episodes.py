"""`episodes.parquet`: a row per experiment."""

from bandit_env.experiment.columns.column import Column

ROWS = (
    Column("replication", "int64", "", "which replication, from 0; one number meets one world, whoever the agent"),
    Column(
        "stopping_day", "float64", "days", "days served until the rule stopped it; the horizon where it is undecided"
    ),
    Column("declared_arm", "int64", "arm", "the arm declared, 0 being the control; -1: undecided at the horizon"),
    Column("claimed_winner", "bool", "", "whether the rule says that the declared arm is better, or merely ships it"),
    Column(
        "correct",
        "bool",
        "",
        "whether the declared arm is a best arm of the stop: one with the most expected conversions from the stop to "
        "the horizon; False for an undecided one",
    ),
    Column("visits", "int64", "visits", "visits served until the stop, those of `start` included"),
    Column("conversions", "int64", "conversions", "conversions seen until the stop, those of `start` included"),
    Column(
        "regret",
        "float64",
        "conversions",
        "pseudo-regret until the stop: the sum over visits of the day's best rate less the rate of the arm served",
    ),
    Column(
        "regret_after",
        "float64",
        "conversions",
        "what the declared arm is expected to lose against the best from the stop to `max_days`; 0 if undecided",
    ),
    Column(
        "loss",
        "float64",
        "conversions",
        "`regret` and what the shipped arm loses from the stop to `loss_days`; an undecided one ships the arm with the "
        "largest observed rate",
    ),
    Column("best_rate", "float64", "rate", "the base rate, before effects, of the best arm of the stop"),
)
"""What every experiment has, in the order of the file; what each arm has follows."""

ARMS = (
    Column("rate_<k>", "float64", "rate", "arm k's base rate, given or drawn, before effects"),
    Column("visits_<k>", "int64", "visits", "arm k's visits until the stop"),
    Column("conversions_<k>", "int64", "conversions", "arm k's conversions seen until the stop"),
)
"""Three for each arm, arm by arm. Beyond 2,000 arms `rate_arms`, `visits_arms`, `conversions_arms`: a list in a row."""

_OF = "arm k's rate, its difference from the control, or its log odds ratio to the control"
ESTIMATES = (
    Column(
        "true_<quantity>_<k>",
        "float64",
        "the quantity's",
        f"the truth of {_OF}: day rates averaged by traffic over the days served on which the arm (for a contrast, "
        "the control too) was there",
    ),
    Column("<method>_<quantity>_<k>", "float64", "the quantity's", f"the method's estimate of {_OF}; NaN: it has none"),
    Column("<method>_<quantity>_<k>_se", "float64", "the quantity's", "its standard error; NaN for the e-process"),
    Column("<method>_<quantity>_<k>_low", "float64", "the quantity's", "lower end of its 95 % interval, may be -inf"),
    Column("<method>_<quantity>_<k>_high", "float64", "the quantity's", "upper end of its 95 % interval, may be inf"),
    Column(
        "e_process_most_<k>",
        "float64",
        "",
        "the largest e-value of arm k against the control at any update; at least 20 refutes equal arms at level 5 %",
    ),
)
"""Only with `estimates = [...]`: the methods asked for, hyphens as underscores. A contrast has no column for arm 0."""

EPISODES = (*ROWS, *ARMS, *ESTIMATES)
