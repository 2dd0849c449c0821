"""Sweeps: lists in a file become cells, one bar, one table."""

import pandas as pd
import pytest

from bandit_env.engines.engine import InProcess
from bandit_env.errors import ExperimentError
from bandit_env.experiment import config, results
from bandit_env.experiment.sweep import execute

SWEEP = """
replications = 1200
seed = 5
[[scenarios]]
name = "two"
rates = [0.4, 0.5]
max_days = 3
min_days = 1
sweep = { visits_per_day = [100, 200], updates_per_day = [1, 2] }
[[scenarios]]
name = "three"
prior = [20, 30]
num_arms = 3
max_days = 3
min_days = 1
[[agents]]
name = "epsilon-greedy"
label = "greedy"
sweep = { epsilon = [0.0, 0.5] }
[[agents]]
name = "uniform"
"""
SCENARIOS = [
    "two, visits_per_day=100, updates_per_day=1",
    "two, visits_per_day=100, updates_per_day=2",
    "two, visits_per_day=200, updates_per_day=1",
    "two, visits_per_day=200, updates_per_day=2",
    "three",
]
AGENTS = ["greedy, epsilon=0.0", "greedy, epsilon=0.5", "uniform"]


class Bar:
    """A watcher that remembers what a progress bar would show."""

    def __init__(self):
        self.starts, self.ended, self.stored = [], 0, []

    def start(self, cells, replications, finished):
        self.starts.append((cells, replications, finished))

    def advance(self, experiments):
        self.ended += experiments

    def chunks(self, plan, folder, chunks):
        self.stored += [(plan.scenario, plan.agent, chunk.replications) for chunk in chunks]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweep")
    (path / "sweep.toml").write_text(SWEEP)
    bar = Bar()
    run = execute(config.load(path / "sweep.toml"), engine=InProcess(), out=path / "out", watcher=bar)
    return run, bar, path / "out"


def test_every_combination_is_a_cell_in_the_order_of_the_file(sweep):
    run, _, _ = sweep
    assert [(c.scenario, c.agent) for c in run.cells] == [(s, a) for s in SCENARIOS for a in AGENTS]
    assert [c.parameters["agent"]["epsilon"] for c in run.cells[:2]] == [0.0, 0.5]
    assert run.cells[3].parameters["scenario"]["updates_per_day"] == 2
    assert run.cells[0].task.visits_per_day == 100


def test_one_progress_bar_over_all_of_it(sweep):
    _, bar, _ = sweep
    assert bar.starts == [(15, 1200, 0)]
    assert bar.ended == 15 * 1200
    assert sorted(bar.stored) == sorted((s, a, n) for s in SCENARIOS for a in AGENTS for n in (1000, 200))


def test_all_rows_load_as_one_table(sweep):
    run, _, out = sweep
    table = results.load(out)
    assert len(table) == 15 * 1200
    assert (
        table.groupby(["scenario", "agent"], observed=True)["replication"]
        .apply(lambda r: list(r) == list(range(1200)))
        .all()
    )
    assert table.columns[:3].tolist() == ["scenario", "agent", "replication"]
    two = table[table["scenario"] != "three"]
    assert two["rate_2"].isna().all()
    assert table.loc[table["scenario"] == "three", "rate_2"].notna().all()
    mine = table[(table["scenario"] == SCENARIOS[2]) & (table["agent"] == "uniform")]
    cell = next(c for c in run.cells if (c.scenario, c.agent) == (SCENARIOS[2], "uniform"))
    assert mine["regret"].tolist() == cell.episodes["regret"].tolist()


def test_pandas_reads_each_file_by_itself(sweep):
    _, _, out = sweep
    files = sorted(out.rglob("episodes.parquet"))
    assert len(files) == 15
    for path in files:
        assert len(pd.read_parquet(path)) == 1200


def test_agents_meet_the_same_rates(sweep):
    """The world's stream does not depend on the agent: comparisons are paired."""
    run, _, _ = sweep
    drawn = [c.episodes[["rate_0", "rate_1", "rate_2"]] for c in run.cells if c.scenario == "three"]
    assert drawn[0].nunique().min() > 1000
    for other in drawn[1:]:
        assert other.equals(drawn[0])


def test_load_says_what_is_not_there(tmp_path):
    with pytest.raises(ExperimentError, match="no such folder"):
        results.load(tmp_path / "absent")
    with pytest.raises(ExperimentError, match="not a run"):
        results.load(tmp_path)


@pytest.mark.parametrize("sweep", ["3", "{}", "{ epsilon = 0.1 }", "{ epsilon = [] }"])
def test_a_sweep_that_is_none(tmp_path, sweep):
    (tmp_path / "x.toml").write_text(f"scenario = {{}}\nagents = [{{name = 'epsilon-greedy', sweep = {sweep}}}]\n")
    if sweep == "{}":
        assert len(config.load(tmp_path / "x.toml").cells) == 1
        return
    with pytest.raises(ExperimentError, match=r"agents\[0\].sweep: found .*; expected a table of lists"):
        config.load(tmp_path / "x.toml")
