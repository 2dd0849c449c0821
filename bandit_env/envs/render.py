"""A running experiment as a table of text, and as a picture of it."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit_env.envs.spaces import World

Picture = NDArray[np.uint8]  # (height, width, 3)
COLUMNS, MOST_LINES = 80, 42  # of a picture; 40 arms, beyond which the rest are left out
FONT_SIZE, MARGIN = 14, 10  # pixels


def draw(world: World, row: int, served: NDArray[np.float64]) -> str:
    """One experiment as a table with a row per arm.

    Args:
        world: the simulation.
        row: the experiment's place in it.
        served: the visits of its last update, shape (K,): "share" is each arm's share of them. "rate" is the observed
            one, "true" that of the update just served (of the first day, before it).
    """
    visits, conversions, rates = world.visits[row], world.conversions[row], world.rates[row]
    total = served.sum()
    head = f"{'arm':>3} {'visits':>16} {'conversions':>16} {'rate':>8} {'true':>8} {'share':>6}"
    lines = [_headline(world, row), head]
    for arm in range(visits.size):
        rate = f"{conversions[arm] / visits[arm]:.5f}" if visits[arm] else "-"
        share = f"{served[arm] / total:.3f}" if total else "-"
        counts = f"{visits[arm]:>16,.0f} {conversions[arm]:>16,.0f}"
        lines.append(f"{arm:>3} {counts} {rate:>8} {rates[arm]:>8.5f} {share:>6}")
    return "\n".join(lines) + "\n"


def _headline(world: World, row: int) -> str:
    time = f"{world.clock} {world.day[row]:g} of {world.task_of(row).max_days}"
    if not world.ended[row]:
        return f"{time}, running"
    declared = world.state.declared[row]
    if declared < 0:
        return f"{time}, ended"
    return f"{time}, ended: arm {declared} declared"


def paint(table: str) -> Picture:
    """A table as a picture, shape (height, width, 3): as wide as any, its height by the number of arms, both even."""
    from PIL import Image, ImageDraw  # a picture is seldom asked for

    font, width, height = _font()
    lines = table.splitlines()
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], f"    and {len(lines) - MOST_LINES} arms more"]
    size = (2 * MARGIN + COLUMNS * width, 2 * MARGIN + len(lines) * height)
    image = Image.new("RGB", (size[0] + size[0] % 2, size[1] + size[1] % 2), "white")
    canvas = ImageDraw.Draw(image)
    for i, line in enumerate(lines):
        canvas.text((MARGIN, MARGIN + i * height), line[:COLUMNS], fill="black", font=font)
    return np.array(image)


@cache
def _font() -> tuple[Any, int, int]:
    """A font of letters of one width, which matplotlib brings; and the width and height of a letter, in pixels."""
    import matplotlib
    from PIL import ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSansMono.ttf"
    font = ImageFont.truetype(str(path), FONT_SIZE)
    return font, int(np.ceil(font.getlength("0"))), FONT_SIZE + 5
