"""The result table, against SciPy and by hand."""

import math

import numpy as np
import pytest
import samples
from scipy import stats

from bandit_env.experiment import run
from bandit_env.stats.estimates import lift_interval, rate_interval
from bandit_env.views.judged import shipped_lift, summarise_arms
from bandit_env.views.summary import is_cut, summarise, wilson, with_interval

WORLD = {"rates": [0.04, 0.05], "max_days": 60}


@pytest.fixture(scope="module")
def result():
    agents = {"rule": {"name": "thompson", "stopping": "value-remaining"}, "classical": "uniform"}
    with pytest.warns(UserWarning, match="classical.days is 40"):  # so that some experiments take longer
        return run(WORLD, agents, 200, seed=5, executor=1, classical={"visits": 22330, "days": 40})


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (482, 500), (500, 500), (1, 3)])
def test_wilson_is_scipys(successes, trials):
    expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_interval_of_a_mean_is_scipys():
    values = np.random.default_rng(0).exponential(size=50)
    low, high = stats.norm.interval(0.95, values.mean(), stats.sem(values))
    assert with_interval("x", values) == pytest.approx({"x": values.mean(), "x_low": low, "x_high": high}, abs=1e-12)
    assert math.isnan(with_interval("x", [3.0])["x_low"])


def test_columns_by_hand(result):
    table = summarise(result)
    rows = result.cells[0].episodes
    first = table.iloc[0]
    assert first["mean_day"] == rows["stopping_day"].mean()
    assert first["median_day"] == rows["stopping_day"].median()
    assert first["q95_day"] == rows["stopping_day"].quantile(0.95)
    assert first["max_day"] == rows["stopping_day"].max()
    assert first["days_saved"] == pytest.approx(40 - rows["stopping_day"].mean())
    assert first["conversions_saved"] == pytest.approx(22330 * 0.005 - rows["regret"].mean())
    assert first["worst_saved"] == pytest.approx(22330 * 0.005 - rows["regret"].max())
    assert first["longer"] == (rows["stopping_day"] > 40).mean()
    assert first["undecided"] == (rows["declared_arm"] == -1).mean() > 0
    assert (first["correct_low"], first["correct_high"]) == wilson(int(rows["correct"].sum()), 200)


def test_difference_is_paired_with_the_first_agent(result):
    table = summarise(result)
    assert math.isnan(table["difference"][0])
    gaps = result.cells[1].episodes["regret"] - result.cells[0].episodes["regret"]
    low, high = stats.norm.interval(0.95, gaps.mean(), stats.sem(gaps))
    assert table.loc[1, ["difference", "difference_low", "difference_high"]].tolist() == pytest.approx(
        [gaps.mean(), low, high]
    )


def test_arms(result):
    rows = result.cells[0].episodes
    arms = summarise_arms(result.cells[0])
    assert arms["rate"].tolist() == [0.04, 0.05]
    assert arms["traffic"].sum() == pytest.approx(1)
    assert arms["traffic"][1] == pytest.approx((rows["visits_1"] / rows["visits"]).mean())
    assert arms["estimate"][0] == pytest.approx((rows["conversions_0"] / rows["visits_0"]).mean())
    assert arms["picked"][1] == (rows["declared_arm"] == 1).mean()


def test_savings_are_empty_without_a_classical_test_or_with_drawn_rates():
    alone = run(WORLD, ["uniform"], 5, executor=1)
    prior = {"prior": [4, 96], "num_arms": 2, "max_days": 20}
    drawn = run(prior, ["uniform"], 5, executor=1, classical={"visits": 100})
    for result in (alone, drawn):
        row = summarise(result).iloc[0]
        assert row[["days_saved", "conversions_saved", "worst_saved", "longer"]].isna().all()
        assert not math.isnan(row["regret"])


def test_classical_test_defaults_to_the_power_calculation():
    """2 x ceil(11,165.99) visits (R: power.prop.test(p1=.04, p2=.05, power=.95)), 224 days of 100."""
    classical = run(WORLD, ["uniform"], 5, executor=1, classical={}).cells[0].classical
    assert (classical.visits, classical.days) == (22332, 224)
    assert classical.cost([0.04, 0.05]) == pytest.approx(111.66)


def ended(declared, claimed, correct, rates=(0.04, 0.05)):
    """A cell whose experiments ended so; without a stop (-1) on day 40, the horizon, else on day 20."""
    days = [40 if arm < 0 else 20 for arm in declared]
    cell = samples.cell(rates, replications=len(declared), stops=days)
    cell.rows[["declared_arm", "claimed_winner", "correct"]] = np.array([declared, claimed, correct]).T
    return cell


def test_how_experiments_end_is_counted_as_the_glossary_says():
    """Eight experiments: claims of the better arm, of the worse, shipped without a claim, undecided."""
    cell = ended([1, 1, 1, 0, 0, 0, -1, -1], [1, 1, 0, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0, 0])
    row = summarise(samples.run(cell)).iloc[0]
    expected = {"correct": 3, "undecided": 2, "claimed": 3, "wrong": 1, "ships_worse": 3, "ships_variation": 3}
    for name, count in expected.items():
        low, high = wilson(count, 8)
        assert row[[name, f"{name}_low", f"{name}_high"]].tolist() == pytest.approx([count / 8, low, high]), name


def test_on_equal_arms_nothing_is_correct_wrong_or_worse():
    cell = ended([1, 0, -1, 1], [1, 1, 0, 0], [1, 1, 0, 1], rates=(0.04, 0.04))
    row = summarise(samples.run(cell)).iloc[0]
    names = [f"{what}{end}" for what in ("correct", "wrong", "ships_worse") for end in ("", "_low", "_high")]
    assert row[names].isna().all()
    assert row[["claimed", "undecided", "ships_variation"]].tolist() == [0.5, 0.25, 0.5]
    assert list(row.index) == list(summarise(samples.run(ended([1, 0], [1, 1], [1, 0]))).columns)


def test_the_columns_are_the_same_for_every_run(result):
    runs = [result, samples.run(samples.cell(drawn=True)), samples.run(samples.cell((0.1, 0.1, 0.1), classical=None))]
    columns = [list(summarise(one).columns) for one in runs]
    assert columns[0] == columns[1] == columns[2]
    assert {"loss", "loss_low", "loss_high", "undecided", "claimed", "wrong", "ships_worse", "ships_variation"} <= {
        *columns[0]
    }


@pytest.mark.parametrize("share", [0.5, 0.95])
@pytest.mark.parametrize("undecided", [0, 1, 4, 5, 6, 10, 11])
def test_a_quantile_is_cut_where_it_would_grow_with_the_horizon(share, undecided):
    """Let the cut experiments end a thousand days later: the quantiles that change were cut."""
    days = np.append(np.arange(11 - undecided), np.full(undecided, 100)).astype(float)
    later = np.where(days == 100, 1100, days)
    grows = np.quantile(days, share) != np.quantile(later, share)
    assert is_cut({"replications": 11, "undecided": undecided / 11}, share) == grows


def test_loss_of_the_articles_test_is_that_of_another_build():
    """4 v 5 %, both orders, Thompson; another build's R = 8,000 each: value remaining 26.6 +- .4 to day 365 and 21.4 +-
    .3 to day 223; no stop before day 223 23.5 +- .2 and 23.1 +- .2."""
    expected = {365: [(26.6, 0.4), (23.5, 0.2)], 223: [(21.4, 0.3), (23.1, 0.2)]}
    agents = [{"name": "thompson", "stopping": "value-remaining"}, {"name": "thompson", "label": "no stop"}]
    for days, references in expected.items():
        world = {"visits_per_day": 100, "min_days": 14, "max_days": 223, "loss_days": days}
        orders = [{"name": str(rates), "rates": rates, **world} for rates in ([0.04, 0.05], [0.05, 0.04])]
        table = summarise(run(orders, agents, 500, seed=8, executor=1))
        for agent, (loss, error) in zip(("thompson", "no stop"), references, strict=True):
            ours = table[table["agent"] == agent]
            own = np.sqrt((((ours["loss_high"] - ours["loss_low"]) / 2 / 1.96) ** 2).sum()) / 2
            assert abs(ours["loss"].mean() - loss) < 4 * np.hypot(own, error), (days, agent)


def test_estimates_are_judged_by_experiment():
    """Six arms, the literal rule (2,000 experiments and more): the control's observed rate averages .0312, where .04 is
    true: its bias, which pooling conversions over visits would hide."""
    world = {"rates": [0.04, 0.05, 0.045, 0.03, 0.02, 0.035], "max_days": 1000}
    agent = {"name": "thompson", "stopping": "beats-control | value-remaining"}
    cell = run(world, [agent], 600, seed=3, executor=1).cells[0]
    rows, arms = cell.episodes, summarise_arms(cell)
    observed = rows["conversions_0"] / rows["visits_0"]
    assert arms["estimate"][0] == pytest.approx(observed.mean())
    assert abs(arms["estimate"][0] - 0.0312) < 4 * np.sqrt(2) * stats.sem(observed) + 0.00005
    assert arms["bias"].to_numpy() == pytest.approx(arms["estimate"].to_numpy() - arms["rate"].to_numpy())
    pooled = rows["conversions_0"].sum() / rows["visits_0"].sum()
    assert abs(pooled - 0.04) < abs(arms["bias"][0]) / 3
    for arm in range(6):
        low, high = rate_interval(rows[f"conversions_{arm}"], rows[f"visits_{arm}"])
        assert arms["coverage"][arm] == ((low <= world["rates"][arm]) & (world["rates"][arm] <= high)).mean()


def test_the_lift_of_what_is_shipped_is_overstated():
    """4 v 5 %, Thompson, value remaining: median +40 %, mean +71 % of the finite, 2.5 % infinite; true +25 %; over all
    experiments the interval of the ratio covers .944 +- .003."""
    agent = {"name": "thompson", "stopping": "value-remaining"}
    cell = run({"rates": [0.04, 0.05]}, [agent], 1000, seed=11, executor=1).cells[0]
    found, rows = shipped_lift(cell), cell.episodes.query("declared_arm == 1")
    lifts = (rows["conversions_1"] / rows["visits_1"]) / (rows["conversions_0"] / rows["visits_0"]) - 1
    ranks = len(lifts) / 2 + np.array([-2, 2]) * np.sqrt(2 * len(lifts))  # 4 standard errors, times sqrt(2)
    low, high = np.sort(lifts)[ranks.astype(int)]
    assert low - 0.005 < 0.40 < high + 0.005
    finite = lifts[np.isfinite(lifts)]
    assert abs(found["lift_mean"] - 0.71) < 4 * np.sqrt(2) * stats.sem(finite) + 0.005
    assert found["lift_median"] == np.median(lifts)
    assert found["lift_infinite"] == len(lifts) - len(finite) == (rows["conversions_0"] == 0).sum()
    assert abs(found["lift_infinite"] / len(lifts) - 0.025) < 4 * np.sqrt(2 * 0.025 / len(lifts)) + 0.0005
    assert found["lift_true"] == pytest.approx(0.25)
    assert abs(found["lift_coverage"] - 0.944) < 4 * np.hypot(0.003, np.sqrt(0.944 * 0.056 / 1000))


def test_a_lift_without_conversions_is_in_the_median_only():
    cell = ended([1, 1, 1, 0, -1], [0] * 5, [1, 1, 1, 0, 0])
    cell.rows[["visits_0", "visits_1"]] = 100
    cell.rows["conversions_0"], cell.rows["conversions_1"] = [4, 0, 5, 5, 5], [6, 3, 5, 9, 9]
    found = shipped_lift(cell)
    assert found["lift_median"] == pytest.approx(0.5)
    assert found["lift_mean"] == pytest.approx(0.25)
    assert found["lift_infinite"] == 1
    low, high = lift_interval(cell.rows[["conversions_0", "conversions_1"]], cell.rows[["visits_0", "visits_1"]])
    assert found["lift_coverage"] == ((low[:, 1] <= 0.25) & (high[:, 1] >= 0.25)).mean()
