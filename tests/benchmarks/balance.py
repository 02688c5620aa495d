"""Counting and balancing against the least a pass can cost, and against the published loops: `make bench NAME=balance`.

Synthetic `matches` (tests/benchmarks/generate_matches.py) with all columns. In one warm session, taken in turn, the
fastest of each:

- `ratio_scan_count`: `count_entries` over a mapInArrow that reads the same columns and yields its row counts.
- `ratio_copy_balance`: `balance_pairs` over a mapInArrow that reads the same columns, keeps an equal share by a row
  mask and writes `curated`'s schema.
- `..._tasks`: the same two jobs, written for our own tasks with pyarrow: no pass through the JVM, a harder measure.
- `ratio_python_loop_count`, `ratio_python_loop_draw`: the published loops, text by text and entry by entry, over ours,
  on one core without Spark, on the same texts in memory, each side in its natural form: lists of ids, Arrow batches.
  Both say which texts are kept, ours by the keyed hash of every draw. `..._draw_images`: ours chooses the text of
  every image as well, which the loop does not.
- `ratio_concepts`: `balance_pairs` with two namespaces of concepts over one without: 3 of 1,000 ids for each image, and
  1 to 6 of 20,000 for four of five, in files in no order of uids. `ratio_concepts_any`: the same with combine=any.
- `ratio_targets_balance`, `ratio_targets_draw`: `balance_pairs`, and our draw in memory, with a weight or a t for each
  of the 500,000 entries, over the same without.
- `growth`: seconds of both jobs on all texts over 4 times those on a quarter.
- `peak_memory_gib`: driver, JVM and workers together, proportional shares of memory, during our jobs.

Arguments: texts=20000000 rounds=3 memory_texts=1000000 folder=(a temporary
one; what is made in a given one stays, for the next run of that size) clock=wall (or cpu: CPU time of all processes,
for a machine that is busy). The last line is one JSON object.
"""

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import col
from pyspark.sql.functions import sum as sum_of

from conf.compose import compose_config
from conf.schema.jobs import BalancePairsConfig, CountEntriesConfig
from curation.balancing.balance import draw_batch, text_probabilities
from curation.balancing.counts import CountArrays
from curation.balancing.distributions import Distribution
from curation.balancing.matched_batch import BATCH_IMAGES, COUNTED_COLUMNS, MatchedBatch
from curation.balancing.probabilities import entry_probabilities
from curation.balancing.targets import EntryTargets, with_targets
from curation.core.parquet_sink import ParquetSink, write_rows
from curation.core.receipts import Receipt
from curation.core.schemas import CURATED, CURATED_TEXT, MATCHES, TEXT, THRESHOLDS
from curation.core.table_reader import read_batches, read_rows
from curation.core.tables import Table
from curation.spark.session import close_session, open_session
from curation.spark.tasks import run_tasks
from jobs import balance_pairs, count_entries
from tests.benchmarks.generate_matches import ENTRIES, make_batch, write_matches_table
from tests.benchmarks.memory import PeakMemory, cpu_seconds

TAIL_SHARE = 0.06
CURATED_DDL = (
    "uid string, url string, text string, lang string, keep_probability double, "
    "texts array<struct<text: string, text_key: string, lang: string, lang_score: float, entry_ids: array<int>, "
    "keep_probability: double, kept: boolean>>"
)


def run_count(output: Path) -> None:
    """Our job, made to run again."""
    shutil.rmtree(output / "entry_counts", ignore_errors=True)
    count_entries.run(compose_config("count_entries", CountEntriesConfig, [f"output={output}"]))


def run_balance(output: Path, *more: str) -> None:
    """Our job, made to run again, with `more` settings."""
    shutil.rmtree(output / "curated", ignore_errors=True)
    shutil.rmtree(output / "thresholds", ignore_errors=True)
    balance_pairs.run(
        compose_config(
            "balance_pairs",
            BalancePairsConfig,
            [f"output={output}", f"balance.tail_share={TAIL_SHARE}", "seed=0", *more],
        )
    )


def run_concepts(output: Path, combine: str = "product") -> None:
    """Our job with two namespaces, made to run again."""
    tables = [f"concepts.{name}={output}/{name}_table" for name in ("colours", "tags")]
    run_balance(output, f"balance.combine={combine}", *tables)


def write_concepts(output: Path) -> None:
    """Write the tables of two namespaces: files of the images of four buckets, shuffled."""
    rng = np.random.default_rng(2)
    files = Table(str(output / "matches")).files()
    for start in range(0, len(files), 4):
        uids = pa.concat_tables(pq.read_table(file, columns=["uid"]) for file in files[start : start + 4])["uid"]
        for name, ids, sizes in (("colours", 1000, (3, 4)), ("tags", 20_000, (1, 7))):
            mine = rng.permutation(len(uids))[: len(uids) if name == "colours" else len(uids) * 4 // 5]
            offsets = np.append(0, np.cumsum(rng.integers(*sizes, len(mine)))).astype(np.int32)
            found = (ids ** rng.random(offsets[-1])).astype(np.int32) - 1
            lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(found))
            (output / f"{name}_table").mkdir(exist_ok=True)
            rows = pa.table({"uid": uids.take(pa.array(mine)), "concept_ids": lists})
            pq.write_table(rows, output / f"{name}_table" / f"{start:05d}.parquet")


def make_targets(t: float) -> EntryTargets:
    """A weight of a quarter to 4 for each entry, or a t that is so many times the language's."""
    rng = np.random.default_rng(2)
    weights = 2.0 ** rng.integers(-2, 3, ENTRIES)
    ids = np.arange(ENTRIES, dtype=np.int32)
    return EntryTargets({"en": (ids, np.where(rng.random(ENTRIES) < 0.1, -t * weights, weights))})


def read_matches(spark: SparkSession, output: Path) -> DataFrame:
    """The same files, through Spark's reader."""
    return spark.read.parquet(*Table(str(output / "matches")).files())


def scan_spark(spark: SparkSession, output: Path) -> None:
    """The least a mapInArrow can do with what counting reads."""

    def rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield pa.record_batch({"rows": [batch.num_rows]})

    columns = read_matches(spark, output).select(col("texts.lang").alias("lang"), col("texts.entry_ids").alias("ids"))
    columns.mapInArrow(rows, "rows long").agg(sum_of("rows")).collect()


def masked(batch: pa.RecordBatch, share: float) -> pa.RecordBatch:
    """An equal share of the rows, by a mask, in `curated`'s schema."""
    mask = (np.arange(batch.num_rows) * share) % 1.0 >= 1.0 - share
    kept = batch.filter(pa.array(mask))
    lists = kept["texts"]
    texts = lists.flatten()
    first = pa.array(lists.offsets.to_numpy()[:-1] - lists.offsets[0].as_py())
    # Spark's lists may hold nulls, for all it knows.
    fields = [pa.compute.struct_field(texts, field.name).cast(field.type) for field in TEXT]
    more = [pa.repeat(0.5, len(texts)), pa.repeat(True, len(texts))]
    structs = pa.StructArray.from_arrays([*fields, *more], fields=list(CURATED_TEXT))
    offsets = pa.array(lists.offsets.to_numpy() - lists.offsets[0].as_py())
    again = pa.ListArray.from_arrays(offsets, structs, type=CURATED.field("texts").type)
    columns = [kept["uid"], kept["url"], fields[0].take(first), fields[2].take(first), pa.repeat(0.5, len(kept)), again]
    return pa.record_batch(columns, schema=CURATED)


def copy_spark(spark: SparkSession, output: Path, share: float) -> None:
    """Read, mask, write, through Spark's reader and writer."""

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield masked(batch, share)

    frame = read_matches(spark, output).select("uid", "url", "texts").mapInArrow(work, CURATED_DDL)
    frame.write.mode("overwrite").option("compression", "zstd").parquet(str(output / "copy"))


def scan_task(task: dict) -> Receipt:
    """The same scan as a task of ours."""
    rows = sum(batch.num_rows for batch in read_batches(task["file"], MATCHES, COUNTED_COLUMNS))
    return Receipt(task["file"], rows_in=rows, rows_out=rows)


def copy_task(task: dict, share: float) -> Receipt:
    """The same copy as a task of ours."""
    receipt = Receipt(task["file"])
    with ParquetSink(task["output"], CURATED) as sink:
        for batch in read_batches(task["file"], MATCHES):
            receipt.rows_in += batch.num_rows
            sink.write(masked(batch, share))
    receipt.rows_out = receipt.rows_in
    return receipt


def run_over_files(spark: SparkSession, output: Path, function: Callable[[dict], Receipt]) -> None:
    """A task a bucket, as our jobs have them."""
    files = Table(str(output / "matches")).files()
    run_tasks(spark, function, [{"file": f, "output": str(output / "copy" / f.split("/")[-1])} for f in files])


def in_memory(texts: int) -> dict[str, float]:
    """The published loops and ours, on the same texts."""
    rng = np.random.default_rng(1)
    batches: list[pa.RecordBatch] = []
    while sum(len(batch["texts"].flatten()) for batch in batches) < texts:
        batches.append(make_batch(rng, np.sort(rng.integers(0, 65536, BATCH_IMAGES))))
    lists = [
        ids for batch in batches for ids in pa.compute.struct_field(batch["texts"].flatten(), "entry_ids").to_pylist()
    ]
    counted = CountArrays()
    for batch in batches:
        counted.add(MatchedBatch(batch))
    counts = dict(counted.items())
    # As many matches as the whole table has, so that probabilities are as there.
    counts["en"] = counts["en"] * (20_000_000 // texts)
    t = {"en": Distribution(counts["en"]).t_of_share(TAIL_SHARE)}
    probabilities = entry_probabilities(counts["en"], t["en"])

    def count_loop() -> np.ndarray:
        entry_counts = np.zeros(ENTRIES, np.int64)
        for ids in lists:
            for entry_id in ids:
                entry_counts[entry_id] += 1
        return entry_counts

    def draw_loop() -> int:
        kept = []
        for index, ids in enumerate(lists):
            for entry_id in ids:
                if random.random() < probabilities[entry_id]:
                    kept.append(index)
                    break
        return len(kept)

    def count_ours() -> np.ndarray:
        found = CountArrays()
        for batch in batches:
            found.add(MatchedBatch(batch))
        return dict(found.items())["en"]

    def draw_ours() -> int:
        kept = 0
        for batch in batches:
            matched = MatchedBatch(batch)
            kept += int(matched.keep_texts(0, text_probabilities(matched, counts, t)).sum())
        return kept

    targeted = with_targets(counts, make_targets(t["en"]))

    def draw_targets_ours() -> int:
        kept = 0
        for batch in batches:
            matched = MatchedBatch(batch)
            kept += int(matched.keep_texts(0, text_probabilities(matched, targeted, t)).sum())
        return kept

    def draw_images_ours() -> int:
        kept = 0
        for batch in batches:
            matched = MatchedBatch(batch)
            kept += int(draw_batch(matched, text_probabilities(matched, counts, t), "pair", 0).kept.sum())
        return kept

    assert np.array_equal(np.trim_zeros(count_loop(), "b"), count_ours())
    loop, ours = draw_loop(), draw_ours()
    assert abs(loop - ours) < 5 * np.sqrt(len(lists)), (loop, ours)
    assert draw_images_ours() == ours
    assert draw_targets_ours() > 0
    sides = {
        "cl": count_loop,
        "co": count_ours,
        "dl": draw_loop,
        "do": draw_ours,
        "di": draw_images_ours,
        "dt": draw_targets_ours,
    }
    best = interleaved(sides, 5, time.process_time)
    return {
        "loop_count_ns": best["cl"] / len(lists) * 1e9,
        "ours_count_ns": best["co"] / len(lists) * 1e9,
        "loop_draw_ns": best["dl"] / len(lists) * 1e9,
        "ours_draw_ns": best["do"] / len(lists) * 1e9,
        "ours_draw_images_ns": best["di"] / len(lists) * 1e9,
        "ours_draw_targets_ns": best["dt"] / len(lists) * 1e9,
        "ratio_targets_draw": best["dt"] / best["do"],
        "ratio_python_loop_count": best["cl"] / best["co"],
        "ratio_python_loop_draw": best["dl"] / best["do"],
        "ratio_python_loop_draw_images": best["dl"] / best["di"],
    }


def interleaved(sides: dict[str, Callable], rounds: int, clock: Callable[[], float]) -> dict[str, float]:
    """The fastest seconds of each side, taken in turn."""
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, function in sides.items():
            start = clock()
            function()
            best[name] = min(best.get(name, np.inf), clock() - start)
    return best


def prepare(folder: Path, texts: int) -> int:
    """Write the synthetic table, unless an earlier run has left it; returns its texts."""
    parts = Table(str(folder / "matches")).parts()
    return parts[0].receipt.facts["texts"] if parts else write_matches_table(str(folder / "matches"), texts)


def in_spark(folder: Path, texts: int, rounds: int, clock: Callable[[], float] = time.monotonic) -> dict[str, float]:
    """Both jobs and what they are measured against, on the whole table and a quarter of it."""
    whole, quarter = folder / "whole", folder / "quarter"
    made = prepare(whole, texts)
    prepare(quarter, texts // 4)
    if not (whole / "tags_table").exists():
        write_concepts(whole)
    spark = open_session("bench", "local[2]", "1g", {})
    run_count(quarter)
    run_balance(quarter)
    scan_spark(spark, quarter)
    run_count(whole)
    run_balance(whole)
    (part,) = Table(str(whole / "curated")).parts()
    share = part.receipt.rows_out / part.receipt.rows_in
    targets = str(folder / "targets.parquet")
    (row,) = read_rows(Table(str(whole / "thresholds")).files()[0], THRESHOLDS).to_pylist()
    write_rows(targets, make_targets(row["t"]).rows())
    sides = {
        "scan_spark": partial(scan_spark, spark, whole),
        "scan_tasks": partial(run_over_files, spark, whole, scan_task),
        "count": partial(run_count, whole),
        "copy_spark": partial(copy_spark, spark, whole, share),
        "copy_tasks": partial(run_over_files, spark, whole, partial(copy_task, share=share)),
        "balance": partial(run_balance, whole),
        "concepts": partial(run_concepts, whole),
        "concepts_any": partial(run_concepts, whole, "any"),
        "balance_targets": partial(run_balance, whole, f"balance.targets={targets}"),
        "count_quarter": partial(run_count, quarter),
        "balance_quarter": partial(run_balance, quarter),
    }
    best = interleaved(sides, rounds, clock)
    with PeakMemory() as memory:
        run_count(whole)
        run_balance(whole)
    with PeakMemory() as concept_memory:
        run_concepts(whole)
    return {
        "texts": made,
        "kept_share_of_images": share,
        **{f"{name}_seconds": seconds for name, seconds in best.items()},
        "ratio_scan_count": best["count"] / best["scan_spark"],
        "ratio_scan_count_tasks": best["count"] / best["scan_tasks"],
        "ratio_copy_balance": best["balance"] / best["copy_spark"],
        "ratio_copy_balance_tasks": best["balance"] / best["copy_tasks"],
        "ratio_concepts": best["concepts"] / best["balance"],
        "ratio_concepts_any": best["concepts_any"] / best["balance"],
        "ratio_targets_balance": best["balance_targets"] / best["balance"],
        "growth": (best["count"] + best["balance"]) / 4 / (best["count_quarter"] + best["balance_quarter"]),
        "peak_memory_gib": memory.gib,
        "peak_memory_concepts_gib": concept_memory.gib,
    }


def main() -> None:
    """Run all, and print the result as the last line."""
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    found = in_memory(int(given.get("memory_texts", 1_000_000)))
    print(json.dumps(found))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(given.get("folder", temporary))
        clock = {"wall": time.monotonic, "cpu": cpu_seconds}[given.get("clock", "wall")]
        found |= in_spark(folder, int(given.get("texts", 20_000_000)), int(given.get("rounds", 3)), clock)
        close_session()
    print(json.dumps({name: round(value, 4) for name, value in found.items()}))


if __name__ == "__main__":
    main()
