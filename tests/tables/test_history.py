"""Priors from past experiments: the table, and where experiment files name it."""

import numpy as np
import pytest

from bandit_env.errors import ExperimentError
from bandit_env.experiment import config
from bandit_env.tables.cells import TableError
from bandit_env.tables.history import read_history, with_priors

# Gelman et al., Bayesian Data Analysis, 3rd ed., table 5.1: tumours and rats of 71 groups
RATS = """0/20 0/20 0/20 0/20 0/20 0/20 0/20 0/19 0/19 0/19 0/19 0/18 0/18 0/17 1/20 1/20 1/20 1/20 1/19 1/19 1/18 1/18
2/25 2/24 2/23 2/20 2/20 2/20 2/20 2/20 2/20 1/10 5/49 2/19 5/46 3/27 2/17 7/49 7/47 3/20 3/20 2/13 9/48 10/50 4/20 4/20
4/20 4/20 4/20 4/20 4/20 10/48 4/19 4/19 4/19 5/22 11/46 12/49 5/20 5/20 6/23 5/19 6/22 6/20 6/20 6/20 16/52 15/47 15/46
9/24 4/14"""


def rats():
    tumours, groups = np.array([pair.split("/") for pair in RATS.split()], dtype=int).T
    return {"experiment": range(71), "arm": ["a"] * 71, "visits": groups, "conversions": tumours}


def test_rats():
    """The maximum of the beta-binomial likelihood: a = 2.341614, b = 14.114801."""
    fitted = read_history(rats())
    assert (fitted.a, fitted.b) == pytest.approx((2.341614, 14.114801), rel=1e-6)
    assert "71 arms" in fitted.told


def test_how_much_it_says_is_said():
    """18 players of 45 at bats (Efron and Morris 1975, table 1) hardly differ; a hundred equal arms do not at all."""
    hits = [18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7]
    players = read_history({"visits": [45] * 18, "conversions": hits})
    assert "their rates hardly differ, and equal ones fit as well" in players.told
    equal = read_history({"visits": [1000] * 100, "conversions": [40] * 100})
    assert "differ no more than by chance" in equal.told
    assert equal.a / (equal.a + equal.b) == pytest.approx(0.04)
    assert np.isfinite(equal.b)


@pytest.fixture
def past(tmp_path):
    table = rats()
    rows = [f"{e};{a};{v};{c}" for e, a, v, c in zip(*table.values())]
    (tmp_path / "past.csv").write_text("experiment;arm;visits;conversions\n" + "\n".join(rows))
    return tmp_path


def test_an_experiment_file_names_it_beside_itself(past):
    (past / "e.toml").write_text(
        'scenario = { prior = { history = "past.csv" }, num_arms = 3 }\n'
        'agents = [{ name = "thompson", prior = { history = "past.csv" } }]\n'
    )
    cell = config.load(past / "e.toml").config["cells"][0]["parameters"]
    assert cell["scenario"]["prior"] == [pytest.approx([2.341614, 14.114801], rel=1e-6)] * 3
    assert cell["agent"]["prior"] == pytest.approx([2.341614, 14.114801], rel=1e-6)


def test_what_is_wrong_with_it(past):
    table = {"agents": [{"name": "thompson", "prior": {"history": "none.csv"}}]}
    with pytest.raises(ExperimentError, match=r"^agents\[0\]\.prior\.history: .*none\.csv: no such file$"):
        with_priors(table, past)
    with pytest.raises(ExperimentError, match=r"scenario\.prior: found \{'a': 1\}; expected \(a, b\), or \{history"):
        with_priors({"scenario": {"prior": {"a": 1}}}, past)
    for message, change in {
        r"rows 1 and 2 are both arm 'a' of '0'": {"experiment": [0, 0], "arm": ["a", "a"]},
        r"row 2: conversions is 9, above visits, 8": {"visits": [9, 8], "conversions": [1, 9]},
        r"no prior can be fitted": {"visits": [0, 0], "conversions": [0, 0]},
    }.items():
        table = {"experiment": [0, 1], "arm": ["a", "b"], "visits": [9, 9], "conversions": [1, 2]} | change
        with pytest.raises(TableError, match=message):
            read_history(table)
