"""Duplicates among all images, found without gathering them: equal hashes meet, and the losers are told of it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.core import storage
from curation.core.draws import hash64
from curation.core.exchange import read_slices, write_slices
from curation.core.receipts import Receipt
from curation.core.removal_lists import DIGITS, read_removals
from curation.core.schemas import CANDIDATES
from curation.images.ranges import Ranges, list_name, top_bits
from curation.shards.perceptual_hash import phashes_path
from curation.shards.selection import survivors_output, write_rows

KEYS = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("pixels", pa.int64(), nullable=False),
        pa.field("order", pa.uint64(), nullable=False),
        pa.field("uid", pa.string(), nullable=False),
    ]
)
"""What images are compared by: `key` is the perceptual hash where near duplicates count, else the sha256."""
LOSERS = pa.schema([KEYS.field("uid"), pa.field("reason", pa.string(), nullable=False)])
BY_QUALITY = [("key", "ascending"), ("pixels", "descending"), ("order", "ascending"), ("uid", "ascending")]


@dataclass(frozen=True)
class UniqueRules:
    """Which images are the same, and which must go: `near` compares perceptual hashes; `removals` are list files."""

    near: bool = False
    removals: tuple[str, ...] = ()


def key_images(task: dict, ranges: Ranges, rules: UniqueRules) -> Receipt:
    """Take away what a filter or a removal list rejects, and send the keys of the rest to where equal ones meet.

    `task` holds group, status (range -> status files), candidates and chosen (folders to read from and to write to),
    passed (path of the uids that passed the filter, or None; no file: none did) and keys (path of slices to write).
    Reasons: filter, removed.
    """
    removals = read_removals(rules.removals)
    passed = _passed(task["passed"]) if task["passed"] else None
    receipt = Receipt(f"keys of group {task['group']}")
    keys = []
    for number in ranges.in_group(task["group"]):
        rows = _read(storage.join(task["candidates"], list_name(number)))
        receipt.rows_in += rows.num_rows
        if passed is not None:
            kept = rows.filter(pc.is_in(rows["uid"], passed))
            receipt.drops["filter"] += rows.num_rows - kept.num_rows
            rows = kept
        if rules.near:
            rows = rows.append_column("phash", _phashes(rows, task["status"].get(str(number), [])))
        removed = removals.mask({name: rows[name] for name in DIGITS if name in rows.column_names})
        receipt.drops["removed"] += int(removed.sum())
        rows = rows.filter(pa.array(~removed))
        keys.append(_keys(rows, "phash" if rules.near else "sha256"))
        rows = rows.select(CANDIDATES.names)
        receipt.rows_out += rows.num_rows
        write_rows(storage.join(task["chosen"], list_name(number)), rows)
    table = pa.concat_tables(keys).combine_chunks()
    receivers = top_bits(hash64(0, "duplicates", _chunk(table["key"])), ranges.groups)
    write_slices(task["keys"], table, receivers, ranges.groups)
    return receipt


def _passed(path: str) -> pa.Array:
    return _read(path)["uid"].combine_chunks() if storage.exists(path) else pa.array([], pa.string())


def _phashes(rows: pa.Table, status_files: list[str]) -> pa.Array:
    """The perceptual hash of each row, from the file of its generation."""
    found = pa.array([None] * rows.num_rows, pa.string())
    for generation, path in enumerate(status_files):
        hashes = _read(phashes_path(path))
        mine = pc.equal(rows["generation"], generation)
        value = hashes["phash"].take(pc.index_in(rows["uid"], _chunk(hashes["uid"])))
        found = pc.if_else(mine, value, found)
    return found


def _keys(rows: pa.Table, key: str) -> pa.Table:
    pixels = pc.multiply(rows["original_width"].cast(pa.int64()), rows["original_height"].cast(pa.int64()))
    return pa.table([rows[key], rows["sha256"], pixels, rows["order"], rows["uid"]], KEYS)


def find_duplicates(task: dict, ranges: Ranges) -> Receipt:
    """Find the images that lose to an equal one, among all whose key falls to this receiver.

    `task` holds receiver, keys (folder of slices) and losers (path of slices to write, one for each group). Of
    images with the same key the one with the most pixels stays, among those the first in the final order: what
    stays depends on nothing else. Equal files have equal keys of either kind.
    """
    rows = read_slices(task["keys"], task["receiver"]).sort_by(BY_QUALITY)
    lost = repeats(_chunk(rows["key"]))
    # A loser is an exact duplicate if the same file stands before it, among those of its key.
    by_file = np.lexsort((np.arange(rows.num_rows), _chunk(rows["sha256"]).dictionary_encode().indices.to_numpy()))
    exact = np.zeros(rows.num_rows, bool)
    exact[by_file] = repeats(_chunk(rows["sha256"]).take(pa.array(by_file)))
    reasons = pa.array(np.where(exact, "duplicate_image", "near_duplicate"), pa.string())
    losers = rows.select(["uid", "order"]).append_column(LOSERS.field("reason"), reasons).filter(pa.array(lost))
    groups = top_bits(losers["order"].to_numpy(), ranges.groups)
    write_slices(task["losers"], losers.select(LOSERS.names), groups, ranges.groups)
    return Receipt(f"duplicates {task['receiver']}", rows_in=rows.num_rows, rows_out=rows.num_rows)


def repeats(values: pa.Array) -> np.ndarray:
    """Whether each value of a sorted array is equal to the one before it.

    >>> repeats(pa.array(["a", "a", "b"])).tolist()
    [False, True, False]
    """
    same = np.zeros(len(values), bool)
    if len(values) > 1:
        same[1:] = pc.equal(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
    return same


def drop_duplicates(task: dict, ranges: Ranges) -> Receipt:
    """Take the losers out of a group's candidates and write who stays, in the final order.

    `task` holds group, chosen and survivors (folders to read from and to write to) and losers (folder of slices). One
    output a range. Reasons: duplicate_image, near_duplicate.
    """
    losers = read_slices(task["losers"], task["group"])
    receipt = Receipt(f"samples of group {task['group']}")
    for number in ranges.in_group(task["group"]):
        rows = _read(storage.join(task["chosen"], list_name(number)))
        receipt.rows_in += rows.num_rows
        place = pc.index_in(rows["uid"], _chunk(losers["uid"]))
        receipt.drops.update(losers["reason"].take(place.drop_null()).to_pylist())
        kept = rows.filter(place.is_null())
        path = storage.join(task["survivors"], list_name(number))
        receipt.outputs.append(survivors_output(number, path, kept))
        receipt.rows_out += kept.num_rows
    return receipt


def _read(path: str) -> pa.Table:
    with storage.open_input(path) as file:
        return pq.read_table(file)


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
