"""Tables of image URLs and captions: Parquet, CSV, TSV, JSON lines, as data sets are published in them."""

import csv
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.core.receipts import Receipt
from curation.core.remote import open_patiently
from curation.sources.archives import ReadLog, read_plain
from curation.sources.json_text import decode_json, plain_text
from curation.sources.links import Links
from curation.sources.row_sample import RowSample

DEFAULT_TEXTS = (("alt", "text"),)
"""The (text key, column) pairs where the configuration names none."""
BATCH_ROWS = 20_000
MAX_LINE_BYTES = 16 << 20
NO_PAGE = pa.array([""])
NO_BASE = pa.nulls(1, pa.string())


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table that extraction reads.

    `url` names the column of image URLs; `texts` are (text key, column) pairs; `carry` are (name in pairs, column)
    pairs of columns that are kept beside. `names` are the columns of text files without a header, in their order.
    """

    url: str
    texts: tuple[tuple[str, str], ...]
    carry: tuple[tuple[str, str], ...]
    names: tuple[str, ...]

    @property
    def wanted(self) -> list[str]:
        """The names of all columns that are read."""
        return list(dict.fromkeys([self.url, *(name for _, name in (*self.texts, *self.carry))]))


class TableReader:
    """Reads one table, or a sample of its rows.

    `counts` and `drops` (bad_row: not as many fields as columns, or no JSON object) are filled meanwhile.
    """

    def __init__(
        self, file: BinaryIO, log: ReadLog, path: str, columns: TableColumns, sample: RowSample | None = None
    ) -> None:
        self._file, self._log, self._path, self._columns = file, log, path, columns
        self._sample = sample
        self.counts: Counter[str] = Counter()
        self.drops: Counter[str] = Counter()
        self.crawl = ""

    def __iter__(self) -> Iterator[Links]:
        for table in self._read_parquet() if self._is_parquet() else self._read_lines():
            missing = [name for name in self._columns.wanted if name not in table]
            if missing:
                self._log.fault(0, f"there is no column {', '.join(missing)}; there are {', '.join(table)}")
                return
            columns = {name: strings_of(table[name]) for name in self._columns.wanted}
            rows = len(columns[self._columns.url])
            self.counts["records_read"] += rows
            yield Links(
                pc.fill_null(columns[self._columns.url], ""),
                np.zeros(rows, np.int32),
                NO_PAGE,
                NO_BASE,
                {key: columns[name] for key, name in self._columns.texts},
                {key: columns[name] for key, name in self._columns.carry},
            )

    def count(self) -> int:
        """Return the number of rows, bad rows included."""
        if self._is_parquet():
            file = self._open_parquet()
            return file.metadata.num_rows if file else 0
        return sum(1 for _ in self._rows()[0])

    def schema(self) -> pa.Schema | None:
        """Return the schema of a Parquet file; None for a file of lines, and for a Parquet file that is damaged."""
        file = self._open_parquet() if self._is_parquet() else None
        return file.schema_arrow if file else None

    def first_rows(self, count: int) -> tuple[list[Any], list[str] | None]:
        """Return the first rows of a file of lines, and the names of their fields; None for lines of JSON, as bytes."""
        rows, names = self._rows()
        return list(itertools.islice(rows, count)), names

    def _is_parquet(self) -> bool:
        found = self._file.read(4) == b"PAR1"
        self._file.seek(0)
        return found

    def _open_parquet(self) -> pq.ParquetFile | None:
        try:
            return pq.ParquetFile(self._file)
        except (OSError, pa.ArrowException) as error:
            self._log.fault(0, f"no Parquet file that can be read: {error}")
            return None

    def _read_parquet(self) -> Iterator[dict[str, pa.Array]]:
        file = self._open_parquet()
        if file is None:
            return
        there = file.schema_arrow.names
        wanted = [name for name in self._columns.wanted if name in there]
        if len(wanted) < len(self._columns.wanted):
            yield {name: pa.nulls(0) for name in there}
            return
        start = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            chosen = self._sample.mask(start, rows) if self._sample else np.ones(rows, bool)
            start, at = start + rows, 0
            try:
                for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=wanted) if chosen.any() else ():
                    mask = pa.array(chosen[at : at + batch.num_rows])
                    at += batch.num_rows
                    batch = batch.filter(mask) if self._sample else batch
                    yield {name: batch[name] for name in wanted}
            except (OSError, pa.ArrowException) as error:
                self._log.fault(0, f"row group {group} cannot be read: {error}")
        self._log.bytes_read += self._file.tell()

    def _read_lines(self) -> Iterator[dict[str, list]]:
        rows, names = self._rows()
        if self._sample:
            rows = _chosen(rows, self._sample)
        if names is None:
            return self._in_batches(self._json_rows(rows), self._columns.wanted)
        return self._in_batches(self._of_width(rows, len(names)), names)

    def _rows(self) -> tuple[Iterator[Any], list[str] | None]:
        """The rows of a text file as they are numbered, and the names of their fields; None for lines of JSON."""
        name = self._path.lower().removesuffix(".gz")
        if name.endswith((".jsonl", ".ndjson", ".json")):
            return (line for line in self._lines() if line.strip()), None
        rows = self._csv_rows() if name.endswith(".csv") else self._tsv_rows()
        return rows, list(self._columns.names) or next(rows, None) or []

    def _of_width(self, rows: Iterator[list[str] | None], width: int) -> Iterator[list[str]]:
        for row in rows:
            if row is not None and len(row) == width:
                yield row
            else:
                self.drops["bad_row"] += 1

    def _in_batches(self, rows: Iterable[list], names: list[str]) -> Iterator[dict[str, list]]:
        held: list[list] = []
        for row in rows:
            held.append(row)
            if len(held) == BATCH_ROWS:
                yield dict(zip(names, map(list, zip(*held, strict=True)), strict=True))
                held = []
        if held or not self.counts["records_read"]:
            values = map(list, zip(*held, strict=True)) if held else [[] for _ in names]
            yield dict(zip(names, values, strict=True))

    def _lines(self) -> Iterator[bytes]:
        rest = b""
        for piece in read_plain(self._file, self._log):
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
            if len(rest) > MAX_LINE_BYTES:
                self._log.fault(self._log.bytes_read, f"a line of more than {MAX_LINE_BYTES} bytes")
                rest = b""
        if rest:
            yield rest

    def _tsv_rows(self) -> Iterator[list[str]]:
        return (line.decode("utf-8", "replace").removesuffix("\r").split("\t") for line in self._lines())

    def _csv_rows(self) -> Iterator[list[str] | None]:
        lines = (line.decode("utf-8", "replace") + "\n" for line in self._lines())
        csv.field_size_limit(MAX_LINE_BYTES)
        rows = csv.reader(lines)
        while True:
            try:
                yield next(rows)
            except StopIteration:
                return
            except csv.Error:
                yield None

    def _json_rows(self, lines: Iterator[bytes]) -> Iterator[list[Any]]:
        for line in lines:
            row = decode_json(line)
            if isinstance(row, dict):
                yield [row.get(name) for name in self._columns.wanted]
            else:
                self.drops["bad_row"] += 1


@dataclass(frozen=True)
class CountTask:
    """A table whose rows are counted."""

    input: str


def count_rows(task: CountTask, columns: TableColumns) -> Receipt:
    """Count the rows of a table. A table that cannot be read counts as empty, with a failure."""
    receipt, log = Receipt(task.input), ReadLog()
    try:
        with open_patiently(task.input) as file:
            receipt.rows_in = receipt.rows_out = TableReader(file, log, task.input, columns).count()
    except OSError as error:
        log.fault(0, str(error))
    receipt.failures = [{"file": task.input, "offset": at, "error": error} for at, error in log.faults]
    return receipt


def _chosen(rows: Iterator[Any], sample: RowSample) -> Iterator[Any]:
    start = 0
    while some := list(itertools.islice(rows, BATCH_ROWS)):
        yield from itertools.compress(some, sample.mask(start, len(some)).tolist())
        start += len(some)


def strings_of(values: pa.Array | list) -> pa.Array:
    """Return values as strings, what is no text as null; numbers, which can be carried along, in digits."""
    if isinstance(values, list):
        return pa.array([_string(value) for value in values], pa.string())
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_string(values.type):
        return values
    if pa.types.is_large_string(values.type) or pa.types.is_integer(values.type) or pa.types.is_null(values.type):
        return values.cast(pa.string())
    return pa.array([_string(value) for value in values.to_pylist()], pa.string())


def _string(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return plain_text(value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) and value == value else None
