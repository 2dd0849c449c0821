"""Docstring examples of modules that need an extra are collected only where it is installed."""

from importlib.util import find_spec

import pytest

collect_ignore = [] if find_spec("stable_baselines3") else ["bandit_env/rl/sb3.py"]


@pytest.fixture(autouse=True)
def as_wide_as_a_file(monkeypatch):
    """Parallel test workers set COLUMNS; what is printed into a pipe has no width of its own."""
    monkeypatch.delenv("COLUMNS", raising=False)
