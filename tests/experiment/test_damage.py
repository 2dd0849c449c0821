"""Files of a run that were altered, cut, swapped or removed are noticed, in a sentence that names them, or harmless."""

import io
import json
import random
import shutil

import pandas as pd
import pytest
from rich.console import Console

from bandit_env import cli
from bandit_env.errors import ExperimentError, StorageError
from bandit_env.experiment import results, run
from bandit_env.experiment.files import DamagedError, pack, sealed, unpack, unseal, within

WORLD = {"rates": [0.4, 0.5], "min_days": 2, "max_days": 4}
AGENTS = {"even": "odd_agents:Even", "drawing": "odd_agents:Drawing"}
JOINED = ("episodes.parquet", "curves.parquet", "traces.npz", "cell.json")
CHUNKS = ("chunks/000000.chunk", "chunks/000001.chunk")


def play(out, replications=1200, seed=11, **options):
    return run(WORLD, AGENTS, replications, seed=seed, executor=1, out=out, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    play(out)
    return out


@pytest.fixture
def copy(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


def contents(out):
    names = ("config.json", *JOINED)
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.name in names}


def flipped(content, chance):
    altered = bytearray(content)
    altered[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(altered)


def assert_noticed_or_harmless(copy, whole, name):
    """`results.load` refuses and names the file, or gives the same rows; --resume then mends everything."""
    told = failure(lambda: pd.testing.assert_frame_equal(results.load(copy), results.load(whole)))
    assert name in told or not told
    told = failure(lambda: play(copy, resume=True))
    if told:  # what the run is, is what this file says: it cannot be made anew
        assert name == "config.json"
        assert "config.json" in told or "cannot resume" in told
    else:
        assert contents(copy) == contents(whole)


def failure(attempt):
    """What is said where an attempt is refused; nothing where it is not."""
    try:
        attempt()
    except ExperimentError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ["config.json", *(f"experiment/drawing/{name}" for name in (*JOINED, *CHUNKS))])
def test_ten_flipped_bits_in_each_kind_of_file(copy, whole, name):
    chance = random.Random(name)
    content = (copy / name).read_bytes()
    noticed = 0
    for _ in range(10):
        (copy / name).write_bytes(flipped(content, chance))
        noticed += name.rpartition("/")[2] in failure(lambda: results.load(copy))
    assert noticed == (0 if name.endswith(".chunk") else 10)  # chunks are not read again, but to resume
    assert_noticed_or_harmless(copy, whole, name.rpartition("/")[2])


@pytest.mark.parametrize("damage", ["cut", "empty", "removed", "swapped"])
@pytest.mark.parametrize("name", [*JOINED, *CHUNKS])
def test_each_kind_cut_emptied_removed_and_swapped(copy, whole, name, damage):
    path, other = copy / "experiment/drawing" / name, copy / "experiment/even" / name
    content = path.read_bytes()
    path.unlink()
    if damage != "removed":
        path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "swapped": other.read_bytes()}[damage])
    if (name, damage) == ("cell.json", "removed"):
        assert results.read(copy).failures == ["experiment/drawing: not finished"]
        path.write_bytes(content)
    elif name in JOINED:
        with pytest.raises(ExperimentError, match=name):
            results.load(copy)
    assert_noticed_or_harmless(copy, whole, name)


@pytest.mark.parametrize("name", ["episodes.parquet", "cell.json", "chunks/000000.chunk"])
def test_a_folder_where_a_file_should_be(copy, name):
    path = copy / "experiment/drawing" / name
    path.unlink()
    path.mkdir()
    if name in JOINED:
        assert name.partition(".")[0] in results.read(copy).failures[0] or "Is a directory" in str(results.read(copy))
    with pytest.raises((ExperimentError, StorageError), match=r"drawing|cannot be written \(Is a directory\)"):
        play(copy, resume=True)


class Played:
    """A watcher that counts."""

    def __init__(self):
        self.experiments = 0

    def start(self, cells, replications, finished):
        pass

    def advance(self, experiments):
        self.experiments += experiments

    def chunks(self, plan, folder, chunks):
        pass


@pytest.mark.parametrize("other", ["cell", "place", "seed", "agent's parameters", "scenario", "version", "traces"])
def test_a_chunk_of_another_cell_seed_or_place_is_played_again(copy, whole, tmp_path, other, monkeypatch):
    """Each of them is whole, has the right number of rows, and is refused."""
    home = copy / "experiment/drawing/chunks"
    if other == "cell":
        shutil.copy(copy / "experiment/even/chunks/000000.chunk", home / "000000.chunk")
    elif other == "place":
        play(copy, replications=2000, resume=True)  # as large as the one before it
        shutil.copy(home / "000000.chunk", home / "000001.chunk")
    else:
        world = WORLD | ({"max_days": 5} if other == "scenario" else {})
        agents = {**AGENTS, "drawing": {"name": "odd_agents:Tuned", "by": 2 if other.startswith("agent") else 1}}
        seed, traces = 12 if other == "seed" else 11, 2 if other == "traces" else 1
        monkeypatch.setitem(AGENTS, "drawing", {"name": "odd_agents:Tuned", "by": 1})
        shutil.rmtree(copy)
        play(copy)
        if other == "version":
            monkeypatch.setattr("bandit_env.__version__", "0.0.1")
        run(world, agents, 1200, seed=seed, executor=1, out=tmp_path / "other", traces=traces)
        monkeypatch.undo()
        monkeypatch.setitem(AGENTS, "drawing", {"name": "odd_agents:Tuned", "by": 1})
        shutil.copy(tmp_path / "other/experiment/drawing/chunks/000000.chunk", home / "000000.chunk")
    before, watcher = results.load(copy), Played()
    play(copy, replications=len(before) // 2, resume=True, watcher=watcher)
    assert watcher.experiments == 1000
    after = results.load(copy)
    pd.testing.assert_frame_equal(after, before)
    assert len(after.drop_duplicates(["agent", "replication"])) == len(after)


def test_a_whole_folder_of_another_seed_is_refused(copy, tmp_path):
    play(tmp_path / "other", seed=12)
    shutil.rmtree(copy / "experiment/even")
    shutil.copytree(tmp_path / "other/experiment/even", copy / "experiment/even")
    with pytest.raises(ExperimentError, match=r"even/cell.json is another cell's, or another run's"):
        results.load(copy)


def test_a_cell_of_fewer_replications_than_asked_for_is_not_finished(copy):
    config = results.read_config(copy) | {"replications": 5000}  # a longer run began, and was killed
    (copy / "config.json").write_bytes(sealed(config))
    run = results.read(copy)
    assert not run.cells
    assert run.failures[0] == "experiment/even: not finished (1,200 of 5,000 replications)"


def test_report_on_damage_is_one_sentence_and_the_other_cells(copy, capsys, monkeypatch):
    monkeypatch.setattr("bandit_env.views.report.write", lambda *arguments, **options: None)
    path = copy / "experiment/even/curves.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    assert cli.main(["report", str(copy)]) == 1
    found = capsys.readouterr().err
    told = f"{path} was altered or cut short after the run wrote it; `bandit-env run` with --resume makes it anew"
    assert found == f"bandit-env: experiment/even: cannot be read ({told})\n"


@pytest.mark.parametrize(
    "folder", ["../victim", "", ".", 5, None, "/tmp", "a\0b", "link", "a/../../b", "experiment/.."]
)
def test_a_folder_that_lies_elsewhere_is_refused(copy, tmp_path, capsys, folder):
    """Also where the seal is right: anyone can make one."""
    (tmp_path / "victim").mkdir()
    (copy / "link").symlink_to(tmp_path / "victim")
    config = results.read_config(copy)
    config["cells"][0]["folder"] = folder
    (copy / "config.json").write_bytes(sealed(config))
    before = sorted(tmp_path.rglob("*"))
    for command in (["report", str(copy)], ["run", str(tmp_path / "e.toml"), "--out", str(copy), "--overwrite"]):
        (tmp_path / "e.toml").write_text("[scenario]\n[[agents]]\nname = 'uniform'")
        assert cli.main(command) == 2
        told = capsys.readouterr().err.strip()
        assert "\n" not in told
        assert told.startswith("bandit-env: ")
        (tmp_path / "e.toml").unlink()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("cells", [5, None, [5], [{}], "x", {"a": 1}])
def test_cells_that_are_none_are_refused(copy, cells):
    (copy / "config.json").write_bytes(sealed(results.read_config(copy) | {"cells": cells}))
    with pytest.raises(ExperimentError, match=r"config.json"):
        results.read(copy)


def test_figures_that_lie_elsewhere_are_not_drawn(copy, tmp_path):
    from bandit_env.views import report

    (tmp_path / "victim").mkdir()
    (copy / "figures").symlink_to(tmp_path / "victim")
    with pytest.raises(ExperimentError, match=r"figures: leads out of the run's folder"):
        report.write(results.read(copy), Console(file=io.StringIO()), 0)
    assert not list((tmp_path / "victim").iterdir())


def test_overwrite_keeps_what_the_run_did_not_write(copy):
    theirs = ["notes.txt", "experiment/even/mine.csv", "experiment/even/chunks/mine.chunk", "figures/mine.png"]
    (copy / "figures").mkdir()
    (copy / "figures/ab-weights.png").write_text("drawn")
    (copy / "figures/.written.json").write_text('["ab-weights.png", "../config.json", 5]')
    (copy / "experiment/even/events.out.tfevents.1.results").write_text("ours")
    theirs.append("experiment/even/events.out.tfevents.1.mine")
    for name in theirs:
        (copy / name).write_text("mine")
    run({**WORLD, "name": "new"}, ["uniform"], 5, executor=1, out=copy, overwrite=True)
    left = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    assert {name for name in left if not name.startswith("new/")} == {*theirs, "config.json"}


def test_packed_arrays_come_back_and_other_bytes_are_refused():
    import numpy as np

    arrays = {"a": np.arange(6.0).reshape(2, 3), "ü": np.zeros((0, 5), bool), "c": np.arange(8)[::2]}
    found = unpack(pack(arrays))
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
    for other in (b"", b"12345678", pack(arrays)[:-1], json.dumps({}).encode()):
        with pytest.raises(ValueError, match=r"."):
            unpack(other)


def test_a_seal_is_of_the_content_not_of_its_layout(tmp_path):
    data = {"b": [1, {"x": None}], "a": "ü"}
    again = json.loads(sealed(data))
    assert unseal(dict(reversed(again.items())), tmp_path) == data
    with pytest.raises(DamagedError, match="was altered"):
        unseal(again | {"a": "u"}, tmp_path)
    with pytest.raises(DamagedError, match="was altered"):
        unseal(data, tmp_path)


def test_within_gives_the_path(tmp_path):
    assert within(tmp_path, "a/b") == tmp_path / "a" / "b"
