"""Parquet files of others, read in batches of bounded memory, whatever their footers, pages and values claim.

Arrow allocates as pages tell it to: a file of 500 bytes can hold one value of half a megabyte in a dictionary that
20,000 rows name, which is 10 GB. So the headers of all pages of a row group are read first. Pages that are too large
are refused, and the rows of a batch are so few that the longest value fits.
"""

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.parquet_pages import (
    DELTA_BINARY_PACKED,
    DELTA_BYTE_ARRAY,
    DELTA_LENGTH_BYTE_ARRAY,
    DICTIONARY,
    PLAIN_DICTIONARY,
    RLE_DICTIONARY,
    Page,
    read_pages,
)

BATCH_BYTES = 64 << 20
"""Maximum size of a batch of more than one row."""
STEP_BYTES = 32 << 20
"""Maximum size of the rows that are decoded at once, if there are several: batches are joined from such steps."""
MAX_PAGE_BYTES = 64 << 20
"""Maximum size of a decompressed page. Most writers make pages of 1 MB; DuckDB writes up to 100,000 rows in one."""
MAX_HELD_PAGES = 4
"""Maximum size of the pages that are held at once, in largest pages: a page and the dictionary of each column."""
MAX_FOOTER_BYTES = 8 << 20
"""Maximum size of a footer, which takes about 200 bytes for each column of each row group."""
MAX_DELTA_VALUES = 1 << 22
"""Arrow decodes the lengths of all values of a delta page at once, however few bytes they take."""
MAX_NESTED_BYTES = 512 << 20
"""Maximum size of lists and structs in a row group: one row may hold all of their values."""
MAX_ROWS, MAX_ROWS_PER_BYTE = 1_000_000_000, 8
"""A footer may claim this many rows, and more for each byte of the file: equal rows take next to nothing."""
_DELTA = (DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY)
_CODECS = {"SNAPPY": "snappy", "GZIP": "gzip", "ZSTD": "zstd", "BROTLI": "brotli", "LZ4_RAW": "lz4_raw"}
ERRORS = (OSError, ValueError, LookupError, OverflowError, MemoryError, pa.ArrowException)
"""What opening a file and reading a row group of it can raise, all of it because of the file."""


class BoundedParquet:
    """An open Parquet file. Opening and reading raise one of `ERRORS` for what cannot be read or is too large.

    `page_bytes` is the maximum size of a page: a file of images has larger ones than a table of texts.
    """

    def __init__(self, file: BinaryIO, page_bytes: int = MAX_PAGE_BYTES) -> None:
        self._page_bytes = page_bytes
        self.bytes = size = _size_after_check(file)
        self._source = _Source(file, size)
        self._file = pq.ParquetFile(self._source, pre_buffer=False, thrift_container_size_limit=1 << 20)
        self.metadata: pq.FileMetaData = self._file.metadata
        self.schema: pa.Schema = self._file.schema_arrow
        leaves = [self.metadata.schema.column(index) for index in range(self.metadata.num_columns)]
        self._leaves = {leaf.path: index for index, leaf in enumerate(leaves)}
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        nested = [path for path in texts if path not in self.schema.names]
        if nested:  # as dictionaries, texts take what they take in the file, however often a row names them
            self._file = pq.ParquetFile(
                self._source, pre_buffer=False, thrift_container_size_limit=1 << 20, read_dictionary=nested
            )
        self.group_rows = [self.metadata.row_group(group).num_rows for group in range(self.metadata.num_row_groups)]
        rows = sum(self.group_rows)
        if min(self.group_rows, default=0) < 0 or rows > MAX_ROWS + MAX_ROWS_PER_BYTE * size:
            raise ValueError(f"the footer claims {rows:,} rows in {size:,} bytes")

    def read_group(self, group: int, columns: Sequence[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a row group: batches of `batch_rows`, of fewer where they would pass BATCH_BYTES.

        `columns` are names of columns, each once in the file, or of a field of structs (`image.bytes`). Columns that
        are dictionaries by the Arrow schema in the footer are decoded. Texts within lists and structs are dictionaries,
        and batches with such columns are those of Arrow: only who knows their rows can decode them in bounded memory.
        """
        if not self.group_rows[group]:  # its columns may have no pages
            return
        step = self._plan(group, columns, batch_rows)
        batches = map(_decoded, self._file.iter_batches(step, row_groups=[group], columns=list(columns)))
        if not set(columns) <= self._leaves.keys() & set(self.schema.names):
            yield from batches
            return
        held: list[pa.RecordBatch] = []
        rows = size = 0
        for batch in batches:
            while rows + batch.num_rows >= batch_rows:
                held.append(batch.slice(0, batch_rows - rows))
                yield _joined(held)
                batch, rows, size = batch.slice(batch_rows - rows), 0, 0
            if batch.num_rows:
                held.append(batch)
                rows, size = rows + batch.num_rows, size + batch.nbytes
            del batch  # or it would stay while the next one is decoded
            if size >= BATCH_BYTES:
                yield _joined(held)
                rows = size = 0
        if held:
            yield _joined(held)

    def count_values(self, column: str) -> int:
        """Return how many values a column has by the footer, those in its lists counted singly; 0 where it is not."""
        paths = [path for path in self._leaves if path == column or path.startswith(f"{column}.")]
        total = 0
        for group in range(len(self.group_rows)):
            self._probe(group, paths)
            described = self.metadata.row_group(group)
            total += sum(max(described.column(self._leaves[path]).num_values, 0) for path in paths)
        return total

    def _plan(self, group: int, columns: Sequence[str], batch_rows: int) -> int:
        """Read the column chunks of a row group into memory and return how many rows may be decoded at once."""
        described = self.metadata.row_group(group)
        self._source.chunks = {}
        row_bytes = held_bytes = nested_bytes = 0
        # Arrow takes a name with a dot for that of a child, so with the column a it reads a.b, too.
        children = tuple(f"{name}." for name in columns)
        paths = [path for path in self._leaves if path in columns or path.startswith(children)]
        self._probe(group, paths)
        for path in paths:
            index = self._leaves[path]
            chunk = described.column(index)
            at = chunk.data_page_offset
            if chunk.has_dictionary_page and 0 < (chunk.dictionary_page_offset or 0) < at:
                at = chunk.dictionary_page_offset
            data = self._source.read_chunk(at, chunk.total_compressed_size)
            column = self.metadata.schema.column(index)
            if column.max_repetition_level or path not in (*self.schema.names, *columns):
                need = _need_of_nested(chunk, column, data, described.num_rows, self._page_bytes)
            else:
                need = _need(chunk, column, data, batch_rows, self._page_bytes)
            row_bytes, held_bytes = row_bytes + need.row_bytes, held_bytes + need.held_bytes
            nested_bytes += need.nested_bytes
        if held_bytes > (most := MAX_HELD_PAGES * self._page_bytes):
            raise ValueError(f"its pages take {held_bytes:,} bytes at once, more than {most:,}")
        if nested_bytes > MAX_NESTED_BYTES:
            raise ValueError(f"its lists and structs take {nested_bytes:,} bytes, more than {MAX_NESTED_BYTES:,}")
        return max(1, min(batch_rows, STEP_BYTES // max(row_bytes, 1)))

    def _probe(self, group: int, columns: Sequence[str]) -> None:
        """Let Arrow check the descriptions of column chunks, without reading them.

        pyarrow ends the process if it is asked for a false one: `RowGroupMetaData.column` declares no exception;
        its reader raises an error.
        """
        # A buffered stream is read after the codec is looked at, any other one before.
        file = pq.ParquetFile(self._source, metadata=self.metadata, pre_buffer=False, buffer_size=1 << 12)
        self._source.probing = True
        try:
            for name in columns:
                with contextlib.suppress(_ProbedError):
                    next(file.iter_batches(1, row_groups=[group], columns=[name], use_threads=False), None)
        finally:
            self._source.probing = False


class _ProbedError(Exception):
    """Arrow has begun to read a column chunk: its description is in order."""


@dataclass(frozen=True)
class _Need:
    """Memory for a column: bytes of its longest row, and of its largest page with the dictionary.

    Of a column within lists or structs, `row_bytes` are those of a mean row, and `nested_bytes` those of all rows.
    """

    row_bytes: int
    held_bytes: int
    nested_bytes: int = 0


def _need(chunk: Any, column: Any, data: bytes, batch_rows: int, page_bytes: int) -> _Need:
    """Return the memory that a column chunk needs; raises ValueError where a page claims too much."""
    texts = chunk.physical_type == "BYTE_ARRAY"
    width = max(column.length, 1) if chunk.physical_type == "FIXED_LEN_BYTE_ARRAY" else 8
    row, largest, dictionary_bytes, longest = width, 0, 0, 0
    for page in read_pages(data, chunk.num_values):
        if page.size > page_bytes:
            raise ValueError(f"a page of {page.size:,} bytes, more than {page_bytes:,}")
        if page.kind == DICTIONARY:
            if page.values * (4 if texts else 1) > page.size:
                raise ValueError(f"a dictionary of {page.values:,} values in {page.size:,} bytes")
            dictionary_bytes = page.size + 16 * page.values
            longest = _longest(page, chunk.compression, data, batch_rows) if texts else width
            continue
        largest = max(largest, page.size)
        if page.encoding in _DELTA and page.values > MAX_DELTA_VALUES:
            raise ValueError(f"a delta page of {page.values:,} values, more than {MAX_DELTA_VALUES:,}")
        if not texts:
            continue
        if page.encoding in (PLAIN_DICTIONARY, RLE_DICTIONARY):
            row = max(row, longest)
        elif page.encoding == DELTA_BYTE_ARRAY:  # each value may repeat all of the one before
            row = max(row, page.size)
        else:
            row = max(row, -(-page.size // max(page.values, 1)))
    # A page of format 2 is decompressed into a further buffer, beside its levels.
    return _Need(row + 8, 2 * largest + dictionary_bytes)


def _need_of_nested(chunk: Any, column: Any, data: bytes, rows: int, page_bytes: int) -> _Need:
    """Return the memory that a column chunk within lists or structs needs; raises ValueError where it is too much."""
    width = max(column.length, 1) if chunk.physical_type == "FIXED_LEN_BYTE_ARRAY" else 8
    values = size = largest = 0
    for page in read_pages(data, chunk.num_values):
        if page.size > page_bytes:
            raise ValueError(f"a page of {page.size:,} bytes, more than {page_bytes:,}")
        if page.encoding == DELTA_BYTE_ARRAY:  # each value may repeat all of the one before
            raise ValueError("lists or structs with texts of the encoding DELTA_BYTE_ARRAY are not read")
        largest, size = max(largest, page.size), size + page.size
        values += 0 if page.kind == DICTIONARY else page.values
    total = size + max(values, chunk.num_values) * (width + 8)
    return _Need(-(-total // max(rows, 1)), 2 * largest, total)


def _longest(page: Page, compression: str, data: bytes, batch_rows: int) -> int:
    """Return the length of the longest value of a dictionary, or of the whole dictionary where that does no harm."""
    if page.size * batch_rows <= STEP_BYTES // 4:
        return page.size
    packed: Any = memoryview(data)[page.at : page.at + page.packed]
    if compression != "UNCOMPRESSED":
        try:
            packed = pa.Codec(_CODECS[compression]).decompress(pa.py_buffer(packed), page.size)
        except (KeyError, OSError, ValueError, pa.ArrowException):
            return page.size
    from curation.core.dictionary_values import longest_value  # numba, for few files only

    return int(longest_value(np.frombuffer(packed, np.uint8)))


def _joined(held: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Take the batches out of a list and return them as one."""
    parts = held[:]
    held.clear()
    return parts[0] if len(parts) == 1 else pa.concat_batches(parts)


def _decoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [values.dictionary_decode() if pa.types.is_dictionary(values.type) else values for values in batch]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _size_after_check(file: BinaryIO) -> int:
    """Return the size of a file whose footer is small enough to be parsed."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - 8))
    footer = int.from_bytes(file.read(8)[:4], "little")
    if footer > MAX_FOOTER_BYTES:
        raise ValueError(f"a footer of {footer:,} bytes, more than {MAX_FOOTER_BYTES:,}")
    file.seek(0)
    return size


class _Source(io.RawIOBase):
    """The file as Arrow reads it: the footer from the file, then column chunks that were looked at before."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size, self._at = file, size, 0
        self.chunks: dict[int, bytes] | None = None
        self.probing = False
        self._file.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = self._file.seek(offset, whence) if self.chunks is None or whence else offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        if self.probing:
            raise _ProbedError
        if self.chunks is None:
            data = self._file.read(size)
        else:
            # Arrow reads each chunk once and as a whole.
            data = self.chunks.pop(self._at, b"")
            if len(data) < size:
                self._file.seek(self._at + len(data))
                data += self._file.read(min(size - len(data), 128)) if data else b""
        self._at += len(data)
        return data

    def read_chunk(self, at: int, size: int) -> bytes:
        """Return the bytes of a column chunk, and keep them for Arrow."""
        assert self.chunks is not None
        held = sum(map(len, self.chunks.values()))
        if min(at, size) < 0 or max(at, held) + size > self._size:
            raise ValueError("a column chunk that does not lie in the file, or in another one")
        self._file.seek(at)
        self.chunks[at] = data = self._file.read(size)
        return data
