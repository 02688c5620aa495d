"""Skew, and what it costs a worker: one image URL with 2 million texts, and 330 languages met at once.

- `skew_...`: `match_pairs`' function on real captions, 2 million distinct ones of one image among others; a third of
  them hold the same entry. Peak memory of the largest worker (the image's bucket is one task) and of the JVM.
- `languages_330_own_mb`: what a worker's own memory grows by when it opens 330 compiled lists of 20,000 entries and
  matches texts in all of them; `languages_330_touched_mb`: what it touches of the lists, pages of files that all
  workers share and that the system takes back at will; `languages_330_mapped_mb`: the size of the lists.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.languages import LANGUAGES
from curation.core.parquet_sink import ParquetSink
from curation.core.schemas import MATCHES, PAIRS
from curation.core.table_reader import read_batches
from curation.core.uids import uids_of
from curation.matching.entry_store import EntryStore
from curation.matching.match import MatchTask
from curation.spark.matching import match_to_buckets
from curation.spark.session import close_session, open_session
from tests.benchmarks.match import english_store
from tests.benchmarks.memory import PeakMemory
from tests.benchmarks.scale.shuffle import write_real_pairs
from tests.real_texts import captions, english_entries
from tests.unit.matching.settings import match_settings

ICON = "https://cdn.example.org/pixel.gif"
BATCH = 50_000
LANGS = sorted(LANGUAGES)[:330]
ENTRIES = 20_000


def measure(folder: Path, texts: int) -> dict[str, float]:
    """Both parts."""
    return one_image(folder, texts) | many_languages(folder)


def one_image(folder: Path, texts: int) -> dict[str, float]:
    """Match pairs of which `texts` belong to one image."""
    tasks = [MatchTask((path,)) for path in [*write_real_pairs(folder, 200_000), *write_icon(folder, texts)]]
    store = english_store(folder)
    store.compile("en")
    spark = open_session("bench", "local[2]", "1g", {})
    start = time.monotonic()
    with PeakMemory() as memory:
        receipt = match_to_buckets(spark, tasks, store, match_settings(), 64, str(folder / "matches"))
    seconds = time.monotonic() - start
    close_session()
    uid = uids_of(pa.array([ICON]))[0]
    kept = [
        len(texts)
        for output in receipt.outputs
        for batch in read_batches(output["path"], MATCHES, ["uid", "texts"])
        for texts in batch.filter(pc.equal(batch["uid"], uid))["texts"]
    ]
    assert kept == [64], kept
    return {
        "skew_texts_of_one_image": texts,
        "skew_texts_dropped": receipt.drops["max_texts"],
        "skew_seconds": seconds,
        "skew_worker_gib": memory.worker,
        "skew_jvm_gib": memory.jvm,
    }


def write_icon(folder: Path, texts: int) -> list[str]:
    """Write pairs of one image, each with a text of its own; every third says `red kite`."""
    base, paths = pa.array(captions()), []
    url, uid = pa.scalar(ICON), uids_of(pa.array([ICON]))[0]
    for number in range(2):
        paths.append(str(folder / f"icon-{number}.parquet"))
        with ParquetSink(paths[-1], PAIRS) as sink:
            for start in range(number * texts // 2, (number + 1) * texts // 2, BATCH):
                rows = np.arange(start, min(start + BATCH, (number + 1) * texts // 2))
                extra = pc.if_else(pa.array(rows % 3 == 0), " red kite ", " ")
                text = pc.binary_join_element_wise(
                    base.take(pa.array(rows % len(base))), extra, pa.array(rows).cast(pa.string()), ""
                )
                same = {"uid": uid, "url": url, "text_key": "alt", "lang": "en", "crawl": "c", "source_file": "f"}
                columns = {name: pa.repeat(value, len(rows)) for name, value in same.items()}
                columns |= {"text": text, "lang_score": pa.repeat(pa.scalar(0.9, pa.float32()), len(rows))}
                columns["page_url"] = pa.nulls(len(rows), pa.string())
                sink.write(pa.record_batch([columns[name] for name in PAIRS.names], schema=PAIRS))
    return paths


WORKER = """
import json, sys
import pyarrow as pa
from curation.matching.entry_store import EntryStore
def memory(*names):
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(names)) / 1024
texts = pa.array(json.load(open(sys.argv[2])))
store = EntryStore.open(sys.argv[1])
first, *others = store.languages
store.matcher(first).match(texts)
own, resident = memory("Anonymous:"), memory("Rss:")
for lang in others:
    store.matcher(lang).match(texts)
own, resident = memory("Anonymous:") - own, memory("Rss:") - resident
print(own, resident - own)
"""


def many_languages(folder: Path) -> dict[str, float]:
    """Compile a list per language in one process, and match all of them in another."""
    lists = folder / "lists"
    lists.mkdir()
    entries, rng = np.array(english_entries(), dtype=object), np.random.default_rng(0)
    for lang in LANGS:
        drawn = entries[rng.choice(len(entries), ENTRIES, replace=False)]
        (lists / f"{lang}.json").write_text(json.dumps(drawn.tolist()))
    start = time.monotonic()
    compiled = [EntryStore.open(str(lists)).compile(lang) for lang in LANGS]
    seconds = time.monotonic() - start
    (folder / "batch.json").write_text(json.dumps(captions()[:200]))
    command = [sys.executable, "-c", WORKER, str(lists), str(folder / "batch.json")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {
        "languages_330_own_mb": float(told.split()[0]),
        "languages_330_touched_mb": float(told.split()[1]),
        "languages_330_mapped_mb": sum(os.path.getsize(path) for path in compiled) / 1e6,
        "languages_330_compile_seconds": seconds,
    }
