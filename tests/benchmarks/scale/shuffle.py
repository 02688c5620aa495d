"""Bytes of the one shuffle, over the bytes of what is written behind it.

Pairs are real captions under real URLs of images whose digits are drawn anew, 1.18 texts an image; uids are the URLs'
own. `match_pairs`' function runs on them with the list of 415,854 entries; Spark's own metrics of the stages tell
the bytes written for the shuffle, the sizes of the files those of `matches` (Parquet, zstd).
"""

import random
import re
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from curation.core.parquet_sink import ParquetSink
from curation.core.schemas import PAIRS
from curation.core.uids import uids_of
from curation.matching.match import MatchTask
from curation.spark.matching import match_to_buckets
from curation.spark.session import close_session, open_session
from tests.benchmarks.match import english_store
from tests.conftest import SHARED
from tests.real_texts import captions
from tests.unit.matching.settings import match_settings

FILES = 2
"""With 1.4 million rows each has as much as a task of the job takes: 64 MB."""
SECOND_TEXTS = 0.15
_DIGIT = re.compile("[0-9]")


def measure(folder: Path, rows: int, buckets: int) -> dict[str, float]:
    """Match `rows` pairs and put the shuffle's bytes beside those of the files."""
    files = write_real_pairs(folder, rows)
    store = english_store(folder)
    store.compile("en")
    spark = open_session("bench", "local[2]", "2g", {})
    tasks = [MatchTask((file,)) for file in files]
    start = time.monotonic()
    receipt = match_to_buckets(spark, tasks, store, match_settings(), buckets, str(folder / "shuffled_matches"))
    seconds = time.monotonic() - start
    shuffled = max(shuffle_write_bytes(spark))
    close_session()
    written = sum(output["bytes"] for output in receipt.outputs)
    return {
        "shuffle_buckets": buckets,
        "shuffle_texts": receipt.rows_out,
        "shuffle_bytes_per_match": shuffled / receipt.rows_out,
        "bytes_per_match": written / receipt.rows_out,
        "ids_per_match": receipt.facts["matches"] / receipt.rows_out,
        "bytes_per_pair": sum(Path(file).stat().st_size for file in files) / rows,
        "ratio_shuffle": shuffled / written,
        "match_seconds": seconds,
    }


def shuffle_write_bytes(spark: SparkSession) -> list[int]:
    """Bytes that each stage of the session has written for a shuffle, as Spark counts them."""
    context = spark.sparkContext
    jvm = context._gateway
    quantiles, any_status = jvm.new_array(jvm.jvm.double, 0), jvm.jvm.java.util.ArrayList()
    stages = context._jsc.sc().statusStore().stageList(None, False, False, quantiles, any_status)
    return [stages.apply(index).shuffleWriteBytes() for index in range(stages.size())]


def write_real_pairs(folder: Path, rows: int, files: int = FILES) -> list[str]:
    """Write pairs in so many files; returns their paths."""
    draw, rng = random.Random(0), np.random.default_rng(0)
    real = pq.read_table(SHARED / "captions/laion-10000.parquet")["URL"].drop_null().to_pylist()
    texts = pa.array(captions())
    images = round(rows * (1 - SECOND_TEXTS))
    urls = pa.array([_another(draw.choice(real), draw) for _ in range(images)])
    picked = rng.permutation(np.append(np.arange(images), rng.integers(0, images, rows - images)))
    paths = []
    for number, part in enumerate(np.array_split(picked, files)):
        paths.append(str(folder / f"real-pairs-{number}.parquet"))
        with ParquetSink(paths[-1], PAIRS) as sink:
            for start in range(0, len(part), 50_000):
                url = urls.take(pa.array(part[start : start + 50_000]))
                count = len(url)
                text_key = pa.array(["alt", "title"]).take(pa.array((rng.random(count) < 0.1).astype(np.int8)))
                columns = {
                    "uid": uids_of(url),
                    "url": url,
                    "text": texts.take(pa.array(rng.integers(0, len(texts), count))),
                    "text_key": text_key,
                    "lang": pa.repeat("en", count),
                    "lang_score": pa.array(rng.random(count).astype(np.float32)),
                    "page_url": pa.nulls(count, pa.string()),
                    "crawl": pa.repeat("CC-MAIN-2024-51", count),
                    "source_file": pa.repeat("CC-MAIN-20241201000000.warc.wat.gz", count),
                }
                sink.write(pa.record_batch([columns[name] for name in PAIRS.names], schema=PAIRS))
    return paths


def _another(url: str, draw: random.Random) -> str:
    host, _, rest = url.partition("//")[2].partition("/")
    if not _DIGIT.search(rest):
        rest += f"?{draw.randrange(10**6)}"
    return f"https://{host}/" + _DIGIT.sub(lambda _: draw.choice("0123456789"), rest)
