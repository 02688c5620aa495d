"""How tasks run in the workers of Spark."""

import gc
from dataclasses import dataclass

from pyspark.sql import SparkSession

from curation.core.receipts import Receipt
from curation.spark.tasks import run_tasks


@dataclass(frozen=True)
class Looking:
    """A task that looks at the garbage collection of its process."""

    name: str


def test_no_task_pays_for_the_modules_of_its_worker(spark: SparkSession) -> None:
    def look(task: Looking) -> Receipt:
        receipt = Receipt(task.name)
        receipt.facts["objects"] = len(gc.get_objects())
        receipt.facts["frozen"] = gc.get_freeze_count()
        return receipt

    for receipt in run_tasks(spark, look, [Looking(name) for name in "abcdefgh"])[2:]:
        assert receipt.facts["frozen"] > 30_000
        assert receipt.facts["objects"] < 10_000
