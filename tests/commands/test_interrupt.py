"""Ctrl-C ends a command in time and in one sentence, wherever it strikes."""

import signal
import subprocess
import sys
import threading
import time

import pytest
from disturbing import HEARS, busy_machine, start_cli, wait_until

from bandit_env import cli
from bandit_env.commands import agents, interrupt

HINT = "bandit-env: interrupted; what was finished is in out. To go on:\n  bandit-env run long.toml --workers "


@pytest.fixture
def hears():
    """Whatever started the tests, Python's own handler is in place."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "left as it was found"
    signal.signal(signal.SIGINT, before)


def end(process, begin):
    _, complaint = process.communicate(timeout=30)
    assert time.monotonic() - begin < 2 * busy_machine()
    assert process.returncode == 130, complaint
    assert "Traceback" not in complaint
    assert "ignored" not in complaint
    assert complaint.count("bandit-env: interrupted") == 1
    return complaint


IN_LLVM = """
from numba.core.codegen import CPUCodeLibrary
hook = CPUCodeLibrary._object_compiled_hook
def interrupted(*arguments):
    signal.raise_signal(signal.SIGINT)
    return hook(*arguments)
CPUCodeLibrary._object_compiled_hook = interrupted
"""


def test_in_the_callback_of_the_compiler(tmp_path, monkeypatch):
    """Python drops it there, and Numba then says "no compiled object yet"."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    process = start_cli(tmp_path, "--workers", "1", before=IN_LLVM)
    assert process.stdout.readline() == "ready\n"
    assert HINT + "1" in end(process, time.monotonic() + 10)  # which is how long it may take to get there


DEAF = """
import time
from bandit_env.experiment import runner
def deaf(*arguments):
    print("deaf", flush=True)
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            pass
from bandit_env.experiment import sweep
sweep._jobs = deaf
"""


def test_where_the_main_thread_does_not_listen(tmp_path):
    process = start_cli(tmp_path, "--workers", "1", before=DEAF)
    wait_until(lambda: "deaf" in process.stdout.readline())
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert HINT + "1" in end(process, begin)


def test_fifteen_times_in_a_row(tmp_path):
    process = start_cli(tmp_path, "--workers", "2")
    wait_until(lambda: list((tmp_path / "out").rglob("chunks")))
    time.sleep(0.5)
    begin = time.monotonic()
    for _ in range(15):
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    assert HINT + "2" in end(process, begin)


def python(code):
    return subprocess.Popen(
        [sys.executable, "-c", f"{HEARS}\n{code}", "agents"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_while_the_command_line_is_being_imported():
    code = """
import sys
import threading
class Finder:
    def find_spec(name, path=None, target=None):
        if name == "gymnasium":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Finder)
import bandit_env_start
bandit_env_start.main()
"""
    assert end(python(code), time.monotonic() + 10) == "bandit-env: interrupted\n"


@pytest.mark.parametrize("last", ["", "time.sleep(60)"])
def test_while_python_shuts_down(last):
    """All is done and said: no words, no other status, and no waiting."""
    code = f"""
import atexit, time
from bandit_env import cli
def at_exit():
    signal.raise_signal(signal.SIGINT)
    {last}
atexit.register(at_exit)
cli.process()
"""
    process = python(code)
    said, complaint = process.communicate(timeout=20)
    assert (process.returncode, complaint) == (0, "")
    assert "thompson" in said


def test_a_caller_of_main_gets_a_status_and_his_handlers_back(hears, monkeypatch, capsys):
    monkeypatch.setattr(agents, "main", lambda options: signal.raise_signal(signal.SIGINT))
    hooks = sys.unraisablehook
    assert cli.main(["agents"]) == 130
    assert capsys.readouterr().err == "bandit-env: interrupted\n"
    assert sys.unraisablehook is hooks
    assert signal.set_wakeup_fd(-1) == -1


def test_what_breaks_after_it_is_no_news(hears, monkeypatch, capsys):
    def broken(options):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("no compiled object yet") from None

    monkeypatch.setattr(agents, "main", broken)
    assert cli.main(["agents"]) == 130
    assert capsys.readouterr().err == "bandit-env: interrupted\n"


def test_an_error_without_it_stays_an_error(hears, monkeypatch):
    monkeypatch.setattr(agents, "main", lambda options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["agents"])


def test_where_it_is_ignored_it_stays_ignored(monkeypatch):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        monkeypatch.setattr(agents, "main", lambda options: signal.raise_signal(signal.SIGINT) or 0)
        assert cli.main(["agents"]) == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_watch_ends_with_the_command(hears):
    with interrupt.heard() as ctrl_c:
        thread = next(t for t in threading.enumerate() if t.name == "Ctrl-C")
    thread.join(5)
    assert not thread.is_alive()
    assert not ctrl_c.came
