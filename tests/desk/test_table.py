"""Tables as people have them, and what is wrong with them, in one sentence."""

import io

import numpy as np
import pandas as pd
import pytest

from bandit_env.desk.table import read
from bandit_env.tables.cells import TableError

LONG = """day,arm,visits,conversions
1,A,100,4
1,B,110,5
2,A,90,3
2,B,95,9
"""


@pytest.fixture
def file(tmp_path):
    def write(text, name="counts.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_a_row_per_day_and_arm(file):
    counts = read(file(LONG))
    assert counts.names == ("A", "B")
    assert counts.visits.tolist() == [[100, 110], [90, 95]]
    assert counts.conversions.tolist() == [[4, 5], [3, 9]]
    assert counts.days.tolist() == [1, 2]
    assert counts.weights is None
    assert counts.checks == ()


def test_totals_and_the_control(file):
    counts = read(file("arm,visits,conversions\nold,1000,40\nnew,1000,50\n"), control="new")
    assert counts.names == ("new", "old")
    assert counts.conversions.tolist() == [[50, 40]]
    assert counts.days is None


FORMS = {
    "semicolons and decimal commas": "arm;visits;conversions;weight\nGröße „L“;1.000;40;0,25\n名前;3.000;50;0,75\n",
    "tabs": "arm\tvisits\tconversions\tweight\nGröße „L“\t1000\t40\t0.25\n名前\t3000\t50\t0.75\n",
    "grouped by commas, in quotes": 'arm,visits,conversions,weight\nGröße „L“,"1,000",40,.25\n名前,"3,000",50,.75\n',
    "grouped by spaces": "arm;visits;conversions;weight\nGröße „L“;1 000;40;25 %\n名前;3\u202f000;50;75 %\n",
    "other letters in the heading, and a blank line": (
        " Arm ,VISITS,Conversions,Weight,note\nGröße „L“,1000,40.0,0.25,x\n\n名前,3e3,50,0.75,\n"
    ),
    "a spreadsheet's mark": "sep=|\narm|visits|conversions|weight\nGröße „L“|1000|40|0.25\n名前|3000|50|0.75\n",
    "other line ends": "arm;visits;conversions;weight\r\nGröße „L“;1000;40;0,25\r\n名前;3000;50;0,75\r\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("form", FORMS)
def test_forms_of_csv(form, encoding, file):
    counts = read(file(FORMS[form], encoding=encoding))
    assert counts.names == ("Größe „L“", "名前")
    assert counts.visits.tolist() == [[1000, 3000]]
    assert counts.conversions.tolist() == [[40, 50]]
    assert counts.weights.tolist() == [[0.25, 0.75]]


def test_an_older_spreadsheet(file):
    counts = read(file("arm;visits;conversions\nGröße;10;4\nB;30;5\n", encoding="cp1252"))
    assert counts.names == ("Größe", "B")


def test_columns_by_other_names(file):
    text = "dt,experiment_group,impressions,clicks,visits\n1,A,10,1,7\n1,B,20,2,7\n"
    names = {"arm": "experiment_group", "visits": "impressions", "conversions": "clicks", "day": "dt"}
    counts = read(file(text), columns=names)
    assert counts.visits.tolist() == [[10, 20]]
    assert counts.days.tolist() == [1]


@pytest.mark.parametrize(
    "dates",
    [
        ("2024-02-28", "2024-02-29", "2024-03-02"),
        ("2024/02/28", "2024/02/29", "2024/03/02"),
        ("20240228", "20240229", "20240302"),
        ("28.02.2024", "29.02.2024", "02.03.2024"),
        ("28/02/2024", "29/02/2024", "02/03/2024"),
        ("02/28/2024", "02/29/2024", "03/02/2024"),
        ("2024-02-28 00:00:00", "2024-02-29T00:00:00", "2024-03-02 00:00:00+00:00"),
    ],
)
@pytest.mark.parametrize("name", ["date", "day"])
def test_dates(dates, name, file):
    rows = [f"{when},{arm},10,1" for when in dates for arm in "AB"]
    counts = read(file(f"{name},arm,visits,conversions\n" + "\n".join(rows)))
    assert counts.dates == ("2024-02-28", "2024-02-29", "2024-03-02")
    assert counts.days.tolist() == [1, 2, 4]


def test_parquet_and_frames(tmp_path):
    frame = pd.read_csv(
        io.StringIO(LONG.replace("day", "date").replace("\n1,", "\n2024-05-01,").replace("\n2,", "\n2024-05-02,"))
    )
    frame["date"] = pd.to_datetime(frame["date"])
    frame.to_parquet(tmp_path / "counts.parquet")
    columns = {name: list(frame[name]) for name in frame}
    for source in (frame, tmp_path / "counts.parquet", str(tmp_path / "counts.parquet"), columns):
        counts = read(source)
        assert counts.dates == ("2024-05-01", "2024-05-02")
        assert counts.visits.tolist() == [[100, 110], [90, 95]]


def test_columns_without_names_for_the_arms():
    assert read({"visits": [10, 20], "conversions": np.array([1, 2])}).names == ("arm 0", "arm 1")


def totals(days, cumulative, seed=3):
    rng = np.random.default_rng(seed)
    visits, conversions = rng.poisson(200, (days, 2)), rng.poisson(9, (days, 2))
    if cumulative:
        visits, conversions = visits.cumsum(axis=0), conversions.cumsum(axis=0)
    day, arm = np.repeat(np.arange(1, days + 1), 2), np.tile(["A", "B"], days)
    return {"day": day, "arm": arm, "visits": visits.ravel(), "conversions": conversions.ravel()}


def test_running_totals():
    daily, running = read(totals(10, False)), read(totals(10, True), cumulative=True)
    assert (daily.visits == running.visits).all()
    assert (daily.conversions == running.conversions).all()
    assert running.checks == daily.checks == ()


def test_running_totals_that_nobody_told_of():
    [check] = read(totals(10, True)).checks
    assert check.check == "cumulative"
    assert "over 10 days no arm's visits or conversions ever fall" in check.message


def test_daily_counts_said_to_be_running_totals():
    counts = read(totals(10, False), cumulative=True)
    [check] = counts.checks
    assert "fall from" in check.message
    assert "read as each day's own counts" in check.message
    assert (counts.visits == read(totals(10, False)).visits).all()


def test_a_correction_in_running_totals_is_an_error():
    table = totals(20, True)
    table["visits"][21] = table["visits"][19] - 5
    with pytest.raises(TableError, match=r"row 22: visits of 'B' fall from \d+ to \d+; expected running totals"):
        read(table, cumulative=True)


def test_growing_traffic_is_no_running_total():
    table = totals(10, False)
    table["visits"] = np.repeat(200 + 5 * np.arange(10), 2)
    table["conversions"] = np.repeat(9 + np.arange(10), 2)
    assert read(table).checks == ()


def test_an_arm_that_comes_later(file):
    counts = read(file("day,arm,visits,conversions\n1,A,10,1\n2,A,10,1\n2,B,5,1\n"))
    assert counts.visits.tolist() == [[10, 0], [10, 5]]
    assert counts.checks[0].message == "'B' has no row on 1 day: taken as no visits there."


HEAD = "day,arm,visits,conversions\n"
BAD = {
    "": "the table is empty; expected a heading and rows",
    HEAD: "the table is empty",
    HEAD + "1,A,10,1\n2,A,10,1\n": "there is one arm, 'A'; expected at least two",
    HEAD + "1,A,10,1\n1,B,10,11\n": "row 3: conversions is 11, above visits, 10; expected at most as many",
    HEAD + "1,A,10,1\n1,B,-10,1\n": "row 3: visits is '-10'; expected a whole number of at least 0",
    HEAD + "1,A,10,1\n1,B,10.5,1\n": "row 3: visits is '10.5'; expected a whole number of at least 0",
    HEAD + "1,A,10,1\n1,B,ten,1\n": "row 3: visits is 'ten'; expected a whole number of at least 0",
    HEAD + "1,A,10,1\n1,B,NaN,1\n": "row 3: visits is 'NaN'; expected a whole number of at least 0",
    HEAD + "1,A,10,1\n1,B,inf,1\n": "row 3: visits is 'inf'; expected a whole number of at least 0",
    HEAD + "1,A,10,1\n1,B,,1\n": "row 3: visits is empty; expected a whole number of at least 0",
    HEAD + "1,A,10,1\n\n1,,10,1\n": "row 4: arm is empty; expected an arm's name",
    HEAD + "1,A,10,1\n1,B,10,1\n\n1,B,9,1\n": "rows 3 and 5 are both arm 'B' on day 1; expected one row for a day",
    HEAD + "1,A,10,1\n1.5,B,10,1\n": "row 3: day is '1.5'; expected a whole number of days",
    HEAD + "1,A,10,1\nx,B,10,1\n": "row 3: day is 'x'; expected a whole number of days",
    HEAD + "1,A,10,1,7\n1,B,10,1\n": "row 2 has 5 cells; the heading has 4",
    "date,arm,visits,conversions\n2024-02-28,A,1,0\n2024-02-30,B,1,0": "row 3: date is '2024-02-30'; expected a date",
    "date,arm,visits,conversions\n3,A,1,0\n3,B,1,0": "row 2: date is '3'; expected a date such as 2024-01-31",
    "date,arm,visits,conversions\n03/04/2024,A,1,0\n03/04/2024,B,1,0": "whether the day or the month comes first",
    "arm,visits,conversions\nA,10,1\nB,10,1\nA,9,1": "rows 2 and 4 are both arm 'A'; expected a row per arm",
    "arm,views,conversions\nA,10,1\nB,10,1": "there is no column 'visits' (known: arm, conversions, views)",
    "arm,visits,conversions,weight\nA,10,1,.5\nB,10,1,.2": "row 2: the weights of its day sum to 0.7; expected 1",
    "arm,visits,conversions,weight\nA,10,1,1.5\nB,10,1,-.5": "row 3: weight is '-.5'; expected a share",
    "arm;visits;conversions;weight\nA;10;1;0,5\nB;10;1;0.5": "decimal commas and decimal points are mixed (row 2",
    "arm,visits,conversions,visits\nA,10,1,1\nB,10,1,2": "the heading has 'visits' twice",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_tables(text, file):
    path = file(text)
    with pytest.raises(TableError) as caught:
        read(path)
    assert BAD[text] in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_bad_arguments(file, tmp_path):
    path = file(LONG)
    for message, arguments in {
        "there is no arm 'C' to be the control (known: A, B)": {"control": "C"},
        "columns: unknown name 'visit'; did you mean 'visits'?": {"columns": {"visit": "x"}},
        "there is no column 'views' (known: arm, conversions, day, visits)": {"columns": {"visits": "views"}},
    }.items():
        with pytest.raises(TableError) as caught:
            read(path, **arguments)
        assert message in str(caught.value)
    with pytest.raises(TableError, match="no such file"):
        read(tmp_path / "none.csv")
    with pytest.raises(TableError, match="cannot be read"):
        read(tmp_path)
    with pytest.raises(TableError, match="need a column 'day' or 'date'"):
        read({"visits": [1, 1], "conversions": [0, 0]}, cumulative=True)
    with pytest.raises(TableError, match="the table is a int; expected a file"):
        read(3)


def test_many_arms_and_many_rows():
    arms = 10_000
    counts = read(
        {"arm": [f"a{k}" for k in range(arms)], "visits": [100] * arms, "conversions": [k % 9 for k in range(arms)]}
    )
    assert counts.visits.shape == (1, arms)
