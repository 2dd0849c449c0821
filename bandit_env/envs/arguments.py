"""What users pass to constructors and to reset, read and checked before anything changes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.error import Error
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from bandit_env.envs.spaces import World
from bandit_env.plugins import suggest
from bandit_env.world.checks import check_rates, one_of
from bandit_env.world.scenario import START
from bandit_env.world.start import Start, read_start
from bandit_env.world.streams import Rows, fold_seed

RENDER_MODES = ["ansi", "human", "rgb_array"]
Seeds = int | Sequence[int | None] | NDArray[np.integer] | None


def read_render_mode(mode: str | None) -> str | None:
    """A render mode that we have, or None."""
    if mode is not None:
        one_of("render_mode", mode, RENDER_MODES)
    return mode


def read_autoreset_mode(mode: str | AutoresetMode) -> AutoresetMode:
    """The mode, from its member or its string value."""
    if not isinstance(mode, AutoresetMode):
        one_of("autoreset_mode", mode, [member.value for member in AutoresetMode])
    return AutoresetMode(mode)


def read_options(options: dict[str, Any] | None, known: Sequence[str]) -> dict[str, Any]:
    """The options of a reset; refuses those that are not known, naming the ones that are."""
    for name in options or {}:
        if name not in known:
            raise ValueError(f"unknown reset option {name!r}{suggest(str(name), known)}")
    return dict(options or {})


def read_rates(options: dict[str, Any], world: World, *shapes: tuple[int, ...]) -> NDArray[np.float64] | None:
    """The option "rates", of one of `shapes`, on a path in [0, 1] where that can be known; None where it is absent."""
    if options.get("rates") is None:
        return None
    rates = check_rates("options['rates']", options["rates"])
    if rates.shape not in shapes:
        raise ValueError(f"options['rates'] has shape {rates.shape}; expected {' or '.join(map(str, shapes))}")
    if world.scenario.effects:
        world.scenario.check_path("options['rates']", np.atleast_2d(rates))
    return rates


def read_counts(options: dict[str, Any], world: World, num_envs: int | None) -> Start | None:
    """The options "visits", "conversions" and "day", for one experiment (None) or for N; None where all are absent."""
    given = {name: options[name] for name in START if options.get(name) is not None}
    if not given:
        return None
    task = world.scenario.task
    return read_start("options['{}']", given, task.num_arms, num_envs, task.updates_per_day, world.last_start)


def read_mask(options: dict[str, Any], num_envs: int) -> Rows:
    """The rows that the option "reset_mask" picks; all of them where it is absent."""
    if "reset_mask" not in options:
        return np.arange(num_envs)
    mask = options["reset_mask"]
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (num_envs,):
        came = f"{mask.dtype} of shape {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise ValueError(f"options['reset_mask'] is {came}; expected a NumPy array of bool of shape ({num_envs},)")
    if not mask.any():
        raise ValueError("options['reset_mask'] is False everywhere; expected at least one row to reset")
    return np.flatnonzero(mask)


def read_seeds(seed: Seeds, num_envs: int) -> tuple[NDArray[np.uint64], NDArray[np.bool_]] | None:
    """Each row's seed in 64 bits, shape (N,), and whether it has one; None for no seeds at all.

    An int s gives row i the seed s + i, as Gymnasium's SyncVectorEnv does; a sequence gives each row its own, None
    for none.
    """
    if seed is None:
        return None
    if isinstance(seed, int):
        if 0 <= seed <= 2**64 - num_envs:
            return np.uint64(seed) + np.arange(num_envs, dtype=np.uint64), np.ones(num_envs, np.bool_)
        seed = range(seed, seed + num_envs)
    if not isinstance(seed, (Sequence, np.ndarray)):
        raise Error(f"seed is {seed!r}; expected an int, or one for each of the {num_envs} experiments")
    if len(seed) != num_envs:
        raise ValueError(f"{len(seed)} seeds came; expected one for each of the {num_envs} experiments")
    values = seed.tolist() if isinstance(seed, np.ndarray) else list(seed)
    if set(map(type, values)) == {int} and min(values) >= 0 and max(values) < 2**64:  # the usual ones, in bulk
        return np.array(values, np.uint64), np.ones(num_envs, np.bool_)
    given = np.array([value is not None for value in values], np.bool_)
    return np.array([_seed(value) for value in values], np.uint64), given


def _seed(value: Any) -> int:
    if value is None:
        return 0
    if not isinstance(value, (int, np.integer)) or value < 0:
        raise ValueError(f"seed {value!r} came; expected whole numbers of at least 0, or None")
    return fold_seed(int(value))
