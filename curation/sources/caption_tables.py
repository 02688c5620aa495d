"""Tables of image URLs and captions: Parquet, CSV, TSV, JSON lines, as data sets are published in them."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.bounded_parquet import BATCH_BYTES, BoundedParquet
from curation.core.bounded_parquet import ERRORS as PARQUET_ERRORS
from curation.core.receipts import Receipt
from curation.core.recipes import added
from curation.core.remote import open_patiently
from curation.sources.archives import ReadLog
from curation.sources.caption_strings import holds_strings, scalar, strings_of
from curation.sources.json_text import decode_json
from curation.sources.links import Links
from curation.sources.row_sample import RowSample
from curation.sources.text_lines import MAX_FIELDS, MAX_LINE_BYTES, TextLines

DEFAULT_TEXTS = (("alt", "text"),)
"""The (text key, column) pairs where the configuration names none."""
BATCH_ROWS = 20_000
MASK_ROWS = 1 << 20
ERROR_CHARS = 1000
"""The names of a file's columns, which may be many, are cut off there."""
NO_PAGE = pa.array([""])
NO_BASE = pa.nulls(1, pa.string())


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table that extraction reads.

    `url` names the column of image URLs; `texts` are (text key, column) pairs; `carry` are (name in pairs, column)
    pairs of columns that are kept beside. `names` are the columns of text files without a header, in their order.
    `lang` names the column of the texts' languages, as language tags; empty for none.
    """

    url: str
    texts: tuple[tuple[str, str], ...]
    carry: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    lang: str = added("", default="")

    @property
    def wanted(self) -> list[str]:
        """The names of all columns that are read."""
        names = [self.url, *(name for _, name in (*self.texts, *self.carry))]
        return list(dict.fromkeys([*names, self.lang] if self.lang else names))


class TableReader:
    """Reads one table, or a sample of its rows.

    `counts` and `drops` (bad_row: not as many fields as columns, or no JSON object) are filled meanwhile.
    """

    def __init__(
        self, file: BinaryIO, log: ReadLog, path: str, columns: TableColumns, sample: RowSample | None = None
    ) -> None:
        self._file, self._log, self._path, self._columns = file, log, path, columns
        self._sample = sample
        self._lines = TextLines(file, log)
        self.counts: Counter[str] = Counter()
        self.drops: Counter[str] = Counter()
        self.crawl = ""

    def __iter__(self) -> Iterator[Links]:
        for table in self._read_parquet() if self._is_parquet() else self._read_lines():
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
                languages=columns[self._columns.lang] if self._columns.lang else None,
            )

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

    def first_rows(self, count: int) -> tuple[list[Any], list[str] | None]:
        """Return the first rows of a file of lines, and the names of their fields; None for lines of JSON, as bytes."""
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

    def _read_parquet(self) -> Iterator[dict[str, pa.Array]]:
        file = self._open_parquet()
        if file is None or not self._has_columns(file.schema.names):
            return
        wanted = [name for name in self._columns.wanted if holds_strings(file.schema.field(name).type)]
        if not wanted:
            self._log.fault(0, f"no column of {', '.join(self._columns.wanted)} holds text")
            return
        start = 0
        for group, rows in enumerate(file.group_rows):
            first, at, start = start, 0, start + rows
            self._log.clock.start()
            if self._sample and not _any_row(self._sample, first, rows):
                continue
            try:
                for batch in file.read_group(group, wanted, BATCH_ROWS):
                    mask = self._sample.mask(first + at, batch.num_rows) if self._sample else None
                    at += batch.num_rows
                    self._log.plain_bytes += batch.nbytes
                    yield self._batch(batch if mask is None else batch.filter(pa.array(mask)))
                    if self._log.plain_bytes >= self._log.max_bytes:
                        self._log.fault(
                            0, f"more than {self._log.max_bytes} bytes (source.max_file_bytes): not read any further"
                        )
                        return
                if at != rows:
                    self._log.fault(0, f"row group {group} has {at} rows, the footer says {rows}")
            except PARQUET_ERRORS as error:
                self._log.fault(0, f"row group {group} cannot be read: {error}")
        self._log.bytes_read += self._file.tell()

    def _batch(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        """Return the wanted columns of the rows without a value that is longer than a line may be."""
        if batch.nbytes > MAX_LINE_BYTES:
            short = np.ones(batch.num_rows, bool)
            for values in batch:
                if not pa.types.is_primitive(values.type) and not pa.types.is_null(values.type):
                    sizes = pc.fill_null(pc.binary_length(values), 0).to_numpy(zero_copy_only=False)
                    short &= sizes <= MAX_LINE_BYTES
            self.drops["bad_row"] += int((~short).sum())
            batch = batch.filter(pa.array(short))
        there = dict(zip(batch.schema.names, batch.columns, strict=True))
        return {name: there.get(name, pa.nulls(batch.num_rows)) for name in self._columns.wanted}

    def _read_lines(self) -> Iterator[dict[str, list]]:
        rows, names = self._rows()
        if self._sample:
            rows = _chosen(rows, self._sample)
        if names is None:
            yield from self._in_batches(self._json_rows(rows))
        elif self._has_columns(names):
            yield from self._in_batches(self._of_width(rows, names))

    def _rows(self) -> tuple[Iterator[Any], list[str] | None]:
        """The rows of a text file as they are numbered, and the names of their fields; None for lines of JSON."""
        name = self._path.lower().removesuffix(".gz")
        if name.endswith((".jsonl", ".ndjson", ".json")):
            return (line for line in self._lines if line.strip()), None
        rows = self._lines.csv_rows() if name.endswith(".csv") else self._lines.tsv_rows()
        return rows, list(self._columns.names) or next(rows, None) or []

    def _of_width(self, rows: Iterator[list[str] | None], names: list[str]) -> Iterator[list[str]]:
        """Yield the wanted fields of the rows with a field for each name."""
        places = [names.index(name) for name in self._columns.wanted]
        for row in rows:
            if row is not None and len(row) == len(names):
                yield [row[place] for place in places]
            else:
                self.drops["bad_row"] += 1

    def _in_batches(self, rows: Iterable[list]) -> Iterator[dict[str, list]]:
        """Yield the rows, with the wanted fields each, in batches whose lines have at most about BATCH_BYTES."""
        names = self._columns.wanted
        held: list[list] = []
        for row in rows:
            held.append(row)
            if len(held) == BATCH_ROWS or self._lines.bytes >= BATCH_BYTES:
                yield dict(zip(names, map(list, zip(*held, strict=True)), strict=True))
                held, self._lines.bytes = [], 0
        if held or not self.counts["records_read"]:
            values = map(list, zip(*held, strict=True)) if held else [[] for _ in names]
            yield dict(zip(names, values, strict=True))

    def _json_rows(self, lines: Iterator[bytes]) -> Iterator[list[Any]]:
        for line in lines:
            many = len(line) > MAX_FIELDS and sum(map(line.count, (b",", b"[", b"{"))) > MAX_FIELDS
            row = None if many else decode_json(line)
            if isinstance(row, dict):
                yield [scalar(row.get(name)) for name in self._columns.wanted]
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
    start, taken = 0, BATCH_ROWS
    while taken == BATCH_ROWS:
        taken = 0
        mask = sample.mask(start, BATCH_ROWS).tolist()
        for taken, row in enumerate(itertools.islice(rows, BATCH_ROWS), 1):
            if mask[taken - 1]:
                yield row
        start += BATCH_ROWS


def _any_row(sample: RowSample, first: int, rows: int) -> bool:
    """Whether a sample has one of `rows` rows; in steps, since a footer may claim a billion of them."""
    steps = range(first, first + rows, MASK_ROWS)
    return any(sample.mask(start, min(MASK_ROWS, first + rows - start)).any() for start in steps)
