"""What the environments to learn on have in common: their arguments, and how a world is made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
from gymnasium.vector import AutoresetMode

from bandit_env.envs.base import BatchEnv, SingleEnv
from bandit_env.envs.feature_view import View
from bandit_env.envs.spaces import World
from bandit_env.plugins import suggest
from bandit_env.world.checks import whole_number
from bandit_env.world.scenario import Scenario
from bandit_env.world.tasks import MakeScenario, TaskSampler, read_sampler

Action = TypeVar("Action")


class LearnEnv(SingleEnv[Action]):
    """One experiment to learn on; a subclass says of which world."""

    @staticmethod
    def make_world(num_experiments: int, /, **arguments: Any) -> World:
        """The world of so many experiments with the user's arguments."""
        raise NotImplementedError

    def __init__(self, render_mode: str | None = None, **arguments: Any) -> None:
        super().__init__(self.make_world(1, **arguments), render_mode)


class LearnVectorEnv(BatchEnv):
    """N experiments to learn on."""

    make_world = LearnEnv.make_world

    def __init__(
        self,
        num_envs: int = 1,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **arguments: Any,
    ) -> None:
        world = self.make_world(whole_number("num_envs", num_envs, 1), **arguments)
        super().__init__(world, autoreset_mode, render_mode)


def read_arguments(
    given: Mapping[str, Any],
    defaults: Mapping[str, Any],
    make: MakeScenario,
    drawn: Sequence[str],
    own: Sequence[str] | None = None,
) -> tuple[Scenario, View, TaskSampler | None]:
    """An environment's keyword arguments: its scenario, how it is seen, and what draws tasks, if anything does.

    Args:
        given: by the user.
        defaults: of the world: what stands where nothing is said. Its prior gives way to rates.
        make: the scenario from the world's arguments.
        drawn: the arguments that a sampler may draw.
        own: names of the world's arguments; None stands for a scenario's.

    Raises:
        TypeError: an unknown argument.
    """
    shown = [field.name for field in fields(View)]
    known = [*shown, "sampler", *(own or [field.name for field in fields(Scenario)])]
    for name in given:
        if name not in known:
            raise TypeError(f"unexpected keyword argument {name!r}{suggest(name, known)}")
    view = View(**{name: value for name, value in given.items() if name in shown})
    world = {name: value for name, value in given.items() if name not in (*shown, "sampler")}
    gone: tuple[str, ...]
    if world.get("rates") is not None:
        gone = ("prior", "num_arms")
    else:  # one (a, b) per arm says how many arms there are
        gone = ("num_arms",) if np.ndim(world.get("prior") or (1, 1)) == 2 else ()
    world = {name: None if name in gone else value for name, value in defaults.items()} | world
    scenario, sampler = read_sampler(given.get("sampler"), world, make, drawn)
    return scenario, view, sampler
