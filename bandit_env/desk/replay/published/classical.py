"""Tests of two proportions: sample sizes, peeking, and group-sequential designs. All exact."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from agents.stopping.boundaries import boundaries, crossing_probability, crossings
from bandit_env.desk.replay.entry import Entry, Figure
from bandit_env.desk.replay.playing import Stage
from bandit_env.stats.power import power, sample_size

JENNISON = 'Jennison and Turnbull (2000), "Group Sequential Methods with Applications to Clinical Trials"'


def _equal(looks: int) -> tuple[float, ...]:
    return tuple((np.arange(1, looks + 1) / looks).tolist())


def _power_prop_test(stage: Stage) -> list[Figure]:
    return [
        Figure("power at n = 50, .50 v .75", 0.7401659, power(50, 0.5, 0.75), 1e-7),
        Figure("n at power .90, .50 v .75", 76.7, sample_size(0.5, 0.75, power=0.9), 0.1),
    ]


def _evan_miller(stage: Stage) -> list[Figure]:
    size = sample_size(0.20625, 0.21625, power=0.8, variance="baseline")
    return [Figure("visits per arm, 20.625 v 21.625 %", 25_835, size, 1)]


def _armitage(stage: Stage) -> list[Figure]:
    printed = {1: 0.050, 2: 0.083, 3: 0.107, 4: 0.126, 5: 0.142, 10: 0.193, 20: 0.248, 50: 0.320, 100: 0.374}
    critical = -float(ndtri(0.025))
    return [
        Figure(f"P(any of {looks} looks)", share, crossing_probability([critical] * looks, _equal(looks)), 1e-3)
        for looks, share in printed.items()
    ]


def _constants(shape: str, printed: dict[int, float]) -> "Sequence[Figure]":
    return [
        Figure(f"{looks} looks", constant, boundaries(shape, _equal(looks), 0.05)[-1], 1e-3)
        for looks, constant in printed.items()
    ]


def _pocock(stage: Stage) -> "Sequence[Figure]":
    return _constants("pocock", {2: 2.178, 3: 2.289, 4: 2.361, 5: 2.413, 10: 2.555})


def _obrien_fleming(stage: Stage) -> "Sequence[Figure]":
    return _constants("obrien-fleming", {2: 1.977, 3: 2.004, 4: 2.024, 5: 2.040, 10: 2.087})


def _drift(bounds: Sequence[float], times: Sequence[float], wanted: float) -> float:
    """The drift at which the upper boundary is crossed with the wanted power."""
    return float(brentq(lambda drift: crossings(bounds, times, drift)[:, 1].sum() - wanted, 0.1, 10, xtol=1e-12))


def _inflation(shape: str, looks: int, wanted: float) -> float:
    """The information of a design over that of the fixed test of the same power."""
    times = _equal(looks)
    fixed = -float(ndtri(0.025)) + float(ndtri(wanted))
    return (_drift(boundaries(shape, times, 0.05), times, wanted) / fixed) ** 2


def _jennison_turnbull(stage: Stage) -> list[Figure]:
    printed = {
        ("pocock", 2): (1.110, 1.100, 1.093),
        ("pocock", 5): (1.229, 1.207, 1.191),
        ("pocock", 10): (1.301, 1.271, 1.251),
        ("obrien-fleming", 5): (1.028, 1.026, 1.025),
        ("obrien-fleming", 10): (1.040, 1.037, 1.036),
    }
    return [
        Figure(f"{shape}, {looks} looks, power {wanted:g}", factor, _inflation(shape, looks, wanted), 1e-3)
        for (shape, looks), factors in printed.items()
        for wanted, factor in zip((0.8, 0.9, 0.95), factors, strict=True)
    ]


def _seqdesign(stage: Stage) -> list[Figure]:
    times = _equal(4)
    bounds = boundaries("pocock", times, 0.05)
    inflation = 100 * _inflation("pocock", 4, 0.9)
    drift = _drift(bounds, times, 0.9)

    def expected(theta: float) -> float:
        stopping = crossings(bounds, times, theta).sum(axis=1)
        stopping[-1] = 1 - stopping[:-1].sum()
        return float(inflation * (stopping @ np.array(times)))

    return [
        # Seven digits are printed; their integration is good to six.
        Figure("maximum, % of fixed", 118.3143, inflation, 1e-3),
        Figure("expected under no difference", 115.6074, expected(0.0), 1e-3),
        Figure("expected under the difference", 69.74805, expected(drift), 1e-4),
    ]


def _miller(stage: Stage) -> list[Figure]:
    printed = {1: 2.9, 2: 2.2, 3: 1.8, 5: 1.4, 10: 1.0}
    return [
        Figure(
            f"level per look for 5 % in all, {peeks} peeks, in %",
            level,
            float(200 * ndtr(-boundaries("pocock", _equal(peeks + 1), 0.05)[0])),
            0.1,
        )
        for peeks, level in printed.items()
    ]


ENTRIES = (
    Entry("r-power-prop-test", "R, stats::power.prop.test, examples", "two-sided .05, pooled null", _power_prop_test),
    Entry("evan-miller-calculator", "Evan Miller, sample size calculator", "two-sided .05, power .8", _evan_miller),
    Entry(
        "armitage-mcpherson-rowe",
        "Armitage, McPherson and Rowe (1969), JRSS A 132, table 2",
        "repeated two-sided tests at .05 on accumulating normal data",
        _armitage,
    ),
    Entry("pocock-constants", f"{JENNISON}, table 2.1 (Pocock 1977)", "two-sided .05, equal looks", _pocock),
    Entry(
        "obrien-fleming-constants",
        f"{JENNISON}, table 2.3 (O'Brien and Fleming 1979)",
        "two-sided .05, equal looks",
        _obrien_fleming,
    ),
    Entry("jennison-turnbull-inflation", f"{JENNISON}, tables 2.2 and 2.4", "two-sided .05", _jennison_turnbull),
    Entry("sas-seqdesign", "SAS/STAT, PROC SEQDESIGN, Pocock", "four looks, two-sided .05, power .9", _seqdesign),
    Entry("miller-2010", 'Miller (2010), "How Not To Run an A/B Test"', "level per peek, one look after", _miller),
)
