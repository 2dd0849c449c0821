"""The scripts as modules, to test what they are made of."""

import importlib
import sys
from pathlib import Path

SCRIPTS = str(Path(__file__).parents[2] / "scripts")


def load(name):
    if SCRIPTS not in sys.path:
        sys.path.insert(0, SCRIPTS)  # as where a script is run: they import each other
    return importlib.import_module(name)
