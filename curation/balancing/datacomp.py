"""Export for DataComp: the uids of the samples of its pool that are kept, in the format of its tools.

A subset is a `.npy` file of sorted 128-bit uids, dtype "u8,u8". A sample of the pool is an image URL with one text, so
a curated image is exported as the sample with the chosen text. The uids are a further column of `pairs`, which the
source datacomp fills (source=datacomp).
"""

import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.counts import save_array
from curation.core import storage
from curation.core.draws import hash64
from curation.core.errors import HeadtailError
from curation.core.exchange import read_slices, write_slices
from curation.core.receipts import Receipt
from curation.core.schemas import CURATED, PAIRS
from curation.core.table_reader import check_file, open_table_file, read_batches

UID = "datacomp_uid"
DTYPE = np.dtype("u8,u8")
SLICE_ROWS = 500_000
_POOL_PAIRS = PAIRS.append(pa.field(UID, pa.string()))
_SLICES = pa.schema([("uid", pa.string()), ("text", pa.uint64()), (UID, pa.string())])


@dataclass(frozen=True)
class SliceTask:
    """A file of `pairs`, and the path prefix of its slices by bucket of `curated`."""

    pairs: str
    slices: str


@dataclass(frozen=True)
class CollectTask:
    """A bucket of `curated`, its number among the buckets, the folder of slices, and the file of uids to write."""

    curated: str
    receiver: int
    slices: str
    output: str


def check_inputs(pairs: Sequence[str], curated: Sequence[str], path: str) -> None:
    """Raise HeadtailError where a file of `pairs` (in the folder `path`) has no DataComp uids, or a table is wrong."""
    for file in pairs:
        with open_table_file(file, PAIRS, further=None) as opened:
            names = opened.schema_arrow.names
        if UID not in names:
            raise HeadtailError(f"{path} holds no {UID}: only pairs of a source that has them (source=datacomp) do")
    check_file(curated[0], CURATED)


def plan_slices(pairs: Sequence[str], folder: str) -> list[SliceTask]:
    """Return a task for each file of `pairs`."""
    return [SliceTask(file, storage.join(folder, f"{k:06d}")) for k, file in enumerate(pairs)]


def plan_collection(curated: Sequence[str], slices: str, folder: str) -> list[CollectTask]:
    """Return a task for each bucket of `curated`."""
    return [CollectTask(file, k, slices, storage.join(folder, f"{k:06d}.npy")) for k, file in enumerate(curated)]


def slice_pairs(task: SliceTask, buckets: int, seed: int) -> Receipt:
    """Write the DataComp uids of one file of `pairs` as slices, one for each bucket of `curated`.

    `seed` is that of the hashes which stand for texts: a secret, so that nobody can make a text with a given hash.
    """
    receipt = Receipt(task.pairs)
    pending: list[pa.RecordBatch] = []
    for batch in read_batches(task.pairs, _POOL_PAIRS, ["uid", "text", UID], 65_536, further=None):
        receipt.rows_in += batch.num_rows
        batch = batch.filter(pc.match_substring_regex(batch[UID], "^[0-9a-fA-F]{32}$").fill_null(False))
        texts = pa.array(hash64(seed, "export", batch["text"]))
        pending.append(pa.record_batch([batch["uid"], texts, pc.utf8_lower(batch[UID])], schema=_SLICES))
        if sum(one.num_rows for one in pending) >= SLICE_ROWS:
            _write(pending, task.slices, buckets, receipt)
            pending = []
    if pending or not receipt.facts["slices"]:
        _write(pending, task.slices, buckets, receipt)
    receipt.drops["no_datacomp_uid"] = receipt.rows_in - receipt.rows_out
    return receipt.check()


def _write(pending: list[pa.RecordBatch], prefix: str, buckets: int, receipt: Receipt) -> None:
    rows = pa.Table.from_batches(pending, _SLICES).combine_chunks()
    prefixes = pc.utf8_slice_codeunits(rows["uid"], 0, 4).to_pylist()
    receivers = np.array([int(prefix, 16) for prefix in prefixes], np.int64) * buckets // 65536
    write_slices(f"{prefix}-{receipt.facts['slices']:04d}.arrow", rows, receivers, buckets)
    receipt.facts["slices"] += 1
    receipt.rows_out += rows.num_rows


def collect_uids(task: CollectTask, seed: int) -> Receipt:
    """Write the DataComp uids of one bucket of `curated`; `seed` is that of `slice_pairs`.

    Where several rows of the pool have the same URL and text, the smallest uid is taken.
    """
    files = read_batches(task.curated, CURATED, ["uid", "text"])
    kept = [pa.table([batch["uid"], hash64(seed, "export", batch["text"])], ["uid", "text"]) for batch in files]
    receipt = Receipt(posixpath.basename(task.curated), rows_in=sum(one.num_rows for one in kept))
    found = pa.nulls(0, pa.string())
    if kept:
        pool = read_slices(task.slices, task.receiver).group_by(["uid", "text"]).aggregate([(UID, "min")])
        found = pa.concat_tables(kept).join(pool, ["uid", "text"], join_type="inner")[f"{UID}_min"].combine_chunks()
    save_array(task.output, parse_uids(found))
    receipt.rows_out = len(found)
    receipt.drops = Counter(no_datacomp_uid=receipt.rows_in - receipt.rows_out)
    return receipt.check()


def parse_uids(uids: pa.Array) -> np.ndarray:
    """Return uids of 32 hex digits as pairs of 64 bits (upper, lower), dtype "u8,u8".

    >>> parse_uids(pa.array(["000000000000000100000000000000ff"])).tolist()
    [(1, 255)]
    """
    lowered = pc.utf8_lower(uids)
    digits = np.frombuffer("".join(lowered.to_pylist()).encode(), np.uint8).astype(np.uint64).reshape(-1, 2, 16)
    values = np.where(digits >= ord("a"), digits - np.uint64(ord("a") - 10), digits - np.uint64(ord("0")))
    halves = np.bitwise_or.reduce(values << np.arange(60, -1, -4, dtype=np.uint64), axis=2)
    return halves.view(DTYPE).reshape(-1)


def merge_uids(paths: Iterable[str], output: str) -> int:
    """Write the uids of all buckets to one sorted file and return their number; holds 16 bytes per uid in memory."""
    parts = []
    for path in paths:
        with storage.open_input(path) as file:
            parts.append(np.load(file, allow_pickle=False))
    uids = np.unique(np.concatenate(parts))
    save_array(output, uids)
    return len(uids)
