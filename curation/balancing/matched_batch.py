"""Rows of `matches` and `curated` as flat arrays, the way counting, drawing and forecasting want them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property

import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core import storage
from curation.core.draws import hash64, keep
from curation.core.receipts import Receipt
from curation.core.string_buffers import all_equal, buffers_of
from curation.matching.merging import merge_buckets

BATCH_IMAGES = storage.ROW_GROUP_ROWS
"""Images that are worked on at once: in batches of a quarter a text costs a third more to count and to draw."""
COUNTED_COLUMNS = ["texts.list.element.lang", "texts.list.element.entry_ids"]


class MatchedBatch:
    """The texts of a batch of images.

    With n `images`, k `texts` and m matched entries: `starts` int32[n + 1] (texts of image i are
    starts[i]:starts[i + 1]), `langs` (the batch's languages, sorted) and `codes` int32[k] into it, `id_offsets`
    int32[k + 1] (ids of text k are id_offsets[k]:id_offsets[k + 1]), `ids` int32[m].
    """

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        texts = batch["texts"]
        self.images = len(texts)
        self.structs: pa.StructArray = texts.flatten()
        self.texts = len(self.structs)
        self._entry_ids = self.structs.field("entry_ids")
        self.ids = self._entry_ids.flatten().to_numpy()
        self.langs, self._ranks = _languages(self.structs.field("lang"))

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each image's texts start, int32[n + 1]."""
        return _starts(self.batch["texts"])

    @cached_property
    def id_offsets(self) -> np.ndarray:
        """Where each text's ids start, int32[k + 1]."""
        return _starts(self._entry_ids)

    @cached_property
    def codes(self) -> np.ndarray:
        """The language of each text, int32[k]."""
        return np.zeros(self.texts, np.int32) if self._ranks is None else self._ranks

    @cached_property
    def rows(self) -> np.ndarray:
        """The numbers of all texts, int32[k]."""
        return np.arange(self.texts, dtype=np.int32)

    @cached_property
    def images_of_texts(self) -> np.ndarray:
        """The image of each text, int32[k]."""
        return _parents(self.starts, self.texts)

    def rows_by_lang(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield (lang, its texts' rows, ascending) for the languages of the batch, in order."""
        if len(self.langs) > 1:
            order = np.argsort(self.codes, kind="stable").astype(np.int32)
            ends = np.cumsum(np.bincount(self.codes, minlength=len(self.langs)))
            yield from zip(self.langs, np.split(order, ends[:-1]), strict=True)
        elif self.langs:
            yield self.langs[0], self.rows

    def hash_texts(self, seed: int, purpose: str, rows: np.ndarray) -> np.ndarray:
        """Return the hash of (uid, text) of some texts, uint64."""
        return hash64(seed, purpose, *self._keys, at=(self.images_of_texts[rows], rows))

    def keep_texts(self, seed: int, probabilities: np.ndarray) -> np.ndarray:
        """Return which texts are kept, bool[k]: their draw of (uid, text) is below their probability."""
        return keep(probabilities, seed, "keep", *self._keys, self.starts)

    @property
    def _keys(self) -> tuple[pa.Array, pa.Array]:
        return self.batch["uid"], self.structs.field("text")


def _languages(lang: pa.StringArray) -> tuple[list[str], np.ndarray | None]:
    """Return the languages, sorted, and the place of each text's among them, int32; None: there is only one."""
    if not len(lang):
        return [], None
    if all_equal(*buffers_of(lang)):
        # Mostly one language, at least in batches of one: comparing is a twentieth of the work of encoding.
        return [lang[0].as_py()], None
    encoded = lang.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    ranks = np.argsort(np.argsort(np.array(names, dtype=object))).astype(np.int32)
    return sorted(names), ranks[encoded.indices.to_numpy()]


@numba.njit(cache=True, nogil=True)
def _parents(starts: np.ndarray, texts: int) -> np.ndarray:
    parents = np.empty(texts, np.int32)
    for image in range(len(starts) - 1):
        for row in range(starts[image], starts[image + 1]):
            parents[row] = image
    return parents


def _starts(lists: pa.ListArray) -> np.ndarray:
    """The lists' offsets, from 0; those of a whole array are not copied: memory is what a pass spends its time on."""
    offsets = lists.offsets.to_numpy()
    return offsets - offsets[0] if offsets[0] else offsets


def read_matched(
    files: Sequence[str], max_texts: int, receipt: Receipt, columns: list[str] | None = None
) -> Iterator[MatchedBatch]:
    """Yield the images of one bucket, merged by uid where several files hold it, in the order of their uids.

    With `columns` only these are read where nothing has to be merged. Adds to the receipt: rows in, what merging
    dropped (`merged_into_image`), and as facts the texts and matches read and the texts that merging dropped.
    """
    rows_in = sum(_rows(file) for file in files)
    dropped: Counter[str] = Counter()
    images = 0
    merged = len(files) > 1
    if merged:
        batches = merge_buckets(files, dropped, max_texts)
    else:
        batches = storage.read_batches(files[0], columns, BATCH_IMAGES)
    for batch in batches:
        matched = MatchedBatch(batch)
        images += matched.images
        receipt.facts["texts"] += matched.texts
        receipt.facts["matches"] += len(matched.ids)
        yield matched
    receipt.rows_in += rows_in
    if merged:
        receipt.drops["merged_into_image"] += rows_in - images
    receipt.facts.update(dropped)


def _rows(file: str) -> int:
    with storage.open_input(file) as opened:
        return pq.read_metadata(opened).num_rows
