"""What no task can see in a shard of its own: keys that stand in several."""

import json
from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyspark.sql import SparkSession

from curation.core.storage import read_batches
from curation.spark.tasks import plan_tasks

SHOWN = 5


def shared_keys(spark: SparkSession, sidecars: Sequence[str]) -> list[str]:
    """Return some of the uids that several side-cars list, or one lists twice; shuffles the uids.

    Side-cars that cannot be read are left out: they are a problem of their shard.
    """
    if not sidecars:
        return []
    uids = plan_tasks(spark, [{"path": path} for path in sidecars]).mapInArrow(_read_uids, "uid string")
    counts = uids.groupBy("uid").count()
    return [row.uid for row in counts.where("count > 1").orderBy("uid").limit(SHOWN).collect()]


def _read_uids(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for task in map(json.loads, batch.column("task").to_pylist()):
            try:
                yield from read_batches(task["path"], ["uid"])
            except (OSError, pa.ArrowException):
                continue
