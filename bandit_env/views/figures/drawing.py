"""What figures have in common: what they are drawn of, what comes out, and what captions and headings say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from bandit_env.experiment.results import Cell
from bandit_env.views import series
from bandit_env.views.figures.names import shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_LINES = 10  # arms of an experiment that are drawn, and rates in a caption
MOST_CUT = 4  # agents of which a caption says one by one how many experiments the horizon cut
MAX_AGENTS = 12  # that a figure shows beside each other: as many as there are colours


class Drawing(NamedTuple):
    """A figure, the name of its files, and its caption line."""

    name: str
    figure: "Figure"
    caption: str


@dataclass(frozen=True)
class Scene:
    """What a figure is drawn of: one scenario's cells.

    Attributes:
        cells: one per agent.
        seed: the run's.
        inks: each agent's colour, the same in all figures of a run.
    """

    cells: Sequence[Cell]
    seed: object
    inks: Mapping[str, str]

    @property
    def shown(self) -> Sequence[Cell]:
        """The cells that there is room for."""
        return self.cells[:MAX_AGENTS]

    @property
    def unit(self) -> str:
        """What time is counted in: "day" or "visit"."""
        return series.time_unit(self.cells[0])

    def ink(self, cell: Cell) -> str:
        """A cell's colour."""
        return self.inks[cell.agent]

    def names(self, cells: Sequence[Cell] | None = None) -> dict[str, str]:
        """Each agent's name as it stands beside a line: a long one is cut where it does not differ from the others."""
        return shorten([cell.agent for cell in (self.shown if cells is None else cells)])

    def caption(self, note: str, cells: Sequence[Cell] | None = None) -> str:
        """R, seed and scenario, as every figure says them; a note; and how many of the agents are shown."""
        cells = self.shown if cells is None else cells
        cell = cells[0]
        counts = sorted({len(c.columns(["replication"])) for c in cells})
        replications = " to ".join(f"{n:,}" for n in dict.fromkeys((counts[0], counts[-1])))
        rates = "rates drawn anew" if cell.rates is None else f"rates {_some(cell.rates)}"
        traffic = f"{cell.task.visits_per_day:,} visits a day"
        where = f"{cell.scenario}: {rates}" + ("" if series.time_unit(cell) == "visit" else f"; {traffic}")
        return f"Experiments: R = {replications}, seed {self.seed}  ·  {where}  ·  {note}"

    def of_all(self, shown: Sequence[Cell], among: Sequence[Cell] | None = None, which: str = "the first") -> str:
        """How many of the agents are shown, for a caption, where not all are: "3 of 6 agents"."""
        among = self.cells if among is None else among
        if len(shown) == len(among):
            return ""
        return f"  ·  {len(shown)} of {len(among):,} agents{f', {which}' if which else ''}"

    def cut(self, cells: Sequence[Cell]) -> str:
        """What the horizon cut: those experiments' times are at least, and what they save at most, what is drawn."""
        shares = [(c.agent, float((c.columns(["declared_arm"])["declared_arm"] < 0).mean())) for c in cells]
        cut = [f"{agent} {100 * share:.3g} %" for agent, share in shares if share]
        if not cut:
            return ""
        if len(cut) > MOST_CUT:
            low, high = min(share for _, share in shares), max(share for _, share in shares)
            cut = [f"{100 * low:.3g} to {100 * high:.3g} % of each agent's"]
        horizon = f"{self.unit} {series.in_units(cells[0], cells[0].task.max_days):,.10g}"
        return f"  ·  undecided, and cut by the horizon ({horizon}): {', '.join(cut)}"


def _some(rates: Sequence[float]) -> str:
    shown = ", ".join(f"{rate:g}" for rate in rates[:MAX_LINES])
    return shown + (f", ... ({len(rates):,} arms)" if len(rates) > MAX_LINES else "")
