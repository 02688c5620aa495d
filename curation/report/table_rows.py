"""The first rows of a table as a person reads them: short lists, and words beside the ids of entries."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa

from curation.balancing.entry_table import is_free, read_words
from curation.core import storage
from curation.core.amounts import counted
from curation.core.errors import HeadtailError
from curation.core.own_tables import MANIFEST
from curation.core.parquet_sink import ROW_GROUP_ROWS
from curation.core.parts import Part
from curation.core.progress import say
from curation.core.table_reader import check_file, open_table_file
from curation.core.tables import Table
from curation.report.aligned_text import aligned, cut, one_line

SHOWN_ITEMS = 6
"""Items of a list that are shown; a text of an image shows fewer."""
SHOWN_TEXTS = 2
NULL = "-"
UNREADABLE = "unreadable"
_NO_PYTHON_VALUE = (ValueError, OverflowError, KeyError)
"""Python has no such value: a year outside of 1 to 9999, an unknown time zone, bytes that are no UTF-8."""
TEXT_PLACES = 32
"""Places of a text among those of an image, so that its entries are seen."""
WEIGHTS = {"texts": 4, "text": 2}
"""Columns that keep more places than others where the terminal is narrow."""
Words = Mapping[tuple[str, int], str]


@dataclass(frozen=True)
class ShownTable:
    """A table as `show` finds it: the folder of its parts, its Parquet files, and what is known of its size."""

    path: str
    files: list[str]
    rows: int | None = None
    parts: int = 0

    @classmethod
    def find(cls, path: str) -> Self | None:
        """Return the table at a path: a Parquet file, a folder of parts, a part, or a folder of Parquet files.

        None where the path is none of these. Raises HeadtailError for a table without a complete part.
        """
        path = path.rstrip("/")
        if path.endswith(".parquet") and storage.exists(path):
            return cls(path, [path])
        names = storage.list_folder(path)
        parts = Table(path).parts()
        if MANIFEST in names:
            parts = [Part.read(path)]
        if files := [file for part in parts for file in part.files]:
            return cls(path, files, _rows(parts), len(parts))
        files = [storage.join(path, name) for name in names if name.endswith(".parquet") and name[0] not in "._"]
        if files:
            return cls(path, files)
        if any(name.startswith("part-") for name in names) and not parts:
            raise HeadtailError(f"{path} holds no finished part yet: run its job again, it goes on where it stopped")
        return cls(path, [], 0, len(parts)) if parts else None

    def first(self, count: int) -> tuple[list[dict[str, Any]], dict[str, pa.DataType]]:
        """Return the first `count` rows, and the columns with their types; files may differ in their columns.

        Raises HeadtailError if the files are damaged, or were cleaned.
        """
        rows: list[dict[str, Any]] = []
        columns: dict[str, pa.DataType] = {}
        for file in self.files:
            check_file(file, pa.schema([]), further=None)
            for found, schema in _read(file, count - len(rows)):
                rows += found[: count - len(rows)]
                columns |= {field.name: field.type for field in schema if field.name not in columns}
                if len(rows) == count:
                    return rows, columns
        return rows, columns

    def lines(self, count: int, width: int, entries: str = "") -> list[str]:
        """Return the table's first rows as lines of at most `width` places, below a line about the table.

        `entries` is the path of the table that tells the words of entries.
        """
        rows, columns = self.first(count)
        words = _words(rows, entries)
        size = "" if self.rows is None else f", {counted(self.rows, 'rows')}"
        parts = f" in {counted(self.parts, 'parts')}" if self.parts > 1 else ""
        number = counted(len(self.files), "files")
        title = f"{self.path}{size}{parts}, {number}; the first {len(rows):,}:"
        header = list(columns)
        if words and "entry_id" in header and "entry" not in header:
            header.insert(header.index("entry_id") + 1, "entry")
        right = [k for k, name in enumerate(header) if name in columns and _is_number(columns[name])]
        weights = {k: WEIGHTS[name] for k, name in enumerate(header) if name in WEIGHTS}
        cells = [_cells(row, words) for row in rows]
        values = [[row.get(name, "") for name in header] for row in cells]
        return [title, *aligned(header, values, width, right, weights)] if header else [title]


def _read(file: str, rows: int) -> Iterator[tuple[list[dict[str, Any]], pa.Schema]]:
    """Yield rows of a Parquet file with their schema, whatever its columns are.

    A column whose name several have gets its number. Raises HeadtailError if the file is damaged.
    """
    with open_table_file(file, pa.schema([]), further=None) as opened:
        try:
            for batch in opened.iter_batches(min(rows, ROW_GROUP_ROWS)):
                times = Counter(names := batch.schema.names)
                own = [name if times[name] == 1 else f"{name} {k}" for k, name in enumerate(names)]
                named = batch.rename_columns(own)
                columns = [_values(column) for column in named.columns]
                yield [dict(zip(own, row, strict=True)) for row in zip(*columns, strict=True)], named.schema
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise HeadtailError(f"{file} is damaged: {error}") from error


def _values(column: pa.Array) -> list[Any]:
    try:
        return column.to_pylist()
    except _NO_PYTHON_VALUE:
        return [_value(scalar) for scalar in column]


def _value(scalar: pa.Scalar) -> Any:
    """Return a value; a time that Python does not have is its number in the column's unit, damaged UTF-8 has U+FFFD."""
    try:
        return scalar.as_py()
    except _NO_PYTHON_VALUE:
        if pa.types.is_string(scalar.type) or pa.types.is_large_string(scalar.type):
            return scalar.as_buffer().to_pybytes().decode(errors="replace")
        return str(scalar.value) if pa.types.is_temporal(scalar.type) else UNREADABLE


def _cells(row: Mapping[str, Any], words: Words) -> dict[str, str]:
    """Return the values of a row as texts, with the word of its entry."""
    lang = str(row.get("lang") or "")
    word = words.get((lang, row.get("entry_id", -1)), NULL)
    return {"entry": word} | {name: shown(value, lang, words) for name, value in row.items()}


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def shown(value: Any, lang: str = "", words: Words | None = None) -> str:
    """Return a value of a cell as a text; `lang` is the language of its row, `words` are those of entries.

    >>> shown(0.123456), shown(None), shown([1, 2], "en", {("en", 1): "dog"}), shown(list(range(9)))
    ('0.1235', '-', 'dog, 2', '0, 1, 2, 3, 4, 5 +3')
    """
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"
    if isinstance(value, bytes):
        return f"{counted(len(value), 'bytes')}"
    if isinstance(value, dict):
        return _struct(value, words or {})
    if isinstance(value, list):
        several = bool(value) and isinstance(value[0], dict)
        limit = SHOWN_TEXTS if several else SHOWN_ITEMS
        items = [
            shown(words.get((lang, each), each) if words and isinstance(each, int) else each, lang, words)
            for each in value[:limit]
        ]
        more = f" +{len(value) - limit}" if len(value) > limit else ""
        return ("; " if several else ", ").join(items) + more
    return str(value)


def _struct(value: Mapping[str, Any], words: Words) -> str:
    """Return a text of an image as `"a dog" en p 0.4 kept [dog]`, any other struct as `name: value` each."""
    if not {"text", "entry_ids"} <= value.keys():
        return " ".join(f"{name}: {shown(each)}" for name, each in value.items())
    found = [f'"{cut(one_line(str(value["text"])), TEXT_PLACES)}"', str(value.get("lang", ""))]
    if "keep_probability" in value:
        found.append(f"p {shown(value['keep_probability'])}")
    if "kept" in value:
        found.append("kept" if value["kept"] else "not kept")
    return f"{' '.join(found)} [{shown(value['entry_ids'], value.get('lang', ''), words)}]"


def _words(rows: Sequence[Mapping[str, Any]], entries: str) -> dict[tuple[str, int], str]:
    """Return the words of the entries that rows name, none where there is no table of entries."""
    wanted = {key for row in rows for key in _named(row)}
    if not entries or not wanted:
        return {}
    try:
        if not is_free(entries):
            return {}
        return read_words(Table(entries).files(), wanted)
    except (HeadtailError, OSError, pa.ArrowException) as error:
        say("show", f"shows ids without words: {error}")
        return {}


def _named(row: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield language and id of each entry that a row names."""
    if isinstance(row.get("entry_id"), int):
        yield str(row.get("lang")), row["entry_id"]
    texts = row.get("texts")
    for text in texts if isinstance(texts, list) else ():
        if isinstance(text, dict) and isinstance(ids := text.get("entry_ids"), list):
            yield from ((str(text.get("lang")), each) for each in ids[:SHOWN_ITEMS] if isinstance(each, int))


def _rows(parts: Sequence[Part]) -> int:
    return sum(entry.get("rows", 0) for part in parts for entry in part.manifest["files"])


def names_of(tables: Sequence[str]) -> str:
    """Return names of tables as a message lists them."""
    return ", ".join(tables) or "none"
