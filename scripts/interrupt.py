"""Press Ctrl-C at random moments of a run, and tell how often it ended in time and in one sentence.

    python scripts/interrupt.py --tries 200

One and two workers, with compiled code on disk and without, in turn. Exit status 1 where a run took longer than two
seconds, or said anything but the hint. The moments are drawn from the seed; what they hit is up to the machine.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXPERIMENT = """
replications = 2_000_000
[scenario]
rates = [0.04, 0.05]
max_days = 1000
[[agents]]
name = "thompson"
stopping = "value-remaining"
"""
IN_TIME = 2.0  # seconds
HEARS = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import bandit_env_start as s; s.main()"
)


def interrupt(folder: Path, number: int, workers: int, cache: str, after: float) -> tuple[float, str]:
    """Interrupt one run so many seconds after its start: how long it took to end, and what was wrong with that."""
    out = f"out-{number}"
    command = [sys.executable, "-c", HEARS, "run", "long.toml", "--workers", str(workers), "--out", out]
    environment = os.environ | {"NUMBA_CACHE_DIR": cache}
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=folder, env=environment, text=True, start_new_session=True, **pipe) as process:
        time.sleep(after)
        begin = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        try:
            _, said = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return 30.0, "did not end"
    took = time.monotonic() - begin
    if "Traceback" in said or "Exception" in said:
        return took, f"a traceback:\n{said}"
    if process.returncode != 130 or "bandit-env: interrupted" not in said:
        return took, f"exit status {process.returncode}:\n{said}"
    return took, "" if took <= IN_TIME else f"took {took:.2f} s"


def main() -> int:
    """Interrupt, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--within", type=float, default=12.0, metavar="T", help="the latest moment, in seconds")
    parser.add_argument("--earliest", type=float, default=0.1, metavar="T", help="before it, Python itself starts")
    options = parser.parse_args()
    chance, slowest, good = random.Random(options.seed), 0.0, 0
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "long.toml").write_text(EXPERIMENT, encoding="utf-8")
        for number in range(options.tries):
            workers, full = 1 + number % 2, number // 2 % 2
            cache = f"{name}/cache" if full else f"{name}/cache-{number}"
            after = chance.uniform(options.earliest, options.within)
            took, wrong = interrupt(Path(name), number, workers, cache, after)
            slowest, good = max(slowest, took), good + (not wrong)
            if wrong:
                print(f"try {number}, {workers} workers, cache {'full' if full else 'empty'}, {after:.3f} s: {wrong}")
    print(f"{good} of {options.tries} ended within {IN_TIME:g} s with the hint; the slowest took {slowest:.2f} s")
    return 0 if good == options.tries else 1


if __name__ == "__main__":
    sys.exit(main())
