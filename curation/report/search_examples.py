"""Texts that the search of the page shows as examples of entries: kept texts that hold them, by keyed draws.

A text is taken if it holds an entry that fewer than two texts with smaller draws hold, so a few thousand texts serve
most of the frequent entries. Buckets are images by the hash of their address, and sorted by it: the beginnings of some
are a sample of all, and the number of images that are read has a limit.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from curation.balancing.matched_batch import MatchedBatch
from curation.core.draws import draw
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.removal_lists import read_removals
from curation.core.schemas import CURATED
from curation.core.table_reader import read_batches
from curation.report.examples import MAX_CHARS
from curation.report.personal import masked_beginning

MAX_FILES, MAX_IMAGES, MAX_TEXTS = 64, 16_384, 1_000
"""Files of `curated` that are read, images of each at its beginning, and texts that each gives."""
TEXTS_PER_ENTRY = 2
_COLUMNS = ["uid", *(f"texts.list.element.{name}" for name in ("lang", "entry_ids", "kept", "text"))]


@dataclass(frozen=True)
class PoolTask:
    """A file of `curated` whose beginning is read."""

    file: str


@dataclass(frozen=True)
class PoolText:
    """A kept text of an image (`uid`): its draw, language and entries. Addresses and telephone numbers are masked."""

    draw: float
    lang: str
    text: str
    entry_ids: list[int]
    uid: str = ""


def plan_pool(curated: Sequence[Part]) -> list[PoolTask]:
    """Return a task for each file, for MAX_FILES of them if there are more."""
    files = [file for part in curated for file in part.files]
    step = max(1, -(-len(files) // MAX_FILES))
    return [PoolTask(file) for file in files[::step]]


def read_pool(task: PoolTask, seed: int, removals: tuple[str, ...] = ()) -> Receipt:
    """Choose texts of some kept images; the outputs are `PoolText`s as dicts. Rows are images.

    `removals` are lists of images whose texts are not shown.
    """
    receipt = Receipt(task.file)
    for batch in read_batches(task.file, CURATED, _COLUMNS, MAX_IMAGES):
        matched = MatchedBatch(batch)
        kept = pc.struct_field(matched.structs, "kept").to_numpy(zero_copy_only=False)
        if removals:
            kept &= ~read_removals(removals).mask({"uid": batch["uid"]})[matched.images_of_texts]
        draws = draw(seed, "examples", batch["uid"])[matched.images_of_texts]
        rows = np.flatnonzero(kept)
        rows = rows[np.argsort(draws[rows], kind="stable")]
        texts, langs = matched.structs.field("text"), matched.structs.field("lang")
        ids, ends = matched.ids, matched.id_offsets
        found = ((langs[row].as_py(), ids[ends[row] : ends[row + 1]].tolist(), row) for row in rows.tolist())
        for lang, held, row in _covering(found):
            text = masked_beginning(texts[row].as_py(), MAX_CHARS)
            uid = batch["uid"][int(matched.images_of_texts[row])].as_py()
            receipt.outputs.append(vars(PoolText(float(draws[row]), lang, text, held, uid)))
            if len(receipt.outputs) == MAX_TEXTS:
                break
        receipt.rows_in = receipt.rows_out = batch.num_rows
        break  # the beginning is enough
    return receipt.check()


def merge_pool(outputs: Iterable[Mapping[str, Any]]) -> dict[str, list[PoolText]]:
    """Return the texts of all tasks by language, in the order in which they are shown."""
    texts = sorted((PoolText(**output) for output in outputs), key=lambda text: (text.draw, text.lang, text.text))
    pool: dict[str, list[PoolText]] = {}
    for lang, _, text in _covering((text.lang, text.entry_ids, text) for text in texts):
        pool.setdefault(lang, []).append(text)
    return pool


def _covering(texts: Iterable[tuple[str, list[int], Any]]) -> Iterator[tuple[str, list[int], Any]]:
    """Yield those of (lang, entry_ids, anything) with an entry that fewer than TEXTS_PER_ENTRY before hold."""
    held = Counter[tuple[str, int]]()
    for lang, ids, rest in texts:
        entries = [(lang, entry_id) for entry_id in ids]
        if any(held[entry] < TEXTS_PER_ENTRY for entry in entries):
            held.update(entries)
            yield lang, ids, rest
