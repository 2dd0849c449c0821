"""The tables of a run, and the files that a report leaves."""

import io
import shutil

import pandas as pd
import pytest
import samples
from rich.console import Console

from bandit_env.cli import main
from bandit_env.errors import StorageError
from bandit_env.experiment import results, run
from bandit_env.experiment.results import Classical
from bandit_env.views import report, tables
from bandit_env.views.summary import summarise


def printed(result, width=160):
    console = Console(file=io.StringIO(), width=width)
    for table in tables.tables(result, width):
        console.print(table)
    return console.file.getvalue()


def cells_of(text, first):
    """The cells of the table's line that begins with `first`."""
    line = next(line for line in text.splitlines() if line.strip().startswith(first))
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_a_row_per_agent_with_published_figures_below():
    cells = [samples.cell(agent=name, seed=i) for i, name in enumerate(("thompson", "uniform"))]
    published = {"thompson": {"days_saved": "175", "correct": "96.4 % (482/500)"}}
    result = samples.run(*cells, published=published)
    text, line = printed(result), summarise(result).iloc[0]
    assert "ab_test: rates 0.04, 0.05, 100 visits a day; 60 replications, seed 2013" in text
    found = text.split("thompson")[1].split("published")[0]
    half = (line["mean_day_high"] - line["mean_day_low"]) / 2
    assert f" {line['mean_day']:.1f} " in found
    assert f" ± {half:.1f} " in found
    assert f" {line['days_saved']:.1f} " in found
    assert f" {100 * line['correct']:.1f} % " in found
    source = text.split("published")[1].split("uniform")[0]
    assert source.split() == ["175", "96.4", "%", "(482/500)"]
    assert cells_of(text, "uniform")
    assert "worst" not in text
    assert "the classical test's 223 days (22,330 visits)" in " ".join(text.split())


def test_published_figures_stand_in_their_columns():
    result = samples.run(samples.cell(), published={"thompson": {"days_saved": "THERE"}})
    lines = printed(result).splitlines()
    heading = next(line for line in lines if "conv." in line)
    end = heading.index("days") + len("days")
    line = next(line for line in lines if "THERE" in line)
    assert line.index("THERE") + len("THERE") == end


def test_what_is_published_is_shown_though_it_is_seldom_asked_for():
    """The article's worst case of six arms."""
    result = samples.run(samples.cell(), published={"thompson": {"worst_saved": "> 800"}})
    assert "worst" in printed(result)
    assert "> 800" in printed(result)


@pytest.mark.parametrize("published", [{"other": {"days_saved": "1"}}, {"thompson": "175"}, {"thompson": 3}])
def test_published_figures_of_nobody_are_passed_over(published):
    assert "published" not in printed(samples.run(samples.cell(), published=published))


def test_without_a_classical_test_there_is_no_column_of_savings():
    text = printed(samples.run(samples.cell(classical=None)))
    assert "saved" not in text
    assert "longer" not in text


def test_drawn_rates_have_no_savings():
    text = printed(samples.run(samples.cell(drawn=True)))
    assert "rates drawn anew" in text
    assert "saved" not in text


def test_arms_of_more_than_two_are_listed():
    cell = samples.cell((0.04, 0.05, 0.045), classical=Classical(900, 9))
    text = printed(samples.run(cell, published={"thompson": {"traffic_1": "98 %"}}))
    shares = [100 * (cell.rows[f"visits_{k}"] / cell.rows["visits"]).mean() for k in range(3)]
    line = next(line for line in text.splitlines() if "share of traffic" in line)
    assert line.split("traffic")[1].split() == [word for share in shares for word in (f"{share:.1f}", "%")]
    estimates = [(cell.rows[f"conversions_{k}"] / cell.rows[f"visits_{k}"]).mean() for k in range(3)]
    assert all(f"{estimate:.4f}" in text for estimate in estimates)
    picks = [f"{100 * (cell.rows['declared_arm'] == k).mean():.1f} %" for k in range(3)]
    assert cells_of(text, "declared by") == ["declared by", *picks]
    assert "98 %" in text


def test_arms_are_listed_where_nothing_is_declared():
    """The notebook: one allocation, no stopping rule, two arms; its shares of traffic are what it is about."""
    cell = samples.cell((0.5, 0.6), visits_per_day=1, classical=None)
    cell.rows["declared_arm"] = -1
    text = printed(samples.run(cell))
    assert "share of traffic" in text
    assert "estimated rate" in text
    assert "declared by" not in text
    assert "share of traffic" not in printed(samples.run(samples.cell()))


@pytest.mark.parametrize("width", [80, 100, 160])
def test_nothing_is_cut_off_in_a_narrow_window(width):
    cell = samples.cell(agent="thompson with a rather long label")
    text = printed(samples.run(cell), width)
    assert "…" not in text
    assert all(len(line) <= width for line in text.splitlines())
    assert f" {cell.rows['regret'].mean():.1f} " in text


@pytest.mark.parametrize("width", [60, 80, 160])
def test_columns_that_do_not_fit_are_in_a_table_below(width):
    agents = ("thompson, literal rule", "thompson, value remaining", "uniform-classical")
    rates = (0.04, 0.05, 0.045, 0.03, 0.02, 0.035)
    cells = [samples.cell(rates=rates, agent=name, seed=i) for i, name in enumerate(agents)]
    published = {name: {"worst_saved": "> 800", "conversions_saved": "1,173"} for name in agents}
    text = printed(samples.run(*cells, published=published), width)
    assert "…" not in text
    assert all(len(line) <= width for line in text.splitlines())
    words = "\n".join(line for line in text.splitlines() if not line.startswith("Words:")).split()
    for heading in ("median", "longer", "conv.", "worst", "correct", "regret", "first's"):
        assert heading in words
    assert words.count("agent") == {60: 7, 80: 4, 160: 3}[width]  # tables of agents, of lifts and of arms
    assert words.count("published") == 3
    assert ("uniform-classical" in words) == (width == 160)


def test_markup_in_names_is_text():
    text = printed(samples.run(samples.cell(agent="[red]mine[/red]", scenario="[bold]")))
    assert "[red]mine[/red]" in text
    assert "[bold]" in text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small run in a folder, played for once."""
    home = tmp_path_factory.mktemp("runs") / "a run"
    run(
        {"rates": [0.04, 0.05], "max_days": 40},
        ["thompson", "uniform"],
        replications=12,
        seed=3,
        out=home,
        classical={"visits": 22330, "days": 223},
    )
    return home


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_report_can_be_made_again(folder, capsys):
    assert main(["report", str(folder)]) == 0
    out = capsys.readouterr().out
    assert f"tensorboard --logdir '{folder}'" in out
    before = [name.split("tfevents")[0] for name in files(folder)]
    table = pd.read_csv(folder / "summary.csv")
    assert table["agent"].tolist() == ["thompson", "uniform"]
    assert (folder / "figures" / "experiment-regret.png").is_file()
    assert sum("events.out" in name for name in before) == 3
    assert main(["report", str(folder)]) == 0
    assert [name.split("tfevents")[0] for name in files(folder)] == before
    pd.testing.assert_frame_equal(pd.read_csv(folder / "summary.csv"), table)


def copy(folder, to):
    return shutil.copytree(folder, to / "run")


def test_without_figures_it_says_how_to_get_them(folder):
    console = Console(file=io.StringIO(), width=160)
    report.write(results.read(folder), console, max_scenarios=0)
    told = console.file.getvalue()
    assert f"For figures: bandit-env report '{folder}'\nAll rows in {folder}. To look at them:\n" in told
    assert " 0 " not in told.split("For figures")[1]


def test_a_half_written_run_shows_what_is_readable(folder, tmp_path, capsys):
    half = copy(folder, tmp_path)
    (half / "experiment" / "uniform" / "cell.json").unlink()
    (half / "experiment" / "uniform" / "curves.parquet").write_bytes(b"PAR1")
    assert main(["report", str(half)]) == 1
    said = capsys.readouterr()
    assert "thompson" in said.out
    assert "experiment/uniform: not finished" in said.err
    assert "Traceback" not in said.err


def test_a_damaged_cell_is_named(folder, tmp_path, capsys):
    damaged = copy(folder, tmp_path)
    (damaged / "experiment" / "uniform" / "curves.parquet").write_bytes(b"PAR1 and no more")
    assert main(["report", str(damaged)]) == 1
    said = capsys.readouterr()
    assert "experiment/uniform: cannot be read" in said.err
    assert "thompson" in said.out


def test_a_view_that_fails_is_said_by_the_exit_status(folder, tmp_path, capsys, monkeypatch):
    def fail(*_):
        raise ValueError("of all things")

    monkeypatch.setattr("bandit_env.views.tensorboard.events.cell_events", fail)
    assert main(["report", str(copy(folder, tmp_path))]) == 1
    said = capsys.readouterr()
    assert said.err.count("cannot be shown (ValueError: of all things)") == 2  # a cell's failure costs no other's
    assert "thompson" in said.out
    assert (tmp_path / "run" / "figures" / "experiment-regret.png").is_file()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "not a run"),
        ("{", "not a run's configuration"),
        (
            '{"format": 99, "versions": {"bandit_env": "7.0"}, "cells": []}',
            "written by bandit_env 7.0 in format 99",
        ),
    ],
)
def test_a_folder_that_cannot_be_reported_on(tmp_path, capsys, config, message):
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    before = files(tmp_path)
    assert main(["report", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert files(tmp_path) == before


def test_a_folder_that_is_not_there(tmp_path, capsys):
    assert main(["report", str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_said(folder, tmp_path):
    from bandit_env.experiment import results

    broken = copy(folder, tmp_path)
    shutil.rmtree(broken / "figures", ignore_errors=True)
    (broken / "figures").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        report.write(results.read(broken), Console(file=io.StringIO()))


def test_a_run_in_memory_is_printed_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    console = Console(file=io.StringIO(), width=160)
    report.write(samples.run(samples.cell()), console)
    assert "thompson" in console.file.getvalue()
    assert "tensorboard" not in console.file.getvalue()
    assert files(tmp_path) == []


def test_what_depends_on_experiments_that_were_cut_is_at_least_that():
    """Three of ten are cut on day 40: the mean and the 95 % quantile are at least what is seen, the median is known."""
    cell = samples.cell(stops=[5] * 7 + [40] * 3, replications=10)
    cell.rows.loc[7:, ["declared_arm", "correct"]] = [-1, False]
    lines = printed(samples.run(cell)).splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip().startswith("thompson"))
    assert [word.strip() for word in lines[start].split("  ") if word.strip()][:6] == [
        *("thompson", "at least", "5", "at least", "at least", "at most"),
    ]
    assert lines[start + 1].split()[:2] == ["15.5", "40"]
    assert "30.0 %" in lines[start]
    assert "(3)" in lines[start + 1]
    assert "the undecided were cut by the horizon, day 1,000" in " ".join(" ".join(lines).split())
    assert "at least" not in printed(samples.run(samples.cell(stops=[5] * 10, replications=10)))


@pytest.mark.parametrize(("test_days", "word"), [(223, "at least 0.0 %"), (30, "30.0 %")])
def test_longer_is_known_where_the_cut_ones_are_among_them(test_days, word):
    cell = samples.cell(stops=[5] * 7 + [40] * 3, replications=10, classical=Classical(100 * test_days, test_days))
    cell.rows.loc[7:, ["declared_arm", "correct"]] = [-1, False]
    row = summarise(samples.run(cell)).iloc[0]
    assert tables.COLUMNS["longer"][1](row).split() == word.split()


def test_equal_arms_have_words_of_their_own(tmp_path, capsys):
    """On equal arms `correct` is a share of false claims: it is nowhere on the screen, empty in the file, untold."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (tmp_path / "aa.toml").write_text(
        "replications = 20\n[scenario]\nrates = [0.04, 0.04]\nmax_days = 60\n"
        "[classical]\nbaseline = 0.04\ntarget = 0.05\n"
        '[[agents]]\nname = "thompson"\nstopping = "value-remaining"\n[[agents]]\nname = "thompson"\n'
        'label = "claims"\nstopping = "beats-control"\n'
    )
    out = tmp_path / "out"
    assert main(["run", str(tmp_path / "aa.toml"), "--out", str(out)]) == 0
    said = "".join(capsys.readouterr())
    assert "correct" not in said
    assert "wrong" not in said
    words = said.split()
    for word in ("claims", "difference", "ships", "variation", "decided"):
        assert word in words
    table = pd.read_csv(out / "summary.csv")
    assert table[["correct", "correct_low", "correct_high", "wrong", "ships_worse"]].isna().all().all()
    assert table["undecided"].gt(0).all()
    for folder in (out / "aa" / "thompson", out / "aa" / "claims"):
        found = EventAccumulator(str(folder)).Reload().Tags()["scalars"]
        assert {"progress/regret", "final/loss", "final/claimed"} <= set(found)
        assert not [tag for tag in found if "correct" in tag or "wrong" in tag]


def test_equal_base_rates_under_effects_are_called_that(monkeypatch):
    cell = samples.cell((0.04, 0.04))
    assert "ab_test: rates 0.04, 0.04," in printed(samples.run(cell))
    monkeypatch.setattr("bandit_env.world.scenario.Scenario.equal_arms", False)
    text = printed(samples.run(samples.cell((0.04, 0.04))))
    assert "ab_test: equal base rates 0.04, 0.04 under effects," in text
    assert "correct" in text


def test_claims_are_counted_where_some_agent_claims():
    claims, ships = samples.cell(agent="a"), samples.cell(agent="b")
    ships.rows["claimed_winner"] = False
    assert "claims" not in printed(samples.run(ships))
    text = printed(samples.run(claims, ships))
    assert {"claims", "wrong"} <= set(text.split())
    wrong = 100 * (1 - claims.rows["correct"].mean())
    assert f" {wrong:.1f} % " in text
    assert " 0.0 % " in text


@pytest.mark.parametrize("words", ["correct", "wrong", "claim", "undecided", "regret", "regret after", "loss", "saved"])
def test_the_glossary_that_captions_name_defines(words):
    from pathlib import Path

    page = (Path(__file__).parents[2] / tables.GLOSSARY).read_text(encoding="utf-8")
    assert f'<a id="{words.replace(" ", "-")}"></a>{words} |' in page
    assert tables.GLOSSARY in printed(samples.run(samples.cell()))
