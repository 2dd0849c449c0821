"""The rows of all shipped experiments are what they were: rows.json, written by make_rows.py, holds their digests."""

import json

import pytest
from make_rows import CONFIGS, ROWS, rows_of

EXPECTED = json.loads(ROWS.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_rows_are_what_they_were(path):
    found = rows_of(path)
    assert found.keys() == EXPECTED[path.stem].keys()
    for cell, columns in EXPECTED[path.stem].items():
        assert found[cell].keys() >= columns.keys()
        for name, expected in columns.items():
            if isinstance(expected, list):
                expected = pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)
            assert found[cell][name] == expected, f"{cell}, column {name}"
