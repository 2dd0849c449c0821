"""A run as a terminal and a notebook show it."""

import dataclasses
import html.parser

import pytest
import samples

from bandit_env.experiment import run
from bandit_env.views import shown


def small():
    world = {"rates": [0.04, 0.05], "max_days": 30}
    return run(world, ["thompson", "uniform"], 20, seed=1, executor=1, classical={"visits": 22330, "days": 223})


def test_a_run_is_shown_as_its_table(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    text = repr(small())
    lines = text.splitlines()
    assert len(lines) < 25
    assert max(map(len, lines)) <= 100
    for word in ("thompson", "uniform", "regret", "loss", "20 replications, seed 1", "± "):
        assert word in text
    assert "Trace(" not in text
    assert len(repr(small().cells[0])) < 200


class Cells(html.parser.HTMLParser):
    """The cells of each row of an HTML table."""

    def __init__(self):
        super().__init__()
        self.rows = []

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_a_notebook_shows_a_table_of_html():
    result = small()
    text = result._repr_html_()
    assert text.startswith("<table>")
    found = Cells()
    found.feed(text)
    head, first, second = found.rows
    assert [row[0] for row in (head, first, second)] == ["agent", "thompson", "uniform"]
    mean = result.cells[0].episodes["regret"].mean()
    assert any(cell.startswith(f"{mean:.1f}") for cell in first)


def test_names_are_text_in_a_notebook():
    page = shown.as_html(samples.run(samples.cell(agent="<img src='x'>", scenario="<b>&")))
    assert "<img" not in page
    assert "&lt;img src=&#x27;x&#x27;&gt;" in page
    assert "&lt;b&gt;&amp;" in page


def test_of_many_scenarios_the_first_are_shown():
    result = samples.run(*(samples.cell(scenario=f"world {i}") for i in range(8)))
    assert "... and 3 more scenarios" in repr(result)
    assert "world 7" not in repr(result)
    assert "no finished results" in repr(samples.run())


def test_a_run_that_cannot_be_shown_says_so(tmp_path):
    cell = dataclasses.replace(samples.cell(), directory=tmp_path / "gone", rows=None)
    assert repr(samples.run(cell, directory=tmp_path)).startswith("<Run of 1 cells in")


@pytest.mark.parametrize(("told", "width"), [("80", 80), ("0", 160), ("", 160), ("wide", 160), ("1", 1)])
def test_columns_is_honoured(monkeypatch, told, width):
    monkeypatch.setenv("COLUMNS", told)
    assert shown.page_width() == width


def test_time_is_in_visits_where_a_step_is_one(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    cell = samples.cell(stops=[60, 100], replications=2, visits_per_day=20, updates_per_day=20, classical=None)
    cell.rows["declared_arm"] = [-1, 1]
    words = " ".join(repr(samples.run(cell)).split())
    for expected in ("visits, ", "one visit at a time", "Loss: to visit 20,000", "the horizon, visit 20,000", " 80.0 "):
        assert expected in words
    assert "days" not in words
