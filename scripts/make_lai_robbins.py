"""Draw regret over log(visits) of four policies against the lower bound of Lai and Robbins (1985).

    python scripts/make_lai_robbins.py [--out docs/figures/lai_robbins.png] [--replications N] [--visits T]

The bound: any policy that is good on all instances has regret of at least C log(t), C = sum (best - rate) /
kl(rate, best), in the limit. So the *slopes* of the curves are to be compared to C, not their heights.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image

from bandit_env.experiment import run
from bandit_env.stats.lower_bounds import lai_robbins
from bandit_env.views import canvas, figures, series

ROOT = Path(__file__).parents[1]
RATES = (0.9, 0.8)
AGENTS = {"UCB1": "ucb1", "Bayes-UCB": "bayes-ucb", "KL-UCB": "kl-ucb", "Thompson": "thompson"}
SEED = 1985
START = 20  # visits; before, nothing is known


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "figures" / "lai_robbins.png")
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--visits", type=int, default=10_000)
    options = parser.parse_args()
    scenario = {"rates": list(RATES), "visits_per_day": 1, "min_days": 0, "max_days": options.visits}
    played = run(scenario, AGENTS, options.replications, seed=SEED, traces=0)
    with canvas.style():
        figure = draw(played.cells, options.visits)
        png = figures.render(figure, "png", dpi=160)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    options.out.write_bytes(buffer.getvalue())
    print(f"{options.out}: {len(buffer.getvalue()) / 1024:.0f} kB; C = {lai_robbins(RATES):.4f}")
    for cell in played.cells:
        mean = (cell.curves["cumulative_sum"] / cell.curves["n"]).to_numpy()
        slope = (mean[-1] - mean[len(mean) // 10 - 1]) / np.log(10)
        print(f"{cell.agent}: regret {mean[-1]:.2f}, slope over the last factor of ten {slope:.2f}")


def draw(cells: list, visits: int):
    """Regret against visits on a logarithmic axis, and the bound's slope."""
    figure, [[axes]] = canvas.page(
        f"Regret of four policies against the lower bound, rates {RATES[0]:g} and {RATES[1]:g}",
        "One visit at a time. In the long run no policy's curve can rise less steeply than the dashed lines.",
        f"{cells[0].replications} replications, seed {SEED}; bands: 95 % intervals of the mean. "
        f"Dashed: slope C = {lai_robbins(RATES):.2f} per unit of log(visits), Lai and Robbins (1985).",
        height=3.2,
        right=1.0,
    )
    ends = []
    for index, cell in enumerate(cells):
        curves = cell.curves.iloc[START - 1 :]
        ink = canvas.colour(index)
        band = series.band(*(curves[name].to_numpy() for name in ("cumulative_sum", "cumulative_sumsq", "n")))
        visit = curves["day"].to_numpy()
        axes.fill_between(visit, band.lower, band.upper, color=ink, alpha=0.18, lw=0)
        axes.plot(visit, band.mean, color=ink)
        ends.append((band.mean[-1], cell.agent, ink))
    top = max(end[0] for end in ends)
    for height in np.arange(-40, 80, 10):
        line = height + lai_robbins(RATES) * np.log(np.array([START, visits]) / START)
        axes.plot([START, visits], line, color=canvas.FAINT, ls=(0, (4, 3)), lw=0.9, zorder=0)
    axes.set(xscale="log", xlim=(START, visits), ylim=(0, 1.05 * top))
    axes.set(xlabel="visits (logarithmic)", ylabel="regret, conversions")
    places = canvas.spread([end[0] for end in ends], 0.055 * top, 0, top)
    for place, (_, name, ink) in zip(places, ends, strict=True):
        axes.annotate(name, (1.015, place), xycoords=("axes fraction", "data"), color=ink, va="center")
    return figure


if __name__ == "__main__":
    main()
