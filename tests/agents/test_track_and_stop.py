"""Best-arm identification: optimal proportions, Track-and-Stop, top-two Thompson, successive elimination."""

import numpy as np
import pytest
from play import first_action, play

import agents
from agents.allocations.track_and_stop import optimal_proportions
from bandit_env.world.task import Task

FIRST = [0.5, 0.45, 0.43, 0.4]
SECOND = [0.3, 0.21, 0.2, 0.19, 0.18]


def test_the_published_instances():
    # Garivier and Kaufmann (2016), section 6: w*(mu_1) = [0.417, 0.390, 0.136, 0.057], w*(mu_2) = [0.336,
    # 0.251, 0.177, 0.132, 0.104]; more digits and T* of the first from two quadratures that agree.
    proportions, time = optimal_proportions(FIRST)
    assert proportions == pytest.approx([0.4165, 0.3903, 0.1362, 0.0570], abs=5e-5)
    assert time == pytest.approx(989.79, abs=5e-3)
    proportions, time = optimal_proportions(SECOND)
    assert proportions == pytest.approx([0.336, 0.251, 0.177, 0.132, 0.104], abs=6e-4)


def information(weights, rates):
    """min over the other arms of the rate at which the best is told from them: what w* maximises."""

    def kl(p, q):
        return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))

    best = int(np.argmax(rates))
    others = [a for a in range(len(rates)) if a != best]
    pooled = [(weights[best] * rates[best] + weights[a] * rates[a]) / (weights[best] + weights[a]) for a in others]
    return min(
        weights[best] * kl(rates[best], m) + weights[a] * kl(rates[a], m) for a, m in zip(others, pooled, strict=True)
    )


@pytest.mark.parametrize("rates", [FIRST, SECOND, [0.04, 0.05], [0.9, 0.05, 0.5], [0.05, 0.0501, 0.03]])
def test_no_proportions_nearby_are_better(rates):
    rates = np.array(rates)
    proportions, time = optimal_proportions(rates)
    assert proportions.sum() == pytest.approx(1, abs=1e-12)
    optimum = information(proportions, rates)
    assert 1 / time == pytest.approx(optimum, rel=1e-7)
    rng = np.random.default_rng(0)
    for scale in (0.1, 0.01, 0.001):
        for _ in range(200):
            other = proportions * np.exp(scale * rng.standard_normal(len(rates)))
            assert information(other / other.sum(), rates) <= optimum * (1 + 1e-7)


def test_leaders_that_tie_share_everything():
    proportions, time = optimal_proportions([[0.3, 0.3, 0.1], [0, 0, 0]])
    assert proportions.tolist() == [[0.5, 0.5, 0], pytest.approx([1 / 3] * 3)]
    assert np.isinf(time).all()


def test_track_and_stop_takes_as_long_as_published():
    # Garivier and Kaufmann (2016), table 1: 4,052 visits on average at delta = .1; the error stays below
    # delta.
    count, best = 150, 0
    task = Task(num_arms=4, visits_per_day=1, max_days=40_000)
    agent = agents.make("track-and-stop", stopping={"rule": "glr", "delta": 0.1})
    played = play(agent, np.tile(FIRST, (count, 1)), task, seed=0)
    time = played.stopping_update
    assert (played.declared >= 0).all()
    assert played.claims.all()
    error = np.hypot(time.std() / np.sqrt(count), 158)  # ours, and that of an independent simulation: 3,999 +- 158
    assert abs(time.mean() - 4052) < 4 * error
    assert (played.declared != best).mean() < 0.1


def test_tracking_visit_by_visit_follows_the_paper():
    # t = 400: sqrt(t) - K / 2 = 18 is more than arm 3 has; then the largest t w* - n.
    weights, *_ = first_action(agents.make("track-and-stop"), [100, 80, 20, 5], [200, 150, 33, 17], visits_per_day=1)
    assert weights.tolist() == [[0, 0, 0, 1]]
    visits = np.array([200, 150, 30, 20])
    conversions = np.array([100, 70, 13, 8])
    proportions, _ = optimal_proportions(conversions / visits)
    weights, *_ = first_action(agents.make("track-and-stop"), conversions, visits, visits_per_day=1)
    assert weights[0].argmax() == (400 * proportions - visits).argmax()
    assert weights[0].max() == 1


def test_a_batch_is_what_single_steps_without_feedback_come_to():
    visits, conversions = np.array([2000.0, 1500, 100, 300]), np.array([1000.0, 650, 40, 130])
    weights, *_ = first_action(agents.make("track-and-stop"), conversions, visits, visits_per_day=1000)
    proportions, _ = optimal_proportions(conversions / visits)
    counts = visits.copy()
    for _ in range(1000):
        deficit = (visits.sum() + 1000) * proportions - counts
        counts[deficit.argmax()] += 1
    assert weights[0] == pytest.approx((counts - visits) / 1000, abs=2e-3)


@pytest.mark.parametrize(
    ("name", "mean", "error"), [("top-two-thompson", 316, 16), ("thompson", 539, 24), ("uniform", 503, 28)]
)
def test_visits_until_the_best_of_five_is_known(name, mean, error):
    # Our independent simulation: rates .1 .2 .3 .4 .5, one visit at a time until max P(best) >= .95.
    count = 200
    rates = np.tile([0.1, 0.2, 0.3, 0.4, 0.5], (count, 1))
    agent = agents.make(name, stopping="probability-best")
    time = play(agent, rates, Task(5, 1, max_days=20_000), seed=0).stopping_update
    assert abs(time.mean() - mean) < 4 * np.hypot(time.std() / np.sqrt(count), error)


def test_top_two_weights_are_those_of_the_algorithm():
    conversions, visits = np.array([20, 25, 24]), np.array([100, 100, 100])
    weights, *_ = first_action(agents.make("top-two-thompson", beta=0.3), conversions, visits)
    rng = np.random.default_rng(0)
    draws = rng.beta(conversions + 1, visits - conversions + 1, (400_000, 3)).argmax(axis=1)
    leaders, challengers = draws[:200_000], draws[200_000:]
    differ = leaders != challengers
    served = np.where(rng.random(200_000) < 0.3, leaders, np.where(differ, challengers, -1))
    # Where the second draw is the leader again the algorithm redraws: the leader's own conditional
    # distribution.
    best = np.bincount(draws, minlength=3) / 400_000
    expected = np.bincount(served[served >= 0], minlength=3) / 200_000
    for leader in range(3):
        again = ((served == -1) & (leaders == leader)).mean()
        others = np.where(np.arange(3) != leader, best, 0)
        expected += again * others / others.sum()
    assert weights[0] == pytest.approx(expected, abs=5e-3)


def test_top_two_keeps_a_challenger_when_the_leader_is_certain():
    weights, *_ = first_action(agents.make("top-two-thompson"), [1e6, 1e5, 1e5], [1e7, 1e7, 1e7])
    assert weights[0] == pytest.approx([0.5, 0.25, 0.25])


def test_successive_elimination_drops_for_good_and_keeps_the_best():
    agent = agents.make("successive-elimination", delta=0.1)
    task = Task(num_arms=4, visits_per_day=200, max_days=200)
    rates = np.tile([0.5, 0.45, 0.3, 0.1], (200, 1))
    played = play(agent, rates, task, seed=1)
    seen = {"visits": played.visits, "conversions": played.conversions, "day": np.full((200, 1), 199.0)}
    active = agent.act(seen, np.arange(200))[:, :-1] > 0
    assert active[:, 0].mean() >= 0.9
    assert not active[:, 3].any()
    dropped = ~active[:, 2]
    assert (played.visits[dropped, 2] < played.visits[dropped, 0]).all()
    visits, conversions = np.full((1, 4), 100.0), np.array([[50.0, 45, 30, 10]])
    agent.reset(task, 1, np.random.default_rng(0))
    first = agent.act({"visits": visits, "conversions": conversions, "day": np.ones((1, 1))}, np.arange(1))
    back = agent.act({"visits": visits, "conversions": np.full((1, 4), 50.0), "day": np.ones((1, 1))}, np.arange(1))
    assert first[0, 3] == 0
    assert back[0, 3] == 0  # out is out, whatever comes later
