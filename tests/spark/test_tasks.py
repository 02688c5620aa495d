"""How tasks run in the workers of Spark."""

import gc
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import SparkSession

from curation.core.receipts import Receipt
from curation.spark.tasks import PRELOAD, fork_from, run_tasks


@dataclass(frozen=True)
class Looking:
    """A task that looks at its process."""

    name: str


def look(task: Looking) -> Receipt:
    """Tell which processes these are, and which modules they have imported."""
    receipt = Receipt(task.name)
    receipt.facts["daemon"] = os.getppid()
    receipt.facts.update({name: int(name in sys.modules) for name in ("numba", "pandas", "curation.images.download")})
    return receipt


def test_no_task_pays_for_the_modules_of_its_worker(spark: SparkSession) -> None:
    def look(task: Looking) -> Receipt:
        receipt = Receipt(task.name)
        receipt.facts["objects"] = len(gc.get_objects())
        receipt.facts["frozen"] = gc.get_freeze_count()
        return receipt

    for receipt in run_tasks(spark, look, [Looking(name) for name in "abcdefgh"])[2:]:
        assert receipt.facts["frozen"] > 30_000
        assert receipt.facts["objects"] < 10_000


def test_a_list_of_tasks_is_one_stage_of_spark_in_their_order(spark: SparkSession) -> None:
    context = spark.sparkContext
    context.setJobGroup("one list", "")
    try:
        names = [f"{number}" for number in range(20)]
        assert [receipt.task for receipt in run_tasks(spark, look, [Looking(name) for name in names])] == names
        (job,) = context.statusTracker().getJobIdsForGroup("one list")
        info = context.statusTracker().getJobInfo(job)
        assert info
        assert len(info.stageIds) == 1
        stage = context.statusTracker().getStageInfo(info.stageIds[0])
        assert stage
        assert stage.numTasks == 20
    finally:
        context.setLocalProperty("spark.jobGroup.id", None)  # type: ignore[arg-type]  # Spark's way to take it back


def test_workers_are_forked_with_the_modules_of_their_stage_and_no_others(spark: SparkSession) -> None:
    environment = spark.sparkContext.environment
    before = environment.get(PRELOAD)
    fork_from(spark, "curation.images.download")
    try:
        facts = run_tasks(spark, look, [Looking("a")])[0].facts
    finally:
        environment.update({PRELOAD: before} if before else {})
    assert (facts["curation.images.download"], facts["numba"], facts["pandas"]) == (1, 0, 0)


def test_tasks_and_rows_of_sql_share_their_workers(spark: SparkSession) -> None:
    def daemons(_: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"daemon": [os.getppid()]})

    of_tasks = run_tasks(spark, look, [Looking("a")])[0].facts["daemon"]
    (row,) = spark.range(1, numPartitions=1).mapInArrow(daemons, "daemon long").collect()
    assert row.daemon == of_tasks
