"""Ours and its peers on the same work, side by side: `python scripts/compare_peers.py --out docs/peers.md`.

The programs are in `scripts/peers`, a folder for each kind of work; each says in its head what must be installed for
it. Every peer gets a virtual environment of its own, made in a folder that is removed afterwards (or kept, with --keep:
the next time nothing is installed), and one process of one thread, which is asked in turn with all others, round by
round. Nothing of a peer's is a dependency of this package. A peer that does not install, or does not answer in time, is
a row that says so, and the others go on. Exit status 1 where one was too late, or ours failed.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"
INSTALLING, ANSWERING = 400.0, 60.0  # seconds that a peer may take
ROUNDS = 5
ALONE = {  # one thread each, whatever does the arithmetic
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
CONTESTS = {
    "thompson": ("Thompson sampling: two arms of .5 and .6, one visit at a time", "visits"),
    "steps": ("Environment steps: a Bernoulli bandit of two arms, 1,024 side by side, random actions", "steps"),
    "best": ("P(best) of six arms of 1,000 visits, one call; largest error of the six", "calls"),
    "value_remaining": ("Value remaining of the same six arms, its 95 % quantile, one call; error", "calls"),
    "experiments": ("Whole experiments: Thompson on 4 v 5 %, 100 visits a day, until little value remains", "visits"),
}
PAGE = """\
# Peers on the same work

<!-- made by: python scripts/compare_peers.py --out docs/peers.md -->

The programs are in `scripts/peers`. Each is one process of one thread, asked in turn with the others; what is shown is
the best of {rounds} rounds, in seconds of the processor ({machine}, Python {python}). Read the ratios rather than the
speeds. Errors are against exact values. What does not install here is a row that says so.
"""


class TooLateError(Exception):
    """Something took longer than it may."""


@dataclass
class Peer:
    """A program, and what has become of it.

    Attributes:
        path: the program.
        name: what it is, from its head.
        dependencies: what must be installed for it.
        package: whose version is shown.
        speeds: how much it did in a second of the processor, round by round.
        error: against exact values; None where the work has none.
        failure: why there is nothing to show.
    """

    path: Path
    name: str
    dependencies: list[str]
    package: str
    version: str = ""
    speeds: list[float] = field(default_factory=list)
    error: float | None = None
    failure: str = ""
    late: bool = False

    @property
    def ours(self) -> bool:
        """Whether it is this package."""
        return self.path.stem.startswith("ours")

    @property
    def speed(self) -> float:
        """Its best round."""
        return max(self.speeds, default=0.0)


def read(path: Path) -> Peer:
    """A peer, from the head of its program: metadata as in PEP 723, and a line that says what it is."""
    text = path.read_text(encoding="utf-8")
    head = re.search(r"^# /// script\n((?:#.*\n)*?)# ///\n", text, re.MULTILINE)
    metadata = tomllib.loads(re.sub(r"^# ?", "", head[1], flags=re.MULTILINE)) if head else {}
    name = re.search(r'^(?:"""|# )(.+?)\.?(?:""")?$', text[head.end() if head else 0 :], re.MULTILINE)
    assert name is not None, f"{path}: says not what it is"
    dependencies = metadata.get("dependencies", [])
    usual = re.split(r"[<>=!~]", dependencies[0])[0] if dependencies else "bandit-env"
    return Peer(path, name[1], dependencies, metadata.get("tool", {}).get("peer", {}).get("package", usual))


class Environments:
    """Virtual environments, one for each set of dependencies; what could not be installed is remembered."""

    def __init__(self, folder: Path, limit: float) -> None:
        self.folder, self.limit = folder, limit

    def command(self, peer: Peer) -> list[str]:
        """What starts a peer's program.

        Raises:
            OSError, subprocess.CalledProcessError: it cannot be installed.
            TooLateError: not in time.
        """
        r = peer.path.suffix == ".R"
        if r and shutil.which("Rscript") is None:
            raise OSError("R is not there")
        home = self.folder / re.sub(r"[^\w]+", "-", "-".join(["r" if r else "python", *peer.dependencies]))
        python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
        if peer.dependencies and not (home / "installed").exists():
            if (home / "failed").exists():
                raise OSError((home / "failed").read_text(encoding="utf-8"))
            home.mkdir(parents=True, exist_ok=True)
            self._install(peer, home, [str(python)])
        if r:
            return ["env", f"R_LIBS={home}", "Rscript", str(PEERS / "harness.R"), str(peer.path)]
        return [str(python) if peer.dependencies else sys.executable, str(PEERS / "harness.py"), str(peer.path)]

    def _install(self, peer: Peer, home: Path, python: list[str]) -> None:
        if peer.path.suffix == ".R":
            wanted = ", ".join(f'"{name}"' for name in peer.dependencies)
            code = f'options(warn = 2); chooseCRANmirror(ind = 1); install.packages(c({wanted}), lib = "{home}")'
            steps = [["Rscript", "-e", code]]
        else:
            steps = [
                [sys.executable, "-m", "venv", str(home)],
                [*python, "-m", "pip", "install", "--quiet", *peer.dependencies],
            ]
        try:
            for step in steps:
                subprocess.run(step, check=True, capture_output=True, text=True, timeout=self.limit)
        except subprocess.TimeoutExpired as error:
            raise TooLateError(f"did not install within {self.limit:g} s") from error
        except subprocess.CalledProcessError as error:
            told = f"does not install: {last_error(error.stderr)}"
            (home / "failed").write_text(told, encoding="utf-8")
            raise OSError(told) from error
        (home / "installed").touch()


class Process:
    """A peer at work."""

    def __init__(self, peer: Peer, environments: Environments, limit: float) -> None:
        self.peer, self.limit = peer, limit
        self._process: subprocess.Popen[str] | None = None
        self._told = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 (see `end`)
        try:
            command = environments.command(peer)
            peer.version = version(command, peer.package)
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._told,
                text=True,
                bufsize=1,
                env=os.environ | ALONE,
            )
        except TooLateError as error:
            peer.failure, peer.late = str(error), True
        except OSError as error:
            peer.failure = str(error)

    def ask(self) -> None:
        """One round of work."""
        process, peer = self._process, self.peer
        if peer.failure or process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(self.limit, process.kill)
        timer.start()
        try:
            process.stdin.write("\n")
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        in_time = timer.is_alive()
        timer.cancel()
        if answer:
            found = json.loads(answer)
            peer.error = found["error"]
            peer.speeds.append(found["count"] / max(found["cpu"], 1e-9))
            return
        process.wait()
        self._told.seek(0)
        peer.late = not in_time
        peer.failure = last_error(self._told.read()) if in_time else f"no answer within {self.limit:g} s"

    def end(self) -> None:
        """Let it go."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):  # what it will not read any more
                    assert stream is not None
                    stream.close()
        self._told.close()


def version(command: list[str], package: str) -> str:
    """The version of a package in a peer's environment."""
    if "Rscript" in command:
        code = f'cat(as.character(packageVersion("{package}")))'
        asked = [*command[: command.index("Rscript") + 1], "-e", code]
    else:
        asked = [command[0], "-c", f"import importlib.metadata as m; print(m.version({package!r}))"]
    return subprocess.run(asked, capture_output=True, text=True).stdout.strip()


def last_error(text: str) -> str:
    """The last line of what a program said that speaks of an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() and "subprocess" not in line] or lines or ["no word"]
    return errors[-1][:120].replace("|", "/")


def compete(peers: list[Peer], environments: Environments, rounds: int, limit: float) -> None:
    """Ask all peers in turn, round by round."""
    processes = [Process(peer, environments, limit) for peer in peers]
    try:
        for _ in range(rounds):
            for process in processes:
                process.ask()
    finally:
        for process in processes:
            process.end()


def table(title: str, unit: str, peers: list[Peer]) -> str:
    """A Markdown table: ours, and the others from the fastest on; speed, how many times ours it is, error."""
    ours = next(peer for peer in peers if peer.ours)
    errors = any(peer.error is not None for peer in peers)
    heads = ["who", "version", f"{unit} a second", "ours is faster by", *["error"] * errors]
    lines = [f"## {title}", "", f"| {' | '.join(heads)} |", "| --- | --- |" + " ---: |" * (len(heads) - 2)]
    for peer in sorted(peers, key=lambda peer: (peer is not ours, -peer.speed)):
        cells = [peer.name, peer.version, peer.failure, "", *[""] * errors]
        if not peer.failure:
            cells[2] = f"{float(f'{peer.speed:.3g}'):,.10g}"
            cells[3] = "" if peer is ours or not ours.speed else f"{ours.speed / peer.speed:,.3g}"
            cells[4:] = [f"{peer.error:.1e}" if peer.error is not None else ""] * errors
        lines.append(f"| {' | '.join(cells)} |")
    for own in (peer for peer in peers if peer.ours and peer.speed):
        if faster := [peer.name for peer in peers if not peer.ours and peer.speed > own.speed]:
            lines += ["", f"Faster than {own.name}: {'; '.join(faster)}."]
    return "\n".join([*lines, ""])


def main(arguments: list[str] | None = None) -> int:
    """Compare, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contests", nargs="*", metavar="CONTEST", help=f"all of {', '.join(CONTESTS)} by default")
    parser.add_argument("--out", type=Path, help="write a Markdown page there")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="folder for the virtual environments, to be kept")
    parser.add_argument("--peers", type=Path, default=PEERS, help="folder of the programs")
    parser.add_argument("--installing", type=float, default=INSTALLING, help="seconds that an installation may take")
    parser.add_argument("--answering", type=float, default=ANSWERING, help="seconds that a round may take")
    options = parser.parse_args(arguments)
    page, failed = [PAGE.format(rounds=options.rounds, machine=processor(), python=platform.python_version())], False
    with tempfile.TemporaryDirectory() as temporary:
        environments = Environments(options.keep or Path(temporary), options.installing)
        for contest in options.contests or CONTESTS:
            peers = [read(path) for path in sorted((options.peers / contest).iterdir()) if path.suffix in (".py", ".R")]
            compete(peers, environments, options.rounds, options.answering)
            page.append(table(*CONTESTS[contest], peers))
            print(page[-1], flush=True)
            failed |= any(peer.late or (peer.ours and bool(peer.failure)) for peer in peers)
    if options.out is not None:
        options.out.write_text("\n".join(page), encoding="utf-8")
    return int(failed)


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        found = None
    return found[1] if found else platform.machine()


if __name__ == "__main__":
    sys.exit(main())
