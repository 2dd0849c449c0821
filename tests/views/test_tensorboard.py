"""Event files, read back as TensorBoard reads them."""

import dataclasses
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import samples

from bandit_env.experiment.results import Classical
from bandit_env.views import series, tensorboard
from bandit_env.views.summary import summarise
from bandit_env.views.tensorboard import tags
from bandit_env.views.tensorboard.events import POINTS

DOCUMENT = Path(__file__).parents[2] / "docs" / "tensorboard.md"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (640).to_bytes(4, "big") + (480).to_bytes(4, "big")


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0, "histograms": 0, "images": 0})
    return events.Reload()


def scalars(folder):
    """Every scalar of a folder: {tag: [(step, value)]}."""
    events = read(folder)
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def write(cell, images=None):
    run = samples.run(cell, directory=cell.directory.parents[1])
    tensorboard.write(run, summarise(run), images)
    return run


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "ab_test" / "thompson"
    home.mkdir(parents=True)
    return home


def test_curves_are_means_by_day_over_all_replications(folder):
    cell = samples.cell(stops=[2, 3, 3, 5], replications=4, directory=folder)
    write(cell)
    found = scalars(folder)
    rows = cell.episodes
    assert [step for step, _ in found["regret/cumulative"]] == [1, 2, 3, 4, 5]
    assert found["regret/cumulative"][-1][1] == pytest.approx(rows["regret"].mean(), rel=1e-6)
    half = 1.96 * rows["regret"].std(ddof=1) / math.sqrt(4)
    assert found["regret/cumulative_upper"][-1][1] == pytest.approx(rows["regret"].mean() + half, rel=1e-4)
    assert found["regret/cumulative_lower"][-1][1] == pytest.approx(rows["regret"].mean() - half, rel=1e-4)
    daily = [value for _, value in found["regret/daily"]]
    assert sum(daily) == pytest.approx(rows["regret"].mean(), rel=1e-6)
    assert [value for _, value in found["experiments/running"]] == [1, 1, 0.75, 0.25, 0.25]
    last = cell.curves.iloc[-1]  # one experiment is left on the last day
    assert found["traffic/best_arm"][-1][1] == pytest.approx(last["best_arm_sum"], rel=1e-6)
    assert [value for _, value in found["posterior/value_remaining"]] == [0.25] * 5


def test_two_updates_a_day_are_one_step(folder):
    """Daily regret is the day's, not the last update's; a last half day is a day."""
    cell = samples.cell(stops=[5, 5], replications=2, updates_per_day=2, directory=folder)
    write(cell)
    found, curves = scalars(folder), cell.curves
    assert [step for step, _ in found["regret/daily"]] == [1, 2, 3]
    expected = [curves["regret_sum"][i : i + 2].sum() / 2 for i in (0, 2, 4)]
    assert [value for _, value in found["regret/daily"]] == pytest.approx(expected, rel=1e-6)
    assert found["regret/cumulative"][0][1] == pytest.approx(curves["cumulative_sum"][1] / 2, rel=1e-6)
    best = (curves["best_arm_sum"][0] + curves["best_arm_sum"][1]) / 4
    assert found["traffic/best_arm"][0][1] == pytest.approx(best, rel=1e-6)
    assert [step for step, _ in found["trace/0/weight/arm_1"]] == [1, 2, 3]
    weights = [value for _, value in found["trace/0/weight/arm_1"]]
    assert weights == pytest.approx(cell.traces[0].weights[[1, 3, 4], 1].tolist(), rel=1e-6)
    served = cell.traces[0].served
    expected = [served[:2].sum(), served[2:4].sum(), served[4]]
    assert [value for _, value in found["trace/0/visits"]] == pytest.approx(expected)


def test_where_an_update_is_a_visit_steps_are_visits(folder):
    cell = samples.cell(stops=[6, 4], replications=2, updates_per_day=4, visits_per_day=4, directory=folder)
    write(cell)
    assert series.time_unit(cell) == "visit"
    assert [step for step, _ in scalars(folder)["regret/daily"]] == [1, 2, 3, 4, 5, 6]


def test_long_curves_are_thinned(folder):
    """TensorBoard keeps 1,000 points of a tag, drawn at random; fewer are written, the first and the last of them."""
    cell = samples.cell(stops=[10_000, 9_000], replications=2, directory=folder)
    write(cell)
    for tag, points in scalars(folder).items():
        steps = [step for step, _ in points]
        assert steps == sorted(set(steps)), tag
        if tag == "regret/cumulative" or tag.startswith("trace/"):
            assert len(steps) == POINTS
            assert steps[:100] == list(range(1, 101))
            assert steps[-1] == 10_000
    size = sum(path.stat().st_size for path in folder.glob("events*.results"))
    assert size < 2_000_000


@pytest.mark.parametrize(("length", "points"), [(1, 5), (5, 5), (501, 500), (10_000, 500), (600, 500)])
def test_thinning_keeps_order_and_both_ends(length, points):
    kept = series.thin(length, points)
    assert len(kept) == min(length, points)
    assert (np.diff(kept) > 0).all()
    assert kept[0] == 0
    assert kept[-1] == length - 1


def test_traces_hold_weights_and_probabilities_by_day(folder):
    cell = samples.cell(directory=folder, traces=3)
    write(cell)
    found = scalars(folder)
    for trace in cell.traces:
        for name, expected in (("weight", trace.weights), ("probability_best", trace.probability_best)):
            for arm in range(2):
                points = found[f"trace/{trace.replication}/{name}/arm_{arm}"]
                assert [step for step, _ in points] == list(range(1, len(trace.day) + 1))
                assert [value for _, value in points] == pytest.approx(expected[:, arm].tolist(), rel=1e-6)
        assert [v for _, v in found[f"trace/{trace.replication}/rate/arm_1"]] == pytest.approx(
            trace.rates[:, 1].tolist()
        )
        assert [v for _, v in found[f"trace/{trace.replication}/visits"]] == pytest.approx(trace.served.tolist())
    assert found["trace/0/probability_best/arm_0"][0][1] == 0.5  # no data yet


def test_final_values_are_the_summary(folder):
    cell = samples.cell(directory=folder)
    write(cell)
    found, rows = scalars(folder), cell.episodes
    expected = {
        "stopping_day": rows["stopping_day"].mean(),
        "stopping_day_median": rows["stopping_day"].median(),
        "correct": rows["correct"].mean(),
        "regret": rows["regret"].mean(),
        "loss": rows["loss"].mean(),
        "undecided": 0,
        "claimed": 1,
        "wrong": 1 - rows["correct"].mean(),
        "ships_variation": (rows["declared_arm"] > 0).mean(),
        "days_saved": 223 - rows["stopping_day"].mean(),
        "conversions_saved": 22330 * 0.005 - rows["regret"].mean(),
    }
    assert {tag for tag in found if tag.startswith("final/")} == {f"final/{name}" for name in expected}
    for name, value in expected.items():
        assert found[f"final/{name}"] == [(60, pytest.approx(value, rel=1e-6))], name


def test_without_a_classical_test_savings_are_left_out(folder):
    write(samples.cell(directory=folder, drawn=True))
    found = read(folder).Tags()
    assert not {tag for tag in found["scalars"] + found["tensors"] if "saved" in tag}


def test_histograms_count_every_replication(folder):
    from tensorboard.util import tensor_util

    cell = samples.cell(directory=folder, replications=61)
    write(cell)
    events = read(folder)
    share = cell.episodes["visits_1"] / cell.episodes["visits"]
    ranges = {
        "stopping_day": cell.episodes["stopping_day"],
        "regret": cell.episodes["regret"],
        "conversions_saved": 111.65 - cell.episodes["regret"],
        "best_arm_share": share,
    }
    for name, values in ranges.items():
        points = events.Tensors(f"distribution/{name}")
        assert [point.step for point in points] == [8, 16, 23, 31, 39, 46, 54, 61]
        for point in points:
            buckets = tensor_util.make_ndarray(point.tensor_proto)
            assert buckets[:, 2].sum() == point.step
            assert buckets[0, 0] == pytest.approx(values[: point.step].min())
            assert buckets[-1, 1] == pytest.approx(values[: point.step].max())


def test_a_quantity_that_never_varies_has_a_histogram(folder):
    from tensorboard.util import tensor_util

    write(samples.cell(stops=[5] * 8, replications=8, directory=folder))
    last = read(folder).Tensors("distribution/stopping_day")[-1]
    assert tensor_util.make_ndarray(last.tensor_proto)[-1].tolist() == [5, 5, 8]


def test_hparams_hold_one_finished_row_per_cell(tmp_path):
    from tensorboard.plugins.hparams import api_pb2, metadata

    cells = [
        samples.cell(agent=name, directory=tmp_path / "ab_test" / name, parameters=more)
        for name, more in (("thompson", {}), ("epsilon-greedy", {"epsilon": 0.1, "ties": True, "arms": 3}))
    ]
    run = samples.run(*cells, directory=tmp_path)
    tensorboard.write(run, summarise(run))
    for cell in cells:
        events = read(cell.directory)
        content = {tag: events.SummaryMetadata(tag).plugin_data.content for tag in events.Tags()["tensors"]}
        start = metadata.parse_session_start_info_plugin_data(content[metadata.SESSION_START_INFO_TAG])
        end = metadata.parse_session_end_info_plugin_data(content[metadata.SESSION_END_INFO_TAG])
        assert end.status == api_pb2.STATUS_SUCCESS
        assert start.hparams["agent"].string_value == cell.agent
        assert start.hparams["agent.stopping"].string_value == "x"
        assert start.hparams["scenario.visits_per_day"].number_value == 100
        assert re.fullmatch(rf"{tmp_path.name} [0-9a-f]{{6}}/ab_test/{cell.agent}", start.group_name)
        for name, value in (("epsilon", "0.1"), ("arms", "3"), ("ties", "true")):  # no blank where an agent has none
            shown = value if cell.agent == "epsilon-greedy" else "–"
            assert start.hparams[f"agent.{name}"].string_value == shown
    page = metadata.parse_experiment_plugin_data(
        read(tmp_path / "figures").SummaryMetadata(metadata.EXPERIMENT_TAG).plugin_data.content
    )
    metrics = {info.name.tag for info in page.metric_infos}
    assert metrics == set(tags.SUMMARY_COLUMNS)
    assert metrics <= set(scalars(cells[0].directory))
    assert {info.name for info in page.hparam_infos} == set(start.hparams)
    assert [info.name for info in page.hparam_infos if info.differs] == ["agent", "run"]
    assert [info.name for info in page.hparam_infos][:3] == ["agent", "scenario", "run"]


def test_custom_scalars_find_their_lines(folder):
    from tensorboard.plugins.custom_scalar import layout_pb2

    write(samples.cell((0.1, 0.2, 0.3), directory=folder, traces=2))
    events = read(folder)
    layout = layout_pb2.Layout.FromString(events.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0])
    written = events.Tags()["scalars"]
    found = []
    for category in layout.category:
        for chart in category.chart:
            for line in chart.margin.series:
                assert {line.value, line.lower, line.upper} <= set(written)
            for pattern in chart.multiline.tag:
                matches = [tag for tag in written if re.match(pattern, tag)]
                assert len(matches) == 3
                found += matches
    assert sorted(found) == sorted(
        tag for tag in written if tag.startswith("typical/") and "/rate/" not in tag and "visits" not in tag
    )


def test_text_and_images(folder):
    run = write(samples.cell(directory=folder), {"regret": PNG})
    events = read(run.directory / "figures")
    table = events.Tensors("results/table")[0].tensor_proto.string_val[0].decode()
    assert "| | ab_test: thompson |" in table
    assert f"| median_day | {run.cells[0].episodes['stopping_day'].median():.5g} |" in table
    assert '"seed": 2013' in events.Tensors("setup/configuration")[0].tensor_proto.string_val[0].decode()
    assert '"rates"' in read(folder).Tensors("setup/parameters")[0].tensor_proto.string_val[0].decode()
    assert events.Tensors("figures/regret")[0].tensor_proto.string_val == [b"640", b"480", PNG]
    assert events.SummaryMetadata("figures/regret").plugin_data.plugin_name == "images"


def test_writing_again_replaces(folder):
    """Two files with the same curve would be drawn as one line that runs back to its beginning."""
    with tensorboard.Progress(folder) as progress:
        progress.update(10, stopping_day=4, regret=2, correct=0.5)
    cell = samples.cell(directory=folder)
    write(cell)
    before = scalars(folder)
    write(cell)
    assert scalars(folder) == before
    assert sorted(path.suffix for path in folder.glob("events*")) == [".progress", ".results"]


def test_progress_can_be_followed(folder):
    with tensorboard.Progress(folder) as progress:
        assert not list(folder.iterdir())  # nothing before the first replication
        progress.update(1000, stopping_day=50, regret=14.5, correct=0.96)
        assert scalars(folder)["progress/regret"] == [(1000, 14.5)]  # there at once, not at the end
        progress.update(2000, stopping_day=49, regret=14, correct=0.97)
    found = scalars(folder)
    assert found["progress/stopping_day"] == [(1000, 50), (2000, 49)]
    assert found["progress/correct"] == [(1000, pytest.approx(0.96)), (2000, pytest.approx(0.97))]


def test_progress_of_a_new_run_removes_what_the_old_one_left(folder):
    write(samples.cell(directory=folder))
    with tensorboard.Progress(folder) as progress:
        progress.update(1, stopping_day=5, regret=1, correct=1)
    assert set(scalars(folder)) == {"progress/stopping_day", "progress/regret", "progress/correct"}


def test_each_tag_is_documented_and_each_documented_tag_is_written(folder):
    """docs/tensorboard.md has a line for each tag, with its unit and formula, and no other."""
    with tensorboard.Progress(folder) as progress:
        progress.update(1, stopping_day=5, regret=1, correct=1)
    run = write(samples.with_estimates(samples.cell(directory=folder)), {"regret": PNG})
    written = set()
    for place in (folder, run.directory / "figures"):
        found = read(place).Tags()
        written |= {*found["scalars"], *found["tensors"]}
    shapes = {re.sub(r"arm_\d+$", "arm_<k>", re.sub(r"^trace/\d+", "trace/<replication>", tag)) for tag in written}
    shapes = {re.sub("^typical/.*/(?=(weight|rate|probability_best|visits))", tags.TYPICAL, tag) for tag in shapes}
    shapes = {re.sub("^figures/.*", "figures/<name>", tag) for tag in shapes}
    shapes = {re.sub("^estimate/[^/]+/[^/]+/", "estimate/<method>/<quantity>/", tag) for tag in shapes}
    documented = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\| `(.+?)` \| (.+?) \| (.+?) \|$", line):
            documented[found[1]] = found[2], found[3]
    assert {tag for tag in shapes if not tag.startswith(("_hparams_/", "custom_scalars__"))} == set(documented)
    known = [tag for name, group in vars(tags).items() if name.endswith("_TAGS") for tag in group]
    assert {tag.name: (tag.unit, tag.formula) for tag in known} == documented


def test_every_scalar_is_described_where_it_is_shown(folder):
    write(samples.cell(directory=folder))
    events = read(folder)
    for tag in events.Tags()["scalars"]:
        assert events.SummaryMetadata(tag).summary_description.startswith("In "), tag


def test_an_experiment_that_never_runs_can_be_shown(folder):
    """An agent that stops before the first visit: no curve, no share of traffic, but its rows."""
    cell = samples.cell(stops=[1, 1], replications=2, directory=folder)
    counts = [f"{name}{arm}" for name in ("visits", "conversions") for arm in ("", "_0", "_1")]
    cell.rows.loc[:, ["stopping_day", "regret", *counts]] = 0
    write(dataclasses.replace(cell, curves=cell.curves.iloc[:0], traces=[]))
    assert scalars(folder)["final/stopping_day"] == [(2, 0)]


def test_nothing_is_loaded_before_it_is_needed():
    code = (
        "import sys, bandit_env.views.tensorboard as t;"
        "print('tensorboard' in sys.modules);"
        "t.Progress('nowhere').close(); print('tensorboard' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "False"]


def test_tensorflow_is_never_asked_for(folder):
    write(samples.cell(directory=folder))
    assert "tensorboard.plugins.hparams.summary" not in sys.modules  # it imports TensorFlow when it is used
    assert "tensorflow" not in sys.modules


def test_savings_follow_the_classical_tests_cost(folder):
    """Scott (2013), six arms: 919 days and 91,842 visits; its cost of 1,224.56 conversions is visits x mean gap."""
    rates = (0.04, 0.05, 0.045, 0.03, 0.02, 0.035)
    cell = samples.cell(rates, directory=folder, classical=Classical(91842, 919))
    write(cell)
    found = scalars(folder)
    total = found["final/conversions_saved"][0][1] + found["final/regret"][0][1]
    assert total == pytest.approx(1224.56, abs=0.01)


def trials(*homes):
    """The names of all rows of the hparams page, of some runs' folders."""
    from tensorboard.plugins.hparams import metadata

    for home in homes:
        events = read(home / "ab_test" / "thompson")
        content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
        yield metadata.parse_session_start_info_plugin_data(content).group_name


def test_rows_of_two_runs_are_never_one(tmp_path):
    """TensorBoard shows the mean of rows that have the same trial id."""
    homes = [tmp_path / path for path in ("monday", "tuesday", "elsewhere/monday")]
    for home in homes:
        cell = samples.cell(directory=home / "ab_test" / "thompson")
        cell.directory.mkdir(parents=True)
        write(cell)
    assert len(set(trials(*homes))) == 3


def test_no_declared_column_has_a_blank(tmp_path):
    """One blank, and TensorBoard leaves a row out of the parallel coordinates."""
    from tensorboard.plugins.hparams import metadata

    equal = samples.cell((0.04, 0.04), agent="a", scenario="aa", directory=tmp_path / "aa" / "a")
    other = samples.cell(agent="b", directory=tmp_path / "ab_test" / "b", parameters={"gamma": 2.0})
    run = samples.run(equal, other, directory=tmp_path)
    tensorboard.write(run, summarise(run))
    content = read(tmp_path / "figures").SummaryMetadata(metadata.EXPERIMENT_TAG).plugin_data.content
    page = metadata.parse_experiment_plugin_data(content)
    for cell in run.cells:
        found = read(cell.directory)
        start = metadata.parse_session_start_info_plugin_data(
            found.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
        )
        assert {info.name for info in page.hparam_infos} == set(start.hparams)
        assert {info.name.tag for info in page.metric_infos} <= set(found.Tags()["scalars"])
    assert "final/correct" not in {info.name.tag for info in page.metric_infos}  # equal arms have none


VALUE = "agents.stopping.posterior:ValueRemaining"


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (
            {"rule": "agents.stopping.posterior:ValueRemaining", "threshold": 0.01, "confidence": 0.95},
            "value-remaining(0.01)",
        ),
        (
            {"rule": "agents.stopping.posterior:ValueRemaining", "threshold": 0.01, "confidence": 0.9},
            "value-remaining(0.01, confidence=0.9)",
        ),
        (
            {"any": [{"rule": "beats-control", "confidence": 0.95}, {"rule": "after", "days": 28}]},
            "beats-control(0.95) | after(28)",
        ),
        ({"memory": "agents.memories:Discounted", "factor": 0.98}, "discounted(0.98)"),
        ({"rule": "gone.away:Rule", "x": 1}, "Rule(x=1)"),
    ],
)
def test_rules_are_written_as_one_reads_them(part, words):
    from bandit_env.views.tensorboard import hparams

    assert hparams.words(part) == words


def test_time_series_begins_with_regret(folder):
    """TensorBoard sorts the groups of its first page by name; there, histograms came first."""
    write(samples.cell(directory=folder))
    found = read(folder).Tags()
    groups = sorted({tag.split("/")[0] for tag in found["scalars"] + found["tensors"] if not tag.startswith("_")})
    assert next(group for group in groups if not group.startswith("custom_scalars")) == "conversions_lost"
    assert scalars(folder)["conversions_lost/regret"] == scalars(folder)["regret/cumulative"]


def test_what_tensorboard_does_to_curves_is_said_where_they_are(folder):
    run = write(samples.cell(directory=folder))
    assert "smooths by 0.6" in read(folder).SummaryMetadata("regret/cumulative").summary_description
    page = read(run.directory / "figures").Tensors("setup/reading")[0].tensor_proto.string_val[0].decode()
    assert "Smoothing" in page
    assert "outliers" in page
