"""Merging matched rows against a dictionary, in one go and in parts."""

import random
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curation.core.draws import hash64
from curation.core.parquet_sink import ParquetSink
from curation.core.schemas import MATCHES, TEXT
from curation.matching.match import MATCHED
from curation.matching.merging import merge_buckets, merge_images, unfold


def naive(rows: list[dict], max_texts: int) -> list[dict]:
    images: dict[tuple[str, str], dict[str, dict]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: (-row["lang_score"], row["lang"])):
        kept = images[row["uid"], row["url"]].setdefault(row["text"], dict(row))
        kept["text_key"] = min(kept["text_key"], row["text_key"])
    merged = []
    for (uid, url), texts in sorted(images.items()):
        hashes = hash64(0, "max_texts", pa.array([uid] * len(texts)), pa.array(list(texts))).tolist()
        chosen = sorted(text for _, text in sorted(zip(hashes, texts, strict=True))[:max_texts])
        fields = [{field.name: texts[text][field.name] for field in TEXT} for text in chosen]
        merged.append({"uid": uid, "url": url, "texts": fields})
    return merged


def make_rows(draw: random.Random, count: int, images: int) -> list[dict]:
    rows = []
    for _ in range(count):
        image = int(images * draw.random() ** 3)
        text = f"text {draw.randrange(12)}"
        rows.append({
            "uid": f"{image * 77:024x}", "url": f"http://host/{image}", "text": text,
            "text_key": draw.choice(["alt", "title"]), "lang": draw.choice(["de", "en"]),
            "lang_score": draw.choice([0.5, 0.25]), "entry_ids": [1, 2, len(text)],
        })  # fmt: skip
    return rows


def merge(rows: list[dict], max_texts: int, batch_rows: int) -> tuple[list[pa.RecordBatch], Counter[str]]:
    rows = sorted(rows, key=lambda row: row["uid"])
    drops: Counter[str] = Counter()
    batches = pa.Table.from_pylist(rows, schema=MATCHED).to_batches(max_chunksize=batch_rows)
    return list(merge_images(batches, drops, max_texts)), drops


def values(batches: list[pa.RecordBatch]) -> list[dict]:
    return [row for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize("seed", range(20))
def test_merging_equals_a_dictionary_and_balances(seed: int) -> None:
    draw = random.Random(seed)
    rows = make_rows(draw, draw.randrange(300), draw.choice([1, 5, 25, 250]))
    max_texts = draw.choice([1, 3, 64])
    batches, drops = merge(rows, max_texts, draw.choice([1, 7, 1000]))
    assert values(batches) == naive(rows, max_texts)
    assert len(rows) == sum(len(image["texts"]) for image in values(batches)) + sum(drops.values())
    assert all(batch.schema == MATCHES for batch in batches)


@pytest.mark.parametrize("seed", range(10))
def test_merging_merged_parts_equals_merging_all(seed: int, tmp_path: Path) -> None:
    draw = random.Random(100 + seed)
    rows = make_rows(draw, 200, 20)
    max_texts = draw.choice([1, 3, 64])
    files = []
    for part in range(4):  # the last part is empty
        files.append(str(tmp_path / f"{part}.parquet"))
        with ParquetSink(files[-1], MATCHES) as sink:
            for batch in merge([] if part == 3 else rows[part::3], max_texts, 11)[0]:
                sink.write(batch)
    merged = list(merge_buckets(files, Counter(), max_texts, batch_rows=draw.choice([1, 5, 1000])))
    assert values(merged) == naive(rows, max_texts)


def test_an_image_with_countless_texts_stays_small() -> None:
    count = 50_000
    rows = pa.table(
        [["0" * 24] * count, ["http://host/icon.png"] * count, [f"text {k}" for k in range(count)], ["alt"] * count,
         ["en"] * count, pa.array([1.0] * count, pa.float32()), [[1]] * count], schema=MATCHED,
    )  # fmt: skip
    drops: Counter[str] = Counter()
    (image,) = merge_images(rows.to_batches(max_chunksize=1000), drops, 64)
    assert len(image["texts"][0]) == 64
    assert drops == Counter(max_texts=count - 64)


def test_texts_are_kept_by_hash_not_by_order() -> None:
    rows = make_rows(random.Random(1), 300, 1)
    (one,) = merge(rows, 1, 1000)[0]
    assert one["texts"][0][0]["text"].as_py() not in (min(row["text"] for row in rows),)


def test_texts_made_for_a_known_salt_displace_no_others_under_another() -> None:
    """An image of somebody else has 20 captions, and an attacker's 64 texts with the smallest of 6,400 hashes."""
    uid, honest = "0" * 24, [f"caption {k}" for k in range(20)]
    tried = [f"buy {k}" for k in range(6400)]
    hashes = hash64(0, "max_texts", pa.array([uid] * len(tried)), pa.array(tried))
    made = [tried[k] for k in np.argsort(hashes)[:64].tolist()]
    rows = [{"uid": uid, "url": "u", "text": text, "text_key": "alt", "lang": "en", "lang_score": 1.0, "entry_ids": [1]}
            for text in honest + made]  # fmt: skip
    batches = pa.Table.from_pylist(rows, schema=MATCHED).to_batches()

    def honest_left(salt: int) -> int:
        (image,) = values(list(merge_images(batches, Counter(), 64, salt)))
        return len({text["text"] for text in image["texts"]} & set(honest))

    assert honest_left(0) <= 1
    assert all(honest_left(salt) >= 8 for salt in range(1, 20))  # 15 of 20 on average, with a deviation of 1.8


def test_unfolding_undoes_folding() -> None:
    rows = make_rows(random.Random(2), 200, 30)
    batches, _ = merge(rows, 64, 1000)
    again = merge_images(pa.concat_tables([unfold(batch) for batch in batches]).to_batches(), Counter(), 64)
    assert values(list(again)) == values(batches)
    assert unfold(batches[0].slice(2, 3)).num_rows == sum(len(image["texts"]) for image in values(batches)[2:5])


def test_no_rows() -> None:
    assert merge([], 64, 1) == ([], Counter())
