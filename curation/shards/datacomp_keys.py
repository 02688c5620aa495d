"""DataComp's uids as keys of images: the pairs of a run tell which image has which of them.

A uid of DataComp is of an image URL with one text, so an image may have several.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.datacomp import UID as DATACOMP
from curation.core.errors import HeadtailError
from curation.core.exchange import iter_slices
from curation.core.receipts import Receipt
from curation.core.schemas import PAIRS
from curation.core.storage import join
from curation.core.table_reader import read_batches, read_schema
from curation.core.tables import Table
from curation.shards.joined import Runner, run_join
from curation.shards.keyed_join import SliceWriter, buckets_of, done_once, given_schema, order_of, write_keys

BATCH_ROWS = 16_384
_PAIRS = PAIRS.append(pa.field(DATACOMP, pa.string()))
_GIVEN = given_schema(pa.schema([(DATACOMP, pa.string())]))


@dataclass(frozen=True)
class DealPairsTask:
    """A file of pairs, the prefix of the files of slices to write, and the receipt to write."""

    path: str
    prefix: str
    receipt: str
    buckets: int


@dataclass(frozen=True)
class DealDatacompTask:
    """The folder and number of the joined slices of some shards, and the prefix of the slices of keys to write."""

    joined: str
    group: int
    prefix: str
    buckets: int


def pairs_with_uids(folder: str) -> list[str]:
    """Return the files of the table of pairs; raises HeadtailError if they have no uids of DataComp."""
    files = [file for part in Table(folder, PAIRS, None).require("extract_pairs") for file in part.files]
    for file in files[:1]:
        if DATACOMP not in read_schema(file).names:
            raise HeadtailError(
                f"captions: a table has the key {DATACOMP}, and {folder} has no such column: only pairs of a source "
                "that has it (source=datacomp) do"
            )
    return files


def deal_datacomp_keys(
    run: Runner, pairs: Sequence[str], keys: str, rows: str, made: str, buckets: int, shards: int
) -> list[Receipt]:
    """Add DataComp's uids of the samples to the folder `keys`, which has their own; return receipts with hashes.

    `rows` and `made` are folders to write: the pairs, and the join, which is of these samples only.
    """
    deals = [
        DealPairsTask(path, join(rows, f"{number:06d}"), join(rows, "receipts", f"{number:06d}.json"), buckets)
        for number, path in enumerate(pairs)
    ]
    run(deal_pairs, deals)
    _, joined = run_join(run, keys, rows, made, buckets, shards, every=True, relayed=False)
    groups = range(-(-shards // joined.width))
    prefixes = [join(keys, f"datacomp-{group:06d}") for group in groups]
    return run(deal_found, [DealDatacompTask(joined.direct, group, prefixes[group], buckets) for group in groups])


@done_once
def deal_pairs(task: DealPairsTask) -> Receipt:
    """Write the DataComp uids of a file of pairs as slices for the buckets, by our uid; reason: no_datacomp_uid."""
    receipt, out = Receipt(task.path), SliceWriter(task.prefix, _GIVEN, task.buckets)
    for batch in read_batches(task.path, _PAIRS, ["uid", DATACOMP], BATCH_ROWS, further=None):
        receipt.rows_in += batch.num_rows
        batch = batch.filter(pc.match_substring_regex(batch[DATACOMP], "^[0-9a-fA-F]{32}$").fill_null(False))
        keys = [f"u{uid}" for uid in batch["uid"].to_pylist()]
        values = pc.utf8_lower(batch[DATACOMP])
        orders = pa.array([order_of(value.encode()) for value in values.to_pylist()], _GIVEN.field("order").type)
        numbers = [pa.array(np.full(len(keys), number, kind)) for number, kind in ((0, np.int16), (32, np.int32))]
        columns = [pa.array(keys, pa.string()), numbers[0], orders, numbers[1], values]
        out.add(pa.RecordBatch.from_arrays(columns, schema=_GIVEN), buckets_of(keys, task.buckets), 64 * len(keys))
        receipt.rows_out += batch.num_rows
    out.close()
    receipt.drops["no_datacomp_uid"] = receipt.rows_in - receipt.rows_out
    return receipt


def deal_found(task: DealDatacompTask) -> Receipt:
    """Write the DataComp uids that were found for the samples of some shards as slices of keys for the buckets."""
    receipt = Receipt(task.prefix)

    def keys() -> Iterator[tuple[list[str], int, np.ndarray]]:
        for batch in iter_slices(task.joined, task.group):
            receipt.rows_in += batch.num_rows
            receivers = batch["receiver"].to_numpy()
            for receiver in np.unique(receivers).tolist():
                mine = batch.filter(pa.array(receivers == receiver))
                yield [f"d{uid}" for uid in mine[DATACOMP].to_pylist()], receiver, mine["row"].to_numpy()

    receipt.outputs.append({"digest": write_keys(task.prefix, keys(), task.buckets)})
    receipt.rows_out = receipt.rows_in
    return receipt
