"""Tables in the forms in which public tests are found; names and numbers are changed."""

from pathlib import Path

import pytest

from bandit_env import cli
from bandit_env.desk import analyse

DATA = Path(__file__).parent / "data"


def test_semicolons_umlauts_and_dots_in_thousands():
    columns = {"arm": "Gruppe", "day": "Tag", "visits": "Impressionen", "conversions": "Klicks"}
    result = analyse(DATA / "gebote.csv", columns=columns, forecast=False)
    assert [arm.name for arm in result.arms] == ["Maximalgebot", "Ø-Gebot"]
    assert result.day == 12
    assert result.counts.visits[0].tolist() == [82919, 126893]
    assert result.counts.conversions[0].tolist() == [6272, 3338]
    assert {check.check for check in result.checks} >= {"sample ratio"}


def test_totals_between_tabs_in_another_script():
    columns = {"arm": "見出し", "visits": "views", "conversions": "clicks"}
    result = analyse(DATA / "menu.tsv", columns=columns, control="助け", forecast=False)
    assert result.arms[0].name == "助け"
    assert [arm.conversions for arm in result.arms] == [37, 45, 25, 19, 48]
    assert result.champion.name == "サービス"
    assert "forecast" not in result.to_dict()


def test_days_from_0_and_commas_in_names():
    columns = {"visits": "Pageviews", "conversions": "Clicks"}
    result = analyse(DATA / "question.csv", columns=columns, replications=50)
    assert [arm.name for arm in result.arms] == ["page, as it was", "page, with a question"]
    assert (result.day, result.forecast.day) == (21, 21)
    assert result.checks == ()


def test_a_day_without_counts_is_named(capsys):
    columns = ["arm=Campaign", "visits=# of Impressions", "conversions=# of Purchase"]
    assert cli.main(["analyse", str(DATA / "campaign_with_a_hole.csv"), "--columns", *columns]) == 2
    assert "row 6: visits is empty; expected a whole number of at least 0" in capsys.readouterr().err


def test_dates_of_one_or_two_digits(tmp_path):
    text = (DATA / "campaign_with_a_hole.csv").read_text()
    file = tmp_path / "whole.csv"
    file.write_text("".join(line for line in text.splitlines(keepends=True) if ",," not in line))
    columns = {"arm": "Campaign", "visits": "# of Impressions", "conversions": "# of Purchase"}
    result = analyse(file, columns=columns, forecast=False)
    assert (result.counts.dates[0], result.counts.dates[-1]) == ("2019-08-01", "2019-08-10")
    assert {check.check for check in result.checks} >= {"rows missing", "sample ratio"}


@pytest.mark.parametrize("name", ["gebote.csv", "menu.tsv", "question.csv"])
def test_columns_must_be_told(name, capsys):
    assert cli.main(["analyse", str(DATA / name)]) == 2
    said = capsys.readouterr().err
    assert "there is no column" in said
    assert "--columns" in said
