"""Runs of many arms, or of many rows: what is stored, what is shown, what is said beforehand, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from bandit_env import cli
from bandit_env.errors import ExperimentError
from bandit_env.experiment import chunk as chunks
from bandit_env.experiment import config, results, run, size
from bandit_env.experiment.results import LISTED_ARMS

MANY = 139  # more than NumPy reads the names of in a file's header


def wide(num_arms, **options):
    world = {"rates": np.linspace(0.1, 0.3, num_arms).tolist(), "max_days": 3, "min_days": 0, "visits_per_day": 500}
    return run(world, ["uniform"], 3, executor=1, seed=4, **options)


def test_139_arms_are_stored_resumed_and_reported(tmp_path, capsys):
    wide(MANY, out=tmp_path / "run")
    rows = results.load(tmp_path / "run")
    assert rows["visits"].tolist() == rows[[f"visits_{arm}" for arm in range(MANY)]].sum(axis=1).tolist()
    wide(MANY, out=tmp_path / "run", resume=True)
    pd.testing.assert_frame_equal(results.load(tmp_path / "run"), rows)
    assert cli.main(["report", str(tmp_path / "run")]) == 0
    assert "0.1, 0.101449" in capsys.readouterr().out


def test_beyond_some_thousand_arms_a_column_holds_a_list(tmp_path, capsys):
    """The same world with one arm less has columns of its own; the lists hold what they would."""
    num_arms = LISTED_ARMS + 1
    fewer = wide(LISTED_ARMS).cells[0]
    assert f"rate_{LISTED_ARMS - 1}" in fewer.episodes
    assert fewer.curves["value_n"].tolist() == [3, 3, 3]
    wide(num_arms, out=tmp_path / "run")
    rows, memory = results.load(tmp_path / "run"), wide(num_arms).cells[0]
    assert list(rows)[-3:] == ["rate_arms", "visits_arms", "conversions_arms"]
    visits = np.stack(rows["visits_arms"])
    assert visits.shape == (3, num_arms)
    assert visits.sum(axis=1).tolist() == rows["visits"].tolist()
    np.testing.assert_array_equal(rows["rate_arms"][2], np.linspace(0.1, 0.3, num_arms))
    cell = results.read(tmp_path / "run").cells[0]
    for name in ("rate", "visits", "conversions"):
        np.testing.assert_array_equal(cell.per_arm(name), memory.per_arm(name), strict=True)
    assert cell.curves["value_n"].sum() == 0  # left out, and said
    assert cli.main(["report", str(tmp_path / "run")]) == 0
    assert "(2001 arms)" in capsys.readouterr().out
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(cell.directory), size_guidance={"tensors": 0}).Reload()
    (text,) = events.Tensors("setup/parameters")
    words = text.tensor_proto.string_val[0].decode()
    assert words.startswith("Of 2,001 arms, single experiments show the 100 with the most traffic. P(best) and")
    assert "... 1,991 more" in words
    assert len([tag for tag in events.Tags()["scalars"] if "/weight/" in tag]) == 100


def test_columns_of_arms_side_by_side_or_in_lists():
    quantities = {"rate": np.arange(6.0).reshape(2, 3), "visits": np.arange(6).reshape(2, 3)}
    assert list(chunks.arm_columns(quantities)) == ["rate_0", "visits_0", "rate_1", "visits_1", "rate_2", "visits_2"]
    lists = {"rate_arms": quantities["rate"], "n": np.arange(2)}
    assert chunks.rows_table(lists).to_pydict() == {"rate_arms": [[0, 1, 2], [3, 4, 5]], "n": [0, 1]}
    assert chunks.rows_frame(lists)["rate_arms"][1].tolist() == [3, 4, 5]


def experiment(replications, num_arms=2, name="uniform"):
    rates = np.linspace(0.1, 0.2, num_arms).tolist()
    agents = [{"name": name}]
    return config.resolve({"name": "x", "replications": replications, "scenario": {"rates": rates}, "agents": agents})


def test_a_run_without_room_on_the_disk_is_refused_before_anything_is_played(tmp_path, monkeypatch):
    """A row of two arms has 66 bytes of its own and 24 an arm."""
    monkeypatch.setattr(size, "_free", lambda out: 20e9)
    row = sum(np.dtype(kind).itemsize for kind in chunks.ROWS.values()) + 2 * 24
    least = f"{row} GB" if row != 122 else "122.0 GB"
    with pytest.raises(ExperimentError, match=rf"the rows take {least[:3]}.* GB at the least, and 20.0 GB are free"):
        run({"rates": [0.1, 0.2]}, ["uniform"], 10**9, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    size.check_disk(experiment(10**7), tmp_path)  # 1.2 GB


def test_what_is_large_is_said(tmp_path, monkeypatch):
    assert list(size.remarks(experiment(500), tmp_path)) == []
    monkeypatch.setattr(size, "_free", lambda out: 7e12)
    (disk,) = size.remarks(experiment(10**9), tmp_path)
    assert disk.endswith(" GB of disk, of which 7.0 TB are free")
    memory, time = size.remarks(experiment(100, 100_000), tmp_path)
    assert memory == "takes about 5.0 GB of memory in each process"
    assert time.startswith("takes about 0.8 hours of one core if every experiment goes on to its horizon, and 11 with")
    whole, *_ = size.remarks(experiment(1, 100_000, "odd_agents:Drawing"), tmp_path)  # plays a whole chunk
    assert whole == "takes about 50.0 GB of memory in each process"


class Watcher:
    total, played, beyond = 0, 0, 0

    def start(self, cells, replications, finished):
        self.total = cells * replications - finished

    def surplus(self, experiments):
        self.beyond = experiments

    def advance(self, experiments):
        self.played += experiments

    def chunks(self, plan, folder, chunks):
        pass


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("replications", "beyond"), [(20, 980), (1000, 0), (1001, 999)])
def test_what_an_agent_that_draws_plays_is_in_the_total(workers, replications, beyond):
    watcher, world = Watcher(), {"rates": [0.1, 0.2], "min_days": 1, "max_days": 2}
    run(world, ["odd_agents:Drawing", "odd_agents:Even"], replications, executor=workers, watcher=watcher)
    assert (watcher.total, watcher.beyond) == (2 * replications, beyond)
    assert watcher.played == watcher.total + watcher.beyond


def test_the_bar_says_why(tmp_path, capsys):
    (tmp_path / "e.toml").write_text(
        "replications = 20\n[scenario]\nmin_days = 1\nmax_days = 2\n[[agents]]\nname = 'odd_agents:Drawing'\n"
    )
    assert cli.main(["run", str(tmp_path / "e.toml"), "--out", str(tmp_path / "out"), "--no-figures"]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "980 experiments more than asked for: agents that draw play whole batches of 1,000, so that a longer" in told
    assert "1,000 of 1,000 experiments" in told


def test_the_first_chunk_s_traces_are_those_of_the_run(tmp_path, monkeypatch):
    """Of row groups of one chunk each, the first holds the traces."""
    monkeypatch.setattr("bandit_env.experiment.store.ROW_GROUP", 1)
    world = {"rates": [0.1, 0.2], "min_days": 1, "max_days": 2}
    run(world, ["odd_agents:Even"], 1001, executor=1, out=tmp_path, traces=2)
    cell = results.read(tmp_path).cells[0]
    assert [trace.replication for trace in cell.traces] == [0, 1]
    assert cell.episodes["replication"].tolist() == list(range(1001))


@pytest.mark.parametrize(("min_days", "updates"), [(14, 1), (0, 1), (3, 2), (2.5, 2)])
def test_value_remaining_is_computed_from_the_first_day_that_may_stop(min_days, updates):
    world = {"rates": [0.1, 0.12], "min_days": min_days, "max_days": 20, "updates_per_day": updates}
    curves = run(world, ["uniform"], 3, executor=1).cells[0].curves
    assert np.flatnonzero(curves["value_n"])[0] == min_days * updates
    assert set(curves["value_n"][int(min_days * updates) : 29]) == {3}


def test_categories_are_in_the_file_s_order(tmp_path):
    worlds = [{"name": name, "rates": [0.1, 0.2], "min_days": 1, "max_days": 2} for name in ("z", "a", "m")]
    run(worlds, ["uniform", "odd_agents:Even", "thompson"], 2, executor=1, out=tmp_path)
    rows = results.load(tmp_path)
    assert rows["scenario"].cat.categories.tolist() == ["z", "a", "m"]
    assert rows["agent"].cat.categories.tolist() == ["uniform", "odd_agents:Even", "thompson"]


@pytest.mark.parametrize("out", ["s3:x", "a:b", "~", "a [red]"])
def test_a_folder_s_name_is_only_a_name(tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    run({"rates": [0.1, 0.2], "min_days": 1, "max_days": 2}, ["uniform"], 3, executor=1, out=out)
    assert [path.name for path in tmp_path.iterdir()] == [out]
    assert len(results.load(out)) == 3


def test_a_folder_removed_in_mid_run_is_not_said_to_be_intact(tmp_path):
    import shutil

    from bandit_env.errors import StorageError

    class Remove(Watcher):
        def chunks(self, plan, folder, chunks):
            shutil.rmtree(tmp_path / "run", ignore_errors=True)

    with pytest.raises(StorageError, match="; 1 of 1 finished chunks were removed during the run"):
        run({"rates": [0.1, 0.2]}, ["odd_agents:Drawing"], 3000, executor=1, out=tmp_path / "run", watcher=Remove())


@pytest.mark.parametrize("out", ["x" * 300, "file/run"])
def test_a_folder_that_cannot_be(tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ExperimentError, match="cannot be written"):
        run({"rates": [0.1, 0.2]}, ["uniform"], 1, out=out)
    with pytest.raises(ExperimentError):
        results.read(out)
