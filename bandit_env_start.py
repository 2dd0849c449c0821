"""The first lines of `bandit-env`: Ctrl-C ends it without a traceback also while the rest is being imported."""

import os
import signal
from types import FrameType
from typing import NoReturn


def main() -> NoReturn:
    """Import the command line, and hand over to it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    from bandit_env.cli import process

    process()


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    os.write(2, b"bandit-env: interrupted\n")
    os._exit(130)
