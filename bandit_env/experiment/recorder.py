"""Writes down a batch as it is played: rows as experiments end, curves and traces update by update."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit_env.compilation import kept
from bandit_env.experiment.cell import CellPlan, Part
from bandit_env.experiment.chunk import CHUNK_SIZE, CURVES, ROWS, Chunk, arm_columns
from bandit_env.experiment.estimates.sums import Estimates
from bandit_env.experiment.results import LISTED_ARMS, TYPICAL_OF, Trace, typical
from bandit_env.stats.posterior import potential_value_remaining
from bandit_env.world.task import Task

Counts = dict[str, NDArray[np.float64]]

VALUE_REPLICATIONS = 200
"""Potential value remaining needs a root search for each experiment, so its curve is of the first 200 only, and begins
with the first day that may stop. Of more than LISTED_ARMS arms there is none: it would take longer than the run."""


MAX_NOTED = 2**22
"""Experiments x arms x updates that are noted to choose a typical experiment from, at the most: some 120 MB."""


def value_grid(max_updates: int) -> NDArray[np.int64]:
    """The updates at which potential value remaining is computed: the first 30, then each about 5 % later."""
    later = 30 * 1.05 ** np.arange(1 + max(0, np.log(max(max_updates, 30) / 30) / np.log(1.05)))
    return np.unique(np.concatenate([np.arange(30), later.astype(np.int64)]))


class Recorder:
    """The record of a batch of chunks played side by side."""

    def __init__(
        self,
        plan: CellPlan,
        parts: Sequence[Part],
        played: Sequence[int],
        rates: NDArray[np.float64],
        prior: tuple[float, float],
    ) -> None:
        size, num_arms = rates.shape
        self._plan, self._parts, self._rates, self._prior = plan, parts, rates, prior
        place = np.concatenate([np.arange(n) for n in played])
        kept = np.concatenate([np.arange(n) < part.replications for part, n in zip(parts, played)])
        chunk = np.repeat(np.arange(len(parts)), played)
        self.replication = np.repeat([part.chunk * CHUNK_SIZE for part in parts], played) + place
        self._chunk = np.where(kept, chunk, -1)  # -1: surplus, played for the sake of the agent's stream only
        self._regret = np.zeros(size)
        self._settled = np.zeros((len(parts), 2))  # cumulative regret of the ended: sum, sum of squares
        self._curves = np.zeros((min(plan.task.max_updates, 512) + 1, len(parts), len(CURVES)))
        self._updates = 0
        grid = value_grid(plan.task.max_updates)
        self._value_updates = set(grid[grid >= plan.task.min_days * plan.task.updates_per_day].tolist())
        valued = VALUE_REPLICATIONS if num_arms <= LISTED_ARMS else 0
        self._valued = int(np.count_nonzero((self.replication < valued) & kept))  # the first so many rows
        self._traced = np.flatnonzero((self.replication < _candidates(plan.traces, plan.task)) & kept)
        self._steps: list[tuple[NDArray[Any], ...]] = []
        self._estimates = Estimates(plan, rates, prior) if plan.estimates else None
        self._rows: dict[str, NDArray[Any]] = {name: np.zeros(size, dtype) for name, dtype in ROWS.items()}
        self._counts = {name: np.zeros((size, num_arms), np.int64) for name in ("visits", "conversions")}

    def update(
        self,
        running: NDArray[np.intp],
        over: NDArray[np.bool_],
        before: Counts,
        after: Counts,
        actions: NDArray[np.float32],
        info: dict[str, Any],
    ) -> None:
        """Write down one update: `running` experiments were asked, of which those `over` stopped instead."""
        if self._updates == len(self._curves):
            self._curves = np.concatenate([self._curves, np.zeros_like(self._curves)])
        curves = self._curves[self._updates]
        _accumulate(
            running,
            over,
            self._chunk,
            before["visits"],
            after["visits"],
            info["rates"],
            info["best_rate"],
            info["regret"],
            self._regret,
            self._settled,
            curves,
        )
        if self._plan.first_update + self._updates in self._value_updates:
            self._potential_value(running[~over], before, curves)
        if self._traced.size:
            self._trace(running[~over], before, actions, info)
        if self._estimates is not None:
            self._estimates.update(running[~over], before, after, actions, info)
        self._updates += 1

    def end(self, ended: NDArray[np.intp], after: Counts, info: dict[str, Any], claims: NDArray[np.bool_]) -> None:
        """Write down the rows of the experiments that have just ended."""
        for name in ("stopping_day", "declared_arm", "correct", "regret_after"):
            self._rows[name][ended] = info[name][ended]
        self._rows["loss"][ended] = self._regret[ended] + info["loss_after"][ended]
        self._rows["best_rate"][ended] = self._rates[ended, info["best_arm"][ended]]
        self._rows["claimed_winner"][ended] = claims
        for name, counts in self._counts.items():
            counts[ended] = after[name][ended]
        if self._estimates is not None:
            self._estimates.end(ended, after)

    def chunks(self) -> list[Chunk]:
        """The results, a chunk each."""
        rows = self._rows
        rows["replication"][:] = self.replication
        rows["regret"][:] = self._regret
        for name, counts in self._counts.items():
            rows[name][:] = counts.sum(axis=1)
        rows |= arm_columns({"rate": self._rates, **self._counts})
        if self._estimates is not None:
            rows |= self._estimates.columns()
        return [self._one_chunk(index) for index in range(len(self._parts))]

    def _one_chunk(self, index: int) -> Chunk:
        mine = self._chunk == index
        curves = self._curves[: self._updates, index]
        served = np.flatnonzero(curves[:, CURVES.index("running")])
        length = served[-1] + 1 if served.size else 0
        rows = {name: column[mine] for name, column in self._rows.items()}
        first = int(np.argmax(mine))  # the chunk's experiments lie one after the other
        traces = [self._one_trace(first + place) for place in self._kept(rows)] if mine.any() else []
        return Chunk(rows, curves[:length].copy(), traces)

    def _kept(self, rows: dict[str, NDArray[Any]]) -> list[int]:
        """Which of a chunk's experiments are kept update by update: the first few; a single one is a typical one."""
        wanted = self._plan.traces
        if wanted != 1 or rows["replication"][0] != 0:
            return [place for place, replication in enumerate(rows["replication"][:wanted]) if replication < wanted]
        among = range(min(_candidates(wanted, self._plan.task), len(rows["replication"])))
        return [typical(rows["stopping_day"], rows["regret"], among)]

    def _potential_value(self, served: NDArray[np.intp], before: Counts, curves: NDArray[np.float64]) -> None:
        rows = served[: np.searchsorted(served, self._valued)]
        if rows.size:
            asked = rows if self._updates else rows[:1]  # before the first update all are alike: nothing is known yet
            values = potential_value_remaining(before["conversions"][asked], before["visits"][asked], prior=self._prior)
            index = self._chunk[rows[0]]
            curves[index, CURVES.index("value_n")] = rows.size
            curves[index, CURVES.index("value_sum")] = values.mean() * rows.size

    def _trace(
        self, served: NDArray[np.intp], before: Counts, actions: NDArray[np.float32], info: dict[str, Any]
    ) -> None:
        place = np.searchsorted(served, self._traced)
        self._traced = self._traced[served.take(place, mode="clip") == self._traced] if served.size else served
        rows = self._traced
        if rows.size:
            scores = actions[rows, :-1]
            total = scores.sum(axis=1, keepdims=True)
            weights = np.divide(scores, total, out=np.full_like(scores, 1 / scores.shape[1]), where=total > 0)
            counts = before["visits"][rows], before["conversions"][rows]
            self._steps.append(
                (
                    rows,
                    before["day"][rows, 0],
                    weights,
                    *counts,
                    info["rates"][rows],
                    info["served"][rows].astype(np.float64),
                )
            )

    def _one_trace(self, row: int) -> Trace:
        steps = [[column[place] for column in columns] for columns, place in self._updates_of(row)]
        if not steps:
            none, nothing = np.zeros((0, self._rates.shape[1])), np.zeros(0)
            return Trace(int(self.replication[row]), nothing, none.astype(np.float32), none, none, none, nothing)
        day, weights, visits, conversions, rates, traffic = (np.array(column) for column in zip(*steps))
        return Trace(int(self.replication[row]), day, weights, visits, conversions, rates, traffic)

    def _updates_of(self, row: int) -> Iterator[tuple[tuple[NDArray[Any], ...], int]]:
        """What was noted of each update in which an experiment was served, and its place in that."""
        for rows, *columns in self._steps:
            place = int(np.searchsorted(rows, row))
            if place < rows.size and rows[place] == row:
                yield tuple(columns), place


def _candidates(traces: int, task: Task) -> int:
    """How many experiments are noted update by update: those asked for, or, for a typical one, some to choose from."""
    if traces != 1:
        return traces
    return TYPICAL_OF if TYPICAL_OF * task.num_arms * task.max_updates <= MAX_NOTED else 1


@kept([Path(__file__)])
def _accumulate(  # type: ignore[no-untyped-def]
    running, over, chunk, visits_before, visits_after, rates, best_rate, regrets, cumulative, settled, curves
):  # pragma: no cover
    """Add one update to the curves (chunks, len(CURVES)), in the rows' order within each chunk.

    So a chunk's sums have the same bits whatever was played beside it.
    """
    num_arms = rates.shape[1]
    for i in range(running.size):
        row = running[i]
        c = chunk[row]
        if c < 0:
            if not over[i]:
                cumulative[row] += regrets[row]
            continue
        if over[i]:
            settled[c, 0] += cumulative[row]
            settled[c, 1] += cumulative[row] * cumulative[row]
            continue
        regret = regrets[row]
        cumulative[row] += regret
        total = cumulative[row]
        served = 0.0
        served_best = 0.0
        for k in range(num_arms):
            visits = visits_after[row, k] - visits_before[row, k]
            served += visits
            if rates[row, k] == best_rate[row]:
                served_best += visits
        curves[c, 9] += served > 0
        share = served_best / served if served > 0 else 0.0
        curves[c, 0] += 1
        curves[c, 1] += regret
        curves[c, 2] += regret * regret
        curves[c, 3] += total
        curves[c, 4] += total * total
        curves[c, 5] += share
        curves[c, 6] += share * share
    for c in range(curves.shape[0]):
        curves[c, 3] += settled[c, 0]
        curves[c, 4] += settled[c, 1]
