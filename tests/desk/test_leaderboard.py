"""The leaderboard: ranks by paired differences, and a newcomer among the stored rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bandit_env import cli, plugins
from bandit_env.desk import leaderboard
from bandit_env.desk.leaderboard import show
from bandit_env.errors import ExperimentError
from bandit_env.experiment import config, results, run
from bandit_env.experiment.cell import AGENTS
from bandit_env.experiment.config import shipped

ROOT = Path(__file__).parents[2]
SUITE = shipped.folder() / "leaderboard.toml"
WORLD = {"name": "a", "rates": [0.04, 0.05], "max_days": 30}


def rows(**losses):
    tables = [
        pd.DataFrame({"scenario": "s", "agent": agent, "replication": range(len(loss)), "loss": loss, "claimed": False})
        for agent, loss in losses.items()
    ]
    return pd.concat(tables, ignore_index=True)


def test_ranks_are_by_paired_differences():
    noise = np.random.default_rng(1).normal(0, 10, 400)
    found = leaderboard.standings(
        rows(worst=noise + 5, first=noise, level=noise + np.tile([0.5, -0.45], 200), next=noise + 1)
    )
    assert found["agent"].tolist() == ["first", "level", "next", "worst"]
    assert found["rank"].tolist() == [1, 1, 3, 4]  # 1 behind is told, though a loss's own standard error is .5
    assert found["behind"].tolist() == pytest.approx([0, 0.025, 1, 5])


def interval_of(differences):
    return stats.norm.interval(0.95, differences.mean(), stats.sem(differences)) if differences.any() else (0, 0)


def test_the_interval_and_the_rank_are_those_of_a_paired_z_test():
    rng = np.random.default_rng(2)
    losses = {name: rng.gamma(2, 3, 300) + shift for name, shift in (("a", 0), ("b", 0.5), ("c", 1.0))}
    found = leaderboard.standings(rows(**losses))
    first = losses[found["agent"][0]]
    for _, line in found.iloc[1:].iterrows():
        interval = interval_of(losses[line["agent"]] - first)
        assert (line["behind_low"], line["behind_high"]) == pytest.approx(interval)
        better = [name for name, loss in losses.items() if interval_of(losses[line["agent"]] - loss)[0] > 0]
        assert line["rank"] == 1 + len(better)


def test_where_nothing_can_be_lost_nobody_has_a_rank():
    assert leaderboard.standings(rows(a=np.zeros(5), b=np.zeros(5)))["rank"].isna().all()


def test_a_newcomer_is_ranked_over_the_replications_that_both_have():
    stored = leaderboard.rows_of(run([WORLD], ["uniform", "thompson"], 60, seed=7, executor=1))
    new = run([WORLD], {"mine": "thompson"}, 40, seed=7, executor=1)
    found = leaderboard.standings(leaderboard.with_newcomer(new, stored)).set_index("agent")
    assert set(found.index) == {"uniform", "thompson", "mine"}
    assert (found["replications"] == 40).all()
    assert found.loc["mine", "loss"] == found.loc["thompson", "loss"], "the same visitors"
    assert found.loc["mine", "rank"] == found.loc["thompson", "rank"]


@pytest.mark.parametrize(
    ("world", "seed", "why"),
    [
        (WORLD, 8, "its seed is 8; that of the stored rows is 7"),
        (WORLD | {"name": "b"}, 7, "there are no stored rows of scenario 'b'"),
        (WORLD | {"delay": 4}, 7, "in scenario 'a' delay is not as it was for the stored rows"),
        (WORLD | {"visits_per_day": 50}, 7, "in scenario 'a' visits_per_day is not as it was for the stored rows"),
    ],
)
def test_rows_of_another_seed_or_suite_are_not_compared(world, seed, why):
    stored = leaderboard.rows_of(run([WORLD], ["uniform"], 5, seed=7, executor=1))
    with pytest.raises(ExperimentError, match=why):
        leaderboard.with_newcomer(run([world], ["uniform"], 5, seed=seed, executor=1), stored)


def test_rows_are_read_as_they_were_written(tmp_path):
    kept = leaderboard.rows_of(run([WORLD], ["uniform"], 5, seed=7, executor=1))
    leaderboard.write_rows(kept, tmp_path / "rows.parquet")
    again = leaderboard.stored_rows(tmp_path / "rows.parquet")
    pd.testing.assert_frame_equal(again, kept)
    assert again.attrs == kept.attrs
    with pytest.raises(ExperimentError, match=r"none\.parquet: the leaderboard's rows cannot be read"):
        leaderboard.stored_rows(tmp_path / "none.parquet")


def test_the_suite_has_all_built_in_agents():
    left_out = {"sb3"}  # needs a policy's file
    known = {name: plugins.load(AGENTS, name).__module__ for name in plugins.available(AGENTS)}
    built_in = {name for name, module in known.items() if module.startswith("agents.")}
    assert {cell["parameters"]["agent"]["name"] for cell in config.load(SUITE).config["cells"]} == built_in - left_out


def test_the_stored_rows_are_of_the_suite_as_it_stands():
    suite, stored = config.load(SUITE), leaderboard.stored_rows()
    count = stored.groupby(["scenario", "agent"], observed=True)["replication"].nunique()
    assert set(count.index) == {(plan.scenario, plan.agent) for plan in suite.cells}
    assert set(count) == {suite.replications}
    assert suite.replications >= 1000
    assert leaderboard.remarks(suite.config) == []


def test_the_page_is_of_the_stored_rows():
    page = (ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    assert page.endswith(show.markdown(leaderboard.standings(leaderboard.stored_rows())))


def test_a_newcomer_plays_alone_against_the_stored_rows(tmp_path, capsys):
    arguments = ["run", "leaderboard", "--agent", "thompson", "--replications", "20", "--out", str(tmp_path / "out")]
    assert cli.main([*arguments, "--scenarios", "days, 2 arms", "weekends", "--no-figures"]) == 0
    told = capsys.readouterr().out
    assert "Leaderboard: thompson" in told
    assert "behind the first" in told
    assert "**thompson**" in (tmp_path / "out" / "standings.md").read_text(encoding="utf-8")
    found, stored = leaderboard.rows_of(results.read(tmp_path / "out")), leaderboard.stored_rows()
    assert set(found["scenario"]) == {"days, 2 arms", "weekends"}
    theirs = found.merge(stored, on=["scenario", "agent", "replication"])
    assert len(theirs) == len(found)
    np.testing.assert_allclose(theirs["loss_x"], theirs["loss_y"], rtol=1e-6)


def test_another_seed_is_said_before_anything_is_played(tmp_path, capsys):
    arguments = ["run", "leaderboard", "--agent", "uniform", "--scenarios", "weekends", "--no-figures", "--seed", "3"]
    assert cli.main([*arguments, "--replications", "5", "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert "note: no standings: its seed is 3; that of the stored rows is 2027" in told.err
    assert "Leaderboard:" not in told.out


def test_scenarios_go_with_an_agent(capsys):
    assert cli.main(["run", "leaderboard", "--scenarios", "weekends"]) == 2
    assert "--scenarios goes with --agent" in capsys.readouterr().err
    assert cli.main(["run", "leaderboard", "--agent", "uniform", "--scenarios", "weekend"]) == 2
    assert "no scenario is called 'weekend'; did you mean 'weekends'?" in capsys.readouterr().err
