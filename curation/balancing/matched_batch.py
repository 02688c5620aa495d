"""Rows of `matches` and `curated` as flat arrays, for counting, drawing and forecasting."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property

import numba
import numpy as np
import pyarrow as pa

from curation.core.draws import hash64, keep
from curation.core.parquet_sink import ROW_GROUP_ROWS
from curation.core.receipts import Receipt
from curation.core.schemas import MATCHES
from curation.core.string_buffers import all_equal, buffers_of
from curation.core.table_reader import open_table_file, read_batches
from curation.matching.merging import merge_buckets

BATCH_IMAGES = ROW_GROUP_ROWS
"""Images of one batch. With batches of a quarter, counting and drawing take a third longer per text."""
COUNTED_COLUMNS = ["texts.list.element.lang", "texts.list.element.entry_ids"]


class MatchedBatch:
    """The texts of a batch of images.

    A batch has n `images`, k `texts` and m matched entries. `starts` is int32[n + 1]: the texts of image i are
    starts[i]:starts[i + 1]. `langs` are the batch's languages, sorted; `codes` int32[k] is each text's position in
    `langs`. `id_offsets` is int32[k + 1]: the ids of text j are ids[id_offsets[j]:id_offsets[j + 1]]. `ids` is
    int32[m].
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
        """The offsets of the images' texts, int32[n + 1]."""
        return _starts(self.batch["texts"])

    @cached_property
    def id_offsets(self) -> np.ndarray:
        """The offsets of the texts' ids, int32[k + 1]."""
        return _starts(self._entry_ids)

    @cached_property
    def codes(self) -> np.ndarray:
        """The language of each text, int32[k]."""
        return np.zeros(self.texts, np.int32) if self._ranks is None else self._ranks

    @cached_property
    def rows(self) -> np.ndarray:
        """The row numbers of all texts, int32[k]."""
        return np.arange(self.texts, dtype=np.int32)

    @cached_property
    def images_of_texts(self) -> np.ndarray:
        """The image of each text, int32[k]."""
        return _parents(self.starts, self.texts)

    def rows_by_lang(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield (lang, rows of its texts, ascending) for each language of the batch, in order."""
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
        """Return whether each text is kept, bool[k]: its draw of (uid, text) is below its probability."""
        return keep(probabilities, seed, "keep", *self._keys, self.starts)

    @property
    def _keys(self) -> tuple[pa.Array, pa.Array]:
        return self.batch["uid"], self.structs.field("text")


def _languages(lang: pa.StringArray) -> tuple[list[str], np.ndarray | None]:
    """Return the languages, sorted, and each text's position among them, int32; None where there is only one."""
    if not len(lang):
        return [], None
    if all_equal(*buffers_of(lang)):
        # Most batches hold one language, and comparing takes a twentieth of the time of encoding.
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
    """Return the lists' offsets, from 0. Those of a whole array are not copied: a pass is bound by memory traffic."""
    offsets = lists.offsets.to_numpy()
    return offsets - offsets[0] if offsets[0] else offsets


def read_matched(
    files: Sequence[str], max_texts: int, receipt: Receipt, columns: list[str] | None = None, salt: int = 0
) -> Iterator[MatchedBatch]:
    """Yield the images of one bucket in the order of their uids, merged by uid where the bucket has several files.

    A single file is read in `columns` only, if these are given. Adds to the receipt: rows in, rows that were merged
    into another (`merged_into_image`), and the facts `texts`, `matches`, and texts that merging dropped, by reason.
    """
    rows_in = sum(_count_rows(file) for file in files)
    dropped: Counter[str] = Counter()
    images = 0
    merged = len(files) > 1
    if merged:
        batches = merge_buckets(files, dropped, max_texts, salt=salt)
    else:
        batches = read_batches(files[0], MATCHES, columns, BATCH_IMAGES)
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


def _count_rows(path: str) -> int:
    with open_table_file(path, MATCHES) as file:
        return file.metadata.num_rows
