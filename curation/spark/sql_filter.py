"""The SQL filter: a user's expression over images and their scores, which only an SQL engine can evaluate."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark import TaskContext
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.run_folders import is_table
from curation.core.schemas import SAMPLES
from curation.core.table_reader import read_schema
from curation.core.tables import Table
from curation.shards.duplicates import PASSED
from curation.spark.tasks import collect_receipts, receipt_batch


def filter_images(
    spark: SparkSession, candidates: Sequence[str], scores: Sequence[str], expression: str, folder: str, groups: int
) -> int:
    """Write the uids that pass an SQL expression, `00000.parquet` for each group, and return their number.

    A group may have no file: Spark skips a partition that it knows to be empty.

    The expression is over the columns of the shards' side-cars and of the score tables. Score tables are Parquet with
    a column uid, and are joined by it; the columns are null for an image that the table does not have; of several rows
    of an image one that passes is enough. An image passes if the expression is true, not if it is null.
    Raises HeadtailError for an invalid expression, or a score table without uid or with columns of the side-cars.
    """
    with _faults(expression, candidates[0]):
        images = read_parquet(spark, candidates).select(*SAMPLES.names, "group")
        passing = passing_images(spark, images, scores, expression)

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        assert context is not None
        path = storage.join(folder, f"{context.partitionId():05d}.parquet")
        uids = pa.chunked_array([batch["uid"] for batch in batches], pa.string()).unique().sort()
        storage.write_rows(path, pa.table([uids], PASSED))
        yield receipt_batch(Receipt(path, rows_in=len(uids), rows_out=len(uids)))

    storage.remove(folder)
    with _faults(expression, candidates[0]):
        receipts = collect_receipts(passing.repartitionById(groups, "group"), write, folder)
    return sum(receipt.rows_out for receipt in receipts)


def check_filter(
    spark: SparkSession, expression: str, scores: Sequence[str], folder: str, coming: Sequence[pa.Field] = ()
) -> None:
    """Raise HeadtailError if the expression cannot be parsed, or names columns that neither side-cars nor scores have.

    Reads no image. `folder` is that of the shards, whose file system Spark must know. `coming` are columns of a score
    table that an earlier job of the chain is going to write.
    """
    scheme, mark, _ = folder.partition("://")
    context = spark.sparkContext
    assert context._jvm is not None
    with _faults(expression, folder):
        if mark:
            system = context._jvm.org.apache.hadoop.fs.FileSystem
            system.getFileSystemClass(scheme, context._jsc.hadoopConfiguration())
        schema = _readable(pa.schema([*SAMPLES, pa.field("group", pa.int32()), *coming]))
        passing_images(spark, spark.createDataFrame(schema.empty_table()), scores, expression)


def passing_images(spark: SparkSession, images: DataFrame, scores: Sequence[str], expression: str) -> DataFrame:
    """Return uid and group of the images that pass the expression, over their columns and those of score tables."""
    joined = images.transform(join_scores, [read_scores(spark, path) for path in scores])
    return joined.where(expression).select("uid", "group")


def read_scores(spark: SparkSession, path: str) -> DataFrame:
    """Return the rows of a score table, without the columns of half floats, which Spark refuses: embeddings.

    Of a table of ours the complete parts are read: Spark finds no files in their folders by itself.
    """
    files = Table(path).files() if is_table(path) else []
    schema = read_schema(files[0] if files else storage.list_files([path])[0].path)
    readable = _readable(schema)
    return read_parquet(spark, files or [path], from_arrow_schema(readable) if readable != schema else None)


def read_parquet(spark: SparkSession, paths: Sequence[str], schema: StructType | None = None) -> DataFrame:
    """Return the rows of Parquet files, folders and globs; for Spark, too, a path that exists is no glob.

    `schema` has the columns to read; None: all columns.
    """
    named = [[path] if storage.exists(path) else [file.path for file in storage.list_files([path])] for path in paths]
    reader = spark.read.option("__globPaths__", "false")
    reader = reader.schema(schema) if schema else reader
    return reader.parquet(*(path for each in named for path in each))


def _readable(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field for field in schema if "halffloat" not in str(field.type)])


@contextmanager
def _faults(expression: str, path: str) -> Iterator[None]:
    """Turn errors of Spark into a HeadtailError that names the filter."""
    try:
        yield
    except PySparkException as error:
        raise HeadtailError(f"filter={expression!r}: {_first_line(error)}") from error
    except Py4JJavaError as error:
        if "No FileSystem for scheme" not in str(error.java_exception):
            raise
        raise HeadtailError(
            f"filter={expression!r} makes Spark itself read {path}, but Spark has no file system for it: "
            "set spark=s3 for s3://; docs/scale.md has the settings for others"
        ) from error


def join_scores(images: DataFrame, scores: Sequence[DataFrame]) -> DataFrame:
    """Add the columns of score tables to images by uid; shuffles both. Reads uid, adds the tables' other columns.

    Raises HeadtailError if a table has no uid, or a column that images have already.
    """
    for table in scores:
        if "uid" not in table.columns:
            raise HeadtailError(f"scores: no column uid among {', '.join(table.columns)}")
        if twice := (set(images.columns) & set(table.columns)) - {"uid"}:
            raise HeadtailError(f"scores: column {', '.join(sorted(twice))} is there already: rename it")
        images = images.join(table, on="uid", how="left")
    return images


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300]
