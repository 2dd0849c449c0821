"""What could be wrong with an experiment's data: looked for, and said in words where it bites."""

from collections.abc import Iterator

import numpy as np

from bandit_env.desk.findings import Check, quote
from bandit_env.desk.findings import p_value as said_p
from bandit_env.desk.table import Counts
from bandit_env.stats import sample_ratio
from bandit_env.stats.estimates import streaming
from bandit_env.stats.power import two_proportion_test
from bandit_env.tables.cells import Floats

LEVEL = 0.01  # of the tests here: they are many, and should bite rarely
APART = 2.0  # standard errors between the pooled and the stratified difference
LAST, BEFORE = 2, 5  # days at the end that are held against at least so many before them
UNFINISHED = 0.5  # of the median day's traffic
MOST_NAMES = 3  # that a message lists


def checks(counts: Counts, prior: tuple[float, float] | None) -> Iterator[Check]:
    """Everything that bites.

    Args:
        counts: the experiment's.
        prior: (a, b) where one was given: it is held against the data.
    """
    yield from counts.checks
    yield from _sample_ratio(counts)
    yield from _strata(counts)
    yield from _no_conversions(counts)
    yield from _days_missing(counts)
    yield from _last_days(counts)
    if prior is not None:
        yield from _prior(counts, prior)


def _sample_ratio(counts: Counts) -> Iterator[Check]:
    """The sequential test of Lindon and Malek (2022) against the weights of each day, or equal ones.

    Daily totals are tested in their order, so that the level holds whenever one looks.
    """
    visits = counts.visits
    if not visits.any():
        return
    there = np.ones(visits.shape) if counts.present is None else counts.present.astype(np.float64)
    equal = there / there.sum(axis=1, keepdims=True)
    if counts.weights is not None and (visits[counts.weights == 0] > 0).any():
        t, k = (int(i) for i in np.argwhere((counts.weights == 0) & (visits > 0))[0])
        where = f" on {counts.when(t)}" if counts.days is not None else ""
        yield Check(
            "sample ratio", f"{quote(counts.names[k])} has {visits[t, k]:,.0f} visits{where}, and its weight was 0."
        )
        return
    if counts.days is None:
        weights = (equal if counts.weights is None else counts.weights)[0]
        p_value = float(sample_ratio.p_value(visits[0], weights))
    else:
        weights = equal if counts.weights is None else counts.weights
        p_value = float(np.min(sample_ratio.p_values_by_day(visits, weights)))
    if p_value >= LEVEL:
        return
    expected = (weights * visits.sum(axis=-1, keepdims=True)).reshape(visits.shape).sum(axis=0)
    totals = counts.total_visits
    k = int(np.abs(totals - expected).argmax())
    served = f"{quote(counts.names[k])} has {totals[k]:,.0f} visits where {expected[k]:,.0f} were to be expected"
    told = "the weights in the table do not describe what was served"
    if counts.weights is None:
        told = (
            "traffic was not split equally; if it was not meant to be (an agent split it), give each day's weights in "
            "a column `weight`"
        )
    message = f"{served} ({said_p(p_value)}): {told}. Find out why before you trust the rates."
    yield Check("sample ratio", message, p_value)


def _strata(counts: Counts) -> Iterator[Check]:
    """Simpson's paradox: totals against the Mantel-Haenszel difference over days."""
    if counts.days is None or len(counts.days) < 2:
        return
    visits, conversions = counts.total_visits, counts.total_conversions
    sums = streaming("stratified", 1, len(counts.names))
    for new_visits, new_conversions in zip(counts.visits, counts.conversions):
        sums.update(np.zeros((1, len(counts.names))), new_visits[None], new_conversions[None])
    by_day, error = (part[0] for part in sums.difference())
    with np.errstate(divide="ignore", invalid="ignore"):
        totals = conversions / visits - conversions[0] / visits[0]
        apart = (totals * by_day < 0) | (np.abs(totals - by_day) > APART * error)
    bites = apart & np.isfinite(totals) & np.isfinite(by_day) & (error > 0)
    bites[0] = False
    told = [(counts.names[k], float(totals[k]), float(by_day[k])) for k in np.flatnonzero(bites)]
    if told:
        name, pooled, stratified = max(told, key=lambda one: abs(one[1] - one[2]))
        more = f" ({len(told)} arms are affected)" if len(told) > 1 else ""
        yield Check(
            "pooled and stratified",
            f"{quote(name)} less {quote(counts.names[0])} is {100 * pooled:+.3f} points over the totals and "
            f"{100 * stratified:+.3f} points day by day{more}: rates and weights both moved with time, and the totals "
            "mix them up. Trust the comparison day by day.",
        )


def _no_conversions(counts: Counts) -> Iterator[Check]:
    silent = [n for n, v, s in zip(counts.names, counts.total_visits, counts.total_conversions) if v and not s]
    if silent:
        yield Check("zero conversions", f"No conversion at all: {_names(silent)}. Is it counted?")
    empty = [name for name, v in zip(counts.names, counts.total_visits) if not v]
    if empty:
        yield Check("zero visits", f"No visit at all: {_names(empty)}; what is said of it is the prior.")


def _names(names: list[str]) -> str:
    shown = ", ".join(quote(name) for name in names[:MOST_NAMES])
    return shown + (f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else "")


def _days_missing(counts: Counts) -> Iterator[Check]:
    if counts.days is None:
        return
    missing = int(counts.days[-1]) - len(counts.days)
    if missing:
        gap = int(np.diff(counts.days).argmax())
        yield Check(
            "days missing",
            f"{missing} of {counts.days[-1]} days {'has' if missing == 1 else 'have'} no row, the first gap that is "
            f"longest after {counts.when(gap)}; they count as days served without visits.",
        )


def _last_days(counts: Counts) -> Iterator[Check]:
    """Conversions that are still to come, and a day that is not over yet."""
    if counts.days is None or len(counts.days) < LAST + BEFORE:
        return
    traffic = counts.visits.sum(axis=1)
    usual = float(np.median(traffic[:-1]))
    if traffic[-1] < UNFINISHED * usual:
        yield Check(
            "last day",
            f"{counts.when(len(traffic) - 1)} has {traffic[-1]:,.0f} visits where {usual:,.0f} are usual: is it over?",
        )
    rate, p_value = _fall(counts.conversions, counts.visits)
    if p_value < LEVEL:
        yield Check(
            "late conversions",
            f"Conversions of the last {LAST} days are {100 * rate:.0f} % of what they were before ({said_p(p_value)}): "
            "do some arrive days after the visit? Then leave the last days out, or use a memory that corrects for it.",
            p_value,
        )


def _fall(conversions: Floats, visits: Floats) -> tuple[float, float]:
    """The last days' rate over the days' before, all arms together, and the one-sided p-value of a fall.

    The days before vary by more than chance (weekdays, say), so that the test's spread is at least theirs.
    """
    s, n = conversions.sum(axis=1), visits.sum(axis=1)
    groups = (slice(None, -LAST), slice(-LAST, None))
    late, early = ((s[g].sum(), max(n[g].sum(), 1.0)) for g in reversed(groups))
    z, _ = two_proportion_test([early[0], late[0]], [early[1], late[1]])
    p = early[0] / early[1]
    if p in (0, 1):
        return 1.0, 1.0
    before = n[:-LAST] > 0
    expected = p * n[:-LAST][before]
    dispersion = float(((s[:-LAST][before] - expected) ** 2 / (expected * (1 - p))).sum() / max(before.sum() - 1, 1))
    from scipy.special import ndtr

    return late[0] / late[1] / p, float(ndtr(z[1] / np.sqrt(max(dispersion, 1.0))))


def _prior(counts: Counts, prior: tuple[float, float]) -> Iterator[Check]:
    """The prior's own prediction of each arm's conversions, beta-binomial; two-sided, Bonferroni over arms."""
    from scipy.stats import betabinom

    a, b = prior
    served = np.flatnonzero(counts.total_visits)
    if not served.size:
        return
    visits, conversions = counts.total_visits[served], counts.total_conversions[served]
    below = betabinom.cdf(conversions, visits, a, b)
    above = betabinom.sf(conversions - 1, visits, a, b)
    p_values = np.minimum(1, 2 * np.minimum(below, above) * served.size)
    k = int(p_values.argmin())
    if p_values[k] < LEVEL:
        yield Check(
            "prior",
            f"The prior Beta({a:g}, {b:g}), mean {100 * a / (a + b):.3g} %, hardly allows for the "
            f"{100 * conversions[k] / visits[k]:.3g} % of {quote(counts.names[served[k]])} "
            f"({said_p(float(p_values[k]))}): is it about the same kind of experiment?",
            float(p_values[k]),
        )
