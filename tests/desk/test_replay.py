"""Published tables replayed: what the verdicts mean, and that the tables agree."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from bandit_env import cli
from bandit_env.desk import replay as replays
from bandit_env.desk.replay import show
from bandit_env.desk.replay.entry import AGREES, DISAGREES, KNOWN, Entry, Figure, Outcome, mean
from bandit_env.desk.replay.published import simulators
from bandit_env.errors import ExperimentError

PAGE = Path(__file__).parents[2] / "docs" / "replay.md"
EXACT = [
    "scott-2013-sample-sizes",
    "r-power-prop-test",
    "evan-miller-calculator",
    "armitage-mcpherson-rowe",
    "pocock-constants",
    "obrien-fleming-constants",
    "jennison-turnbull-inflation",
    "sas-seqdesign",
    "miller-2010",
    "beta-probability-best",
    "r-bandit",
    "stucchio-expected-loss",
    "bda-rats",
    "howard-confidence-sequence",
    "johari-mixture-sprt",
    "lai-robbins-constants",
    "garivier-kaufmann-proportions",
    "gittins-index",
    "bayes-optimal",
]


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("", 1.23, 1.2349, unit=0.01), AGREES),
        (Figure("", 1.23, 1.2351, unit=0.01), DISAGREES),
        (Figure("", 11_165, 11_165.99, unit=1, truncated=True), AGREES),
        (Figure("", 10, 14.9, printed_error=1, error=0.75), AGREES),  # 4 x 1.25
        (Figure("", 10, 15.1, printed_error=1, error=0.75), DISAGREES),
        (Figure("", 10, 15.1, printed_error=1, error=0.75, known="why"), KNOWN),
        (Figure("", 10, 14.9, printed_error=1, error=0.75, known="why"), AGREES),
        (Figure("", 10, math.nan, known="why"), DISAGREES),
    ],
)
def test_what_a_figure_comes_to(figure, verdict):
    assert figure.verdict == verdict


def test_a_mean_has_both_standard_errors():
    values = np.array([1.0, 3.0, 5.0, 7.0])  # standard deviation sqrt(20 / 3)
    figure = mean("", 4, values, runs=10)
    assert figure.ours == 4
    assert figure.error == pytest.approx(math.sqrt(20 / 3 / 4))
    assert figure.printed_error == pytest.approx(math.sqrt(20 / 3 / 10))


def test_a_share_of_few_that_are_all_alike_has_an_error_too():
    figure = mean("", 0.9, np.ones(4, bool))
    assert figure.error == pytest.approx(math.sqrt(6 / 8 * 2 / 8 / 4))
    assert figure.verdict == AGREES


def entry(name, *figures, fails=False):
    def play(stage):
        if fails:
            raise ExperimentError("the dog ate it")
        return figures

    return Entry(name, "nobody", "none", play)


GOOD, BAD, EXPECTED = Figure("g", 1, 1), Figure("b", 1, 2), Figure("e", 1, 2, known="a slip")


@pytest.mark.parametrize(
    ("figures", "verdict"), [([GOOD], AGREES), ([GOOD, EXPECTED], KNOWN), ([EXPECTED, BAD], DISAGREES), ([], DISAGREES)]
)
def test_an_entry_is_as_good_as_its_worst_figure(figures, verdict):
    assert Outcome(entry("x"), figures, 0.0).verdict == verdict


@pytest.fixture
def planted(monkeypatch):
    entries = [entry("fails", fails=True), entry("fine", GOOD), entry("expected", GOOD, EXPECTED), entry("wrong", BAD)]
    monkeypatch.setattr(replays, "available", lambda: {one.name: one for one in entries})


def test_one_that_fails_does_not_take_the_others_with_it(planted, capsys, tmp_path):
    assert cli.main(["replay", "fails", "fine", "--json", str(tmp_path / "x.json")]) == 1
    told = capsys.readouterr()
    assert "the dog ate it" in told.out
    assert "unexpected: fails" in told.err
    first, second = json.loads((tmp_path / "x.json").read_text())
    assert (first["verdict"], second["verdict"]) == (DISAGREES, AGREES)
    assert second["figures"][0] == {
        "what": "g", "printed": 1, "printed_error": 0.0, "ours": 1, "error": 0.0, "known": "", "verdict": AGREES
    }  # fmt: skip


def test_a_page_has_a_section_for_each(planted, tmp_path, capsys):
    assert cli.main(["replay", "fails", "expected", "--markdown", str(tmp_path / "x.md")]) == 1
    page = (tmp_path / "x.md").read_text()
    assert "played again by this package: 1 disagrees, 1 disagrees as known." in page
    assert "| [expected](#expected) | nobody | disagrees as known |" in page
    assert "## fails\n\nnobody: none.\n\n**disagrees**: ExperimentError: the dog ate it\n" in page
    assert "| e | 1 | 2 | disagrees as known: a slip |" in page


def test_what_was_played_is_kept_when_it_is_cut_short(planted, tmp_path, monkeypatch, capsys):
    def play(name, stage):
        if name == "wrong":
            raise KeyboardInterrupt
        return Outcome(entry(name), [GOOD], 0.0)

    monkeypatch.setattr(replays, "replay", play)
    with pytest.raises(KeyboardInterrupt):
        cli.main(["replay", "--json", str(tmp_path / "x.json")])
    assert [one["name"] for one in json.loads((tmp_path / "x.json").read_text())] == ["fails", "fine", "expected"]


@pytest.mark.parametrize("option", ["--json", "--markdown"])
def test_a_file_that_cannot_be_written_is_said_before_anything_is_played(option, planted, tmp_path, capsys):
    assert cli.main(["replay", "fine", option, str(tmp_path / "none" / "x")]) == 1
    told = capsys.readouterr()
    assert "x: cannot be written (No such file or directory)" in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    ("figure", "shown"),
    [
        (Figure("", 0.6, 0.6009986, unit=1e-3), ("0.600", "0.60100")),
        (Figure("", 11_165, 11_165.98832, unit=1, truncated=True), ("11,165", "11,165.99")),
        (Figure("", 97.5, 97.5861, unit=0.1, printed_error=0.7312, error=0.2585), ("97.5 ± 0.73", "97.59 ± 0.26")),
        (Figure("", 330.67, 330.6123, printed_error=4.21, error=0.0412), ("330.67 ± 4.2", "330.612 ± 0.041")),
        (Figure("", 2, 2.5), ("2", "2.5")),
    ],
)
def test_numbers_are_shown_to_their_last_digit(figure, shown):
    assert show._numbers(figure) == shown


def test_exit_status(planted, capsys):
    assert cli.main(["replay", "fine", "expected"]) == 0
    assert "1 agrees, 1 disagrees as known." in capsys.readouterr().out
    assert cli.main(["replay"]) == 1
    assert "unexpected: fails, wrong" in capsys.readouterr().err


def test_an_unknown_name_suggests_the_nearest(capsys):
    assert cli.main(["replay", "scott-2013-abc"]) == 2
    assert "no replay is called 'scott-2013-abc'; did you mean 'scott-2013-ab'?" in capsys.readouterr().err


def test_the_list_has_a_line_each(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert cli.main(["replay", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(replays.available())
    assert len(lines) >= 25


@pytest.mark.parametrize("name", EXACT)
def test_what_is_exact_agrees(name):
    outcome = replays.replay(name)
    assert outcome.verdict == AGREES, [figure for figure in outcome.figures if figure.verdict != AGREES]
    assert not any(figure.error for figure in outcome.figures)
    assert "\n".join(show.section(outcome)) in PAGE.read_text(encoding="utf-8"), "docs/replay.md is to be made anew"


def test_the_page_has_all_entries():
    found = [line.removeprefix("## ") for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:3] == "## "]
    assert found == list(replays.available())


@pytest.mark.parametrize(
    ("name", "replications", "verdict"),
    [
        ("scott-2013-ab", 1000, AGREES),
        ("scott-2013-ab-reversed", 500, AGREES),
        ("scott-2013-six-literal", 300, AGREES),
        ("robinson-chi-square", 2000, AGREES),
        ("robinson-expected-loss", 40_000, KNOWN),
        ("smpybandits-grid-ucb", 50, AGREES),
    ],
)
def test_what_is_simulated_comes_out_as_expected(name, replications, verdict):
    outcome = replays.replay(name, replays.Stage(replications))
    assert outcome.verdict == verdict, (outcome.failure, outcome.figures)


def test_with_their_slips_put_in_the_printed_numbers_come_out():
    """The causes shown in entries that take long: printed 210.65 (40 runs), and 28.93 (all runs share one stream)."""
    discounted = simulators._discounting_the_served(80, np.random.default_rng(5))
    assert mean("", 210.65, discounted, runs=40).verdict == AGREES
    shared = simulators._one_stream_for_all(4, np.random.default_rng(6), runs=50)
    assert mean("", 28.9339, shared, runs=1).verdict == AGREES


@pytest.mark.parametrize("name", ["thompson-notebook", "garivier-kaufmann-mu1", "garivier-kaufmann-mu2"])
def test_long_ones_can_be_played(name):
    outcome = replays.replay(name, replays.Stage(3))
    assert outcome.failure == ""
    assert all(math.isfinite(figure.ours) and figure.error > 0 for figure in outcome.figures)
