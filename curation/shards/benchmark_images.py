"""Images of benchmarks, which must not be trained on: the search for them among the candidates, by perceptual hash.

An image counts as one of a benchmark if their hashes differ in at most `distance` of 64 bits. The hashes of images that
have nothing in common are as random bits: of 2^64 pairs of them, 679,121 differ in at most four bits.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.amounts import join_or
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo
from curation.core.receipts import Receipt
from curation.core.schemas import check_schema
from curation.core.table_reader import foreign_schema, read_foreign_batches, read_rows
from curation.core.whole_vectors import Known
from curation.shards.perceptual_hash import IMAGEHASH, QUICK, VERSION_KEY, VERSIONS
from curation.shards.scores import score_files
from curation.shards.stored_vectors import from_bytes, to_vectors
from curation.shards.vector_rows import is_vector

REASON = "benchmark_image"
BENCHMARK_IMAGES = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("benchmark", "image", "sha256", "phash")],
    {VERSION_KEY: str(QUICK)},
)
"""An image of a benchmark: the name of the benchmark, the file, and the hashes of the file and of the picture."""
HITS = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("uid", "benchmark", "image")),
        pa.field("distance", pa.int32()),
        pa.field("cosine", pa.float32()),
    ]
)
"""A candidate that was found to be an image of a benchmark: by its hash (`distance`), or its embedding (`cosine`)."""
EMBEDDING_COLUMN = "embedding"
"""The column of embeddings that a table of images of benchmarks may have, lists of numbers."""
EXAMPLES = 100
VECTORS_AT_ONCE = 2048
"""Vectors that are compared at a time."""
BATCH_ROWS = 1024
MAX_NAME_BYTES = 1 << 16
"""Maximum size of the name of a benchmark, and of a file."""
MAX_BYTES = 4 << 30
"""Maximum size of all images of benchmarks in memory: two million with embeddings, 40 million without."""
_PHASH = re.compile(r"[0-9a-f]{16}")
_NAMES = ["benchmark", "image", "phash"]
_HASHES = pa.schema([BENCHMARK_IMAGES.field(name) for name in _NAMES])
_EMBEDDED = _HASHES.append(pa.field("vector", pa.binary()))


@dataclass(frozen=True)
class BenchmarkRules:
    """Tables of images of benchmarks, and the bits in which the hash of a candidate may differ from theirs.

    `version` is that of their hashes, None without tables. `cosine` is the least one of the embeddings of a candidate
    and of a benchmark's image; None: embeddings are not compared.
    """

    files: tuple[FileInfo, ...] = ()
    distance: int = 0
    version: int | None = None
    cosine: float | None = None

    def __bool__(self) -> bool:
        return bool(self.files)


def open_benchmarks(paths: Sequence[str], embedded: bool = False) -> tuple[FileInfo, ...]:
    """Return the files of tables that hash_images has written.

    Raises HeadtailError for a path without a file, another table, hashes of unknown or different versions, and, if the
    images must be `embedded`, for a table without embeddings. Reads the schemas only.
    """
    files = score_files(paths, "benchmark_images") if paths else []
    expected = [str(version) for version in VERSIONS]
    for file in files:
        found = foreign_schema(file.path)
        if missing := [name for name in BENCHMARK_IMAGES.names if name not in found.names]:
            raise HeadtailError(
                f"benchmark_images: {file.path} has no column {', '.join(missing)}: hash_images makes such a table"
            )
        check_schema(found, BENCHMARK_IMAGES, f"benchmark_images: {file.path}", None)
        version = (found.metadata or {}).get(VERSION_KEY.encode(), b"").decode(errors="replace")
        if version not in expected:
            raise HeadtailError(
                f"benchmark_images: {file.path} has perceptual hashes of version {version or 'unknown'}, expected "
                f"{join_or(expected)}: run hash_images again with overwrite=true"
            )
        expected = [version]
        if embedded and EMBEDDING_COLUMN not in found.names:
            raise HeadtailError(
                f"benchmark_cosine: {file.path} has no column {EMBEDDING_COLUMN}: run hash_images with embeddings=true"
            )
        if embedded and not is_vector(kind := found.field(EMBEDDING_COLUMN).type):
            raise HeadtailError(
                f"benchmark_cosine: {EMBEDDING_COLUMN} of {file.path} is {str(kind)[:100]}, expected lists of "
                "floating-point numbers"
            )
    return tuple(files)


def version_of(files: Sequence[FileInfo]) -> int | None:
    """Return the version of the perceptual hashes in checked tables; None without tables."""
    return int(foreign_schema(files[0].path).metadata[VERSION_KEY.encode()]) if files else None


def column_of(version: int | None) -> str:
    """Return the name of the column of perceptual hashes of a version; removal lists call that of the first `phash`."""
    return "phash" if version == IMAGEHASH else f"phash{version}"


@dataclass(frozen=True)
class BenchmarkImages:
    """The images of all tables: `hashes` uint64[n], sorted by (benchmark, image), and the rows themselves.

    `vectors` int16[n, width] are those of `embedded`, the numbers of the rows that have one.
    """

    hashes: np.ndarray
    rows: pa.Table
    vectors: np.ndarray = field(default_factory=lambda: np.zeros((0, 1), np.int16))
    embedded: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def nearest(self, phashes: pa.Array, distance: int) -> tuple[np.ndarray, np.ndarray]:
        """Return for each hash the first row among the nearest ones, -1 if none is near, and the differing bits."""
        return _nearest(as_numbers(phashes), self.hashes, distance)

    def most_similar(self, vectors: np.ndarray, cosine: float) -> tuple[np.ndarray, np.ndarray]:
        """Return for each vector the first row among those with the largest cosine, and the cosine.

        The row is -1 if no cosine is at least `cosine`.
        """
        best, largest = np.full(len(vectors), -1, np.int64), np.full(len(vectors), -1.0)
        for start in range(0, len(self.vectors), VECTORS_AT_ONCE):
            block = Known(self.vectors[start : start + VECTORS_AT_ONCE])
            for first in range(0, len(vectors), VECTORS_AT_ONCE):
                rows, places, cosines = block.near(vectors[first : first + VECTORS_AT_ONCE], cosine)
                order = np.lexsort((-places, cosines))  # the last one written stays
                found = np.full(VECTORS_AT_ONCE, -1, np.int64)
                found[rows[order]] = order
                better = found[rows] == np.arange(len(rows))
                mine = rows[better] + first
                higher = cosines[better] > largest[mine]
                best[mine[higher]] = self.embedded[start + places[better][higher]]
                largest[mine[higher]] = cosines[better][higher]
        return best, largest


@lru_cache(1)
def read_benchmarks(files: tuple[FileInfo, ...], embedded: bool = False) -> BenchmarkImages:
    """Return the images of tables, with their vectors if they are `embedded`.

    Raises HeadtailError for a table that cannot be read, and for images that take more than MAX_BYTES.
    """
    # The key holds size and time: a worker process may live longer than one version of a table.
    batches: list[pa.RecordBatch] = []
    size = 0
    for file in files:
        for batch in _read_images(file.path, embedded):
            batches.append(batch)
            size += batch.nbytes
            if size > MAX_BYTES:
                raise HeadtailError(
                    f"benchmark_images: the images take more than {MAX_BYTES:,} bytes in memory, up to {file.path}"
                )
    rows = pa.Table.from_batches(batches, _EMBEDDED if embedded else _HASHES)
    rows = rows.sort_by([(name, "ascending") for name in _NAMES]).combine_chunks()
    phashes = rows["phash"].combine_chunks() if rows.num_rows else pa.array([], pa.string())
    if not embedded:
        return BenchmarkImages(as_numbers(phashes), rows)
    known = np.flatnonzero(rows["vector"].is_valid())
    vectors = from_bytes(rows["vector"].take(pa.array(known)).to_pylist())
    return BenchmarkImages(as_numbers(phashes), rows.select(_NAMES), vectors, known)


def _read_images(path: str, embedded: bool) -> Iterator[pa.RecordBatch]:
    """Yield the images of a file, in bounded memory; raises HeadtailError for a row that hash_images never writes."""
    columns = [*_NAMES, *([EMBEDDING_COLUMN] if embedded else [])]
    for batch in read_foreign_batches(path, BENCHMARK_IMAGES, columns, BATCH_ROWS, None):
        _check_images(path, batch)
        arrays = [batch[name] for name in _NAMES]
        if embedded:
            yield pa.RecordBatch.from_arrays([*arrays, to_vectors(batch[EMBEDDING_COLUMN])], schema=_EMBEDDED)
        else:
            yield pa.RecordBatch.from_arrays(arrays, schema=_HASHES)


def _check_images(path: str, batch: pa.RecordBatch) -> None:
    for name in _NAMES:
        if batch[name].null_count:
            raise HeadtailError(f"benchmark_images: {path} has a row without {name}: hash_images makes such a table")
        longest = pc.max(pc.binary_length(batch[name])).as_py() or 0
        if longest > MAX_NAME_BYTES:
            raise HeadtailError(
                f"benchmark_images: {path} has a value of {longest:,} bytes in {name}, more than {MAX_NAME_BYTES:,}"
            )
    try:
        batch.select(_NAMES).validate(full=True)
        as_numbers(batch["phash"])
    except pa.ArrowInvalid as error:
        raise HeadtailError(f"benchmark_images: {path} holds damaged texts: {error}") from None
    except ValueError as error:
        raise HeadtailError(f"benchmark_images: {path}: a perceptual hash is not 16 hex digits ({error})") from None


def as_numbers(phashes: pa.Array) -> np.ndarray:
    """Return perceptual hashes of 16 hex digits as uint64; raises ValueError for another text."""
    numbers = np.zeros(len(phashes), np.uint64)
    for start in range(0, len(phashes), BATCH_ROWS):
        for place, text in enumerate(phashes.slice(start, BATCH_ROWS).to_pylist(), start):
            if not _PHASH.fullmatch(text or ""):
                raise ValueError(repr(text)[:80])
            numbers[place] = int(text, 16)
    return numbers


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


def drop_benchmark_images(
    rows: pa.Table, rules: BenchmarkRules, receipt: Receipt, vectors: pa.Array | None = None
) -> tuple[pa.Table, pa.Table]:
    """Return the candidates that are no image of a benchmark, and the others as HITS.

    `rows` have uid and hash; `vectors` are those of the candidates. The embeddings of those are compared that the
    hashes do not find.
    """
    known = read_benchmarks(rules.files, rules.cosine is not None)
    phashes = rows[column_of(rules.version)].combine_chunks() if rows.num_rows else pa.array([], pa.string())
    places, distances = known.nearest(phashes, rules.distance)
    by_hash = places >= 0
    cosines = np.zeros(len(places))
    if vectors is not None and rules.cosine is not None:
        asked = np.flatnonzero(~by_hash & np.asarray(vectors.is_valid()))
        stored = from_bytes(vectors.take(pa.array(asked)).to_pylist())
        places[asked], cosines[asked] = known.most_similar(stored, rules.cosine)
    found = places >= 0
    receipt.drops[REASON] += int(found.sum())
    taken = known.rows.take(pa.array(places[found]))
    bits = pa.array(distances[found], mask=~by_hash[found])
    near = pa.array(cosines[found].astype(np.float32), mask=by_hash[found])
    columns = [rows["uid"].filter(pa.array(found)), taken["benchmark"], taken["image"], bits, near]
    return rows.filter(pa.array(~found)), pa.table(columns, schema=HITS)


def count_hits(paths: Iterable[str], rules: BenchmarkRules) -> dict[str, Any]:
    """Return what a manifest tells of hits: the method, the images of each benchmark, its hits, and some of them."""
    embedded = rules.cosine is not None
    benchmarks = Counter(read_benchmarks(rules.files, embedded).rows["benchmark"].to_pylist())
    hits, by_embedding, examples = Counter[str](), 0, list[dict[str, Any]]()
    for path in paths:
        found = read_rows(path, HITS)
        hits.update(found["benchmark"].to_pylist())
        by_embedding += found.num_rows - found["cosine"].null_count
        examples += found.slice(0, EXAMPLES - len(examples)).to_pylist()
    for each in examples:
        if not embedded:
            del each["cosine"]
        elif each["cosine"] is not None:
            each["cosine"] = round(each["cosine"], 4)
    more = {"cosine": rules.cosine, "hits_by_embedding": by_embedding} if embedded else {}
    return {
        "method": "perceptual hash and embedding" if embedded else "perceptual hash",
        "hash_version": rules.version,
        "distance": rules.distance,
        **more,
        "benchmarks": {name: {"images": images, "hits": hits[name]} for name, images in sorted(benchmarks.items())},
        "examples": examples,
    }
