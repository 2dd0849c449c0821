"""Estimates that a run is asked for: against the array forms on the same logs, the truth, and what is refused."""

import numpy as np
import pytest
from scipy import stats

from bandit_env.errors import ExperimentError
from bandit_env.experiment import run
from bandit_env.experiment.estimates.methods import QUANTITIES
from bandit_env.stats.e_process import confidence_sequence, log_e_values
from bandit_env.stats.estimates import (
    Difference,
    estimate_difference,
    estimate_rates,
    newcombe_interval,
    rate_interval,
    wald_interval,
    wilson_interval,
)

WORLD = {"rates": [0.04, 0.05, 0.07], "visits_per_day": 200, "updates_per_day": 2, "min_days": 5, "max_days": 25}
AGENT = {"name": "thompson", "floor": 0.05, "prior": [4, 96], "stopping": "value-remaining"}
SIZE = 12


@pytest.fixture(scope="module")
def cell():
    result = run(WORLD, [AGENT], SIZE, seed=3, executor=1, traces=SIZE, estimates=list(QUANTITIES))
    assert not result.failures
    return result.cells[0]


def logs(cell, replication):
    """Visits, conversions and weights (to float32) of each update of an experiment, from its trace and its row."""
    trace, row = cell.traces[replication], cell.episodes.iloc[replication]
    last = [[row[f"{name}_{arm}"] for arm in range(3)] for name in ("visits", "conversions")]
    before = trace.visits, trace.conversions
    visits, conversions = (np.diff(np.vstack([x, end]), axis=0) for x, end in zip(before, last, strict=True))
    weights = np.asarray(trace.weights, dtype=np.float64)
    return conversions, visits, weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("replication", range(0, SIZE, 3))
def test_rows_hold_what_the_array_forms_say_of_the_same_log(cell, replication):
    row = cell.episodes.iloc[replication]
    conversions, visits, weights = logs(cell, replication)
    for method, weighting in (("aipw", "sqrt"), ("aipw-equal", "equal")):
        name = method.replace("-", "_")
        expected = estimate_rates(conversions, visits, weights, weighting=weighting)
        for arm in range(3):
            assert row[f"{name}_rate_{arm}"] == pytest.approx(expected.value[arm], rel=1e-6)
            assert row[f"{name}_rate_{arm}_se"] == pytest.approx(expected.standard_error[arm], rel=1e-6)
    for method in ("aipw", "aipw-equal", "batched-ols", "stratified"):
        name = method.replace("-", "_")
        for arm in (1, 2):
            found = estimate_difference(conversions, visits, weights, arm=arm, method=method)
            low, high = found.interval()
            expected = [found.value, found.standard_error, low, high]
            columns = [f"{name}_difference_{arm}{end}" for end in ("", "_se", "_low", "_high")]
            assert row[columns].tolist() == pytest.approx([float(x) for x in expected], rel=1e-6)
    log_e = log_e_values(conversions, visits)
    low, high = confidence_sequence(conversions, visits)
    for arm in (1, 2):
        assert row[f"e_process_log_odds_{arm}_low"] == pytest.approx(low[-1, arm])
        assert row[f"e_process_log_odds_{arm}_high"] == pytest.approx(high[-1, arm])
        assert row[f"e_process_most_{arm}"] == pytest.approx(max(1, np.exp(log_e[:, arm].max())))


def test_counts_alone_make_the_textbook_intervals(cell):
    rows = cell.episodes
    counts = [np.stack([rows[f"{name}_{arm}"] for arm in range(3)], axis=1) for name in ("conversions", "visits")]
    posterior = Difference(*counts, prior=(4, 96))
    intervals = {
        "credible_rate": rate_interval(*counts, prior=(4, 96)),
        "credible_difference": posterior.interval(),
        "wald_rate": wald_interval(*counts),
        "wilson_rate": wilson_interval(*counts),
        "newcombe_difference": newcombe_interval(*counts),
    }
    for name, ends in intervals.items():
        for arm in range(3) if "rate" in name else (1, 2):
            for side, end in zip(("low", "high"), ends, strict=True):
                assert rows[f"{name}_{arm}_{side}"].tolist() == pytest.approx(end[:, arm].tolist()), name
    a, b = counts[0] + 4, counts[1] - counts[0] + 96
    assert rows["credible_rate_2"].tolist() == pytest.approx(stats.beta.mean(a, b)[:, 2].tolist())
    assert rows["credible_rate_2_se"].tolist() == pytest.approx(stats.beta.std(a, b)[:, 2].tolist())
    spread = np.hypot(stats.beta.std(a, b)[:, 2], stats.beta.std(a, b)[:, 0])
    assert rows["credible_difference_2_se"].tolist() == pytest.approx(spread.tolist())
    assert rows["wald_difference_1"].tolist() == pytest.approx((rows["wald_rate_1"] - rows["wald_rate_0"]).tolist())


def test_rows_without_estimates_are_the_same(cell):
    plain = run(WORLD, [AGENT], SIZE, seed=3, executor=1).cells[0].episodes
    assert cell.episodes[list(plain.columns)].equals(plain)
    assert not [name for name in plain.columns if "aipw" in name or name.startswith("true")]


def test_the_truth_is_the_mean_of_the_days_served(cell):
    """A step on day 10 of 25, for arm 1 alone; arm 2 is there from day 5 on: each arm's mean over its own days."""
    assert cell.episodes[["true_rate_0", "true_rate_2", "true_difference_1"]].drop_duplicates().to_numpy().tolist() == [
        pytest.approx([0.04, 0.07, 0.01])
    ]
    effects = [{"effect": "step", "day": 10, "factor": 2.0, "arm": 1}]
    world = WORLD | {"effects": effects, "joins": [0, 0, 5], "visits_per_day": 100, "rates": [0.04, 0.05, 0.07]}
    rows = run(world, ["uniform"], 3, seed=1, executor=1, estimates=["wald"]).cells[0].episodes
    own = (10 * 0.05 + 15 * 0.1) / 25
    assert rows["true_rate_1"].tolist() == pytest.approx([own] * 3)
    assert rows["true_rate_2"].tolist() == pytest.approx([0.07] * 3)
    assert rows["true_difference_1"].tolist() == pytest.approx([own - 0.04] * 3)
    assert rows["true_difference_2"].tolist() == pytest.approx([0.03] * 3)


def test_the_true_difference_is_that_of_the_days_on_which_both_were_there():
    """The control joins on day 5 and doubles its rate on day 10; arm 2 leaves on day 15 of 25."""
    effects = [{"effect": "step", "day": 10, "factor": 2.0, "arm": 0}]
    world = WORLD | {"effects": effects, "joins": [5, 0, 0], "leaves": [None, None, 15], "visits_per_day": 100}
    rows = run(world, ["uniform"], 3, seed=1, executor=1, estimates=["wald"]).cells[0].episodes
    assert rows["true_rate_0"].tolist() == pytest.approx([(5 * 0.04 + 15 * 0.08) / 20] * 3)
    assert rows["true_difference_1"].tolist() == pytest.approx([0.05 - (5 * 0.04 + 15 * 0.08) / 20] * 3)
    assert rows["true_difference_2"].tolist() == pytest.approx([0.07 - (5 * 0.04 + 5 * 0.08) / 10] * 3)


@pytest.mark.parametrize(
    ("agent", "smallest"),
    [({"name": "thompson"}, "0"), ({"name": "thompson", "floor": 0.0005}, "0.0005"), ({"name": "ucb1"}, "0")],
)
def test_aipw_is_refused_where_weights_may_vanish(agent, smallest):
    with pytest.raises(ExperimentError, match=rf"the smallest may be {smallest}; expected at least 0.001: .*`floor"):
        run(WORLD, [agent], 2, executor=1, estimates=["credible", "aipw"])


@pytest.mark.parametrize(
    "agent", ["uniform", {"name": "thompson", "floor": 0.001}, {"name": "epsilon-greedy", "epsilon": 0.01}]
)
def test_aipw_is_played_where_the_weights_reach_it(agent):
    assert run(WORLD, [agent], 2, executor=1, estimates=["aipw"]).cells[0].episodes["aipw_rate_0_se"].gt(0).all()


def test_least_weight_zero_switches_the_refusal_off():
    world = WORLD | {"estimates": ["aipw"], "least_weight": 0}
    assert "aipw_rate_1" in run(world, ["thompson"], 2, executor=1).cells[0].episodes


@pytest.mark.parametrize(
    ("estimates", "message"),
    [
        (["aipv"], "estimates: unknown method 'aipv'; expected some of credible, "),
        (["wald", "wald"], "names a method twice"),
        ("aipw", "estimates: found 'aipw'; expected a list of methods"),
    ],
)
def test_what_cannot_be_asked_for(estimates, message):
    with pytest.raises(ExperimentError, match=message):
        run(WORLD | {"estimates": estimates}, ["uniform"], 2, executor=1)


def test_rows_have_no_columns_for_estimates_of_thousands_of_arms():
    with pytest.raises(ExperimentError, match="found 2,001 arms; expected at most 2,000"):
        run({"rates": [0.1] * 2001, "max_days": 2}, ["uniform"], 2, executor=1, estimates=["wald"])


def test_an_e_process_under_delay_is_warned_about():
    with pytest.warns(UserWarning, match="the e-process wants conversions on the day of their visit"):
        run(WORLD | {"delay": 3.0}, ["uniform"], 2, executor=1, estimates=["e-process"])
