"""What is shown of estimates that a run was asked for: bias, error and coverage, by hand."""

import io

import numpy as np
import pandas as pd
import pytest
import samples
from rich.console import Console
from scipy import stats

from bandit_env.cli import main
from bandit_env.views import estimates, figures, tables
from bandit_env.views.figures import estimated


@pytest.fixture
def cell():
    return samples.with_estimates(samples.cell())


def scene_of(cell):
    [scene] = figures.scenes(samples.run(cell)).values()
    return scene


def test_bias_error_and_coverage_by_hand(cell):
    table = estimates.summarise_cell(cell)
    assert table[["method", "quantity", "arm"]].to_numpy().tolist() == [
        ["wald", "rate", 0],
        ["wald", "rate", 1],
        ["wald", "difference", 1],
        ["e-process", "log_odds", 1],
    ]
    rows, found = cell.rows, table.iloc[2]
    error = rows["wald_difference_1"] - 0.01
    assert found["bias"] == pytest.approx(error.mean())
    assert found["bias_se"] == pytest.approx(stats.sem(error))
    assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    covered = (error.abs() <= 0.0196).mean()
    assert found["coverage"] == pytest.approx(covered)
    assert found["coverage_se"] == pytest.approx(np.sqrt(covered * (1 - covered) / 60))
    assert found["experiments"] == 60


def test_the_error_of_the_rmse_is_that_of_repeated_samples():
    """For normal errors the root mean square of n has a standard error of about sigma / sqrt(2 n)."""
    cell = samples.with_estimates(samples.cell(replications=2000), seed=4)
    found = estimates.summarise_cell(cell).iloc[0]
    assert found["rmse_se"] == pytest.approx(0.01 / np.sqrt(4000), rel=0.1)


def test_an_experiment_without_an_estimate_is_left_out(cell):
    cell.rows.loc[:9, ["wald_rate_1", "wald_rate_1_low", "wald_rate_1_high"]] = np.nan
    found = estimates.summarise_cell(cell).iloc[1]
    assert found["experiments"] == 50
    assert found["bias"] == pytest.approx((cell.rows["wald_rate_1"][10:] - 0.05).mean())


def test_an_interval_without_an_end_covers(cell):
    """The confidence sequence is unbounded where nothing is known yet: it holds the truth, and has no middle."""
    name = "e_process_log_odds_1"
    cell.rows[[name, f"{name}_low", f"{name}_high"]] = [np.nan, -np.inf, np.inf]
    found = estimates.summarise_cell(cell).iloc[3]
    assert (found["coverage"], found["experiments"]) == (1, 0)
    assert np.isnan(found["bias"])


def test_the_table_has_a_line_for_each(cell):
    console = Console(file=io.StringIO(), width=160)
    for table in tables.tables(samples.run(cell, samples.cell(agent="unasked")), 160):
        console.print(table)
    text = console.file.getvalue()
    found = estimates.summarise_cell(cell).iloc[2]
    line = next(line for line in text.splitlines() if "difference, arm 1" in line)
    assert f"{found['estimate']:.4f}" in line
    assert f"{found['bias']:+.4f} ± {found['bias_se']:.4f}" in line
    assert f"{100 * found['coverage']:.1f} ± {100 * found['coverage_se']:.1f} %" in line
    assert "log odds ratio, arm 1" in text
    assert estimates.table([samples.cell()]) is None


def test_the_figure_shows_bias_and_interval(cell):
    drawing = estimated.draw(scene_of(cell))
    panels = drawing.figure.axes
    assert len(panels) == 3
    points = [line.get_xdata()[0] for line in panels[0].lines if len(line.get_xdata()) == 1]
    expected = estimates.summarise_cell(cell)["bias"][:2]
    assert points == pytest.approx(expected.tolist())
    assert estimated.draw(scene_of(samples.cell())) is None


def test_a_run_leaves_a_table_and_a_figure(tmp_path, capsys):
    (tmp_path / "e.toml").write_text(
        'replications = 5\nestimates = ["aipw", "batched-ols"]\n[scenario]\nrates = [0.04, 0.05]\nmax_days = 20\n'
        '[[agents]]\nname = "thompson"\nfloor = 0.05\n'
    )
    out = tmp_path / "out"
    assert main(["run", str(tmp_path / "e.toml"), "--out", str(out)]) == 0
    table = pd.read_csv(out / "estimates.csv")
    assert table["method"].tolist() == ["aipw", "aipw", "aipw", "batched-ols"]
    assert (out / "figures" / "e-estimates.png").is_file()
    assert "batched-ols" in capsys.readouterr().out
