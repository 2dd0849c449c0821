"""Memories against their definitions written out, and what an agent with one remembers of whom."""

import numpy as np
import pytest

import agents
from agents.allocations.thompson import Thompson
from agents.stopping import StoppingRule
from bandit_env.world.task import Task

K, N, UPDATES, PER_DAY = 3, 4, 24, 2


class Watching(Thompson):
    """Keeps the evidence that it is shown."""

    def reset(self, task, num_experiments, rng):
        super().reset(task, num_experiments, rng)
        self.seen = []

    def weights(self, evidence):
        self.seen.append(evidence)
        return super().weights(evidence)


def stream(seed=0):
    """New visits and conversions of each update, (UPDATES, N, K)."""
    rng = np.random.default_rng(seed)
    visits = rng.integers(0, 60, (UPDATES, N, K))
    return visits, rng.binomial(visits, 0.2)


def counts_of(memory, task, visits, conversions):
    """What counts after each update, (UPDATES, N, K) twice."""
    agent = Watching(memory=memory)
    agent.reset(task, N, np.random.default_rng(0))
    totals = np.cumsum(visits, axis=0), np.cumsum(conversions, axis=0)
    agent.act({"visits": np.zeros((N, K)), "conversions": np.zeros((N, K)), "day": np.zeros((N, 1))}, np.arange(N))
    for update in range(UPDATES):
        day = np.full((N, 1), (update + 1) / task.updates_per_day)
        observation = {"visits": totals[0][update] + 0.0, "conversions": totals[1][update] + 0.0, "day": day}
        agent.act(observation, np.arange(N))
    seen = agent.seen[1:]
    for update, evidence in enumerate(seen):
        assert (evidence.new_visits == visits[update]).all()
        assert (evidence.new_conversions == conversions[update]).all()
        assert (evidence.raw_visits == totals[0][update]).all()
        assert (evidence.total_served == totals[0][update].sum(axis=1)).all()
    return np.array([e.visits for e in seen]), np.array([e.conversions for e in seen])


@pytest.mark.parametrize("per_day", [1, PER_DAY])
def test_discounted_counts_a_visit_of_d_days_ago_as_factor_to_the_d(per_day):
    visits, conversions = stream()
    found = counts_of({"memory": "discounted", "factor": 0.9}, Task(K, 100, per_day), visits, conversions)
    day = np.arange(UPDATES) // per_day
    for counts, new in zip(found, (visits, conversions)):
        for update in range(UPDATES):
            expected = np.tensordot(0.9 ** (day[update] - day[: update + 1]), new[: update + 1], axes=1)
            assert counts[update] == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("per_day", [1, PER_DAY])
@pytest.mark.parametrize("days", [1, 3, 100])
def test_window_counts_the_last_whole_days(per_day, days):
    visits, conversions = stream()
    found = counts_of({"memory": "window", "days": days}, Task(K, 100, per_day), visits, conversions)
    day = np.arange(UPDATES) // per_day
    for counts, new in zip(found, (visits, conversions)):
        for update in range(UPDATES):
            inside = (day <= day[update]) & (day > day[update] - days) & (np.arange(UPDATES) <= update)
            assert (counts[update] == new[inside].sum(axis=0)).all()


@pytest.mark.parametrize("per_day", [1, PER_DAY])
def test_delay_corrected_counts_a_visit_by_the_chance_that_its_conversion_has_arrived(per_day):
    visits, conversions = stream()
    mean = np.array([0.0, 0.75, 6.0])
    memory = {"memory": "delay-corrected", "mean_days": mean.tolist()}
    counts = counts_of(memory, Task(K, 100, per_day), visits, conversions)
    g = 1 / (1 + mean * per_day)
    for t in range(UPDATES):
        s = np.arange(t + 1)[:, None]
        expected = ((1 - (1 - g) ** (t - s + 1))[:, None] * visits[: t + 1]).sum(axis=0)
        total = conversions[: t + 1].sum(axis=0)
        assert counts[0][t] == pytest.approx(np.maximum(expected, total), rel=1e-12)
        assert (counts[1][t] == total).all()


@pytest.mark.parametrize("memory", [{"memory": "window", "days": 2}, {"memory": "discounted", "factor": 0.3}])
def test_conversions_that_arrive_after_their_visits_have_faded_leave_counts_that_can_be(memory):
    visits, conversions = np.zeros((2, UPDATES, N, K), int)
    visits[0], conversions[6] = 40, 30
    counts = counts_of(memory, Task(K, 100), visits, conversions)
    assert (counts[1][6] == 30).all()
    assert (counts[0] >= counts[1]).all()


def test_all_is_free():
    assert agents.make("thompson", memory="all")._memory is None
    assert agents.make("thompson").parameters["memory"] == "all"


def test_a_row_that_begins_anew_is_forgotten():
    """As in a vector environment that starts over by itself."""
    visits, conversions = stream()
    agent, fresh = (Watching(memory={"memory": "discounted", "factor": 0.9}, every_days=2) for _ in range(2))
    for one in (agent, fresh):
        one.reset(Task(K, 100), N, np.random.default_rng(0))
    zero = {"visits": np.zeros((N, K)), "conversions": np.zeros((N, K)), "day": np.zeros((N, 1))}
    first = {"visits": visits[0] + 0.0, "conversions": conversions[0] + 0.0, "day": np.ones((N, 1))}
    second = {"visits": visits[:2].sum(axis=0) + 0.0, "conversions": conversions[:2].sum(axis=0) + 0.0}
    second["day"] = np.full((N, 1), 2.0)
    for observation in (zero, first, second):
        fresh_action = fresh.act(observation, np.arange(N))
    for observation in (zero, second, zero, first, second):
        action = agent.act(observation, np.arange(N))
    assert (action == fresh_action).all()


class EveryUpdate(StoppingRule):
    """Counts the updates that it has seen, and ships arm 1 at its second question."""

    def new_state(self, task, num_experiments):
        return {"updates": np.zeros(num_experiments, int), "asked": np.zeros(num_experiments, int)}

    def update_state(self, evidence):
        evidence.state_of(self)["updates"][evidence.experiments] += 1

    def decide(self, evidence):
        asked = evidence.state_of(self)["asked"]
        asked[evidence.experiments] += 1
        stop = asked[evidence.experiments] == 2
        assert (evidence.state_of(self)["updates"][evidence.experiments] == evidence.update + 1).all()
        return np.where(stop, 1, -1), stop


def test_a_rule_that_remembers_sees_every_update_and_is_asked_from_min_days_on():
    agent = Thompson(stopping=EveryUpdate() & EveryUpdate(), warm_up_days=20)
    agent.reset(Task(K, 100, min_days=3), 2, np.random.default_rng(0))
    for day in range(5):
        zero = np.zeros((2, K))
        action = agent.act({"visits": zero, "conversions": zero, "day": np.full((2, 1), float(day))}, np.arange(2))
        assert (action[:, -1] == (day == 4)).all()
    assert agent.claims_winner(np.arange(2), np.array([1, 1])).all()


def test_a_promise_that_a_memory_voids_is_said():
    class Promising(StoppingRule):
        promise = "a level of alpha"

        def decide(self, evidence):
            raise NotImplementedError

    discounted = {"memory": "discounted", "factor": 0.9}
    (remark,) = Thompson(memory=discounted, stopping=Promising() | EveryUpdate()).remarks(Task(K, 100))
    assert remark == (
        "Promising promises a level of alpha where every visit counts; "
        "with the memory Discounted(factor=0.9) it does not"
    )
    assert Thompson(stopping=Promising()).remarks(Task(K, 100)) == []


@pytest.mark.parametrize(
    ("memory", "message"),
    [
        ("discount", "memory: unknown name 'discount'; did you mean 'discounted'"),
        ("discounted", "memory 'discounted': argument 'factor' is missing"),
        ({"memory": "discounted", "factor": 0}, "factor is 0; expected a number above 0 and at most 1"),
        ({"memory": "discounted", "factor": 1.5}, "factor is 1.5; expected a number from 0 to 1"),
        ({"memory": "window", "days": 2.5}, "days is 2.5; expected a whole number of at least 1"),
        ({"memory": "window", "day": 2}, "unknown argument 'day'; did you mean 'days'"),
        ({"memory": "delay-corrected", "mean_days": -1}, "mean_days is -1; expected a number of at least 0"),
        ({"memory": "delay-corrected", "mean_days": [1, "x"]}, r"mean_days\[1\] is 'x'"),
        ({"factor": 0.9}, r"memory is {'factor': 0.9}; expected a key 'memory'"),
        (3, "memory is 3; expected the name of a memory or a table"),
        ("agents.stopping:ValueRemaining", "is a ValueRemaining; expected a Memory"),
    ],
)
def test_bad_memories_are_named(memory, message):
    with pytest.raises(ValueError, match=message):
        agents.make("thompson", memory=memory)


def test_a_delay_for_each_arm_needs_as_many_as_there_are():
    agent = agents.make("thompson", memory={"memory": "delay-corrected", "mean_days": [1, 2]})
    with pytest.raises(ValueError, match="mean_days has 2 numbers; expected one, or one for each of 3 arms"):
        agent.check_task(Task(K, 100))


@pytest.mark.parametrize("name", ["gittins", "bayes-optimal"])
def test_who_plans_by_whole_counts_takes_no_memory(name):
    with pytest.raises(ValueError, match=r"memory is 'window.*|memory is {'memory': 'window'.*expected 'all'"):
        agents.make(name, memory={"memory": "window", "days": 2})


def test_period_weighted_averages_rates_by_traffic_and_skips_periods_that_lack_an_arm():
    visits, conversions = stream(3)
    visits[5, :, 1] = conversions[5, :, 1] = 0
    found, converted = counts_of("period-weighted", Task(K, 100), visits, conversions)
    for update in range(UPDATES):
        for row in range(N):
            whole = [p for p in range(update + 1) if visits[p, row].min() > 0]
            if not whole:
                assert (found[update, row] == 0).all()
                continue
            v, c = visits[whole, row], conversions[whole, row]
            traffic = v.sum(axis=1, keepdims=True)
            rate = (traffic * c / v).sum(axis=0) / traffic.sum()
            assert converted[update, row] / found[update, row] == pytest.approx(rate, rel=1e-12)
            assert found[update, row] == pytest.approx(traffic.sum() ** 2 / (traffic**2 / v).sum(axis=0), rel=1e-12)


def test_period_weighted_is_everything_where_weights_are_constant():
    """Within a period, and over all of them if the shares never change."""
    visits = np.full((UPDATES, N, K), [30, 50, 20]) * np.arange(1, UPDATES + 1)[:, None, None]
    conversions = np.random.default_rng(0).binomial(visits, 0.1)
    found, converted = counts_of("period-weighted", Task(K, 100), visits, conversions)
    assert found == pytest.approx(visits.cumsum(axis=0))
    assert converted == pytest.approx(conversions.cumsum(axis=0))
    visits, conversions = stream()
    found, converted = counts_of({"memory": "period-weighted", "days": 100}, Task(K, 100), visits, conversions)
    assert found[3:] == pytest.approx(visits.cumsum(axis=0)[3:])  # by then every arm has been visited
    assert converted[3:] == pytest.approx(conversions.cumsum(axis=0)[3:])


def test_period_weighted_begins_anew_when_an_arm_joins():
    visits, conversions = stream()
    visits[:4, :, 2] = conversions[:4, :, 2] = 0
    found, _ = counts_of("period-weighted", Task(K, 100, joins=(0, 0, 4)), visits, conversions)
    whole = visits[4:6].min(axis=(0, 2)) > 0
    assert (found[3] == 0).all()  # the arm is about to join
    traffic = visits[4:6].sum(axis=2, keepdims=True)
    expected = traffic.sum(axis=0) ** 2 / (traffic**2 / np.maximum(visits[4:6], 1)).sum(axis=0)
    assert found[5][whole] == pytest.approx(expected[whole], rel=1e-12)


def test_period_weighted_thompson_has_a_period_for_every_stretch_of_weights():
    assert agents.make("period-weighted", every_days=7).parameters["memory"]["days"] == 7
    assert agents.make("period-weighted").parameters["memory"]["days"] is None
    with pytest.raises(ValueError, match="'period-weighted' is its own"):
        agents.make("period-weighted", memory={"memory": "window", "days": 7})
