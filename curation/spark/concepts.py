"""Concepts on the cluster: two lists of tasks before the draw, which deal and join their tables."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from pyspark.sql import SparkSession

from curation.balancing.concept_counts import ConceptGoal, add_counts, describe_namespace, target_values
from curation.balancing.concept_join import join_concepts, plan_joining
from curation.balancing.concept_rows import UidRanges, deal_concepts, measure_concepts, plan_dealing, plan_measuring
from curation.balancing.concept_tables import ConceptTable
from curation.balancing.concepts import ConceptDraw
from curation.balancing.counts import CountFiles
from curation.balancing.targets import EntryTargets
from curation.core import storage
from curation.core.choices import Combine
from curation.core.receipts import Receipt, merge_receipts
from curation.spark.tasks import run_tasks

FEW_FILES, FEW_BYTES = 32, 1 << 30
"""Tables of so many files and bytes are measured by the driver."""


@dataclass(frozen=True)
class JoinedConcepts:
    """Concepts that are joined with the images of `matches`: their draw, their counts, and the receipt of the join."""

    draw: ConceptDraw
    counts: CountFiles
    receipt: Receipt
    rows: Mapping[str, int]
    weighted: Mapping[str, bool]

    def images_with(self, name: str) -> int:
        """Return how many images have a concept of a namespace."""
        return self.receipt.facts[f"with {list(self.draw.t).index(name)}"]

    def rows_without_image(self, name: str) -> int:
        """Return how many rows of a table have the uid of no image."""
        return self.rows[name] - self.receipt.facts[f"joined {list(self.draw.t).index(name)}"]

    def kept(self, folder: str) -> CountFiles:
        """Return the counts of the kept images, after the draw, in flat files in `folder`."""
        names = [name for name in storage.list_folder(self.draw.kept) if name.endswith(".parquet")]
        return add_counts([storage.join(self.draw.kept, name) for name in names], self.weighted, folder)

    def describe(self, kept: CountFiles) -> dict[str, dict]:
        """Return the numbers of each namespace for the manifest."""
        images = self.receipt.rows_out
        return {
            name: {
                **describe_namespace(
                    self.counts[name],
                    t,
                    images,
                    self.images_with(name),
                    kept[name],
                    target_values(self.draw.targets, name, self.counts[name]),
                ),
                "rows": self.rows[name],
                "rows_without_image": self.rows_without_image(name),
            }
            for name, t in self.draw.t.items()
        }


def measure_tables(spark: SparkSession, tables: Sequence[ConceptTable], folder: str) -> list[int]:
    """Return the bytes that the rows of each table take in memory. A few take less time here than on Spark."""
    plans = [plan_measuring(table) for table in tables]
    tasks = [task for plan in plans for task in plan]
    files = [file for table in tables for file in table.files]
    few = len(files) <= FEW_FILES and sum(file.size for file in files) <= FEW_BYTES
    receipts = map(measure_concepts, tasks) if few else iter(run_tasks(spark, measure_concepts, tasks, folder))
    return [sum(receipt.facts["bytes"] for receipt in itertools.islice(receipts, len(plan))) for plan in plans]


def join_tables(
    spark: SparkSession,
    tables: Sequence[ConceptTable],
    goals: Mapping[str, ConceptGoal],
    combine: Combine,
    buckets: Sequence[Sequence[str]],
    images: int,
    folder: str,
    targets: EntryTargets | None = None,
) -> JoinedConcepts:
    """Join the tables with the buckets of `matches`, count the concepts, and choose the thresholds; writes to `folder`.

    `images` is about the number of images, `targets` are those of concepts, by namespace. Raises HeadtailError for a
    table whose rows mean nothing.
    """
    ranges = UidRanges.of(measure_tables(spark, tables, folder), len(buckets), images)
    dealt = {table.name: storage.join(folder, "dealt", table.name) for table in tables}
    tasks = {table.name: plan_dealing(table, dealt[table.name]) for table in tables}
    dealing = [one for each in tasks.values() for one in each]
    receipts = run_tasks(spark, partial(deal_concepts, ranges=ranges), dealing, folder)
    rows, done = {}, 0
    for name, mine in tasks.items():
        rows[name] = sum(receipt.rows_out for receipt in receipts[done : done + len(mine)])
        done += len(mine)
    joined = storage.join(folder, "joined")
    weighted = {table.name: table.weighted for table in tables}
    parallelism = spark.sparkContext.defaultParallelism
    joining = plan_joining(buckets, weighted, list(dealt.values()), joined, parallelism)
    total = merge_receipts("concepts", run_tasks(spark, partial(join_concepts, ranges=ranges), joining, folder))
    storage.remove(storage.join(folder, "dealt"))
    counts = add_counts([task.counts for task in joining], weighted, storage.join(folder, "counts"))
    t = {
        name: goals[name].threshold(np.asarray(counts[name]), target_values(targets, name, counts[name]))
        for name in dealt
    }
    draw = ConceptDraw(t, combine, counts.folder, joined, storage.join(folder, "kept"), targets)
    return JoinedConcepts(draw, counts, total, rows, weighted)
