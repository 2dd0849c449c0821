"""Compares worlds that move with figures of another build: two arms, Thompson sampling, R experiments a line.

    python scripts/check_worlds.py                     # R = 3,000: some minutes
    python scripts/check_worlds.py --replications 300

The expected figures were simulated by a program that shares no code with this package, at R = 1,000 to 3,000; each
stands with its standard error. z is the difference in combined standard errors: of some sixty, three beyond 2 are no
surprise.
"""

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bandit_env.experiment import run

SEED = 2026
MEANS = [1 / math.expm1(1 / m) for m in (1, 7)]  # mean delay where P(L = j) = g (1 - g)^j, g = 1 - exp(-1 / m)
WEEK = [1.2] * 5 + [0.5] * 2
STOPPING = {"name": "thompson", "stopping": "value-remaining"}
WARM = {"name": "thompson", "warm_up_days": 7}
LOG_ODDS = {"name": "log-odds-thompson"}
JOINED = {"name": "thompson", "warm_up_days": 3}


def discounted(factor: float) -> dict[str, Any]:
    """A memory, by day."""
    return {"memory": {"memory": "discounted", "factor": factor}}


def corrected(mean_days: float | list[float]) -> dict[str, Any]:
    """A memory that knows the delays."""
    return {"memory": {"memory": "delay-corrected", "mean_days": mean_days}}


@dataclass(frozen=True)
class Line:
    """A world, an agent, and for each quantity the figure and its standard error."""

    name: str
    world: dict[str, Any]
    agent: dict[str, Any]
    expected: dict[str, tuple[float, float]]


def stopped(name: str, world: dict[str, Any], agent: dict[str, Any], *expected: tuple[float, float]) -> Line:
    """One hundred visits a day, 4 against 5 %, until little value remains."""
    return Line(
        name, {"rates": [0.04, 0.05]} | world, STOPPING | agent, dict(zip(("days", "arm 1", "regret"), expected))
    )


def effects(*tables: dict[str, Any]) -> dict[str, Any]:
    """A world's effects."""
    return {"effects": list(tables)}


def step(factor: float) -> dict[str, Any]:
    """A factor of the rates from day 20 on."""
    return {"effect": "step", "day": 20, "factor": factor}


def lines() -> Iterator[Line]:
    """All lines."""
    weekend = {"effect": "weekday", "factors": [1] * 5 + [0.5] * 2, "scale": "odds"}
    novelty = {"effect": "novelty", "arm": 1, "factor": 1.5, "half_life": 7, "scale": "odds"}
    poisson = {"traffic": "poisson"}
    yield stopped("plain", {}, {}, (50.19, 0.89), (0.9647, 0.0034), (14.29, 0.29))
    yield stopped("Poisson", poisson, {}, (50.20, 0.92), (0.9593, 0.0036), (14.33, 0.29))
    week = poisson | {"weekday_traffic": WEEK}
    yield stopped("Poisson by weekday", week, {}, (49.78, 0.95), (0.9613, 0.0035), (14.43, 0.31))
    yield stopped("weekend odds", effects(weekend), {}, (62.45, 1.12), (0.9667, 0.0033), (15.53, 0.32))
    new = {"rates": [0.05, 0.04]} | effects(novelty)
    yield stopped("novelty", new, {}, (82.72, 1.24), (0.1237, 0.0060), (21.64, 0.40))
    late = {"delay": MEANS}
    yield stopped("delay", late, {}, (101.25, 1.26), (0.8613, 0.0063), (43.95, 0.58))
    yield stopped("delay, corrected", late, corrected(MEANS), (49.67, 0.89), (0.9727, 0.0030), (14.50, 0.30))
    yield stopped("weights by the week", {}, {"every_days": 7}, (49.37, 0.89), (0.9787, 0.0026), (15.70, 0.30))
    walk = {"rates": [0.04, 0.05], "max_days": 365} | effects({"effect": "walk", "sd": 0.05})
    window = {"memory": {"memory": "window", "days": 60}}
    for name, memory, regret in [
        ("all", {}, (151.7, 5.0)),
        (".98", discounted(0.98), (79.9, 1.0)),
        ("60 days", window, (79.9, 0.8)),
    ]:
        yield Line(f"walk, {name}", walk, {"name": "thompson"} | memory, {"regret": regret})
    yield from common_factors()
    yield from joining()
    yield from delays()
    yield from piecewise()


def common_factors() -> Iterator[Line]:
    """1,000 visits a day for 60 days, the rates of both arms times a factor."""
    world = {"rates": [0.04, 0.05], "visits_per_day": 1000, "max_days": 60}
    for name, tables, everything, stratified, faded in [
        ("none", [], (43.1, 0.4), (46.9, 0.5), (64.8, 0.2)),
        ("weekend", [{"effect": "weekday", "factors": WEEK}], (43.7, 0.5), (47.2, 0.5), (65.5, 0.2)),
        (".6 from day 20", [step(0.6)], (60.0, 0.5), (45.2, 0.4), (67.1, 0.2)),
        ("1.6 from day 20", [step(1.6)], (40.3, 0.3), (49.0, 0.5), (46.4, 0.2)),
    ]:
        yield Line(f"common factor, {name}", world | effects(*tables), WARM, {"regret": everything})
        yield Line(
            f"common factor, {name}, log odds", world | effects(*tables), WARM | LOG_ODDS, {"regret": stratified}
        )
        yield Line(f"common factor, {name}, .95", world | effects(*tables), WARM | discounted(0.95), {"regret": faded})


def joining() -> Iterator[Line]:
    """The better arm joins on day 20, from which on all rates are lower."""
    for visits, everything, floor, stratified, faded in [
        (100, (22.5, 0.1), (21.9, 0.1), (10.4, 0.2), (16.7, 0.1)),
        (1000, (249.8, 0.8), (243.3, 0.7), (31.1, 0.4), (135.8, 0.4)),
    ]:
        world = {"rates": [0.04, 0.05], "visits_per_day": visits, "max_days": 80, "joins": [0, 20]} | effects(step(0.6))
        yield Line(f"joins, {visits} a day", world, JOINED, {"regret": everything})
        yield Line(f"joins, {visits} a day, floor", world, JOINED | {"floor": 0.05}, {"regret": floor})
        yield Line(f"joins, {visits} a day, log odds", world, JOINED | LOG_ODDS, {"regret": stratified})
        yield Line(f"joins, {visits} a day, .95", world, JOINED | discounted(0.95), {"regret": faded})


def delays() -> Iterator[Line]:
    """1,000 visits a day for 60 days, conversions late."""
    world = {"rates": [0.04, 0.05], "visits_per_day": 1000, "max_days": 60}
    for name, delay, memory, regret in [
        ("unequal", [0.25, 4], {}, (201.2, 0.9)),
        ("unequal, corrected by each", [0.25, 4], corrected([0.25, 4]), (45.5, 0.3)),
        ("unequal, corrected by 4", [0.25, 4], corrected(4), (178.6, 1.0)),
        ("4 days", 4, {}, (82.8, 0.5)),
        ("4 days, corrected", 4, corrected(4), (47.3, 0.3)),
    ]:
        yield Line(f"delay, {name}", world | {"delay": delay}, WARM | memory, {"regret": regret})


def piecewise() -> Iterator[Line]:
    """Problem 1 of Besson et al. (2022): three arms, a visit an update, other rates every 1,000 visits."""
    rates = [[0.3, 0.2, 0.9], [0.3, 0.2, 0.1], [0.7, 0.2, 0.1], [0.7, 0.5, 0.1]]
    switches = [{"effect": "switch", "day": 1000 * i, "rates": new} for i, new in enumerate(rates, 1)]
    world = {"rates": [0.3, 0.5, 0.9], "visits_per_day": 1, "max_days": 5000} | effects(*switches)
    for name, memory, regret in [
        ("all", {}, (492.5, 3.8)),
        (".95", discounted(0.95), (424.5, 0.3)),
        (".99", discounted(0.99), (186.9, 0.3)),
    ]:
        yield Line(f"piecewise, {name}", world, {"name": "thompson"} | memory, {"regret": regret})
    sliding = {"name": "kl-ucb", "memory": {"memory": "window", "days": 206}}
    yield Line("piecewise, KL-UCB of 206 visits", world, sliding, {"regret": (178.0, 0.5)})


def measure(line: Line, replications: int, seed: int = SEED) -> Iterator[tuple[str, float, float, float]]:
    """Each quantity's name, mean, standard error, and difference from the expected in combined standard errors."""
    rows = run(line.world, [line.agent], replications, seed=seed, executor=1, traces=0).cells[0].episodes
    found = {"days": rows["stopping_day"], "arm 1": rows["declared_arm"] == 1, "regret": rows["regret"]}
    for name, (expected, error) in line.expected.items():
        values = found[name].to_numpy(float)
        own = values.std(ddof=1) / math.sqrt(replications)
        yield name, values.mean(), own, (values.mean() - expected) / math.hypot(own, error)


def main() -> None:
    """Measure, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=3000)
    parser.add_argument("--lines", default="", help="only those with this in their name")
    options = parser.parse_args()
    replications = options.replications
    for line in (line for line in lines() if options.lines in line.name):
        for name, mean, error, z in measure(
            line, replications if line.world.get("visits_per_day") != 1 else replications // 10
        ):
            expected, its = line.expected[name]
            print(
                f"{line.name:32} {name:7} {mean:9.4f} +- {error:.4f}   expected {expected} +- {its}   z {z:+.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
