"""The rows of Parquet tables of others, in batches of bounded memory."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from curation.core.bounded_parquet import BATCH_BYTES, BoundedParquet
from curation.core.bounded_parquet import ERRORS as PARQUET_ERRORS
from curation.core.record_errors import is_of_record, line_of_error
from curation.sources.archives import ReadLog
from curation.sources.csv_rows import MAX_LINE_BYTES
from curation.sources.nested_values import is_nested, row_bytes
from curation.sources.row_sample import RowSample

BATCH_ROWS = 20_000
MASK_ROWS = 1 << 20


class ParquetRows:
    """The rows of a file, or a sample of them, with the columns `names`.

    `too_long` counts the rows that are left out for a value of more than MAX_LINE_BYTES.
    """

    def __init__(self, file: BoundedParquet, log: ReadLog, names: list[str], sample: RowSample | None) -> None:
        self._file, self._log, self._names, self._sample = file, log, names, sample
        self.too_long = 0

    def __iter__(self) -> Iterator[dict[str, pa.Array]]:
        """Yield the columns of rows in batches of at most about BATCH_BYTES; a row group with damage ends there."""
        start, all_rows = 0, max(1, sum(self._file.group_rows))
        for group, rows in enumerate(self._file.group_rows):
            first, at, start = start, 0, start + rows
            self._log.clock.start()
            if self._sample and not _any_row(self._sample, first, rows):
                continue
            try:
                for batch in self._file.read_group(group, self._names, BATCH_ROWS):
                    mask = self._sample.mask(first + at, batch.num_rows) if self._sample else None
                    at += batch.num_rows
                    self._log.position = self._file.bytes * (first + at) // all_rows
                    yield from self._bounded(batch if mask is None else batch.filter(pa.array(mask)))
                    if self._log.plain_bytes >= self._log.max_bytes:
                        self._log.fault(
                            0, f"more than {self._log.max_bytes} bytes (source.max_file_bytes): not read any further"
                        )
                        return
                if at != rows:
                    self._log.fault(0, f"row group {group} has {at} rows, the footer says {rows}")
            except PARQUET_ERRORS as error:
                self._log.fault(0, f"row group {group} cannot be read: {error}")
            except Exception as error:
                if not is_of_record(error):
                    raise
                self._log.fault(0, f"row group {group} cannot be read: {line_of_error(error)}")

    def _bounded(self, batch: pa.RecordBatch) -> Iterator[dict[str, pa.Array]]:
        there = dict(zip(batch.schema.names, batch.columns, strict=True))
        columns = {name: there[name] for name in self._names}
        if batch.nbytes <= MAX_LINE_BYTES and not any(is_nested(values.type) for values in columns.values()):
            self._log.plain_bytes += batch.nbytes
            yield columns
            return
        sizes = np.array([row_bytes(values) for values in columns.values()])
        short = (sizes <= MAX_LINE_BYTES).all(axis=0)
        if not short.all():
            self.too_long += int((~short).sum())
            columns = {name: values.filter(pa.array(short)) for name, values in columns.items()}
        ends = np.concatenate([[0], np.cumsum(sizes.sum(axis=0)[short])])
        self._log.plain_bytes += int(ends[-1])
        at = 0
        while True:
            end = max(int(np.searchsorted(ends, ends[at] + BATCH_BYTES, "right")) - 1, at + 1)
            yield {name: values.slice(at, end - at) for name, values in columns.items()}
            at = end
            if at >= len(ends) - 1:
                return


def _any_row(sample: RowSample, first: int, rows: int) -> bool:
    """Whether a sample has one of `rows` rows; in steps, since a footer may claim a billion of them."""
    steps = range(first, first + rows, MASK_ROWS)
    return any(sample.mask(start, min(MASK_ROWS, first + rows - start)).any() for start in steps)
