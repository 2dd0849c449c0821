"""What happens on the way to long runs: full disks, folders that vanish, agents that fail, Ctrl-C."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from disturbing import INTERRUPTED, busy_machine, finished, group_members, start_cli, wait_for_none, wait_until

from bandit_env import cli
from bandit_env.errors import ExperimentError, StorageError, WorkerError
from bandit_env.experiment import results, run

WORLD = {"rates": [0.4, 0.5], "min_days": 2, "max_days": 4}


def small_disk(tmp_path, kilobytes):
    """A file system of its own, so that it can be full or read-only also for root."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a file system needs root on Linux")
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", disk], capture_output=True)
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs: {done.stderr.decode()}")
    return disk


@pytest.fixture
def mount(tmp_path):
    mounted = []

    def make(kilobytes):
        mounted.append(small_disk(tmp_path, kilobytes))
        return mounted[-1]

    yield make
    for disk in mounted:
        subprocess.run(["umount", disk], check=True)


def remount(disk, *options):
    subprocess.run(["mount", "-o", ",".join(["remount", *options]), disk], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_full_disk_keeps_what_is_finished_and_goes_on_with_more_room(mount, workers):
    disk = mount(800)
    with pytest.raises(
        StorageError, match=r"cannot be written \(No space left on device\); what was finished is intact"
    ):
        run(WORLD, ["odd_agents:Even"], 20_000, executor=workers, out=disk / "run")
    kept = finished(disk / "run")
    assert 0 < len(kept) < 20
    assert kept == set(disk.rglob("chunks/*")), "no half-written chunk, no leftover"
    remount(disk, "size=20m")
    run(WORLD, ["odd_agents:Even"], 20_000, executor=1, out=disk / "run", resume=True)
    alone = run(WORLD, ["odd_agents:Even"], 20_000, executor=1)
    assert results.read(disk / "run").cells[0].episodes.equals(alone.cells[0].episodes)


class Break:
    """A watcher that does something to the folder once the first chunks are stored."""

    def __init__(self, what):
        self.what = what

    def start(self, cells, replications, finished):
        pass

    def advance(self, experiments):
        pass

    def chunks(self, plan, folder, chunks):
        if self.what is not None:
            what, self.what = self.what, None
            what()


def test_folder_removed_in_mid_run(tmp_path):
    out = tmp_path / "run"
    gone = Break(lambda: shutil.rmtree(out))
    with pytest.raises(StorageError, match=r"run: cannot be written \(No such file or directory\)"):
        run(WORLD, ["odd_agents:Drawing"], 3000, executor=1, out=out, watcher=gone)
    assert not out.exists()


def test_folder_becomes_read_only_in_mid_run(mount):
    disk = mount(8000)
    frozen = Break(lambda: remount(disk, "ro"))
    with pytest.raises(StorageError, match=r"cannot be written \(Read-only file system\); what was finished is intact"):
        run(WORLD, ["odd_agents:Drawing"], 3000, executor=1, out=disk / "run", watcher=frozen)
    remount(disk, "rw")
    assert len(finished(disk / "run")) == 1
    result = run(WORLD, ["odd_agents:Drawing"], 3000, executor=1, out=disk / "run", resume=True)
    assert len(result.cells[0].episodes) == 3000


def test_chunk_removed_during_the_run_is_an_error_that_resume_mends(tmp_path):
    def remove():
        next(tmp_path.rglob("chunks/*")).unlink()

    with pytest.raises(StorageError, match="was removed or altered during the run; run with --resume"):
        run(WORLD, ["odd_agents:Drawing"], 3000, executor=1, out=tmp_path, watcher=Break(remove))
    result = run(WORLD, ["odd_agents:Drawing"], 3000, executor=1, out=tmp_path, resume=True)
    assert len(result.cells[0].episodes) == 3000


def test_folder_that_cannot_be_written_from_the_start(mount, tmp_path):
    disk = mount(100)
    remount(disk, "ro")
    with pytest.raises(ExperimentError, match=r"run: cannot be written \(Read-only file system\)"):
        run(WORLD, ["uniform"], 10, out=disk / "run")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ExperimentError, match="is a file; expected a folder"):
        run(WORLD, ["uniform"], 10, out=tmp_path / "file")
    with pytest.raises(ExperimentError, match=r"cannot be written \(Not a directory\)"):
        run(WORLD, ["uniform"], 10, out=tmp_path / "file" / "run")
    assert (tmp_path / "file").read_text() == "mine"


FAILING = """
replications = 2500
[[scenarios]]
name = "good"
rates = [0.04, 0.05]
min_days = 2
max_days = 6
[[scenarios]]
name = "bad"
rates = [0.04, 0.05]
visits_per_day = 13
min_days = 2
max_days = 6
[[agents]]
name = "odd_agents:Failing"
label = "failing"
how = "{how}"
[[agents]]
name = "odd_agents:Even"
label = "even"
"""


@pytest.fixture
def without_report(monkeypatch):
    """The report has tests of its own, and its figures take their time."""
    monkeypatch.setattr("bandit_env.views.report.write", lambda *arguments, **options: None)


@pytest.mark.parametrize(
    ("how", "workers", "told"),
    [
        ("raise", 1, "day 2, replication 0: RuntimeError: out of ideas"),
        ("raise", 2, "day 2, replication 0: RuntimeError: out of ideas"),
        ("shape", 1, r"an action of shape \((\d+), 2\) and type float32; expected \(\1, 3\), float32"),
        ("nan", 1, r"day 2, replication 5: the action \[nan, 0.0, 1.0\]; expected numbers in \[0, 1\]"),
    ],
)
def test_an_agent_that_fails_does_not_take_the_others_with_it(tmp_path, capsys, without_report, how, workers, told):
    (tmp_path / "failing.toml").write_text(FAILING.format(how=how))
    arguments = ["run", str(tmp_path / "failing.toml"), "--out", str(tmp_path / "out"), "--workers", str(workers)]
    assert cli.main(arguments) == 1
    complaint = [line for line in capsys.readouterr().err.splitlines() if line.startswith("bandit-env: ")]
    assert len(complaint) == 1
    assert complaint[0].startswith("bandit-env: agent 'failing' in scenario 'bad', ")
    if workers == 1 or how != "raise":
        assert re.search(told + "$", complaint[0])
    found = results.read(tmp_path / "out")
    assert [(c.scenario, c.agent, c.replications) for c in found.cells] == [
        ("good", "failing", 2500),
        ("good", "even", 2500),
        ("bad", "even", 2500),
    ]
    assert found.failures == ["bad/failing: not finished"]
    assert len(results.load(tmp_path / "out")) == 7500


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("whom", ["process", "group"])
@pytest.mark.parametrize(("workers", "moment"), [(1, "playing"), (2, "playing"), (2, "starting"), (1, "importing")])
def test_ctrl_c_stops_within_two_seconds_and_says_how_to_go_on(tmp_path, workers, moment, whom):
    process = start_cli(tmp_path, "--workers", str(workers))
    assert process.stdout.readline() == "ready\n"
    if moment != "importing":
        wait_until(lambda: (tmp_path / "out" / "config.json").exists())
        # two workers, the server that starts them, the resource tracker, and the process itself
        wait_until(lambda: len(group_members(process.pid)) >= (1 if workers == 1 else 5 if moment == "playing" else 2))
    if moment == "playing":
        time.sleep(0.5)
    begin = time.monotonic()
    (os.killpg if whom == "group" else os.kill)(process.pid, signal.SIGINT)
    _, complaint = process.communicate(timeout=20)
    took = time.monotonic() - begin
    assert process.returncode == 130, complaint
    assert "Traceback" not in complaint
    assert "bandit-env: interrupted" in complaint
    if moment != "importing":
        assert f"bandit-env run long.toml --workers {workers} --out out --resume" in complaint
    assert took < 2 * busy_machine()
    assert wait_for_none(process.pid) == []


DROPPING = """
import signal, weakref
from bandit_env.experiment import config
class Thing: pass
def load(*arguments, load=config.load, **options):
    thing = Thing()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing
    return load(*arguments, **options)
config.load = load
"""


def test_ctrl_c_is_heard_where_python_drops_it(tmp_path):
    process = start_cli(tmp_path, "--workers", "1", before=DROPPING)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "bandit-env: interrupted" in complaint
    assert "ignored" not in complaint


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_no_process_outlives_kill_9_of_the_main_process(tmp_path):
    process = start_cli(tmp_path, "--workers", "2")
    wait_until(lambda: len(group_members(process.pid)) >= 5)
    time.sleep(0.3)
    process.kill()
    process.wait()
    assert wait_for_none(process.pid) == []
    process.stdout.close()
    process.stderr.close()


def test_workers_that_keep_dying_are_told_with_the_way_to_go_on(tmp_path, capsys, monkeypatch):
    def fail(*arguments, **options):
        raise WorkerError("worker processes died 3 times with nothing finished")

    monkeypatch.setattr("bandit_env.experiment.sweep.execute", fail)
    (tmp_path / "long.toml").write_text(INTERRUPTED)
    out = str(tmp_path / "out")
    assert cli.main(["run", str(tmp_path / "long.toml"), "--out", out, "--workers", "2"]) == 1
    complaint = capsys.readouterr().err
    assert f"died 3 times with nothing finished; what was finished is in {out}. To go on:" in complaint
    assert f"--workers 2 --out {out} --resume" in complaint
