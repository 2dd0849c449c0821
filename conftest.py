"""Docstring examples of modules that need an extra are collected only where it is installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("stable_baselines3") else ["bandit_env/rl/sb3.py"]
