"""The contract of an agent: ours keep it, and the shipped check finds those that do not."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import agents
from agents.agent import Agent
from agents.allocation import Allocation
from agents.allocations.thompson import Thompson
from agents.allocations.uniform import Uniform
from agents.stopping import make_rule
from agents.testing import Nonconformity, check_agent
from bandit_env import plugins
from bandit_env.world.action import encode_action
from bandit_env.world.task import Task

VISIT_BY_VISIT = (Task(num_arms=2, visits_per_day=1, max_days=40),)
FIVE_ARMS_VISIT_BY_VISIT = (Task(num_arms=5, visits_per_day=1, max_days=40),)
DAILY = (Task(num_arms=2, visits_per_day=100, min_days=14, max_days=60),)

# One row per agent: arguments, and the tasks it is made for (None: the standard ones). A new agent is a new
# row.
AGENTS = {
    "adobe-auto-allocate": ({"min_visits": 50, "min_conversions": 5}, None),
    "amplitude": ({"min_visits": 20}, None),
    "bayes-optimal": ({}, VISIT_BY_VISIT),
    "bayes-ucb": ({}, None),
    "epsilon-greedy": ({"epsilon": 0.2, "decay_after": 500}, None),
    "google-2013": ({}, None),
    "growthbook": ({"min_visits": 20}, None),
    "gittins": ({}, VISIT_BY_VISIT + FIVE_ARMS_VISIT_BY_VISIT),
    "gittins-discounted": ({"discount": 0.9}, VISIT_BY_VISIT + FIVE_ARMS_VISIT_BY_VISIT),
    "kl-ucb": ({"c": 3}, None),
    "learned": ({}, DAILY),
    "log-odds-thompson": ({}, None),
    "period-weighted": ({}, None),
    "posterior-index": ({}, None),
    "statsig-autotune": ({}, None),
    "successive-elimination": ({}, None),
    "tempered-thompson": ({"gamma": 0.5, "floor": 0.01}, None),
    "thompson": ({}, None),
    "top-two-thompson": ({}, None),
    "track-and-stop": ({}, None),
    "ucb1": ({}, None),
    "uniform": ({}, None),
    "uniform-classical": ({"baseline": 0.2, "target": 0.3}, None),
}

# One row per memory: arguments.
MEMORIES = {
    "all": {},
    "delay-corrected": {"mean_days": 1.5},
    "discounted": {"factor": 0.9},
    "period-weighted": {"days": 2},
    "window": {"days": 3},
}

# One row per stopping rule: arguments.
RULES = {
    "after": {"days": 20},
    "beats-control": {},
    "confidence-sequence": {},
    "e-process": {"alpha": 0.2},
    "expected-loss": {"threshold": 0.001},
    "fixed-sample": {"visits_per_arm": 300},
    "glr": {},
    "group-sequential": {"days": 20},
    "mixture-sprt": {},
    "probability-best": {},
    "repeated-test": {},
    "value-remaining": {},
}


def test_the_tables_hold_every_part_that_we_register():
    played_elsewhere = {"sb3"}  # needs the extra `rl`: tests/rl/test_sb3_agent.py
    assert sorted(AGENTS) == [name for name in agents.available() if ":" not in name and name not in played_elsewhere]
    assert sorted(MEMORIES) == plugins.available("bandit_env.memories")
    assert sorted(RULES) == plugins.available("bandit_env.stopping_rules")


@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_conforms(name):
    arguments, tasks = AGENTS[name]
    stopping = {} if name in ("uniform-classical", "learned") else {"stopping": "value-remaining"}
    agent = agents.make(name, **arguments, **stopping)
    check_agent(agent, tasks) if tasks else check_agent(agent)


@pytest.mark.parametrize("name", RULES)
def test_an_agent_conforms_with_every_stopping_rule(name):
    check_agent(Uniform(stopping={"rule": name, **RULES[name]}))


@pytest.mark.parametrize("name", MEMORIES)
def test_an_agent_conforms_with_every_memory(name):
    schedule = {"warm_up_days": 3, "every_days": 2, "floor": 0.05}
    check_agent(Thompson(memory={"memory": name, **MEMORIES[name]}, stopping="value-remaining", **schedule))


@pytest.mark.parametrize("name", [name for name in AGENTS if name != "learned"])
def test_parameters_rebuild_the_agent(name):
    arguments, _ = AGENTS[name]
    agent = agents.make(name, **arguments)
    parameters = agent.parameters
    rule = make_rule(parameters["stopping"])
    if name == "uniform-classical":
        assert rule == agent.stopping
        del parameters["stopping"]
    assert agents.make(name, **parameters) == agent


@pytest.mark.parametrize("name", [name for name in AGENTS if name != "learned"])
def test_every_agent_and_rule_names_its_source(name):
    assert plugins.load("bandit_env.agents", name).source


@dataclass(eq=False)
class Broken(Allocation):
    """An agent that breaks one clause of the contract."""

    how: str = ""
    deterministic: ClassVar[bool] = False

    def weights(self, evidence):
        return np.full(evidence.visits.shape, 1 / evidence.visits.shape[1])

    def reset(self, task, num_experiments, rng):
        super().reset(task, num_experiments, rng)
        if self.how == "remembers":
            self.calls = getattr(self, "calls", 0)

    def act(self, observation, experiments):
        action = super().act(observation, experiments)
        match self.how:
            case "list":
                return action.tolist()
            case "float64":
                return action.astype(float)
            case "shape":
                return action[:, :-1]
            case "nan":
                action[-1, 0] = np.nan
            case "negative":
                action[0, 0] = -0.5
            case "idle":
                action[:] = 0
            case "early":
                action[0] = encode_action(action[:1, :-1], [0])
            case "writes":
                observation["visits"][0, 0] += 1
            case "buffer":
                if getattr(self, "buffer", None) is None or self.buffer.shape != action.shape:
                    self.buffer = action.copy()
                self.buffer[:, 0] += 0.001
                return self.buffer
            case "global-random":
                action[:, 0] = np.random.rand()  # noqa: NPY002
            case "remembers":
                self.calls += 1
                action[:, 0] = 1 / self.calls
        return action

    def claims_winner(self, experiments, declared):
        if self.how == "claims-shape":
            return np.zeros(1, bool)
        if self.how == "claims-none":
            return np.ones(len(declared), bool)
        return super().claims_winner(experiments, declared)


class Draws(Broken):
    """Promises to draw nothing, and draws."""

    deterministic = True

    def act(self, observation, experiments):
        action = super().act(observation, experiments)
        action[:, 0] = self.rng.random(len(action))
        return action


class Peeks(Broken):
    """Promises that an experiment stands alone, and looks at the others."""

    deterministic = True

    def weights(self, evidence):
        leader = evidence.conversions.sum(axis=0).argmax()
        return np.tile(np.eye(evidence.visits.shape[1])[leader], (len(evidence), 1))


class ByPlace(Broken):
    """Promises that an action follows from the row alone, and goes by its place."""

    deterministic = True

    def weights(self, evidence):
        shares = super().weights(evidence)
        shares[::2, 0] *= 0.5
        return shares


class Unpicklable(Broken):
    def __init__(self):
        super().__init__()
        self.function = lambda: None


class ForgetsInPickle(Broken):
    share = 1.0

    def __init__(self):
        super().__init__()
        self.share = 0.5

    def __getstate__(self):
        return {key: value for key, value in self.__dict__.items() if key != "share"}

    def weights(self, evidence):
        shares = super().weights(evidence)
        shares[:, 0] *= self.share
        return shares


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        (object(), "expected an instance of agents.Agent"),
        (Broken(how="list"), r"Broken: act returned a list; expected a NumPy array of shape \(12, 3\)"),
        (Broken(how="float64"), "returned float64; expected float32"),
        (Broken(how="shape"), r"returned shape \(12, 2\); expected \(12, 3\)"),
        (Broken(how="nan"), "returned nan in row 11, column 0 on visits .*; expected numbers in"),
        (Broken(how="negative"), "returned -0.5 in row 0, column 0"),
        (Broken(how="idle"), "gave no arm any traffic in row 0"),
        (Broken(how="early"), "stopped on day 0; expected no stop before min_days, 14"),
        (Broken(how="writes"), "changed the observation's 'visits' in place"),
        (Broken(how="buffer"), "a later call changed the action of update 0"),
        (Broken(how="global-random"), "the same seed gave other actions at update 0"),
        (Broken(how="remembers"), "the same seed gave other actions at update 0, after a second reset"),
        (Broken(how="claims-shape"), r"expected booleans of shape \(3,\)"),
        (Broken(how="claims-none"), "claims a winner where no arm is declared"),
        (Draws(), "deterministic is True, but another seed gave other actions at update 0"),
        (Peeks(), "deterministic is True, but changing other experiments changed the action of the first"),
        (ByPlace(), "deterministic is True, but permuting the experiments did not permute the actions"),
        (ForgetsInPickle(), "a pickled copy gave other actions at update 0"),
    ],
    ids=lambda value: getattr(value, "how", "") or type(value).__name__ if not isinstance(value, str) else "",
)
def test_the_check_finds_what_is_broken(agent, message):
    with pytest.raises(Nonconformity, match=message):
        check_agent(agent)


def test_the_check_does_not_hide_the_agent_s_own_error():
    with pytest.raises((AttributeError, TypeError), match=r"lambda|local"):
        check_agent(Unpicklable())


def test_an_agent_that_draws_its_actions_conforms():
    check_agent(DrawsHonestly())


class DrawsHonestly(Agent):
    """Thompson sampling by one posterior draw per experiment and update."""

    def reset(self, task, num_experiments, rng):
        self.rng = rng

    def act(self, observation, experiments):
        visits, conversions = observation["visits"], observation["conversions"]
        draw = self.rng.beta(conversions + 1, visits - conversions + 1)
        return encode_action(np.eye(visits.shape[1])[draw.argmax(axis=1)])
