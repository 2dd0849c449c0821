"""How fast a run is, and how much memory it takes: every figure a ratio of two things measured in turn.

    python scripts/benchmark.py                 # all sections
    python scripts/benchmark.py floors arms     # some
    python scripts/benchmark.py --quick         # fewer repetitions, smaller runs

The unit of speed is the floor: drawing the same data with NumPy and nothing else,
`rng.binomial(rng.multinomial(visits, weights), rates)` on 10,000 rows, per experiment and update. Both sides of a
ratio alternate in one process, and the median over the repetitions is told, so that other work on the machine hits
both sides alike.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from rich.console import Console
from rich.table import Table

from bandit_env.engines.engine import InProcess, Progress, Work
from bandit_env.engines.processes import LocalProcesses
from bandit_env.experiment import config
from bandit_env.experiment.config import Experiment
from bandit_env.experiment.results import Run
from bandit_env.experiment.sweep import execute
from bandit_env.stats.posterior import weights_and_value_remaining

TWO_ARMS = [0.04, 0.05]
SIX_ARMS = [0.04, 0.05, 0.045, 0.03, 0.02, 0.035]
ROWS = 10_000
clock = time.process_time  # of this process alone, whatever else the machine does; processes together: the wall clock


@dataclass
class Line:
    """One line of the table: what was measured, and what it should be."""

    section: str
    what: str
    found: str
    target: str = ""


def experiment(
    rates: list[float], replications: int, agent: dict[str, Any] | None = None, **scenario: Any
) -> Experiment:
    """One agent, by default Thompson sampling until little value remains, on one scenario."""
    agent = agent or {"name": "thompson", "stopping": "value-remaining"}
    scenario = {"rates": rates, "max_days": 5000} | scenario
    table = {"name": "benchmark", "replications": replications, "traces": 0, "agents": [agent], "scenario": scenario}
    return config.resolve(table)


def updates(run: Run) -> int:
    """Experiment-updates that a run has played."""
    return int(sum(cell.curves["running"].sum() for cell in run.cells))


def floor(rates: list[float], visits: int = 100) -> Callable[[], float]:
    """A function that draws ROWS updates, and tells the seconds that each took."""
    rng, weights = np.random.default_rng(0), np.full((ROWS, len(rates)), 1 / len(rates))

    def draw() -> float:
        begin = clock()
        rng.binomial(rng.multinomial(visits, weights), rates)
        return (clock() - begin) / ROWS

    return draw


def posterior_alone(rates: list[float]) -> Callable[[], float]:
    """A function that computes P(best) and the value remaining of ROWS experiments, and tells the seconds for each."""
    rng = np.random.default_rng(1)
    visits = rng.multinomial(5000, np.full(len(rates), 1 / len(rates)), ROWS)
    conversions = rng.binomial(visits, rates)

    def compute() -> float:
        begin = clock()
        weights_and_value_remaining(conversions, visits)
        return (clock() - begin) / ROWS

    return compute


def timed(work: Callable[[], Any], clock: Callable[[], float] = clock) -> tuple[float, Any]:
    """Seconds, and the result."""
    begin = clock()
    result = work()
    return clock() - begin, result


def per_update(thing: Experiment) -> float:
    """Seconds per experiment and update of a run, here, into a folder."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, run = timed(lambda: execute(thing, engine=InProcess(), out=Path(folder) / "run"))
    return seconds / updates(run)


def median_ratio(pairs: Iterable[tuple[float, float]]) -> float:
    """The median of numerator / denominator."""
    return statistics.median(above / below for above, below in pairs)


def floors(quick: bool, repeat: int) -> Iterable[Line]:
    """The whole run against the floor, for two arms and for six; and how much of it is the posterior."""
    for rates, replications in ((TWO_ARMS, 32_000), (SIX_ARMS, 4_000)):
        thing, draw = experiment(rates, replications // (4 if quick else 1)), floor(rates)
        per_update(experiment(rates, 100))
        pairs = [(per_update(thing), statistics.median(draw() for _ in range(9))) for _ in range(repeat)]
        ratio, unit = median_ratio(pairs), statistics.median(below for _, below in pairs)
        name = f"{len(rates)} arms, {thing.replications:,} replications"
        yield Line("floor", f"whole run / NumPy's draws, {name}", f"{ratio:.1f}", "<= 6, aim 4")
        yield Line("floor", f"NumPy's draws, {len(rates)} arms", f"{1e6 * unit:.2f} us per experiment-day")
        both = posterior_alone(rates)
        both()
        share = median_ratio((both(), draw()) for _ in range(5 * repeat))
        yield Line("floor", f"posterior alone / NumPy's draws, {len(rates)} arms", f"{share:.1f}")


def workers(quick: bool, repeat: int) -> Iterable[Line]:
    """Two processes against one, each with one thread, on six arms with 20,000 replications; start-up included."""
    thing = experiment(SIX_ARMS, 4000 if quick else 20_000, max_days=150)

    def seconds(count: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            return timed(
                lambda: execute(thing, engine=LocalProcesses(count), out=Path(folder) / "run"), time.perf_counter
            )[0]

    ratio = median_ratio((seconds(1), seconds(2)) for _ in range(max(1, repeat // 3)))
    name = f"one process / two, six arms, {thing.replications:,} replications"
    yield Line("workers", name, f"{ratio:.2f} times", ">= 1.8, two free cores")


class Stopwatch(InProcess):
    """Plays here, and adds up the seconds that the playing itself takes."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def map(self, work: Work, jobs: deque[Any], progress: Progress) -> Iterator[tuple[Any, Any]]:
        """See `Engine.map`."""

        def watched(job: Any, tick: Progress | None) -> Any:
            seconds, result = timed(lambda: work(job, tick))
            self.seconds += seconds
            return result

        return super().map(watched, jobs, progress)


def overhead(quick: bool, repeat: int) -> Iterable[Line]:
    """What the engine, the store and the joining of chunks add to the playing, in the same run."""
    for replications in (4_000,) if quick else (4_000, 32_000):
        thing = experiment(TWO_ARMS, replications)

        def share(thing: Experiment = thing) -> float:
            engine = Stopwatch()
            with tempfile.TemporaryDirectory() as folder:
                seconds, _ = timed(lambda: execute(thing, engine=engine, out=Path(folder) / "run"))
            return seconds / engine.seconds - 1

        share()  # what is compiled and imported at the first use is not the engine's
        found = statistics.median(share() for _ in range(repeat))
        name = f"engine, files and joining, of the work, {replications:,} replications"
        yield Line("overhead", name, f"{100 * found:.1f} %", "< 3 %")


def visits(quick: bool, repeat: int) -> Iterable[Line]:
    """Time per experiment-day from 100 to 10^8 visits a day: 40 days of each, without stops."""
    sizes = [100, 10_000, 10**6, 10**8]
    things = [experiment(TWO_ARMS, 2000, {"name": "thompson"}, visits_per_day=size, max_days=40) for size in sizes]
    rounds = [[per_update(thing) for thing in things] for _ in range(repeat)]
    for index, size in enumerate(sizes[1:], 1):
        ratio = median_ratio((times[index], times[0]) for times in rounds)
        yield Line("visits", f"{size:,} visits a day / 100", f"{ratio:.2f} times", "<= 1.5")


def arms(quick: bool, repeat: int) -> Iterable[Line]:
    """Time per arm of an experiment-day at 64 arms against 8: 30 days, without stops."""
    few, many = (
        experiment(list(np.linspace(0.02, 0.06, k)), 1000, {"name": "thompson"}, visits_per_day=1000 * k, max_days=30)
        for k in (8, 64)
    )
    ratio = median_ratio((per_update(many) / 64, per_update(few) / 8) for _ in range(repeat))
    yield Line("arms", "time per arm, 64 arms / 8", f"{ratio:.2f} times", "<= 1.3")


def linear(quick: bool, repeat: int) -> Iterable[Line]:
    """Time per experiment at 500,000 replications against 20,000: equal traffic for 20 days."""
    agent = {"name": "uniform"}
    small, large = (experiment(TWO_ARMS, n, agent, max_days=20) for n in (20_000, 100_000 if quick else 500_000))
    ratio = median_ratio((per_update(large), per_update(small)) for _ in range(max(3, repeat // 2)))
    yield Line("linear", f"time per experiment, {large.replications:,} / 20,000", f"{ratio:.2f} times", "<= 1.1")


MEMORY = """
import resource, sys
from bandit_env.experiment import run
world = {"rates": [0.04, 0.05], "max_days": 5000}
run(world, [{"name": "thompson", "stopping": "value-remaining"}], int(sys.argv[1]), executor=1, out=sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2))
"""


def memory(quick: bool, repeat: int) -> Iterable[Line]:
    """Peak memory of the A/B test's run, per number of replications."""
    for replications in (2_000, 20_000, 60_000) if quick else (2_000, 20_000, 60_000, 1_000_000):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", MEMORY, str(replications), f"{folder}/run"]
            found = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        yield Line("memory", f"peak of {replications:,} replications", f"{found:.0f} MiB", "< 1024 MiB")


WORLDS: dict[str, tuple[dict[str, Any], float]] = {
    "Poisson, weekday, day shock": (
        {
            "traffic": "poisson",
            "weekday_traffic": [1.2] * 5 + [0.5] * 2,
            "effects": [{"effect": "weekday", "factors": [1.2] * 5 + [0.5] * 2}, {"effect": "day-shock", "sd": 0.3}],
        },
        1.5,
    ),
    "delay": ({"delay": [0.25, 4]}, 2),
    "walk": ({"effects": [{"effect": "walk", "sd": 0.05}]}, 2),
}


def worlds(quick: bool, repeat: int) -> Iterable[Line]:
    """Time per experiment-day in a world that moves against the plain one: the run, and the environment alone."""
    replications, actions = 500 if quick else 2000, np.tile(np.array([0.5, 0.5, 0], np.float32), (4096, 1))

    def run_for(agent: dict[str, Any], world: dict[str, Any], days: int) -> float:
        return per_update(experiment(TWO_ARMS, replications, agent, max_days=days, **world))

    def steps(world: dict[str, Any]) -> float:
        make = {"num_envs": len(actions), "autoreset_mode": "Disabled", "max_days": 60} | world
        env = gymnasium.make_vec("bandit_env/DailyTraffic-v0", **make)
        env.reset(seed=0)
        return timed(lambda: [env.step(actions) for _ in range(60)])[0]

    stopping = {"name": "thompson", "stopping": "value-remaining"}
    measures: dict[str, Callable[[dict[str, Any]], float]] = {
        "run of 60 days": lambda world: run_for({"name": "thompson"}, world, 60),
        "run until a stop, horizon 1,000": lambda world: run_for(stopping, world, 1000),
        "environment's step": steps,
    }
    for name, (world, target) in WORLDS.items():
        for what, measure in measures.items():
            measure(world)
            ratio = median_ratio((measure(world), measure({})) for _ in range(repeat))
            yield Line("worlds", f"{what}, {name} / plain", f"{ratio:.2f} times", f"<= {target:g}")


MEMORIES = {"discounted": {"factor": 0.98}, "window": {"days": 30}}


def memories(quick: bool, repeat: int) -> Iterable[Line]:
    """Time per experiment-day of Thompson sampling with a memory against all counts: 60 days, without stops."""
    replications = 500 if quick else 2000
    plain = experiment(TWO_ARMS, replications, {"name": "thompson"}, max_days=60)
    for name, arguments in MEMORIES.items():
        agent = {"name": "thompson", "memory": {"memory": name} | arguments}
        remembering = experiment(TWO_ARMS, replications, agent, max_days=60)
        per_update(remembering)
        ratio = median_ratio((per_update(remembering), per_update(plain)) for _ in range(repeat))
        yield Line("memories", f"run of 60 days, {name} / all", f"{ratio:.2f} times", "<= 1.5")


SECTIONS = {f.__name__: f for f in (floors, workers, overhead, visits, arms, linear, memory, worlds, memories)}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="smaller runs")
    parser.add_argument("--repeat", type=int, default=7, help="repetitions of each ratio (default 7)")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; expected {', '.join(SECTIONS)}")
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table("section", "what", "found", "target")
    for name in options.sections or SECTIONS:
        for line in SECTIONS[name](options.quick, options.repeat):
            console.print(f"{line.section}: {line.what}: {line.found} {line.target and f'({line.target})'}")
            table.add_row(line.section, line.what, line.found, line.target)
    console.print(table)
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    console.print(f"NumPy {np.__version__}, {cores} cores, load {load:.1f}")


if __name__ == "__main__":
    main()
