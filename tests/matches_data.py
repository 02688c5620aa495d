"""Generated rows of `matches` for tests: several languages, texts of an image, head and tail entries."""

from bisect import bisect
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.schemas import MATCHES

Image = dict


def make_images(
    images: int, seed: int, entries: int = 300, langs: tuple[str, ...] = ("de", "en", "fr"), max_ids: int = 6
) -> list[Image]:
    """Return rows of `matches`, sorted by uid; entry 0 is the most frequent, Zipf-like; a text has up to `max_ids`."""
    rng = np.random.default_rng(seed)
    shares = _shares(1 / np.arange(1, entries + 1))
    lang_shares = _shares(np.array([0.2, 0.7, 0.1])).tolist()
    rows = []
    for number in range(images):
        texts = []
        for k in range(1 + rng.binomial(5, 0.15)):
            ids = shares.searchsorted(rng.random(rng.integers(1, max_ids + 1)), "right")
            texts.append(
                {
                    "text": f"text {seed}-{number}-{k} é 中",
                    "text_key": "alt",
                    "lang": langs[bisect(lang_shares, rng.random()) if len(langs) == 3 else rng.integers(len(langs))],
                    "lang_score": float(np.float32(rng.random())) if rng.random() < 0.9 else None,
                    "entry_ids": sorted(set(ids.tolist())),
                }
            )
        uid = f"{int(rng.integers(0, 1 << 62)):016x}{number:08x}"
        rows.append({"uid": uid, "url": f"https://example.org/{uid}.jpg", "texts": texts})
    return sorted(rows, key=lambda row: row["uid"])


def _shares(weights: np.ndarray) -> np.ndarray:
    """Return the sums of shares up to each weight: random numbers, searched for in them, draw as Generator.choice."""
    sums = np.cumsum(weights / weights.sum())
    return sums / sums[-1]


def to_batch(rows: list[Image]) -> pa.RecordBatch:
    """Return rows as a record batch of `matches`."""
    return pa.RecordBatch.from_pylist(rows, schema=MATCHES)


def write_matches(rows: list[Image], path: Path) -> str:
    """Write rows as one Parquet file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=MATCHES), path, row_group_size=97)
    return str(path)
