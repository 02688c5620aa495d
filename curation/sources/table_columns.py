"""Whether a table has the columns that extraction reads, as texts: asked at the start of the file, before a run."""

import shlex
from collections.abc import Iterable
from typing import Any, BinaryIO

from curation.core.text_marks import MARK_BYTES, packed_form
from curation.sources.archives import ReadLog
from curation.sources.caption_tables import TableColumns, TableReader, mistyped, mistyped_line
from curation.sources.json_text import decode_json

FIRST_ROWS = 100
USUAL_URLS = ("url", "image_url", "img_url", "image_urls", "link", "src", "image")
USUAL_TEXTS = ("text", "caption", "alt", "alt_text", "title", "description", "txt", "top_caption")
USUAL_LANGUAGES = ("lang", "language", "lang_id")
"""Names of columns in tables that others publish, in lower case, the likeliest first."""
TEXT, LIST, UNKNOWN = "text", "list of texts", "null"
"""The type of a column that holds texts, of one that holds lists of them, and of one whose values are all null."""


def column_faults(file: BinaryIO, path: str, columns: TableColumns, rules: int = 2) -> list[str]:
    """Return what is wrong with the columns of a table, an empty list if nothing is, or the file is damaged.

    Of a file of lines, and of binary columns, the first FIRST_ROWS rows count. `rules` is the version of the source's
    rules.
    """
    if form := packed_form(file.read(MARK_BYTES)):
        return [f"it is a {form} file, and tables are read plain or packed with gzip: unpack it"]
    file.seek(0)
    log = ReadLog()
    reader = TableReader(file, log, path, columns, rules=rules)
    schema = reader.schema()
    if schema is not None:
        return (
            _missing(schema.names, columns.wanted, columns)
            or mistyped(schema, columns)
            or _binary_faults(reader, columns)
        )
    if log.faults:
        return []
    rows, names = reader.first_rows(FIRST_ROWS)
    if log.faults:
        return []
    if names is None:
        return _json_faults(rows, columns)
    return _missing(names, columns.wanted, columns) or _width_faults(rows, names, columns)


def _missing(there: Iterable[str], wanted: Iterable[str], columns: TableColumns) -> list[str]:
    missing = [name for name in wanted if name not in there]
    if not missing:
        return []
    if any("\0" in name for name in there):
        return [
            "its first line holds zero bytes: UTF-16 and UTF-32 are read with a byte order mark only; "
            "write the file with a mark, or in UTF-8"
        ]
    header = any("://" in name for name in there)
    cure = "set source.names, if the file has no header" if header else f"set {columns.settings_of(missing)}"
    meant = [] if header else _meant(missing, there, columns)
    likely = f", perhaps {' '.join(meant)}" if meant else ""
    return [f"there is no column {', '.join(missing)}, only {', '.join(there)}: {cure}{likely}"]


def _meant(missing: Iterable[str], there: Iterable[str], columns: TableColumns) -> list[str]:
    """Return the settings that name the columns which the missing ones may be: in another case, or of a usual name."""
    settings: dict[str, tuple[str, tuple[str, ...]]] = {}
    settings |= {columns.url: ("source.url_column", USUAL_URLS)} if columns.url in missing else {}
    settings |= {name: (f"source.text_columns.{key}", USUAL_TEXTS) for key, name in columns.texts if name in missing}
    settings |= {columns.lang: ("source.lang_column", USUAL_LANGUAGES)} if columns.lang in missing else {}
    free = [name for name in there if name not in columns.wanted]
    found = []
    for name, (setting, usual) in settings.items():
        names = [other for wanted in (name.lower(), *usual) for other in free if other.lower() == wanted]
        found += [shlex.quote(f"{setting}={other}") for other in names[:1]]
    return found


def _binary_faults(reader: TableReader, columns: TableColumns) -> list[str]:
    """Return a line for each binary column of URLs or texts of whose first values most are no UTF-8."""
    return [
        mistyped_line(name, "binary, and no UTF-8", columns)
        for name, values in reader.first_binaries(FIRST_ROWS).items()
        if 2 * sum(map(_is_utf8, values)) < len(values)
    ]


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _mistyped(types: dict[str, str], columns: TableColumns) -> list[str]:
    texts = [name for _, name in columns.texts if types.get(name, UNKNOWN) not in (TEXT, LIST, UNKNOWN)]
    urls = [columns.url] if types.get(columns.url, UNKNOWN) not in (TEXT, UNKNOWN) else []
    lang = [columns.lang] if types.get(columns.lang, UNKNOWN) not in (TEXT, UNKNOWN) else []
    return [mistyped_line(name, types[name], columns) for name in dict.fromkeys([*urls, *texts, *lang])]


def _json_faults(lines: list[bytes], columns: TableColumns) -> list[str]:
    """Judge values of JSON, where a key may be missing in any row: URL, one text and language have to be somewhere."""
    types: dict[str, str] = {}
    rows = [row for row in map(decode_json, lines) if isinstance(row, dict)]
    if not rows and lines and lines[0].lstrip().startswith(b"{"):
        return ["its first lines hold no whole JSON object: expected an object on each line, or one array of objects"]
    for row in rows:
        for name, value in row.items():
            found = _json_type(value)
            # A text among other values is kept, and the others are not.
            if found == TEXT or types.get(name, UNKNOWN) == UNKNOWN or (found == LIST and types[name] != TEXT):
                types[name] = found
    if not types:
        return []
    texts = [name for _, name in columns.texts]
    lost = [] if columns.url in types else [columns.url]
    lost += [] if any(name in types for name in texts) else texts
    lost += [] if not columns.lang or columns.lang in types else [columns.lang]
    return _missing(types, lost, columns) or _mistyped(types, columns)


def _json_type(value: Any) -> str:
    names = {str: TEXT, bool: "bool", int: "number", float: "number", dict: "object"}
    if not isinstance(value, list):
        return names.get(type(value), UNKNOWN)
    kinds = {_json_type(item) for item in value[:FIRST_ROWS]}
    if not kinds - {UNKNOWN}:
        return UNKNOWN
    return LIST if TEXT in kinds else f"list of {min(kinds - {UNKNOWN})}s"


def _width_faults(rows: list[list[str] | None], names: list[str], columns: TableColumns) -> list[str]:
    widths = {len(row) for row in rows if row is not None}
    if not widths or len(names) in widths:
        return []
    origin = "source.names" if columns.names else "the header"
    return [f"its rows have {' or '.join(map(str, sorted(widths)))} fields, and {origin} has {len(names)}"]
