"""The report as a colleague sees it: in a real browser, on a wide and on a narrow screen. Skipped without Chromium."""

import chromium
import numpy as np
import pytest

from bandit_env.desk import analyse
from bandit_env.desk.report import page

REASON = chromium.missing()
pytestmark = [
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("browser"),
]
NAMES = ["<img src=x onerror=\"document.title='hacked'\">", "a very long name " * 8, "名前 & $x$"]
LOOK = """
const shown = [...document.querySelectorAll('svg text')].map(node => node.textContent);
return {
  width: document.documentElement.scrollWidth, window: window.innerWidth, title: document.title, labels: shown,
  loaded: performance.getEntriesByType('resource').map(entry => entry.name),
  figures: [...document.querySelectorAll('figure svg')].map(node => node.getBoundingClientRect().height),
  broken: [...document.querySelectorAll('td, th')].filter(cell => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return !cell.matches(':first-child, .text') && range.getBoundingClientRect().height > 80;
  }).map(cell => cell.textContent),
};
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    rng = np.random.default_rng(3)
    visits = np.full(60, 200)
    table = {
        "date": np.repeat([f"2024-03-{day:02}" for day in range(1, 21)], 3),
        "arm": NAMES * 20,
        "visits": visits,
        "conversions": rng.binomial(visits, np.tile([0.04, 0.05, 0.055], 20)),
    }
    return page.write(analyse(table, replications=50), tmp_path_factory.mktemp("report"))


@pytest.mark.parametrize("width", [1300, 390])
def test_it_can_be_read(report, width, tmp_path):
    with chromium.browser(tmp_path) as browser:
        browser.resize(width, 900)
        browser.open(report.as_uri())
        seen = browser.run(LOOK)
        text = browser.until(lambda seen: bool(seen["text"]))["text"]
    assert seen["width"] <= seen["window"]  # what is wider scrolls in a box of its own
    assert seen["title"].startswith("Is one of 2 variations")  # no script of a name ran
    assert seen["loaded"] == []
    assert len(seen["figures"]) == 4
    assert min(seen["figures"]) > 150
    assert seen["broken"] == []
    for name in NAMES:
        assert " ".join(name.split())[:30] in text
    assert any("名前 & $x$" in label for label in seen["labels"])
