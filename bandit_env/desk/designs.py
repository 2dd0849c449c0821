"""What a planned test is to find: rates, a lift, or the smallest lift that some days can find."""

from collections.abc import Sequence
from dataclasses import dataclass

from bandit_env.errors import ExperimentError
from bandit_env.stats.power import smallest_target

POWER, ALPHA = 0.95, 0.05  # customary is a power of 0.8


@dataclass(frozen=True)
class Design:
    """What is to be found: for each case the rates that the planner thinks possible, control first.

    Attributes:
        cases: rates of each case by its name.
        baseline, target: the rates of the classical test's plan, the target of each case.
        days: the days that a smallest lift was asked for, or None.
    """

    cases: dict[str, tuple[float, ...]]
    baseline: float
    target: dict[str, float]
    days: float | None = None


def design(
    rates: Sequence[float] | None = None,
    *,
    baseline: float | None = None,
    lifts: Sequence[float] = (),
    days: float | None = None,
    target: float | None = None,
    arms: int = 2,
    visits_per_day: int = 100,
    power: float = POWER,
    alpha: float = ALPHA,
) -> Design:
    """The rates to plan for: given, or the baseline with a lift, or with the smallest lift that some days can find.

    Args:
        rates: of all arms, control first; `baseline` and `target` are then the classical test's only.
        baseline: the control's rate.
        lifts: relative, of the variations over it, a case each: 0.1 for 4 % against 4.4 %.
        days: in place of lifts: the smallest one that the classical test finds in so many days.
        target: the rate that the classical test is to find; by default the best other.
        arms: how many there are; all variations have the lift.
        visits_per_day: traffic, for `days`.
        power, alpha: of the classical test.

    Raises:
        ExperimentError: a value that cannot be, or too few or too many of them.
    """
    if rates is not None:
        if lifts or days is not None:
            raise ExperimentError("--rates came together with --lift or --days; expected one of them")
        _check_rates(rates)
        first = rates[0] if baseline is None else baseline
        return Design({"plan": tuple(rates)}, first, {"plan": max(rates[1:]) if target is None else target})
    if baseline is None:
        raise ExperimentError("--rates: missing; expected all rates, or --baseline with --lift or --days")
    if not 0 < baseline < 1:
        raise ExperimentError(f"--baseline: found {baseline:g}; expected a rate between 0 and 1, or percent: 1.2%")
    if (days is None) == (not lifts):
        raise ExperimentError("--baseline alone does not say what is to be found; expected one of --lift and --days")
    if not 2 <= arms <= 100_000:
        raise ExperimentError(f"--arms: found {arms}; expected at least 2")
    if days is not None:
        found = _smallest(baseline, days * visits_per_day / arms, power, alpha, arms - 1)
        name = f"{days:g} days"
        return Design({name: (baseline, *[found] * (arms - 1))}, baseline, {name: found}, days)
    others = [baseline * (1 + lift) for lift in lifts]
    for lift, rate in zip(lifts, others):
        if not (0 <= rate <= 1 and lift):
            raise ExperimentError(
                f"--lift: found {100 * lift:g}%, which makes {baseline:g} to {rate:g}; expected another rate in [0, 1]"
            )
    names = ["plan"] if len(lifts) == 1 else [f"lift {100 * lift:+g} %" for lift in lifts]
    if len(set(names)) < len(names):
        raise ExperimentError(f"--lift: found {', '.join(names)}; expected each once")
    cases = {name: (baseline, *[rate] * (arms - 1)) for name, rate in zip(names, others)}
    return Design(cases, baseline, dict(zip(names, others)))


def _check_rates(rates: Sequence[float]) -> None:
    if len(rates) < 2:
        raise ExperimentError(f"--rates: found {len(rates)}; expected at least 2, the control first")
    for rate in rates:
        if not 0 <= rate <= 1:
            raise ExperimentError(f"--rates: found {rate:g}; expected rates from 0 to 1")


def _smallest(baseline: float, visits: float, power: float, alpha: float, comparisons: int) -> float:
    try:
        return float(smallest_target(visits, baseline, power=power, alpha=alpha, comparisons=comparisons))
    except ValueError as error:
        raise ExperimentError(f"--days: {error}") from error
