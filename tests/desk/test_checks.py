"""Each check on data that have what it looks for, and silence where they do not."""

import numpy as np
import pytest
from scipy import stats

from bandit_env.desk import analyse
from bandit_env.desk.checks import checks
from bandit_env.desk.table import read


def table(visits, conversions, **more):
    """Rows of a (T, K) table by day."""
    days, arms = np.shape(visits)
    columns = {"day": np.repeat(np.arange(1, days + 1), arms), "arm": [f"a{k}" for k in range(arms)] * days}
    return columns | {"visits": np.ravel(visits), "conversions": np.ravel(conversions)} | more


def drawn(days=20, rates=(0.04, 0.05), visits=500, seed=11):
    rng = np.random.default_rng(seed)
    v = np.full((days, len(rates)), visits)
    return v, rng.binomial(v, rates)


def found(source, prior=None):
    return {check.check: check for check in checks(read(source), prior)}


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_said_of_sound_data(seed):
    assert found(table(*drawn(seed=seed))) == {}


def test_sample_ratio_of_totals():
    """(156, 212) at 1 : 1, k = 100: p = .0748645 does not bite; twice as many do."""
    assert "sample ratio" not in found({"visits": [156, 212], "conversions": [9, 9]})
    check = found({"visits": [312, 424], "conversions": [9, 9]})["sample ratio"]
    assert check.p_value < 0.01
    assert "“arm 0” has 312 visits where 368 were to be expected" in check.message


def test_sample_ratio_against_logged_weights():
    """Traffic that follows the weights is sound, however they change; the same traffic against others is not."""
    rng = np.random.default_rng(2)
    share = np.linspace(0.5, 0.9, 20)
    weights = np.stack([1 - share, share], axis=1)
    visits = np.stack([rng.multinomial(1000, w) for w in weights])
    conversions = rng.binomial(visits, 0.05)
    sound = table(visits, conversions, weight=weights.ravel())
    assert found(sound) == {}
    swapped = table(visits, conversions, weight=weights[::-1].ravel())
    assert "the weights in the table do not describe" in found(swapped)["sample ratio"].message
    untold = found(table(visits, conversions))["sample ratio"]
    assert "column `weight`" in untold.message


def test_visits_where_the_weight_is_0():
    weights = [0.5, 0.5, 1, 0]
    message = found(table([[10, 10], [10, 3]], [[1, 1], [1, 1]], weight=weights))["sample ratio"].message
    assert message == "“a1” has 3 visits on day 2, and its weight was 0."


def test_simpsons_paradox():
    """Each day the arm is ahead by a point; it was served most on the days on which rates were low."""
    visits = np.array([[9000, 1000]] * 4 + [[1000, 9000]] * 4)
    rates = np.array([[0.10, 0.11]] * 4 + [[0.02, 0.03]] * 4)
    told = found(table(visits, (visits * rates).astype(int), weight=(visits / 10_000).ravel()))
    message = told["pooled and stratified"].message
    assert "is -5.400 points over the totals and +1.000 points day by day" in message


def test_no_conversions_and_no_visits():
    told = found({"arm": list("abc"), "visits": [100, 100, 0], "conversions": [3, 0, 0]})
    assert told["zero conversions"].message == "No conversion at all: “b”. Is it counted?"
    assert told["zero visits"].message.startswith("No visit at all: “c”")


def test_days_missing():
    rows = table(*drawn(10))
    keep = ~np.isin(rows["day"], [4, 5, 8])
    told = found({name: np.asarray(column)[keep] for name, column in rows.items()})
    assert told["days missing"].message.startswith(
        "3 of 10 days have no row, the first gap that is longest after day 3;"
    )


def test_late_conversions_and_a_day_that_is_not_over():
    visits, conversions = drawn(20)
    late = conversions.copy()
    late[-2:] //= 4
    check = found(table(visits, late))["late conversions"]
    assert check.p_value < 0.01
    half = visits.copy()
    half[-1], late = 100, conversions.copy()
    late[-1] = 5
    assert "day 20 has 200 visits where 1,000 are usual" in found(table(half, late))["last day"].message


def test_weekends_are_no_late_conversions():
    """A fall on two days that days before have as well."""
    rng = np.random.default_rng(5)
    visits = np.full((28, 2), 2000)
    rates = np.where(np.arange(28) % 7 >= 5, 0.03, 0.05)[:, None]
    assert "late conversions" not in found(table(visits, rng.binomial(visits, rates)))


def test_prior_at_odds():
    """The prior's prediction is beta-binomial: the smallest two-sided tail of both arms, twice (Bonferroni)."""
    source = {"visits": [1000, 1000], "conversions": [40, 50]}
    assert "prior" not in found(source, (4, 96))
    check = found(source, (200, 1800))["prior"]
    tails = [stats.betabinom(1000, 200, 1800).cdf(s) for s in (40, 50)]
    assert check.p_value == pytest.approx(2 * 2 * min(tails))
    assert "hardly allows for the 4 % of “arm 0”" in check.message
    assert any(one.check == "prior" for one in analyse(source, prior=(200, 1800), forecast=False).checks)


def test_an_arm_that_joins_later_is_no_sample_ratio():
    """Equal shares are those of the arms that have a row on the day."""
    rows = table(np.array([[150, 150, 100]] * 5 + [[100, 100, 100]] * 10), np.full((15, 3), 5))
    keep = ~((rows["day"] <= 5) & (np.asarray(rows["arm"]) == "a2"))
    rows = {name: np.asarray(column)[keep] for name, column in rows.items()}
    assert set(found(rows)) == {"rows missing"}


def test_a_table_that_begins_later():
    rows = table(*drawn(10))
    rows["day"] = rows["day"] + 7
    told = found(rows)
    assert told["first day"].message.startswith("The table begins on day 8, which is taken as the experiment's first;")
    assert read(rows).days[-1] == 10
