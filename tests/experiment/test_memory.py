"""Memory does not grow with the number of replications."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import resource, sys
from bandit_env.experiment import run
world = {"rates": [0.4, 0.5], "min_days": 2, "max_days": 4}
run(world, ["odd_agents:Even"], int(sys.argv[1]), executor=1, out=sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(replications, out):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", SCRIPT, str(replications), out]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=True)
    return int(done.stdout) / (1 if sys.platform == "darwin" else 1024) / (1024 if sys.platform == "darwin" else 1)


@pytest.mark.skipif(sys.platform == "win32", reason="needs getrusage")
def test_peak_memory_is_the_same_at_20_000_and_60_000_replications(tmp_path):
    """In MiB. A row is some 100 bytes: all 40,000 more kept in memory, copied a few times, would show."""
    small, large = peak(20_000, tmp_path / "small"), peak(60_000, tmp_path / "large")
    assert large < small + 12
    assert large < 1024
