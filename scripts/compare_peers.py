"""Our package and its peers on the same work, side by side: `python scripts/compare_peers.py [--out docs/peers.md]`.

Every peer gets a virtual environment of its own, made in a folder that is removed afterwards (or kept with --keep), and
one process, which is asked in turn with all others, round by round; medians of the rounds. Nothing of a peer's is a
dependency of this package. A peer that does not install, or does not answer in time, is a row that says so.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

INSTALLING, ANSWERING = 600.0, 120.0  # seconds that a peer may take
ROUNDS = 5

HARNESS = """
import json, sys, time
{program}
work()
for _ in sys.stdin:
    begin = time.perf_counter()
    count, error = work()
    print(json.dumps([count / (time.perf_counter() - begin), error]), flush=True)
"""

OURS = "bandit_env"


@dataclass(frozen=True)
class Peer:
    """Who does the work, what must be installed for it, and the program: `work()` returns (how much, error or None)."""

    name: str
    requirements: tuple[str, ...]
    program: str


@dataclass(frozen=True)
class Contest:
    """The same work for all: what is counted, in a second."""

    title: str
    unit: str
    peers: tuple[Peer, ...]


VISITS = """
import random
rng, rates, visits = random.Random(1), (0.5, 0.6), 1000
"""

THOMPSON = Contest(
    "Thompson sampling, two arms of .5 and .6, one visit at a time",
    "visits a second",
    (
        Peer(
            OURS,
            (),
            """
from bandit_env.experiment import run
world = {"rates": [0.5, 0.6], "visits_per_day": 1, "min_days": 0, "max_days": 1000}
def work():
    run(world, ["thompson"], 200, executor=1, traces=0)
    return 200_000, None
""",
        ),
        Peer(
            "river",
            ("river",),
            VISITS
            + """
from river import bandit, proba
def work():
    policy = bandit.ThompsonSampling(reward_obj=proba.Beta(), seed=1)
    for _ in range(visits):
        arm = policy.pull([0, 1])
        policy.update(arm, rng.random() < rates[arm])
    return visits, None
""",
        ),
        Peer(
            "mabwiser",
            ("mabwiser",),
            VISITS
            + """
from mabwiser.mab import MAB, LearningPolicy
def work():
    policy = MAB([0, 1], LearningPolicy.ThompsonSampling(), seed=1)
    policy.fit([0, 1], [1, 1])
    for _ in range(visits):
        arm = policy.predict()
        policy.partial_fit([arm], [int(rng.random() < rates[arm])])
    return visits, None
""",
        ),
        Peer(
            "SMPyBandits",
            ("SMPyBandits", "numpy<2", "scipy<1.12", "tqdm"),
            VISITS
            + """
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()):
    from SMPyBandits.Policies import Thompson
def work():
    policy = Thompson(2)
    policy.startGame()
    for _ in range(visits):
        arm = policy.choice()
        policy.getReward(arm, float(rng.random() < rates[arm]))
    return visits, None
""",
        ),
        Peer(
            "contextualbandits",
            ("contextualbandits",),
            VISITS
            + """
import numpy as np
from contextualbandits.online import SeparateClassifiers  # the import is what most machines fail at
raise SystemExit("has Thompson sampling over classifiers, not over Bernoulli arms")
""",
        ),
    ),
)

STEPS = Contest(
    "Environment steps: a Bernoulli bandit of two arms, 1,024 side by side, random actions",
    "steps a second",
    (
        Peer(
            OURS,
            (),
            """
import gymnasium, bandit_env, numpy as np
envs = gymnasium.make_vec("bandit_env/BernoulliBandit-v0", num_envs=1024, rates=[0.5, 0.6], horizon=10**9)
envs.reset(seed=1)
actions = np.random.default_rng(1).integers(0, 2, 1024)
def work():
    for _ in range(500):
        envs.step(actions)
    return 512_000, None
""",
        ),
        Peer(
            "NumPy, twenty lines: draw, count, copy",
            ("numpy",),
            """
import numpy as np
rng, n = np.random.default_rng(1), 1024
rates, rows, actions = np.array([0.5, 0.6]), np.arange(n), rng.integers(0, 2, n)
visits, conversions = np.zeros((n, 2)), np.zeros((n, 2))
def step(actions):
    reward = rng.random(n) < rates[actions]
    visits[rows, actions] += 1
    conversions[rows, actions] += reward
    return visits.copy(), conversions.copy(), reward
def work():
    for _ in range(500):
        step(actions)
    return 512_000, None
""",
        ),
        Peer(
            "gymnax (JAX on this processor, compiled)",
            ("gymnax", "six"),
            """
import gymnax, jax, jax.numpy as jnp
env, params = gymnax.make("BernoulliBandit-misc")
keys = jax.random.split(jax.random.PRNGKey(1), 1024)
_, state = jax.vmap(env.reset, in_axes=(0, None))(keys, params)
actions = jax.random.randint(jax.random.PRNGKey(2), (1024,), 0, 2)
step = jax.jit(jax.vmap(env.step, in_axes=(0, 0, 0, None)))
def work():
    global keys, state
    for _ in range(500):
        keys = jax.vmap(lambda key: jax.random.split(key, 1)[0])(keys)
        _, state, reward, *_ = step(keys, state, actions, params)
    reward.block_until_ready()
    return 512_000, None
""",
        ),
        Peer(
            "river's Gymnasium environment, one at a time",
            ("river", "gymnasium"),
            """
import gymnasium, river.bandit
env = gymnasium.make("river_bandits/KArmedTestbed-v0", k=2)
env.reset(seed=1)
def work():
    for i in range(5000):
        *_, terminated, truncated, _ = env.step(i % 2)
        if terminated or truncated:
            env.reset()
    return 5000, None
""",
        ),
    ),
)

COUNTS = """
conversions, visits = [40, 50, 45, 30, 20, 35], [1000] * 6
exact = [.0839175251, .6323484927, .2622339374, .0026373305, 6.5964e-6, .0188561177]  # two quadratures, 1e-10
def error(found):
    return max(abs(a - b) for a, b in zip(found, exact))
"""

BEST = Contest(
    "P(best) of six arms, one call; error against exact values",
    "calls a second",
    (
        Peer(
            OURS,
            (),
            COUNTS
            + """
from bandit_env.stats.posterior import probability_best
def work():
    for _ in range(200):
        found = probability_best(conversions, visits)
    return 200, error(found)
""",
        ),
        Peer(
            "bayesian-testing (20,000 draws, its default)",
            ("bayesian-testing",),
            COUNTS
            + """
from bayesian_testing.experiments import BinaryDataTest
test = BinaryDataTest()
for arm, (c, n) in enumerate(zip(conversions, visits)):
    test.add_variant_data_agg(str(arm), n, c, a_prior=1, b_prior=1)
def work():
    for _ in range(5):
        found = test.evaluate()
    return 5, error([variant["prob_being_best"] for variant in found])
""",
        ),
        Peer(
            "cprior (quadrature)",
            ("cprior", "numpy", "scipy"),
            COUNTS
            + """
from cprior.models.bernoulli import BernoulliModel, BernoulliMVTest
names = "ABCDEF"
models = {k: BernoulliModel(name=k, alpha=1 + c, beta=1 + n - c) for k, c, n in zip(names, conversions, visits)}
test = BernoulliMVTest(models)
def work():
    found = [test.probability_vs_all(variant=k) for k in names]
    return 1, error(found)
""",
        ),
        Peer("obp", ("obp",), COUNTS + "import obp\nraise SystemExit('has no P(best)')"),
    ),
)

EXPERIMENTS = Contest(
    "Whole experiments: Thompson on 4 v 5 %, 100 visits a day, until little value remains",
    "visits a second",
    (
        Peer(
            OURS,
            (),
            """
from bandit_env.experiment import run
agent = {"name": "thompson", "stopping": "value-remaining"}
def work():
    rows = run({"rates": [0.04, 0.05]}, [agent], 2000, executor=1, traces=0).cells[0].episodes
    return int(rows["visits"].sum()), None
""",
        ),
        Peer(
            "NumPy and SciPy: 1,000 side by side, 1,000 draws of each posterior a day",
            ("numpy",),
            """
import numpy as np
rates = np.array([0.04, 0.05])
def work():
    rng, n = np.random.default_rng(1), 1000
    visits, conversions, served = np.zeros((n, 2)), np.zeros((n, 2)), 0
    weight = np.full(n, 0.5)
    for day in range(1000):
        split = rng.binomial(100, weight)
        new = np.stack([100 - split, split], axis=1)
        visits += new
        conversions += rng.binomial(new, rates)
        served += 100 * len(visits)
        draws = rng.beta(conversions + 1, visits - conversions + 1, (1000, len(visits), 2))
        weight = (draws[..., 1] > draws[..., 0]).mean(axis=0)
        champion = (weight > 0.5).astype(int)[None, :, None]
        own = np.take_along_axis(draws, champion, axis=2)[..., 0]
        if day >= 13:
            on = np.quantile((draws.max(axis=2) - own) / own, 0.95, axis=0) >= 0.01
            visits, conversions, weight = visits[on], conversions[on], weight[on]
            if not on.any():
                break
    return served, None
""",
        ),
    ),
)

CONTESTS = (THOMPSON, STEPS, BEST, EXPERIMENTS)


class Runner:
    """A peer's process."""

    def __init__(self, peer: Peer, folder: Path) -> None:
        self.peer, self.failure, self.version = peer, "", ""
        self.speeds: list[float] = []
        self.error: float | None = None
        self._process: subprocess.Popen[str] | None = None
        try:
            python = sys.executable if not peer.requirements else self._install(folder)
            self.version = _version(python, peer)
            program = HARNESS.format(program=peer.program)
            self._process = subprocess.Popen(
                [python, "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                bufsize=1,
            )
        except subprocess.TimeoutExpired:
            self.failure = "did not install in time"
        except subprocess.CalledProcessError as error:
            self.failure = f"does not install: {_last_line(error.stderr)}"

    def _install(self, folder: Path) -> str:
        home = folder / "-".join(self.peer.requirements).translate(str.maketrans("<>=.", "----"))
        python = home / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", home], check=True, capture_output=True, text=True)
        command = [python, "-m", "pip", "install", "--quiet", *self.peer.requirements]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALLING)
        return str(python)

    def ask(self) -> None:
        """One round of work."""
        process = self._process
        if self.failure or process is None or process.stdin is None or process.stdout is None:
            return
        late = threading.Timer(ANSWERING, process.kill)
        late.start()
        try:
            process.stdin.write("\n")
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            in_time = late.is_alive()
            late.cancel()
        if answer:
            speed, self.error = json.loads(answer)
            self.speeds.append(speed)
        else:
            process.wait()
            told = _last_line(process.stderr.read() if process.stderr else "")
            self.failure = told if in_time else f"no answer within {ANSWERING:g} s"

    def end(self) -> None:
        """Let it go."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _version(python: str, peer: Peer) -> str:
    package = peer.requirements[0].partition("<")[0] if peer.requirements else "bandit-env"
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return found.stdout.strip()


def _last_line(text: str | None) -> str:
    lines = [line for line in (text or "").splitlines() if line.strip()]
    errors = [line for line in lines if "rror" in line] or lines or ["no word"]
    return errors[-1].strip()[:120]


def compete(contest: Contest, folder: Path, rounds: int) -> list[Runner]:
    """Ask all peers in turn, round by round."""
    runners = [Runner(peer, folder) for peer in contest.peers]
    try:
        for _ in range(rounds):
            for runner in runners:
                runner.ask()
    finally:
        for runner in runners:
            runner.end()
    return runners


def table(contest: Contest, runners: Sequence[Runner]) -> str:
    """A Markdown table: speed, its ratio to ours, error."""
    ours = statistics.median(runners[0].speeds) if runners[0].speeds else None
    errors = any(runner.error is not None for runner in runners)
    lines = [
        f"## {contest.title}",
        "",
        f"| who | version | {contest.unit} | ours over theirs |",
        "| --- | --- | ---: | ---: |",
    ]
    if errors:
        lines[2], lines[3] = lines[2] + " largest error |", lines[3] + " ---: |"
    for runner in runners:
        if not runner.speeds:
            lines.append(f"| {runner.peer.name} | {runner.version} | {runner.failure} | |" + " |" * errors)
            continue
        speed = statistics.median(runner.speeds)
        ratio = "" if ours is None or runner is runners[0] else f"{ours / speed:,.3g}"
        error = f" {runner.error:.1e} |" if runner.error is not None else " |" * errors
        lines.append(f"| {runner.peer.name} | {runner.version} | {speed:,.3g} | {ratio} |" + error)
    faster = [r.peer.name for r in runners[1:] if r.speeds and ours and statistics.median(r.speeds) > ours]
    if faster:
        lines += ["", f"Faster than ours: {', '.join(faster)}."]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Compare, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="a Markdown page")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--keep", type=Path, help="folder for the virtual environments, kept")
    options = parser.parse_args()
    page = [
        "# Peers on the same work",
        "",
        "<!-- made by: python scripts/compare_peers.py --out docs/peers.md -->",
        "",
        f"One process each, asked in turn, medians of {options.rounds} rounds on one machine "
        f"({platform.machine()}, Python {platform.python_version()}). Read the ratios rather than the speeds.",
        "",
    ]
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for contest in CONTESTS:
            runners = compete(contest, folder, options.rounds)
            failed |= not runners[0].speeds
            page.append(table(contest, runners))
            print(page[-1], flush=True)
    if options.out is not None:
        options.out.write_text("\n".join(page), encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
