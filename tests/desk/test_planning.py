"""`bandit-env plan`: an answer without any file."""

import re

import pytest

from bandit_env import cli
from bandit_env.desk import planning
from bandit_env.engines.engine import InProcess
from bandit_env.experiment import results, run
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
    assert f"half of the tests end within {days.median():.0f}, 95 % within {days.quantile(0.95):.0f}" in said
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


def test_sample_sizes_against_published_ones():
    """power.prop.test(p1 = .012, p2 = .0132, power = .8)$n in R; evanmiller.org's calculator at 20.625 v 21.625 %."""
    assert sample_size(0.012, 0.0132, power=0.8) == pytest.approx(135_623.54, abs=0.01)
    assert round(sample_size(0.20625, 0.21625, power=0.8)) == 26_155
    assert round(sample_size(0.20625, 0.21625, power=0.8, variance="baseline")) == 25_835


def test_percentages_and_a_lift(capsys):
    """A baseline with a lift is the same plan as its two rates, written either way."""
    same = ["--visits-per-day", "2000", "--replications", "50", "--max-days", "60", "--power", "0.8"]
    _, first, _ = plan(capsys, "--baseline", "4%", "--lift", "25%", *same)
    for rates in (["0.04", "0.05"], ["4%", "5%"]):
        status, said, _ = plan(capsys, "--rates", *rates, *same)
        assert status == 0
        assert said == first
    assert "Classical: 4 v 5 %, two-sided, level 5 %, power 80 %." in first


def test_the_smallest_lift_of_some_days(capsys):
    """The target that R's formula needs 28 days of 5,000 visits for: 70,000 an arm."""
    status, said, _ = plan(
        capsys,
        "--baseline",
        "1.2%",
        "--days",
        "28",
        "--visits-per-day",
        "5000",
        "--power",
        "0.8",
        "--replications",
        "40",
    )
    assert status == 0
    found = float(re.search(r"finds ([\d.]+) % against 1.2 %", said)[1]) / 100
    assert sample_size(0.012, found, power=0.8) == pytest.approx(70_000, rel=2e-3)
    assert "The classical test takes 28 days" in said


def test_several_lifts_give_one_small_table(capsys):
    status, said, _ = plan(
        capsys, "--baseline", "4%", "--lift", "20%", "50%", "--visits-per-day", "2000", "--replications", "40"
    )
    assert status == 0
    rows = re.findall(r"lift \+(\d+) % ([\d.]+) % (\d+) ", said)
    days = [-(-2 * -(-sample_size(0.04, rate) // 1) // 2000) for rate in (0.048, 0.06)]
    assert [(lift, float(rate), int(day)) for lift, rate, day in rows] == [("20", 4.8, days[0]), ("50", 6, days[1])]


def test_equal_arms_and_costs_are_those_of_the_runs(capsys):
    options = ["--rates", "0.04", "0.05", "--visits-per-day", "1000", "--replications", "200", "--seed", "3"]
    _, said, _ = plan(capsys, *options)
    days = -(-2 * -(-sample_size(0.04, 0.05) // 1) // 1000)
    world = {"rates": [0.04, 0.04], "visits_per_day": 1000, "max_days": int(days)}
    players = [
        {"name": "thompson", "stopping": "value-remaining"},
        {"name": "uniform-classical", "baseline": 0.04, "target": 0.05},
    ]
    bandit, classical = (cell.episodes for cell in run(world, players, 200, seed=3, executor=1).cells)
    ships = 100 * (bandit["declared_arm"] > 0).mean()
    claims = 100 * classical["claimed_winner"].mean()
    assert f"within {days:g} days thompson claims a difference in 0.0 %, ships a variation in {ships:.1f} %" in said
    assert f"uniform-classical claims a difference in {claims:.1f} %" in said
    assert "would cost 10 conversions a day, 3,650 a year" in said


def test_agent_rule_prior_and_world_of_ones_own(capsys, tmp_path):
    world = tmp_path / "world.toml"
    world.write_text('[scenario]\nrates = [0.1, 0.2]\nsplit = "proportional"\n')
    past = tmp_path / "past.csv"
    past.write_text("experiment,arm,visits,conversions\n1,a,1000,40\n1,b,1000,70\n2,a,1000,20\n2,b,1000,25\n")
    options = ["--rates", "0.04", "0.06", "--visits-per-day", "500", "--replications", "30", "--max-days", "300"]
    own = [
        "--agent",
        "top-two-thompson",
        "--stopping",
        "probability-best",
        "--scenario",
        str(world),
        "--history",
        str(past),
    ]
    status, said, error = plan(capsys, *options, *own)
    assert status == 0, error
    assert "with split as in the scenario" in said
    assert "Top-two-thompson takes" in said
    assert "prior Beta(1, 1)" not in said


def test_out_leaves_an_experiment_that_plays_the_same(capsys, tmp_path):
    out, again = tmp_path / "plan", tmp_path / "again"
    options = [
        "--rates",
        "0.04",
        "0.05",
        "0.06",
        "--visits-per-day",
        "2000",
        "--replications",
        "20",
        "--max-days",
        "90",
    ]
    status, _, error = plan(capsys, *options, "--out", str(out))
    assert status == 0, error
    assert cli.main(["run", str(out / "plan.toml"), "--out", str(again), "--no-figures"]) == 0
    first, second = (results.load(folder) for folder in (out, again))
    assert first.equals(second)
    assert list((out / "figures").glob("*.png"))
    assert list(out.glob("**/events.out.tfevents*"))
    status, _, error = plan(capsys, *options, "--out", str(out))
    assert status == 2
    assert str(out) in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--rates: missing; expected all rates, or --baseline with --lift or --days"),
        (["--baseline", "4%"], "expected one of --lift and --days"),
        (["--baseline", "4%", "--lift", "x"], "--lift: found 'x'; expected a lift, such as 0.04 or 4%"),
        (["--baseline", "4%", "--lift", "0"], "--lift: found 0%, which makes 0.04 to 0.04; expected another rate"),
        (["--baseline", "4%", "--lift", "3000%"], "--lift: found 3000%, which makes 0.04 to 1.24"),
        (["--baseline", "4", "--lift", "3%"], "--baseline: found 4; expected a rate between 0 and 1, or percent"),
        (["--baseline", "4%", "--lift", "5%", "5%"], "expected each once"),
        (["--baseline", "4%", "--days", "0"], "--days: visits is 0"),
        (["--baseline", "4%", "--days", "1", "--arms", "1"], "--arms: found 1; expected at least 2"),
        (["--rates", "4%", "5%", "--lift", "5%"], "--rates came together with --lift or --days"),
        (["--rates", "%", "5%"], "--rates: found '%'; expected a rate"),
        (["--rates", "4%", "5%", "--agent", "none"], "unknown name 'none'"),
        (["--rates", "4%", "5%", "--scenario", "none.toml"], "none.toml: no such file"),
        (["--rates", "4%", "5%", "--history", "none.csv"], "none.csv: no such file"),
        (["--rates", "4%", "5%", "--loss-days", "3"], "loss_days is 3"),
        (["--rates", "4%", "5%", "--power", "0.01"], "power is 0.01"),
    ],
)
def test_what_cannot_be_asked(options, message, capsys):
    test_what_cannot_be_planned(options, message, capsys)


def test_a_plan_of_equal_arms_calls_nothing_right(capsys):
    """Where all arms are the best, a share of tests that ship one would be a share of those that end."""
    for rates in (["0.04", "0.04"], ["0.04", "0.04", "0.04"]):
        options = ["--target", "0.08", "--visits-per-day", "200", "--replications", "40", "--max-days", "100"]
        status, said, _ = plan(capsys, "--rates", *rates, *options)
        assert status == 0
        assert "The arms are equal: it claims a difference in 0.0 % of the tests (classical: " in said
        assert "nan" not in said
        assert "correct" not in said
        assert "best arm" not in said
