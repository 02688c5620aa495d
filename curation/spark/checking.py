"""What no task can see in a shard of its own: keys that stand in several."""

from collections.abc import Sequence

from pyspark.sql import SparkSession

SHOWN = 5


def shared_keys(spark: SparkSession, sidecars: Sequence[str]) -> list[str]:
    """Return some of the uids that several side-cars list, or one lists twice; shuffles the uids.

    Side-cars that cannot be read are left out: they are a problem of their shard.
    """
    if not sidecars:
        return []
    reader = spark.read.option("ignoreCorruptFiles", "true").schema("uid string")
    counts = reader.parquet(*sidecars).groupBy("uid").count()
    return [row.uid for row in counts.where("count > 1").orderBy("uid").limit(SHOWN).collect()]
