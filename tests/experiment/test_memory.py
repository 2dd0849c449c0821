"""Memory does not grow with the number of replications."""

import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from bandit_env.experiment import run

SCRIPT = """
import resource, sys
from pathlib import Path
from bandit_env.experiment import run, sweep
sweep.CHUNKS_AT_ONCE = 4  # the same width of a job for both
world = {"rates": [0.4, 0.5], "min_days": 100, "max_days": 150}
run(world, ["odd_agents:" + sys.argv[3]], int(sys.argv[1]), executor=1, out=sys.argv[2])
if sys.platform == "linux":  # where ru_maxrss begins with that of the process which started this one
    print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line))
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(replications, out, agent="Even"):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "helpers")}
    command = [sys.executable, "-c", SCRIPT, str(replications), out, agent]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=True)
    return int(done.stdout) / (1 if sys.platform == "darwin" else 1024) / (1024 if sys.platform == "darwin" else 1)


@pytest.mark.skipif(sys.platform == "win32", reason="needs getrusage")
def test_peak_memory_is_the_same_at_20_000_and_60_000_replications(tmp_path):
    """In MiB. The allocator's own whims are worth about 12; 8 bytes of each replication and day would be 31."""
    peak(1_000, tmp_path / "compiling")  # which takes memory of its own, where nothing is on disk yet
    small, large = peak(20_000, tmp_path / "small"), peak(60_000, tmp_path / "large")
    assert large < small + 25
    assert large < 1024
    assert peak(60_000, tmp_path / "leaking", "Leaking") > small + 25, "this test finds what it looks for"


class Living:
    """A watcher that counts how many of the chunks that it was shown are still in memory."""

    def __init__(self):
        self.seen, self.most = [], 0

    def start(self, cells, replications, finished):
        pass

    def advance(self, experiments):
        pass

    def chunks(self, plan, folder, chunks):
        self.seen += [weakref.ref(chunk) for chunk in chunks]
        self.most = max(self.most, sum(chunk() is not None for chunk in self.seen))


@pytest.mark.parametrize("workers", [1, 2])
def test_finished_chunks_are_let_go(tmp_path, monkeypatch, workers):
    monkeypatch.setattr("bandit_env.experiment.sweep.CHUNKS_AT_ONCE", 2)
    living = Living()
    world = {"rates": [0.4, 0.5], "min_days": 2, "max_days": 4}
    run(world, ["odd_agents:Even"], 24_000, executor=workers, out=tmp_path, watcher=living)
    assert len(living.seen) == 24
    assert living.most <= 2 * (workers + 2)  # jobs in hand and on their way
