"""Writes Parquet files as the tables have them: atomically, compressed with zstd, with row groups of one size."""

from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.storage import AtomicFile

ROW_GROUP_ROWS = 65_536
PLAIN_COLUMNS = ("uid", "url", "text", "page_url", "sha256", "image_sha256")
"""Columns of nearly distinct strings, for which dictionary encoding costs time and saves nothing."""


class ParquetSink:
    """Writes record batches to one Parquet file, atomically and compressed with zstd.

    The borders of row groups depend on the rows only, not on the batches. `rows` and `bytes` count the written rows and
    bytes. Without a batch the file has the schema and no rows.
    """

    def __init__(self, path: str, schema: pa.Schema) -> None:
        self.path, self.schema, self.rows, self.bytes = path, schema, 0, 0
        self._atomic = AtomicFile(path)
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0

    def __enter__(self) -> Self:
        self._file = self._atomic.__enter__()
        dictionary = [name for name in self.schema.names if name not in PLAIN_COLUMNS]
        self._writer = pq.ParquetWriter(
            self._file, self.schema, compression="zstd", use_dictionary=dictionary, write_page_index=False
        )
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch that has the schema of the sink."""
        while self._pending_rows + batch.num_rows >= ROW_GROUP_ROWS:
            head = ROW_GROUP_ROWS - self._pending_rows
            self._push(batch.slice(0, head))
            self._flush()
            batch = batch.slice(head)
        self._push(batch)

    def _push(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            self._pending.append(batch)
            self._pending_rows += batch.num_rows

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_table(pa.Table.from_batches(self._pending, self.schema).combine_chunks())
            self.rows += self._pending_rows
            self._pending, self._pending_rows = [], 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not kind:
                self._flush()
            self._writer.close()
            self.bytes = self._file.tell()
        except BaseException as failure:
            self._atomic.__exit__(type(failure), failure, None)
            raise
        self._atomic.__exit__(kind, error, trace)

    def output(self) -> dict:
        """Return {path, rows, bytes} for a receipt; call it after the `with` block."""
        return {"path": self.path, "rows": self.rows, "bytes": self.bytes}


def write_rows(path: str, rows: pa.Table) -> dict:
    """Write a table to one Parquet file, atomically; return its {path, rows, bytes}."""
    with ParquetSink(path, rows.schema) as sink:
        for batch in rows.to_batches():
            sink.write(batch)
    return sink.output()
