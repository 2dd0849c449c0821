"""Every file's columns are defined, once each and in the files' order, and nothing else is."""

import numpy as np
import pandas as pd
import pytest

from bandit_env.experiment import columns, run
from bandit_env.experiment.estimates.methods import QUANTITIES
from bandit_env.views import estimates, summary


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What each file has: names and types, or None for types that CSV does not keep."""
    home = tmp_path_factory.mktemp("run") / "run"
    played = run(
        {"rates": [0.3, 0.4], "max_days": 20},
        [{"name": "thompson", "floor": 0.1, "stopping": "value-remaining"}],
        replications=20,
        out=home,
        classical={},
        estimates=list(QUANTITIES),
    )
    (cell,) = home.glob("*/*/cell.json")
    with np.load(cell.with_name("traces.npz")) as arrays:
        traces = {name: str(array.dtype) for name, array in arrays.items()}
    tables = {name: pd.read_parquet(cell.with_name(name)) for name in ("episodes.parquet", "curves.parquet")}
    views = {"summary.csv": summary.summarise(played), "estimates.csv": estimates.summarise(played)}
    csv = {name: dict.fromkeys(table.columns) for name, table in views.items()}
    return {name: table.dtypes.astype(str).to_dict() for name, table in tables.items()} | {"traces.npz": traces} | csv


@pytest.mark.parametrize("name", columns.FILES)
def test_each_column_is_defined_once(files, name):
    defined = columns.FILES[name]
    met = []
    for column, dtype in files[name].items():
        definition = columns.defining(defined, column)
        met.append(defined.index(definition))
        assert dtype in (None, definition.dtype), column
    assert set(met) == set(range(len(defined))), "a definition that no column has"
    if "parquet" in name or "summary" in name:
        assert list(dict.fromkeys(met)) == sorted(set(met)), "another order than the file's"


def test_a_column_that_is_not_defined_is_refused():
    with pytest.raises(KeyError, match="found 0 definitions"):
        columns.defining(columns.EPISODES, "rate_x")
