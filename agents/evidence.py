"""What the data of a batch of experiments say: counts, and the posterior quantities that follow from them."""

import numpy as np
from numpy.typing import NDArray

from bandit_env.world.task import Task

Floats = NDArray[np.float64]


class Evidence:
    """The counts of n experiments, and what follows from them.

    Posterior quantities are computed when first asked for and kept, so that an allocation and a stopping rule
    that want the same integral pay for it once. Every quantity of a row follows from that row alone.

    Attributes:
        visits: cumulative, shape (n, K).
        conversions: cumulative, shape (n, K).
        day: days elapsed, shape (n,).
        experiments: the rows' places in the batch, shape (n,).
        task: the public facts of the experiments.
        prior: (a, b) of the Beta prior of every rate.
    """

    def __init__(
        self,
        visits: Floats,
        conversions: Floats,
        day: Floats,
        experiments: NDArray[np.intp],
        task: Task,
        prior: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        self.visits = visits
        self.conversions = conversions
        self.day = day
        self.experiments = experiments
        self.task = task
        self.prior = prior
        self._probability_best: Floats | None = None
        self._value_remaining_below: dict[float, Floats] = {}

    def __len__(self) -> int:
        return len(self.day)

    def at(self, rows: NDArray[np.intp]) -> "Evidence":
        """The evidence of some of the experiments."""
        return Evidence(
            self.visits[rows],
            self.conversions[rows],
            self.day[rows],
            self.experiments[rows],
            self.task,
            self.prior,
        )

    @property
    def total_visits(self) -> Floats:
        """Visits of all arms together, shape (n,)."""
        return np.asarray(self.visits.sum(axis=1))

    @property
    def rate(self) -> Floats:
        """Observed conversion rate of every arm, shape (n, K); 0 for an arm without visits."""
        return self.conversions / np.maximum(self.visits, 1)

    @property
    def posterior_mean(self) -> Floats:
        """Posterior mean of every arm's rate, shape (n, K)."""
        a, b = self.prior
        return (self.conversions + a) / (self.visits + (a + b))

    @property
    def posterior_sd(self) -> Floats:
        """Posterior standard deviation of every arm's rate, shape (n, K)."""
        a, b = self.prior
        mean = self.posterior_mean
        return np.sqrt(mean * (1 - mean) / (self.visits + (a + b + 1)))

    @property
    def probability_best(self) -> Floats:
        """P(arm is the best), shape (n, K)."""
        if self._probability_best is None:
            from bandit_env.stats import posterior

            self._probability_best = posterior.probability_best(self.conversions, self.visits, prior=self.prior)
        return self._probability_best

    @property
    def champion(self) -> NDArray[np.intp]:
        """The arm that is most probably the best, shape (n,); the lowest index on ties."""
        return np.asarray(self.probability_best.argmax(axis=1))

    def value_remaining_below(self, threshold: float) -> Floats:
        """P(value remaining < threshold), shape (n,). Finds `probability_best` in the same pass."""
        known = self._value_remaining_below.get(threshold)
        if known is None:
            from bandit_env.stats import posterior

            best, known = posterior.weights_and_value_remaining(
                self.conversions, self.visits, threshold=threshold, prior=self.prior
            )
            self._value_remaining_below[threshold] = known
            if self._probability_best is None:
                self._probability_best = best
        return known

    def probability_beats(self, control: int = 0) -> Floats:
        """P(arm beats the control), shape (n, K); 0 for the control itself."""
        from bandit_env.stats import posterior

        return posterior.probability_beats(self.conversions, self.visits, control=control, prior=self.prior)

    def expected_loss(self) -> Floats:
        """E[best rate - rate of the arm], shape (n, K)."""
        from bandit_env.stats import posterior

        return posterior.expected_loss(self.conversions, self.visits, prior=self.prior)
