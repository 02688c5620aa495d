"""Bytes of the shuffle of `match_pairs`, as blocks and as rows, by buckets: `make bench NAME=shuffle_bytes`.

The same pairs (those of the benchmark scale) are matched and shuffled twice for each number: by the job's function,
and by Spark's own means row by row, with the same compression. Both are bytes written for the shuffle, as Spark counts
them, over the texts of `matches`; neither depends on how busy the machine is. The last line is one JSON object.

Arguments: rows=1400000 buckets=64,587,2048
"""

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from curation.core.choices import Engine
from curation.core.schemas import PAIRS
from curation.core.table_reader import read_batches
from curation.matching.entry_store import EntryStore
from curation.matching.match import READ_COLUMNS, MatchTask, match_batch
from curation.spark.matching import match_to_buckets
from curation.spark.session import close_session, open_session
from curation.spark.tasks import plan_tasks
from tests.benchmarks.match import english_store
from tests.benchmarks.row_shuffle import SHUFFLED, pack_rows, shuffle_to_buckets
from tests.benchmarks.scale.shuffle import shuffle_write_bytes, write_real_pairs
from tests.unit.matching.settings import match_settings


def shuffle_rows(spark: SparkSession, files: Sequence[str], store: EntryStore, buckets: int) -> None:
    """Match each file in a task, and shuffle what matches row by row."""

    def match_rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for tasks in batches:
            for path in tasks["task"].to_pylist():
                for pairs in read_batches(json.loads(path), PAIRS, READ_COLUMNS, further=None):
                    yield pack_rows(match_batch(pairs, store, Engine.tokens)[0], buckets)

    matched = plan_tasks(spark, files).mapInArrow(match_rows, SHUFFLED)
    shuffle_to_buckets(matched, buckets).write.format("noop").mode("overwrite").save()


def measure(folder: Path, rows: int, numbers: Sequence[int]) -> dict[str, float]:
    """Return bytes a match for each number of buckets, of both ways."""
    files, store = write_real_pairs(folder, rows), english_store(folder)
    store.compile("en")
    spark = open_session("bench", "local[2]", "2g", {})
    found: dict[str, float] = {}
    for buckets in numbers:
        start = sum(shuffle_write_bytes(spark))
        tasks = [MatchTask((file,)) for file in files]
        receipt = match_to_buckets(spark, tasks, store, match_settings(), buckets, str(folder / f"matches-{buckets}"))
        blocks = sum(shuffle_write_bytes(spark))
        shuffle_rows(spark, files, store, buckets)
        sums = {"blocks": blocks - start, "rows": sum(shuffle_write_bytes(spark)) - blocks}
        for name, size in sums.items():
            found[f"{name}_{buckets}"] = size / receipt.rows_out
        print(f"{buckets} buckets, {receipt.rows_out:,} texts: {sums}", flush=True)
    close_session()
    return found


def main() -> None:
    """Measure in a temporary folder."""
    given = {"rows": "1400000", "buckets": "64,587,2048"} | dict(each.split("=", 1) for each in sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), int(given["rows"]), [int(number) for number in given["buckets"].split(",")])
    print(json.dumps({name: round(value, 1) for name, value in found.items()}))


if __name__ == "__main__":
    main()
