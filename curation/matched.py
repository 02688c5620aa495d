"""Rows of `matches` and `curated` as flat arrays, the way counting, drawing and forecasting want them."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation import storage

COUNTED_COLUMNS = ["texts.list.element.lang", "texts.list.element.entry_ids"]


class Matched:
    """The texts of a batch of images.

    With n images, k texts and m matched entries: `starts` int64[n + 1] (texts of image i are starts[i]:starts[i + 1]),
    `langs` (the batch's languages, sorted) and `codes` int32[k] into it, `id_offsets` int64[k + 1], `ids` int32[m].
    """

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        texts = batch["texts"]
        self.images = len(texts)
        self.structs: pa.StructArray = texts.flatten()
        self.starts = _starts(texts)
        entry_ids = pc.struct_field(self.structs, "entry_ids")
        self.id_offsets = _starts(entry_ids)
        self.ids = entry_ids.flatten().to_numpy()
        encoded = pc.struct_field(self.structs, "lang").dictionary_encode()
        order = np.argsort(np.asarray(encoded.dictionary.to_pylist(), dtype=object))
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        self.langs: list[str] = sorted(encoded.dictionary.to_pylist())
        self.codes = rank[encoded.indices.to_numpy()] if len(encoded) else np.zeros(0, np.int32)

    @property
    def images_of_texts(self) -> np.ndarray:
        """The image of each text, int64[k]."""
        return np.repeat(np.arange(self.images), np.diff(self.starts))

    def rows_by_lang(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield (lang, its texts' rows, ascending) for the languages of the batch, in order."""
        if len(self.langs) > 1:
            order = np.argsort(self.codes, kind="stable")
            ends = np.cumsum(np.bincount(self.codes, minlength=len(self.langs)))
            yield from zip(self.langs, np.split(order, ends[:-1]), strict=True)
        elif self.langs:
            yield self.langs[0], np.arange(len(self.codes))

    def keys(self, rows: np.ndarray) -> tuple[pa.Array, pa.Array]:
        """Return (uid, text) of some texts: what draws are keyed by."""
        uids = self.batch["uid"].take(pa.array(self.images_of_texts[rows]))
        return uids, pc.struct_field(self.structs, "text").take(pa.array(rows))


def _starts(lists: pa.ListArray) -> np.ndarray:
    offsets = lists.offsets.to_numpy().astype(np.int64)
    return offsets - offsets[0]


def read_matched(files: Sequence[str], whole: bool = True) -> Iterator[Matched]:
    """Yield the images of one bucket, merged by uid where several files hold it, in the order of their uids.

    With `whole=False` only what counting needs is read, where that saves reading.
    """
    columns = None if whole else COUNTED_COLUMNS
    for batch in storage.read_batches(files[0], columns):
        yield Matched(batch)
