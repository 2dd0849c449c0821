"""The comparison with peers: what a peer that works, fails, hangs, or is not to be had leaves in the table."""

import importlib.util
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "compare_peers.py"
WORKS = '"""{name}."""\nimport time\n\ndef work():\n    print("noise")\n    return {count}, {error}\n'
GOOD = WORKS.format(name="ours", count=1000, error=1e-12)
FASTER = WORKS.format(name="a fast one", count=10**9, error=0.25)
FAILS = '"""one that fails."""\nraise ValueError("the dog ate it")\n'
HANGS = '"""one that hangs."""\nimport time\n\ndef work():\n    time.sleep(60)\n'
NOWHERE = '# /// script\n# dependencies = ["./none"]\n# ///\n"""one that is nowhere."""\n'


@pytest.fixture(scope="module")
def compare_peers():
    spec = importlib.util.spec_from_file_location("compare_peers", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["compare_peers"] = module  # dataclasses look there
    spec.loader.exec_module(module)
    yield module
    del sys.modules["compare_peers"]


@pytest.fixture
def play(compare_peers, tmp_path, capsys):
    def play(answering=30, **programs):
        folder = tmp_path / "peers" / "best"
        folder.mkdir(parents=True)
        for name, program in programs.items():
            (folder / f"{name}.py").write_text(program)
        limits = ["--rounds", "2", "--answering", str(answering), "--installing", "60"]
        where = [
            "--peers",
            str(tmp_path / "peers"),
            "--keep",
            str(tmp_path / "kept"),
            "--out",
            str(tmp_path / "page.md"),
        ]
        status = compare_peers.main(["best", *limits, *where])
        assert capsys.readouterr().out.strip() in (tmp_path / "page.md").read_text()
        lines = (tmp_path / "page.md").read_text().splitlines()
        return status, {line.split("|")[1].strip(): line for line in lines if line.startswith("|")}, lines

    return play


@pytest.fixture
def pip(compare_peers, monkeypatch):
    """No virtual environment is made: what pip says is what is planted."""
    real, said = subprocess.run, []

    def run(command, **settings):
        if "venv" in command:
            return None
        if "install" in command:
            raise said[0]
        return real(command, **settings)

    monkeypatch.setattr(compare_peers.subprocess, "run", run)
    return said


def test_one_that_fails_is_a_row_and_the_others_go_on(play, pip, tmp_path):
    pip.append(subprocess.CalledProcessError(1, "pip", stderr="ERROR: nowhere | at all\nnote: not pip's\n"))
    status, rows, lines = play(ours=GOOD, fails=FAILS, fast=FASTER, nowhere=NOWHERE)
    assert status == 0
    assert list(rows) == ["who", "---", "ours", "a fast one", "one that fails", "one that is nowhere"]
    assert "ValueError: the dog ate it" in rows["one that fails"]
    assert "| does not install: ERROR: nowhere / at all |" in rows["one that is nowhere"]
    assert rows["ours"].endswith("| 1.0e-12 |")
    assert rows["a fast one"].endswith("| 2.5e-01 |")
    assert lines[-1] == "Faster than ours: a fast one."
    assert list((tmp_path / "kept").glob("*/failed")), "so that it is not tried again"


def test_an_installation_that_hangs_is_said_and_the_exit_status_too(play, pip, tmp_path):
    pip.append(subprocess.TimeoutExpired("pip", 60))
    status, rows, _ = play(ours=GOOD, nowhere=NOWHERE)
    assert status == 1
    assert "| did not install within 60 s |" in rows["one that is nowhere"]
    assert not list((tmp_path / "kept").glob("*/failed")), "it may, the next time"


def test_one_that_hangs_is_said_and_the_exit_status_too(play):
    status, rows, _ = play(answering=4, ours=GOOD, hangs=HANGS, fast=FASTER)
    assert status == 1
    assert "no answer within 4 s" in rows["one that hangs"]
    assert rows["a fast one"].endswith("| 2.5e-01 |")


def test_ours_must_not_fail(play):
    assert play(ours=FAILS, fast=FASTER)[0] == 1


def test_all_programs_say_what_they_are(compare_peers):
    for contest in compare_peers.CONTESTS:
        peers = [compare_peers.read(path) for path in (compare_peers.PEERS / contest).iterdir() if path.is_file()]
        assert sum(peer.ours for peer in peers) >= 1
        assert all(peer.name and peer.package for peer in peers)
        assert all(peer.dependencies or peer.ours or peer.package == "numpy" for peer in peers)
    river = compare_peers.read(compare_peers.PEERS / "steps" / "river.py")
    assert (river.dependencies, river.package) == (["river", "gymnasium"], "river")
    assert compare_peers.read(compare_peers.PEERS / "best" / "r_bandit.R").name.startswith("R's bandit")


@pytest.mark.parametrize("contest", ["best", "value_remaining"])
def test_our_programs_are_exact(compare_peers, contest):
    count, error = runpy.run_path(str(compare_peers.PEERS / contest / "ours.py"))["work"]()
    assert count > 0
    assert error < 1e-7  # the exact value's last digit
