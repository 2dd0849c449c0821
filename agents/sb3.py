"""A policy that Stable-Baselines3 trained, played as an agent."""

import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, Observation
from bandit_env.stats.feature_names import FEATURES_VERSION, LEARNER_FEATURES, check_names
from bandit_env.stats.features import arm_features
from bandit_env.world.action import encode_action, make_menu
from bandit_env.world.task import Task

POLICIES = {  # where the classes of SB3's "MlpPolicy" stand
    "ActorCriticPolicy": "stable_baselines3.common.policies",
    "DQNPolicy": "stable_baselines3.dqn.policies",
    "SACPolicy": "stable_baselines3.sac.policies",
    "TD3Policy": "stable_baselines3.td3.policies",
}
BLOCK = 64  # experiments in one matrix product
SHOWN = "bandit_env.json"  # in the file: what the policy was shown


@dataclass(eq=False)
class SB3(Agent):
    """Plays a Stable-Baselines3 policy that was trained on an id to learn on, always with its most likely action.

    The observation is made from the counts as in training: float32 features of the arms, in one row. The policy runs in
    float32 on the CPU. It stops by itself where it was trained to, and ships without a claim. It sees no history and
    no normalisation (VecNormalize). Only the weights are read, by PyTorch's loader of plain tensors; the pickles that
    SB3 puts into its files are never opened.

    Attributes:
        path: the zip file that `model.save` or `bandit_env.rl.sb3.save_policy` wrote; the latter tells what the policy
            was shown, and then the arguments below are not asked for.
        features: names of the features; None stands for those of the ids.
        feature_prior: (a, b) of the features; None stands for that of the ids: (4, 96), per visit (1, 1).
        allocations: the menu of a policy with Discrete actions, see `AllocationMenu`.

    Raises:
        ValueError: a file that is not SB3's, or whose network is not one of its multilayer perceptrons.
        ImportError: without Stable-Baselines3, which the extra `rl` brings.
    """

    path: str
    features: Sequence[str] | None = None
    feature_prior: Sequence[float] | None = None
    allocations: Sequence[Sequence[float]] | None = None

    formula: ClassVar[str] = (
        "argmax of the policy's probability of an action, or its mean, given the features that it was trained on"
    )
    source: ClassVar[str] = "Raffin et al. (2021), Stable-Baselines3, JMLR 22(268)"
    deterministic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        data, shown = _read(self.path)
        if shown.get("version", FEATURES_VERSION) != FEATURES_VERSION:
            raise ValueError(
                f"{self.path} was trained on features of version {shown['version']!r}; expected {FEATURES_VERSION}, as "
                "this bandit_env computes them"
            )
        given = {"features": self.features, "feature_prior": self.feature_prior, "allocations": self.allocations}
        self._shown = {name: shown.get(name, value) for name, value in given.items()}
        self._names = tuple(self._shown["features"] or LEARNER_FEATURES)
        check_names(self._names)
        self._size, self._actions = _spaces(self.path, data)
        self._policy = _load(self.path, data, self._size, self._actions)

    @property
    def parameters(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {"path": str(self.path), **self._shown}

    def check_task(self, task: Task) -> None:
        """Refuse a task in which the policy would be shown, or would do, something else than in training.

        Raises:
            ValueError: says what the policy's spaces are and what the task needs.
        """
        per_arm, per_visit = len(self._names), self._per_visit(task)
        if self._size != task.num_arms * per_arm:
            raise ValueError(
                f"{self.path} was trained on observations of {self._size} numbers; this task shows "
                f"{task.num_arms * per_arm}: {task.num_arms} arms with {per_arm} features each"
            )
        kind, found = self._actions
        choices = task.num_arms if per_visit else len(self._menu(task))
        expected = task.num_arms + 1 if kind == "Box" else choices
        if found != expected or (kind == "Box" and per_visit):
            wanted = f"Discrete({expected})" if kind == "Discrete" or per_visit else f"a Box of {expected} numbers"
            had = f"Discrete({found})" if kind == "Discrete" else f"a Box of {found} numbers"
            raise ValueError(f"{self.path} was trained on actions of {had}; this task takes {wanted}")

    def reset(self, task: Task, num_experiments: int, rng: np.random.Generator) -> None:
        """Prepare for a batch of new experiments; raises as `check_task`."""
        self.check_task(task)
        self.task = task

    def act(self, observation: Observation, experiments: NDArray[np.intp]) -> NDArray[np.float32]:
        """The policy's actions, shape (n, K + 1)."""
        task, visits = self.task, observation["visits"]
        prior = self._shown["feature_prior"] or ((1.0, 1.0) if self._per_visit(task) else (4.0, 96.0))
        features = arm_features(
            observation["conversions"], visits, observation["day"][:, 0], task.max_days, task.visits_per_day,
            tuple(prior), self._names, np.float32, task.updates_per_day,
        )  # fmt: skip
        actions = self._choose(features.reshape(len(visits), self._size))
        if self._per_visit(task):
            return encode_action(np.eye(task.num_arms)[actions])
        if self._actions[0] == "Discrete":
            actions = self._menu(task)[actions]
        actions[observation["day"][:, 0] < task.min_days, -1] = 0  # the environment would not listen
        return np.asarray(actions, np.float32)

    def _choose(self, features: NDArray[np.float32]) -> NDArray[Any]:
        """The policy's answers, in blocks of one size: a matrix product may round differently in another."""
        blocks = np.zeros((-(-len(features) // BLOCK), BLOCK, self._size), np.float32)
        blocks.reshape(-1, self._size)[: len(features)] = features
        answers = [self._policy.predict(block, deterministic=True)[0] for block in blocks]
        return np.concatenate(answers)[: len(features)]

    def claims_winner(self, experiments: NDArray[np.intp], declared: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Never: the policy ships, and claims nothing."""
        return np.zeros(len(declared), np.bool_)

    def _menu(self, task: Task) -> NDArray[np.float32]:
        return make_menu(task.num_arms, self._shown["allocations"], declare=True)

    def _per_visit(self, task: Task) -> bool:
        return self._actions[0] == "Discrete" and task.visits_per_day == task.updates_per_day == 1


def _read(path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """SB3's own description of the model, and ours of what it was shown; {} where there is none."""
    if not Path(path).is_file():
        raise ValueError(f"path is {str(path)!r}; expected a file that Stable-Baselines3 saved")
    try:
        with zipfile.ZipFile(path) as archive:
            shown = json.loads(archive.read(SHOWN)) if SHOWN in archive.namelist() else {}
            return json.loads(archive.read("data")), shown
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ValueError(f"{path} is no file that Stable-Baselines3 saved: {error}") from None


def _spaces(path: str, data: dict[str, Any]) -> tuple[int, tuple[str, int]]:
    """The size of the observation; the kind of the action space, "Box" or "Discrete", and its size."""
    shapes = {}
    for name in ("observation_space", "action_space"):
        space = data.get(name) or {}
        kind = re.search(r"\.(\w+)'>$", str(space.get(":type:", "")))
        if kind and kind[1] == "Discrete":
            shapes[name] = ("Discrete", int(space["n"]))
        elif kind and kind[1] == "Box" and (shape := re.fullmatch(r"\[(\d+)\]", str(space["_shape"]).replace(",", ""))):
            shapes[name] = ("Box", int(shape[1]))
        else:
            raise ValueError(
                f"{path} has the {name} {kind[1] if kind else space}; expected a flat Box, or Discrete actions"
            )
    if shapes["observation_space"][0] != "Box":
        raise ValueError(f"{path} was trained on Discrete observations; expected a flat Box of features")
    return shapes["observation_space"][1], shapes["action_space"]


def _load(path: str, data: dict[str, Any], size: int, actions: tuple[str, int]) -> Any:
    """The network, built anew, with the weights of the file."""
    try:
        import gymnasium as gym
        from stable_baselines3.common.save_util import load_from_zip_file
    except ImportError as error:
        raise ImportError("an SB3 policy needs Stable-Baselines3: pip install 'bandit-env[rl]'") from error
    name = re.search(r"<function (\w+)\.__init__", str(data.get("policy_class", {}).get("__init__", "")))
    settings = {
        name: value
        for name, value in (data.get("policy_kwargs") or {}).items()
        if not name.startswith((":", "optimizer_"))  # what trained it plays no part
    }
    strange = [name for name, value in settings.items() if isinstance(value, str)]  # a class, which only a pickle holds
    if name is None or name[1] not in POLICIES or strange:
        found = f"{name[1] if name else 'no policy'}" + (f" with its own {', '.join(strange)}" if strange else "")
        raise ValueError(f"{path} holds {found}; expected an MlpPolicy of SB3 as it comes: {', '.join(POLICIES)}")
    kind, width = actions
    action_space: Any = gym.spaces.Discrete(width) if kind == "Discrete" else gym.spaces.Box(0, 1, (width,))
    observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float32)
    build = getattr(import_module(POLICIES[name[1]]), name[1])
    policy = build(observation_space, action_space, lambda _: 0.0, **settings).to("cpu")
    _, weights, _ = load_from_zip_file(path, load_data=False, device="cpu")  # tensors only
    try:
        policy.load_state_dict(weights["policy"])
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"{path} holds weights of another network than it tells of: {error}") from None
    policy.set_training_mode(False)
    return policy
