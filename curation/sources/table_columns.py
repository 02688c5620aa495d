"""Whether a table has the columns that extraction reads, as texts: asked at the start of the file, before a run."""

from collections.abc import Iterable
from typing import Any, BinaryIO

import pyarrow as pa

from curation.sources.archives import ReadLog
from curation.sources.caption_tables import TableColumns, TableReader
from curation.sources.json_text import decode_json

FIRST_ROWS = 100
TEXT, UNKNOWN = "text", "null"
"""The type of a column that holds texts, and of one whose values are all null."""


def column_faults(file: BinaryIO, path: str, columns: TableColumns) -> list[str]:
    """Return what is wrong with the columns of a table, an empty list if nothing is, or the file is damaged.

    Of a file of lines, the first FIRST_ROWS rows count.
    """
    log = ReadLog()
    reader = TableReader(file, log, path, columns)
    schema = reader.schema()
    if schema is not None:
        types = {field.name: _type_name(field.type) for field in schema}
        return _missing(types, columns.wanted) or _mistyped(types, columns)
    if log.faults:
        return []
    rows, names = reader.first_rows(FIRST_ROWS)
    if log.faults:
        return []
    if names is None:
        return _json_faults(rows, columns)
    return _missing(names, columns.wanted) or _width_faults(rows, names, columns)


def _missing(there: Iterable[str], wanted: Iterable[str]) -> list[str]:
    missing = [name for name in wanted if name not in there]
    if not missing:
        return []
    header = any("://" in name for name in there)
    cure = "set source.names, if the file has no header" if header else "set source.url_column and source.text_columns"
    return [f"there is no column {', '.join(missing)}, only {', '.join(there)}: {cure}"]


def _mistyped(types: dict[str, str], columns: TableColumns) -> list[str]:
    texts = list(dict.fromkeys([columns.url, *(name for _, name in columns.texts)]))
    return [
        f"column {name} is {types[name]}, expected {TEXT}: set source.url_column and source.text_columns"
        for name in texts
        if types.get(name, UNKNOWN) not in (TEXT, UNKNOWN)
    ]


def _json_faults(lines: list[bytes], columns: TableColumns) -> list[str]:
    """Judge lines of JSON, where a key may be missing in any row: the URL and one text have to be somewhere."""
    types: dict[str, str] = {}
    for row in filter(lambda row: isinstance(row, dict), map(decode_json, lines)):
        for name, value in row.items():
            found = _json_type(value)
            # A text among other values is kept, and the others are not.
            if found == TEXT or types.get(name, UNKNOWN) == UNKNOWN:
                types[name] = found
    if not types:
        return []
    texts = [name for _, name in columns.texts]
    lost = [] if columns.url in types else [columns.url]
    lost += [] if any(name in types for name in texts) else texts
    return _missing(types, lost) or _mistyped(types, columns)


def _json_type(value: Any) -> str:
    names = {str: TEXT, bool: "bool", int: "number", float: "number", list: "list", dict: "object"}
    return names.get(type(value), UNKNOWN)


def _width_faults(rows: list[list[str] | None], names: list[str], columns: TableColumns) -> list[str]:
    widths = {len(row) for row in rows if row is not None}
    if not widths or len(names) in widths:
        return []
    origin = "source.names" if columns.names else "the header"
    return [f"its rows have {' or '.join(map(str, sorted(widths)))} fields, and {origin} has {len(names)}"]


def _type_name(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    binaries = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    if any(test(kind) for test in (*texts, *binaries)):
        return TEXT
    return UNKNOWN if pa.types.is_null(kind) else str(kind)
