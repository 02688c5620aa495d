"""Keys that several shards have: a check of one shard cannot see them."""

from collections.abc import Iterator, Sequence

import msgspec
import pyarrow as pa
from pyspark.sql import SparkSession

from curation.core.errors import HeadtailError, refuse_outage
from curation.core.schemas import SAMPLES
from curation.core.table_reader import read_batches
from curation.spark.tasks import plan_tasks

MAX_SHOWN = 5


def shared_keys(spark: SparkSession, sidecars: Sequence[str]) -> list[str]:
    """Return some of the uids that several side-cars list, or one lists twice; shuffles the uids.

    Side-cars that cannot be read are skipped: the check of their shard reports them.
    """
    if not sidecars:
        return []
    uids = plan_tasks(spark, sidecars).mapInArrow(_read_uids, "uid string")
    counts = uids.groupBy("uid").count()
    return [row.uid for row in counts.where("count > 1").orderBy("uid").limit(MAX_SHOWN).collect()]


def _read_uids(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for path in map(msgspec.json.decode, batch.column("task").to_pylist()):
            try:
                yield from read_batches(path, SAMPLES, ["uid"], further=None)
            except (OSError, pa.ArrowException, HeadtailError) as error:
                refuse_outage(error)
                continue
