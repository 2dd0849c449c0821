"""A conformance check for vector environments; Gymnasium has `check_env` for single ones only.

`check_vector_env` plays two copies of an environment side by side across the ends of episodes, in each autoreset
mode, and compares what they return with what Gymnasium's documentation and its SyncVectorEnv promise. Third parties
can run it on vector environments of their own:

    >>> import gymnasium, bandit_env
    >>> from bandit_env.envs.testing import check_vector_env
    >>> def make(mode):
    ...     return gymnasium.make_vec("bandit_env/BernoulliBandit-v0", num_envs=3, horizon=4, autoreset_mode=mode)
    >>> check_vector_env(make, single=lambda: gymnasium.make("bandit_env/BernoulliBandit-v0", horizon=4))
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

Env = VectorEnv[Any, Any, Any]
Returned = tuple[Any, ...]  # of reset: observations, infos; of step: those with rewards and the two ends between


def check_vector_env(
    make: Callable[[AutoresetMode], Env],
    single: Callable[[], gym.Env[Any, Any]] | None = None,
    modes: Sequence[AutoresetMode] = tuple(AutoresetMode),
    seed: int = 0,
    steps: int = 200,
) -> None:
    """Check spaces, seeding, shapes, dtypes, memory, infos and autoreset of a vector environment.

    Args:
        make: builds the environment in a given autoreset mode, always the same one.
        single: builds the single environment that each row must equal, bit for bit; None leaves this out.
        modes: the modes that the environment has.
        seed: of the environment and of the random actions.
        steps: how long to play; at least one episode must end in that time under random actions, and one go on.

    Raises:
        AssertionError: says what was expected and found, in which mode and step.
    """
    for mode in modes:
        env, twin = make(mode), make(mode)
        reference = None if single is None else SyncVectorEnv([single] * env.num_envs, autoreset_mode=mode)
        where = f"{mode.name}, "
        _check_declarations(env, mode)
        _check_seeding(env, twin, seed)
        played: list[Env] = [env, twin] if reference is None else [env, twin, reference]
        returned = [copy.reset(seed=seed) for copy in played]
        _check_agreement(returned, where + "reset")
        _check_returned(env, returned[0], where + "reset")
        _play(played, returned[0], mode, seed, steps)
        for copy in played:
            copy.close()


def _play(played: list[Env], last: Returned, mode: AutoresetMode, seed: int, steps: int) -> None:
    """Step all copies, with the same actions in the rows that run and other ones in those that reset themselves."""
    env = played[0]
    ended = np.zeros(env.num_envs, np.bool_)
    reset_keys = _told(last[-1])
    env.action_space.seed(seed)
    episodes = 0
    for step in range(steps):
        where = f"{mode.name}, step {step}"
        snapshot = deepcopy(last)
        actions = env.action_space.sample()
        others = np.where(_column(ended, actions), env.action_space.sample(), actions)
        returned = [copy.step(deepcopy(others if copy is played[1] else actions)) for copy in played]
        assert data_equivalence(last, snapshot, exact=True), f"{where}: it changed what an earlier call returned"
        _check_agreement(returned, where)
        _check_returned(env, returned[0], where)
        _check_no_sharing(last, returned[0], where)
        if mode is AutoresetMode.NEXT_STEP:
            _check_next_step(returned[0], ended, reset_keys, where)
        elif mode is AutoresetMode.SAME_STEP:
            _check_same_step(env, returned[0], reset_keys, where)
        last = returned[0]
        ended = last[2] | last[3]
        episodes += int(ended.sum())
        if mode is AutoresetMode.DISABLED and ended.any():
            last = _check_masked_reset(played, last, ended, where)
        if mode is not AutoresetMode.NEXT_STEP:
            ended = np.zeros_like(ended)
    assert episodes > 0, f"{mode.name}: no episode ended in {steps} steps; play longer, or make episodes shorter"


def _check_declarations(env: Env, mode: AutoresetMode) -> None:
    found = env.metadata.get("autoreset_mode")
    assert found is mode, f"metadata['autoreset_mode'] is {found!r}; expected {mode!r}"
    for name in ("action_space", "observation_space"):
        batched, single = getattr(env, name), getattr(env, f"single_{name}")
        expected = batch_space(single, env.num_envs)
        assert batched == expected, f"{name} is {batched}; expected the single one's batch, {expected}"


def _check_seeding(env: Env, twin: Env, seed: int) -> None:
    """An int s must seed row i with s + i, and a reset without a seed must go on with the streams."""
    seeds: Any = [seed + i for i in range(env.num_envs)]
    for first, second, what in (
        (env.reset(seed=seed), twin.reset(seed=seeds), f"reset(seed={seed}) and reset(seed={seeds})"),
        (env.reset(), twin.reset(), "two resets without a seed, after equal ones with it,"),
    ):
        assert data_equivalence(first, second, exact=True), f"{what} differ"


def _check_agreement(returned: list[Returned], where: str) -> None:
    names = ("the environment", "a second copy with other actions in ended rows", "SyncVectorEnv of single ones")
    parts = ("observations", "infos") if len(returned[0]) == 2 else (
        "observations", "rewards", "terminations", "truncations", "infos"
    )  # fmt: skip
    for other, name in zip(returned[1:], names[1:], strict=False):
        for part, a, b in zip(parts, returned[0], other, strict=True):
            assert data_equivalence(a, b, exact=True), f"{where}: {names[0]} and {name} differ in {part}: {a} and {b}"


def _check_returned(env: Env, returned: Returned, where: str) -> None:
    observations, infos = returned[0], returned[-1]
    assert observations in env.observation_space, f"{where}: {observations} is not in {env.observation_space}"
    _check_masks(infos, env.num_envs, where)
    if len(returned) == 5:
        for name, array, kind in zip(
            ("rewards", "terminations", "truncations"), returned[1:4], (np.floating, np.bool_, np.bool_), strict=True
        ):
            assert isinstance(array, np.ndarray), f"{where}: {name} is {type(array)}; expected an array"
            assert array.shape == (env.num_envs,), f"{where}: {name} has shape {array.shape}; expected one per row"
            assert np.issubdtype(array.dtype, kind), f"{where}: {name} is {array.dtype}; expected {kind.__name__}"
        assert np.isfinite(returned[1]).all(), f"{where}: rewards are {returned[1]}; expected finite numbers"
    _check_no_sharing(returned, None, where)


def _check_masks(infos: dict[str, Any], num_envs: int, where: str) -> None:
    for key, value in infos.items():
        if key.startswith("_"):
            assert key[1:] in infos, f"{where}: the mask {key!r} is there without {key[1:]!r}"
            continue
        mask = infos.get(f"_{key}")
        assert isinstance(mask, np.ndarray), f"{where}: infos[{key!r}] has no mask '_{key}'"
        assert mask.shape == (num_envs,), f"{where}: the mask '_{key}' has shape {mask.shape}; expected one per row"
        assert mask.dtype == np.bool_, f"{where}: the mask '_{key}' is {mask.dtype}; expected bool"
        if isinstance(value, dict):
            _check_masks(value, num_envs, f"{where}, infos[{key!r}]")
            continue
        assert len(value) == num_envs, f"{where}: infos[{key!r}] has {len(value)} rows; expected {num_envs}"
        if value.dtype != object:
            assert not value[~mask].any(), f"{where}: infos[{key!r}] is {value}, not zero outside its mask {mask}"


def _check_next_step(returned: Returned, ended: NDArray[np.bool_], reset_keys: set[str], where: str) -> None:
    _, rewards, terminations, truncations, infos = returned
    assert not rewards[ended].any(), f"{where}: rewards are {rewards} in rows that reset, {ended}; expected 0"
    again = ended & (terminations | truncations)
    assert not again.any(), f"{where}: rows {np.flatnonzero(again)} ended in the step that resets them"
    for key in reset_keys if ended.any() else ():
        mask = infos.get(f"_{key}", np.zeros_like(ended))
        assert mask[ended].all(), f"{where}: infos tell {key!r} in rows {mask}; expected those that reset, {ended}"


def _check_same_step(env: Env, returned: Returned, reset_keys: set[str], where: str) -> None:
    infos, ended = returned[-1], returned[2] | returned[3]
    for key in ("final_obs", "final_info"):
        mask = infos.get(f"_{key}", np.zeros_like(ended))
        assert (mask == ended).all(), f"{where}: infos tell {key!r} in rows {mask}; expected those that ended, {ended}"
    for key in reset_keys:
        mask = infos.get(f"_{key}", np.zeros_like(ended))
        assert mask[ended].all(), f"{where}: infos tell {key!r} in rows {mask}; expected those that reset, {ended}"
    for row in np.flatnonzero(ended):
        final = infos["final_obs"][row]
        space = env.single_observation_space
        assert final in space, f"{where}: final_obs of row {row} is {final}; expected one of {space}"


def _check_masked_reset(played: list[Env], last: Returned, ended: NDArray[np.bool_], where: str) -> Returned:
    """Reset the ended rows; the observations of the others must stay. Returns what the first copy returned."""
    where += ", masked reset"
    snapshot = deepcopy(last)
    returned = [copy.reset(options={"reset_mask": ended.copy()}) for copy in played]
    assert data_equivalence(last, snapshot, exact=True), f"{where}: it changed what an earlier call returned"
    _check_agreement(returned, where)
    _check_returned(played[0], returned[0], where)
    for before, after in zip(_arrays(last[0]), _arrays(returned[0][0]), strict=True):
        assert (before[~ended] == after[~ended]).all(), f"{where}: rows outside the mask {ended} changed"
    for key in _told(returned[0][-1]):
        mask = returned[0][-1][f"_{key}"]
        assert (mask == ended).all(), f"{where}: infos tell {key!r} in rows {mask}; expected those reset, {ended}"
    return returned[0]


def _check_no_sharing(first: Any, second: Any | None, where: str) -> None:
    """No two arrays of one return value share memory; nor do any two of two values."""
    pairs = (
        itertools.combinations(_arrays(first), 2)
        if second is None
        else itertools.product(_arrays(first), _arrays(second))
    )
    for a, b in pairs:
        assert not np.shares_memory(a, b), f"{where}: two of the arrays returned share memory: {a} and {b}"


def _arrays(data: Any) -> Iterator[NDArray[Any]]:
    """All arrays in nested containers, in order."""
    if isinstance(data, np.ndarray):
        yield data
        data = data.tolist() if data.dtype == object else ()
    elif isinstance(data, dict):
        data = data.values()
    if not isinstance(data, (str, bytes)) and hasattr(data, "__iter__"):
        for item in data:
            yield from _arrays(item)


def _told(infos: dict[str, Any]) -> set[str]:
    return {key for key in infos if not key.startswith("_")}


def _column(mask: NDArray[np.bool_], actions: NDArray[Any]) -> NDArray[np.bool_]:
    """A mask over rows in a shape that selects whole actions."""
    return mask.reshape(-1, *[1] * (np.ndim(actions) - 1))
