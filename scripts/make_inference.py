"""Write docs/inference.md and its figure from a finished run of configs/inference.toml.

    bandit-env run configs/inference.toml --no-figures --out runs/inference      some ten minutes on one core
    python scripts/make_inference.py runs/inference > docs/inference.md
    python scripts/make_inference.py runs/inference --check

`--check` prints the differences from an independent simulation of the same tables, and fails beyond four standard
errors of both together.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from make_figures import small
from numpy.typing import NDArray

from bandit_env.experiment.results import Cell, Run, read
from bandit_env.stats.estimates import Lift, lift_interval, rate_interval
from bandit_env.stats.power import two_proportion_test
from bandit_env.stats.prior import fit_beta
from bandit_env.views import canvas, figures

Floats = NDArray[np.float64]
ROOT = Path(__file__).parents[1]
EQUAL, UNEQUAL, STOPS = "equal arms", "4 against 5 %", "until it stops"
ALLOCATIONS = {
    "uniform": "uniform",
    "thompson": "Thompson",
    "floor .01": "Thompson, floor .01",
    "floor .05": "Thompson, floor .05",
    "floor .1": "Thompson, floor .1",
}
TESTS = ("pooled z", "stratified", "batched OLS", "AIPW", "e-process")
EQUAL_WEIGHTS = "AIPW, h = 1"
DRAWN = (60, 1440)  # the prior of the scenario "drawn rates"
PAST, BLOCK = 100, 500  # experiments that a prior is fitted to; these and those it is used on

# An independent simulation of the same tables in plain NumPy (R = 20,000; the e-process 5,000 to 20,000): in %, bias in
# 1e-4, with the standard error where it was kept, else it is taken to be ours.
SIMULATED: list[tuple[str, str, str, float, float | None]] = [
    (EQUAL, "uniform", "pooled z", 4.96, 0.15),
    (EQUAL, "uniform", "stratified", 4.92, None),
    (EQUAL, "uniform", "batched OLS", 4.83, None),
    (EQUAL, "uniform", "AIPW", 4.99, None),
    (EQUAL, "uniform", "e-process", 2.4, 0.1),
    (EQUAL, "uniform", "bias", 0.1, 0.1),
    (EQUAL, "thompson", "pooled z", 11.43, 0.23),
    (EQUAL, "thompson", "stratified", 10.94, None),
    (EQUAL, "thompson", "batched OLS", 5.9, 0.2),
    (EQUAL, "thompson", "AIPW", 7.2, 0.2),
    (EQUAL, "thompson", "e-process", 0.26, 0.04),
    (EQUAL, "thompson", "bias", -14.5, 0.3),
    (EQUAL, "floor .1", "pooled z", 6.29, None),
    (EQUAL, "floor .1", "stratified", 6.21, None),
    (EQUAL, "floor .1", "batched OLS", 5.0, None),
    (EQUAL, "floor .1", "AIPW", 5.53, None),
    (EQUAL, "floor .1", "e-process", 2.0, 0.1),
    (EQUAL, "floor .1", "bias", -5.8, None),
    (UNEQUAL, "uniform", "pooled z", 94.93, None),
    (UNEQUAL, "uniform", "stratified", 94.85, None),
    (UNEQUAL, "uniform", "batched OLS", 93.8, None),
    (UNEQUAL, "uniform", "AIPW", 94.9, None),
    (UNEQUAL, "uniform", "e-process", 79.3, 0.3),
    (UNEQUAL, "uniform", "bias", 0.1, None),
    (UNEQUAL, "floor .1", "pooled z", 83.2, None),
    (UNEQUAL, "floor .1", "stratified", 76.8, None),
    (UNEQUAL, "floor .1", "batched OLS", 69.0, None),
    (UNEQUAL, "floor .1", "AIPW", 78.6, None),
    (UNEQUAL, "floor .1", "e-process", 42.3, 0.5),
    (UNEQUAL, "floor .1", "bias", -5.8, None),
    (UNEQUAL, "thompson", "AIPW covers", 90.5, None),
    (UNEQUAL, "thompson", "AIPW, h = 1 covers", 87.7, None),
    ("equal arms, a step", "thompson", "pooled z", 94.8, 0.4),
    ("equal arms, a step", "thompson", "e-process", 0.1, None),
    (STOPS, "thompson, value remaining", "shipped: median lift", 40, None),
    (STOPS, "thompson, value remaining", "shipped: mean lift", 71, None),
    (STOPS, "thompson, value remaining", "shipped: infinite", 2.5, None),
    (STOPS, "thompson, value remaining", "Wald", 86.5, 0.2),
    (STOPS, "thompson, value remaining", "Beta(1, 1)", 94.4, 0.3),
    (STOPS, "thompson, value remaining", "Beta(4, 96)", 95.7, 0.2),
    (STOPS, "thompson, value remaining", "shipped: Wald", 89.4, None),
    (STOPS, "thompson, value remaining", "shipped: Beta(1, 1)", 97.8, None),
    (STOPS, "thompson, value remaining", "shipped: Beta(4, 96)", 99.1, None),
    ("six arms", "thompson, either rule of the article", "bias", -88, None),
]

Found = tuple[float, float]  # a number and its standard error


def main() -> None:
    """Print the page, or the check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder that `bandit-env run configs/inference.toml` wrote")
    parser.add_argument("--check", action="store_true", help="compare with the independent simulation instead")
    parser.add_argument("--figure", type=Path, default=ROOT / "docs" / "figures" / "inference.png")
    options = parser.parse_args()
    run = read(options.run)
    if options.check:
        text, sound = check(run)
        print(text)
        sys.exit(not sound)
    options.figure.write_bytes(small(figure(run)))
    print(page(run), end="")


def cell_of(run: Run, scenario: str, agent: str) -> Cell:
    """The cell of a scenario and an agent."""
    return next(cell for cell in run.cells if (cell.scenario, cell.agent) == (scenario, agent))


def counts(rows: pd.DataFrame) -> tuple[Floats, Floats]:
    """Conversions and visits, shape (n, K)."""
    arms = sum(name.startswith("visits_") for name in rows)
    both = (rows[[f"{name}_{arm}" for arm in range(arms)]] for name in ("conversions", "visits"))
    conversions, visits = (one.to_numpy(np.float64) for one in both)
    return conversions, visits


def rejections(rows: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Which experiments each of TESTS says differ: |z| > 1.96 on the last day, E >= 20 on any day."""

    def z(name: str) -> Floats:
        ratio = rows[f"{name}_difference_1"] / rows[f"{name}_difference_1_se"]
        return ratio.fillna(0).to_numpy(np.float64)

    pooled = two_proportion_test(*counts(rows))[0][:, 1]
    scores = (pooled, z("stratified"), z("batched_ols"), z("aipw"))
    found = {name: np.abs(score) > 1.96 for name, score in zip(TESTS, scores, strict=False)}
    found[EQUAL_WEIGHTS] = np.abs(z("aipw_equal")) > 1.96
    return found | {"e-process": rows["e_process_most_1"].to_numpy(np.float64) >= 20}


def covers(rows: pd.DataFrame, name: str, true: str) -> NDArray[np.bool_]:
    """Whether the interval of a stored estimate holds the truth; False where there is none."""
    return ((rows[f"{name}_low"] <= rows[true]) & (rows[true] <= rows[f"{name}_high"])).to_numpy()


def mean(values: Any, unit: float = 1.0) -> Found:
    """Mean and standard error of what is finite, in `unit`."""
    x = np.asarray(values, np.float64)
    x = x[np.isfinite(x)] / unit
    if not x.size:
        return np.nan, np.nan
    return float(x.mean()), float(x.std(ddof=1) / np.sqrt(x.size))


def share(holds: Any) -> Found:
    """A share in %."""
    return mean(holds, 0.01)


def median(values: Any) -> Found:
    """The median, its standard error by the order statistics one standard deviation of their rank away."""
    x = np.sort(np.asarray(values, np.float64))
    low, high = (x[int(x.size / 2 + side * np.sqrt(x.size) / 2)] for side in (-1, 1))
    return float(np.median(x)), float(high - low) / 2


def fixed_span(rows: pd.DataFrame) -> dict[str, Found]:
    """All numbers of an allocation that is played to the last day."""
    found = {name: share(holds) for name, holds in rejections(rows).items()}
    found["bias"] = mean(rows["wald_rate_0"] - rows["true_rate_0"], 1e-4)
    for method, name in (("wald", "Wald"), ("credible", "credible"), ("aipw_equal", EQUAL_WEIGHTS), ("aipw", "AIPW")):
        found[f"{name} covers"] = share(covers(rows, f"{method}_rate_0", "true_rate_0"))
    found["lost"] = mean(rows["regret"])
    found["control"] = mean(rows["visits_0"])
    return found


def stopped(rows: pd.DataFrame) -> dict[str, Found]:
    """All numbers of a rule that stops: of two arms, the estimated lift of variations that are shipped."""
    c, n = counts(rows)
    ships = (rows["declared_arm"] == 1).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        lift = (c[:, 1] / n[:, 1]) / (c[:, 0] / n[:, 0]) - 1
    true = (rows["rate_1"] / rows["rate_0"] - 1).to_numpy()
    held = {"Wald": covers(rows, "wald_difference_1", "true_difference_1")}
    for prior in ((1, 1), (4, 96)):
        low, high = lift_interval(c, n, prior=prior)
        held[f"Beta({prior[0]}, {prior[1]})"] = (low[:, 1] <= true) & (true <= high[:, 1])
    found = {
        "days": mean(rows["stopping_day"]),
        "ships": share(ships),
        "shipped: median lift": median(100 * lift[ships]),
        "shipped: mean lift": mean(lift[ships], 0.01),
        "shipped: infinite": share(np.isinf(lift[ships])),
    }
    found |= {name: share(holds) for name, holds in held.items()}
    return found | {f"shipped: {name}": share(holds[ships]) for name, holds in held.items()}


def of_prior(rows: pd.DataFrame) -> dict[str, list[Found]]:
    """By estimator: error of the shipped arm's rate (1e-4), of a shipped variation's lift, coverage of the rate (%).

    Of each block of experiments a prior is fitted to the first PAST, as they ended, and used on the others; standard
    errors are of the blocks' means.
    """
    found: dict[str, list[list[float]]] = {}
    for start in range(0, len(rows) - BLOCK + 1, BLOCK):
        past, now = rows.iloc[start : start + PAST], rows.iloc[start + PAST : start + BLOCK]
        fit = fit_beta(*counts(past))
        priors = {"observed": (0.0, 0.0), "Beta(1, 1)": (1.0, 1.0), "fitted": (fit.a, fit.b), "the true prior": DRAWN}
        for name, prior in priors.items():
            found.setdefault(name, []).append(of_block(now, prior))
    units = (1e-4, 0.01, 0.01)
    return {name: [mean(x, unit) for x, unit in zip(zip(*lines), units)] for name, lines in found.items()}


def of_block(rows: pd.DataFrame, prior: tuple[float, float]) -> list[float]:
    """Mean errors of the shipped arm's rate and of a shipped variation's lift, coverage of the rate; 0, 0: observed."""
    arm, (c, n) = shipped_arm(rows), counts(rows)
    rates = rows[["rate_0", "rate_1"]].to_numpy(np.float64)
    variation = arm[:, 0] == 1

    def own(x: Floats) -> Floats:
        return np.take_along_axis(x, arm, axis=1)[:, 0]

    with np.errstate(divide="ignore", invalid="ignore"):
        value = (c + prior[0]) / (n + sum(prior))
        lift = value[:, 1] / value[:, 0] - 1
    held = [np.nan]
    if prior[0] > 0:
        lift = Lift(c, n, prior=prior).mean()[:, 1]
        low, high = map(own, rate_interval(c, n, prior=prior))
        held = (low <= own(rates)) & (own(rates) <= high)
    errors = (lift - (rates[:, 1] / rates[:, 0] - 1))[variation]
    return [float(np.mean(own(value - rates))), float(errors[np.isfinite(errors)].mean()), float(np.mean(held))]


def shipped_arm(rows: pd.DataFrame) -> NDArray[np.intp]:
    """The arm declared, of the undecided the one with the largest observed rate, shape (n, 1)."""
    c, n = counts(rows)
    leader = (c / np.maximum(n, 1)).argmax(axis=1)
    declared = rows["declared_arm"].to_numpy()
    return np.where(declared >= 0, declared, leader)[:, None]


def numbers(run: Run) -> Callable[[str, str], dict[str, Found]]:
    """What is found of a cell, worked out once."""
    kept: dict[tuple[str, str], dict[str, Found]] = {}

    def of(scenario: str, agent: str) -> dict[str, Found]:
        if (scenario, agent) not in kept:
            rows = cell_of(run, scenario, agent).episodes
            if scenario == "six arms":
                found = {"bias": mean(rows["wald_rate_0"] - rows["rate_0"], 1e-4)}
            else:
                found = stopped(rows) if scenario == STOPS else fixed_span(rows)
            kept[scenario, agent] = found
        return kept[scenario, agent]

    return of


def check(run: Run) -> tuple[str, bool]:
    """A table of differences from SIMULATED, in standard errors of both together; whether all are within four."""
    of, rows, sound = numbers(run), [], True
    played = {(cell.scenario, cell.agent) for cell in run.cells}
    for scenario, agent, what, expected, error in SIMULATED:
        if (scenario, agent) not in played:
            continue
        found, own = of(scenario, agent)[what]
        if what != "bias" and "lift" not in what:  # a share: its error by what is expected, as there may be none found
            size = len(cell_of(run, scenario, agent).episodes)
            own = max(own, float(np.sqrt(expected * (100 - expected) / size)))
        both = float(np.hypot(own, own if error is None else error))
        distance = (found - expected) / both
        sound &= abs(distance) <= 4
        rows.append([scenario, agent, what, f"{expected:g}", plus((found, own), 2), f"{distance:+.1f}"])
    return table(["scenario", "agent", "number", "simulated", "here", "standard errors"], rows, 3), bool(sound)


def plus(found: Found, digits: int = 1, sign: str = "") -> str:
    """A number with its standard error."""
    return f"{found[0]:{sign}.{digits}f} ± {found[1]:.{digits}f}"


def table(heads: list[str], rows: Iterable[list[str]], texts: int = 1) -> str:
    """A table, its first `texts` columns to the left and the others to the right."""
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * texts + " ---: |" * (len(heads) - texts)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


ABOUT = """\
# What is an estimate worth when the traffic followed the data?

Made by `scripts/make_inference.py` from `bandit-env run configs/inference.toml` ({replications:,} replications of
each row, seed {seed}). Two arms, 100 visits a day; the first day is split equally, each later one by the allocation,
from all counts so far. A *floor* f keeps every weight at f or above. ± is one standard error.

A bandit sends less traffic to an arm that looks bad, and so never finds out that it was only unlucky. Its observed
rate stays too low; tests and intervals that were made for traffic that nobody steered say more than they know. A stop
that waits for a good result adds to it. This page shows by how much, and what helps.

## In short

- **To learn only which arm to ship**, steer and stop as you like, and do not quote the estimate: where Thompson's
  allocation stops on 4 against 5 %, the variation that is shipped seems {lift:.0f} % better in the median, and is
  25 %.
- **To claim a difference as well**, set `floor = 0.1`, and on a day fixed beforehand read batched OLS (it claims
  one on {ols:.1f} % of equal arms, through seasons too) or, where rates do not move, AIPW ({aipw:.1f} %, more
  power). On 4 against 5 % the floor costs {cost:.0f} conversions of some 1,100; equal traffic costs {equal:.0f}.
- **To look on any day, or through seasons**, read the e-process: at most {e:.1f} % of equal arms are ever claimed
  to differ, whatever the weights and however all rates move together. It wants the conversions on the day of their
  visit.
- **To quote a rate or a lift**, quote the posterior under a prior fitted to your own past experiments
  (`bandit_env.stats.prior.fit_beta`, or `prior = {{ history = "past.csv" }}`): it takes the exaggeration out under any
  allocation and any stop.

The methods are those of `bandit_env.stats.estimates` and `bandit_env.stats.e_process`; a run shows them with
`estimates = ["credible", "aipw", "batched-ols", "e-process"]`.
"""

FIXED = """\
## A day fixed beforehand

After 223 days, how often does each test say that the arms differ: |z| > 1.96 on the last day, or an e-value of 20 on
any day? In %. On equal arms (both 4 %) that should be 5; the e-process may stay below. On 4 against 5 % it is the
power.
"""

COVERED = """\
The control's own rate, on 4 against 5 %: bias of the observed rate, in 1e-4 (it is 400), and how often the 95 %
intervals hold the true rate, in %. The bias is exactly -Cov(observed rate, visits)/E[visits]: who is seen more when
it looks better is underestimated. The credible interval is that of the uniform prior; AIPW weighs with h = sqrt(w),
or with h = 1.
"""

SEASONS = """\
## Seasons

Equal arms again, and no arm is ever better: but all rates rise by 60 % on day 60 and stay there, or are halved on
weekends. Where weights drift meanwhile, the arm that gets more of its visits in the good days looks better. Tests that
compare the arms within each day (stratified, batched OLS, the e-process) are not misled; what is left is what starved
arms do to them under Thompson's allocation. AIPW with h = sqrt(w) weighs the days of each arm differently, and so is
misled as the pooled test is; with h = 1 both arms' estimates are of the same days, if a floor keeps the weights up.
"""

FLOOR = """\
## What a floor costs, and what it buys

On 4 against 5 %, conversions lost to day 223, visits of the control (the worse arm), and power; beside them, false
claims on equal arms.

![Power against conversions lost](figures/inference.png)
"""

STOP = """\
## What a stop does

4 against 5 %, from day 14 on until the rule stops. *Lift*: observed, of the variation over the control, where the
variation is shipped (25 % is true); the mean leaves out those whose control had no conversion, which are counted.
*Covered*: how often 95 % intervals hold the truth, over all experiments and where the variation is shipped: Wald's of
the difference, and the credible interval of the lift under a uniform prior and under Beta(4, 96).
"""

SIX = """
With six arms (4, 5, 4.5, 3, 2 and 3.5 %) and the article's rules, the control's observed rate is in the mean
{rate:.2f} ± {error:.2f} %, where 4 % is true.
"""

PRIOR = """\
## The cheapest cure: the right prior

Here each experiment's two rates are drawn from Beta{prior}: 4 %, give or take half a percentage point. What is said
of the arm that was shipped, less the truth? For a rate in 1e-4 (it is about 400), for the lift of shipped variations
in percentage points, and how often the 95 % credible interval of the shipped arm's rate holds it, in %.

Under the true prior the posterior mean is unbiased, *whatever decided the weights and the stop*: given all the data,
the truth is distributed as the posterior says, so errors average to 0 over experiments, also over those that a rule
picks by their data. With a prior fitted to {past} other experiments (as they ended: the likelihood does not mind why)
the exaggeration goes as well. Observed rates, and a uniform prior that expects arms of 50 %, keep it.
"""

STOPS_SHOWN = {
    "thompson, value remaining": "Thompson, value remaining",
    "floor .1, value remaining": "Thompson, floor .1, value remaining",
    "uniform, value remaining": "uniform, value remaining",
    "uniform, peeking": "uniform, z-test every day",
    "uniform, e-process": "uniform, e-process",
}
DRAWN_SHOWN = {
    "thompson, value remaining": "Thompson, value remaining",
    "uniform, peeking": "uniform, z-test every day",
    "thompson, last day": "Thompson, day 223",
    "uniform, last day": "uniform, day 223",
}


def page(run: Run) -> str:
    """The whole page."""
    of = numbers(run)
    floor = of(EQUAL, "floor .1"), of(UNEQUAL, "floor .1")
    about = ABOUT.format(
        replications=run.config["replications"],
        seed=run.config["seed"],
        lift=of(STOPS, "thompson, value remaining")["shipped: median lift"][0],
        ols=floor[0]["batched OLS"][0],
        aipw=floor[0]["AIPW"][0],
        e=max(of(cell.scenario, cell.agent)["e-process"][0] for cell in run.cells if cell.scenario.startswith(EQUAL)),
        cost=floor[1]["lost"][0] - of(UNEQUAL, "thompson")["lost"][0],
        equal=of(UNEQUAL, "uniform")["lost"][0] - of(UNEQUAL, "thompson")["lost"][0],
    )
    six = of("six arms", "thompson, either rule of the article")["bias"]
    parts = [
        about,
        FIXED,
        tests_table(of),
        COVERED,
        covered_table(of),
        SEASONS,
        seasons_table(of),
        FLOOR,
        floor_table(of),
    ]
    parts += [STOP, stops_table(of) + SIX.format(rate=4 + six[0] / 100, error=six[1] / 100)]
    parts += [PRIOR.format(prior=DRAWN, past=PAST), prior_table(run)]
    return "\n".join(parts)


def tests_table(of: Any) -> str:
    """Each test, on equal arms and on 4 against 5 %, by allocation."""
    rows = []
    for scenario in (EQUAL, UNEQUAL):
        for agent, name in ALLOCATIONS.items():
            found = of(scenario, agent)
            rows.append([scenario, name, *(plus(found[test], digits_of(found[test])) for test in TESTS)])
    return table(["arms", "allocation", *TESTS], rows, texts=2)


def digits_of(found: Found) -> int:
    """More of them where the number is small."""
    return 2 if found[1] < 0.06 else 1


def covered_table(of: Any) -> str:
    """The control's rate on 4 against 5 %."""
    names = ("Wald", "credible", "AIPW", EQUAL_WEIGHTS)
    rows = []
    for agent, name in ALLOCATIONS.items():
        found = of(UNEQUAL, agent)
        covered = (plus(found[f"{one} covers"]) for one in names)
        rows.append([name, plus(found["bias"], sign="+"), *covered])
    return table(["allocation", "bias", *names], rows)


def seasons_table(of: Any) -> str:
    """Each test on equal arms whose rates move together."""
    tests, rows = (*TESTS[:4], EQUAL_WEIGHTS, TESTS[4]), []
    for scenario, season in (("equal arms, a step", "a step of 60 %"), ("equal arms, weekends", "weekends at half")):
        for agent in ("uniform", "thompson", "floor .1"):
            found = of(scenario, agent)
            rows.append([season, ALLOCATIONS[agent], *(plus(found[test], digits_of(found[test])) for test in tests)])
    return table(["season", "allocation", *tests], rows, texts=2)


def floor_table(of: Any) -> str:
    """What each allocation loses, and what can be told afterwards."""
    rows = []
    for agent, name in ALLOCATIONS.items():
        equal, found = of(EQUAL, agent), of(UNEQUAL, agent)
        claims = [plus(equal["batched OLS"]), plus(equal["AIPW"])]
        power = (plus(found[test]) for test in ("batched OLS", "AIPW", "e-process"))
        rows.append([name, *claims, plus(found["lost"]), f"{found['control'][0]:,.0f}", *power])
    heads = ["allocation", "equal arms: batched OLS", "AIPW", "4 v 5 %: lost", "visits of the control"]
    return table([*heads, "power: batched OLS", "AIPW", "e-process"], rows)


def stops_table(of: Any) -> str:
    """What rules that stop say of the lift."""
    intervals = ("Wald", "Beta(1, 1)", "Beta(4, 96)")
    rows = []
    for agent, name in STOPS_SHOWN.items():
        found = of(STOPS, agent)
        lifts = (plus(found[f"shipped: {what} lift"], 0, "+") for what in ("median", "mean"))
        covered = (plus(found[kind + one]) for kind in ("", "shipped: ") for one in intervals)
        rows.append(
            [name, plus(found["days"]), plus(found["ships"]), *lifts, plus(found["shipped: infinite"]), *covered]
        )
    heads = ["allocation, rule", "mean days", "ships the variation, %", "its lift: median", "mean", "infinite"]
    return table([*heads, "covered: Wald", *intervals[1:], "shipped: Wald", *intervals[1:]], rows)


def prior_table(run: Run) -> str:
    """What is said of the shipped arm under several priors."""
    rows = []
    for agent, name in DRAWN_SHOWN.items():
        for prior, (rate, lift, held) in of_prior(cell_of(run, "drawn rates", agent).episodes).items():
            covered = "" if np.isnan(held[0]) else plus(held)
            rows.append([name, prior, plus(rate, 2, "+"), plus(lift, 2, "+"), covered])
    return table(["allocation, stop", "estimate", "rate", "lift", "covered"], rows, texts=2)


def figure(run: Run) -> bytes:
    """Two panels over what an allocation loses on 4 against 5 %: false claims on equal arms, and power."""
    from matplotlib.ticker import FixedLocator, NullLocator

    of = numbers(run)
    lost = [of(UNEQUAL, agent)["lost"][0] for agent in ALLOCATIONS]
    with canvas.style():
        title = "A floor buys power with conversions"
        drawing, ((left, right),) = canvas.page(
            title,
            "Over the conversions that an allocation loses on 4 against 5 % in 223 days: what tests say",
            "Dashed: 5 %. Thompson's, floors of .01, .05 and .1, and uniform. 20,000 experiments each.",
            widths=(1, 1),
            right=0.95,
            headings=1,
        )
        for axes, scenario, what in (
            (left, EQUAL, "equal arms: false claims, %"),
            (right, UNEQUAL, "4 against 5 %: power, %"),
        ):
            ends = []
            for index, test in enumerate(TESTS):
                y = [of(scenario, agent)[test][0] for agent in ALLOCATIONS]
                order = np.argsort(lost)
                x, y = np.take(lost, order), np.take(y, order)
                axes.plot(x, y, "o-", ms=3.5, color=canvas.colour(index))
                ends.append((x[-1], y[-1], test, canvas.colour(index)))
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(FixedLocator([25, 50, 100]))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_xticklabels(["25", "50", "100"])
            axes.set(xlabel="conversions lost", ylim=(0, None))
            axes.axhline(5, color=canvas.QUIET, lw=0.8, ls=(0, (4, 3)), zorder=1)
            canvas.heading(axes, [what])
            canvas.grid(axes)
            canvas.label_ends(axes, ends)
        return figures.render(drawing, "png", dpi=130)


if __name__ == "__main__":
    main()
