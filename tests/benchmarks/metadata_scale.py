"""`build_metadata` at a share of English size: from partial counts to a written list, through the job's own shuffles.

`python -m tests.benchmarks.metadata_scale share=0.01 folder=/data/bench preset=metaclip2`; the last line is one JSON
object. Partial counts come from `tests.benchmarks.english_ngrams`, so the benchmark needs no dump of 25 GB; a file that
is there from an earlier call is taken again. The steps behind them are the job's: the session's settings,
`gather_terms`, `write_wiki_lists`. Page views and WordNet, which are small beside the bigrams, are left out.
"""

import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
import yaml
from pyspark.sql import SparkSession

from curation.spark.session import close_session, open_session
from metadata.lists.write import plan_wikis
from metadata.spark.gather import gather_terms, set_partitions
from metadata.spark.write_lists import write_wiki_lists
from tests.benchmarks.english_ngrams import RANGES, write_range
from tests.benchmarks.memory import PeakDisk, PeakMemory, core_seconds
from tests.unit.metadata.settings import list_rules

METRICS = ("shuffleWriteBytes", "diskBytesSpilled", "memoryBytesSpilled")


def main() -> None:
    """Make the partial counts, build the list, print what it took."""
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    share = float(given.get("share", 0.01))
    with tempfile.TemporaryDirectory(dir=given.get("folder"), prefix="metadata-scale-") as folder:
        counts = Path(given.get("folder", folder), "ngrams")
        files = make_counts(counts, max(1, round(share * RANGES)), int(given.get("processes", 2)))
        preset = yaml.safe_load(Path("conf/metadata", f"{given.get('preset', 'metaclip2')}.yaml").read_text())
        figures = build(files, Path(folder), preset, given.get("master", "local[2]"), given.get("memory", "2g"))
    print(json.dumps({"benchmark": "metadata_scale", "share": round(len(files) / RANGES, 4), **figures}))


def make_counts(folder: Path, ranges: int, processes: int) -> list[str]:
    """Write the partial counts of so many ranges, those that are missing; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [number for number in range(ranges) if not (folder / f"{number:05d}.parquet").exists()]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.starmap(write_range, [(folder / f"{number:05d}.parquet", number) for number in numbers])
    return [str(folder / f"{number:05d}.parquet") for number in range(ranges)]


def build(files: list[str], folder: Path, preset: dict, master: str, memory: str) -> dict[str, float]:
    """Run the steps of `build_metadata` behind its partial counts."""
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    rules, scratch = list_rules(**preset), folder / "spark"
    scratch.mkdir(parents=True, exist_ok=True)
    with PeakMemory() as peak, PeakDisk(scratch) as disk:
        spark = open_session("bench", master, memory, {"spark.local.dir": str(scratch)})
        start, before = time.monotonic(), core_seconds()
        set_partitions(spark, rows)
        terms = gather_terms(spark, files, [], ["en"], rules)
        gathered = time.monotonic()
        receipts = write_wiki_lists(spark, terms.terms, plan_wikis({}, terms.rows, rules), rules, str(folder / "lists"))
        seconds, used = time.monotonic() - start, core_seconds() - before
        stages = stage_metrics(spark)
        partitions = int(spark.conf.get("spark.sql.shuffle.partitions") or 0)
        close_session()
    for stage in stages:
        print(stage, flush=True)
    found = terms.rows["en"]
    return {
        "partial_rows": rows,
        "partial_bytes": sum(os.path.getsize(file) for file in files),
        "distinct_words": found["unigram"].available,
        "distinct_bigrams": found["bigram"].available,
        "entries": receipts[0].rows_out,
        "partitions": partitions,
        "seconds": round(seconds, 1),
        "write_seconds": round(start + seconds - gathered, 1),
        "core_seconds": round(used, 1),
        "core_seconds_per_million_rows": round(used / rows * 1e6, 2),
        "shuffle_bytes": sum(stage["shuffleWriteBytes"] for stage in stages),
        "spill_bytes": sum(stage["diskBytesSpilled"] for stage in stages),
        "peak_disk_bytes": disk.bytes,
        "jvm_gib": round(peak.jvm, 2),
        "worker_gib": round(peak.worker, 2),
        "driver_gib": round(peak.driver, 2),
        "peak_gib": round(peak.gib, 2),
    }


def stage_metrics(spark: SparkSession) -> list[dict]:
    """Return tasks, seconds and bytes of each stage that ran, as Spark counts them."""
    context = spark.sparkContext
    jvm = context._gateway
    assert jvm is not None
    quantiles, any_status = jvm.new_array(jvm.jvm.double, 0), jvm.jvm.java.util.ArrayList()
    stages = context._jsc.sc().statusStore().stageList(None, False, False, quantiles, any_status)
    found = []
    for index in range(stages.size()):
        stage = stages.apply(index)
        row = {"stage": stage.stageId(), "tasks": stage.numCompleteTasks()}
        row |= {"seconds": stage.executorRunTime() / 1000, "core_seconds": stage.executorCpuTime() / 1e9}
        if row["tasks"]:
            found.append(row | {name: getattr(stage, name)() for name in METRICS})
    return found


if __name__ == "__main__":
    main()
