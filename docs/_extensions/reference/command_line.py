"""The command line: what each command says of itself, and what its examples print."""

from collections.abc import Iterator

from bandit_env import cli

RUN = "bandit-env run ab_test --replications 200 --out runs/ab_test"
COUNTS = "--visits 1000 1000 --conversions 40 50 --day 20 --visits-per-day 100"
SHOWN = {
    "run": (RUN, None),
    "report": ("bandit-env report runs/ab_test", 14),
    "plan": ("bandit-env plan --rates 0.04 0.05 --visits-per-day 100 --replications 500", None),
    "analyse": (f"bandit-env analyse {COUNTS}", None),
    "replay": ("bandit-env replay scott-2013-sample-sizes evan-miller-calculator", None),
    "agents": ("bandit-env agents thompson", None),
}
"""By command: one that is run for the page, and the most lines that are shown."""


def pages() -> Iterator[tuple[str, str]]:
    """One page for all commands."""
    parser = cli._parser()
    commands = next(action for action in parser._actions if hasattr(action, "choices") and action.choices).choices
    lines = [
        "# Command line",
        "",
        "Exit status: 0; 1 where an agent, the disk or the workers failed on the way, or what was said could not be",
        "written down; 2 for bad input; 130 after Ctrl-C. What is shown here was printed when this page was built.",
        "",
    ]
    for name, command in commands.items():
        command.prog = f"bandit-env {name}"
        lines += [f"## {name}", "", "```text", command.format_help().rstrip(), "```", ""]
        if name in SHOWN:
            shown, most = SHOWN[name]
            lines += [f"```{{run}} {shown}"]
            lines += [f":lines: {most}"] if most else []
            lines += ["```", ""]
    yield "command_line", "\n".join(lines)
