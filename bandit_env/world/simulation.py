"""The dynamics, once, over arrays: split the traffic, draw the conversions, count the regret.

One row is one experiment. The single environments are a simulation of one row, the vector environments of N.

Chance. Every row has a random stream of its own: the generator xoshiro256++ (Blackman and Vigna 2021), started from
one 64-bit seed by SplitMix64 (Steele, Lea and Flood 2014), with our own binomial sampler on it (inversion after
Kachitvichyanukul and Schmeiser 1988, rejection after Hoermann 1993; see streams.py). Hence a row's path is a function
of its own seed and its own actions, whatever the rows beside it do: any grouping of experiments into batches gives
the same rows, a vector environment equals as many single ones bit for bit, and agents that are compared on the same
seeds meet the same rates and, as long as they act alike, the same visitors. One numpy Generator for the whole array
could promise none of this.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit_env.world.action import check_arms, check_scores, read_row, row_is_valid
from bandit_env.world.scenario import Scenario
from bandit_env.world.start import Start
from bandit_env.world.streams import Rows, Streams, binomial, compiled, inlined, internal, seed_streams, uniforms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_read_row = inlined(read_row)
_row_is_valid = internal(row_is_valid)


class Outcome(NamedTuple):
    """What one step did, for all N rows; zero in the rows that did not run."""

    reward: Floats  # (N,)
    regret: Floats  # (N,) of this update, in conversions
    served: Ints  # (N,) visits of this update
    ended: Rows  # (m,) the rows whose experiment ended in this step, increasing


class Simulation:
    """N experiments of one scenario, side by side.

    The arrays are the state; read them, copy them, but leave the writing to the methods.
    """

    def __init__(self, scenario: Scenario, num_experiments: int) -> None:
        n, k = num_experiments, scenario.task.num_arms
        self.scenario = scenario
        self.visits: Floats = np.zeros((n, k))  # cumulative, whole numbers
        self.conversions: Floats = np.zeros((n, k))
        self.updates: Ints = np.zeros(n, np.int64)  # updates served
        self.rates: Floats = np.zeros((n, k))
        self.best_rate: Floats = np.zeros(n)
        self.ended: Bools = np.ones(n, np.bool_)  # a row runs from `begin` to its end
        self.declared: Ints = np.full(n, -1, np.int64)  # of ended rows
        self.regret_after: Floats = np.zeros(n)  # of ended rows: what the declared arm loses from the stop to max_days
        self.loss_after: Floats = np.zeros(n)  # the same to loss_days, where the undecided ship the leader
        self.streams: Streams = np.zeros((n, 4), np.uint64)  # all zero: never seeded
        self._running: Rows = np.zeros(n, np.int64)  # the first _num_running are the rows that run, increasing
        self._num_running = 0
        self._just_ended: Rows = np.zeros(n, np.int64)
        self._scores: Floats = np.zeros(k)  # scratch of a step, for one row at a time
        self._scratch: Floats = np.zeros(k)
        self._counts: Ints = np.zeros(k, np.int64)
        # None where traffic is split at random: then Numba leaves the other way out, and compiles a tenth less
        self._remainders = np.zeros(k) if scenario.split == "proportional" else None
        v, u = scenario.visits_per_day, scenario.updates_per_day
        assert scenario.loss_days is not None
        self._traffic: Ints = np.array([(i + 1) * v // u - i * v // u for i in range(u)], np.int64)
        self._plan: Plan = (
            v,
            scenario.max_days,
            scenario.loss_days,
            scenario.task.max_updates,
            scenario.min_updates,
            scenario.reward == "regret",
            scenario.cost_per_day / scenario.updates_per_day,
        )

    def seed(self, rows: Rows, seeds: NDArray[np.uint64]) -> None:
        """Start the random streams of `rows`, shape (n,), from `seeds`, shape (n,)."""
        seed_streams(self.streams, rows, seeds)

    def unseeded(self, rows: Rows) -> Rows:
        """Those of `rows` whose stream was never started."""
        return rows[~self.streams[rows].any(axis=1)]

    def begin(self, rows: Rows, rates: Floats | None = None, start: Start | None = None) -> None:
        """Begin new experiments in `rows`, shape (n,).

        Args:
            rows: their places.
            rates: shape (n, K); None stands for the scenario's.
            start: what they begin from, over all of `rows` alike or for each; None stands for the scenario's.
        """
        if rates is None:
            rates = self._draw_rates(rows)
        self.rates[rows] = rates
        self.best_rate[rows] = self.rates[rows].max(axis=1)
        start = start or self.scenario.begins
        self.visits[rows], self.conversions[rows] = start.visits, start.conversions
        self.updates[rows] = np.rint(np.asarray(start.day) * self.scenario.updates_per_day)
        self.regret_after[rows] = self.loss_after[rows] = 0
        self.declared[rows] = -1
        self.ended[rows] = False
        running = np.flatnonzero(~self.ended)
        self._num_running = running.size
        self._running[: running.size] = running

    def step(self, actions: NDArray[np.float32]) -> Outcome:
        """One update of every running row: serve its traffic, or end it.

        Args:
            actions: shape (N, K + 1), laid out as action.py says; ignored in rows that have ended.

        Raises:
            ValueError: a running row's action holds a NaN or a number outside [0, 1]. Nothing has happened then.
        """
        outcome = self._empty_outcome()
        still, ended = _step(
            actions, self._running, self._num_running, self._plan, self._traffic, self.streams, self.rates,
            self.best_rate, self.visits, self.conversions, self.updates, self.ended, self.declared, self.regret_after,
            self.loss_after,
            self._just_ended, self._scores, self._scratch, self._counts, self._remainders, *outcome[:3],
        )  # fmt: skip
        if still < 0:
            check_scores(np.where(self.ended[:, None], 0, actions))
        self._num_running = still
        return outcome._replace(ended=self._just_ended[:ended].copy())

    def pull(self, arms: Ints) -> Outcome:
        """One visit of every running row to the arm of `arms`, shape (N,); a row ends with its last visit.

        The scenario has one visit a day, so that `max_days` counts visits.

        Raises:
            ValueError: a running row's arm is not in 0 .. K - 1. Nothing has happened then.
        """
        outcome = self._empty_outcome()
        still, ended = _pull(
            arms, self._running, self._num_running, self._plan, self.streams, self.rates, self.best_rate,
            self.visits, self.conversions, self.updates, self.ended, self._just_ended, *outcome[:3],
        )  # fmt: skip
        if still < 0:
            check_arms(np.where(self.ended, 0, arms), self.rates.shape[1])
        self._num_running = still
        return outcome._replace(ended=self._just_ended[:ended].copy())

    def _empty_outcome(self) -> Outcome:
        n = self.ended.size
        return Outcome(np.zeros(n), np.zeros(n), np.zeros(n, np.int64), self._just_ended)

    def _draw_rates(self, rows: Rows) -> Floats:
        prior = self.scenario.prior
        if prior is None:
            return np.asarray(self.scenario.rates, np.float64)
        from scipy.special import betaincinv  # here, as fixed rates can do without

        a, b = np.asarray(prior, np.float64).T
        chance = np.empty((rows.size, a.size))
        uniforms(self.streams, rows, chance)
        rates: Floats = betaincinv(a, b, chance)  # the quantile function of Beta(a, b)
        return rates


Plan = tuple[int, int, int, int, int, bool, float]  # as in Simulation.__init__


@compiled
def _step(
    actions: NDArray[np.float32], running: Rows, num_running: int, plan: Plan, traffic: Ints, streams: Streams,
    rates: Floats, best_rate: Floats, visits: Floats, conversions: Floats, updates: Ints, ended: Bools, declared: Ints,
    regret_after: Floats,
    loss_after: Floats, just_ended: Rows, scores: Floats, scratch: Floats, counts: Ints, remainders: Floats | None,
    reward: Floats, regret: Floats, served: Ints,
) -> tuple[int, int]:  # fmt: skip
    """The daily-traffic step of the running rows.

    Returns how many still run and how many ended; -1, and nothing has happened, if an action is not valid.
    """
    for j in range(num_running):
        if not _row_is_valid(actions, running[j]):
            return -1, 0
    per_day, max_days, loss_days, max_updates, min_updates, regret_reward, cost = plan
    still = num_ended = 0
    for j in range(num_running):
        i = running[j]
        stop, arm = _read_row(actions, i, scores)
        if updates[i] == max_updates or (stop and updates[i] >= min_updates):
            ended[i] = True
            just_ended[num_ended] = i
            num_ended += 1
            past = updates[i] // traffic.size * per_day  # visits of the updates behind, whoever served them
            for u in range(updates[i] % traffic.size):
                past += traffic[u]
            shipped = arm if stop else _leader(visits, conversions, i)
            loss_after[i] = (loss_days * per_day - past) * (best_rate[i] - rates[i, shipped])
            if stop:
                left = max_days * per_day - past
                declared[i] = arm
                regret_after[i] = left * (best_rate[i] - rates[i, arm])
                reward[i] = -regret_after[i] if regret_reward else left * rates[i, arm]
        else:
            served[i] = traffic[updates[i] % traffic.size if traffic.size > 1 else 0]
            updates[i] += 1
            if remainders is None:
                _split_at_random(streams, i, served[i], scores, counts, scratch)
            else:
                _split_proportionally(served[i], scores, visits, i, counts, remainders)
            earned, regret[i] = _serve(streams, i, counts, rates, best_rate, visits, conversions)
            reward[i] = (-regret[i] if regret_reward else earned) - cost
            running[still] = i
            still += 1
    return still, num_ended


@compiled
def _pull(
    arms: Ints, running: Rows, num_running: int, plan: Plan, streams: Streams, rates: Floats, best_rate: Floats,
    visits: Floats, conversions: Floats, updates: Ints, ended: Bools, just_ended: Rows,
    reward: Floats, regret: Floats, served: Ints,
) -> tuple[int, int]:  # fmt: skip
    """The one-visit step of the running rows; returns as `_step` does."""
    for j in range(num_running):
        if not 0 <= arms[running[j]] < rates.shape[1]:
            return -1, 0
    _, _, _, max_updates, _, regret_reward, _ = plan
    counts = np.zeros(rates.shape[1], np.int64)
    still = num_ended = 0
    for j in range(num_running):
        i = running[j]
        updates[i] += 1
        counts[arms[i]] = served[i] = 1
        earned, regret[i] = _serve(streams, i, counts, rates, best_rate, visits, conversions)
        counts[arms[i]] = 0
        reward[i] = -regret[i] if regret_reward else earned
        if updates[i] == max_updates:
            ended[i] = True
            just_ended[num_ended] = i
            num_ended += 1
        else:
            running[still] = i
            still += 1
    return still, num_ended


@internal
def _leader(visits: Floats, conversions: Floats, row: int) -> int:
    """The arm with the largest observed rate, 0 where it has no visits; the lowest index on ties."""
    leader, most = 0, -1.0
    for k in range(visits.shape[1]):
        rate = conversions[row, k] / visits[row, k] if visits[row, k] > 0 else 0.0
        if rate > most:
            leader, most = k, rate
    return leader


@inlined
def _serve(
    streams: Streams, row: int, counts: Ints, rates: Floats, best_rate: Floats, visits: Floats, conversions: Floats
) -> tuple[float, float]:
    """Send counts[k] visits to each arm k; returns the conversions and the pseudo-regret."""
    earned = lost = 0.0
    for k in range(counts.size):
        if counts[k] > 0:
            converted = binomial(streams, row, counts[k], rates[row, k])
            visits[row, k] += counts[k]
            conversions[row, k] += converted
            earned += converted
            lost += counts[k] * (best_rate[row] - rates[row, k])
    return earned, lost


@inlined
def _split_at_random(streams: Streams, row: int, traffic: int, scores: Floats, counts: Ints, to_come: Floats) -> None:
    """Multinomial counts, arm by arm: binomial, given the visits left for this arm and those after it.

    `to_come`, a scratch array, sums the scores from the end, so that the last arm with any has probability exactly 1
    and one without any exactly 0.
    """
    rest = 0.0
    for k in range(scores.size - 1, -1, -1):
        rest += scores[k]
        to_come[k] = rest
    left = traffic
    for k in range(scores.size):
        counts[k] = binomial(streams, row, left, scores[k] / to_come[k]) if left > 0 else 0
        left -= counts[k]


@internal
def _split_proportionally(
    traffic: int, scores: Floats, visits: Floats, row: int, counts: Ints, remainders: Floats
) -> None:
    """Largest remainder; ties to the arm with the fewest visits so far, then to the lowest index."""
    total = 0.0
    for k in range(scores.size):
        total += scores[k]
    left = traffic
    for k in range(scores.size):
        quota = traffic * scores[k] / total
        counts[k] = min(int(quota), left)  # rounding of huge quotas could hand out one visit too many
        remainders[k] = quota - counts[k]
        left -= counts[k]
    while left > 0:
        chosen = -1
        for k in range(scores.size):
            if scores[k] > 0 and (
                chosen < 0
                or remainders[k] > remainders[chosen]
                or (remainders[k] == remainders[chosen] and visits[row, k] < visits[row, chosen])
            ):
                chosen = k
        counts[chosen] += 1
        remainders[chosen] -= 1
        left -= 1
