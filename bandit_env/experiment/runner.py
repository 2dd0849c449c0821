"""Plays a batch of experiments with an agent. Read top to bottom: this is the whole path from agent to rows.

The world is reached through Gymnasium's own door, `gymnasium.make_vec`, with resets switched off: an experiment that
has ended idles, and the agent is asked only about those still running.
"""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import gymnasium
import numpy as np
from numpy.typing import NDArray

import bandit_env  # noqa: F401 (registers the environments)
from bandit_env.errors import AgentError
from bandit_env.experiment.cell import CellPlan, Part
from bandit_env.experiment.chunk import CHUNK_SIZE, Chunk
from bandit_env.experiment.recorder import Recorder
from bandit_env.experiment.results import prior_of

WORLD, AGENT = 0, 1  # streams of a chunk; the world's does not depend on the agent, so comparisons are paired

TOLD = 0.005  # share of a batch after which more of it is told, though no experiment has ended


class Tick(Protocol):
    """Told how many experiments have just ended, and how much of all was played since, as `engines.Progress` is."""

    def __call__(self, ended: int, moved: float, /) -> None: ...  # noqa: D102


def play(plan: CellPlan, parts: Sequence[Part], tick: Tick | None = None) -> list[Chunk]:
    """Play some chunks of a cell side by side, and give back each chunk's results.

    Every experiment has its own random stream, so its row is the same whatever is played beside it.

    Args:
        plan: the cell.
        parts: the chunks wanted; only one at a time for an agent that draws (see `batches_chunks`).
        tick: told of experiments that have ended, and how far the others are.

    Raises:
        AgentError: the agent raised, or returned something that is no action.
    """
    agent = plan.build_agent()
    played = [part.replications if batches_chunks(agent) else CHUNK_SIZE for part in parts]
    seeds = np.concatenate([_stream(plan, part, WORLD).generate_state(n, np.uint64) for part, n in zip(parts, played)])
    world = gymnasium.make_vec(
        "bandit_env/DailyTraffic-v0", num_envs=len(seeds), autoreset_mode="Disabled", **plan.world
    )
    observation, info = world.reset(seed=seeds.tolist())
    _reset(plan, agent, len(seeds), np.random.default_rng(_stream(plan, parts[0], AGENT)))
    record = Recorder(plan, parts, played, info["base_rates"], prior_of(getattr(agent, "prior", None)))
    actions = np.zeros(cast(tuple[int, ...], world.action_space.shape), dtype=np.float32)
    running = np.arange(len(seeds))
    last, told, update = _last_update(plan, agent), 0.0, 0
    while running.size:
        seen = {name: values.take(running, axis=0) for name, values in observation.items()}
        actions[running] = _ask(plan, agent, seen, running, record)
        after, terminated, info = _step(world, actions, plan, running, seen["day"], record)
        over = terminated[running]
        record.update(running, over, observation, after, actions, info)
        if over.any():
            ended = running[over]
            record.end(ended, after, info, _claims(agent, ended, info["declared_arm"][ended]))
            running = running[~over]
        update += 1
        moved = len(seeds) - running.size * (1 - min(update / last, 1)) - told  # experiments' worth
        if tick is not None and (over.any() or moved >= TOLD * len(seeds)):
            tick(int(np.count_nonzero(over)), moved)
            told += moved
        observation = after
    return record.chunks()


def batches_chunks(agent: Any) -> bool:
    """Whether several chunks may be played side by side: the agent promises that it draws nothing.

    One that draws does so for a batch at a time, so its batch must always be the same: one whole chunk.
    """
    return bool(getattr(agent, "deterministic", False))


def _stream(plan: CellPlan, part: Part, stream: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(plan.seed, spawn_key=(part.chunk, stream))


def _last_update(plan: CellPlan, agent: Any) -> float:
    """The update by which every experiment has ended, for whoever wants to know how far they are; counted from 1."""
    ends_by = getattr(agent, "ends_by", None)
    days = ends_by(plan.task) if callable(ends_by) else plan.task.max_days
    return float(max(1, days * plan.task.updates_per_day - plan.first_update))


def _reset(plan: CellPlan, agent: Any, size: int, rng: np.random.Generator) -> None:
    try:
        agent.reset(plan.task, size, rng)
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
        raise AgentError(
            f"agent {plan.agent!r} in scenario {plan.scenario!r}, before the first day: {found}"
        ) from error


def _ask(
    plan: CellPlan, agent: Any, seen: dict[str, NDArray[np.float64]], running: NDArray[np.intp], record: Recorder
) -> NDArray[np.float32]:
    """The agent's actions for the running experiments, checked for shape; values are checked by the world."""
    try:
        actions = np.asarray(agent.act(seen, running))
    except Exception as error:
        raise _failure(plan, seen["day"], 0, running, record, f"{type(error).__name__}: {error}") from error
    expected = (running.size, plan.task.num_arms + 1)
    if actions.shape != expected or actions.dtype.kind not in "fiu":
        found = f"an action of shape {actions.shape} and type {actions.dtype}; expected {expected}, float32"
        raise _failure(plan, seen["day"], 0, running, record, found)
    return actions


def _step(
    world: Any,
    actions: NDArray[np.float32],
    plan: CellPlan,
    running: NDArray[np.intp],
    day: NDArray[np.float64],
    record: Recorder,
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.bool_], dict[str, Any]]:
    try:
        after, _, terminated, _, info = world.step(actions)
    except ValueError as error:
        inside = (actions[running] >= -1e-6) & (actions[running] <= 1 + 1e-6)
        bad = np.flatnonzero(~inside.all(axis=1))
        if not bad.size:
            raise
        row = int(bad[0])
        found = f"the action {actions[running[row]].tolist()}; expected numbers in [0, 1]"
        raise _failure(plan, day, row, running, record, found) from error
    return after, terminated, info


def _failure(
    plan: CellPlan, day: NDArray[np.float64], row: int, running: NDArray[np.intp], record: Recorder, found: str
) -> AgentError:
    return AgentError(
        f"agent {plan.agent!r} in scenario {plan.scenario!r}, day {day[row, 0]:g}, "
        f"replication {record.replication[running[row]]}: {found}"
    )


def _claims(agent: Any, ended: NDArray[np.intp], declared: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether each declared arm is claimed to be better. Agents need not say; then every declaration is a claim."""
    if hasattr(agent, "claims_winner"):
        return np.asarray(agent.claims_winner(ended, declared), dtype=bool)
    return declared >= 0
