"""A long run from the command line, and what the tests that disturb it need to know of it."""

import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent

INTERRUPTED = """
replications = 50_000
[scenario]
rates = [0.04, 0.05]
max_days = 1000
[[agents]]
name = "odd_agents:Slow"
label = "slow"
"""


def finished(out):
    """The chunks that are there, whole."""
    from bandit_env.experiment import chunk

    return {path for path in out.rglob("chunks/*.chunk") if chunk.load(path) is not None}


# Where the tests run in the background of a script, or under nohup, SIGINT is ignored, and that is inherited.
HEARS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"


def start_cli(tmp_path, *options, experiment=INTERRUPTED, before=""):
    (tmp_path / "long.toml").write_text(experiment)
    # "ready" once `main` has begun: what comes before it is Python's own
    script = (
        f"{HEARS}\n{before}\nfrom bandit_env import cli; parser = cli._parser\n"
        "cli._parser = lambda: (print('ready', flush=True), parser())[1]\n"
        "cli.process()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, "run", "long.toml", "--out", "out", *options],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def group_members(group):
    """Processes of a process group that are not zombies."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, process_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(process_group) == group and state != "Z":
            members.append(int(stat.parent.name))
    return members


def wait_for_none(group, seconds=5.0):
    deadline = time.monotonic() + seconds
    while (members := group_members(group)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return members


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def busy_machine():
    """How many times longer things take while other programs want the same cores: at least 1."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
