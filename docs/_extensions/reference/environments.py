"""Environments: a page for each id, which is the docstring of its class."""

import inspect
from collections.abc import Iterator

import gymnasium

import bandit_env  # noqa: F401 (registers the ids)

from .markdown import first_sentence, table, toctree


def pages() -> Iterator[tuple[str, str]]:
    """The table of ids, and a page for each."""
    specs = [spec for name, spec in gymnasium.registry.items() if name.startswith("bandit_env/")]
    rows, texts = [], {}
    for spec in specs:
        single, several = (gymnasium.envs.registration.load_env_creator(entry) for entry in points(spec))
        page = spec.name.lower()
        rows.append([f"[`{spec.id}`]({page}.md)", first_sentence(single)])
        texts[f"environments/{page}"] = page_of(spec, single, several)
    intro = (
        "# Environments\n\nEach id has a single and a native vector environment (`gym.make`, `gym.make_vec`). "
        "Importing `bandit_env` registers them;\n"
        '`gym.make("bandit_env:bandit_env/DailyTraffic-v0")` does so by itself.\n\n'
    )
    listed = toctree(name.removeprefix("environments/") for name in texts)
    yield "environments/index", intro + table(["id", "what it is"], rows) + "\n\n" + listed + "\n"
    yield from texts.items()


def points(spec: gymnasium.envs.registration.EnvSpec) -> tuple[str, str]:
    """Where the two classes are."""
    return str(spec.entry_point), str(spec.vector_entry_point)


def page_of(spec: gymnasium.envs.registration.EnvSpec, single: type, several: type) -> str:
    """The docstring, after a table of what the registration says. Its Python is code, not a doctest's."""
    facts = [
        ["import", f"`{single.__module__}.{single.__name__}`"],
        ["vector", f"`{several.__module__}.{several.__name__}`: {inspect.getdoc(several).split(chr(10) * 2)[0]}"],
        ["`max_episode_steps`", spec.max_episode_steps],
    ]
    lines = [f"# {spec.id}", "", table(["", ""], [[a, str(b).replace("\n", " ")] for a, b in facts]), ""]
    return "\n".join(lines) + "\n" + (inspect.getdoc(single) or "") + "\n"
