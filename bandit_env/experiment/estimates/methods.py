"""Methods of estimation that a cell can ask for, what each estimates, and what its columns are called."""

from collections.abc import Sequence
from dataclasses import dataclass

LEAST_WEIGHT = 1e-3  # of `bandit_env.stats.estimates`, which is too heavy to be loaded for it

RATE, DIFFERENCE, LOG_ODDS = "rate", "difference", "log_odds"
QUANTITIES = {
    "credible": (RATE, DIFFERENCE),
    "wald": (RATE, DIFFERENCE),
    "wilson": (RATE,),
    "newcombe": (DIFFERENCE,),
    "aipw": (RATE, DIFFERENCE),
    "aipw-equal": (RATE, DIFFERENCE),
    "batched-ols": (DIFFERENCE,),
    "stratified": (DIFFERENCE,),
    "e-process": (LOG_ODDS,),
}
"""The methods, and what each estimates."""

ENDS = ("", "_se", "_low", "_high")
E_PROCESS = "e-process"
AIPW = ("aipw", "aipw-equal")


@dataclass(frozen=True)
class Wanted:
    """What a cell asks for.

    Attributes:
        methods: names of QUANTITIES.
        least_weight: AIPW is refused where an agent may serve an arm with less; 0 switches that off.
    """

    methods: tuple[str, ...] = ()
    least_weight: float = LEAST_WEIGHT

    @property
    def parameters(self) -> dict[str, object]:
        """For a cell's parameters; nothing where nothing is asked for."""
        asked = {"methods": list(self.methods), "least_weight": self.least_weight}
        return {"estimates": asked} if self.methods else {}

    @property
    def weighs(self) -> bool:
        """Whether a method divides by weights, and small ones are to be refused."""
        return self.least_weight > 0 and any(name in AIPW for name in self.methods)

    def __bool__(self) -> bool:
        return bool(self.methods)


NOTHING = Wanted()


def column(method: str, quantity: str, arm: int) -> str:
    """The column of an estimate: `aipw_rate_1`."""
    return f"{method.replace('-', '_')}_{quantity}_{arm}"


def check_methods(where: str, methods: Sequence[str]) -> None:
    """Raise a ValueError for a method that there is none of, or that is named twice."""
    for name in methods:
        if name not in QUANTITIES:
            raise ValueError(f"{where}: unknown method {name!r}; expected some of {', '.join(QUANTITIES)}")
    if len(set(methods)) < len(methods):
        raise ValueError(f"{where}: {list(methods)} names a method twice")
