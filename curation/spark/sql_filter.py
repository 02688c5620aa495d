"""The SQL filter: a user's expression over images and their scores, which only an SQL engine can evaluate.

Python reads and writes: Spark needs no file system of its own for the store.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import pyarrow as pa
from pyspark import TaskContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import write_rows
from curation.core.receipts import Receipt
from curation.core.schemas import SAMPLES
from curation.shards.duplicates import PASSED
from curation.shards.score_filter import FilterTask, iter_scored
from curation.spark.tasks import collect_receipts, on_worker, plan_tasks, receipt_batch


def filter_images(spark: SparkSession, tasks: Sequence[FilterTask], expression: str, folder: str) -> int:
    """Write the uids that pass an SQL expression, `00000.parquet` for each group, and return their number.

    A group may have no file: Spark need not run an expression that it knows to be false.

    The expression is over the columns of the shards' side-cars and of the score tables, which are null for an image
    that the table does not have; of several rows of an image one that passes is enough. An image passes if the
    expression is true, not if it is null. Raises HeadtailError for an invalid expression.
    """

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for encoded in batch.column("task").to_pylist():
                yield from iter_scored(msgspec.json.decode(encoded, type=FilterTask))

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        assert context is not None
        path = storage.join(folder, f"{context.partitionId():05d}.parquet")
        uids = pa.chunked_array([batch["uid"] for batch in batches], pa.string()).unique().sort()
        write_rows(path, pa.table([uids], PASSED))
        yield receipt_batch(Receipt(path, rows_in=len(uids), rows_out=len(uids)))

    storage.remove(folder)
    with _faults(expression):
        images = plan_tasks(spark, tasks).mapInArrow(on_worker(read), spark_type(spark, tasks[0].schema))
        receipts = collect_receipts(images.where(expression).select("uid"), write, folder)
    return sum(receipt.rows_out for receipt in receipts)


def check_filter(spark: SparkSession, expression: str, scores: pa.Schema) -> None:
    """Raise HeadtailError if the expression cannot be parsed, or names columns that neither side-cars nor scores have.

    `scores` are the columns of the score tables. Reads no image.
    """
    with _faults(expression):
        schema = pa.schema([*SAMPLES, *scores])
        spark.createDataFrame(schema.empty_table()).where(expression).select("uid")


def spark_type(spark: SparkSession, schema: pa.Schema) -> StructType:
    """Return an Arrow schema as Spark has it."""
    return spark.createDataFrame(schema.empty_table()).schema


@contextmanager
def _faults(expression: str) -> Iterator[None]:
    """Turn errors of Spark into a HeadtailError that names the filter."""
    try:
        yield
    except PySparkException as error:
        raise HeadtailError(f"filter={expression!r}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300]
