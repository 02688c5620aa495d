"""A limit of kept images for each registrable domain: a keyed draw decides which of them stay.

A tail entry in each text makes balancing keep all images of a spammer. The limit needs all images of a domain in one
place, and they are in all buckets, so it takes three steps after the draw. `slice_domains` sends a row for each drawn
image to the receiver of its domain, `find_excess` finds the images beyond the limit and sends them back to their
buckets, and `cap_bucket` writes the buckets without them.

A task holds a slice, and a receiver the images of its domains, at most `max_images` of each. Images of one domain with
equal draws are taken in the order of their uids, so the result does not depend on the number of buckets.
"""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.domains import HOST_FORM, domains_of, suffixes_version
from curation.core.draws import hash64
from curation.core.exchange import SUFFIX, iter_slices, write_slices
from curation.core.parquet_sink import ParquetSink
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.schemas import CURATED
from curation.core.table_reader import open_table_file, read_batches

SLICE_ROWS = 500_000
"""Rows of a file of slices, and rows that a receiver adds before it drops those beyond the limit."""
MAX_RECEIVERS = 1024
_SLICES = pa.schema([("domain", pa.string()), ("draw", pa.uint64()), ("bucket", pa.int32()), ("row", pa.int64())])


@dataclass(frozen=True)
class DomainCap:
    """The maximum of images of a domain, the seed of the draw, and the numbers of receivers and of buckets.

    `host_form` is the version of the form in which hosts are compared (domains.py).
    """

    max_images: int
    seed: int
    receivers: int
    buckets: int
    host_form: int


def limit_settings(limit: int | None, curated: Sequence[Part]) -> dict[str, Any]:
    """Return the limit per domain as settings, with all that tells domains apart; none without a limit.

    `curated` are the parts of an earlier balance: its limit keeps the form in which it compared hosts.
    """
    if not limit:
        return {}
    before = [part.manifest["settings"] for part in curated if "max_per_domain" in part.manifest["settings"]]
    host_form = before[0].get("host_form", 1) if before else HOST_FORM
    form = {"host_form": host_form} if host_form > 1 else {}
    return {"max_per_domain": limit, "public_suffixes": suffixes_version(), **form}


@dataclass(frozen=True)
class CapTask:
    """Bucket number `bucket` of `curated`: reads the file `drawn`, and writes the file `output`.

    `slices` and `excess` are the folders of the slices for receivers and for buckets.
    """

    bucket: int
    drawn: str
    output: str
    slices: str
    excess: str


@dataclass(frozen=True)
class ExcessTask:
    """The receiver number `receiver`: reads its slices in the folder `slices`, and writes to the folder `excess`."""

    receiver: int
    slices: str
    excess: str


def plan_cap(drawn: Sequence[str], folder: str, work: str) -> list[CapTask]:
    """Return a task for each file of drawn images, in the order of buckets; the tasks exchange files in `work`."""
    slices, excess = storage.join(work, "slices"), storage.join(work, "excess")
    return [
        CapTask(bucket, path, storage.join(folder, posixpath.basename(path)), slices, excess)
        for bucket, path in enumerate(drawn)
    ]


def plan_excess(tasks: Sequence[CapTask], cap: DomainCap) -> list[ExcessTask]:
    """Return a task for each receiver."""
    return [ExcessTask(receiver, tasks[0].slices, tasks[0].excess) for receiver in range(cap.receivers)]


def count_receivers(images: int) -> int:
    """Return the number of receivers, a power of two, for some drawn images.

    >>> count_receivers(0), count_receivers(1_000_001), count_receivers(10**12)
    (1, 4, 1024)
    """
    return min(MAX_RECEIVERS, 1 << max(0, -(-images // SLICE_ROWS) - 1).bit_length())


def slice_domains(task: CapTask, cap: DomainCap) -> Receipt:
    """Send a row for each drawn image of a bucket to the receiver of its domain; images without a host have none."""
    receipt = Receipt(f"domains of bucket {task.bucket}")
    pending: list[pa.RecordBatch] = []
    for batch in read_batches(task.drawn, CURATED, ["uid", "url"]):
        rows = np.arange(receipt.rows_in, receipt.rows_in + batch.num_rows)
        receipt.rows_in += batch.num_rows
        draws = hash64(cap.seed, "domain_cap", batch["uid"])
        buckets = np.full(batch.num_rows, task.bucket, np.int32)
        columns = [domains_of(batch["url"], cap.host_form), *map(pa.array, (draws, buckets, rows))]
        sliced = pa.record_batch(columns, schema=_SLICES)
        pending.append(sliced.filter(pc.not_equal(sliced["domain"], "")))
        if sum(one.num_rows for one in pending) >= SLICE_ROWS:
            _send(pending, task, cap, receipt)
            pending = []
    if pending or not receipt.facts["slices"]:
        _send(pending, task, cap, receipt)
    receipt.rows_out = receipt.rows_in
    return receipt


def _send(pending: list[pa.RecordBatch], task: CapTask, cap: DomainCap, receipt: Receipt) -> None:
    rows = pa.Table.from_batches(pending, _SLICES).combine_chunks()
    domains = rows["domain"].combine_chunks() if rows.num_rows else pa.array([], pa.string())
    receivers = (hash64(cap.seed, "domain_cap", domains) % np.uint64(cap.receivers)).astype(np.int64)
    name = f"{task.bucket:05d}-{receipt.facts['slices']:06d}{SUFFIX}"
    write_slices(storage.join(task.slices, name), rows, receivers, cap.receivers)
    receipt.facts["slices"] += 1


def find_excess(task: ExcessTask, cap: DomainCap) -> Receipt:
    """Send the images beyond the limit of their domain back to their buckets: those with the largest draws."""
    receipt = Receipt(f"excess {task.receiver}")
    kept, fresh = _SLICES.empty_table(), 0
    excess: list[pa.Table] = []
    for batch in iter_slices(task.slices, task.receiver):
        receipt.rows_in += batch.num_rows
        fresh += batch.num_rows
        kept = pa.concat_tables([kept, pa.Table.from_batches([batch])])
        if fresh >= SLICE_ROWS:
            kept, beyond = _trim(kept, cap.max_images)
            fresh = 0
            excess.append(beyond)
            if sum(one.num_rows for one in excess) >= SLICE_ROWS:
                _send_back(excess, task, cap, receipt)
                excess = []
    kept, beyond = _trim(kept, cap.max_images)
    _send_back([*excess, beyond], task, cap, receipt)
    receipt.rows_out = receipt.rows_in
    return receipt


def _trim(rows: pa.Table, max_images: int) -> tuple[pa.Table, pa.Table]:
    """Return the rows within the limit of their domain, and those beyond it."""
    rows = rows.combine_chunks()
    if not rows.num_rows:
        return rows, rows
    domains = rows["domain"].chunk(0).dictionary_encode().indices.to_numpy()
    draws, buckets, places = (rows[name].to_numpy() for name in ("draw", "bucket", "row"))
    order = np.lexsort((places, buckets, draws, domains))
    ordered = domains[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    beyond = np.zeros(len(order), bool)
    beyond[order] = rank >= max_images
    return rows.filter(pa.array(~beyond)), rows.filter(pa.array(beyond))


def _send_back(excess: list[pa.Table], task: ExcessTask, cap: DomainCap, receipt: Receipt) -> None:
    rows = pa.concat_tables(excess)
    name = f"{task.receiver:05d}-{receipt.facts['slices']:06d}{SUFFIX}"
    write_slices(storage.join(task.excess, name), rows.select(["row"]), rows["bucket"].to_numpy(), cap.buckets)
    receipt.facts["slices"] += 1


def cap_bucket(task: CapTask) -> Receipt:
    """Write a bucket of `curated` without the images beyond the limit, which are dropped as `domain_cap`."""
    receipt = Receipt(task.output)
    with open_table_file(task.drawn, CURATED) as file:
        beyond = np.zeros(file.metadata.num_rows, bool)
    for batch in iter_slices(task.excess, task.bucket):
        beyond[batch["row"].to_numpy()] = True
    with ParquetSink(task.output, CURATED) as sink:
        for batch in read_batches(task.drawn, CURATED):
            kept = batch.filter(pa.array(~beyond[receipt.rows_in : receipt.rows_in + batch.num_rows]))
            receipt.rows_in += batch.num_rows
            sink.write(kept)
            receipt.facts["texts_kept"] += pc.sum(pc.struct_field(kept["texts"].flatten(), "kept")).as_py() or 0
    receipt.rows_out = sink.rows
    receipt.drops["domain_cap"] = receipt.rows_in - receipt.rows_out
    receipt.outputs.append(sink.output())
    return receipt.check()
