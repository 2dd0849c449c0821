"""An analysis in sentences: the same on the screen and in the report."""

from collections.abc import Iterator

from bandit_env.desk.findings import quote
from bandit_env.desk.forecast import QUANTILES, WITHIN, Forecast
from bandit_env.desk.result import Analysis, Arm
from bandit_env.desk.verdicts import Verdict

MOST_ARMS = 20  # that a table lists


def question(result: Analysis) -> str:
    """What is asked: who competes, on how much traffic, since when."""
    arms = result.arms
    others = name(arms[1]) if len(arms) == 2 else f"one of {len(arms) - 1:,} variations"
    visits = sum(arm.visits for arm in arms)
    said = f"Is {others} better than the control, {name(arms[0])}? {visits:,} visits"
    if result.day is not None:
        said += f" in {count(result.day, 'day')}"
        dates = result.counts.dates
        said += f" ({dates[0]} to {dates[-1]})" if dates is not None else ""
    return said + "."


def answer(result: Analysis) -> str:
    """The verdict of the rule asked for, in a sentence."""
    verdict = result.verdict
    if verdict.stop is None:
        return f"Not known: {verdict.reason}"
    if verdict.stop:
        what = f"stop, and ship {quote(verdict.ships or '')}"
        claim = "which it claims to be better" if verdict.claims else "which it does not claim to be better"
        return f"By {verdict.rule}: {what}, {claim}. {verdict.reason}"
    return f"By {verdict.rule}: go on. {verdict.reason}"


def assumptions(result: Analysis) -> str:
    """What the numbers rest on."""
    a, b = result.prior
    said = f"Prior of every rate: Beta({a:.6g}, {b:.6g}) ({result.prior_from}); intervals hold 95 %."
    return said + f" Agent {result.agent}, rule {result.rule}; days {result.min_days:,g} to {result.max_days:,}."


def remaining(result: Analysis) -> str:
    """The value remaining."""
    value, best = result.value_remaining, result.champion
    return (
        f"Most probably the best: {name(best)}, {percent(best.probability_best)}. With probability 95 % no arm beats "
        f"it by more than {percent(value.quantile_95)} of its rate; P(none does by 1 % or more) is "
        f"{percent(value.probability_below_1_percent)}."
    )


def tomorrow(result: Analysis) -> str:
    """Tomorrow's weights, and visits where the traffic is known."""
    visits = result.visits_tomorrow
    arms = sorted(range(len(result.arms)), key=lambda k: -result.arms[k].weight)[:MOST_ARMS]
    parts = []
    for k in arms:
        own = "" if visits is None else f" ({visits[k]:,} visits)"
        parts.append(f"{name(result.arms[k])} {percent(result.arms[k].weight)}{own}")
    more = f" and {len(result.arms) - len(arms):,} more" if len(arms) < len(result.arms) else ""
    if result.verdict.stop:
        return f"Were it to go on, {result.agent} would serve tomorrow: {', '.join(parts)}{more}."
    return f"Tomorrow {result.agent} serves: {', '.join(parts)}{more}."


def forecasts(result: Analysis) -> Iterator[str]:
    """Days left, chances, and what they rest on; or why there is no forecast."""
    ahead = result.forecast
    if ahead is None:
        if result.no_forecast is not None:
            yield result.no_forecast
        return
    if result.verdict.stop and not ahead.days.any():
        yield f"No day is left: {ahead.rule} stops now."
        return
    days = ", ".join(f"{100 * q:g} % within {left(ahead, q)}" for q in QUANTILES)
    yield f"Days left under {ahead.rule} with {ahead.agent}, {ahead.visits_per_day:,} visits a day: {days}."
    chances = ", ".join(f"{days} days {percent(ahead.within(days))}" for days in WITHIN)
    yield f"Chance to be done within {chances}; {percent(ahead.undecided)} never decide before day {ahead.max_days:,}."
    if ahead.ships_best is not None:
        yield f"Of those that decide, {percent(ahead.ships_best)} ship the best arm."
    yield f"({len(ahead.days):,} futures with rates drawn from the posterior, seed {ahead.seed}.)"


def left(ahead: Forecast, q: float) -> str:
    """A quantile of the days left; at least, where the horizon cuts it."""
    days = ahead.quantile(q)
    cut = ahead.undecided > 0 and days >= ahead.max_days - ahead.day
    return f"at least {days:,g}" if cut else f"{days:,g}"


def state(verdict: Verdict) -> str:
    """A rule's verdict in a few words."""
    if verdict.stop is None:
        return "not known"
    since = "" if verdict.first_day is None else f"day {verdict.first_day:,g}"
    if verdict.first_date is not None:
        since += f", {verdict.first_date}"
    ships = f"ships {quote(verdict.ships or '')}, {'claimed' if verdict.claims else 'unclaimed'}"
    if verdict.stop:
        return f"stops{f' (since {since})' if since else ''}, {ships}"
    return f"goes on (would have stopped on {since}; {ships})" if since else "goes on"


def shown(result: Analysis) -> list[Arm]:
    """The arms that a table lists: all, or the control and the most promising."""
    arms = list(result.arms)
    if len(arms) <= MOST_ARMS:
        return arms
    first = sorted(arms[1:], key=lambda arm: -arm.probability_best)[: MOST_ARMS - 1]
    return [arms[0], *first]


def name(arm: Arm) -> str:
    """An arm's name in a sentence."""
    return quote(arm.name)


def percent(share: float, sign: str = "") -> str:
    """A share with three digits, never rounded to certainty."""
    value = 100 * share
    if 0 < share < 1:
        if value >= 99.95:
            return "> 99.9 %"
        if value < 0.05:
            return "< 0.1 %"
    return f"{value:{sign},.1f} %"


def rate(value: float | None) -> str:
    """A rate with as many digits as it needs."""
    return "–" if value is None else f"{100 * value:{',.2f' if abs(value) >= 0.001 else ',.4f'}} %"


def interval(ends: tuple[float, float]) -> str:
    """An interval of rates, in percent."""
    digits = 2 if ends[1] >= 0.001 else 4
    return "–".join(f"{100 * end:,.{digits}f}" for end in ends)


def lifts(ends: tuple[float, float] | None) -> str:
    """An interval of lifts, in percent."""
    if ends is None:
        return ""
    digits = 0 if max(map(abs, ends)) >= 0.1 else 1
    return " to ".join("∞" if end == float("inf") else f"{100 * end:+,.{digits}f}" for end in ends)


def loss(each: float) -> str:
    """Conversions lost in a thousand visits."""
    return "0" if each == 0 else "< 0.001" if each < 1e-6 else f"{1000 * each:.2g}"


def count(number: float, what: str) -> str:
    """A number of things."""
    return f"{number:,g} {what}{'s' * (number != 1)}"
