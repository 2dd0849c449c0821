"""Worlds that move: traffic, delays, arms that come and go, and what an experiment loses on its own path."""

import gymnasium as gym
import numpy as np
import pytest
from scipy import stats

from bandit_env.envs.daily_traffic import DailyTrafficEnv, DailyTrafficVectorEnv
from bandit_env.world.action import encode_action
from bandit_env.world.scenario import Scenario

FALSE_ALARM = 1e-6  # of each statistical test here; seeds are fixed
WEEK = [1.2, 1.2, 1.2, 1.2, 1.2, 0.5, 0.5]


def batch(num_envs, **kwargs):
    return DailyTrafficVectorEnv(num_envs, autoreset_mode="Disabled", **kwargs)


def play(env, seed, updates, weights=None):
    """Observations and infos of some updates under weights that stay, lists with an entry per update."""
    env.reset(seed=seed)
    action = encode_action(np.ones(env.task.num_arms) if weights is None else weights)
    steps = [env.step(np.tile(action, (env.num_envs, 1))) for _ in range(updates)]
    return [step[0] for step in steps], [step[-1] for step in steps]


def served(env, seed, updates):
    """The visits of each update, shape (updates, N)."""
    return np.array([info["served"] for info in play(env, seed, updates)[1]])


# --- traffic


def test_fixed_traffic_of_the_week_in_whole_numbers():
    """105 x 1.1 = 115.5 and 105 x .1 = 10.5 to the nearest, halves up; updates share a day as floor says."""
    week = [1, 1.1, 0.1, 0, 1, 1, 2]
    once = served(batch(1, visits_per_day=105, weekday_traffic=week), 0, 9)[:, 0]
    assert once.tolist() == [105, 116, 11, 0, 105, 105, 210, 105, 116]
    twice = served(batch(1, visits_per_day=105, weekday_traffic=week, updates_per_day=2), 0, 6)[:, 0]
    assert twice.tolist() == [52, 53, 58, 58, 5, 6]


@pytest.mark.parametrize(("mean", "per_day"), [(3, 1), (60, 1), (60, 3), (10**9, 1)])
def test_poisson_traffic_has_its_distribution(mean, per_day):
    """Chi-square on 20 cells of nearly equal probability; updates independent."""
    n = 20_000
    visits = served(batch(n, visits_per_day=mean, updates_per_day=per_day, traffic="poisson", max_days=100), 1, 2)
    law = stats.poisson(mean / per_day)
    for found in visits:
        edges = np.unique(law.ppf(np.linspace(0.05, 0.95, 19)))
        observed = np.bincount(np.searchsorted(edges, found), minlength=edges.size + 1)
        expected = n * np.diff(np.concatenate([[0], law.cdf(edges), [1]]))
        assert stats.chisquare(observed, expected).pvalue > FALSE_ALARM
    assert abs(np.corrcoef(visits)[0, 1]) < 5 / np.sqrt(n)


@pytest.mark.parametrize("size", [0.5, 1, 40])
def test_negative_binomial_traffic_has_its_distribution(size):
    """A day's visits: mean m, variance m + m^2 / size. In two updates they share the day's mean, hence correlate."""
    n, m = 20_000, 50
    world = {"visits_per_day": m, "traffic": {"model": "negative-binomial", "size": size}}
    law = stats.nbinom(size, size / (size + m))
    found = served(batch(n, **world), 1, 1)[0]
    edges = np.unique(law.ppf(np.linspace(0.05, 0.95, 19)))
    observed = np.bincount(np.searchsorted(edges, found), minlength=edges.size + 1)
    expected = n * np.diff(np.concatenate([[0], law.cdf(edges), [1]]))
    assert stats.chisquare(observed, expected).pvalue > FALSE_ALARM
    first, second, third = served(batch(n, **world, updates_per_day=2), 2, 3)
    day = first + second
    assert abs(day.mean() - m) < 5 * law.std() / np.sqrt(n)
    assert abs(np.log(day.var() / law.var())) < 0.2
    within = (m**2 / 4 / size) / (m / 2 + m**2 / 4 / size)
    assert abs(np.corrcoef(first, second)[0, 1] - within) < 0.06
    assert abs(np.corrcoef(second, third)[0, 1]) < 5 / np.sqrt(n)


def test_random_traffic_of_the_week():
    visits = served(batch(20_000, visits_per_day=100, traffic="poisson", weekday_traffic=WEEK), 3, 8)
    expected = 100 * np.array([*WEEK, 1.2])
    assert (np.abs(visits.mean(axis=1) - expected) < 5 * np.sqrt(expected / 20_000)).all()


def test_a_day_without_visits_is_a_day():
    env = batch(1, weekday_traffic=[0, 1, 1, 1, 1, 1, 1])
    observations, infos = play(env, 0, 2)
    assert observations[0]["visits"].tolist() == [[0, 0]]
    assert observations[0]["day"].tolist() == [[1]]
    assert [info["served"][0] for info in infos] == [0, 100]


# --- delay


def test_conversions_come_geometrically_late():
    """Rate 1, all visits on day 0: by the end of update t a share 1 - (1 - g)^(t + 1) of them has been seen."""
    n, v, delay = 2000, 100, np.array([0.5, 4.0])
    world = {"visits_per_day": 2 * v, "delay": delay.tolist(), "updates_per_day": 2, "split": "proportional"}
    env = batch(n, rates=[1, 1], weekday_traffic=[1, 0, 0, 0, 0, 0, 0], **world)
    seen = np.array([o["conversions"] for o in play(env, 4, 8)[0]])  # of two updates with v visits each
    g = 1 / (1 + 2 * delay)
    t = np.arange(8)[:, None]
    share = 1 - (1 - g) ** (t + 1) + np.where(t > 0, 1 - (1 - g) ** t, 0)
    error = seen.mean(axis=1) - v / 2 * share
    assert (np.abs(error) < 5 * np.sqrt(v / 4 / n * 2)).all()
    assert stats.chisquare(*_binned(seen[0, :, 1], stats.binom(v // 2, g[1]))).pvalue > FALSE_ALARM


def _binned(found, law):
    edges = np.unique(law.ppf(np.linspace(0.1, 0.9, 9)))
    observed = np.bincount(np.searchsorted(edges, found), minlength=edges.size + 1)
    return observed, len(found) * np.diff(np.concatenate([[0], law.cdf(edges), [1]]))


def test_a_delay_of_0_for_one_arm_is_none():
    env = batch(50, rates=[1, 1], delay=[0, 3])
    for observation in play(env, 0, 5)[0]:
        assert (observation["conversions"][:, 0] == observation["visits"][:, 0]).all()
        assert (observation["conversions"][:, 1] < observation["visits"][:, 1]).all()


@pytest.mark.parametrize("stop", [-1, 0])
def test_all_conversions_are_paid_in_the_end(stop):
    """Rate 1: whatever comes late, an episode's rewards are its visits, and those that the declared arm will have."""
    env = DailyTrafficEnv(rates=[1, 1], delay=5, visits_per_day=10, max_days=6, min_days=1)
    env.reset(seed=0)
    rewards, terminated = [], False
    while not terminated:
        _, reward, terminated, *_ = env.step(encode_action([1, 1], stop if len(rewards) == 3 else -1))
        rewards.append(reward)
    assert sum(rewards[:3]) < 20
    assert sum(rewards) == 60


def test_a_bandit_pays_late():
    env = gym.make("bandit_env/BernoulliBandit-v0", rates=[1.0, 1.0], horizon=12, delay=4)
    env.reset(seed=0)
    rewards = [env.step(i % 2)[1] for i in range(12)]
    assert sum(rewards) == 12
    assert rewards[-1] > 1


def test_a_bandit_of_effects_takes_a_pull_for_a_day():
    effects = [{"effect": "switch", "day": 3, "rates": [1, 0]}]
    env = gym.make("bandit_env/BernoulliBandit-v0", rates=[0, 1], horizon=6, effects=effects)
    env.reset(seed=0)
    steps = [env.step(0) for _ in range(6)]
    assert [reward for _, reward, *_ in steps] == [0, 0, 0, 1, 1, 1]
    assert [info["regret"] for *_, info in steps] == [1, 1, 1, 0, 0, 0]


# --- arms that come and go


@pytest.mark.parametrize("split", ["multinomial", "proportional"])
def test_absent_arms_are_served_nothing(split):
    env = batch(20, rates=[0.1, 0.2, 0.3], joins=[0, 2, 0], leaves=[None, None, 4], split=split, visits_per_day=30)
    observations, infos = play(env, 0, 6, [0.2, 0.3, 0.5])
    visits = np.diff([np.zeros((20, 3)), *(o["visits"] for o in observations)], axis=0)
    there = env.task.available(np.arange(6))
    assert ((visits > 0).any(axis=1) == there).all()
    assert (visits.sum(axis=2) == 30).all()
    assert [info["best_rate"][0] for info in infos] == [0.3] * 4 + [0.2] * 2
    assert infos[0]["rates"][0].tolist() == [0.1, 0.2, 0.3]


def test_scores_for_absent_arms_alone_mean_uniform_over_the_others():
    env = batch(1, rates=[0.1, 0.2, 0.3], joins=[0, 0, 5], split="proportional", min_days=0)
    assert play(env, 0, 1, [0, 0, 1])[0][0]["visits"].tolist() == [[50, 50, 0]]


def test_no_stop_before_every_arm_was_there_a_day():
    env = DailyTrafficEnv(rates=[0.1, 0.2, 0.3], joins=[0, 4, 0], min_days=2, max_days=9)
    assert env.task.min_days == 5
    env.reset(seed=0)
    ends = [env.step(encode_action([0, 0, 1], 2))[2] for _ in range(6)]
    assert ends == [False] * 5 + [True]


def test_an_arm_that_has_left_cannot_be_declared():
    env = DailyTrafficEnv(rates=[0.1, 0.2, 0.3], leaves=[None, None, 3], min_days=1, max_days=9)
    env.reset(seed=0)
    for _ in range(3):
        env.step(encode_action([1, 1, 1]))
    *_, info = env.step(np.array([0.2, 0.6, 0.9, 1], np.float32))
    assert (info["declared_arm"], info["correct"], info["best_arm"]) == (1, True, 1)


def test_a_declared_arm_earns_nothing_from_the_day_on_which_it_leaves():
    """Stopped after day 2 of 10: arm 2 earns .3 on days 2 to 5, then leaves; arm 1 earns .2 on 8 days, more."""
    kwargs = {"rates": [0.1, 0.2, 0.3], "leaves": [None, None, 6], "min_days": 1, "max_days": 10, "loss_days": 12}
    for arm, after, loss, lump, correct in [(2, 80, 120, 120, False), (1, 40, 40, 160, True)]:
        env = DailyTrafficEnv(**kwargs)
        env.reset(seed=0)
        env.step(encode_action([1, 1, 1]))
        env.step(encode_action([1, 1, 1]))
        _, reward, *_, info = env.step(encode_action([0, 0, 0], arm))
        assert (info["regret_after"], info["loss_after"], reward) == pytest.approx((after, loss, lump))
        assert (info["correct"], info["best_arm"]) == (correct, 1)


def test_the_undecided_ship_the_leader_of_those_there():
    env = DailyTrafficEnv(rates=[0, 0.5, 1], leaves=[None, None, 2], min_days=1, max_days=3, loss_days=5)
    env.reset(seed=0)
    for _ in range(4):
        *_, info = env.step(encode_action([1, 1, 1]))
    assert (info["declared_arm"], info["best_arm"], info["loss_after"]) == (-1, 1, 0)


# --- the path


MOVING = {
    "rates": [0.2, 0.22, 0.18],
    "visits_per_day": 60,
    "updates_per_day": 2,
    "traffic": {"model": "negative-binomial", "size": 5},
    "weekday_traffic": WEEK,
    "delay": 1.5,
    "joins": [0, 3, 0],
    "leaves": [None, None, 17],
    "effects": [
        {"effect": "day-shock", "sd": 0.3},
        {"effect": "walk", "sd": 0.2},
        {"effect": "step", "day": 12, "factor": 1.4, "arm": 1},
    ],
}


def test_a_path_is_the_same_under_every_agent_and_goes_on_after_the_stop():
    """What rows that stop lose is what rows that never stop show: the rates of the same days."""
    n, max_days, loss_days = 200, 20, 30
    full = batch(n, **MOVING, max_days=loss_days, min_days=loss_days)
    _, infos = play(full, 7, 2 * loss_days)
    rates = np.array([info["rates"] for info in infos[::2]])  # (days, N, K)
    visits = np.array([info["served"] for info in infos])
    there = full.task.available(np.arange(loss_days))
    best = np.where(there[:, None], rates, 0).max(axis=2)
    mean = 60 * np.array(WEEK)[np.arange(loss_days) % 7]

    env = batch(n, **MOVING, max_days=max_days, loss_days=loss_days)
    env.reset(seed=7)
    rng = np.random.default_rng(0)
    stops = rng.integers(2 * 14, 2 * max_days + 1, n)  # in updates; half of them in the middle of a day
    arms = rng.integers(0, 2, n)
    for update in range(2 * max_days + 1):
        actions = encode_action(rng.dirichlet(np.ones(3), n), np.where(stops == update, arms, -1))
        running = ~env.world.ended
        _, _, ended, _, info = env.step(actions)
        over = running & ended
        if (go := running & ~over).any():
            assert (info["rates"][go] == rates[update // 2, go]).all()
            assert (info["served"][go] == visits[update, go]).all()
            assert (info["best_rate"][go] == best[update // 2, go]).all()
        for row in np.flatnonzero(over):
            share = np.ones(loss_days)
            share[: update // 2] = 0
            share[update // 2 : update // 2 + 1] -= update % 2 / 2
            left = mean * share
            own = rates[:, row, arms[row]]
            lost = left * (best[:, row] - own)
            assert info["loss_after"][row] == pytest.approx(lost.sum())
            assert info["regret_after"][row] == pytest.approx(lost[:max_days].sum())
            sums = (left[:max_days, None] * there[:max_days] * rates[:max_days, row]).sum(axis=0)
            if update == 2 * max_days:
                sums = np.where(there[max_days - 1], rates[max_days - 1, row], 0)
            assert info["best_arm"][row] == sums.argmax()
            assert info["correct"][row] == (arms[row] == sums.argmax())
            assert info["stopping_day"][row] == update / 2
    assert env.world.ended.all()


def test_a_later_episode_has_a_path_of_its_own_the_same_under_every_agent():
    def paths(stop):
        env = DailyTrafficVectorEnv(5, **MOVING, max_days=16, min_days=4, autoreset_mode="SameStep")
        _, infos = env.reset(seed=3)
        found = [infos["rates"]]
        for _update in range(60):
            *_, infos = env.step(np.tile(encode_action([1, 1, 1], 0 if stop else -1), (5, 1)))
            if "final_obs" in infos:
                found.append(infos["rates"])
        return found[:2]

    stopped, ran = paths(True), paths(False)
    assert (stopped[0] == ran[0]).all()
    assert (stopped[1] == ran[1]).all()
    assert (stopped[0] != stopped[1]).all()


def test_a_row_of_a_moving_world_depends_on_its_seed_and_actions_only():
    def follow(seeds, row):
        env = batch(len(seeds), **MOVING, max_days=20, loss_days=30)
        env.reset(seed=seeds)
        rng, path = np.random.default_rng(len(seeds)), []
        for update in range(34):
            actions = encode_action(rng.dirichlet(np.ones(3), len(seeds)), rng.integers(-1, 2, len(seeds)))
            actions[row] = encode_action([0.1, 0.3, 0.6], 1 if update == 33 else -1)
            obs, rewards, *_, infos = env.step(actions)
            path += [obs["visits"][row], obs["conversions"][row], infos["rates"][row], rewards[[row]]]
            path += [infos["loss_after"][[row]], infos["regret_after"][[row]]]
        return np.concatenate(path)

    alone = follow([99], 0)
    assert (follow([5, 99, 7, 8], 1) == alone).all()
    assert (follow([*range(40), 99], 40) == alone).all()
    assert (follow([98], 0) != alone).any()


def test_what_is_off_draws_nothing():
    """A delay, effects and traffic that change nothing leave the bits of a plain world."""
    plain = batch(30, prior=[2, 8], num_arms=3, max_days=30)
    nothing = {"effect": "step", "day": 2, "factor": 1}
    still = batch(30, prior=[2, 8], num_arms=3, max_days=30, effects=[nothing], joins=[0, 0, 0], delay=[0, 0, 0])
    assert still.world.moving is not None
    for (a, b), (c, d) in zip(zip(*play(plain, 1, 30)), zip(*play(still, 1, 30)), strict=True):
        assert all((a[name] == c[name]).all() for name in a)
        assert all((b[name] == d[name]).all() for name in b)


def test_the_stop_of_a_plain_world_is_that_of_one_that_moves_by_nothing():
    nothing = [{"effect": "step", "day": 2, "factor": 1}]
    kwargs = {"rates": [0.1, 0.25, 0.2], "max_days": 20, "min_days": 2, "loss_days": 33, "updates_per_day": 3}
    returned = []
    for effects in (None, nothing):
        env = batch(3, **kwargs, effects=effects, visits_per_day=50)
        env.reset(seed=2)
        for _ in range(7):
            env.step(np.tile(encode_action([1, 1, 1]), (3, 1)))
        returned.append(env.step(encode_action(np.eye(3), [0, 1, 2]))[1:])
    (rewards, *_, plain), (others, *_, moving) = returned
    np.testing.assert_allclose(rewards, others, rtol=1e-12)
    assert plain.keys() == moving.keys()
    for name in plain:
        np.testing.assert_allclose(plain[name], moving[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_a_start_on_a_later_day_is_on_the_path():
    full = batch(6, **MOVING, max_days=20)
    rates = [info["rates"] for info in play(full, 5, 20)[1]]
    late = batch(6, **MOVING, max_days=20)
    _, infos = late.reset(seed=5, options={"day": 6.5})
    assert (infos["rates"] == rates[13]).all()
    *_, infos = late.step(np.tile(encode_action([1, 1, 1]), (6, 1)))
    assert (infos["rates"] == rates[13]).all()
    *_, infos = late.step(np.tile(encode_action([1, 1, 1]), (6, 1)))
    assert (infos["rates"] == rates[14]).all()


# --- what is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"traffic": "possion"}, "traffic is 'possion'; expected one of 'fixed', 'poisson', 'negative-binomial'"),
        (
            {"traffic": 3},
            "traffic is 3; expected 'fixed', 'poisson', 'negative-binomial', or a table with a key 'model'",
        ),
        (
            {"traffic": "negative-binomial"},
            "traffic.size is missing; expected a number above 0 beside 'negative-binomial'",
        ),
        ({"traffic": {"model": "negative-binomial", "size": 0}}, "traffic.size is 0; expected a number above 0"),
        ({"traffic": {"model": "poisson", "size": 2}}, "traffic.size is 2, but 'poisson' has none"),
        ({"traffic": {"model": "poisson", "sizes": 2}}, "traffic.sizes: unknown key; did you mean 'size'"),
        ({"weekday_traffic": [1] * 6}, "weekday_traffic has 6 numbers; expected seven, one for each day of the week"),
        ({"weekday_traffic": [0] * 7}, "weekday_traffic is 0 on every day; expected one above 0"),
        ({"weekday_traffic": [1] * 6 + [-1]}, r"weekday_traffic\[6\] is -1; expected a number of at least 0"),
        ({"visits_per_day": 10**12, "weekday_traffic": [1] * 6 + [99]}, r"visits_per_day \* max_days is 99,000,"),
        ({"delay": -1}, "delay holds -1; expected mean days of at least 0"),
        ({"delay": [1, 2, 3]}, r"delay has shape \(3,\); expected one number, or one for each arm"),
        ({"delay": "late"}, "delay is 'late'; expected numbers"),
        (
            {"joins": [0, 1000]},
            r"joins\[1\] is 1000, so that arm 1 is never there; expected a day before max_days, 1000",
        ),
        (
            {"joins": [0, 5], "leaves": [None, 5]},
            r"leaves\[1\] is 5, so that arm 1, which joins on day 5, is never there",
        ),
        ({"leaves": [0, None]}, r"leaves\[0\] is 0, so that arm 0, which joins on day 0, is never there"),
        ({"joins": [5, 9]}, "joins and leaves let no arm be there on day 0; expected one every day"),
        ({"joins": [0, 9], "leaves": [7, None]}, "joins and leaves let no arm be there on day 7"),
        ({"joins": [0]}, r"joins is \[0\]; expected a day for each of the 2 arms"),
        ({"joins": [0, 1.5]}, r"joins\[1\] is 1.5; expected a whole number of at least 0"),
        ({"joins": [0, None]}, r"joins\[1\] is None; expected a whole number of at least 0"),
        ({"leaves": "never"}, "leaves is 'never'; expected a day for each of the 2 arms"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        Scenario(**arguments)
