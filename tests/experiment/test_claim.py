"""Runs beside each other: a folder for each, and never two in one."""

import os
import subprocess
import sys
import threading

import pytest

from bandit_env import cli
from bandit_env.commands.run import _new_folder
from bandit_env.errors import ExperimentError
from bandit_env.experiment import results, run
from bandit_env.experiment.claim import LOCK, claimed

WORLD = {"rates": [0.4, 0.5], "min_days": 2, "max_days": 4}
HOLD = """
import sys, time
from pathlib import Path
from bandit_env.experiment.claim import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def at_once(count, what):
    """Call `what` in that many threads, which wait for each other before."""
    barrier, answers = threading.Barrier(count), []

    def go():
        barrier.wait()
        answers.append(what())

    threads = [threading.Thread(target=go) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_every_default_folder_is_new(tmp_path):
    for name in ("first", "second"):
        folders = at_once(20, lambda name=name: _new_folder(tmp_path / "runs", name))
        assert len(set(folders)) == 20
        assert {folder.name for folder in folders} == {name, *(f"{name}-{n}" for n in range(2, 21))}


def test_a_folder_has_one_run_however_many_begin_at_once(tmp_path):
    """Each keeps it until all have asked."""
    for attempt in range(50):
        asked = threading.Barrier(8)

        def play(folder=tmp_path / str(attempt), asked=asked):
            try:
                with claimed(folder):
                    asked.wait()
                    return "played"
            except ExperimentError as error:
                asked.wait()
                return str(error)

        answers = at_once(8, play)
        assert answers.count("played") == 1
        refused = {answer for answer in answers if answer != "played"}
        assert refused == {f"{tmp_path / str(attempt)}: another run is being played into it; choose another folder"}
    assert not list(tmp_path.rglob(LOCK))


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "out"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("option", [{}, {"resume": True}, {"overwrite": True}])
def test_a_run_is_refused_where_another_is_being_played(holder, tmp_path, option):
    with pytest.raises(ExperimentError, match="out: another run is being played into it") as refused:
        run(WORLD, ["uniform"], 10, out=tmp_path / "out", **option)
    assert "overwrite" not in str(refused.value), "that would destroy the other's"
    holder.kill()
    holder.wait()
    assert (tmp_path / "out" / LOCK).exists()
    run(WORLD, ["uniform"], 10, out=tmp_path / "out", **option)
    assert len(results.load(tmp_path / "out")) == 10
    assert not (tmp_path / "out" / LOCK).exists()


def test_a_refused_run_leaves_nothing_behind(tmp_path):
    with pytest.raises(ExperimentError), claimed(tmp_path / "new"):
        raise ExperimentError("some other reason")
    (tmp_path / "mine").mkdir()
    with claimed(tmp_path / "mine"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def lacking(descriptor):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("bandit_env.experiment.claim._lock", lacking)
    with claimed(tmp_path), claimed(tmp_path):
        assert (tmp_path / LOCK).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_a_lock_that_was_removed_meanwhile_does_not_count(tmp_path, monkeypatch):
    """Between opening the file and locking it, the run that had it ends, and the next one begins."""
    from bandit_env.experiment import claim

    lock, late = claim._lock, []

    def slow(descriptor):
        if not late:
            late.append(True)
            os.unlink(tmp_path / LOCK)
            late.append(claim._take(tmp_path / LOCK))
        lock(descriptor)

    monkeypatch.setattr(claim, "_lock", slow)
    with pytest.raises(ExperimentError, match="another run"), claimed(tmp_path):
        pass
    os.close(late[1])


def test_two_runs_in_one_second_have_a_folder_each(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bandit_env.views.report.write", lambda *arguments, **options: None)
    (tmp_path / "any.toml").write_text(
        "replications = 20\n[scenario]\nrates = [0.4, 0.5]\nmin_days = 2\nmax_days = 4\n[[agents]]\nname = 'uniform'\n"
    )
    for seed in range(3):
        assert cli.main(["run", "any.toml", "--seed", str(seed)]) == 0, capsys.readouterr().err
    found = [results.read(folder) for folder in (tmp_path / "runs" / "any").iterdir()]
    assert sorted(one.config["seed"] for one in found) == [0, 1, 2]


def test_without_compiled_code_nothing_begins(monkeypatch):
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    with pytest.raises(ExperimentError, match="NUMBA_DISABLE_JIT is set"):
        run(WORLD, ["uniform"], 10)
