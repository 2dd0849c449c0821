"""Make the figures of the README: the article's five, regret by day, and the operating characteristic.

    python scripts/make_figures.py [--out docs/figures] [--replications N]

Plays configs/ab_test.toml and configs/six_arms.toml with their own seeds.
"""

import argparse
import io
from pathlib import Path

from PIL import Image

from bandit_env.experiment import config
from bandit_env.experiment.sweep import choose_engine, execute
from bandit_env.views import figures

ROOT = Path(__file__).parents[1]
WANTED = {
    "ab_test": ("weights", "savings", "regret", "operating-characteristic"),
    "six_arms": ("weights", "savings", "daily-cost"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "figures")
    parser.add_argument("--replications", type=int, help="default: as the configs say")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, kinds in WANTED.items():
        experiment = config.load(ROOT / "configs" / f"{name}.toml", replications=options.replications)
        run = execute(experiment, engine=choose_engine(None))
        for drawing in figures.all_figures(run):
            if drawing.name in [f"{name}-{kind}" for kind in kinds]:
                path = options.out / f"{drawing.name}.png"
                path.write_bytes(small(figures.render(drawing.figure, "png", dpi=160)))
                print(f"{path}: {path.stat().st_size / 1024:.0f} kB. {drawing.caption}")


def small(png: bytes) -> bytes:
    """The same picture with 64 colours, a third of the size."""
    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(64, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
