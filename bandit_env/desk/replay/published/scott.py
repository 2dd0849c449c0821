"""Scott (2013), "Multi-armed Bandit Experiments", Google Analytics, 23 January 2013; and the teaching notebook."""

import math

import numpy as np
import pandas as pd

from bandit_env.desk.replay.entry import Entry, Figure, mean
from bandit_env.desk.replay.playing import Stage
from bandit_env.stats.power import sample_size

SOURCE = 'Scott (2013), "Multi-armed Bandit Experiments", Google Analytics'
RUNS = 500
TWO_ARMS = 111.65  # conversions that the classical test costs: 22,330 visits x .005
SIX_ARMS_A_DAY = 100 * (0.05 - 0.22 / 6)  # the best of .04 .05 .045 .03 .02 .035 less their mean
SIX_ARMS = 918.42 * SIX_ARMS_A_DAY
READING = "the article's figures are those of the other condition, any variation beats the original"


def _sample_sizes(stage: Stage) -> list[Figure]:
    two = sample_size(0.04, 0.05, power=0.95, alpha=0.05)
    six = sample_size(0.04, 0.05, power=0.95, alpha=0.05, comparisons=5)
    return [
        Figure("4 v 5 %: visits per arm", 11_165, two, 1, truncated=True),
        Figure("4 v 5 %: days of 100 visits", 223, 2 * two / 100, 1, truncated=True),
        Figure("six arms: visits per arm", 15_307, six, 1, truncated=True),
        Figure("six arms: days of 100 visits", 919, 6 * six / 100, 1, truncated=True),  # 918.47: rounded up
        Figure("six arms: conversions that a day of equal traffic costs", 1.333, SIX_ARMS_A_DAY, 1e-3),
    ]


def _two_arms(experiment: str, saved: float, conversions: float, longer: int | None) -> "Entry":
    def play(stage: Stage) -> list[Figure]:
        ((_, rows),) = stage.rows(experiment, 4000, agents=["thompson"]).items()
        days = rows["stopping_day"]
        figures = [
            mean("days saved", saved, 223 - days, unit=1 if saved == 175 else 0.1, runs=RUNS),
            mean("conversions saved", conversions, TWO_ARMS - rows["regret"], unit=0.1, runs=RUNS),
            mean("correct", 482 / 500, rows["correct"], runs=RUNS),
        ]
        if longer is not None:
            figures.append(mean("longer than 223 days", longer / 500, days > 223, runs=RUNS))
            figures.append(mean("days of the one run that is shown", 66, days, runs=1))
        return figures

    name = "scott-2013-ab" if experiment == "ab_test" else "scott-2013-ab-reversed"
    settings = "two arms of 4 and 5 %, 100 visits a day, from day 14 until little value remains"
    return Entry(name, SOURCE, settings, play, experiment=experiment)


def _six_arms(label: str, known: str) -> "Entry":
    def play(stage: Stage) -> list[Figure]:
        ((_, rows),) = stage.rows("six_arms", 1000, agents=[label]).items()
        return [
            mean("mean days", 88, rows["stopping_day"], unit=1, runs=RUNS, known=known),
            mean("conversions saved", 1173, SIX_ARMS - rows["regret"], unit=1, runs=RUNS, known=known),
            *([_longest(rows["stopping_day"])] if not known else _other_reading(stage)),
        ]

    def _other_reading(stage: Stage) -> list[Figure]:
        ((_, rows),) = stage.rows("six_arms", 1000, agents=["thompson, literal rule"]).items()
        what = "mean days, by the other condition"
        return [mean(what, 88, rows["stopping_day"], unit=1, runs=RUNS)]

    name = "scott-2013-six-value-remaining" if known else "scott-2013-six-literal"
    settings = f"six arms, 100 visits a day; {label.partition(', ')[2]}"
    return Entry(name, SOURCE, settings, play, experiment="six_arms")


def _longest(days: "pd.Series[float]") -> Figure:
    """The longest of the article's 500 runs, of which it says that it took more than 800 days; by resampling ours."""
    longest = np.random.default_rng(2013).choice(days, (400, RUNS)).max(axis=1)
    spread = float(longest.std(ddof=1))
    error = spread / math.sqrt(max(1.0, len(days) / RUNS))
    return Figure("longest of 500 runs, days (printed: over 800)", 800, float(longest.mean()), 1, spread, error)


def _notebook(stage: Stage) -> list[Figure]:
    ((_, rows),) = stage.rows("notebook", 300).items()
    return [
        mean("visits to the worse arm of 10,000", 146, rows["visits_0"], runs=1),
        mean("observed rate of the worse arm", 0.4726, rows["conversions_0"] / rows["visits_0"], unit=1e-4, runs=1),
        mean("observed rate of the better arm", 0.5974, rows["conversions_1"] / rows["visits_1"], unit=1e-4, runs=1),
    ]


ENTRIES = (
    Entry("scott-2013-sample-sizes", SOURCE, "fixed-sample tests at power .95, level .05 over K - 1", _sample_sizes),
    _two_arms("ab_test", 175, 97.5, 5),
    _two_arms("ab_test_reversed", 171.8, 98.7, None),
    _six_arms("thompson, literal rule", ""),
    _six_arms("thompson, value remaining", READING),
    Entry(
        "thompson-notebook",
        "a teaching notebook of per-visit Thompson sampling, its one printed run",
        "two arms of .5 and .6, 10,000 visits one at a time",
        _notebook,
        quick=False,
        experiment="notebook",
    ),
)
