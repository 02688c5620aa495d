"""Runs a list of tasks on the cluster: one task per partition; a pure function does it and returns a receipt."""

import gc
import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

import msgspec
import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark import TaskContext
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from curation.core.attempts import attempt, noted_error
from curation.core.errors import HeadtailError, faults_as_lines
from curation.core.fences import WRITER, Fence
from curation.core.progress import Amount, say_kept
from curation.core.receipts import Receipt
from curation.core.storage import TEMPORARY, join
from curation.spark.faults import fault_line, is_local
from curation.spark.watching import step_name, watched_step, with_beats

Task = TypeVar("Task")
Item = TypeVar("Item")
Work = Callable[[Iterator[Item]], Iterator[Item]]
Batches = Work[pa.RecordBatch]
PRELOAD = "HEADTAIL_PRELOAD"
"""The environment variable with the module that workers find imported (curation.spark.daemon)."""
TASKS = "partition int, task string"
RECEIPTS = "receipt string"
_modules = 0
"""How many modules this process had when its objects were last taken out of garbage collection."""


def plan_tasks(spark: SparkSession, tasks: Sequence[Task]) -> DataFrame:
    """Return a DataFrame (partition, task as JSON) with one task per partition, in the order of the tasks."""
    rows = pa.table(
        {
            "partition": pa.array(range(len(tasks)), pa.int32()),
            "task": pa.array([msgspec.json.encode(task).decode() for task in tasks], pa.string()),
        }
    )
    return spark.createDataFrame(rows, TASKS).repartitionById(len(tasks), "partition")


def run_tasks(
    spark: SparkSession,
    function: Callable[[Task], Receipt],
    tasks: Sequence[Task],
    folder: str = "",
    give_up: Callable[[Task], Receipt] | None = None,
    amount: Amount | None = None,
) -> list[Receipt]:
    """Do tasks as `_run_tasks` does. Meanwhile the progress line shows them, in the unit of `amount` if it is given."""
    if not tasks:
        return []
    say_kept()
    with watched_step(step_name(function), len(tasks), folder, amount) as (beats, ended):
        receipts = _run_tasks(spark, with_beats(function, beats), tasks, folder, give_up)
        ended(receipts)
    return receipts


def _run_tasks(
    spark: SparkSession,
    function: Callable[[Task], Receipt],
    tasks: Sequence[Task],
    folder: str = "",
    give_up: Callable[[Task], Receipt] | None = None,
) -> list[Receipt]:
    """Run `function` on each task on the cluster, and return the checked receipts in the order of the tasks.

    All tasks are frozen dataclasses of one class; they are sent as JSON and decoded to the same class. The function
    writes its outputs atomically, so Spark may run a task again, or twice at once. During the run, a fence keeps other
    writers out of `folder` (curation.core.fences). Spark takes the receipt of each task exactly once.

    Tasks and receipts are strings of an RDD: a DataFrame of them would cost the JVM twice the time for each task, and
    some seconds for the first one.

    A task with hostile input can end its process. With `give_up`, which needs a `folder`, a task that has done so
    MAX_DEATHS times (curation.core.attempts) is not run again: `give_up` makes its outputs and receipt.
    """
    if not tasks:
        return []
    kind = type(tasks[0])

    def at_most_twice(task: Task) -> Receipt:
        if give_up is None:
            return function(task)
        with attempt(folder, hashlib.sha256(msgspec.json.encode(task)).hexdigest()[:16]) as may_run:
            return function(task) if may_run else give_up(task)

    def work(encoded: Iterator[str]) -> Iterator[str]:
        for task in encoded:
            yield timed(at_most_twice, msgspec.json.decode(task, type=kind)).to_json()

    spark.sparkContext.environment.setdefault(PRELOAD, getattr(function, "func", function).__module__)
    with fenced(folder) as fence:
        rows = spark.sparkContext.parallelize([msgspec.json.encode(task).decode() for task in tasks], len(tasks))
        receipts = rows.mapPartitions(on_worker(work, fence))  # type: ignore[arg-type]  # it is given an iterator
        return [Receipt.from_json(text) for text in receipts.collect()]


def fork_from(spark: SparkSession, module: str) -> None:
    """Run the tasks that follow in workers that have imported this module, and nothing for earlier tasks.

    The workers of before end when they have been idle for a minute.
    """
    spark.sparkContext.environment[PRELOAD] = module


def require_single_attempts(spark: SparkSession) -> None:
    """Raise HeadtailError if Spark may run a task twice at once, or remove an executor with its results."""
    for key in ("spark.speculation", "spark.dynamicAllocation.enabled"):
        if spark.sparkContext.getConf().get(key, "false") == "true":
            raise HeadtailError(f"{key}=true would fetch images twice: set {key}=false for this job")


def timed(function: Callable[[Task], Receipt], task: Task) -> Receipt:
    """Run the function and return its checked receipt with the seconds that it took."""
    start = time.monotonic()
    receipt = function(task).check()
    receipt.seconds = time.monotonic() - start
    return receipt


def receipt_batch(receipt: Receipt) -> pa.RecordBatch:
    """Return a receipt as a batch of one row."""
    return pa.record_batch({"receipt": pa.array([receipt.to_json()], pa.string())})


def collect_receipts(rows: DataFrame, work: Batches, folder: str = "") -> list[Receipt]:
    """Run `work` on the partitions of a DataFrame and return the receipts that it yields.

    A fence keeps other writers out of `folder`, as in `run_tasks`. Raises HeadtailError for a fault that a user can
    fix, without the stack traces of Python and Java.
    """
    with fenced(folder) as fence:
        receipts = rows.mapInArrow(on_worker(work, fence), RECEIPTS)
        return [Receipt.from_json(row.receipt) for row in receipts.collect()]


@contextmanager
def fenced(folder: str) -> Iterator[Fence | None]:
    """Keep other writers out of `folder` in the block, and turn an error of Spark that a user can fix into one line."""
    with _fence_of(folder) as fence, _known_faults():
        yield fence


def _fence_of(folder: str) -> AbstractContextManager[Fence | None]:
    return Fence(join(folder, WRITER)) if folder else nullcontext()


@contextmanager
def _known_faults() -> Iterator[None]:
    """Turn an error of Spark that a user can fix into a HeadtailError."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        if line := fault_line(error):
            raise HeadtailError(line) from error
        raise


def keep_modules() -> None:
    """Take all objects of this process out of garbage collection, at the start of a task, if it has imported modules.

    Spark's worker collects garbage after each task. Without this it looks at 120,000 objects of modules each time, and
    thereby copies the memory that it shares with other workers. At the start of a task there is no garbage.
    """
    global _modules
    if len(sys.modules) != _modules:
        gc.freeze()
        _modules = len(sys.modules)


def on_worker(work: Work[Item], fence: Fence | None = None) -> Work[Item]:
    """Return work that holds a fence, and turns a fault of the worker's storage into a HeadtailError.

    On this machine, work under a fence that has ended with an error is not done again: another one would be no better.
    """
    elsewhere = not is_local()

    def run(items: Iterator[Item]) -> Iterator[Item]:
        context = TaskContext.get()
        note = f"{fence.path}-{fence.token}-{context.partitionId()}{TEMPORARY}" if fence and context else ""
        keep_modules()
        once = nullcontext() if elsewhere or not note else noted_error(note)
        with once, faults_as_lines(elsewhere), fence.held() if fence else nullcontext():
            yield from work(items)

    return run
