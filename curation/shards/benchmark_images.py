"""Images of benchmarks, which must not be trained on: the search for them among the candidates, by perceptual hash.

An image counts as one of a benchmark if their hashes differ in at most `distance` of 64 bits. The hashes of images that
have nothing in common are as random bits: of 2^64 pairs of them, 679,121 differ in at most four bits.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numba
import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.table_reader import read_rows, read_schema
from curation.shards.perceptual_hash import HASH_VERSION, VERSION_KEY
from curation.shards.scores import score_files

REASON = "benchmark_image"
BENCHMARK_IMAGES = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("benchmark", "image", "sha256", "phash")],
    {VERSION_KEY: str(HASH_VERSION)},
)
"""An image of a benchmark: the name of the benchmark, the file, and the hashes of the file and of the picture."""
HITS = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("uid", "benchmark", "image")),
        pa.field("distance", pa.int32(), nullable=False),
    ]
)
"""A candidate that was found to be an image of a benchmark."""
EXAMPLES = 100
_PHASH = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class BenchmarkRules:
    """Tables of images of benchmarks, and the bits in which the hash of a candidate may differ from theirs."""

    files: tuple[storage.FileInfo, ...] = ()
    distance: int = 0

    def __bool__(self) -> bool:
        return bool(self.files)


def open_benchmarks(paths: Sequence[str]) -> tuple[storage.FileInfo, ...]:
    """Return the files of tables that hash_images has written.

    Raises HeadtailError for a path without a file, another table, and hashes of another version.
    """
    files = score_files(paths, "benchmark_images") if paths else []
    for file in files:
        found = read_schema(file.path)
        if missing := [name for name in BENCHMARK_IMAGES.names if name not in found.names]:
            raise HeadtailError(
                f"benchmark_images: {file.path} has no column {', '.join(missing)}: hash_images makes such a table"
            )
        version = (found.metadata or {}).get(VERSION_KEY.encode(), b"").decode()
        if version != str(HASH_VERSION):
            raise HeadtailError(
                f"benchmark_images: {file.path} has perceptual hashes of version {version or 'unknown'}, expected "
                f"{HASH_VERSION}: run hash_images again"
            )
    return tuple(files)


@dataclass(frozen=True)
class BenchmarkImages:
    """The images of all tables: `hashes` uint64[n], sorted by (benchmark, image), and the rows themselves."""

    hashes: np.ndarray
    rows: pa.Table

    def nearest(self, phashes: pa.Array, distance: int) -> tuple[np.ndarray, np.ndarray]:
        """Return for each hash the first row among the nearest ones, -1 if none is near, and the differing bits."""
        return _nearest(as_numbers(phashes), self.hashes, distance)


@lru_cache(1)
def read_benchmarks(files: tuple[storage.FileInfo, ...]) -> BenchmarkImages:
    """Return the images of tables."""
    # The key holds size and time: a worker process may live longer than one version of a table.
    names = ["benchmark", "image", "phash"]
    rows = pa.concat_tables([read_rows(file.path, BENCHMARK_IMAGES, names, None) for file in files])
    rows = rows.sort_by([(name, "ascending") for name in names]).combine_chunks()
    phashes = rows["phash"].combine_chunks() if rows.num_rows else pa.array([], pa.string())
    try:
        return BenchmarkImages(as_numbers(phashes), rows)
    except ValueError as error:
        raise HeadtailError(f"benchmark_images: a perceptual hash is not 16 hex digits ({error})") from None


def as_numbers(phashes: pa.Array) -> np.ndarray:
    """Return perceptual hashes of 16 hex digits as uint64; raises ValueError for another text."""
    if strange := next((text for text in phashes.to_pylist() if not _PHASH.fullmatch(text or "")), None):
        raise ValueError(repr(strange)[:80])
    return np.array([int(text, 16) for text in phashes.to_pylist()], np.uint64)


_ONES, _PAIRS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
_NIBBLES, _BYTES = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)
_1, _2, _4, _56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)


@numba.njit(cache=True, nogil=True)
def _nearest(hashes: np.ndarray, known: np.ndarray, distance: int) -> tuple[np.ndarray, np.ndarray]:
    places, distances = np.full(len(hashes), -1, np.int64), np.zeros(len(hashes), np.int32)
    for row in range(len(hashes)):
        best = np.int64(distance + 1)
        for place in range(len(known)):
            bits = hashes[row] ^ known[place]
            bits = bits - ((bits >> _1) & _ONES)
            bits = (bits & _PAIRS) + ((bits >> _2) & _PAIRS)
            bits = ((bits + (bits >> _4)) & _NIBBLES) * _BYTES
            differing = np.int64(bits >> _56)
            if differing < best:
                best = differing
                places[row], distances[row] = place, differing
    return places, distances


def drop_benchmark_images(rows: pa.Table, rules: BenchmarkRules, receipt: Receipt) -> tuple[pa.Table, pa.Table]:
    """Return the candidates that are no image of a benchmark, and the others as HITS; `rows` have uid and phash."""
    known = read_benchmarks(rules.files)
    phashes = rows["phash"].combine_chunks() if rows.num_rows else pa.array([], pa.string())
    places, distances = known.nearest(phashes, rules.distance)
    found = places >= 0
    receipt.drops[REASON] += int(found.sum())
    taken = known.rows.take(pa.array(places[found]))
    columns = [rows["uid"].filter(pa.array(found)), taken["benchmark"], taken["image"], pa.array(distances[found])]
    return rows.filter(pa.array(~found)), pa.table(columns, schema=HITS)


def count_hits(paths: Iterable[str], rules: BenchmarkRules) -> dict[str, Any]:
    """Return what a manifest tells of hits: the method, the images of each benchmark, its hits, and some of them."""
    benchmarks = Counter(read_benchmarks(rules.files).rows["benchmark"].to_pylist())
    hits, examples = Counter[str](), list[dict[str, Any]]()
    for path in paths:
        found = read_rows(path, HITS)
        hits.update(found["benchmark"].to_pylist())
        examples += found.slice(0, EXAMPLES - len(examples)).to_pylist()
    return {
        "method": "perceptual hash",
        "hash_version": HASH_VERSION,
        "distance": rules.distance,
        "benchmarks": {name: {"images": images, "hits": hits[name]} for name, images in sorted(benchmarks.items())},
        "examples": examples,
    }
