"""Export for DataComp: which samples of its pool were kept, as its tools take them.

A subset is a `.npy` file of sorted 128-bit uids, dtype "u8,u8". A sample of the pool is an image URL with one text,
so of each curated image the row with the chosen text is exported; the uids come from `pairs`, where a source that
has them carries them along (source=datacomp).
"""

import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.counts import save_array
from curation.core import storage
from curation.core.draws import hash64
from curation.core.errors import HeadtailError
from curation.core.exchange import read_slices, write_slices
from curation.core.receipts import Receipt

UID = "datacomp_uid"
DTYPE = np.dtype("u8,u8")
SLICE_ROWS = 500_000
_SLICES = pa.schema([("uid", pa.string()), ("text", pa.uint64()), (UID, pa.string())])


def check_pairs(files: Sequence[str], path: str) -> None:
    """Raise HeadtailError where pairs hold no DataComp uids."""
    for file in files:
        if UID not in storage.read_schema(file).names:
            raise HeadtailError(f"{path} holds no {UID}: only pairs of a source that has them (source=datacomp) do")


def slice_pairs(task: dict, buckets: int) -> Receipt:
    """Hand the DataComp uids of one file of `pairs` to the buckets of `curated`; task: path, out."""
    receipt = Receipt(task["path"])
    pending: list[pa.RecordBatch] = []
    for batch in storage.read_batches(task["path"], ["uid", "text", UID], 65_536):
        receipt.rows_in += batch.num_rows
        batch = batch.filter(pc.match_substring_regex(batch[UID], "^[0-9a-fA-F]{32}$").fill_null(False))
        texts = pa.array(hash64(0, "export", batch["text"]))
        pending.append(pa.record_batch([batch["uid"], texts, pc.utf8_lower(batch[UID])], schema=_SLICES))
        if sum(one.num_rows for one in pending) >= SLICE_ROWS:
            _write(pending, task["out"], buckets, receipt)
            pending = []
    if pending or not receipt.facts["slices"]:
        _write(pending, task["out"], buckets, receipt)
    receipt.drops["no_datacomp_uid"] = receipt.rows_in - receipt.rows_out
    return receipt.check()


def _write(pending: list[pa.RecordBatch], out: str, buckets: int, receipt: Receipt) -> None:
    rows = pa.Table.from_batches(pending, _SLICES).combine_chunks()
    prefixes = pc.utf8_slice_codeunits(rows["uid"], 0, 4).to_pylist()
    receivers = np.array([int(prefix, 16) for prefix in prefixes], np.int64) * buckets // 65536
    write_slices(f"{out}-{receipt.facts['slices']:04d}.arrow", rows, receivers, buckets)
    receipt.facts["slices"] += 1
    receipt.rows_out += rows.num_rows


def collect_uids(task: dict) -> Receipt:
    """Write the DataComp uids of one bucket of `curated`; task: curated (path), receiver, slices (folder), output.

    Where several rows of the pool have the same URL and text the smallest uid is taken.
    """
    files = storage.read_batches(task["curated"], ["uid", "text"])
    kept = [pa.table([batch["uid"], hash64(0, "export", batch["text"])], ["uid", "text"]) for batch in files]
    receipt = Receipt(posixpath.basename(task["curated"]), rows_in=sum(one.num_rows for one in kept))
    found = pa.nulls(0, pa.string())
    if kept:
        known = read_slices(task["slices"], task["receiver"]).group_by(["uid", "text"]).aggregate([(UID, "min")])
        found = pa.concat_tables(kept).join(known, ["uid", "text"], join_type="inner")[f"{UID}_min"].combine_chunks()
    save_array(task["output"], parse_uids(found))
    receipt.rows_out = len(found)
    receipt.drops = Counter(no_datacomp_uid=receipt.rows_in - receipt.rows_out)
    return receipt.check()


def parse_uids(uids: pa.Array) -> np.ndarray:
    """Return 32 hex digits each as (upper, lower) 64 bits, dtype "u8,u8".

    >>> parse_uids(pa.array(["000000000000000100000000000000ff"])).tolist()
    [(1, 255)]
    """
    lowered = pc.utf8_lower(uids)
    digits = np.frombuffer("".join(lowered.to_pylist()).encode(), np.uint8).astype(np.uint64).reshape(-1, 2, 16)
    values = np.where(digits >= ord("a"), digits - np.uint64(ord("a") - 10), digits - np.uint64(ord("0")))
    halves = np.bitwise_or.reduce(values << np.arange(60, -1, -4, dtype=np.uint64), axis=2)
    return halves.view(DTYPE).reshape(-1)


def merge_uids(paths: Iterable[str], output: str) -> int:
    """Sort the uids of all buckets into one file and return how many there are; 16 bytes each are held in memory."""
    parts = []
    for path in paths:
        with storage.open_input(path) as file:
            parts.append(np.load(file, allow_pickle=False))
    uids = np.unique(np.concatenate(parts))
    save_array(output, uids)
    return len(uids)
