"""Daily counts or running totals? What the table was said to hold, and what it looks like."""

from collections.abc import Mapping

import numpy as np

from bandit_env.desk.findings import Check
from bandit_env.tables.cells import Floats, TableError

FEW_FALLS = 0.1  # of the steps: a correction in running totals rather than daily counts
ENOUGH_STEPS = 12  # never falling by chance: about 2^-12
GROWTH = 0.25  # of the first day's traffic, that running totals grow by in a day at least


def resolve(
    table: Mapping[str, Floats], names: tuple[str, ...], cumulative: bool
) -> tuple[tuple[Floats, Floats], list[Check]]:
    """Daily counts (T, K) of visits and conversions, and what to say about them.

    Args:
        table: "visits", "conversions" and "row" (as a person counts it), shape (T, K); NaN where there is no row.
        names: the arms'.
        cumulative: the table was said to hold running totals.

    Raises:
        TableError: running totals that fall here and there.
    """
    visits, conversions = table["visits"], table["conversions"]
    totals = _carried(visits), _carried(conversions)
    steps = [np.diff(part, axis=0) for part in totals]
    if not cumulative:
        return (visits, conversions), _warn_of_totals(totals[0], steps)
    fallen = [(step < 0) for step in steps]
    if any(part.any() for part in fallen):
        share = sum(int(part.sum()) for part in fallen) / sum(part.size for part in fallen)
        what = 0 if fallen[0].any() else 1
        t, k = (int(i) for i in np.argwhere(fallen[what])[0])
        before, after = totals[what][t, k], totals[what][t + 1, k]
        said = (
            f"row {table['row'][t + 1, k]:.0f}: {('visits', 'conversions')[what]} of {names[k]!r} fall from "
            f"{before:.0f} to {after:.0f}"
        )
        if share <= FEW_FALLS:
            raise TableError(f"{said}; expected running totals, which cannot fall")
        message = f"Said to be running totals, but {said}, which running totals cannot: read as each day's own counts."
        return (visits, conversions), [Check("cumulative", message)]
    daily = tuple(np.concatenate([part[:1], step]) for part, step in zip(totals, steps))
    wrong = daily[1] > daily[0]
    if wrong.any():
        t, k = (int(i) for i in np.argwhere(wrong)[0])
        raise TableError(
            f"row {table['row'][t, k]:.0f}: conversions of {names[k]!r} rise by {daily[1][t, k]:.0f} and visits by "
            f"{daily[0][t, k]:.0f}; expected no more conversions than visits on a day"
        )
    return (daily[0], daily[1]), []


def _carried(values: Floats) -> Floats:
    """Running totals with the gaps filled: what was there the day before, 0 at first."""
    filled = values.copy()
    filled[0] = np.nan_to_num(filled[0])
    for t in range(1, len(filled)):
        filled[t] = np.where(np.isnan(filled[t]), filled[t - 1], filled[t])
    return filled


def _warn_of_totals(visits: Floats, steps: list[Floats]) -> list[Check]:
    """A warning where no count ever falls, and traffic grows from day to day by about the first day's."""
    count = sum(step.size for step in steps)
    if count < ENOUGH_STEPS or any((step < 0).any() for step in steps):
        return []
    traffic = visits.sum(axis=1)
    growth = (traffic[-1] - traffic[0]) / (len(traffic) - 1)
    if not (np.diff(traffic) > 0).all() or growth < GROWTH * traffic[0]:
        return []
    return [
        Check(
            "cumulative",
            f"These look like running totals: over {len(traffic)} days no arm's visits or conversions ever fall, and "
            f"all visits rise from {traffic[0]:,.0f} to {traffic[-1]:,.0f}. Read as each day's own counts; if they are "
            "running totals, say --cumulative.",
        )
    ]
