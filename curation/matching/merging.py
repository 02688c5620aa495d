"""Merging matched rows into images: one row per uid with all its matched texts.

Merging is associative: parts that are merged one by one, in any grouping, give the same images as all rows at once. So
the same functions merge the rows of a task, and the buckets of several parts or crawls. They need the memory of a few
batches, however many texts one image has.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.draws import hash64
from curation.core.schemas import MATCHES, TEXT
from curation.core.string_buffers import equals_previous
from curation.core.table_reader import BATCH_ROWS, read_batches
from curation.matching.match import MATCHED

_TEXTS = MATCHES.field("texts").type
_BY_EVIDENCE = [
    ("uid", "ascending"), ("text", "ascending"), ("lang_score", "descending"), ("lang", "ascending"),
    ("text_key", "ascending"),
]  # fmt: skip
_BY_KEY = [(name, "ascending") for name in ("uid", "text", "text_key")]


def merge_images(
    rows: Iterable[pa.RecordBatch], drops: Counter[str], max_texts: int, salt: int = 0
) -> Iterator[pa.RecordBatch]:
    """Yield the images (MATCHES) of matched rows (MATCHED), which come sorted by uid; one row per uid, in that order.

    Repeated texts of an image become one, in the language with the highest lang_score, then the smallest lang, and with
    the smallest text_key; the others are dropped as `same_text`. An image keeps at most `max_texts` texts, those with
    the smallest keyed hash of (uid, text), whose seed is the `salt` of the table; the others are dropped as
    `max_texts`. Texts are in the order of their bytes.
    """
    pending = MATCHED.empty_table()
    for batch in rows:
        if not batch.num_rows:
            continue
        pending = collapse(pa.concat_tables([pending, pa.Table.from_batches([batch])]), drops, max_texts, salt)
        # The last image may continue in the next batch. It is kept back, already merged, so it stays small.
        uids = pending.column("uid")
        last = pc.index(uids, uids[len(uids) - 1]).as_py()
        if last:
            yield _fold(pending.slice(0, last))
            pending = pending.slice(last)
    if pending.num_rows:
        yield _fold(pending)


def merge_buckets(
    files: Sequence[str], drops: Counter[str], max_texts: int, batch_rows: int = BATCH_ROWS, salt: int = 0
) -> Iterator[pa.RecordBatch]:
    """Yield the images of several MATCHES files, each sorted by uid, merged as by `merge_images`."""
    return merge_images(align([_read_rows(file, batch_rows) for file in files]), drops, max_texts, salt)


def _read_rows(file: str, batch_rows: int) -> Iterator[pa.RecordBatch]:
    for images in read_batches(file, MATCHES, batch_rows=batch_rows):
        yield from unfold(images).to_batches()


def unfold(images: pa.RecordBatch) -> pa.Table:
    """Return the matched rows (MATCHED) of images (MATCHES): the inverse of folding them."""
    lists = images.column("texts")
    texts = pc.list_flatten(lists)
    parents = pc.list_parent_indices(lists)
    columns = {name: images.column(name).take(parents) for name in ("uid", "url")}
    columns |= {field.name: pc.struct_field(texts, field.name) for field in TEXT}
    return pa.table([columns[name] for name in MATCHED.names], schema=MATCHED)


def align(streams: Sequence[Iterator[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """Yield the matched rows (MATCHED) of several streams, each sorted by uid, as one stream sorted by uid.

    Each round yields the rows up to the smallest last uid of the streams' current batches: no stream can still have
    rows before it.
    """
    heads: dict[int, pa.RecordBatch] = {}

    def advance(number: int) -> None:
        heads.pop(number, None)
        for batch in streams[number]:
            if batch.num_rows:
                heads[number] = batch
                return

    for number in range(len(streams)):
        advance(number)
    while heads:
        frontier = min(batch.column("uid")[-1].as_py() for batch in heads.values())
        ready = []
        for number, batch in list(heads.items()):
            count = pc.sum(pc.less_equal(batch.column("uid"), frontier)).as_py()
            if count:
                ready.append(batch.slice(0, count))
                if count < batch.num_rows:
                    heads[number] = batch.slice(count)
                else:
                    advance(number)
        merged = pa.Table.from_batches(ready)
        yield from merged.sort_by("uid").combine_chunks().to_batches()


def collapse(rows: pa.Table, drops: Counter[str], max_texts: int, salt: int = 0) -> pa.Table:
    """Return rows (MATCHED, sorted by uid) sorted by uid and text, without repeated texts and those beyond `max_texts`.

    `drops` counts the dropped rows as in `merge_images`.
    """
    if rows.num_rows < 2:
        return rows
    rows = rows.combine_chunks()
    uids = rows.column("uid").chunk(0)
    repeated = equals_previous(uids)
    if not repeated.any():
        return rows
    # Most images have one text, so only the rows of the others are sorted; `places` are their row numbers.
    member = repeated | np.append(repeated[1:], False)
    places = np.flatnonzero(member)
    subset = rows.take(pa.array(places)).drop_columns("entry_ids")
    order = pc.sort_indices(subset, _BY_EVIDENCE).to_numpy()
    sorted_uids = subset.column("uid").chunk(0).take(pa.array(order))
    sorted_texts = subset.column("text").chunk(0).take(pa.array(order))
    same_uid = equals_previous(sorted_uids)
    same = same_uid & equals_previous(sorted_texts)
    drops["same_text"] += int(same.sum())
    if same.any():
        # Both orders have the same groups of uid and text, so the same places begin them.
        by_key = pc.sort_indices(subset, _BY_KEY).to_numpy()
        key_rows = np.arange(rows.num_rows)
        key_rows[places[order[~same]]] = places[by_key[~same]]
        at = rows.schema.get_field_index("text_key")
        rows = rows.set_column(at, rows.schema.field(at), rows.column(at).take(pa.array(key_rows)))
    order, sorted_uids, sorted_texts = (
        order[~same],
        sorted_uids.filter(pa.array(~same)),
        sorted_texts.filter(pa.array(~same)),
    )
    starts = np.flatnonzero(~equals_previous(sorted_uids))
    sizes = np.diff(np.append(starts, len(order)))
    keep = np.ones(len(order), np.bool_)
    for start, size in zip(starts[sizes > max_texts].tolist(), sizes[sizes > max_texts].tolist(), strict=True):
        group = slice(start, start + size)
        hashes = hash64(salt, "max_texts", sorted_uids[group], sorted_texts[group])
        keep[start + np.argsort(hashes, kind="stable")[max_texts:]] = False
    drops["max_texts"] += int((~keep).sum())
    survivors = places[order[keep]]
    if member.all():
        return rows.take(pa.array(survivors))
    alone = np.flatnonzero(~member)
    # `survivors` are sorted by uid but not by row within a uid: the image's first row orders all rows.
    firsts = np.maximum.accumulate(np.where(repeated, 0, np.arange(rows.num_rows)))
    kept = np.concatenate([alone, survivors])
    return rows.take(pa.array(kept[np.argsort(firsts[kept], kind="stable")]))


def _fold(rows: pa.Table) -> pa.RecordBatch:
    """Return the images of collapsed rows."""
    rows = rows.combine_chunks()
    columns = {name: rows.column(name).chunk(0) for name in MATCHED.names}
    starts = np.flatnonzero(~equals_previous(columns["uid"]))
    texts = pa.StructArray.from_arrays([columns[field.name] for field in TEXT], fields=list(TEXT))
    offsets = pa.array(np.append(starts, rows.num_rows), pa.int32())
    lists = pa.ListArray.from_arrays(offsets, texts, type=_TEXTS)
    first = pa.array(starts)
    return pa.record_batch([columns["uid"].take(first), columns["url"].take(first), lists], schema=MATCHES)
