"""The pages can be used with a screen reader, a keyboard, and by eyes that want contrast."""

import functools
import re
from pathlib import Path

import pytest

from curation.report.compare import compare
from curation.report.compare_page import comparison_page
from curation.report.page import render
from tests.accessible import contrast, faults
from tests.browser.report_example import example_page, example_report
from tests.conftest import ROOT
from tests.unit.report.test_compare import make_run, some_uids
from tests.unit.report.test_page import without_downloads

STYLE = (ROOT / "curation/report/report.css").read_text("utf-8")
SCHEMES = [
    dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.S)
]
"""The palette in light and dark."""


@functools.cache
def small_page() -> str:
    """Three sections of a page, with one of most things that repeat, and without a fault."""
    report = example_report()
    report |= {"entries": report["entries"][:2], "samples": report["samples"][:1]}
    for language in report["entries"]:
        language |= {name: rows[:1] for name, rows in language.items() if isinstance(rows, list)}
    html = re.sub('<section id="(?!balance|samples|hosts).*?</section>', "", render(report), flags=re.DOTALL)
    assert faults(html) == []
    return html


def test_pages_of_a_report_have_no_fault() -> None:
    assert faults(example_page()) == []
    report = example_report()
    without_downloads(report)
    assert faults(render(report)) == []


def test_the_page_of_a_comparison_has_no_fault(tmp_path: Path) -> None:
    counts = {("en", f"entry {k}"): k for k in range(9)}
    runs = [make_run(tmp_path / name, some_uids(k, 9), 5 + k, counts) for k, name in enumerate("ab")]
    assert faults(comparison_page(compare([str(run) for run in runs]))) == []


@pytest.mark.parametrize("colours", SCHEMES, ids=["light", "dark"])
def test_words_stand_out_from_every_ground(colours: dict[str, str]) -> None:
    """4.5 is what WCAG 2.2 asks for at level AA."""
    for ground in ("paper", "card", "faint"):
        for words in ("ink", "soft", "after", "mark"):
            assert contrast(colours[words], colours[ground]) >= 4.5, (words, ground)
    assert contrast(colours["paper"], colours["ink"]) >= 4.5, "the chosen tab"


def test_links_of_the_explorer_stand_out_from_their_ground() -> None:
    """The grounds are what browsers take for `Canvas`; opacity would dim a link without its colour telling so."""
    style = (ROOT / "curation/explore/static/explore.css").read_text("utf-8")
    light, dark = re.findall(r"--accent: (#[0-9a-f]{6})", style)
    assert contrast(light, "#ffffff") >= 4.5
    assert contrast(dark, "#121212") >= 4.5
    assert "opacity" not in style
    assert "background: Canvas" in style


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ((' lang="en"', ""), "html has no lang"),
        (("<h3>", "<h4>"), "h4 follows h2"),
        (('<th scope="row">', "<th>"), "th has no scope"),
        (('alt=""', ""), "img has no alt"),
        (('<main>', '<div>'), "0 times main"),
        (('<label for="tab-0">English</label>', ""), "tab-0 has no label"),
        (('role="img" aria-label', "aria-label"), "svg has no role and label"),
        (('id="tab-1"', 'id="tab-0"'), "an id stands twice"),
        (('<th scope="col">Domain</th>', '<th scope="col"></th>'), "th has no text"),
        (('tabindex="0"', ""), "what scrolls cannot be reached by the keyboard"),
        (('initial-scale=1', 'initial-scale=1, maximum-scale=1'), "viewport forbids to zoom, or is missing"),
    ],
    ids=["lang", "headings", "scope", "alt", "main", "label", "svg", "ids", "head cell", "scroll", "zoom"],
)  # fmt: skip
def test_each_fault_is_found(change: tuple[str, str], fault: str) -> None:
    html = small_page()
    assert change[0] in html
    assert fault in faults(html.replace(*change))
