"""Train clients that others wrote on the ids to learn on, by id alone, and write the tables of docs/learners.md.

`python scripts/try_learners.py [--only skrl,torchrl] [--scale 1]`: each client gets a virtual environment of its own
under `--home`, made with pip unless it is there, and runs its file of scripts/learners/, one after the other: one seed,
one thread. Its policy then plays the same experiments as Thompson sampling. CleanRL's scripts come from its repository,
cloned with git, or from `--cleanrl FOLDER`. A row that does not run says so. Rows of clients that were not run stay.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import gymnasium as gym
import numpy as np

import agents
import bandit_env  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
CLEANRL = "https://github.com/vwxyzjn/cleanrl"
TABLE, LINES = (f"<!-- {name} of scripts/try_learners.py -->" for name in ("table", "lines"))
DAILY, MENU, VISITS = (f"bandit_env/{name}-v0" for name in ("LearnDaily", "LearnDailyMenu", "LearnPerVisit"))


class Client(NamedTuple):
    """What is installed, which file runs, and what it runs: an algorithm, an id, steps."""

    name: str
    package: str  # the version that the table names
    file: str
    installs: tuple[str, ...]
    runs: tuple[tuple[str, str, int], ...]


CLIENTS = {
    "sb3": Client("Stable-Baselines3", "stable-baselines3", "sb3_learner.py", ("stable-baselines3",), (
        ("PPO", DAILY, 300_000), ("A2C", DAILY, 300_000), ("SAC", DAILY, 7_500), ("DQN", MENU, 30_000),
        ("PPO", VISITS, 300_000), ("DQN", VISITS, 30_000),
    )),
    "zoo": Client("RL Zoo", "rl-zoo3", "zoo_learner.py", ("rl-zoo3",), (("PPO", DAILY, 60_000), ("DQN", MENU, 30_000))),
    "cleanrl": Client("CleanRL", "cleanrl", "cleanrl_learner.py", ("torch", "tyro", "tensorboard"), (
        ("ppo_continuous_action", DAILY, 40_000), ("sac_continuous_action", DAILY, 6_000), ("ppo", MENU, 40_000),
        ("dqn", MENU, 40_000), ("ppo", VISITS, 40_000), ("dqn", VISITS, 40_000),
    )),
    "tianshou": Client("Tianshou", "tianshou", "tianshou_learner.py", ("tianshou[eval]",), (
        ("PPO", DAILY, 40_000), ("DQN", MENU, 15_000),
    )),
    "skrl": Client("skrl", "skrl", "skrl_learner.py", ("skrl[torch]",), (
        ("PPO", DAILY, 100_000), ("PPO", MENU, 100_000), ("PPO", VISITS, 100_000),
    )),
    "torchrl": Client("TorchRL", "torchrl", "torchrl_learner.py", ("torchrl",), (
        ("PPO", DAILY, 102_400), ("PPO", MENU, 102_400), ("PPO", VISITS, 102_400),
    )),
    "rllib": Client("RLlib", "ray", "rllib_learner.py", ("ray[rllib]", "torch"), (
        ("PPO", DAILY, 102_400), ("PPO", MENU, 102_400), ("PPO", VISITS, 102_400),
    )),
    "agilerl": Client("AgileRL", "agilerl", "agilerl_learner.py", ("agilerl", "peft"), (
        ("PPO", DAILY, 100_000), ("PPO", MENU, 100_000), ("PPO", VISITS, 100_000),
    )),
    "d3rlpy": Client("d3rlpy", "d3rlpy", "d3rlpy_learner.py", ("d3rlpy",), (
        ("SAC", DAILY, 7_500), ("DQN", MENU, 20_000), ("DQN", VISITS, 20_000),
    )),
}  # fmt: skip


def environment(key: str, home: Path) -> Path:
    """The Python of a client's virtual environment, made unless it is there."""
    python = home / key / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home / key)], check=True)
        pip = [str(python), "-m", "pip", "install", "-q"]
        done = subprocess.run([*pip, *CLIENTS[key].installs, "-e", str(ROOT)], capture_output=True, text=True)
        if done.returncode:  # clients that pin an old Gymnasium: theirs first, then ours over it
            subprocess.run([*pip, *CLIENTS[key].installs], check=True)
            subprocess.run([*pip, "-e", str(ROOT)], check=True)
    return python


def version(python: Path, package: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True)
    return done.stdout.strip() or "its repository"


def run(python: Path, client: Client, algorithm: str, env_id: str, steps: int, extra: list[str]) -> str:
    """The table's last columns: steps, seconds, loss; or why there are none."""
    environ = os.environ | {"OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled", "RAY_DEDUP_LOGS": "0"}
    command = [str(python), str(ROOT / "scripts" / "learners" / client.file), algorithm, env_id, str(steps), *extra]
    with tempfile.TemporaryDirectory() as folder:  # for what clients leave where they run
        done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True)
    found = [line for line in done.stdout.splitlines() if line.startswith('{"loss"')]
    if not found:
        last = (done.stderr.strip().splitlines() or ["no result"])[-1]
        return f"{steps:,} | – | failed: {last[:100]}"
    told = json.loads(found[-1])
    return f"{told['steps']:,} | {told['seconds']:.0f} | {told['loss']:.2f} ± {told['error']:.2f}"


def thompson_losses(env_id: str, experiments: int = 2000) -> np.ndarray:
    """What Thompson sampling loses in each experiment, on the same seeds; daily with the rule value-remaining."""
    env, per_visit = gym.make_vec(env_id, num_envs=experiments, autoreset_mode="Disabled"), env_id == VISITS
    world, total = env.unwrapped.world, np.zeros(experiments)
    agent = agents.make(
        "thompson", prior=(1, 1) if per_visit else (4, 96), stopping=None if per_visit else "value-remaining"
    )
    agent.reset(env.unwrapped.task, experiments, np.random.default_rng(0))
    env.reset(seed=10**6)
    rng = np.random.default_rng(1)
    while not world.ended.all():
        rows = np.flatnonzero(~world.ended)
        counts = {"visits": world.visits[rows], "conversions": world.conversions[rows], "day": world.day[rows, None]}
        actions = np.zeros((experiments, world.rates.shape[1] + 1), np.float32)
        actions[rows] = agent.act(counts, rows)
        outcome = world.advance(one_arm(actions, rng)) if per_visit else world.step(actions)
        total -= outcome.reward
    return total


def one_arm(actions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An arm drawn by its weight: a visit cannot be split."""
    weights = actions[:, :-1].astype(float)
    weights[weights.sum(axis=1) == 0] = 1
    chance = rng.random((len(weights), 1)) * weights.sum(axis=1, keepdims=True)
    return (weights.cumsum(axis=1) < chance).sum(axis=1).clip(max=weights.shape[1] - 1).astype(np.int64)


def lines_of(file: str) -> str:
    """A client's file for the page."""
    text = (ROOT / "scripts" / "learners" / file).read_text()
    head, code = re.match(r'"""(.*?)"""\n\n(.*)', text, re.DOTALL).groups()
    return f"### {head.splitlines()[0]}\n\n<!-- not run: in the client's own environment -->\n```python\n{code}```\n"


def write(page: Path, rows: dict[str, list[str]]) -> None:
    """Put new rows over the page's old ones, and the lines that were run below them."""
    before, old, after = page.read_text().split(TABLE)
    kept: dict[str, list[str]] = {}
    for line in old.strip().splitlines()[2:]:
        kept.setdefault(line.split("|")[1].strip().split(" ")[0], []).append(line)
    kept |= rows
    head = "| client | algorithm | id | steps | seconds | loss |\n| --- | --- | --- | --- | --- | --- |\n"
    names = ["Thompson", *(client.name.split(" ")[0] for client in CLIENTS.values())]
    order = sorted(kept, key=names.index)
    table = head + "\n".join(line for name in order for line in kept[name])
    page.write_text(TABLE.join([before, f"\n{table}\n", after]))
    before, _, after = page.read_text().split(LINES)
    shown = "\n".join(lines_of(client.file) for client in CLIENTS.values())
    page.write_text(LINES.join([before, f"\n{shown}", after]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(CLIENTS))
    parser.add_argument("--scale", type=float, default=1.0, help="of the steps of each run")
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "learners")
    parser.add_argument("--cleanrl", type=Path, help="a copy of CleanRL's repository")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "learners.md")
    args = parser.parse_args()
    ids = (DAILY, MENU, VISITS)
    rivals = []
    for env_id in ids:
        loss = thompson_losses(env_id)
        error = loss.std() / np.sqrt(loss.size)
        rivals.append(f"| Thompson sampling | – | `{env_id}` | – | – | {loss.mean():.2f} ± {error:.2f} |")
    write(args.out, {"Thompson": rivals})
    for key in args.only:
        client, rows, extra = CLIENTS[key], [], []
        try:
            python = environment(key, args.home)
            if key == "cleanrl":
                copy = args.cleanrl or args.home / "cleanrl-scripts"
                if not copy.exists():
                    subprocess.run(["git", "clone", "-q", "--depth", "1", CLEANRL, str(copy)], check=True)
                extra = [str(copy)]
        except (subprocess.CalledProcessError, OSError) as error:
            rows.append(f"| {client.name} | – | – | – | – | could not be installed: {error} |")
        else:
            name = f"{client.name} {version(python, client.package)}"
            for algorithm, env_id, steps in client.runs:
                told = run(python, client, algorithm, env_id, int(steps * args.scale), extra)
                rows.append(f"| {name} | {algorithm} | `{env_id}` | {told} |")
                print(rows[-1], flush=True)
        write(args.out, {client.name.split(" ")[0]: rows})


if __name__ == "__main__":
    main()
