"""Who watches a run: a progress bar, and TensorBoard's `progress/*` tags."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bandit_env.experiment.cell import CellPlan
from bandit_env.experiment.chunk import CHUNK_SIZE, Chunk
from bandit_env.experiment.sweep import Watcher
from bandit_env.views import tensorboard
from bandit_env.world.scenario import Scenario

STEP = 0.025  # share of the bar that it moves by from one picture to the next
WORDS = 72  # letters beside the bar


class ProgressBar:
    """One bar over all experiments of all cells, with the time that it took and that is left, on standard error.

    It moves with what has been played, so also where experiments all end together, and in steps of 2.5 %: where many
    have ended at once, it catches up in a few pictures.

    Args:
        compiling: whether the first thing to be done is to compile, which is said until something moves.
    """

    def __init__(self, compiling: bool = False) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=max(5, min(30, console.width - WORDS))),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[ended]}"),
            TimeElapsedColumn(),
            TextColumn("elapsed"),
            TimeRemainingColumn(),
            TextColumn("remaining"),
            console=console,
        )
        self._compiling = compiling
        self._task = self._progress.add_task("starting", total=None, ended="")
        self._wanted = self._ended = 0
        self._moved = self._shown = 0.0

    def __enter__(self) -> "ProgressBar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress.tasks[0].total is None:  # it did not come to that: leave no empty bar behind
            self._progress.update(self._task, visible=False)
        self._progress.stop()

    def start(self, cells: int, replications: int, finished: int) -> None:
        """See `Watcher`."""
        self._wanted, self._ended, self._moved = cells * replications, finished, float(finished)
        self._shown = self._moved
        words = "compiling" if self._compiling else "playing"
        self._progress.update(self._task, description=words, total=max(self._wanted, 1), completed=self._moved)
        self._say_ended()

    def surplus(self, experiments: int) -> None:
        """See `Watcher`. Counts them in, and says why."""
        self._wanted += experiments
        self._progress.update(self._task, total=self._wanted)
        self._say_ended()
        self._progress.console.print(
            f"{experiments:,} experiments more than asked for: agents that draw play whole batches of {CHUNK_SIZE:,}, "
            "so that a longer run begins with the same rows",
            highlight=False,
            soft_wrap=True,
        )

    def advance(self, experiments: int) -> None:
        """See `Watcher`."""
        self._ended += experiments
        self._say_ended()

    def moved(self, experiments: float) -> None:
        """See `Watcher`."""
        self._moved += experiments
        self._progress.update(self._task, description="playing")
        step = STEP * max(self._wanted, 1)
        while self._moved - self._shown >= step:
            self._shown += step
            self._progress.update(self._task, completed=min(self._shown, self._wanted), refresh=True)
        if self._wanted - self._moved < 1e-6:  # a sum of fractions
            self._progress.update(self._task, completed=self._wanted)

    def _say_ended(self) -> None:
        self._progress.update(self._task, ended=f"{self._ended:,} of {self._wanted:,} experiments")

    def chunks(self, plan: CellPlan, folder: str, chunks: Sequence[Chunk]) -> None:
        """See `Watcher`."""


class EventFiles:
    """Writes `progress/*` into each cell's folder while the run goes on."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._writers: dict[str, tensorboard.Progress] = {}
        self._equal: dict[str, bool] = {}  # whether a scenario's arms are, which takes a while to find out
        self._seen: dict[str, dict[str, float]] = {}

    def __enter__(self) -> "EventFiles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()

    def start(self, cells: int, replications: int, finished: int) -> None:
        """See `Watcher`."""

    def advance(self, experiments: int) -> None:
        """See `Watcher`."""

    def chunks(self, plan: CellPlan, folder: str, chunks: Sequence[Chunk]) -> None:
        """See `Watcher`. The means so far, over the replications that this run has played."""
        seen = self._seen.setdefault(folder, {"replications": 0, "stopping_day": 0, "regret": 0, "correct": 0})
        for chunk in chunks:
            seen["replications"] += chunk.replications
            for name in ("stopping_day", "regret", "correct"):
                seen[name] += float(chunk.rows[name].sum())
        count = int(seen["replications"])
        if folder not in self._writers:
            self._writers[folder] = tensorboard.Progress(self._out / folder)
        if plan.scenario not in self._equal:
            self._equal[plan.scenario] = Scenario(**plan.world).equal_arms
        correct = None if self._equal[plan.scenario] else seen["correct"] / count
        with contextlib.suppress(OSError):  # what cannot be written is told by the store, which has more to lose
            self._writers[folder].update(
                count, stopping_day=seen["stopping_day"] / count, regret=seen["regret"] / count, correct=correct
            )


class Together:
    """Several watchers as one."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def start(self, cells: int, replications: int, finished: int) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.start(cells, replications, finished)

    def surplus(self, experiments: int) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            if hasattr(watcher, "surplus"):
                watcher.surplus(experiments)

    def advance(self, experiments: int) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.advance(experiments)

    def moved(self, experiments: float) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            if hasattr(watcher, "moved"):
                watcher.moved(experiments)

    def chunks(self, plan: CellPlan, folder: str, chunks: Sequence[Chunk]) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.chunks(plan, folder, chunks)
