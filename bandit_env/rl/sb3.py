"""Our native vector environments as Stable-Baselines3 wants them.

>>> import bandit_env                                                               # doctest: +SKIP
>>> from stable_baselines3 import PPO                                               # doctest: +SKIP
>>> from stable_baselines3.common.vec_env import VecMonitor                         # doctest: +SKIP
>>> env = VecMonitor(make_native_vec_env("bandit_env/LearnDaily-v0", n_envs=64))    # doctest: +SKIP
>>> PPO("MlpPolicy", env, gamma=1.0).learn(200_000)                                 # doctest: +SKIP

The id shows features of its arms. Raw counts, as "bandit_env/DailyTraffic-v0" shows them, are a trap: they grow from 0
to thousands, and a network that is fed such numbers learns late, badly or (NaN) not at all. To use that id, wrap
it in `ArmFeaturesVector`, with `flat=True`, or normalise what it shows (SB3's VecNormalize).
"""

import json
import zipfile
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.vector_env import VectorWrapper
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

import bandit_env  # noqa: F401 (registers the environments)
from bandit_env.envs.feature_view import FeatureView
from bandit_env.envs.learn_daily import LearnDailyMenu
from bandit_env.stats.feature_names import FEATURES_VERSION


class NativeVecEnv(VecEnv):  # type: ignore[misc]  # no types without the extra
    """Hands SB3 the transitions of a native vector environment: those of `make_vec_env`, without its loop.

    Seeded alike, the two give the same observations, rewards, ends and infos. `VecMonitor` adds the
    episode statistics that `make_vec_env` gets from `Monitor`.

    Args:
        env: a vector environment, wrapped or not, with SAME_STEP autoreset: SB3 expects the first observation of
            the next episode in the step that ends one, and the last one in `infos[i]["terminal_observation"]`.

    Raises:
        ValueError: another autoreset mode.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.SAME_STEP:
            raise ValueError(f'the environment resets in mode {mode}; expected autoreset_mode="SameStep"')
        self.env = env
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> Any:
        """Begin all episodes, with the seeds and options that were set before; returns the observations."""
        seeds = None if all(seed is None for seed in self._seeds) else list(self._seeds)
        observations, infos = self.env.reset(seed=seeds, options=_stack_options(self._options))  # type: ignore[arg-type]
        self.reset_infos = _rows(infos, self.num_envs)
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """One step of every environment."""
        observations, rewards, terminations, truncations, infos = self.env.step(self._actions)
        dones = terminations | truncations
        final_obs, final_info = infos.pop("final_obs", None), infos.pop("final_info", {})
        rows = _rows(infos, self.num_envs)
        for i, info in zip(np.flatnonzero(dones), _rows(final_info, self.num_envs, dones), strict=True):
            self.reset_infos[i], rows[i] = rows[i], info
            info["terminal_observation"] = final_obs[i]
        for info, truncated in zip(rows, (truncations & ~terminations).tolist(), strict=True):
            info["TimeLimit.truncated"] = truncated
        return observations, rewards.astype(np.float32), dones, rows

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute of the environment, once per index: the rows share it."""
        owner = self._owner(attr_name)
        return [getattr(owner, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of all rows at once.

        Raises:
            ValueError: only some of the rows are meant.
        """
        if len(list(self._get_indices(indices))) != self.num_envs:
            raise ValueError(f"cannot set {attr_name!r} in some rows only: the rows of a native environment share it")
        setattr(self._owner(attr_name), attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Call a method of the environment once, for all rows; the result is given once per index."""
        result = getattr(self._owner(method_name), method_name)(*method_args, **method_kwargs)
        return [result] * len(list(self._get_indices(indices)))

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        """Whether the environment is wrapped with `wrapper_class`, once per index."""
        env: Any = self.env
        while isinstance(env, VectorWrapper) and not isinstance(env, wrapper_class):
            env = env.env
        return [isinstance(env, wrapper_class)] * len(list(self._get_indices(indices)))

    def _owner(self, name: str) -> Any:
        """The outermost of the environment and its wrappers that has the attribute itself."""
        env: Any = self.env
        while isinstance(env, VectorWrapper) and name not in vars(env) and not hasattr(type(env), name):
            env = env.env
        return env


def make_native_vec_env(env_id: str, n_envs: int, seed: int | None = None, **kwargs: Any) -> NativeVecEnv:
    """`make_vec_env` of SB3, over the native vector environment.

    Args:
        env_id: of an environment with a native vector one, such as "bandit_env/LearnDaily-v0".
        n_envs: the number of environments.
        seed: environment i is seeded with seed + i at the first reset.
        kwargs: constructor arguments of the environment.
    """
    adapter = NativeVecEnv(gym.make_vec(env_id, num_envs=n_envs, autoreset_mode="SameStep", **kwargs))
    if seed is not None:
        adapter.seed(seed)
    return adapter


def save_policy(model: Any, path: str, env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> None:
    """Save a trained model together with what it was shown, for the agent `sb3` to show it the same.

    Args:
        model: of SB3, trained on `env` or its like.
        path: of the zip file; SB3's `load` reads it as well.
        env: of an id to learn on.

    Raises:
        ValueError: another environment, or one with a history, which an experiment cannot show.
    """
    world = getattr(env.unwrapped, "world", None)
    if not isinstance(world, FeatureView):
        raise ValueError(f"expected an environment to learn on, such as bandit_env/LearnDaily-v0; found {env}")
    if world.observation_space.shape != world.table.shape:
        raise ValueError("the observation has a history, which no experiment can show; expected history=False")
    shown = {"version": FEATURES_VERSION, "features": world.table.names, "feature_prior": world.table.prior}
    if isinstance(world, LearnDailyMenu):
        served = world.menu[: -world.rates.shape[1], :-1]
        shown["allocations"] = served.tolist()
    model.save(path)
    with zipfile.ZipFile(path if path.endswith(".zip") else f"{path}.zip", "a") as archive:
        archive.writestr("bandit_env.json", json.dumps(shown))


def _rows(infos: dict[str, Any], num_envs: int, chosen: NDArray[np.bool_] | None = None) -> list[dict[str, Any]]:
    """Arrays with masks as one dict per row: of all rows, or of those chosen."""
    places = range(num_envs) if chosen is None else np.flatnonzero(chosen).tolist()
    rows: list[dict[str, Any]] = [{} for _ in places]
    for name, values in infos.items():
        mask = infos.get(f"_{name}")
        if mask is None:  # a mask itself
            continue
        plain = values.tolist() if values.ndim == 1 else list(values.copy())
        for row, i, present in zip(rows, places, mask[places].tolist(), strict=True):
            if present:
                row[name] = plain[i]
    return rows


def _stack_options(options: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    names = {name for option in options for name in option}
    if any(set(option) != names for option in options):
        raise ValueError("options differ between environments in what they set; expected the same keys for all")
    return {name: np.stack([option[name] for option in options]) for name in names} or None
