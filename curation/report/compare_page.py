"""A comparison of runs as a page: one HTML file that opens offline, without scripts and requests."""

from collections.abc import Sequence
from importlib.resources import files

from curation.report.compare import Comparison
from curation.report.compare_text import MEASURES, TABLE_NAMES, cells, change, heads, letters
from curation.report.html_tables import collapsible_table, html_table, table_row
from curation.report.numbers import escape, exact_number, number, percent, plural, web_text

MARK = "<!doctype html><!-- a comparison of headtail -->"
"""The beginning of each such page: a file that begins otherwise is not replaced."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
NAME_CHARACTERS, TEXT_CHARACTERS = 120, 200


def comparison_page(found: Comparison) -> str:
    """Return the page: runs, settings, overlaps, entries that moved, and each number with its difference."""
    style = files("curation.report").joinpath("report.css").read_text("utf-8")
    sections = [
        ("Settings that differ", _settings(found)),
        ("Images in common", _overlaps(found)),
        ("Entries that moved most", _moves(found)),
        *((_title(name), _numbers(found, name)) for name in _section_names(found)),
    ]
    main = "".join(f"<section><h2>{title}</h2>{body}</section>" for title, body in sections if body)
    runs = "".join(
        f"<li><b>{letter}</b> {web_text(name, NAME_CHARACTERS)}</li>"
        for letter, name in zip(letters(found), found.labels, strict=True)
    )
    notes = "".join(f"<li>{web_text(note)}</li>" for note in found.notes)
    return (
        f'{MARK}<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        f'<link rel="icon" href="data:,"><title>{plural(len(found.labels), "run")} compared · headtail</title>'
        f'<style>{style}</style></head><body><header><p class="kicker">Comparison</p>'
        f"<h1>{plural(len(found.labels), 'run')} side by side</h1><ul>{runs}</ul>"
        f"<p>{number(len(found.differing))} of {plural(len(found.numbers), 'number')} differ. Differences are from A."
        "</p>"
        f"{f'<ul class=notes>{notes}</ul>' if notes else ''}</header><main>{main}</main></body></html>\n"
    )


def _settings(found: Comparison) -> str:
    rows = [
        table_row(escape(key), [web_text(value, NAME_CHARACTERS) or "–" for value in values])
        for key, values in found.settings
    ]
    return _scrolling(["Setting", *letters(found)], rows, "settings") if rows else ""


def _overlaps(found: Comparison) -> str:
    heads_ = ["", "In both", "Only in A", "Only in it", "Share of the union", "Same caption, of both"]
    shown = ""
    for table, overlaps in found.overlaps.items():
        rows = [
            table_row(
                letter,
                [
                    *(exact_number(n) for n in (each.both, each.first - each.both, each.second - each.both)),
                    percent(each.both, each.union),
                    percent(each.same_text, each.both),
                ],
            )
            for letter, each in zip(letters(found)[1:], overlaps, strict=True)
        ]
        shown += f"<h3>{TABLE_NAMES[table].capitalize()}</h3>{html_table(heads_, rows, 'pairs')}"
        for letter, each in zip(letters(found)[1:], overlaps, strict=True):
            for name, images in (("A", each.only_first), (letter, each.only_second)):
                items = "".join(f"<li>{web_text(image['text'], TEXT_CHARACTERS)}</li>" for image in images)
                told = f"Some of those only in {name}, compared with {letter if name == 'A' else 'A'}"
                shown += f'<details class="more"><summary>{told}</summary><ul>{items}</ul></details>' if items else ""
    return shown


def _moves(found: Comparison) -> str:
    if not found.moves:
        return ""
    shown = f"<p>Counted are {MEASURES[found.moves.measure]}.</p>"
    for k, letter in enumerate(letters(found)[1:]):
        columns = ""
        for word, moves in (("Gained", found.moves.gained[k]), ("Lost", found.moves.lost[k])):
            rows = [
                table_row(
                    f'{web_text(row["entry"], NAME_CHARACTERS)} <code class="soft">{escape(row["lang"])}</code>',
                    [number(row["before"]), number(row["after"]), change(row["before"], row["after"])],
                )
                for row in moves
            ]
            table = html_table(["Entry", "A", letter, "Difference"], rows, "pairs") if rows else "<p>None.</p>"
            columns += f"<div><h3>{word} in {letter}</h3>{table}</div>"
        shown += f'<div class="beside">{columns}</div>'
    return shown


def _section_names(found: Comparison) -> list[str]:
    return list(dict.fromkeys(path.partition(".")[0] for path, _ in found.numbers))


def _title(name: str) -> str:
    return escape(name.replace("_", " ").capitalize())


def _numbers(found: Comparison, name: str) -> str:
    rows = [table_row(web_text(path, NAME_CHARACTERS), cells(values)) for path, values in found.section(name)]
    return _scrolling(["", *heads(found)], rows, "numbers")


def _scrolling(columns: Sequence[str], rows: Sequence[str], noun: str) -> str:
    table = collapsible_table(rows, lambda some: html_table(columns, some, "wide"), noun)
    return f'<div class="scroll">{table}</div>'
