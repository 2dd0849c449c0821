"""Results: what is in a run's folder, and every column of every file."""

from collections.abc import Iterator

from bandit_env.experiment import columns

from .markdown import table

FILES = {
    "config.json": "the experiment file, resolved: every default filled in, versions, seed, and the cells' folders",
    "summary.csv": "a row per cell: one scenario with one agent",
    "estimates.csv": "what the estimates asked for are worth, a row per cell, method, quantity and arm",
    "standings.md": "where an agent stands that has played the leaderboard's suite",
    "figures/": "figures as PNG and SVG, and TensorBoard's event file of what belongs to the whole",
    "SCENARIO/AGENT/cell.json": "what the cell is, and the digests of its files",
    "SCENARIO/AGENT/episodes.parquet": "a row per experiment",
    "SCENARIO/AGENT/curves.parquet": "a row per update: sums over the experiments",
    "SCENARIO/AGENT/traces.npz": "a typical experiment update by update; with `traces` above 1 the first so many",
    "SCENARIO/AGENT/events.out.tfevents.*": "TensorBoard's event files",
    "SCENARIO/AGENT/chunks/": "the parts as they were played, 1,000 replications each; a resumed run goes on from them",
}


def pages() -> Iterator[tuple[str, str]]:
    """One page."""
    lines = [
        "# Results",
        "",
        "What `bandit-env run` leaves, and every column of every file. `bandit_env.experiment.results.load(DIR)` gives "
        "the rows of all cells as one table, with the columns `scenario` and `agent` in front; `read(DIR)` gives the "
        "cells. From Python `run(...)` keeps the same in memory. Every file is compared with the digest that was "
        "stored with it: what was altered since is refused by name.",
        "",
        "## Files",
        "",
        table(["file", "what it holds"], [[f"`{name}`", text] for name, text in FILES.items()]),
        "",
        "In names of columns `<k>` is an arm (0 is the control), `<method>` and `<quantity>` are of the "
        "[estimates asked for](experiment_file.md#estimates), `<replication>` is an experiment's number. The words are "
        "the [glossary](../glossary.md)'s.",
        "",
    ]
    for name, defined in columns.FILES.items():
        rows = [[f"`{column.name}`", column.dtype, column.unit, column.meaning] for column in defined]
        lines += [f"## {name}", "", table(["column", "type", "unit", "meaning"], rows), ""]
    yield "results", "\n".join(lines)
