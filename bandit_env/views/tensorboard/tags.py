"""Every tag that TensorBoard shows: its unit, and how it is worked out. docs/tensorboard.md holds the same tables."""

import re
from typing import NamedTuple


class Tag(NamedTuple):
    """What is written under a tag: its unit and how it is worked out. `<...>` stands for what varies."""

    name: str
    unit: str
    formula: str


PROGRESS_TAGS = (
    Tag("progress/stopping_day", "days", "mean stopping day of the replications finished so far"),
    Tag("progress/regret", "conversions", "mean regret of the replications finished so far"),
    Tag(
        "progress/correct",
        "share",
        "share of the replications finished so far that declared a best arm; not written on equal arms",
    ),
)
FIRST = "conversions_lost/regret"
CURVE_TAGS = (
    Tag(FIRST, "conversions", "the same as regret/cumulative, under a name that *Time Series* begins with"),
    Tag(
        "regret/cumulative",
        "conversions",
        "mean over all replications of the regret so far: the sum over visits of best rate less rate of the arm "
        "served; a stopped experiment keeps its own",
    ),
    Tag("regret/cumulative_lower", "conversions", "regret/cumulative less 1.96 standard errors"),
    Tag("regret/cumulative_upper", "conversions", "regret/cumulative plus 1.96 standard errors"),
    Tag(
        "regret/daily",
        "conversions",
        "mean over all replications of the day's regret; 0 after an experiment's stop",
    ),
    Tag("experiments/running", "share", "replications that the day was served in, over all replications"),
    Tag(
        "traffic/best_arm",
        "share",
        "mean over those running of the share of the day's visits on the day's best arms",
    ),
    Tag(
        "posterior/value_remaining",
        "relative rate",
        "mean over those running, of the first 200 replications, from the first day that may stop, of the potential "
        "value remaining as the day began: the posterior's 95 % quantile of (best rate - champion's rate) / champion's "
        "rate, under the agent's prior (Beta(1, 1) where it has none); on a grid of days",
    ),
)
TRACE_TAGS = (
    Tag("trace/<replication>/weight/arm_<k>", "share", "serving weight of arm k on the day, in one experiment"),
    Tag(
        "trace/<replication>/probability_best/arm_<k>",
        "probability",
        "P(arm k is best) given all data as the day began, under the agent's prior (Beta(1, 1) where it has none)",
    ),
    Tag("trace/<replication>/rate/arm_<k>", "share", "true rate of arm k on the day"),
    Tag("trace/<replication>/visits", "visits", "traffic of the day, all arms together"),
)
TYPICAL_TAGS = tuple(
    Tag(
        tag.name.replace("trace/<replication>", "typical/<run>/<scenario>/<agent>"),
        tag.unit,
        f"{tag.formula.removesuffix(', in one experiment')}, in the experiment that the figure of weights shows",
    )
    for tag in TRACE_TAGS
)
FINAL_TAGS = (  # in the order of the hparams page, which shows the first five until asked for more
    Tag("final/stopping_day", "days", "mean stopping day"),
    Tag("final/correct", "share", "share of replications that declare a best arm; not written on equal arms"),
    Tag("final/regret", "conversions", "mean regret until the stop"),
    Tag(
        "final/loss",
        "conversions",
        "mean of the regret and of what the arm shipped loses from the stop to the scenario's `loss_days`; the "
        "undecided ship the arm with the largest observed rate",
    ),
    Tag(
        "final/conversions_saved",
        "conversions",
        "classical visits x (best rate - mean rate), less final/regret",
    ),
    Tag("final/stopping_day_median", "days", "median stopping day"),
    Tag("final/undecided", "share", "share of replications that no rule stopped before the horizon"),
    Tag("final/claimed", "share", "share of replications that claim a winner: on equal arms, a difference"),
    Tag("final/wrong", "share", "share of replications that claim an arm that is not a best one; not on equal arms"),
    Tag("final/ships_variation", "share", "share of replications that declare another arm than the control"),
    Tag("final/days_saved", "days", "days of the classical test less final/stopping_day"),
)
ESTIMATE_TAGS = (
    Tag(
        "estimate/<method>/<quantity>/bias/arm_<k>",
        "the quantity's",
        "mean of an estimate that the run was asked for (of arm k's rate, of its difference from the control or of the "
        "log odds ratio to it) less the truth",
    ),
    Tag(
        "estimate/<method>/<quantity>/rmse/arm_<k>",
        "the quantity's",
        "root mean square of the estimate less the truth, over the replications that have one",
    ),
    Tag(
        "estimate/<method>/<quantity>/coverage/arm_<k>",
        "share",
        "share of the replications whose 95 % interval holds the truth",
    ),
)
DISTRIBUTION_TAGS = (
    Tag("distribution/stopping_day", "days", "stopping day of each replication"),
    Tag("distribution/regret", "conversions", "regret of each replication until its stop"),
    Tag("distribution/conversions_saved", "conversions", "conversions saved of each replication"),
    Tag(
        "distribution/best_arm_share",
        "share",
        "share of a replication's visits, first day to last, on the best arms",
    ),
)
TEXT_TAGS = (
    Tag("setup/parameters", "JSON", "a cell's scenario and agent, with defaults filled in"),
    Tag("setup/reading", "text", "how TensorBoard draws: smoothing, outliers, steps"),
    Tag("setup/configuration", "JSON", "the resolved experiment file"),
    Tag("results/table", "table", "the run's summary.csv"),
)
IMAGE_TAGS = (Tag("figures/<name>", "image", "the figures, as in the run's folder `figures`"),)

SUMMARY_COLUMNS = {  # final/* tag: column of the summary
    "final/stopping_day": "mean_day",
    "final/stopping_day_median": "median_day",
    "final/correct": "correct",
    "final/regret": "regret",
    "final/loss": "loss",
    "final/undecided": "undecided",
    "final/claimed": "claimed",
    "final/wrong": "wrong",
    "final/ships_variation": "ships_variation",
    "final/days_saved": "days_saved",
    "final/conversions_saved": "conversions_saved",
}


TYPICAL = "typical/<run>/<scenario>/<agent>/"
SMOOTHED = " (TensorBoard smooths by 0.6 and cuts outliers off at first: see its settings, and setup/reading.)"


def description(tag: str) -> str:
    """What TensorBoard says beside a chart: the unit and the formula.

    Raises:
        KeyError: no such tag.
    """
    pattern = re.sub(r"arm_\d+$", "arm_<k>", re.sub(r"^trace/\d+/", "trace/<replication>/", tag))
    pattern = re.sub("^estimate/[^/]+/[^/]+/", "estimate/<method>/<quantity>/", pattern)
    pattern = re.sub("^typical/.*/(?=(weight|rate|probability_best|visits))", TYPICAL, pattern)
    for known in (*CURVE_TAGS, *TRACE_TAGS, *TYPICAL_TAGS, *FINAL_TAGS, *ESTIMATE_TAGS, *DISTRIBUTION_TAGS, *TEXT_TAGS):
        if known.name == pattern:
            drawn = known in (*CURVE_TAGS, *TRACE_TAGS, *TYPICAL_TAGS)
            return f"In {known.unit}: {known.formula}.{SMOOTHED * drawn}"
    raise KeyError(tag)
