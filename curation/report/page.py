"""The report as a page: one HTML file that opens offline and asks nobody for anything.

`render` takes the values of report.json (docs/report.md describes them) and returns HTML. The templates escape all
values. A content security policy also forbids all scripts but those of `page_scripts`, and all addresses except `data:`
images, so a hostile alt-text stays a text even where an escape is missing.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from curation.core import storage
from curation.core.choices import Obey
from curation.report import coverage_section
from curation.report.numbers import number_in_words
from curation.report.page_scripts import policy
from curation.report.search_files import Search
from curation.report.template import render_template

FORMAT = 2
"""Version of report.json; it rises when a value changes its meaning or is removed, or the page needs a new one."""

PAGE, VALUES = "index.html", "report.json"
Values = Mapping[str, Any]
_MOSAIC_IMAGES = 12
"""Thumbnails beside the headline; a report with fewer samples has none."""
_DECIDED_BY = {
    "model": "the classifier", "script": "their script", "page": "their page", "given": "a column of the source",
    "unknown": "nothing: they are unknown",
}  # fmt: skip
_REFUSED = (
    "opted_out",
    *Obey,
    "removed",
    "blocked_host",
    "private_host",
    "private_address",
    "email",
    "listed_word",
    "face",
)


def _languages(report: Values) -> Markup:
    """Return the section of languages; the careful rule tells how many pairs were decided by what."""
    facts: Mapping[str, int] = next((one["facts"] for one in report["stages"] if one["stage"] == "extract_pairs"), {})
    decided = [(words, facts[f"lang_by.{by}"]) for by, words in _DECIDED_BY.items() if f"lang_by.{by}" in facts]
    return render_template("languages", report=report, decided=decided)


def _images(report: Values) -> Markup:
    arrived = sum(row["count"] for row in report["downloads"]["statuses"] if row["status"] == "success")
    return render_template("images", report=report, arrived=arrived)


def _rights(report: Values) -> Markup:
    refused = [(one, drop) for one in report["stages"] for drop in one["drops"] if drop["reason"] in _REFUSED]
    return render_template("rights", report=report, refused=refused)


def _section(name: str) -> Callable[[Values], str]:
    return lambda report: render_template(name, report=report)


_SECTIONS: tuple[tuple[str, str, Callable[[Values], str]], ...] = (
    ("Summary", "What was checked", _section("summary")),
    ("Funnel", "Every record, accounted for", _section("funnel")),
    ("Balance", "The head comes down, the tail stays", _section("balance")),
    ("Concepts", "What images are known to show", _section("concepts")),
    ("Forecast", "What another threshold would keep", _section("forecast")),
    ("Samples", "What came out", _section("samples")),
    ("Languages", "Language by language", _languages),
    ("Search", "Look an entry up", _section("search")),
    ("Benchmarks", "Which classes are in there", coverage_section.benchmarks),
    ("Hosts", "Whose images they are", _section("hosts")),
    ("Texts", "How much a text says", _section("texts")),
    ("Images", "Downloads and images", _images),
    ("Rights", "Rights and people", _rights),
    ("Problems", "What could not be used", _section("problems")),
    ("Cost", "What it took", _section("cost")),
    ("Limits", "Limits and intended use", _section("limits")),
    ("Load", "How to load and train", _section("load")),
    ("Run", "How it was made", _section("run")),
)
"""Name, title and body of each section, as HTML; a section without a body is left out."""


def write_report(folder: str, report: dict[str, Any], search: Search | None = None) -> None:
    """Write `index.html` and `report.json`, in this order, into a folder."""
    storage.write_bytes(storage.join(folder, PAGE), render(report, search).encode("utf-8"))
    storage.write_json(storage.join(folder, VALUES), report)


def is_written(folder: str, run_id: str) -> bool:
    """Whether the folder holds the complete report with this id."""
    try:
        written = storage.read_json(storage.join(folder, VALUES))["run"].get("id") == run_id
    except (FileNotFoundError, ValueError, KeyError):
        return False
    return written and storage.exists(storage.join(folder, PAGE))


def render(report: dict[str, Any], search: Search | None = None) -> str:
    """Return the page of a report, with what it searches; raises ValueError for another format, or if rows are lost."""
    if report.get("format") != FORMAT:
        raise ValueError(f"report.json has format {report.get('format')!r}, expected {FORMAT}")
    check_balance(report)
    report = {"forecast": None, **report, "search": search}
    bodies = ((name, title, Markup(body(report))) for name, title, body in _SECTIONS)
    page = partial(render_template, report=report, headline=_headline(report))
    style = files("curation.report").joinpath("report.css").read_text("utf-8")
    return str(
        page(
            "page",
            policy=policy(),
            style=Markup(style),
            header=page("header", **_introduction(report)),
            sections=[
                {"id": name.lower(), "name": name, "title": title, "body": body} for name, title, body in bodies if body
            ],
        )
    )


def check_balance(report: Values) -> None:
    """Raise ValueError that names each stage whose rows_in is not rows_out + drops."""
    faults = []
    for stage in report["stages"]:
        lost = stage["rows_in"] - stage["rows_out"] - sum(drop["count"] for drop in stage["drops"])
        if lost:
            faults.append(f"{stage['stage']}: {lost} of {stage['rows_in']} rows unaccounted for")
    if faults:
        raise ValueError("; ".join(faults))


def _headline(report: Values) -> str:
    steps = report["overview"]
    first = next((step for step in steps if step["headline"]), steps[0])
    records, samples = (f"{number_in_words(step['count'])} {step['unit']}" for step in (first, steps[-1]))
    return f"{records} became {samples}"


def _introduction(report: Values) -> dict[str, Any]:
    matched = [language for language in report["languages"] if language["matches"]]
    samples = report["samples"][:_MOSAIC_IMAGES]
    return {
        "texts": sum(language["texts"] for language in matched),
        "images": sum(row["before"] for row in report["texts_per_image"]),
        "languages": len(matched),
        "mosaic": samples if len(samples) == _MOSAIC_IMAGES else [],
    }
