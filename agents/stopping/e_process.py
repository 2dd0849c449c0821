"""A stopping rule whose claims hold under any weights, any stop and any season that all arms share."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agents import _check
from agents.evidence import Evidence, State
from agents.stopping.classical import winner
from agents.stopping.rule import Decision, StoppingRule, declare
from bandit_env.stats import e_process
from bandit_env.world.task import Task

ADJUSTMENTS = {"bonferroni": e_process.bonferroni, "e-bh": e_process.e_bh}


@dataclass(frozen=True)
class EProcess(StoppingRule):
    """Stops when the conditional e-process of some variation against the control is large enough; claims it.

    Each update's split of the conversions between the variation and the control is compared with what equal rates on
    that update would make likely (see `bandit_env.stats.e_process`). Ships the variation that is named and ahead by
    most, or the control once every variation is named and behind.

    It follows the counts of every update from the first on, as they came, whatever the agent's memory; it answers from
    `min_days` on. Conversions that arrive after the update of their visit void what it promises.

    Attributes:
        alpha: chance of any false claim, ever ("bonferroni"), or the expected share of false ones among the variations
            that are named ("e-bh").
        adjust: how K - 1 comparisons are taken together: "bonferroni", E >= (K - 1) / alpha, or "e-bh".
    """

    alpha: float = 0.05
    adjust: str = "bonferroni"
    formula: ClassVar[str] = (
        "E_t = prod over updates of P(split of the conversions | alternative) / P(split | equal rates) >= (K "
        "- 1) / alpha"
    )
    source: ClassVar[str] = 'Lindon and Malek (2022), "Anytime-valid inference for multinomial count data", NeurIPS'

    def __post_init__(self) -> None:
        _check.fraction("alpha", self.alpha)
        _check.choice("adjust", self.adjust, tuple(ADJUSTMENTS))

    def new_state(self, task: Task, num_experiments: int) -> State:
        log_ratio = e_process.new_state(num_experiments, task.num_arms)
        return {"log_ratio": log_ratio, "log_e": np.zeros((num_experiments, task.num_arms))}

    def update_state(self, evidence: Evidence) -> None:
        visits = evidence.new_visits
        conversions = np.minimum(evidence.new_conversions, visits)  # late ones may be more than the update's visits
        rows, state = evidence.experiments.astype(np.int64), evidence.state_of(self)
        state["log_e"][rows] = e_process.update_state(state["log_ratio"], conversions, visits, rows=rows)

    def decide(self, evidence: Evidence) -> Decision:
        state = evidence.state_of(self)
        log_e = state["log_e"][evidence.experiments]
        named = ADJUSTMENTS[self.adjust](log_e, self.alpha)
        if not named.any():
            return np.full(len(evidence), -1), np.zeros(len(evidence), dtype=bool)
        # The mean of the log odds ratio under the mixture: its sign says which of the two is ahead.
        some = named.any(axis=1)
        density = state["log_ratio"][evidence.experiments[some]] + e_process.LOG_PRIOR - log_e[some, :, None]
        ratio = np.zeros_like(log_e)
        ratio[some] = (np.exp(density) * e_process.NODES).sum(axis=-1)
        arm, claims = winner(ratio, named, ratio, evidence.available)
        return declare(claims, arm), claims
