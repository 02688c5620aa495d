"""Writes entry lists on the cluster: one task gets all terms of a language and writes its list."""

from collections.abc import Iterator
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from curation.core.receipts import Receipt
from curation.spark.tasks import collect_receipts, receipt_batch
from metadata.lists.rules import Rules
from metadata.lists.write import WikiPlan, write_wiki_list

TERMS = "lang string, source string, text string, score double"


def write_wiki_lists(
    spark: SparkSession, terms: DataFrame, plans: dict[str, WikiPlan], rules: Rules, folder: str
) -> list[Receipt]:
    """Write the list of each wiki of `plans` into `folder`; returns their receipts. Shuffles by language."""
    markers = spark.createDataFrame([(lang, "", "", None) for lang in sorted(plans)], TERMS)
    gathered = (
        terms.unionByName(markers)
        .repartition(max(1, min(len(plans), 200)), "lang")
        .sortWithinPartitions("lang", "source", F.col("score").desc(), "text")
    )
    write = partial(_write_lists, plans=plans, rules=rules, folder=folder)
    return collect_receipts(gathered, write, folder)


def _write_lists(
    batches: Iterator[pa.RecordBatch], plans: dict[str, WikiPlan], rules: Rules, folder: str
) -> Iterator[pa.RecordBatch]:
    pending: list[pa.RecordBatch] = []
    lang = ""
    for batch in batches:
        for name, part in _runs(batch):
            if pending and name != lang:
                yield receipt_batch(write_wiki_list(lang, pending, plans[lang], rules, folder))
                pending = []
            lang = name
            pending.append(part)
    if pending:
        yield receipt_batch(write_wiki_list(lang, pending, plans[lang], rules, folder))


def _runs(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Cut a batch where the language changes."""
    runs = pa.compute.run_end_encode(batch["lang"])
    start = 0
    for lang, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield lang, batch.slice(start, end - start)
        start = end
