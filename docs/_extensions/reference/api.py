"""The functions and classes that are meant to be called, module by module, by autodoc."""

import importlib
import inspect
import operator
from collections.abc import Iterator
from types import ModuleType

from .markdown import autodoc, first_sentence, table, toctree

MODULES = {
    "bandit_env.experiment": ["run", "sweep.Watcher"],
    "bandit_env.experiment.results": ["Run", "Cell", "Classical", "Trace", "load", "read"],
    "bandit_env.desk": [
        "analyse",
        "Analysis",
        "result.Arm",
        "result.ValueRemaining",
        "verdicts.Verdict",
        "forecast.Forecast",
        "findings.Check",
        "table.Counts",
    ],
    "bandit_env.stats.posterior": None,
    "bandit_env.stats.power": None,
    "bandit_env.stats.estimates": None,
    "bandit_env.stats.e_process": None,
    "bandit_env.stats.prior": None,
    "bandit_env.stats.sample_ratio": None,
    "bandit_env.stats.features": None,
    "bandit_env.stats.lower_bounds": None,
    "bandit_env.envs.wrappers": None,
    "bandit_env.rl.sb3": None,
    "bandit_env.world.scenario": ["Scenario"],
    "bandit_env.world.task": ["Task"],
    "bandit_env.world.action": None,
    "bandit_env.engines.engine": ["Engine"],
    "agents": None,
    "agents.agent": None,
    "agents.part": ["Part"],
    "agents.allocation": ["Allocation"],
    "agents.stopping.rule": ["StoppingRule"],
    "agents.memories.memory": ["Memory"],
    "agents.evidence": ["Evidence"],
    "agents.testing": ["check_agent"],
}
"""Modules, and which of their names, or of modules in them; None: `__all__`, or what is public and their own."""

INHERITED = {"bandit_env.stats.estimates": ["inherited-members: tuple"]}
"""Modules whose classes share methods of private ones."""


def pages() -> Iterator[tuple[str, str]]:
    """The table of modules, and a page for each."""
    modules = {name: importlib.import_module(name) for name in MODULES}
    rows = [[f"[`{name}`]({name}.md)", first_sentence(module)] for name, module in modules.items()]
    intro = "# Python\n\nEverything that is meant to be called or derived from; other modules may change.\n\n"
    yield "python/index", intro + table(["module", "what it is for"], rows) + "\n\n" + toctree(modules) + "\n"
    for name, module in modules.items():
        lines = [f"# {name}", "", autodoc("module", name, "no-members"), ""]
        for member in MODULES[name] or public(module):
            thing = operator.attrgetter(member)(module)
            if inspect.isclass(thing):
                options = ["members", *INHERITED.get(name, [])]
                lines += [f"## {member}", "", autodoc("class", f"{name}.{member}", *options), ""]
            elif callable(thing):
                lines += [f"## {member}", "", autodoc("function", f"{name}.{member}"), ""]
        yield f"python/{name}", "\n".join(lines)


def public(module: ModuleType) -> list[str]:
    """Names that a module offers."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    own = {name for name, thing in vars(module).items() if getattr(thing, "__module__", None) == module.__name__}
    return [name for name in vars(module) if name in own and not name.startswith("_")]
