"""What effects make of rates: by formula, in order, and where they are refused."""

import json

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from bandit_env.envs.daily_traffic import DailyTrafficEnv, DailyTrafficVectorEnv
from bandit_env.world.action import encode_action
from bandit_env.world.scenario import Scenario

FALSE_ALARM = 1e-6  # of each statistical test here; seeds are fixed


def path(effects, days, num_envs=1, seed=0, **kwargs):
    """The rates that `info` tells of each day, shape (days, N, K)."""
    world = {"rates": [0.1, 0.2], "max_days": days, "min_days": 0, "visits_per_day": 5} | kwargs
    env = DailyTrafficVectorEnv(num_envs, autoreset_mode="Disabled", effects=effects, **world)
    _, infos = env.reset(seed=seed)
    even = np.tile(encode_action(np.ones(env.task.num_arms)), (num_envs, 1))
    found = []
    for day in range(days):
        before = infos["rates"]
        *_, infos = env.step(even)
        found.append(infos["rates"])
        assert day or (before == infos["rates"]).all()  # reset tells day 0
    return np.array(found)


D = np.arange(20)


def odds(rate, factor):
    return expit(logit(rate) + np.log(factor))


@pytest.mark.parametrize(
    ("effect", "factors"),
    [
        ({"effect": "weekday", "factors": [1, 2, 1, 1, 1, 0.5, 0.25]}, np.array([1, 2, 1, 1, 1, 0.5, 0.25])[D % 7]),
        ({"effect": "step", "day": 4, "factor": 0.6}, np.where(D >= 4, 0.6, 1)),
        ({"effect": "trend", "from": 0.5, "to": 1.5}, 0.5 + D / 19),
        ({"effect": "trend", "to": 2}, 1 + D / 19),
        ({"effect": "novelty", "factor": 1.5, "half_life": 7}, 1 + 0.5 * 2 ** (-D / 7)),
    ],
)
def test_factors_by_formula(effect, factors):
    """The formulas of Scenario's docstring, on the rate and on its odds, for all arms and for one."""
    rate, scaled = path([effect], 20)[:, 0], path([effect | {"scale": "odds"}], 20)[:, 0]
    one = path([effect | {"arm": 1}], 20)[:, 0]
    np.testing.assert_allclose(rate, np.outer(factors, [0.1, 0.2]), rtol=1e-12)
    np.testing.assert_allclose(scaled, np.column_stack([odds(0.1, factors), odds(0.2, factors)]), rtol=1e-12)
    assert (one[:, 0] == 0.1).all()
    assert (one[:, 1] == rate[:, 1]).all()


def test_effects_apply_in_order():
    """A factor of the rate and one of the odds do not commute; a switch forgets what came before it in the list."""
    step = {"effect": "step", "day": 2, "factor": 0.5}
    double = {"effect": "step", "day": 0, "factor": 2, "scale": "odds"}
    switch = {"effect": "switch", "day": 4, "rates": [0.3, 0.4]}
    np.testing.assert_allclose(path([step, double], 4)[3, 0], odds(np.array([0.05, 0.1]), 2))
    np.testing.assert_allclose(path([double, step], 4)[3, 0], odds(np.array([0.1, 0.2]), 2) / 2)
    np.testing.assert_allclose(path([step, switch], 6)[5, 0], [0.3, 0.4])
    np.testing.assert_allclose(path([switch, step], 6)[5, 0], [0.15, 0.2])
    piecewise = [switch, {"effect": "switch", "day": 5, "arm": 1, "rates": [0.9]}]
    np.testing.assert_allclose(path(piecewise, 7)[3:6, 0], [[0.1, 0.2], [0.3, 0.4], [0.3, 0.9]])


def test_novelty_begins_when_its_arm_joins():
    effect = {"effect": "novelty", "arm": 1, "factor": 3, "half_life": 1}
    rates = path([effect], 8, joins=[0, 5])[:, 0, 1]
    np.testing.assert_allclose(rates, [0.2] * 5 + [0.6, 0.4, 0.3])


def test_effects_go_on_where_rates_are_drawn_and_updates_share_a_day():
    effect = {"effect": "step", "day": 1, "factor": 0.5}
    env = DailyTrafficVectorEnv(50, prior=[2, 8], num_arms=3, effects=[effect], updates_per_day=2, max_days=2)
    _, first = env.reset(seed=3)
    even = np.tile(encode_action([1, 1, 1]), (50, 1))
    rates = [env.step(even)[-1]["rates"] for _ in range(4)]
    assert (first["base_rates"] == first["rates"]).all()
    for half_day, factor in zip(rates, [1, 1, 0.5, 0.5], strict=True):
        assert (half_day == first["base_rates"] * factor).all()


def test_drawn_rates_are_cut_at_1():
    effect = {"effect": "step", "day": 0, "factor": 3}
    rates = path([effect], 1, 200, rates=None, prior=[2, 2], num_arms=2)
    assert (rates <= 1).all()
    assert (rates == 1).any()


def test_a_day_shock_is_one_draw_for_all_its_arms_and_another_each_day():
    rates = path([{"effect": "day-shock", "sd": 0.3, "arm": [0, 2]}], 6, 4000, rates=[0.1, 0.2, 0.3])
    shocks = logit(rates) - logit([0.1, 0.2, 0.3])
    assert (shocks[:, :, 1] == 0).all()
    np.testing.assert_allclose(shocks[:, :, 0], shocks[:, :, 2], atol=1e-9)
    draws = shocks[:, :, 0]
    assert stats.kstest(draws.ravel() / 0.3, stats.norm.cdf).pvalue > FALSE_ALARM
    correlation = np.corrcoef(draws) - np.eye(6)
    assert (np.abs(correlation) < 5 / np.sqrt(4000)).all()


def test_a_walk_begins_at_the_base_rates_and_each_arm_goes_its_own_way():
    walk = {"effect": "walk", "sd": 0.05}
    rates = path([walk, {"effect": "step", "day": 2, "factor": 0.5}], 9, 4000, rates=[0.1, 0.2, 0.3])
    assert (rates[0] == [0.1, 0.2, 0.3]).all()
    rates[2:] *= 2
    steps = np.diff(logit(rates), axis=0).transpose(0, 2, 1).reshape(24, 4000) / 0.05  # 8 days x 3 arms
    assert stats.kstest(steps.ravel(), stats.norm.cdf).pvalue > FALSE_ALARM
    assert (np.abs(np.corrcoef(steps) - np.eye(24)) < 5.5 / np.sqrt(4000)).all()


def test_two_walks_of_two_arms():
    effects = [{"effect": "walk", "sd": 0.5, "arm": 0}, {"effect": "walk", "sd": 0.1, "arm": 1}]
    steps = np.diff(logit(path(effects, 5, 4000)), axis=0)
    np.testing.assert_allclose(steps.std(axis=(0, 1)), [0.5, 0.1], rtol=5 / np.sqrt(2 * 16_000))


def test_rates_of_0_and_1_stay_where_odds_move():
    effects = [{"effect": "day-shock", "sd": 2}, {"effect": "step", "day": 0, "factor": 9, "scale": "odds"}]
    assert (path(effects, 3, rates=[0.0, 1.0]) == [0, 1]).all()
    assert path([{"effect": "step", "day": 0, "factor": 0, "scale": "odds"}], 1, rates=[0.3, 1.0]).tolist() == [
        [[0, 0]]
    ]


# --- equal arms


@pytest.mark.parametrize(
    ("arguments", "equal"),
    [
        ({}, True),
        ({"effects": [{"effect": "weekday", "factors": [1, 1, 1, 1, 1, 2, 2]}]}, True),
        ({"effects": [{"effect": "day-shock", "sd": 1}], "traffic": "poisson", "delay": [0, 5]}, True),
        ({"effects": [{"effect": "step", "day": 2, "factor": 0.5, "arm": [1, 0]}]}, True),
        ({"effects": [{"effect": "novelty", "factor": 2, "half_life": 3}]}, True),
        ({"effects": [{"effect": "novelty", "factor": 2, "half_life": 3}], "joins": [0, 4]}, False),
        ({"joins": [0, 4]}, True),
        ({"effects": [{"effect": "walk", "sd": 0.1}]}, False),
        ({"effects": [{"effect": "step", "day": 2, "factor": 0.5, "arm": 1}]}, False),
        ({"effects": [{"effect": "day-shock", "sd": 1, "arm": 0}]}, False),
        ({"effects": [{"effect": "switch", "day": 2, "rates": [0.2, 0.2]}]}, True),
        ({"effects": [{"effect": "switch", "day": 2, "rates": [0.2, 0.3]}]}, False),
        ({"effects": [{"effect": "switch", "day": 2, "rates": [0.2, 0.3]}], "leaves": [2, None]}, True),
    ],
)
def test_arms_are_equal_by_construction_or_not(arguments, equal):
    scenario = Scenario(rates=[0.1, 0.1], **arguments)
    assert scenario.equal_arms is equal
    assert scenario.equal_base_rates
    assert not Scenario(rates=[0.1, 0.11], **arguments).equal_arms


# --- what is refused


@pytest.mark.parametrize(
    ("effect", "message"),
    [
        (
            {"effect": "step", "day": 20, "factor": 30},
            r"effects\[1\]: step takes the rate of arm 0 to 1.2 on day 20; "
            r"expected a rate in \[0, 1\]",
        ),
        (
            {"effect": "trend", "to": 41},
            r"effects\[1\]: trend takes the rate of arm 1 to .* on day 4\d\d; expected a rate",
        ),
        ({"effect": "weekday", "factors": [1] * 6}, r"effects\[1\]: weekday: factors has 6 numbers; expected seven"),
        (
            {"effect": "weekday", "factors": [1] * 6 + [-1]},
            r"weekday: factors\[6\] is -1; expected a number of at least 0",
        ),
        ({"effect": "weekday", "factors": "all"}, "weekday: factors is 'all'; expected numbers"),
        ({"effect": "step", "day": 2.5, "factor": 1}, "step: day is 2.5; expected a whole number of at least 0"),
        ({"effect": "step", "day": 2, "factor": -1}, "step: factor is -1; expected a number of at least 0"),
        ({"effect": "step", "day": 2, "factor": float("nan")}, "step: factor is nan; expected a number of at least 0"),
        ({"effect": "step", "day": 2}, r"effects\[1\]: step: 'factor' missing"),
        ({"effect": "novelty", "factor": 2}, r"effects\[1\]: novelty: 'half_life' missing"),
        (
            {"effect": "novelty", "factor": 2, "half_life": 0},
            "novelty: half_life is 0; expected a number of days above 0",
        ),
        ({"effect": "step", "day": 2, "factro": 1}, "step: unknown key 'factro'; did you mean 'factor'"),
        ({"effect": "stpe", "day": 2}, "unknown effect 'stpe'; did you mean 'step'"),
        (
            {"effect": "switch", "day": 2, "rates": [0.5]},
            "switch: rates has 1 numbers; expected one for each of its 2 arms",
        ),
        (
            {"effect": "switch", "day": 2, "rates": [0.5, 1.5]},
            r"switch: rates\[1\] is 1.5; expected a rate in \[0, 1\]",
        ),
        ({"effect": "walk", "sd": -0.1}, "walk: sd is -0.1; expected a number of at least 0"),
        ({"effect": "walk", "sd": 0.1, "arm": 2}, "walk: arm is 2; expected arms from 0 to 1"),
        ({"effect": "walk", "sd": 0.1, "arm": [0, 0]}, r"walk: arm is \[0, 0\]; expected each arm once"),
        ({"effect": "walk", "sd": 0.1, "arm": []}, r"walk: arm is \[\]; expected an arm, or a list of arms"),
        (
            {"effect": "step", "day": 2, "factor": 1, "scale": "log"},
            "step: scale is 'log'; expected one of 'rate', 'odds'",
        ),
        ({"day": 2}, "expected a table with a key 'effect', one of day-shock, novelty"),
        ("step", "found 'step'; expected a table with a key 'effect'"),
    ],
)
def test_refuses_and_names_the_effect(effect, message):
    first = {"effect": "day-shock", "sd": 0.1, "arm": 1} if "arm 0" in message else {"effect": "walk", "sd": 0}
    first = {"effect": "step", "day": 0, "factor": 1} if "takes" in message else first
    with pytest.raises(ValueError, match=message):
        Scenario(effects=[first, effect])


def test_refuses_what_is_no_list_of_effects():
    with pytest.raises(ValueError, match="effects is 'walk'; expected a list of tables"):
        Scenario(effects="walk")


def test_a_rate_that_a_draw_decides_is_cut_instead_of_refused():
    shock, triple = {"effect": "day-shock", "sd": 1.0}, {"effect": "step", "day": 0, "factor": 3}
    assert path([shock, triple], 1, 300, rates=[0.3, 0.4]).max() == 1
    with pytest.raises(ValueError, match=r"step takes the rate of arm 1 to 1\.2 on day 0"):
        path([triple, shock], 1, rates=[0.3, 0.4])


def test_rates_given_at_a_reset_are_checked_on_their_path():
    effect = {"effect": "step", "day": 3, "factor": 2}
    single, vector = (cls(effects=[effect]) for cls in (DailyTrafficEnv, DailyTrafficVectorEnv))
    for env, rates in ((single, [0.1, 0.6]), (vector, [[0.1, 0.6]])):
        with pytest.raises(ValueError, match=r"options\['rates'\]: effects\[0\]: step takes .* arm 1 to 1.2 on day 3"):
            env.reset(options={"rates": rates})


def test_what_happens_while_an_arm_is_away_is_no_error():
    effects = [{"effect": "step", "day": 5, "factor": 9, "arm": 1}]
    Scenario(rates=[0.1, 0.2], effects=effects, leaves=[None, 5])
    with pytest.raises(ValueError, match="on day 5"):
        Scenario(rates=[0.1, 0.2], effects=effects, leaves=[None, 6])


def test_worlds_survive_json():
    scenario = Scenario(
        traffic={"model": "negative-binomial", "size": 4},
        weekday_traffic=[1.2] * 5 + [0.5] * 2,
        delay=[0.25, 4],
        joins=[0, 20],
        leaves=[40, float("inf")],
        effects=[
            {"effect": "trend", "from": 0.5, "to": 1, "scale": "odds", "arm": 0},
            {"effect": "switch", "day": 3, "rates": [0.2, 0.1]},
            {"effect": "walk", "sd": 0.1, "arm": [1]},
        ],
    )
    arguments = json.loads(json.dumps(scenario.arguments()))
    assert Scenario(**arguments) == scenario
    assert Scenario(**arguments).arguments() == scenario.arguments()
    assert arguments["effects"][0] == {"effect": "trend", "from": 0.5, "to": 1.0, "scale": "odds", "arm": 0}
    assert arguments["leaves"] == [40, None]
    assert not Scenario(delay=0, joins=[0, 0], leaves=[None, None], effects=[]).moves
