"""A prior from past experiments: empirical Bayes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bandit_env.stats.prior import BetaFit, fit_beta
from bandit_env.tables import cells
from bandit_env.tables import source as sources
from bandit_env.tables.cells import TableError

if TYPE_CHECKING:
    import pandas as pd

KNOWN = ("experiment", "arm", "visits", "conversions")
NEEDED = ("visits", "conversions")


@dataclass(frozen=True)
class History:
    """The prior that past experiments speak for.

    Attributes:
        a, b: of the Beta distribution.
        told: where it comes from, in a sentence.
    """

    a: float
    b: float
    told: str


def read_history(source: "str | Path | pd.DataFrame | Mapping[str, Any]") -> History:
    """Fit a Beta prior to the arms of past experiments.

    Args:
        source: a CSV or Parquet file, a data frame or a mapping of columns: `experiment`, `arm`, `visits`,
            `conversions`, a row per arm.

    Raises:
        TableError: a table that cannot be read, rows that come twice, or one to which no prior can be fitted.
    """
    where = sources.where(source)
    found, delimiter = sources.columns(source)
    try:
        chosen = sources.choose(found, {}, KNOWN, NEEDED)
        sign = cells.decimal_sign([chosen[name] for name in NEEDED], delimiter)
        visits, conversions = (cells.counts(chosen[name], sign) for name in NEEDED)
        _check(chosen, visits, conversions)
        fitted = fit_beta(conversions, visits)
    except TableError as error:
        raise TableError(f"{where}{error}") from error
    except ValueError as error:
        raise TableError(f"{where}no prior can be fitted: {error}") from error
    return _history(fitted, int((visits > 0).sum()))


def _history(fitted: BetaFit, arms: int) -> History:
    """The prior, and how much it says: where past rates do not differ, the weakest that they allow."""
    told = f"fitted to {arms:,} arms of past experiments"
    if fitted.no_spread:
        a, b = (share * fitted.visits_low for share in (fitted.mean, 1 - fitted.mean))
        told += (
            f", whose rates differ no more than by chance: worth at least {fitted.visits_low:,.0f} visits (95 %), "
            "which is what is taken"
        )
        return History(a, b, told)
    told += f", worth {fitted.visits:,.0f} visits"
    if fitted.flat:
        told += f" (at least {fitted.visits_low:,.0f}, at 95 %: their rates hardly differ, and equal ones fit as well)"
    else:
        told += f" (95 %: {fitted.visits_low:,.0f} to {fitted.visits_high:,.0f})"
    return History(fitted.a, fitted.b, told)


def with_priors(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """An experiment's table with the fitted (a, b) for every `prior = {history = "past.csv"}` of a scenario or agent.

    Args:
        table: as in an experiment file.
        folder: where the files of past experiments are looked for.

    Raises:
        TableError: a history that cannot be read, or keys beside it; names the place in the table.
    """
    filled = dict(table)
    for key in ("scenario", "scenarios", "agents"):
        found = table.get(key)
        if isinstance(found, Mapping):
            filled[key] = _with_prior(found, folder, key)
        elif isinstance(found, list):
            filled[key] = [_with_prior(one, folder, f"{key}[{index}]") for index, one in enumerate(found)]
    return filled


def _with_prior(settings: Any, folder: Path, where: str) -> Any:
    prior = settings.get("prior") if isinstance(settings, Mapping) else None
    if not isinstance(prior, Mapping):
        return settings
    if set(prior) != {"history"} or not isinstance(prior["history"], str):
        raise TableError(f'{where}.prior: found {dict(prior)}; expected (a, b), or {{history = "past.csv"}}')
    try:
        fitted = read_history(folder / prior["history"])
    except TableError as error:
        raise TableError(f"{where}.prior.history: {error}") from error
    return {**settings, "prior": [fitted.a, fitted.b]}


def _check(chosen: Mapping[str, cells.Column], visits: cells.Floats, conversions: cells.Floats) -> None:
    rows = chosen["visits"].rows
    wrong = conversions > visits
    if wrong.any():
        k = int(wrong.argmax())
        raise TableError(
            f"row {rows[k]}: conversions is {conversions[k]:.0f}, above visits, {visits[k]:.0f}; "
            "expected at most as many"
        )
    if "experiment" in chosen and "arm" in chosen:
        seen: dict[tuple[str, str], int] = {}
        for k, (experiment, arm) in enumerate(zip(chosen["experiment"].values, chosen["arm"].values)):
            key = (str(experiment), str(arm))
            if key in seen:
                raise TableError(f"rows {rows[seen[key]]} and {rows[k]} are both arm {key[1]!r} of {key[0]!r}")
            seen[key] = k
