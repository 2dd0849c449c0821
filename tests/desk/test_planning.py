"""`bandit-env plan`: an answer without any file."""

import re

import pytest

from bandit_env import cli
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
