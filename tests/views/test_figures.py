"""The figures: that they say what the rows say, and that they can be read."""

import io
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import samples
from matplotlib.backends.backend_agg import FigureCanvasAgg

from bandit_env.experiment.results import Classical
from bandit_env.views import canvas, figures
from bandit_env.views.figures import names as names_of
from bandit_env.views.figures import weights as weights_file

HERE = str(Path(__file__).parents[1] / "helpers")
SIX = (0.04, 0.05, 0.045, 0.03, 0.02, 0.035)
KINDS = ("weights", "savings", "daily-cost", "regret", "operating-characteristic")


def agents(names=("thompson", "epsilon-greedy", "uniform-classical"), **settings):
    return [samples.cell(agent=name, seed=i, **settings) for i, name in enumerate(names)]


def draw(*cells):
    return {drawing.name: drawing for drawing in figures.all_figures(samples.run(*cells))}


CASES = {
    "two arms": lambda: agents(),
    "one agent": lambda: agents(["thompson"]),
    "six arms, long names": lambda: agents(
        ["thompson, literal rule", "thompson, value remaining", "uniform-classical"],
        rates=SIX,
        classical=Classical(91842, 919),
    ),
    "drawn rates": lambda: agents(drawn=True),
    "no classical test": lambda: agents(classical=None),
    "seven agents": lambda: agents([f"an agent, epsilon=0.{i}" for i in range(1, 8)]),
    "visits": lambda: agents(visits_per_day=1, rates=(0.5, 0.6), classical=None),
    "two updates a day": lambda: agents(updates_per_day=2),
    "all stop at once": lambda: agents(stops=[3] * 60),
    "one replication": lambda: agents(replications=1),
    "many traces": lambda: agents(traces=9),
    "equal arms": lambda: agents(rates=(0.04, 0.04)),
}


@pytest.mark.parametrize("case", CASES)
def test_everything_written_can_be_read(case):
    """No text leaves the page, none lies upon another, every axis has its name, every caption R and seed."""
    cells = CASES[case]()
    drawings = draw(*cells)
    assert list(drawings) == [f"ab_test-{kind}" for kind in KINDS]
    for name, (_, figure, caption) in drawings.items():
        assert f"Experiments: R = {len(cells[0].rows)}, seed 2013" in caption
        for axes in figure.axes:
            assert axes.get_xlabel() or not any(label.get_text() for label in axes.get_xticklabels())
            assert axes.get_ylabel() or axes is not figure.axes[0]
        boxes = text_boxes(figure)
        width, height = figure.canvas.get_width_height()
        for text, box in boxes:
            assert box.x0 >= 0, f"{name}: {text!r} leaves the page"
            assert box.y0 >= 0, f"{name}: {text!r} leaves the page"
            assert box.x1 <= width, f"{name}: {text!r} leaves the page"
            assert box.y1 <= height, f"{name}: {text!r} leaves the page"
        for i, (text, box) in enumerate(boxes):
            for other, another in boxes[:i]:
                across = min(box.x1, another.x1) - max(box.x0, another.x0)
                down = min(box.y1, another.y1) - max(box.y0, another.y0)
                assert across <= 1 or down <= 2, f"{name}: {text!r} lies upon {other!r}"


def text_boxes(figure):
    """Every piece of text that is drawn, and its place."""
    with canvas.style():
        FigureCanvasAgg(figure).draw()
        renderer = figure.canvas.get_renderer()
        texts = figure.findobj(matplotlib.text.Text)
        hidden = set(beyond_the_axes(figure))
        drawn = [text for text in texts if text.get_text().strip() and text.get_visible() and text not in hidden]
        return [(text.get_text(), text.get_window_extent(renderer)) for text in drawn]


def beyond_the_axes(figure):
    """Labels of ticks outside the axes' limits, which exist but are not drawn."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                    yield tick.label1


def test_the_story_of_one_experiment_is_its_row():
    """As the article tells of its own: days, and days saved against the classical test."""
    cell = samples.cell(stops=[66, 20, 31], replications=3)
    _, figure, caption = draw(cell)["ab_test-weights"]
    arm = int(cell.rows["declared_arm"][0])
    title = f"thompson\nexperiment 0: ships arm {arm}\n66 days, 157 days saved"
    assert figure.axes[0].get_title(loc="left") == title
    assert "experiment 0" in caption


def test_of_several_traces_the_typical_one_is_shown():
    cell = samples.cell(stops=[3, 38, 21, 18], replications=4, traces=3)
    _, _, caption = draw(cell)["ab_test-weights"]
    assert "experiment 2: of 3 recorded the nearest to the median stop" in caption


def test_serving_weights_are_those_of_the_trace():
    cell = samples.cell(rates=SIX, classical=Classical(91842, 919))
    axes = draw(cell)["ab_test-weights"].figure.axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) == len(cell.traces[0].day) + 1]
    assert len(lines) == 6
    for arm, line in enumerate(lines):
        assert np.asarray(line.get_ydata())[:-1] == pytest.approx(cell.traces[0].weights[:, arm])
    assert any(set(line.get_ydata()) == {0.95} for line in axes.lines)


def test_the_decision_ends_the_line_of_an_agent_that_serves_by_probability():
    """The last served weights are those before the last day's data; the decision was made after it."""
    from bandit_env.stats.posterior import probability_best

    cell = samples.cell()
    trace, row = cell.traces[0], cell.rows.iloc[0]
    trace.weights[:] = trace.probability_best
    _, weights = weights_file.with_decision(cell, trace)
    final = probability_best([row["conversions_0"], row["conversions_1"]], [row["visits_0"], row["visits_1"]])
    assert weights[-1] == pytest.approx(final)
    assert len(weights) == len(trace.day) + 1


def test_savings_are_whole_distributions():
    cells = agents()
    figure = draw(*cells)["ab_test-savings"].figure
    for index, axes in enumerate(figure.axes):
        [collection] = axes.collections
        bars = [path.get_extents() for path in collection.get_paths()]
        assert sum(bar.height for bar in bars) == pytest.approx(100)
        cell = cells[index // 2]
        saved = 223 - cell.rows["stopping_day"] if index % 2 == 0 else 111.65 - cell.rows["regret"]
        assert axes.get_title(loc="right") == f"mean {saved.mean():,.1f} {('days', 'conversions')[index % 2]}"
        rough = sum((bar.x0 + bar.x1) / 2 * bar.height for bar in bars) / 100
        assert rough == pytest.approx(saved.mean(), abs=2 * bars[0].width)


def test_the_classical_test_costs_four_thirds_of_a_conversion_a_day():
    """Scott (2013), six arms: 1.333 conversions a day."""
    cell = samples.cell(rates=SIX, classical=Classical(91842, 919))
    axes = draw(cell)["ab_test-daily-cost"].figure.axes[0]
    assert any(line.get_ydata()[0] == pytest.approx(4 / 3) for line in axes.lines if len(line.get_ydata()) == 2)
    assert "classical test: 1.333 conversions a day" in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("updates", [1, 2])
def test_daily_cost_is_a_mean_over_those_still_running(updates):
    """A day's cost, whatever the number of its updates."""
    cell = samples.cell(updates_per_day=updates, stops=[4, 8], replications=2)
    axes = draw(cell)["ab_test-daily-cost"].figure.axes[0]
    line = max(axes.lines, key=lambda line: len(line.get_ydata()))
    curves = cell.curves
    expected = curves["regret_sum"] / curves["running"] * updates
    assert np.asarray(line.get_ydata()) == pytest.approx(expected.to_numpy())
    assert np.asarray(line.get_xdata()) == pytest.approx(curves["day"].to_numpy())


def test_regret_ends_at_the_mean_of_all_rows():
    cells = agents()
    figure = draw(*cells)["ab_test-regret"].figure
    lines = [line for line in figure.axes[0].lines if len(line.get_ydata()) > 2]
    for cell, line in zip(cells, lines, strict=True):
        last_shown = line.get_ydata()[-1]
        assert last_shown == pytest.approx(cell.rows["regret"].mean())


def test_operating_characteristic_is_mean_day_against_share_correct():
    cells = agents()
    axes = draw(*cells)["ab_test-operating-characteristic"].figure.axes[0]
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "o"]
    expected = [(cell.rows["stopping_day"].mean(), 100 * cell.rows["correct"].mean()) for cell in cells]
    assert np.array(points) == pytest.approx(np.array(expected))


def test_time_is_in_visits_where_each_update_is_one():
    """20 visits and 20 updates a day: a stop after 60 updates is one after 60 visits, not 3 days."""
    cell = samples.cell(stops=[60, 100], replications=2, visits_per_day=20, updates_per_day=20)
    axes = draw(cell)["ab_test-operating-characteristic"].figure.axes[0]
    assert axes.get_xlabel() == "stopping time, visits"
    points = [line.get_xdata() for line in axes.lines if line.get_marker() == "o"]
    assert [float(x) for (x,) in points] == [80]


def test_equal_arms_are_judged_by_what_they_claim():
    cell = samples.cell((0.04, 0.04), stops=[5] * 8, replications=8)
    cell.rows["claimed_winner"] = [True] * 2 + [False] * 6
    axes = draw(cell)["ab_test-operating-characteristic"].figure.axes[0]
    assert axes.get_ylabel() == "claims a difference, %"
    assert [float(y) for line in axes.lines if line.get_marker() == "o" for y in line.get_ydata()] == [25]


def test_what_the_horizon_cut_is_in_the_caption():
    cell = samples.cell(stops=[5] * 6 + [40] * 2, replications=8)
    cell.rows.loc[6:, "declared_arm"] = -1
    for kind in ("savings", "operating-characteristic"):
        assert "cut by the horizon (day 1,000): thompson 25 %" in draw(cell)[f"ab_test-{kind}"].caption


def test_an_agent_that_does_not_adapt_has_no_panel():
    flat, lively = samples.cell(agent="uniform"), samples.cell(agent="thompson")
    flat.traces[0].weights[:] = 0.5
    figure = draw(flat, lively)["ab_test-weights"].figure
    assert [axes.get_title(loc="left").split("\n")[0] for axes in figure.axes] == ["thompson"]
    assert "ab_test-weights" not in draw(flat)


def test_each_scenario_has_its_figures():
    cells = [samples.cell(scenario=name) for name in ("a/b", "a b", "a-b")]
    run = samples.run(*cells)
    names = [drawing.name for drawing in figures.all_figures(run)]
    assert len(set(names)) == len(names) == 15
    assert not any("/" in name or " " in name for name in names)


def test_figures_of_the_first_scenarios_only():
    run = samples.run(samples.cell(scenario="a"), samples.cell(scenario="b"))
    names = {drawing.name.split("-")[0] for drawing in figures.all_figures(run, max_scenarios=1)}
    assert names == {"a"}


def test_files_are_whole_and_the_same_each_time(tmp_path):
    drawings = figures.all_figures(samples.run(samples.cell()))
    paths = figures.save(drawings, tmp_path / "figures")
    assert [path.name for path in paths[:2]] == ["ab_test-weights.png", "ab_test-weights.svg"]
    for path in paths:
        if path.suffix == ".png":
            image = matplotlib.image.imread(path)
            assert image.shape[1] == pytest.approx(canvas.WIDTH * 130, abs=1)
            assert image.std() > 0.01
        else:
            assert xml.etree.ElementTree.parse(path).getroot().tag.endswith("svg")
    again = figures.save(figures.all_figures(samples.run(samples.cell())), tmp_path / "again")
    for path, other in zip(paths, again, strict=True):
        assert path.read_bytes() == other.read_bytes()


def test_no_state_is_left_behind():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import samples, matplotlib; before = matplotlib.rcParams.copy();"
        "from bandit_env.views import figures; figures.all_figures(samples.run(samples.cell()));"
        "print('matplotlib.pyplot' in sys.modules, before == matplotlib.rcParams.copy())"
    )
    done = subprocess.run([sys.executable, "-c", code, HERE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([0.2, 0.8], [0.2, 0.8]),
        ([0.5, 0.5], [0.5, 0.6]),
        ([0.99, 0.98, 0.1], [1.0, 0.9, 0.1]),
        ([-1], [0.0]),
        ([], []),
    ],
)
def test_labels_are_moved_apart(wanted, expected):
    assert canvas.spread(wanted, 0.1, 0, 1) == pytest.approx(expected)


def test_colours_are_told_apart_by_colour_blind_readers():
    """Any two colours stay apart in CIELAB as those readers see them, who do not tell red from green."""
    for matrix in BLINDNESS.values():
        seen = [lab(np.clip(matrix @ np.power(matplotlib.colors.to_rgb(ink), 2.2), 0, 1)) for ink in canvas.PALETTE]
        for i, one in enumerate(seen):
            for other in seen[:i]:
                assert np.linalg.norm(one - other) > 15  # a just noticeable difference is about 2.3


BLINDNESS = {  # linear sRGB as seen, after Vienot, Brettel and Mollon, Color Res. Appl. 24 (1999)
    "deuteranopia": np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
    "protanopia": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
}


def lab(linear):
    """CIE 1976 L*a*b* of linear sRGB, D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ linear / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_a_figure_renders_to_bytes():
    drawing = figures.all_figures(samples.run(samples.cell()))[-1]
    image = matplotlib.image.imread(io.BytesIO(figures.render(drawing.figure, "png", 50)))
    assert image.shape[1] == pytest.approx(canvas.WIDTH * 50, abs=1)


def test_the_world_of_an_experiment_is_drawn_where_it_moves():
    """The day's true rates while an arm is there, and the visits; nothing where the world stays as it is."""
    from bandit_env.experiment import run

    scenario = {
        "rates": [0.1, 0.2],
        "max_days": 12,
        "traffic": "poisson",
        "joins": [0, 3],
        "leaves": [9, None],
        "effects": [{"effect": "step", "day": 6, "factor": 0.5}],
    }
    cell = run(scenario, ["thompson"], 5, seed=1, executor=1).cells[0]
    drawing = {d.name: d for d in figures.all_figures(samples.run(cell))}["experiment-world"]
    rates, traffic = drawing.figure.axes[:2]
    lines = {tuple(line.get_ydata()[~np.isnan(line.get_ydata())].round(9)) for line in rates.get_lines()}
    assert lines >= {(10,) * 6 + (5,) * 3, (20,) * 3 + (10,) * 6}
    assert traffic.get_lines()[0].get_ydata().tolist() == cell.traces[0].served.tolist()
    assert 60 < cell.traces[0].served.mean() < 140
    assert "R = 5" in drawing.caption


def test_an_agent_keeps_its_colour_in_every_run():
    """Whoever plays beside it, and in whichever order; and no arm has an agent's colour."""
    alone = names_of.colours(["thompson"])["thompson"]
    for names in (["uniform", "thompson"], ["mine", "thompson", "epsilon-greedy"], ["thompson, tuned", "thompson"]):
        assert names_of.colours(names)["thompson"] == alone
        assert len(set(names_of.colours(names).values())) == len(names)
    assert names_of.colours(["mine", "thompson"])["mine"] == names_of.colours(["uniform", "mine"])["mine"]
    many = [f"agent {i}" for i in range(12)]
    assert len(set(names_of.colours(many).values())) == 12
    assert len(names_of.colours([f"agent {i}" for i in range(40)])) == 40
    assert not set(canvas.PALETTE) & set(canvas.ARMS)


def test_colours_are_the_names_in_all_figures():
    cells = agents()
    drawings = draw(*cells)
    inks = names_of.colours([cell.agent for cell in cells])
    axes = drawings["ab_test-operating-characteristic"].figure.axes[0]
    points = [line for line in axes.lines if line.get_marker() == "o"]
    assert [line.get_color() for line in points] == list(inks.values())
    lines = [line for line in drawings["ab_test-regret"].figure.axes[0].lines if len(line.get_ydata()) > 2]
    assert [line.get_color() for line in lines] == list(inks.values())


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["a", "b"], ["a", "b"]),
        (
            [f"thompson with a rather long label, epsilon=0.{i}, floor=0.05 and more" for i in (1, 2)],
            ["epsilon=0.1", "epsilon=0.2"],
        ),
        (
            [f"epsilon-greedy, epsilon=0.{i}, floor=0.{j}5" for i in (1, 2) for j in (0, 1)],
            [f"epsilon=0.{i}, floor=0.{j}5" for i in (1, 2) for j in (0, 1)],
        ),
        (
            ["google-2013, with an early stop of mine", "google-2013, with an early end of mine"],
            ["stop", "end"],
        ),
        (["x" * 40, "x" * 39 + "y"], ["x…xxx", "y"]),
        (["thompson", "a" * 49 + "b"], ["thompson", "b"]),
    ],
)
def test_long_names_are_cut_where_they_do_not_differ(names, shown):
    found = names_of.shorten(names)
    assert len(set(found.values())) == len(names)
    assert all(len(text) <= max(len(name) for name in names) for text in found.values())
    for name, part in zip(names, shown):
        assert part in found[name]
        assert len(found[name]) <= canvas.MAX_NAME + 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(10000, "10,000"), (0, "0"), (-0.5, "−0.5"), (2e-5, "0.00002"), (1e7, "10,000,000"), (0.30000000000000004, "0.3")],
)
def test_numbers_of_axes_are_written_in_full(value, text):
    assert canvas.number(value) == text


def test_no_axis_has_an_offset_or_an_exponent():
    """The notebook: all stop at visit 10,000."""
    cell = samples.cell(stops=[10_000] * 3, replications=3, visits_per_day=1, rates=(0.5, 0.6), classical=None)
    for drawing in draw(cell).values():
        for axes in drawing.figure.axes:
            for axis in (axes.xaxis, axes.yaxis):
                assert axis.get_offset_text().get_text() == ""
        assert not [text for text, _ in text_boxes(drawing.figure) if "1e" in text or "e+" in text]
    assert any(text == "10,000" for text, _ in text_boxes(draw(cell)["ab_test-regret"].figure))


def test_labels_stand_off_the_error_bars():
    for cells in (agents(), agents(stops=[2, 40] * 30)):
        figure = draw(*cells)["ab_test-operating-characteristic"].figure
        axes = figure.axes[0]
        boxes = {text: box for text, box in text_boxes(figure) if text in {cell.agent for cell in cells}}
        bars = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 1.4]
        for bar in bars:
            ends = axes.transData.transform(np.column_stack([bar.get_xdata(), bar.get_ydata()]))
            for text, box in boxes.items():
                inside = (ends.max(axis=0) > box.min).all() and (ends.min(axis=0) < box.max).all()
                own = text == next(c.agent for c, i in zip(cells, range(9)) if bars.index(bar) // 2 == i)
                assert not (inside and own), text


def test_of_many_agents_it_is_said_how_many_are_shown():
    cells = agents([f"agent {i}" for i in range(15)])
    drawings = draw(*cells)
    for kind in ("regret", "daily-cost", "savings", "operating-characteristic"):
        assert "12 of 15 agents" in drawings[f"ab_test-{kind}"].caption
    assert "3 of 15 agents" in drawings["ab_test-weights"].caption
    assert "dashed: 95 %" in drawings["ab_test-weights"].caption


def test_a_typical_experiment_is_traced_by_default():
    """Of the first 16 the one whose stop is the nearest to the median; the caption says which."""
    from bandit_env.experiment import run

    world = {"rates": [0.1, 0.2], "min_days": 2, "max_days": 60, "visits_per_day": 30}
    agent = {"name": "thompson", "stopping": "value-remaining"}
    result = run(world, [agent], 200, seed=3, executor=1)
    [trace] = result.cells[0].traces
    rows = result.cells[0].episodes
    distance = (rows["stopping_day"] - rows["stopping_day"].median()).abs()
    assert distance[trace.replication] == distance[:16].min()
    assert len(trace.day) == rows["stopping_day"][trace.replication]
    assert trace.visits[-1].sum() + trace.served[-1] == rows["visits"][trace.replication]
    caption = {d.name: d for d in figures.all_figures(result)}["experiment-weights"].caption
    assert f"experiment {trace.replication}: of the first 16 the nearest to the median stop" in caption
