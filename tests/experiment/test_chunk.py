"""Chunks and their files: curves add up, and damage of any kind is found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit_env.experiment import chunk as chunks
from bandit_env.experiment.chunk import CURVES, ROWS, Chunk
from bandit_env.experiment.results import Trace


def a_chunk(replications=5, updates=4, seed=0):
    rng = np.random.default_rng(seed)
    rows = {name: rng.integers(0, 2, replications).astype(dtype) for name, dtype in ROWS.items()}
    trace = Trace(3, np.arange(2.0), np.full((2, 2), 0.5, np.float32), *rng.random((3, 2, 2)), np.ones(2))
    return Chunk(rows, rng.random((updates, len(CURVES))), [trace])


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "000000.chunk"
    chunks.save(path, a_chunk())
    return path


def test_a_chunk_comes_back_as_it_was(stored):
    chunk, found = a_chunk(), chunks.load(stored)
    assert found is not None
    assert found.rows.keys() == chunk.rows.keys()
    for name, column in chunk.rows.items():
        np.testing.assert_array_equal(found.rows[name], column, strict=True)
    np.testing.assert_array_equal(found.curves, chunk.curves, strict=True)
    assert found.traces[0].replication == 3
    np.testing.assert_array_equal(found.traces[0].weights, chunk.traces[0].weights, strict=True)


def test_an_absent_chunk_is_none(tmp_path):
    assert chunks.load(tmp_path / "000000.chunk") is None


@given(cut=st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_a_chunk_cut_short_is_found_out(cut, tmp_path_factory):
    path = tmp_path_factory.mktemp("cut") / "chunk.chunk"
    chunks.save(path, a_chunk())
    content = path.read_bytes()
    path.write_bytes(content[: cut % len(content)])
    assert chunks.load(path) is None


@given(place=st.integers(0, 10_000), change=st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_one_altered_byte_is_found_out(place, change, tmp_path_factory):
    path = tmp_path_factory.mktemp("altered") / "chunk.chunk"
    chunks.save(path, a_chunk())
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= change
    path.write_bytes(content)
    assert chunks.load(path) is None


def test_equal_chunks_are_equal_files(tmp_path):
    chunks.save(tmp_path / "a", a_chunk())
    chunks.save(tmp_path / "b", a_chunk())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupted(self, content):
        with self.open("wb") as file:
            file.write(content[:1])
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        chunks.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_curves_of_unequal_length_add_up():
    """Written out by hand: after its last update a chunk keeps its cumulative regret, and adds nothing else."""
    cumulative = [CURVES.index("cumulative_sum"), CURVES.index("cumulative_sumsq")]
    short, long = np.full((1, len(CURVES)), 2.0), np.full((3, len(CURVES)), 5.0)
    expected = np.full((3, len(CURVES)), 5.0)
    expected[0] = 7
    expected[1:, cumulative] = 7
    np.testing.assert_array_equal(chunks.add_curves(short, long), expected)
    np.testing.assert_array_equal(chunks.add_curves(long, short), expected)
    nothing = np.zeros((0, len(CURVES)))
    np.testing.assert_array_equal(chunks.add_curves(nothing, long), long)


def test_curve_table_has_days_and_replications():
    table = chunks.curve_table(np.ones((4, len(CURVES))), 10, updates_per_day=2)
    assert table["day"].tolist() == [0.5, 1, 1.5, 2]
    assert table["n"].tolist() == [10] * 4
    assert table["running"].dtype == np.int64
