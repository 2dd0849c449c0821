"""The sums of `aipw` and `strata`, added up in one pass: the formulae stand there, with their sources."""

from math import sqrt
from pathlib import Path

from bandit_env.compilation import kept

__all__ = ["add_aipw", "add_tables"]


@kept([Path(__file__)])
def add_aipw(  # type: ignore[no-untyped-def]
    weights, new_visits, new_conversions, rows, there, roots, control, visits, conversions,
    h_sum, hg, h2, h2g, h2g2, both, both_own, both_control, both_g,
):  # pragma: no cover  # fmt: skip
    """Add an update of the experiments `rows` to the sums of `AIPW`; `roots`: h = sqrt(w), else 1; `there`: (m, K)."""
    arms = weights.shape[1]
    for i in range(rows.size):
        row = rows[i]
        traffic = 0.0
        for k in range(arms):
            traffic += new_visits[i, k]
        mean0 = conversions[row, control] / max(visits[row, control], 1.0)
        own0 = _own(new_visits[i, control], new_conversions[i, control], weights[i, control], mean0)
        g0 = own0 + (traffic - new_visits[i, control]) * mean0
        h0 = (sqrt(weights[i, control]) if roots else 1.0) if there[i, control] else 0.0
        for k in range(arms):
            w, n, c = weights[i, k], new_visits[i, k], new_conversions[i, k]
            mean = conversions[row, k] / max(visits[row, k], 1.0)
            inverse = 1.0 / w if w > 0 else 0.0
            h = (sqrt(w) if roots else 1.0) if there[i, k] else 0.0
            hit, missed = mean + (1 - mean) * inverse, mean - mean * inverse  # G of a conversion, of a visit without
            own = c * hit + (n - c) * missed
            g = own + (traffic - n) * mean
            g2 = c * hit * hit + (n - c) * missed * missed + (traffic - n) * mean * mean
            cross = own * mean0 + own0 * mean + (traffic - n - new_visits[i, control]) * mean * mean0
            h_sum[row, k] += h * traffic
            hg[row, k] += h * g
            h2[row, k] += h * h * traffic
            h2g[row, k] += h * h * g
            h2g2[row, k] += h * h * g2
            both[row, k] += h * h0 * traffic
            both_own[row, k] += h * h0 * g
            both_control[row, k] += h * h0 * g0
            both_g[row, k] += h * h0 * cross
        for k in range(arms):  # only now: the control's mean is that of earlier updates for all arms
            visits[row, k] += new_visits[i, k]
            conversions[row, k] += new_conversions[i, k]


@kept([Path(__file__)])
def _own(n, c, w, mean):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The sum of G over the arm's own visits."""
    inverse = 1.0 / w if w > 0 else 0.0
    return c * (mean + (1 - mean) * inverse) + (n - c) * (mean - mean * inverse)


@kept([Path(__file__)])
def add_tables(  # type: ignore[no-untyped-def]
    new_visits, new_conversions, rows, control, by_update, first, second, third
):  # pragma: no cover
    """Add an update to the sums of `BatchedOLS` (`by_update`: each divided by its own error) or of `Stratified`."""
    for i in range(rows.size):
        row = rows[i]
        n0, c0 = new_visits[i, control], new_conversions[i, control]
        for k in range(new_visits.shape[1]):
            n, c = new_visits[i, k], new_conversions[i, k]
            if k == control or n <= 0 or n0 <= 0:
                continue
            total, converted = n + n0, c + c0
            size = n * n0 / total
            excess = c - converted * n / total
            variance = size * converted * (total - converted) / (total * (total - 1))
            if not by_update:
                first[row, k] += excess
                second[row, k] += variance
                third[row, k] += size
            elif variance > 0:
                scale = 1 / sqrt(variance)
                first[row, k] += excess * scale
                second[row, k] += size * scale
                third[row, k] += 1
