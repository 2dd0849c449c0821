"""What a person sees: TensorBoard on a run, in a real browser. Skipped where there is no Chromium."""

import io
import re
import sys

import chromium
import pytest
from PIL import Image

from bandit_env.experiment import results, run
from bandit_env.views import report

REASON = chromium.missing()
pytestmark = [
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
    pytest.mark.timeout(300),  # the first of them plays a run and starts two programs
    pytest.mark.xdist_group("browser"),  # one browser and one TensorBoard for all of them
]
CLICK = """
const visit = node => {
  if (node.shadowRoot) visit(node.shadowRoot);
  if (node.nodeName === 'PAPER-TAB' && node.textContent.toUpperCase().includes('WORDS')) node.click();
  node.childNodes.forEach(visit);
};
visit(document.body);
"""
AGENTS = ("thompson", "epsilon-greedy", "uniform")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from rich.console import Console

    home = tmp_path_factory.mktemp("runs") / "seen"
    world = {"name": "ab_test", "rates": [0.04, 0.05], "max_days": 60}
    run([world], AGENTS, replications=30, seed=5, out=home, classical={"visits": 22330, "days": 223}, traces=2)
    report.write(results.read(home), Console(file=io.StringIO()))
    return home


@pytest.fixture(scope="module")
def page(folder, tmp_path_factory):
    """Opens a page of TensorBoard, and waits until it shows some words; gives back all that it shows."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--host", "127.0.0.1", "--port", "0"]
    with (
        chromium.program(command, r"(http://127\S+) ") as said,
        chromium.browser(tmp_path_factory.mktemp("profile")) as browser,
    ):

        def show(name, *words, pictures=0, lines=0, click=""):
            def there(seen):
                return (
                    all(word in seen["text"] for word in words)
                    and sum(width > 0 for _, width in seen["images"]) >= pictures
                    and sum(length > 100 for length in seen["lines"]) >= lines
                )

            browser.open(f"{said[1]}#{name}")
            seen = browser.until(there)
            if click:
                browser.run(CLICK.replace("WORDS", click))
                seen = browser.until(lambda seen: sum(length > 30 for length in seen["lines"]) >= 3)
            assert [word for word in words if word not in seen["text"]] == []
            assert sum(width > 0 for _, width in seen["images"]) >= pictures
            assert sum(length > 100 for length in seen["lines"]) >= lines
            return seen

        yield show


def test_scalars_of_all_agents_lie_over_each_other(page):
    names = [f"ab_test/{agent}" for agent in AGENTS]
    page("scalars&tagFilter=regret", *names, "regret/cumulative", "regret/daily", lines=len(AGENTS))


def test_custom_scalars_show_all_arms_of_an_agent_in_one_chart(page):
    charts = [f"ab_test/{agent}, experiment" for agent in AGENTS]  # each a chart of its own
    words = ["Mean regret with its 95 % interval", "Serving weights of one experiment by day"]
    page("custom_scalars", *charts, *words, "Matches (2)", "Matches (3)", lines=6)  # 3: regret has a line per agent


@pytest.mark.parametrize("name", ["histograms", "distributions"])
def test_histograms(page, name):
    quantities = ("stopping_day", "regret", "conversions_saved", "best_arm_share")
    page(name, *(f"distribution/{quantity}" for quantity in quantities), "ab_test/thompson", lines=3)


def test_hparams_have_a_row_per_agent_with_real_values(page, folder):
    from bandit_env.views.summary import summarise

    table = summarise(results.read(folder))
    seen = page("hparams", *AGENTS, "stopping day (days)", "regret (conversions)")
    numbers = {float(number) for number in re.findall(r"-?\d+\.\d+", seen["text"])}
    for column in ("mean_day", "regret", "correct", "conversions_saved"):
        for value in table[column]:
            assert any(abs(number - value) <= 1e-3 * abs(value) for number in numbers), (column, value)


def test_parallel_coordinates_have_a_line_per_agent(page):
    seen = page("hparams", *AGENTS, click="PARALLEL COORDINATES VIEW")
    assert "stopping day (days)" in seen["text"]
    assert sum(length > 30 for length in seen["lines"]) >= len(AGENTS)


def test_time_series_opens_with_regret(page):
    seen = page("timeseries", "conversions_lost", "distribution")
    cards = seen["text"].partition("Pinned")[2]  # before it are the menus, one of which is called distributions
    assert cards.index("conversions_lost") < cards.index("distribution")


def test_images_are_our_figures(page, folder):
    expected = sorted(path.stem for path in (folder / "figures").glob("*.png"))
    seen = page("images", *(f"figures/{name}" for name in expected), pictures=len(expected))
    for path in (folder / "figures").glob("*.png"):
        with Image.open(path) as image:
            assert image.width in [width for _, width in seen["images"]]


def test_text_holds_configuration_and_results(page):
    page("text", "results/table", "median_day", "setup/configuration", '"replications": 30', "setup/parameters")
