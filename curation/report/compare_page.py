"""A comparison of runs as a page: one HTML file that opens offline, without scripts and requests."""

from importlib.resources import files

from markupsafe import Markup

from curation.report.compare import Comparison
from curation.report.compare_text import MEASURES, TABLE_NAMES, cells, change, heads, letters
from curation.report.template import render_template

MARK = "<!doctype html><!-- a comparison of headtail -->"
"""The beginning of each such page: a file that begins otherwise is not replaced."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def comparison_page(found: Comparison) -> str:
    """Return the page: runs, settings, overlaps, entries that moved, and each number with its difference."""
    names = letters(found)
    sections = list(dict.fromkeys(path.partition(".")[0] for path, _ in found.numbers))
    page = render_template(
        "compare",
        policy=_POLICY,
        style=Markup(files("curation.report").joinpath("report.css").read_text("utf-8")),
        found=found,
        letters=names,
        heads=heads(found),
        runs=list(zip(names, found.labels, strict=True)),
        overlaps=[
            (TABLE_NAMES[table].capitalize(), list(zip(names[1:], overlaps, strict=True)))
            for table, overlaps in found.overlaps.items()
        ],
        measure=MEASURES[found.moves.measure] if found.moves else "",
        change=change,
        numbers=[
            (name.replace("_", " ").capitalize(), [(path, cells(values)) for path, values in found.section(name)])
            for name in sections
        ],
    )
    return f"{MARK}{page}\n"
