"""Time and memory of `report_stats` on a synthetic run, and the sizes of its files: `make bench NAME=report`.

    python -m tests.benchmarks.report images=10000000 entries=500000 domains=1000000 folder=/data/bench

It writes a table of `matches` (generate_matches.py, with hosts drawn by a power law), counts and balances it with the
jobs themselves, and then makes the report; tables that are there from an earlier call are taken again. `core_seconds`
are those of this process and of all that it started, `core_seconds_of` by the function of the tasks. The last line is
one JSON object.
"""

import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.compose import compose_config
from conf.schema.jobs import BalancePairsConfig, CountEntriesConfig, ReportStatsConfig
from curation.core.parquet_sink import ROW_GROUP_ROWS, ParquetSink
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import MATCHES
from curation.core.tables import Table
from curation.matching.buckets import bucket_path
from curation.matching.entry_store import EntryStore
from curation.spark import tasks as spark_tasks
from jobs import balance_pairs, count_entries, report_stats
from tests.benchmarks.generate_matches import ENTRIES, make_batch
from tests.benchmarks.memory import PeakMemory, core_seconds

BUCKETS = 64


def main(images: int = 10_000_000, entries: int = ENTRIES, domains: int = 1_000_000, folder: str = "") -> None:
    """Write the tables, then make the report."""
    with tempfile.TemporaryDirectory() as temporary:
        run = Path(folder or temporary, f"report-{images}-{entries}-{domains}")
        lists = run / "lists-of-entries"
        if not (run / "curated/part-00000/_manifest.json").exists():
            write_run(run, lists, images, entries, domains)
        shutil.rmtree(run / "report", ignore_errors=True)
        seconds: Counter[str] = Counter()
        report_stats.run_tasks = partial(timed, seconds)
        with PeakMemory() as peak:
            started, before = time.monotonic(), core_seconds()
            config = [f"output={run}", f"entry_lists={lists}", "seed=0"]
            report_stats.run(compose_config("report_stats", ReportStatsConfig, config))
            whole, work = time.monotonic() - started, core_seconds() - before
        figures = {
            "benchmark": "report", "images": images, "entries": entries, "domains": domains,
            "seconds": round(whole, 1), "core_seconds": round(work, 1),
            "core_seconds_of": {name: round(value, 1) for name, value in seconds.items()},
            "peak_memory_gib": round(peak.gib, 2),
            "bytes": {path.name: path.stat().st_size for path in sorted((run / "report").iterdir()) if path.is_file()},
        }  # fmt: skip
        print(json.dumps(figures))


def timed(seconds: Counter[str], *args: Any, **options: Any) -> list[Receipt]:
    """Call `run_tasks`, and add its core-seconds to those of its function."""
    function = args[1]
    while hasattr(function, "func"):
        function = function.func
    before = core_seconds()
    try:
        return spark_tasks.run_tasks(*args, **options)
    finally:
        seconds[function.__name__] += core_seconds() - before


def write_run(run: Path, lists: Path, images: int, entries: int, domains: int) -> None:
    """Write entry lists and `matches`, and run count_entries and balance_pairs on them."""
    lists.mkdir(parents=True, exist_ok=True)
    (lists / "en.txt").write_text("".join(f"entry {number}\n" for number in range(entries)))
    store = EntryStore.open(str(lists))
    settings = {"max_texts": 64, "buckets": BUCKETS, "metadata": store.hash, "edges": "script"}
    table = Table(str(run / "matches"), MATCHES)
    path = table.begin(0)
    with ProcessPoolExecutor(2) as pool:
        work = partial(write_bucket, folder=path, images=images // BUCKETS, domains=domains)
        receipts = list(pool.map(work, range(BUCKETS)))
    table.commit(0, Recipe("match_pairs", 1, settings, [{"path": "synthetic", "id": f"{images}"}]), receipts, 0.0)
    count_entries.run(compose_config("count_entries", CountEntriesConfig, [f"output={run}"]))
    given = [f"output={run}", "balance.tail_share=0.06", "seed=0"]
    balance_pairs.run(compose_config("balance_pairs", BalancePairsConfig, given))


def write_bucket(bucket: int, folder: str, images: int, domains: int) -> Receipt:
    """Write one bucket of `matches`. Rows are texts, as in the table."""
    path = bucket_path(folder, bucket)
    receipt, rng = Receipt(path), np.random.default_rng([7, bucket])
    prefixes = np.sort(rng.integers(bucket * 65536 // BUCKETS, (bucket + 1) * 65536 // BUCKETS, images))
    with ParquetSink(path, MATCHES) as sink:
        for start in range(0, images, ROW_GROUP_ROWS):
            batch = make_batch(rng, prefixes[start : start + ROW_GROUP_ROWS])
            sites = (domains ** rng.random(batch.num_rows)).astype(np.int64)
            hosts = pc.binary_join_element_wise("https://img.site", pa.array(sites).cast(pa.string()), ".com/", "")
            urls = pc.binary_join_element_wise(hosts, batch["uid"], ".jpg", "")
            batch = batch.set_column(batch.schema.get_field_index("url"), MATCHES.field("url"), urls)
            receipt.rows_in += len(batch["texts"].flatten())
            sink.write(batch)
    receipt.rows_out = receipt.rows_in
    receipt.facts["images"] = images
    receipt.outputs.append(sink.output())
    return receipt


if __name__ == "__main__":
    words = dict(word.split("=", 1) for word in sys.argv[1:])
    main(**{name: value if name == "folder" else int(value) for name, value in words.items()})
