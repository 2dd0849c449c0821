"""The first run after installation compiles for several seconds; here a second process takes its share of that.

Numba keeps compiled code on disk, where one process finds what another has compiled. While the run compiles the
posterior, which comes first, the process started here compiles the world and the recorder, and has matplotlib look
for fonts. It can only save time: whatever becomes of it, the run compiles what it does not find.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bandit_env.engines.engine import available_cores


@contextlib.contextmanager
def beside() -> Iterator[None]:
    """Compile in a second process during the block, where there is something to compile and a core for it."""
    process = None
    if available_cores() > 1 and not is_compiled():
        command = [sys.executable, "-P", "-m", __name__]
        with contextlib.suppress(OSError):
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def is_compiled() -> bool:
    """Whether the world's code is on disk, or cannot be kept there."""
    from bandit_env.world.dynamics import step

    folder = getattr(getattr(step, "stats", None), "cache_path", None)  # without `stats`: Numba is switched off
    return folder is None or any(Path(folder).glob(f"*.{step.__qualname__}-*.nbi"))


def compile_all() -> None:
    """Compile what every run needs but the posterior, by playing an experiment that does not ask for it."""
    from bandit_env.experiment import run

    run({"rates": [0.04, 0.05], "min_days": 1, "max_days": 1}, ["uniform"], 1, executor=1)
    from matplotlib import font_manager  # noqa: F401 (looks for fonts, and writes down what it finds)

    from bandit_env.views import figures, tensorboard  # noqa: F401 (read from a disk that may be slow)


if __name__ == "__main__":
    compile_all()
