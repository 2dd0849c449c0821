"""What moves rates over time: one small class a file, and how a list of them becomes arrays."""

from bandit_env.world.effects.day_shock import DayShock
from bandit_env.world.effects.effect import Effect, build
from bandit_env.world.effects.novelty import Novelty
from bandit_env.world.effects.step import Step
from bandit_env.world.effects.switch import Switch
from bandit_env.world.effects.trend import Trend
from bandit_env.world.effects.walk import Walk
from bandit_env.world.effects.weekday import Weekday

KINDS: dict[str, type[Effect]] = {kind.name: kind for kind in (Weekday, Step, Trend, Novelty, Switch, DayShock, Walk)}


def read_effects(tables: object, num_arms: int) -> tuple[Effect, ...]:
    """The effects that a list of tables describes.

    Raises:
        ValueError: something that is no list, or an effect that cannot be; names its place and its kind.
    """
    if not isinstance(tables, (list, tuple)):
        raise ValueError(f"effects is {tables!r}; expected a list of tables")
    made = []
    for index, table in enumerate(tables):
        try:
            made.append(build(KINDS, table, num_arms))
        except ValueError as error:
            raise ValueError(f"effects[{index}]: {error}") from error
    return tuple(made)


__all__ = ["KINDS", "Effect", "read_effects"]
