"""`bandit-env plan`: an answer without any file."""

import re

import pytest

from bandit_env import cli
from bandit_env.desk import planning
from bandit_env.engines.engine import InProcess
from bandit_env.experiment import run
from bandit_env.stats.power import sample_size


def plan(capsys, *options):
    status = cli.main(["plan", *options])
    seen = capsys.readouterr()
    return status, re.sub(r"\s+", " ", seen.out), seen.err


def test_it_says_how_long_how_often_wrong_and_what_it_saves(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--rates", "0.04", "0.05", "--visits-per-day", "100", "--replications", "300", "--seed", "5"]
    status, said, _ = plan(capsys, *options)
    assert status == 0
    rows = run({"rates": [0.04, 0.05]}, [{"name": "thompson", "stopping": "value-remaining"}], 300, seed=5, executor=1)
    days, correct = rows.cells[0].episodes["stopping_day"], rows.cells[0].episodes["correct"]
    assert f"Thompson takes {days.mean():.0f} days on average" in said
    assert f"half of the tests end within {days.median():g}, 95 % within {days.quantile(0.95):g}" in said
    assert f"It ships the best arm in {100 * correct.mean():.1f} % of the tests" in said
    visits = 2 * -(-sample_size(0.04, 0.05) // 1)
    assert f"The classical test takes {-(-visits // 100):g} days ({visits:,.0f} visits)" in said
    assert not list(tmp_path.iterdir())


def test_more_arms_have_both_readings_of_the_article(capsys):
    status, said, _ = plan(
        capsys, "--rates", "0.04", "0.05", "0.045", "--visits-per-day", "500", "--replications", "40"
    )
    assert status == 0
    assert "until any variation beats the control" in said


def test_the_horizon_is_the_classical_tests_where_that_takes_longer(capsys):
    """1,043,718 visits by the formula of R's power.prop.test at a power of 95 %: at 100 a day, 10,438 days."""
    status, said, _ = plan(capsys, "--rates", "0.02", "0.021", "--visits-per-day", "10000", "--replications", "40")
    assert status == 0
    assert "takes 105 days (1,043,718 visits)" in said
    assert "horizon" not in said
    run_of = planning.plan(
        [0.02, 0.021], visits_per_day=100, updates_per_day=1, min_days=14, max_days=None, baseline=None, target=None,
        replications=1, seed=0, engine=InProcess(),
    )  # fmt: skip
    assert run_of.cells[1].task.max_days == run_of.cells[1].episodes["stopping_day"][0] == 10438
    assert run_of.cells[1].episodes["declared_arm"][0] >= 0


def test_experiments_cut_by_the_horizon_are_said(capsys):
    """A third of the tests is still undecided after 400 days, and the classical test could not end at all."""
    status, said, _ = plan(
        capsys, "--rates", "0.02", "0.021", "--visits-per-day", "100", "--replications", "100", "--max-days", "400"
    )
    assert status == 0
    assert "Thompson takes at least" in said
    assert "half of the tests end within 130, the 95 % quantile is at least 400" in said
    assert "33.0 % were undecided after 400 days, the horizon, and were cut there" in said
    assert "The horizon of 400 days is too short for the classical test: 100.0 % of its tests were cut there" in said
    assert "(classical: cut by the horizon)" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rates", "0.04", "1.4"], "--rates: found 1.4; expected rates from 0 to 1"),
        (["--rates", "0.04", "nan"], "--rates: found nan; expected rates from 0 to 1"),
        (["--rates", "0.04"], "--rates: found 1; expected at least 2, the control first"),
        (["--rates", "0.04", "0.04"], "no classical test can tell 0.04 from 0.04; give --target"),
        (["--rates", "0.04", "0.05", "--visits-per-day", "0"], "visits_per_day is 0; expected a whole number"),
        (["--rates", "0.04", "0.05", "--target", "2"], "target: found 2"),
    ],
)
def test_what_cannot_be_planned(options, message, capsys):
    status, said, error = plan(capsys, *options)
    assert (status, said) == (2, "")
    assert message in error
    assert len(error.strip().splitlines()) == 1
