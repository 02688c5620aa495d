"""Vectors of images out of the entries of their texts: tf-idf in a seeded sparse random projection, without a model.

Each entry has a direction: DRAWS of WIDTH numbers are 1 or -1, by a keyed hash, and the others 0. An image's vector is
the sum of the directions of its entries, each as often as texts hold it, times the weight of the entry: 1 for the most
frequent one of its language, about 1 more for each time that an entry is half as frequent, in sixteenths. All are whole
numbers, so sums do not depend on their order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numba
import numpy as np
import pyarrow as pa

from curation.balancing.counts import CountFiles
from curation.balancing.matched_batch import MatchedBatch
from curation.clusters.vector_files import VectorBatch
from curation.core.draws import hash64
from curation.core.receipts import Receipt
from curation.core.schemas import CURATED, MATCHES
from curation.core.table_reader import open_table_file, read_batches
from curation.core.whole_vectors import whole_units

WIDTH = 512
DRAWS = 12
PURPOSE, SEED = "projection", 0
"""The directions of entries decide nothing that is secret: with one seed, clusters of several runs can be compared."""
BATCH_IMAGES = 4096
MAX_COUNTED = 1000
"""Entries of an image that are added, at most."""
_PER_HASH, _BITS, _UNIT = 6, 9, 16
_COLUMNS = ["uid", "texts.list.element.lang", "texts.list.element.entry_ids"]
_KEPT = "texts.list.element.kept"


@dataclass(frozen=True)
class MatchedFile:
    """A bucket of `matches`, or of `curated` (`balanced`): then only texts that balancing kept are taken."""

    path: str
    balanced: bool


@dataclass(frozen=True)
class EntryWeights:
    """The folder of the counts by language, and the hash of the entry lists, whose ids they are."""

    counts: str
    metadata: str


class EntryVectors:
    """Makes vectors of images; opens the counts of a language when it meets it."""

    def __init__(self, weights: EntryWeights) -> None:
        self._counts = CountFiles(weights.counts)
        self._top: dict[str, int] = {}

    def units(self, entries: "ImageEntries") -> tuple[np.ndarray, np.ndarray]:
        """Return the vectors of images in whole numbers, and which have a direction, as `whole_units` does."""
        known, at = np.unique(entries.codes.astype(np.int64) << 32 | entries.ids, return_inverse=True)
        codes, ids = known >> 32, known & 0xFFFFFFFF
        langs = pa.array(entries.langs, pa.string())
        places, signs = directions(langs.take(pa.array(codes)), ids)
        weights = np.zeros(len(known), np.int64)
        for code, lang in enumerate(entries.langs):
            mine = codes == code
            weights[mine] = self._weights(lang, ids[mine])
        sums = np.zeros((len(entries.starts) - 1, WIDTH), np.int64)
        _add_directions(entries.starts, at, places, signs * weights[:, None], sums)
        return whole_units(sums)

    def _weights(self, lang: str, ids: np.ndarray) -> np.ndarray:
        counts = self._counts[lang]
        if lang not in self._top:
            self._top[lang] = int(counts.max(initial=1))
        mine = np.ones(len(ids), np.int64)
        known = ids < len(counts)
        mine[known] = np.maximum(counts[ids[known]], 1)
        return np.rint(_UNIT * np.log2(1 + self._top[lang] / mine)).astype(np.int64)


@dataclass(frozen=True)
class ImageEntries:
    """The entries of images: those of image i are codes[starts[i]:starts[i + 1]] (places in `langs`), and ids."""

    langs: Sequence[str]
    starts: np.ndarray
    codes: np.ndarray
    ids: np.ndarray


def entries_of(matched: MatchedBatch, kept: np.ndarray | None) -> ImageEntries:
    """Return the entries of the texts of images, of those texts that are `kept` (bool) if it is given."""
    lengths = np.diff(matched.id_offsets)
    images = np.repeat(matched.images_of_texts, lengths)
    codes, ids = np.repeat(matched.codes, lengths), matched.ids
    if kept is not None:
        mine = np.repeat(kept, lengths)
        images, codes, ids = images[mine], codes[mine], ids[mine]
    starts = np.concatenate([[0], np.cumsum(np.bincount(images, minlength=matched.images))])
    return ImageEntries(matched.langs, starts, codes, ids)


def directions(langs: pa.Array, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places (int64) and the signs (int64, 1 or -1) of the directions of entries, of shape (n, DRAWS)."""
    keys = pa.array(ids).cast(pa.string())
    drawn = []
    for part in range(DRAWS // _PER_HASH):
        hashes = hash64(SEED, PURPOSE, langs, keys, pa.array([str(part)] * len(keys), pa.string()))
        drawn += [hashes >> np.uint64(k * (_BITS + 1)) & np.uint64(2 * WIDTH - 1) for k in range(_PER_HASH)]
    values = np.stack(drawn, axis=1).astype(np.int64)
    return values >> 1, (values & 1) * 2 - 1


@numba.njit(cache=True, nogil=True)
def _add_directions(
    starts: np.ndarray, at: np.ndarray, places: np.ndarray, values: np.ndarray, sums: np.ndarray
) -> None:
    for image in range(len(starts) - 1):
        for entry in range(starts[image], min(starts[image + 1], starts[image] + MAX_COUNTED)):
            for k in range(places.shape[1]):
                sums[image, places[at[entry], k]] += values[at[entry], k]


def count_images(source: MatchedFile) -> int:
    """Return the images of a bucket, by its footer."""
    with open_table_file(source.path, CURATED if source.balanced else MATCHES, None) as file:
        return file.metadata.num_rows


def read_entries(source: MatchedFile) -> Iterator[tuple[pa.Array, ImageEntries]]:
    """Yield the uids and the entries of the images of a bucket, in its order."""
    schema, columns = (CURATED, [*_COLUMNS, _KEPT]) if source.balanced else (MATCHES, _COLUMNS)
    for batch in read_batches(source.path, schema, columns, BATCH_IMAGES, None):
        matched = MatchedBatch(batch)
        kept = matched.structs.field("kept").to_numpy(zero_copy_only=False) if source.balanced else None
        yield batch["uid"], entries_of(matched, kept)


def read_entry_vectors(source: MatchedFile, vectors: EntryVectors, receipt: Receipt) -> Iterator[VectorBatch]:
    """Yield the images of a bucket whose entries have a direction; the receipt counts rows in, and `no_vector`."""
    for uids, entries in read_entries(source):
        units, good = vectors.units(entries)
        receipt.rows_in += len(uids)
        receipt.rows_out += int(good.sum())
        if not good.all():
            receipt.drops["no_vector"] += int((~good).sum())
        yield VectorBatch(uids.filter(pa.array(good)), units[good])
