"""What every worker needs, imported once: by the server that they are forked from."""

import contextlib

import numpy as np

import bandit_env.experiment.job  # noqa: F401
from bandit_env import plugins
from bandit_env.experiment.cell import AGENTS
from bandit_env.world.streams import seed_streams

with contextlib.suppress(ValueError):  # where somebody else's package claims the name; who wants it will be told
    plugins.load(AGENTS, "thompson")
# The first call of compiled code has Numba import all that it knows of NumPy, which takes longer than the rest.
seed_streams(np.zeros((0, 4), np.uint64), np.zeros(0, np.int64), np.zeros(0, np.uint64))
