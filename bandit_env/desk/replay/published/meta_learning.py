"""The tables of RL^2 (Duan et al. 2016): rates uniform on [0, 1], anew in each of 1,000 instances; reward."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bandit_env.desk.replay.entry import Entry, Figure, mean
from bandit_env.desk.replay.playing import Stage

SOURCE = "Duan et al. (2016), RL^2, table 1 (1,000 instances)"
LENGTHS, ARMS = (10, 100, 500), (5, 10, 50)
INSTANCES = 1000
CLOSED_FORM = "their index is a closed-form approximation of a discounted one; this is the finite-horizon index"

RANDOM = ((5.0, 5.0, 5.1), (49.9, 49.9, 49.8), (249.8, 249.0, 249.6))
THOMPSON = ((5.7, 5.5, 5.2), (74.7, 76.7, 64.5), (402.0, 429.5, 427.2))
GITTINS = (78.3, 82.8, 85.2)  # 100 visits
LEARNED = (78.7, 83.5)  # RL^2 itself, 100 visits


def reward(rows: pd.DataFrame, visits: int, arms: int) -> NDArray[np.float64]:
    """The expected reward of each instance, about the mean over all instances: what its own best rate adds is known.

    n K / (K + 1) less the regret has the same mean as the reward, and a smaller error.
    """
    return np.asarray(visits * arms / (arms + 1) - rows["regret"])


def _source_error(rows: pd.DataFrame, visits: int) -> float:
    """Standard error of a mean of 1,000 rewards: the instances' own, and the chance of the visits."""
    expected = visits * rows["best_rate"] - rows["regret"]
    rate = expected / visits
    return float(np.sqrt((expected.var(ddof=1) + visits * (rate * (1 - rate)).mean()) / INSTANCES))


def _nine_cells(agent: str, printed: tuple[tuple[float, ...], ...], usual: int) -> "Entry":
    def play(stage: Stage) -> list[Figure]:
        figures = []
        found = stage.rows("replay/rl2", usual, agents=[agent])
        for visits, values in zip(LENGTHS, printed, strict=True):
            for arms, value in zip(ARMS, values, strict=True):
                rows = found[f"n{visits} k{arms}", agent]
                what = f"{visits} visits, {arms} arms"
                error = _source_error(rows, visits)
                figures.append(mean(what, value, reward(rows, visits, arms), unit=0.1, printed_error=error))
        return figures

    name = f"rl2-{'random' if agent == 'uniform' else agent}"
    return Entry(name, SOURCE, f"{agent}, nine cells", play, quick=agent == "uniform", experiment="replay/rl2")


def _learned(stage: Stage) -> list[Figure]:
    trained = ARMS[:2]  # the weights are for up to ten arms
    found = stage.rows("replay/rl2", 1000, agents=["learned"], scenarios=[f"n100 k{arms}" for arms in trained])
    return [
        mean(
            f"100 visits, {arms} arms: RL^2 beside the learned agent",
            value,
            reward(found[f"n100 k{arms}", "learned"], 100, arms),
            unit=0.1,
            printed_error=_source_error(found[f"n100 k{arms}", "learned"], 100),
        )
        for arms, value in zip(trained, LEARNED, strict=True)
    ]


def _gittins(stage: Stage) -> list[Figure]:
    scenarios = [f"n100 k{arms}" for arms in ARMS]
    found = stage.rows("replay/rl2_gittins", 2000, scenarios=scenarios)
    rng = np.random.default_rng(2016)
    figures = []
    for arms, value in zip(ARMS, GITTINS, strict=True):
        rows = found[f"n100 k{arms}", "gittins"]
        error = _source_error(rows, 100)
        ours = reward(rows, 100, arms)
        figures.append(mean(f"{arms} arms", value, ours, unit=0.1, printed_error=error, known=CLOSED_FORM))
        slip = _closed_form_index(stage.count(2000), arms, rng)
        what = f"{arms} arms, by the closed form"
        figures.append(mean(what, value, slip, unit=0.1, printed_error=error))
    return figures


def _closed_form_index(replications: int, arms: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Reward of 100 visits by Brezzi and Lai's approximation of the Gittins index, discount .98.

    mean + sd psi(1 / ((n + 1) c)), c = -log(discount), n the counts with the prior's: Brezzi and Lai (2002), J. Econ.
    Dyn. Control 27, eq. 16.
    """
    rates = rng.random((replications, arms))
    a, n = np.ones((replications, arms)), np.full((replications, arms), 2.0)
    rows, regret = np.arange(replications), np.zeros(replications)
    for _ in range(100):
        mean_rate = a / n
        sd = np.sqrt(mean_rate * (1 - mean_rate) / (n + 1))
        index = mean_rate + sd * _psi(1 / ((n + 1) * -np.log(0.98)))
        arm = (index + 1e-12 * rng.random(index.shape)).argmax(axis=1)
        a[rows, arm] += rng.random(replications) < rates[rows, arm]
        n[rows, arm] += 1
        regret += rates.max(axis=1) - rates[rows, arm]
    return 100 * arms / (arms + 1) - regret


def _psi(s: NDArray[np.float64]) -> NDArray[np.float64]:
    far = np.maximum(s, 15.0)
    root = s**-0.5
    return np.select(
        [s <= 0.2, s <= 1, s <= 5, s <= 15],
        [np.sqrt(s / 2), 0.49 - 0.11 * root, 0.63 - 0.26 * root, 0.77 - 0.58 * root],
        np.sqrt(2 * np.log(far) - np.log(np.log(far)) - np.log(16 * np.pi)),
    )


ENTRIES = (
    _nine_cells("uniform", RANDOM, 1000),
    _nine_cells("thompson", THOMPSON, 1000),
    Entry("rl2-learned", SOURCE, "RL^2's own row at 100 visits", _learned, experiment="replay/rl2"),
    Entry(
        "rl2-gittins",
        SOURCE,
        "the row called Gittins, 100 visits",
        _gittins,
        quick=False,
        experiment="replay/rl2_gittins",
    ),
)
