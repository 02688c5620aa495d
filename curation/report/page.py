"""The report as a page: one HTML file that opens offline, without scripts and without requests.

`render` takes the values of report.json (docs/report.md describes them) and returns HTML. All texts from the web are
escaped. A content security policy also forbids scripts and all addresses except `data:` images, so a hostile alt-text
stays a text even where an escape is missing.
"""

from importlib.resources import files
from typing import Any

from curation.core import storage
from curation.report import balance_section, coverage_section, sections
from curation.report.html_tables import BEFORE_AFTER
from curation.report.numbers import byte_size, escape, exact_number, number, number_in_words, plural, web_text

FORMAT = 1
"""Version of report.json; it rises when a value changes its meaning or is removed."""

PAGE, VALUES = "index.html", "report.json"
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_SECTIONS = (
    ("Funnel", "Every record, accounted for", sections.funnel),
    ("Balance", "The head comes down, the tail stays", balance_section.balance),
    ("Samples", "What came out", balance_section.samples),
    ("Languages", "Language by language", sections.languages),
    ("Benchmarks", "Which classes are in there", coverage_section.benchmarks),
    ("Domains", "Whose images they are", sections.domains),
    ("Texts", "How much a text says", sections.texts),
    ("Images", "Downloads and images", sections.images),
    ("Problems", "What could not be used", sections.problems),
    ("Run", "How it was made", sections.run),
)
_MOSAIC_IMAGES = 12
"""Thumbnails beside the headline; a report with fewer samples has none."""


def write_report(folder: str, report: dict[str, Any]) -> None:
    """Write `index.html` and `report.json`, in this order, into a folder."""
    storage.write_bytes(storage.join(folder, PAGE), render(report).encode("utf-8"))
    storage.write_json(storage.join(folder, VALUES), report)


def is_written(folder: str, run_id: str) -> bool:
    """Whether the folder holds the complete report with this id."""
    try:
        written = storage.read_json(storage.join(folder, VALUES))["run"].get("id") == run_id
    except (FileNotFoundError, ValueError, KeyError):
        return False
    return written and storage.exists(storage.join(folder, PAGE))


def render(report: dict[str, Any]) -> str:
    """Return the page of a report; raises ValueError for another format, and if a stage loses rows."""
    if report.get("format") != FORMAT:
        raise ValueError(f"report.json has format {report.get('format')!r}, expected {FORMAT}")
    check_balance(report)
    bodies = [(name, title, html) for name, title, body in _SECTIONS if (html := body(report))]
    links = "".join(f'<li><a href="#{name.lower()}">{name}</a></li>' for name, _, _ in bodies)
    main = "".join(f'<section id="{name.lower()}"><h2>{title}</h2>{html}</section>' for name, title, html in bodies)
    style = files("curation.report").joinpath("report.css").read_text("utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        f'<link rel="icon" href="data:,"><title>{escape(_headline(report))} · headtail</title>'
        f"<style>{style}{balance_section.tab_rules(len(report['entries']))}</style></head><body>"
        f'{_header(report)}<nav aria-label="Contents"><ul>{links}</ul></nav><main>{main}</main>'
        f"<footer>Written by headtail {escape(report['run']['versions'].get('headtail', ''))}. "
        "The same numbers are in <code>report.json</code> beside this page.</footer></body></html>\n"
    )


def check_balance(report: dict[str, Any]) -> None:
    """Raise ValueError that names each stage whose rows_in is not rows_out + drops."""
    faults = []
    for stage in report["stages"]:
        lost = stage["rows_in"] - stage["rows_out"] - sum(drop["count"] for drop in stage["drops"])
        if lost:
            faults.append(f"{stage['stage']}: {lost} of {stage['rows_in']} rows unaccounted for")
    if faults:
        raise ValueError("; ".join(faults))


def _headline(report: dict[str, Any]) -> str:
    steps = report["overview"]
    first = next((step for step in steps if step["headline"]), steps[0])
    records, samples = (f"{number_in_words(step['count'])} {step['unit']}" for step in (first, steps[-1]))
    return f"{records} became {samples}"


def _header(report: dict[str, Any]) -> str:
    steps = report["overview"]
    highest = max(step["count"] for step in steps) or 1
    rows = "".join(
        f'<li class="{"kept" if step["balanced"] else ""}"><span>{escape(step["label"])}</span>'
        f'<span class="count">{exact_number(step["count"])}</span><span class="track" aria-hidden="true">'
        f'<span style="width:{step["count"] / highest * 100:.4g}%"></span></span></li>'
        for step in steps
    )
    pictures = [balance_section.picture(sample["thumbnail"]) for sample in report["samples"][:_MOSAIC_IMAGES]]
    tiles = "".join(f'<img src="{picture}" alt="">' for picture in pictures)
    mosaic = f'<div class="mosaic" aria-hidden="true">{tiles}</div>' if len(pictures) == _MOSAIC_IMAGES else ""
    return (
        '<header><div class="lead"><div>'
        f'<p class="kicker">Curation report · {escape(report["run"]["finished"][:10])}</p>'
        f'<h1>{escape(_headline(report))}</h1><p class="standfirst">{_introduction(report)}</p>{_notes(report)}</div>'
        f"{mosaic}</div>"
        f'<ol class="overview">{rows}</ol>{BEFORE_AFTER}</header>'
    )


def _notes(report: dict[str, Any]) -> str:
    """Return the notes on tables that are not shown, which reports of older versions lack."""
    notes = "".join(f"<li>{web_text(note, 600)}</li>" for note in report.get("notes", ()))
    return f'<ul class="notes">{notes}</ul>' if notes else ""


def _introduction(report: dict[str, Any]) -> str:
    inputs = report["run"]["inputs"]
    languages = [language for language in report["languages"] if language["matches"]]
    images = sum(row["before"] for row in report["texts_per_image"])
    sentences = (
        [f"The run read {plural(inputs['files'], 'input file')} ({byte_size(inputs['bytes'])})."]
        if inputs["files"]
        else []
    )
    if languages:
        texts = sum(language["texts"] for language in languages)
        sentences.append(
            f"At least one entry of the metadata occurs in {plural(texts, 'distinct text')} of "
            f"{plural(images, 'image')}, in {plural(len(languages), 'language')}."
        )
    if report["entries"] and report["entries"][0]["top_before"]:
        largest = report["entries"][0]
        top = largest["top_before"][0]
        if top["after"] < top["before"]:
            sentences.append(
                f"Balancing thinned the head: {escape(largest['name'])} texts with the most frequent entry, "
                f"“{web_text(top['entry'], 40)}”, went from {number(top['before'])} to {number(top['after'])}."
            )
        else:
            sentences.append("No entry is frequent enough for balancing to thin it.")
    return " ".join(sentences)
