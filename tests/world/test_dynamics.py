"""The dynamics: where the traffic goes, what it earns, what it costs, and when it ends."""

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bandit_env.envs.bernoulli_bandit import BernoulliBanditVectorEnv
from bandit_env.envs.daily_traffic import DailyTrafficEnv, DailyTrafficVectorEnv
from bandit_env.world.action import decode_action, encode_action

FALSE_ALARM = 1e-6  # of each statistical test here; seeds are fixed


def batch(num_envs, **kwargs):
    return DailyTrafficVectorEnv(num_envs, autoreset_mode="Disabled", **kwargs)


def serve(weights, num_envs, seed=0, **kwargs):
    """The observation after one update of `num_envs` experiments with the same weights."""
    env = batch(num_envs, **kwargs)
    env.reset(seed=seed)
    return env.step(np.tile(encode_action(weights), (num_envs, 1)))[0]


# --- the books, over everything that can be asked for


@st.composite
def episodes(draw):
    num_arms = draw(st.integers(2, 4))
    max_days = draw(st.integers(1, 5))
    kwargs = {
        "rates": draw(st.lists(st.floats(0, 1), min_size=num_arms, max_size=num_arms)),
        "visits_per_day": draw(st.sampled_from([1, 2, 7, 100, 10**6, 10**9])),
        "updates_per_day": draw(st.integers(1, 3)),
        "max_days": max_days,
        "min_days": draw(st.floats(0, max_days)),
        "split": draw(st.sampled_from(["multinomial", "proportional"])),
        "reward": draw(st.sampled_from(["conversions", "regret"])),
        "cost_per_day": draw(st.sampled_from([0.0, 2.5])),
    }
    score = st.one_of(st.just(0.0), st.just(1.0), st.floats(0, 1, width=32))
    action = st.lists(score, min_size=num_arms + 1, max_size=num_arms + 1)
    return kwargs, draw(st.lists(action, min_size=16, max_size=16)), draw(st.integers(0, 2**70))


@given(episodes())
@settings(max_examples=150, deadline=None)
def test_every_step_keeps_the_books(episode):
    """What a step returns, recomputed from the visits and conversions that it shows."""
    kwargs, actions, seed = episode
    env = DailyTrafficEnv(**kwargs)
    before, info = env.reset(seed=seed)
    rates, best = np.array(kwargs["rates"]), max(kwargs["rates"])
    keys = info.keys()
    v, per_day, horizon = kwargs["visits_per_day"], kwargs["updates_per_day"], kwargs["max_days"]
    assert info["rates"].tolist() == kwargs["rates"]
    assert info["best_rate"] == best
    for update in range(horizon * per_day + 1):
        action = np.array(actions[update % 16], np.float32)
        weights, stop, arm = decode_action(action)
        obs, reward, terminated, truncated, info = env.step(action)
        served, earned = obs["visits"] - before["visits"], obs["conversions"] - before["conversions"]
        last = update == horizon * per_day
        stops = bool(stop) and update / per_day >= kwargs["min_days"]
        assert terminated is (last or stops)
        assert truncated is False
        if terminated:
            assert served.sum() == info["served"] == info["regret"] == 0
            left = v * horizon - obs["visits"].sum()
            after = left * (best - rates[arm]) if stop else 0
            lump = left * rates[arm] if stop else 0
            assert info["declared_arm"] == (arm if stop else -1)
            assert info["correct"] is bool(stop and rates[arm] == best)
            assert info["stopping_day"] == update / per_day == obs["day"][0]
            assert info["regret_after"] == pytest.approx(after)
            assert reward == pytest.approx(-after if kwargs["reward"] == "regret" else lump)
            return
        u = update % per_day
        assert served.sum() == info["served"] == (u + 1) * v // per_day - u * v // per_day
        assert (served[weights == 0] == 0).all()
        assert ((earned >= 0) & (earned <= served)).all()
        assert (earned[rates == 0] == 0).all()
        assert (earned == served)[rates == 1].all()
        assert obs["day"].tolist() == [(update + 1) / per_day]
        regret = (served * (best - rates)).sum()
        assert info["regret"] == pytest.approx(regret)
        assert info.keys() == keys
        plain = -regret if kwargs["reward"] == "regret" else earned.sum()
        assert reward == pytest.approx(plain - kwargs["cost_per_day"] / per_day)
        if kwargs["split"] == "proportional":
            np.testing.assert_array_less(np.abs(served - weights * info["served"]), 1 + 1e-6)
        before = obs
    pytest.fail("the episode did not end after its last decision")


# --- where the traffic goes


def test_multinomial_split_has_the_exact_distribution():
    """Chi-square over all 15 ways to split 4 visits over 3 arms."""
    weights = np.array([0.2, 0.5, 0.3])
    visits = serve(weights, 60_000, visits_per_day=4, rates=[0, 0, 0])["visits"]
    outcomes = [(a, b, 4 - a - b) for a in range(5) for b in range(5 - a)]
    found = [int((visits == outcome).all(axis=1).sum()) for outcome in outcomes]
    expected = 60_000 * stats.multinomial(4, weights).pmf(outcomes)
    assert sum(found) == 60_000
    assert stats.chisquare(found, expected).pvalue > FALSE_ALARM


def test_multinomial_split_of_much_traffic_has_the_right_moments():
    weights = np.array([0.05, 0.3, 0.15, 0.1, 0.35, 0.05])
    n, v = 40_000, 10**9
    visits = serve(weights, n, visits_per_day=v, rates=[0.0] * 6)["visits"]
    scores = encode_action(weights)[:-1].astype(np.float64)
    weights = scores / scores.sum()  # the float32 ones; at 10**9 visits the difference shows
    law = stats.multinomial(v, weights)
    covariance = law.cov()
    error = visits.mean(axis=0) - law.mean()
    assert (np.abs(error) < 5 * np.sqrt(np.diag(covariance) / n)).all()
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    correlation_error = (np.cov(visits.T) - covariance) / scale
    assert (np.abs(correlation_error) < 5 * np.sqrt(2 / n)).all()


@pytest.mark.parametrize("split", ["multinomial", "proportional"])
@pytest.mark.parametrize("visits_per_day", [1, 100, 10**9])
def test_weights_of_zero_and_one_are_exact(split, visits_per_day):
    for weights in np.eye(4):
        visits = serve(weights, 200, split=split, visits_per_day=visits_per_day, rates=[0.1] * 4)["visits"]
        assert (visits == visits_per_day * weights).all()
    visits = serve([0.3, 0, 0.7, 0], 2000, split=split, visits_per_day=visits_per_day, rates=[0.1] * 4)["visits"]
    assert (visits[:, [1, 3]] == 0).all()
    assert (visits.sum(axis=1) == visits_per_day).all()


@pytest.mark.parametrize(
    ("weights", "visits", "expected"),
    [
        ([0.5, 0.5], 4, [[2, 2], [4, 4]]),
        ([0.5, 0.5], 3, [[2, 1], [3, 3]]),  # the tie: lowest index, then the arm with fewer visits
        ([1, 1, 1], 100, [[34, 33, 33], [67, 67, 66], [100, 100, 100]]),
        ([0.61, 0.39], 10, [[6, 4], [12, 8]]),
        ([0.75, 0.25], 2, [[2, 0], [3, 1]]),  # remainders 1/2 each: then to the arm that has none
        ([0.48, 0.26, 0.26], 10, [[5, 3, 2], [10, 5, 5]]),  # quotas 4.8, 2.6, 2.6
    ],
)
def test_proportional_split_by_largest_remainder(weights, visits, expected):
    env = DailyTrafficEnv(rates=[0.1] * len(weights), split="proportional", visits_per_day=visits)
    env.reset(seed=0)
    for total in expected:
        assert env.step(encode_action(weights))[0]["visits"].tolist() == total


def test_proportional_split_of_huge_traffic_serves_all_of_it():
    weights = np.random.default_rng(0).dirichlet(np.full(64, 0.2), 500)
    env = batch(500, rates=[0.1] * 64, split="proportional", visits_per_day=2**50, max_days=8, min_days=0)
    env.reset(seed=0)
    obs, *_ = env.step(encode_action(weights))
    assert (obs["visits"].sum(axis=1) == 2**50).all()
    assert (obs["visits"] >= 0).all()


@pytest.mark.parametrize("split", ["multinomial", "proportional"])
def test_counts_stay_whole_up_to_2_to_the_53(split):
    env = batch(3, rates=[0.3, 0.5, 0.9], split=split, visits_per_day=9 * 10**12, max_days=1000)
    env.reset(seed=0)
    action = np.tile(encode_action([0.2, 0.3, 0.5]), (3, 1))
    for _ in range(1000):
        obs, *_ = env.step(action)
    assert (obs["visits"].sum(axis=1) == 9 * 10**15).all()
    assert (obs["conversions"] % 1 == 0).all()
    np.testing.assert_allclose(obs["conversions"] / obs["visits"], [[0.3, 0.5, 0.9]] * 3, rtol=1e-6)
    assert obs["visits"][0] in env.single_observation_space["visits"]


def test_a_day_of_two_updates():
    """The product's setting: 101 visits a day come as 50 and 51."""
    env = DailyTrafficEnv(visits_per_day=101, updates_per_day=2, max_days=2, min_days=0)
    env.reset(seed=0)
    steps = [env.step(encode_action([0.5, 0.5])) for _ in range(5)]
    assert [info["served"] for *_, info in steps] == [50, 51, 50, 51, 0]
    assert [obs["day"][0] for obs, *_ in steps] == [0.5, 1, 1.5, 2, 2]
    assert [terminated for _, _, terminated, _, _ in steps] == [False] * 4 + [True]


# --- what it earns


def test_conversions_have_the_exact_distribution_across_seeds():
    """Experiments seeded 0, 1, 2, ...: chi-square against the binomial, so that neighbouring seeds are independent."""
    n = 50_000
    found = serve([1, 0], n, rates=[0.05, 0.5], seed=0)["conversions"][:, 0].astype(int)
    law = stats.binom(100, 0.05)
    counts = np.bincount(np.clip(found, 0, 13), minlength=14)
    expected = n * np.append(law.pmf(np.arange(13)), law.sf(12))
    assert stats.chisquare(counts, expected).pvalue > FALSE_ALARM


def test_arms_convert_independently_and_at_their_rates():
    n = 40_000
    obs = serve([0.3, 0.7], n, rates=[0.04, 0.3], visits_per_day=1000, seed=7)
    excess = obs["conversions"] - obs["visits"] * [0.04, 0.3]
    deviation = np.sqrt(1000 * np.array([0.3, 0.7]) * [0.04 * 0.96, 0.3 * 0.7])
    standard = excess / deviation
    assert (np.abs(standard.mean(axis=0)) < 5 / np.sqrt(n)).all()
    assert (np.abs((standard**2).mean(axis=0) - 1) < 5 * np.sqrt(2 / n)).all()
    assert abs((standard[:, 0] * standard[:, 1]).mean()) < 5 / np.sqrt(n)


@pytest.mark.parametrize("policy", ["stops", "never stops", "stops wrongly"])
def test_return_of_the_regret_reward_is_minus_all_regret(policy):
    env = DailyTrafficEnv(prior=[4, 96], num_arms=3, reward="regret", max_days=30, min_days=3)
    for seed in range(5):
        _, start = env.reset(seed=seed)
        best, worst = int(start["rates"].argmax()), int(start["rates"].argmin())
        total = regret = 0.0
        terminated = False
        while not terminated:
            stopping = policy != "never stops" and total < -10
            arm = (best if policy == "stops" else worst) if stopping else -1
            _, reward, terminated, _, info = env.step(encode_action([0.2, 0.3, 0.5], arm))
            total += reward
            regret += info["regret"]
        assert total == pytest.approx(-(regret + info["regret_after"]))
        assert (info["regret_after"] > 0) is (policy == "stops wrongly" and info["stopping_day"] < 30)


def test_declaring_earns_what_the_arm_will_earn_and_running_costs():
    env = DailyTrafficEnv(
        rates=[0.25, 0.5], visits_per_day=8, max_days=10, min_days=2, cost_per_day=3, updates_per_day=2
    )
    env.reset(seed=0)
    for _ in range(4):
        obs, reward, *_ = env.step(encode_action([1, 0]))
    conversions = obs["conversions"].sum()
    assert (reward + 1.5) % 1 == 0
    obs, reward, terminated, _, info = env.step(encode_action([1, 0], 0))
    assert terminated
    assert reward == 0.25 * 8 * 8  # 8 days of 8 visits; no cost after the stop
    assert obs["conversions"].sum() == conversions
    assert (info.pop("rates").tolist(), info.pop("base_rates").tolist()) == ([0.25, 0.5], [0.25, 0.5])
    assert info == {
        "best_rate": 0.5, "regret": 0, "served": 0, "declared_arm": 0, "correct": False, "best_arm": 1,
        "stopping_day": 2, "regret_after": 16.0, "loss_after": 16.0,
    }  # fmt: skip


# --- when it ends


def test_a_stop_before_min_days_is_traffic_as_usual():
    env = DailyTrafficEnv(min_days=3, max_days=5)
    env.reset(seed=0)
    for day in (1, 2, 3):
        obs, _, terminated, _, info = env.step(encode_action([0, 1], 1))
        assert (obs["day"][0], terminated, info["served"]) == (day, False, 100)
    _, _, terminated, _, info = env.step(encode_action([0, 1], 1))
    assert terminated
    assert info["stopping_day"] == 3


@pytest.mark.parametrize(("declared", "correct"), [(-1, False), (0, False), (1, True)])
def test_the_last_decision_comes_after_the_last_day(declared, correct):
    env = DailyTrafficEnv(max_days=3, min_days=3)
    env.reset(seed=0)
    assert [env.step(encode_action([0.5, 0.5]))[2] for _ in range(3)] == [False] * 3
    obs, reward, terminated, truncated, info = env.step(encode_action([0.5, 0.5], declared))
    assert (terminated, truncated, reward) == (True, False, 0)
    assert (info["declared_arm"], info["correct"], info["stopping_day"]) == (declared, correct, 3)
    assert (info["regret_after"], info["served"], obs["visits"].sum()) == (0, 0, 300)


@pytest.mark.parametrize("declared", [0, 1, 2])
def test_what_the_shipped_arm_loses_is_counted_to_loss_days(declared):
    """10 visits a day, stopped on day 2: 10 days are left to the horizon, 18 to `loss_days`."""
    env = DailyTrafficEnv(rates=[0.25, 0.625, 0.0625], visits_per_day=10, max_days=12, min_days=2, loss_days=20)
    env.reset(seed=0)
    for _ in range(2):
        env.step(encode_action([1, 1, 1]))
    *_, info = env.step(encode_action([1, 1, 1], declared))
    gap = [0.375, 0, 0.5625][declared]
    assert (info["regret_after"], info["loss_after"]) == (10 * 10 * gap, 18 * 10 * gap)


@pytest.mark.parametrize("world", [{}, {"weekday_traffic": [1] * 7}])
@pytest.mark.parametrize(("updates", "behind"), [(3, 101), (4, 134), (5, 168), (6, 202)])
def test_a_stop_within_a_day_leaves_what_is_left_of_its_traffic(updates, behind, world):
    """101 visits in three updates are 33, 34 and 34; also where traffic follows the weekday."""
    world |= {"visits_per_day": 101, "updates_per_day": 3, "max_days": 4, "min_days": 0, "loss_days": 6}
    env = DailyTrafficEnv(rates=[0.25, 0.5], **world)
    env.reset(seed=0)
    for _ in range(updates):
        env.step(encode_action([1, 1]))
    *_, info = env.step(encode_action([1, 1], 0))
    assert (info["regret_after"], info["loss_after"]) == (0.25 * (404 - behind), 0.25 * (606 - behind))


@pytest.mark.parametrize(
    ("rates", "weights", "leader"), [([0, 1], [1, 0], 0), ([1, 0], [1, 1], 0), ([0, 1], [1, 1], 1)]
)
def test_the_undecided_ship_the_arm_with_the_largest_observed_rate(rates, weights, leader):
    """An arm without visits counts as 0; the lowest index on ties."""
    env = DailyTrafficEnv(rates=rates, visits_per_day=10, max_days=3, min_days=2, loss_days=5)
    env.reset(seed=1)
    for _ in range(3):
        env.step(encode_action(weights))
    *_, info = env.step(encode_action(weights))
    assert (info["declared_arm"], info["regret_after"]) == (-1, 0)
    assert info["loss_after"] == 2 * 10 * (1 - rates[leader])


def test_an_undecided_episode_after_a_decided_one():
    """Nothing of the first episode's end is left in the second."""
    env = DailyTrafficEnv(max_days=2, min_days=1)
    env.reset(seed=0)
    env.step(encode_action([1, 0]))
    *_, info = env.step(encode_action([1, 0], 0))
    assert (info["declared_arm"], info["correct"], info["stopping_day"]) == (0, False, 1)
    assert info["regret_after"] == pytest.approx(100 * 0.01)
    env.reset()
    for _ in range(3):
        *_, info = env.step(encode_action([1, 0]))
    assert (info["declared_arm"], info["correct"], info["stopping_day"], info["regret_after"]) == (-1, False, 2, 0)


def test_an_outcome_stays_what_it_was():
    world = batch(3, min_days=0).world
    world.seed(np.arange(3), np.arange(3, dtype=np.uint64))
    world.begin(np.arange(3))
    first = world.step(encode_action(np.eye(3, 2), [-1, 0, -1]))
    second = world.step(encode_action(np.eye(3, 2), [0, 0, 1]))
    assert (first.ended.tolist(), second.ended.tolist()) == ([1], [0, 2])
    assert (first.served.tolist(), second.served.tolist()) == ([100, 0, 100], [0, 0, 0])


def test_every_best_arm_is_correct_when_arms_tie():
    for arm in (0, 1, 2):
        env = DailyTrafficEnv(rates=[0.05, 0.04, 0.05], min_days=0)
        env.reset(seed=0)
        assert env.step(encode_action([1, 0, 0], arm))[4]["correct"] is (arm != 1)


# --- whose chance it is


def test_rates_are_drawn_from_the_prior_anew_each_episode():
    env = batch(20_000, prior=[[4, 96], [1, 1], [0.5, 2]])
    _, first = env.reset(seed=11)
    _, second = env.reset()
    assert (first["rates"] != second["rates"]).all()
    assert (first["best_rate"] == first["rates"].max(axis=1)).all()
    for infos in (first, second):
        for arm, (a, b) in enumerate([(4, 96), (1, 1), (0.5, 2)]):
            assert stats.kstest(infos["rates"][:, arm], stats.beta(a, b).cdf).pvalue > FALSE_ALARM
    together = np.column_stack([first["rates"], second["rates"]])
    correlation = np.corrcoef(stats.rankdata(together, axis=0).T) - np.eye(6)
    assert (np.abs(correlation) < 5 / np.sqrt(20_000)).all()


def test_rates_of_the_narrowest_prior():
    """With parameters of 10^12, the largest allowed, the distribution is normal to six digits."""
    _, infos = batch(20_000, prior=[[1e12, 1e12], [1e12, 9e11]]).reset(seed=12)
    for arm, (a, b) in enumerate([(1e12, 1e12), (1e12, 9e11)]):
        score = (infos["rates"][:, arm] - a / (a + b)) / stats.beta(a, b).std()
        assert stats.kstest(score, stats.norm.cdf).pvalue > FALSE_ALARM


def test_a_row_depends_on_its_seed_and_actions_only():
    """The same row in batches of other sizes, at other places, beside other actions: the same path, bit for bit."""

    def play(seeds, follow, **kwargs):
        env = batch(len(seeds), prior=[2, 20], num_arms=3, max_days=40, min_days=2, **kwargs)
        _, infos = env.reset(seed=seeds)
        path = [infos["rates"][follow]]
        rng = np.random.default_rng(len(seeds))
        for day in range(30):
            actions = encode_action(rng.dirichlet(np.ones(3), len(seeds)), rng.integers(-1, 3, len(seeds)))
            actions[follow] = encode_action(np.roll([0.1, 0.3, 0.6], day))
            obs, rewards, *_ = env.step(actions)
            path += [obs["visits"][follow], obs["conversions"][follow], rewards[follow : follow + 1]]
        return np.concatenate(path)

    alone = play([99], 0)
    assert (play([5, 99, 7, 8], 1) == alone).all()
    assert (play([*range(60), 99], 60) == alone).all()
    assert (play([98], 0) != alone).any()


def test_seeds_as_int_list_array_and_none():
    def rates(env, **kwargs):
        return env.reset(**kwargs)[1]["rates"]

    env, other = (batch(3, prior=[1, 1], num_arms=2) for _ in range(2))
    by_int = rates(env, seed=5)
    for same in ([5, 6, 7], (5, 6, 7), np.array([5, 6, 7]), np.array([5, 6, 7], np.uint64)):
        assert (rates(other, seed=same) == by_int).all()
    went_on = rates(env)
    assert (rates(other, seed=[None, 6, None]) == [went_on[0], by_int[1], went_on[2]]).all()
    huge = rates(env, seed=2**64 - 2)  # the last row's seed is 2**64
    assert (rates(other, seed=[2**64 - 2, 2**64 - 1, 2**64]) == huge).all()
    assert (rates(other, seed=[0, 1, 2**300]) != huge).all()
    assert len(np.unique(np.concatenate([by_int, went_on, huge]))) == 18


def test_many_seeds_take_milliseconds():
    import time

    env = batch(20_000)
    seeds = np.random.SeedSequence(0).generate_state(20_000, np.uint64).tolist()
    env.reset(seed=seeds)
    elapsed = []
    for _ in range(5):
        start = time.process_time()
        env.reset(seed=seeds)
        elapsed.append(time.process_time() - start)
    assert min(elapsed) < 0.15


def test_unseeded_environments_differ_and_obey_np_random():
    first, second = (batch(2, prior=[1, 1], num_arms=2) for _ in range(2))
    assert (first.reset()[1]["rates"] != second.reset()[1]["rates"]).all()
    drawn = []
    for _ in range(2):
        env = batch(2, prior=[1, 1], num_arms=2)
        env.np_random = np.random.default_rng(3)
        drawn.append(env.reset()[1]["rates"])
    assert (drawn[0] == drawn[1]).all()


def test_bernoulli_bandit_is_daily_traffic_of_one_visit():
    """The reduction: one visit an update, one-hot weights; the same streams, hence the same world bit for bit."""
    n, horizon = 50, 30
    daily = batch(n, prior=[1, 1], num_arms=4, visits_per_day=1, max_days=horizon, min_days=0)
    bandit = BernoulliBanditVectorEnv(n, prior=[1, 1], num_arms=4, horizon=horizon, autoreset_mode="Disabled")
    _, first = daily.reset(seed=3)
    _, second = bandit.reset(seed=3)
    assert (first["rates"] == second["rates"]).all()
    rng = np.random.default_rng(0)
    for visit in range(horizon):
        arms = rng.integers(0, 4, n)
        a, reward_a, ended_a, _, info_a = daily.step(encode_action(np.eye(4)[arms]))
        b, reward_b, ended_b, _, info_b = bandit.step(arms)
        assert (a["visits"] == b["visits"]).all()
        assert (a["conversions"] == b["conversions"]).all()
        assert (a["day"] == b["elapsed"]).all()
        assert (reward_a == reward_b).all()
        assert (info_a["regret"] == info_b["regret"]).all()
        assert not ended_a.any()
        assert (ended_b == (visit == horizon - 1)).all()


def test_bernoulli_bandit_rewards_are_minus_regret_if_asked():
    env = gym.make("bandit_env/BernoulliBandit-v0", rates=[0.2, 0.7], reward="regret", horizon=2)
    env.reset(seed=0)
    assert env.step(0)[1] == pytest.approx(-0.5)
    assert env.step(1)[1] == 0
