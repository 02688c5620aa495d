"""Tables of image URLs and captions: Parquet, CSV, TSV, JSON lines, as data sets are published in them."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO

import pyarrow as pa

from curation.core.bounded_parquet import BATCH_BYTES, BoundedParquet
from curation.core.bounded_parquet import ERRORS as PARQUET_ERRORS
from curation.core.choices import CsvEscape
from curation.core.receipts import Receipt
from curation.core.recipes import added
from curation.core.record_errors import is_of_record
from curation.core.remote import open_patiently
from curation.sources.archives import ReadLog
from curation.sources.caption_strings import (
    carried_text,
    holds_texts,
    is_list_of_texts,
    is_text,
    strings_of,
    text_or_list,
    texts_of,
)
from curation.sources.json_text import decode_json
from curation.sources.links import Links
from curation.sources.parquet_rows import BATCH_ROWS, ParquetRows
from curation.sources.row_sample import RowSample
from curation.sources.several_texts import links_of
from curation.sources.text_lines import MAX_FIELDS, TextLines

DEFAULT_TEXTS = (("alt", "text"),)
"""The (text key, column) pairs where the configuration names none."""
ERROR_CHARS = 1000
"""The names of a file's columns, which may be many, are cut off there."""


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table that extraction reads.

    `url` names the column of image URLs; `texts` are (text key, column) pairs; `carry` are (name in pairs, column)
    pairs of columns that are kept beside. `names` are the columns of text files without a header, in their order;
    `csv_escape` says how CSV files write a quote within quotes (`CsvEscape`). `lang` names the column of the texts'
    languages, as language tags; empty for none.
    """

    url: str
    texts: tuple[tuple[str, str], ...]
    carry: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    csv_escape: str = added(CsvEscape.auto.value, default=CsvEscape.auto.value)

    lang: str = added("", default="")

    @cached_property
    def fields(self) -> list[str]:
        """The column of each value that is read of a row: the URL, the texts, the carried values, the language."""
        return [self.url, *(name for _, name in (*self.texts, *self.carry)), *([self.lang] if self.lang else [])]

    def settings_of(self, names: Iterable[str]) -> str:
        """Return the settings that name these columns, as a message lists them.

        >>> TableColumns("url", (("alt", "text"),), (), (), lang="lang").settings_of(["text", "lang"])
        'source.text_columns and source.lang_column'
        """
        named = {
            "source.url_column": [self.url],
            "source.text_columns": [name for _, name in self.texts],
            "source.carry": [name for _, name in self.carry],
            "source.lang_column": [self.lang],
        }
        return " and ".join(setting for setting, columns in named.items() if set(columns) & set(names))

    def parts(self, values: list[Any]) -> tuple[Any, list[Any], list[Any], Any]:
        """Return the values of `fields` as URL, texts, carried values and language, None without such a column."""
        texts = 1 + len(self.texts)
        carried = texts + len(self.carry)
        return values[0], values[1:texts], values[texts:carried], values[carried] if self.lang else None

    @property
    def wanted(self) -> list[str]:
        """The names of all columns that are read."""
        return list(dict.fromkeys(self.fields))


class TableReader:
    """Reads one table, or a sample of its rows, by a version of the rules.

    `counts` and `drops` (bad_row: not as many fields as columns, no JSON object, or too long; reader_error) are filled
    meanwhile.
    """

    def __init__(
        self,
        file: BinaryIO,
        log: ReadLog,
        path: str,
        columns: TableColumns,
        sample: RowSample | None = None,
        rules: int = 2,
    ) -> None:
        self._file, self._log, self._path, self._columns = file, log, path, columns
        self._sample, self._rules = sample, rules
        self._lines = TextLines(file, log, rules)
        self.counts: Counter[str] = Counter()
        self.drops: Counter[str] = Counter()
        self.crawl = ""

    def __iter__(self) -> Iterator[Links]:
        for batch in self._read_parquet() if self._is_parquet() else self._read_lines():
            self.counts["records_read"] += len(batch[0])
            for links, drops in self._log.try_rows(batch, self._links, _halves, self._count_lost):
                self.drops.update(drops)
                yield from links

    def _links(self, values: list[pa.Array] | list[list]) -> tuple[list[Links], Counter[str]]:
        """Return the links of rows, by the values of `TableColumns.fields`, and the rows that are dropped."""
        drops: Counter[str] = Counter()
        url, texts, carried, lang = self._columns.parts(values)
        urls = texts_of(url)
        links = links_of(
            urls.values if urls.offsets is None else pa.nulls(len(url), pa.string()),
            {key: texts_of(column) for (key, _), column in zip(self._columns.texts, texts, strict=True)},
            {
                key: strings_of(column, hexadecimal=self._rules > 1)
                for (key, _), column in zip(self._columns.carry, carried, strict=True)
            },
            drops,
            languages=None if lang is None else strings_of(lang),
        )
        return list(links), drops

    def _count_lost(self, values: list[pa.Array] | list[list]) -> None:
        self.drops["reader_error"] += len(values[0])

    def count(self) -> int:
        """Return the number of rows, bad rows included."""
        if self._is_parquet():
            file = self._open_parquet()
            return sum(file.group_rows) if file else 0
        return sum(1 for _ in self._rows()[0])

    def schema(self) -> pa.Schema | None:
        """Return the schema of a Parquet file; None for a file of lines, and for a Parquet file that is damaged."""
        file = self._open_parquet() if self._is_parquet() else None
        return file.schema if file else None

    def first_binaries(self, count: int) -> dict[str, list[bytes]]:
        """Return the first values of the binary columns of URLs and texts of a Parquet file."""
        file = self._open_parquet()
        if file is None or not file.group_rows:
            return {}
        once = {field.name: field.type for field in file.schema if file.schema.names.count(field.name) == 1}
        texts = dict.fromkeys(self._columns.fields[: 1 + len(self._columns.texts)])
        names = [name for name in texts if pa.types.is_binary(once.get(name, pa.null()))]
        try:
            batch = next(file.read_group(0, names, count), None) if names else None
        except PARQUET_ERRORS:
            return {}
        return {} if batch is None else {name: batch[name].drop_null().to_pylist() for name in names}

    def first_rows(self, count: int) -> tuple[list[Any], list[str] | None]:
        """Return the first rows of a file of lines, and the names of their fields; None for JSON, as bytes."""
        rows, names = self._rows()
        return list(itertools.islice(rows, count)), names

    def _is_parquet(self) -> bool:
        found = self._file.read(4) == b"PAR1"
        self._file.seek(0)
        return found

    def _has_columns(self, names: Sequence[str]) -> bool:
        """Return whether each wanted column is there once; otherwise it is a fault of the file."""
        counts = Counter(names)
        missing = [name for name in self._columns.wanted if not counts[name]]
        twice = [name for name in self._columns.wanted if counts[name] > 1]
        if missing:
            self._log.fault(0, f"there is no column {', '.join(missing)}; there are {', '.join(counts)}"[:ERROR_CHARS])
        elif twice:
            self._log.fault(0, f"there are several columns of the name {', '.join(twice)}: rename them"[:ERROR_CHARS])
        return not missing and not twice

    def _open_parquet(self) -> BoundedParquet | None:
        try:
            return BoundedParquet(self._file)
        except PARQUET_ERRORS as error:
            self._log.fault(0, f"no Parquet file that can be read: {error}")
            return None

    def _read_parquet(self) -> Iterator[list[pa.Array]]:
        file = self._open_parquet()
        if file is None or not self._has_columns(file.schema.names) or not self._has_texts(file.schema):
            return
        rows = ParquetRows(file, self._log, self._columns.wanted, self._sample)
        for columns in rows:
            yield [columns[name] for name in self._columns.fields]
        if rows.too_long:
            self.drops["bad_row"] += rows.too_long
        self._log.bytes_read += self._file.tell()

    def _has_texts(self, schema: pa.Schema) -> bool:
        """Return whether URLs and texts are texts; otherwise it is a fault of the file."""
        columns = self._columns
        faults = mistyped(schema, columns) if self._rules > 1 else []
        if not any(holds_texts(schema.field(name).type) for name in columns.fields[: 1 + len(columns.texts)]):
            faults = faults or [f"no column of {', '.join(columns.wanted)} holds text"]
        for fault in faults:
            self._log.fault(0, fault)
        return not faults

    def _read_lines(self) -> Iterator[list[list]]:
        rows, names = self._rows()
        if self._sample:
            rows = _chosen(rows, self._sample)
        if names is None:
            yield from self._in_batches(self._json_rows(rows))
        elif self._has_columns(names):
            yield from self._in_batches(self._of_width(rows, names))

    def _rows(self) -> tuple[Iterator[Any], list[str] | None]:
        """The rows of a text file as they are numbered, and the names of their fields; None for values of JSON."""
        name = self._path.lower().removesuffix(".gz")
        if name.endswith((".jsonl", ".ndjson", ".json")):
            return self._lines.json_rows(), None
        names = list(self._columns.names)
        is_csv = name.endswith(".csv")
        escape = CsvEscape(self._columns.csv_escape)
        rows = self._lines.csv_rows(escape, len(names)) if is_csv else self._lines.tsv_rows()
        return rows, names or next(rows, None) or []

    def _of_width(self, rows: Iterator[list[str] | None], names: list[str]) -> Iterator[list[str]]:
        """Yield the wanted fields of the rows with a field for each name."""
        places = [names.index(name) for name in self._columns.fields]
        for row in rows:
            if row is not None and len(row) == len(names):
                yield [row[place] for place in places]
            else:
                self.drops["bad_row"] += 1

    def _in_batches(self, rows: Iterable[list]) -> Iterator[list[list]]:
        """Yield the columns of rows in batches whose lines have at most about BATCH_BYTES."""
        held: list[list] = []
        for row in rows:
            held.append(row)
            if len(held) == BATCH_ROWS or self._lines.bytes >= BATCH_BYTES:
                yield list(map(list, zip(*held, strict=True)))
                held, self._lines.bytes = [], 0
        if held or not self.counts["records_read"]:
            yield list(map(list, zip(*held, strict=True))) if held else [[] for _ in self._columns.fields]

    def _json_rows(self, lines: Iterator[bytes]) -> Iterator[list[Any]]:
        row: list[Any] | None
        for line in lines:
            try:
                row = self._json_row(line)
            except Exception as error:
                if not is_of_record(error):
                    raise
                self._log.record_fault(error)
                row = None
            if row is not None:
                yield row
            else:
                self.drops["bad_row"] += 1

    def _json_row(self, line: bytes) -> list[Any] | None:
        """Return the values of the fields; None if the line is no JSON object."""
        many = len(line) > MAX_FIELDS and sum(map(line.count, (b",", b"[", b"{"))) > MAX_FIELDS
        row = None if many else decode_json(line)
        if not isinstance(row, dict):
            return None
        values = [row.get(name) for name in self._columns.fields]
        if all(type(value) is str for value in values):
            return values
        carried = 1 + len(self._columns.texts)
        url = None if isinstance(values[0], list) else values[0]
        return [*map(text_or_list, [url, *values[1:carried]]), *map(carried_text, values[carried:])]


def mistyped(schema: pa.Schema, columns: TableColumns) -> list[str]:
    """Return a line for each column of URLs, texts or languages that a Parquet file has and that holds no texts."""
    kinds = {field.name: field.type for field in schema}
    urls = [] if is_text(kinds.get(columns.url, pa.null())) else [columns.url]
    texts = [name for _, name in columns.texts if not _may_be_text(kinds.get(name, pa.null()))]
    lang = [columns.lang] if columns.lang and not is_text(kinds.get(columns.lang, pa.null())) else []
    faulty = dict.fromkeys([*urls, *texts, *lang])
    return [mistyped_line(name, str(_value_type(kinds[name])), columns) for name in faulty]


def mistyped_line(name: str, kind: str, columns: TableColumns) -> str:
    """Return the line for a column of another type than text."""
    return f"column {name} is {kind}, expected text: set {columns.settings_of([name])}"


def _may_be_text(kind: pa.DataType) -> bool:
    return is_text(kind) or is_list_of_texts(kind)


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _halves(values: list) -> list[list]:
    """Return two halves of rows, by columns; one part of a single row."""
    middle = len(values[0]) // 2
    return [[column[:middle] for column in values], [column[middle:] for column in values]] if middle else [values]


@dataclass(frozen=True)
class CountTask:
    """A table whose rows are counted."""

    input: str


def count_rows(task: CountTask, columns: TableColumns, rules: int = 2) -> Receipt:
    """Count the rows of a table. A table that cannot be read counts as empty, with a failure."""
    receipt, log = Receipt(task.input), ReadLog()
    try:
        with open_patiently(task.input) as file:
            receipt.rows_in = receipt.rows_out = TableReader(file, log, task.input, columns, rules=rules).count()
    except OSError as error:
        log.fault(0, str(error))
    receipt.failures = [{"file": task.input, "offset": at, "error": error} for at, error in log.faults]
    return receipt


def _chosen(rows: Iterator[Any], sample: RowSample) -> Iterator[Any]:
    start, taken = 0, BATCH_ROWS
    while taken == BATCH_ROWS:
        taken = 0
        mask = sample.mask(start, BATCH_ROWS).tolist()
        for taken, row in enumerate(itertools.islice(rows, BATCH_ROWS), 1):
            if mask[taken - 1]:
                yield row
        start += BATCH_ROWS
