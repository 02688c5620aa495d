"""Opens the Parquet files of tables and checks their columns against a schema.

A HeadtailError names the file and lists every missing, mistyped and unexpected column.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.bounded_parquet import ERRORS as PARQUET_ERRORS
from curation.core.bounded_parquet import BoundedParquet
from curation.core.cleaned import refuse_cleaned
from curation.core.errors import HeadtailError, refuse_outage
from curation.core.schemas import check_schema
from curation.core.storage import open_input

BATCH_ROWS = 16_384


@contextmanager
def open_table_file(path: str, schema: pa.Schema, further: Iterable[str] | None = ()) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file and check its columns against `schema`.

    `further` names columns that are allowed beside those of the schema; None allows any. Raises HeadtailError if the
    columns differ or the file is not a Parquet file.
    """
    with open_input(path) as file:
        try:
            opened = pq.ParquetFile(file)
        except pa.ArrowInvalid as error:
            raise HeadtailError(f"{path} is not a Parquet file, or is damaged: {error}") from error
        check_schema(opened.schema_arrow, schema, path, further)
        yield opened


def read_batches(
    path: str,
    schema: pa.Schema,
    columns: Sequence[str] | None = None,
    batch_rows: int = BATCH_ROWS,
    further: Iterable[str] | None = (),
) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of one file of a table: `columns`, or all columns of the file."""
    with open_table_file(path, schema, further) as file:
        yield from file.iter_batches(batch_rows, columns=columns)


@contextmanager
def open_foreign_file(path: str) -> Iterator[BoundedParquet]:
    """Open a Parquet file that others may have written; raises HeadtailError where it is damaged or claims too much."""
    with open_input(path) as file:
        try:
            yield BoundedParquet(file)
        except HeadtailError:
            raise
        except PARQUET_ERRORS as error:
            refuse_outage(error)
            raise HeadtailError(f"{path} is not a Parquet file, or is damaged: {error}") from error


def read_foreign_batches(
    path: str, schema: pa.Schema, columns: Sequence[str], batch_rows: int, further: Iterable[str] | None = ()
) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of a file that others may have written, in bounded memory: columns without children.

    Raises HeadtailError if the columns differ, or if the file is damaged or claims more than `bounded_parquet` allows.
    """
    with open_input(path) as file:
        try:
            bounded = BoundedParquet(file)
            check_schema(bounded.schema, schema, path, further)
            if repeated := [name for name in columns if bounded.schema.names.count(name) > 1]:
                raise ValueError(f"it has several columns of the name {', '.join(repeated)}")
            for group in range(len(bounded.group_rows)):
                yield from bounded.read_group(group, columns, batch_rows)
        except PARQUET_ERRORS as error:
            refuse_outage(error)
            raise HeadtailError(f"{path} is not a Parquet file, or is damaged: {error}") from error


def read_rows(
    path: str, schema: pa.Schema, columns: Sequence[str] | None = None, further: Iterable[str] | None = ()
) -> pa.Table:
    """Return the rows of one file of a table: `columns`, or all columns of the file."""
    with open_table_file(path, schema, further) as file:
        return file.read(columns, use_threads=False)  # a file is small: to give its columns to threads costs more


def read_schema(path: str) -> pa.Schema:
    """Return the Arrow schema of a Parquet file, where the columns decide how it is read."""
    with open_table_file(path, pa.schema([]), further=None) as file:
        return file.schema_arrow


def foreign_schema(path: str) -> pa.Schema:
    """Return the Arrow schema of a Parquet file that others may have written; raises HeadtailError if it is damaged."""
    with open_foreign_file(path) as file:
        return file.schema


def check_file(path: str, schema: pa.Schema, further: Iterable[str] | None = ()) -> None:
    """Raise HeadtailError if the columns of a file differ from the schema, or if the file was cleaned."""
    try:
        with open_table_file(path, schema, further):
            pass
    except FileNotFoundError:
        refuse_cleaned(path)
        raise
