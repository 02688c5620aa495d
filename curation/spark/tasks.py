"""Running a list of tasks on the cluster: one task a partition, a pure function each, receipts back."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import TypeVar

import msgspec
import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from curation.core.errors import HeadtailError, faults_as_lines
from curation.core.fences import WRITER, Fence
from curation.core.receipts import Receipt
from curation.core.storage import join
from curation.spark.faults import fault_line

Work = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
Task = TypeVar("Task")
TASKS = "partition int, task string"
RECEIPTS = "receipt string"


def plan_tasks(spark: SparkSession, tasks: Sequence[Task]) -> DataFrame:
    """Return a DataFrame (partition, task as JSON) with each task in the partition of its number."""
    rows = pa.table(
        {
            "partition": pa.array(range(len(tasks)), pa.int32()),
            "task": pa.array([msgspec.json.encode(task).decode() for task in tasks], pa.string()),
        }
    )
    return spark.createDataFrame(rows, TASKS).repartitionById(len(tasks), "partition")


def run_tasks(
    spark: SparkSession, function: Callable[[Task], Receipt], tasks: Sequence[Task], folder: str = ""
) -> list[Receipt]:
    """Run `function` on each task, spread over the cluster, and return the checked receipts in the tasks' order.

    A task is a frozen dataclass, all of one kind; it travels as JSON and arrives as the same dataclass.
    The function writes its outputs atomically, so a task that is tried again, or twice at once, does no harm; nobody
    but these tasks writes to `folder` meanwhile (curation.fences). Receipts are results of tasks, which Spark takes
    exactly once.
    """
    if not tasks:
        return []
    kind = type(tasks[0])

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for task in batch.column("task").to_pylist():
                yield receipt_batch(timed(function, msgspec.json.decode(task, type=kind)))

    return collect_receipts(plan_tasks(spark, tasks), work, folder)


def require_single_attempts(spark: SparkSession) -> None:
    """Raise HeadtailError where Spark may run a task twice at once, or take back an executor with its work."""
    for key in ("spark.speculation", "spark.dynamicAllocation.enabled"):
        if spark.sparkContext.getConf().get(key, "false") == "true":
            raise HeadtailError(f"{key}=true would fetch images twice: set it to false for this job")


def timed(function: Callable[[Task], Receipt], task: Task) -> Receipt:
    """Return the function's checked receipt with the seconds it took."""
    start = time.monotonic()
    receipt = function(task).check()
    receipt.seconds = time.monotonic() - start
    return receipt


def receipt_batch(receipt: Receipt) -> pa.RecordBatch:
    """Return a batch of one row that carries a receipt."""
    return pa.record_batch({"receipt": pa.array([receipt.to_json()], pa.string())})


def collect_receipts(rows: DataFrame, work: Work, folder: str = "") -> list[Receipt]:
    """Return the receipts that `work` yields for the partitions of a DataFrame, writing to `folder` as `run_tasks`.

    Raises HeadtailError for what a user can mend, without the stacks of two languages.
    """
    with Fence(join(folder, WRITER)) if folder else nullcontext() as fence:
        receipts = rows.mapInArrow(on_worker(work, fence), RECEIPTS)
        try:
            return [Receipt.from_json(row.receipt) for row in receipts.collect()]
        except (PySparkException, Py4JError) as error:
            if line := fault_line(error):
                raise HeadtailError(line) from error
            raise


def on_worker(work: Work, fence: Fence | None = None) -> Work:
    """Return work that holds a fence, and tells a fault of the worker's files as HeadtailError."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with faults_as_lines(), fence.held() if fence else nullcontext():
            yield from work(batches)

    return run
