"""Views of anything that can be played: any finite values, any names, and one cell whose view fails."""

import html
import io
import shutil
import warnings

import numpy as np
import pytest
import samples
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit_env import cli
from bandit_env.experiment import results, run
from bandit_env.views import canvas, figures, report, series, tables, tensorboard
from bandit_env.views.figures import drawing as drawing_file
from bandit_env.views.figures import savings
from bandit_env.views.figures import weights as weights_figure
from bandit_env.views.tensorboard import encoding, events

NEARLY = [1.5, np.nextafter(1.5, 2), 1.5 + 3e-16, 1.5]
FINITE = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20)


def check_histogram(values):
    from tensorboard.util import tensor_util

    values = np.array(values)
    table = tensor_util.make_ndarray(encoding.histogram("distribution/regret", values).value[0].tensor)
    left, right, counts = table.T
    assert counts.sum() == values.size
    assert np.isfinite(table).all()
    assert (left <= right).all()
    assert (left[1:] == right[:-1]).all()
    assert (left[0], right[-1]) == (values.min(), values.max())


@pytest.mark.parametrize("values", [NEARLY, [0.0], [-1.7e308, 1.7e308], [5e-324, 0], [1e16, 1e16 + 2], [7.0] * 3])
def test_values_that_numpy_has_no_bins_for(values):
    check_histogram(values)


@given(values=FINITE)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_histograms_of_any_finite_values(values):
    check_histogram(values)


def test_ordinary_histograms_are_numpy_s_own():
    values = np.random.default_rng(3).normal(size=1000)
    counts, edges = np.histogram(values, 30)
    found = series.edges(values.min(), values.max(), 30)
    np.testing.assert_array_equal(found, edges)
    np.testing.assert_array_equal(series.histogram(values, found), counts)


@pytest.mark.parametrize("values", [NEARLY, [0.1, 1e16], [1e16, 1e16 + 2], [-1e200, 1e200], [1e200] * 4])
def test_a_figure_s_bins_hold_everything(values):
    values = np.array(values)
    edges = savings.bins([values])
    assert (np.diff(edges) > 0).all()
    assert series.histogram(values, edges).sum() == values.size


EVERY_ARM_ONCE = """
replications = 500
[scenario]
rates = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
visits_per_day = 1
max_days = 6
min_days = 0
[[agents]]
name = "ucb1"
"""


def test_regrets_that_are_equal_up_to_rounding(tmp_path):
    (tmp_path / "e.toml").write_text(EVERY_ARM_ONCE)
    assert cli.main(["run", str(tmp_path / "e.toml"), "--out", str(tmp_path / "out"), "--no-figures"]) == 0
    regret = results.load(tmp_path / "out")["regret"]
    assert 0 < np.ptp(regret) < 1e-15
    assert list((tmp_path / "out" / "e" / "ucb1").glob("events.out.tfevents.*.results"))


LABELS = [
    "a" * 300,
    "按钮测试 томпсон שלום हिन्दी 🙂",
    "cost $5 and $\\foo$",
    "[/red] [bold]x[/bold] :smile:",
    "![x](http://evil/x.png) <img src='http://evil/y.png'> # h | ` **b** [l](http://evil)",
]


@pytest.fixture(scope="module")
def odd_names(tmp_path_factory):
    out = tmp_path_factory.mktemp("odd") / "run"
    worlds = [{"name": name, "rates": [0.1, 0.2], "min_days": 2, "max_days": 9} for name in LABELS[:3]]
    run(worlds, dict.fromkeys(LABELS, "uniform") | {"thompson": "thompson"}, 4, executor=1, out=out)
    return out


def test_any_label_is_drawn_without_a_warning(odd_names, tmp_path):
    """pytest turns warnings into errors here."""
    loaded = results.read(odd_names)
    cells = [cell for cell in loaded.cells if cell.scenario == LABELS[1]]
    failures = []
    drawings = figures.all_figures(samples.run(*cells), None, failures)
    assert (len(drawings), failures) == (5, [])
    for path in figures.save(drawings, tmp_path, dpi=40):
        assert path.stat().st_size > 1000


def test_any_label_is_printed_as_it_is(odd_names, capsys):
    from rich.console import Console

    loaded = results.read(odd_names)
    console = Console(width=400, highlight=False)
    for table in tables.tables(loaded, 400):
        console.print(table)
    shown = capsys.readouterr().out
    for label in LABELS[1:]:
        assert label in shown
    assert f"{LABELS[2]}: rates 0.1, 0.2" in shown


def test_a_label_is_only_text_in_tensorboard(odd_names):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own, about its own
        from tensorboard import plugin_util

    summary = report.summary.summarise(results.read(odd_names))
    page = plugin_util.markdown_to_safe_html(events._markdown(summary))
    assert "<th>" in page
    for tag in ("<img", "<a ", "<h1", "<strong", "<code"):
        assert tag not in page
    assert LABELS[-1] in html.unescape(page)
    code = plugin_util.markdown_to_safe_html(events._code({"name": LABELS[-1], "x": "```\n# h\n```"}))
    assert all(tag not in code for tag in ("<img", "<a ", "<h1"))


def test_folders_of_odd_names_are_told_apart(odd_names):
    folders = [entry["folder"] for entry in results.read_config(odd_names)["cells"]]
    assert len({folder.casefold() for folder in folders}) == len(folders) == 18
    assert any("按钮测试-томпсон-שלום-हिन्दी" in folder for folder in folders)
    assert all((odd_names / folder / "episodes.parquet").is_file() for folder in folders)


@pytest.mark.parametrize("letters", [1, 40, 41, 300])
def test_names_beside_lines_keep_both_ends(letters):
    name = "".join(chr(ord("a") + i % 26) for i in range(letters))
    shown = canvas.short(name)
    assert len(shown) == min(letters, 40)
    assert (shown[0], shown[-1]) == (name[0], name[-1])
    assert canvas.room_for([name]) < 3


def test_one_cell_s_failing_view_does_not_cost_the_others_theirs(odd_names, tmp_path, monkeypatch, capsys):
    home = tmp_path / "run"
    shutil.copytree(odd_names, home)
    made = events.cell_events

    def failing(cell, row, *more):
        if cell.agent == "thompson":
            raise ValueError("no\nidea")
        return made(cell, row, *more)

    def no_savings(scene):
        raise ZeroDivisionError("nothing to share")

    monkeypatch.setattr(tensorboard.events, "cell_events", failing)
    monkeypatch.setattr(savings, "draw", no_savings)
    monkeypatch.setattr(report, "MAX_SCENARIOS", 1)
    write = report.write
    monkeypatch.setattr(report, "write", lambda run, console, max_scenarios: write(run, console, 1))
    assert cli.main(["report", str(home)]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("bandit-env: figure savings of scenario")
    assert told[0].endswith("cannot be shown (ZeroDivisionError: nothing to share)")
    assert len(told) == 4  # and one for each scenario's cell
    assert told[1].startswith("bandit-env: TensorBoard of agent 'thompson' in scenario")
    assert told[1].endswith("cannot be shown (ValueError: no idea)")
    assert len(list(home.rglob("events.*.results"))) == 15 + 1
    assert len(list((home / "figures").glob("*.png"))) == 4
    assert (home / "summary.csv").is_file()


def test_a_full_disk_is_the_whole_report_s_failure(odd_names, tmp_path, monkeypatch):
    from rich.console import Console

    from bandit_env.errors import StorageError

    shutil.copytree(odd_names, tmp_path / "run")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bandit_env.views.tensorboard.write_atomically", full)
    with pytest.raises(StorageError, match="the report cannot be written"):
        report.write(results.read(tmp_path / "run"), Console(file=io.StringIO(), width=200), 0)


def test_of_many_arms_those_with_the_most_traffic_are_shown():
    weights = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.1, 0.1, 0.4]], np.float32)
    assert series.busiest(weights, 2) == [0, 3]
    assert series.busiest(weights, 3) == [0, 2, 3]
    assert series.busiest(weights, 9) == [0, 1, 2, 3]
    assert series.busiest(np.ones((2, 4), np.float32), 2) == [0, 1]  # ties go to the first


def test_serving_weights_of_many_arms():
    cell = samples.cell(rates=np.linspace(0.1, 0.2, 30).tolist())
    [scene] = figures.scenes(samples.run(cell)).values()
    drawing = weights_figure.draw(scene)
    shown = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert len(shown) == drawing_file.MAX_LINES
    wanted = series.busiest(cell.traces[0].weights, drawing_file.MAX_LINES)
    assert shown == [f"arm {arm} · {100 * cell.rates[arm]:.3g} %" for arm in wanted]
    assert "of 30 arms the 10 with the most traffic" in drawing.caption
    assert "... (30 arms)" in drawing.caption
