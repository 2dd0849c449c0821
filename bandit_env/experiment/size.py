"""How much disk and memory a run takes, for those who ask for much: said, or refused, before anything is played."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bandit_env.errors import ExperimentError
from bandit_env.experiment.cell import CellPlan
from bandit_env.experiment.chunk import CHUNK_SIZE, ROWS
from bandit_env.experiment.config import Experiment
from bandit_env.experiment.results import LISTED_ARMS
from bandit_env.experiment.runner import batches_chunks

PER_ARM_ROW = 3 * 8  # bytes on disk of what a row has of each arm
PER_ARM = 500  # bytes of memory that an arm of an experiment takes while it is played, measured with 10,000 arms
ONCE_MORE = 1.6  # rows are stored as chunks, and joined, and then compressed
NANOSECONDS = (300, 4000)  # an arm of an experiment takes in an update: without and with the posterior, measured
LARGE = 2**30  # bytes from which on it is worth a word


def check_disk(experiment: Experiment, out: Path) -> None:
    """Refuse a run whose rows cannot have room on the disk.

    Raises:
        ExperimentError: says how much it takes, and how much is free.
    """
    least = _rows(experiment)
    free = _free(out)
    if least > max(LARGE, free):
        raise ExperimentError(
            f"{out}: the rows take {_bytes(least)} at the least, and {_bytes(free)} are free there; expected fewer "
            "replications, or a folder on a larger disk"
        )


def remarks(experiment: Experiment, out: Path) -> Iterator[str]:
    """A sentence each about a large run's disk, memory and time."""
    disk = int(_rows(experiment) * ONCE_MORE)
    if disk > LARGE:
        yield f"takes about {_bytes(disk)} of disk, of which {_bytes(_free(out))} are free"
    arms = [cell.task.num_arms for cell in experiment.cells]
    if max(arms) <= LISTED_ARMS:
        return
    memory = max(count * _at_once(experiment, cell) for count, cell in zip(arms, experiment.cells))
    if memory * PER_ARM > LARGE:
        yield f"takes about {_bytes(memory * PER_ARM)} of memory in each process"
    work = experiment.replications * sum(cell.task.num_arms * cell.task.max_updates for cell in experiment.cells)
    low, high = (work * each / 1e9 / 3600 for each in NANOSECONDS)
    if high > 1:
        yield (
            f"takes about {low:,.1f} hours of one core if every experiment goes on to its horizon, and {high:,.0f} "
            "with agents that ask for the posterior"
        )


def _rows(experiment: Experiment) -> int:
    """Bytes of all rows as chunks hold them."""
    common = sum(np.dtype(kind).itemsize for kind in ROWS.values())
    arms = sum(cell.task.num_arms for cell in experiment.cells)
    return experiment.replications * (len(experiment.cells) * common + arms * PER_ARM_ROW)


def _at_once(experiment: Experiment, cell: CellPlan) -> int:
    """Experiments of a cell with many arms that are played side by side in one process."""
    return min(CHUNK_SIZE, experiment.replications) if batches_chunks(cell.build_agent()) else CHUNK_SIZE


def _free(out: Path) -> int:
    """Bytes that are free where a folder is, or will be."""
    there = out.absolute()
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    return shutil.disk_usage(there).free


def _bytes(count: float) -> str:
    return f"{count / 1e12:,.1f} TB" if count >= 1e12 else f"{count / 1e9:,.1f} GB"
