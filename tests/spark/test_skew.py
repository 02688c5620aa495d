"""Skewed data: one image with most texts, one entry in a third of all, a language with nine tenths."""

import random
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from curation.balancing.counts import CountArrays
from curation.balancing.matched_batch import read_matched
from curation.core.languages import LANGUAGES
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.schemas import MATCHES, PAIRS
from curation.core.table_reader import read_rows
from curation.matching.buckets import bucket_path
from curation.matching.entry_store import EntryStore
from curation.matching.match import MatchTask
from curation.spark.matching import match_to_buckets
from tests.unit.matching.settings import match_settings

ICON = "ffff" + "0" * 20
TEXTS, BUCKETS = 20_000, 5
LANGS = ["en", *sorted(LANGUAGES.keys() - {"en"})][:60]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EntryStore:
    folder = tmp_path_factory.mktemp("lists")
    for lang in LANGS:
        (folder / f"{lang}.txt").write_text(f"dog\n{lang} word\n")
    return EntryStore.open(str(folder))


def skewed_pairs(seed: int) -> list[dict]:
    """Half of all texts belong to one image; nine in ten are English, a third hold `dog`."""
    draw = random.Random(seed)
    rows = []
    for number in range(TEXTS):
        lang = "en" if draw.random() < 0.9 else LANGS[number % len(LANGS)]
        words = [f"{number:x}", f"{lang} word", *(["dog"] if draw.random() < 1 / 3 else [])]
        uid = ICON if draw.random() < 0.5 else f"{number * 3:04x}{number:020x}"
        rows.append({
            "uid": uid, "url": f"http://host/{uid}", "text": " ".join(words), "text_key": "alt", "lang": lang,
            "lang_score": 0.5, "page_url": None, "crawl": "c", "source_file": "f",
        })  # fmt: skip
    return rows


def test_skew_costs_nobody_a_text_or_a_count(spark: SparkSession, store: EntryStore, tmp_path: Path) -> None:
    rows = skewed_pairs(1)
    tasks = []
    for part in range(2):
        path = str(tmp_path / f"pairs-{part}.parquet")
        with ParquetSink(path, PAIRS) as sink:
            sink.write(pa.RecordBatch.from_pylist(rows[part::2], schema=PAIRS))
        tasks.append(MatchTask((path,)))
    folder = str(tmp_path / "matches")
    receipt = match_to_buckets(spark, tasks, store, match_settings(max_texts=64), BUCKETS, folder)
    files = [bucket_path(folder, bucket) for bucket in range(BUCKETS)]
    images = {row["uid"]: row["texts"] for file in files for row in read_rows(file, MATCHES).to_pylist()}

    of_icon = sum(row["uid"] == ICON for row in rows)
    assert of_icon > TEXTS / 3
    assert len(images.pop(ICON)) == 64
    assert receipt.drops == Counter(max_texts=of_icon - 64)
    others = [row for row in rows if row["uid"] != ICON]
    assert {uid: [text["text"] for text in texts] for uid, texts in images.items()} == {
        row["uid"]: [row["text"]] for row in others
    }
    assert len({text["lang"] for texts in images.values() for text in texts}) == len(LANGS)

    counts = CountArrays()
    for file in files:
        for matched in read_matched([file], 64, Receipt(file)):
            counts.add(matched)
    kept_of_icon = {lang: values[1] - sum(row["lang"] == lang for row in others) for lang, values in counts.items()}
    assert sum(kept_of_icon.values()) == 64
    dogs = sum(" dog" in row["text"] and row["lang"] == "en" for row in others)
    assert dogs <= dict(counts.items())["en"][0] <= dogs + 64
