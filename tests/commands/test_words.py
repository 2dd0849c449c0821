"""What is said may be lost; what was played never is: every command, on terminals and pipes of every kind."""

import argparse
import errno
import io
import os
import subprocess
import sys

import pytest

from bandit_env import cli
from bandit_env.commands import run
from bandit_env.commands.words import Words

EXPERIMENT = """
replications = 20
[scenario]
rates = [0.4, 0.5]
min_days = 2
max_days = 4
[[agents]]
name = "uniform"
label = "Кнопка – ±"
"""
LABELS = {"utf-8": "Кнопка – ±", "cp932": "Кнопка - ±", "latin-1": "?????? - ±"}
COMMANDS = {
    "run": ["run", "experiment.toml", "--out", "new", "--no-figures"],
    "report": ["report", "finished"],
    "plan": ["plan", "--rates", ".1", ".3", "--min-days", "1", "--max-days", "60", "--replications", "20"],
    "analyse": [
        "analyse",
        "--visits",
        "100",
        "120",
        "--conversions",
        "4",
        "9",
        "--names",
        "Кнопка – ±",
        "b",
        "--no-forecast",
    ],
    "replay": ["replay", "--list"],
    "agents": ["agents"],
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with an experiment and a finished run; its report draws nothing, as figures have tests of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bandit_env.views.figures.all_figures", lambda *arguments: [])
    (tmp_path / "experiment.toml").write_text(EXPERIMENT, encoding="utf-8")
    return tmp_path


def run_first(command, capsys):
    if command == "report":
        assert cli.main(["run", "experiment.toml", "--out", "finished", "--no-figures"]) == 0
        os.remove("finished/summary.csv")
    capsys.readouterr()


def folder(command):
    return {"run": "new", "report": "finished"}.get(command)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp932", "cp437", "utf-8"])
def test_what_cannot_be_encoded_is_replaced(here, capsys, monkeypatch, encoding, command):
    run_first(command, capsys)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    assert cli.main(COMMANDS[command]) == 0, capsys.readouterr().err
    text = written.getvalue().decode(encoding)
    assert "\n" in text
    if folder(command):
        assert LABELS.get(encoding, "?????? - ") in text
        assert (here / folder(command) / "summary.csv").exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("name", "value"), [("COLUMNS", "40"), ("COLUMNS", "1"), ("TERM", "dumb")])
def test_narrow_and_dumb_terminals(here, capsys, monkeypatch, name, value, command):
    run_first(command, capsys)
    monkeypatch.setenv(name, value)
    assert cli.main(COMMANDS[command]) == 0, capsys.readouterr().err
    if name == "COLUMNS" and value == "40" and command in ("plan", "agents"):
        assert max(map(len, capsys.readouterr().out.splitlines())) <= 40


class Broken(io.StringIO):
    """Fails at the first flush, as streams do that keep things back."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def flush(self):
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("number", "status"), [(errno.EPIPE, 0), (errno.ENOSPC, 1), (errno.EBADF, 1), (None, 0)])
def test_a_stream_that_fails_costs_the_words_only(here, capsys, monkeypatch, number, status, command):
    run_first(command, capsys)
    monkeypatch.setattr(sys, "stdout", None if number is None else Broken(number))
    assert cli.main(COMMANDS[command]) == status
    complaint = [line for line in capsys.readouterr().err.splitlines() if line.startswith("bandit-env: ")]
    expected = f"bandit-env: standard output: [Errno {number}] {os.strerror(number or 0)}"
    assert complaint == [expected] * status
    if folder(command):
        assert (here / folder(command) / "summary.csv").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, None])
def test_the_progress_bar_may_fail_too(here, capsys, monkeypatch, number):
    monkeypatch.setattr(sys, "stderr", None if number is None else Broken(number))
    assert cli.main(COMMANDS["run"]) == 0
    assert "All rows in new" in capsys.readouterr().out


def test_a_full_disk_does_not_keep_the_table_from_being_shown(here, capsys, monkeypatch):
    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("bandit_env.views.report._files", fail)
    assert cli.main(COMMANDS["run"]) == 1
    said = capsys.readouterr()
    assert "Кнопка" in said.out
    assert "bandit-env: new: the report cannot be written (No space left on device)" in said.err


@pytest.mark.parametrize("where", [[], ["--workers", "2"], ["--dask", "tcp://host:8786"]])
def test_the_advice_to_go_on_asks_for_the_same_run(where):
    """Every option but those that say how to begin: what decides the rows, and where and how they are shown."""
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    given = ["a b.toml", "--agent", "m:A", "--scenarios", "x y", "z", "--replications", "7", "--seed", "3"]
    given += ["--trace", "2", "--out", "my runs", "--no-figures", "--overwrite", *where]
    options = parser.parse_args(given)
    assert {name for name, value in vars(options).items() if value == parser.get_default(name)} <= {
        "list", "resume", "workers", "dask"
    }  # fmt: skip
    again = parser.parse_args(list(run._repeat(options, options.out)))
    assert vars(again) == vars(options) | {"resume": True, "overwrite": False}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("end", "status"),
    [("> /dev/full", 1), ("2> /dev/full", 0), (">&-", 0), (">&- 2>&- <&-", 0), ("2>&- | head -n 0", 0)],
)
def test_real_streams(here, end, status):
    command = f"{sys.executable} -m bandit_env agents"
    script = f"set -o pipefail; trap '' PIPE; {command} {end}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_a_display_that_matplotlib_does_not_know(tmp_path):
    """No window is opened, so that what MPLBACKEND says is nothing to us."""
    command = [sys.executable, "-m", "bandit_env", *COMMANDS["analyse"], "--out", "report"]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"MPLBACKEND": "nonsense"}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report" / "posteriors.png").exists()


def test_a_closed_stream_does_not_let_a_file_take_its_number(tmp_path):
    code = (
        "import os; os.close(1); from bandit_env.commands import words; words.open_closed_streams();"
        "import sys; sys.exit(os.open('/', os.O_RDONLY))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode >= 3


def test_words_are_a_stream_like_the_one_below():
    below = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", errors="backslashreplace")
    words = Words(below)
    assert (words.encoding, words.isatty(), words.writable()) == ("latin-1", False, True)
    print("Кн", file=words)
    words.flush()
    assert below.buffer.getvalue() == b"\\u041a\\u043d\n"
    below.close()
    assert print("more", file=words) is None
    with pytest.raises(io.UnsupportedOperation):
        Words(None).fileno()
