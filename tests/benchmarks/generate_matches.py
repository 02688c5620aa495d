"""A synthetic table of `matches` of any size: Zipf-like entries, 3.5 ids a text, 1.2 texts an image, all columns."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.parquet_sink import ROW_GROUP_ROWS, ParquetSink
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import MATCHES, TEXT
from curation.core.tables import Table

ENTRIES = 500_000
TEXTS_PER_IMAGE = 1.2
MEAN_IDS = 3.5
WORDS = 30_000
EXPONENT = 1.05
"""Of the Zipf-like law of entries: the head has hundreds of thousands of matches, most entries a handful."""
_VOCABULARY = pa.array([f"word{k * k:x}" for k in range(WORDS)])
_HEX = np.frombuffer(b"".join(b"%02x" % value for value in range(256)), np.uint8).reshape(256, 2)


def write_matches_table(folder: str, texts: int, buckets: int = 64, seed: int = 0) -> int:
    """Write a table with about `texts` texts in one part of `buckets` files; returns how many it has."""
    table = Table(folder)
    path = table.begin(0)
    images = round(texts / TEXTS_PER_IMAGE / buckets)
    with ProcessPoolExecutor(2) as pool:
        work = partial(_write_bucket, folder=path, images=images, buckets=buckets, seed=seed)
        receipts = list(pool.map(work, range(buckets)))
    recipe = Recipe("match_pairs", 1, {"max_texts": 64}, [{"path": "synthetic", "id": f"{texts}-{buckets}-{seed}"}])
    part = table.commit(0, recipe, receipts, 0.0)
    return part.receipt.facts["texts"]


def _write_bucket(bucket: int, folder: str, images: int, buckets: int, seed: int) -> Receipt:
    path = str(Path(folder) / f"bucket-{bucket:05d}.parquet")
    receipt = Receipt(path, rows_in=images, rows_out=images)
    rng = np.random.default_rng([seed, bucket])
    prefixes = np.sort(rng.integers(bucket * 65536 // buckets, (bucket + 1) * 65536 // buckets, images))
    with ParquetSink(path, MATCHES) as sink:
        # A batch ends where the prefix changes: its uids are sorted, and so are those of the file.
        ends = np.append(np.arange(ROW_GROUP_ROWS, images, ROW_GROUP_ROWS), images)
        ends = np.unique(np.searchsorted(prefixes, prefixes[ends - 1], "right"))
        for mine in np.split(prefixes, ends[:-1]):
            batch = make_batch(rng, mine)
            receipt.facts["texts"] += len(batch["texts"].flatten())
            sink.write(batch)
    receipt.outputs.append(sink.output())
    return receipt


def make_batch(rng: np.random.Generator, prefixes: np.ndarray) -> pa.RecordBatch:
    """Return images whose uids begin with `prefixes` (16 bits, ascending)."""
    images = len(prefixes)
    uids = _uids(rng, prefixes)
    sizes = 1 + rng.geometric(1 / TEXTS_PER_IMAGE, images) - 1
    texts = int(sizes.sum())
    words = 1 + rng.poisson(6, texts)
    picked = (WORDS * rng.random(words.sum()) ** 3).astype(np.int32)
    joined = pc.binary_join(
        pa.ListArray.from_arrays(_offsets(words), _VOCABULARY.take(pa.array(picked))), pa.scalar(" ")
    )
    columns = {
        "text": joined,
        "text_key": pa.array(["alt", "title"]).take(pa.array((rng.random(texts) < 0.1).astype(np.int8))),
        "lang": pa.repeat("en", texts),
        "lang_score": pa.array(rng.random(texts).astype(np.float32)),
        "entry_ids": _entry_ids(rng, texts),
    }
    structs = pa.StructArray.from_arrays([columns[field.name] for field in TEXT], fields=list(TEXT))
    lists = pa.ListArray.from_arrays(_offsets(sizes), structs, type=MATCHES.field("texts").type)
    urls = pc.binary_join_element_wise("https://images.example.org/photos/2024/", uids, ".jpg", "")
    return pa.record_batch([uids, urls, lists], schema=MATCHES)


def _uids(rng: np.random.Generator, prefixes: np.ndarray) -> pa.Array:
    raw = rng.integers(0, 256, (len(prefixes), 12), dtype=np.uint8)
    raw[:, 0], raw[:, 1] = prefixes >> 8, prefixes & 255
    digits = np.ascontiguousarray(_HEX[raw].reshape(-1))
    offsets = np.arange(len(prefixes) + 1, dtype=np.int32) * 24
    uids = pa.StringArray.from_buffers(len(prefixes), pa.py_buffer(offsets), pa.py_buffer(digits))
    return uids.take(pc.sort_indices(uids))


def _entry_ids(rng: np.random.Generator, texts: int) -> pa.Array:
    """Sorted, unique ids of each text: 1 + Poisson draws of a truncated power law, ids spread over the list."""
    sizes = 1 + rng.poisson(MEAN_IDS - 0.9, texts)
    # Inverse of the cumulated law: rank ~ (1 + u (N^(1-a) - 1))^(1 / (1-a)).
    power = 1 - EXPONENT
    ranks = (1 + rng.random(sizes.sum()) * (ENTRIES**power - 1)) ** (1 / power)
    ids = (ranks.astype(np.int64) * 250_007 % ENTRIES).astype(np.int32)
    rows = np.repeat(np.arange(texts), sizes)
    keys = np.sort(rows << 32 | ids)
    first = np.ones(len(keys), bool)
    first[1:] = keys[1:] != keys[:-1]
    keys = keys[first]
    counts = np.bincount(keys >> 32, minlength=texts)
    return pa.ListArray.from_arrays(_offsets(counts), pa.array(keys.astype(np.int32)), type=TEXT["entry_ids"].type)


def _offsets(sizes: np.ndarray) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
