"""Running a list of tasks on the cluster: one task a partition, a pure function each, receipts back."""

import json
import re
import time
from collections.abc import Callable, Iterator

import pyarrow as pa
from pyspark.errors import PythonException
from pyspark.sql import DataFrame, SparkSession

from curation.errors import HeadtailError
from curation.receipts import Receipt

Task = dict
TASKS = "partition int, task string"
RECEIPTS = "receipt string"


def plan_tasks(spark: SparkSession, tasks: list[Task]) -> DataFrame:
    """Return a DataFrame (partition, task as JSON) with each task in the partition of its number."""
    rows = pa.table(
        {
            "partition": pa.array(range(len(tasks)), pa.int32()),
            "task": pa.array([json.dumps(task) for task in tasks], pa.string()),
        }
    )
    return spark.createDataFrame(rows, TASKS).repartitionById(len(tasks), "partition")


def run_tasks(spark: SparkSession, function: Callable[[Task], Receipt], tasks: list[Task]) -> list[Receipt]:
    """Run `function` on each task, spread over the cluster, and return the checked receipts in the tasks' order.

    The function writes its outputs atomically, so a task that is tried again, or twice at once, does no harm;
    receipts are results of tasks, which Spark takes exactly once.
    """
    if not tasks:
        return []

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for task in batch.column("task").to_pylist():
                yield receipt_batch(timed(function, json.loads(task)))

    return collect_receipts(plan_tasks(spark, tasks).mapInArrow(work, RECEIPTS))


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


def collect_receipts(receipts: DataFrame) -> list[Receipt]:
    """Return the receipts that the tasks of a DataFrame (receipt) yield."""
    try:
        return [Receipt.from_json(row.receipt) for row in receipts.collect()]
    except PythonException as error:
        # A user's mistake that only a worker could see is told as one, without the stacks of two languages.
        told = re.findall(rf"^{HeadtailError.__module__}\.HeadtailError: (.*)$", str(error), re.MULTILINE)
        if told:
            raise HeadtailError(told[-1]) from error
        raise
