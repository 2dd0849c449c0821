"""The report: one HTML file with all of an analysis, that opens without the package and without a network."""

import re
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

import bandit_env
from bandit_env.desk.report import drawings, words
from bandit_env.desk.result import Analysis
from bandit_env.experiment.files import write_atomically

REPORT = "report.html"
STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #222; background: #fff;
  max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; line-height: 1.3; margin: .5rem 0 1rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.answer { font-size: 1.1rem; border-left: .3rem solid #0072B2; padding: .5rem 1rem; background: #F3F7FB; }
.check { border-left: .3rem solid #D55E00; padding: .4rem 1rem; background: #FCF4EE; margin: .5rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .35rem .5rem; text-align: right; vertical-align: top; border-bottom: 1px solid #ddd;
  white-space: nowrap; }
th { font-weight: 600; vertical-align: bottom; border-bottom-color: #666; white-space: normal; overflow-wrap: normal; }
th:first-child, td:first-child, .text { text-align: left; white-space: normal; }
td:first-child { min-width: 7rem; }
td .less { display: block; color: #666; font-size: .8rem; }
.asked td { background: #F3F7FB; }
figure { margin: 1.5rem 0; } figure svg { width: 100%; height: auto; min-width: 38rem; display: block; }
.quiet { color: #666; font-size: .9rem; }
"""


def write(result: Analysis, directory: str | Path) -> Path:
    """Write report.html and each figure as PNG and SVG; files of the same names are replaced.

    Returns:
        The report's path.

    Raises:
        OSError: the folder cannot be written.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    figures = []
    for drawing in drawings.draw(result):
        svg = drawings.save(drawing.figure, "svg")
        write_atomically(directory / f"{drawing.name}.svg", svg)
        write_atomically(directory / f"{drawing.name}.png", drawings.save(drawing.figure, "png"))
        figures.append((drawing.name, svg.decode()))
    path = directory / REPORT
    write_atomically(path, "\n".join(html(result, figures)).encode())
    return path


def html(result: Analysis, figures: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The page, line by line; every name from the table is escaped.

    Args:
        result: the analysis.
        figures: name and SVG text of each figure.
    """
    title = escape(words.question(result))
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>"
    yield f"<h1>{title}</h1>"
    yield f'<p class="answer">{escape(words.answer(result))}</p>'
    for check in result.checks:
        yield f'<p class="check"><b>{escape(check.check.capitalize())}.</b> {escape(check.message)}</p>'
    yield f"<p>{escape(words.remaining(result))}</p>"
    yield "<h2>The arms</h2>"
    yield from _arms(result)
    yield f"<h2>Tomorrow</h2>\n<p>{escape(words.tomorrow(result))}</p>"
    yield "<h2>How long</h2>"
    yield from (f"<p>{escape(sentence)}</p>" for sentence in words.forecasts(result))
    yield "<h2>Figures</h2>"
    for name, svg in figures:
        yield f'<figure class="wide">{inline(svg, name)}</figure>'
    yield "<h2>What each rule says</h2>"
    yield from _verdicts(result)
    yield f'<p class="quiet">{escape(words.assumptions(result))} bandit_env {escape(bandit_env.__version__)}.</p>'
    yield "</body>\n</html>"


def inline(svg: str, name: str) -> str:
    """An SVG file as a part of a page: without its prologue, and with names of its own for what it refers to."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", body)
    return body.replace("<svg", f'<svg role="img" aria-label="{escape(name)}"', 1)


def _row(cells: Iterable[str], tag: str = "td") -> str:
    return "".join(f"<{tag}>{cell}</{tag}>" for cell in cells)


def _both(first: str, second: str) -> str:
    return f'{escape(first)}<span class="less">{escape(second)}</span>'


def _arms(result: Analysis) -> Iterator[str]:
    visits = result.visits_tomorrow
    places = {arm.name: k for k, arm in enumerate(result.arms)}
    heading = (
        "arm",
        "visits",
        "conversions",
        "rate",
        "lift",
        "P(best)",
        "P(beats control)",
        "loss in 1,000",
        "tomorrow",
    )
    yield f'<div class="wide"><table><thead><tr>{_row(heading, "th")}</tr></thead><tbody>'
    for arm in words.shown(result):
        lift, beats = "control", ""
        if arm is not result.arms[0]:
            beats = words.percent(arm.probability_beats_control)
            value = "–" if arm.lift is None else f"{100 * arm.lift:+,.1f} %"
            lift = _both(value, words.lifts(arm.lift_interval) + " %")
        cells = (
            escape(arm.name),
            f"{arm.visits:,}",
            f"{arm.conversions:,}",
            _both(words.rate(arm.rate), words.interval(arm.rate_interval) + " %"),
            lift,
            escape(words.percent(arm.probability_best)),
            escape(beats),
            escape(words.loss(arm.expected_loss)),
            escape(words.percent(arm.weight))
            if visits is None
            else _both(words.percent(arm.weight), f"{visits[places[arm.name]]:,} visits"),
        )
        yield f"<tr>{_row(cells)}</tr>"
    yield "</tbody></table></div>"
    hidden = len(result.arms) - len(words.shown(result))
    if hidden:
        yield f'<p class="quiet">and {hidden:,} arms that are less likely to be the best.</p>'


def _verdicts(result: Analysis) -> Iterator[str]:
    yield '<div class="wide"><table><thead><tr><th>rule</th><th class="text">verdict, and why</th></tr></thead><tbody>'
    for verdict in result.verdicts:
        asked = ' class="asked"' if verdict.asked else ""
        said = f"<b>{escape(words.state(verdict))}</b><br>{escape(verdict.reason)}"
        yield f'<tr{asked}><td>{escape(verdict.rule)}</td><td class="text">{said}</td></tr>'
    yield "</tbody></table></div>"
