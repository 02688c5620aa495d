"""The task that fetches one download list and stores its images, with a status for every attempt."""

import os
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from curation.core import storage
from curation.core.amounts import counted
from curation.core.choices import Obey
from curation.core.errors import HeadtailError, host_name
from curation.core.fences import WRITER, Fence
from curation.core.heap import large_blocks_kept
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt, written_receipt
from curation.core.schemas import DOWNLOAD_STATUS, STORED
from curation.core.tar_writer import TarWriter
from curation.images.connections import shared_resolver
from curation.images.download_rows import DownloadTask, new_rows
from curation.images.encoding import ImageSettings
from curation.images.fetch import Fetched, Fetcher, FetchSettings
from curation.images.host_rules import FILES, UNREACHED, Hosts, read_hosts
from curation.images.preflight import MIN_JUDGED
from curation.images.status import images_path, receipt_path
from curation.images.stored_images import take_image
from curation.images.worker import Outcome, Spool, run_worker

SPOOL_PREFIX = ".spool-"
_reached_by_process: set[str] = set()
"""Statuses of images whose host this process reached; while it is empty, this machine may be offline."""


@dataclass(frozen=True)
class DownloadSettings:
    """How a task fetches and stores images: `threads` threads fetch, one encodes.

    With `retry_failed`, images that failed in earlier runs for a reason that can pass are fetched again. With
    `detect_outage`, a task fails if it reaches no host at all, since then its machine is probably offline.
    """

    fetch: FetchSettings
    image: ImageSettings
    threads: int
    retry_failed: bool
    detect_outage: bool


def download_list(task: DownloadTask, settings: DownloadSettings) -> Receipt:
    """Fetch the new images of one download list and store them: `<name>.tar`, `<name>.parquet` with a row per attempt.

    An image that was attempted before is skipped; with `retry_failed` only if its reason cannot pass. An image that
    lies in a shard is read from the shard. The tar holds the images in the final order. If no image is new, no file is
    written. The receipt, `<name>.json`, is written last: without it the list counts as not fetched.
    """
    if finished := written_receipt(receipt_path(task.status_path)):
        return finished  # Spark may run a finished task again after it lost a machine
    start = time.monotonic()
    rows = new_rows(task, settings.retry_failed)
    receipt = Receipt(task.list_path, rows_in=rows.num_rows)
    if not rows.num_rows:
        return receipt
    # An attempt on a machine that Spark gave up may still run: its tar must not meet the status file of this attempt.
    folder, name = os.path.split(task.status_path)
    with Fence(os.path.join(folder, f".{name}{WRITER}")) as attempt, attempt.held(), large_blocks_kept():
        _fetch_rows(task, rows, settings, receipt)
        receipt.seconds = time.monotonic() - start
        storage.write_bytes(receipt_path(task.status_path), receipt.check().to_json().encode())
    return receipt


def _fetch_rows(task: DownloadTask, rows: pa.Table, settings: DownloadSettings, receipt: Receipt) -> None:
    """Fetch images, write the tar and the status file, and count the images in the receipt."""
    out, hosts = task.status_path, read_hosts(task, rows["url"])
    folder = os.path.dirname(out)
    local = folder if storage.is_local(folder) else None
    if local:
        os.makedirs(local, exist_ok=True)
    with tempfile.TemporaryDirectory(storage.TEMPORARY, SPOOL_PREFIX, local) as scratch:
        spool = Spool(os.path.join(scratch, "images"))
        with spool:
            outcomes = _download(rows, settings, scratch, spool, hosts)
        if settings.detect_outage:
            _check_reached(out, outcomes, not task.earlier)
        _write_images(out, rows, outcomes, spool)
    status = _status_table(rows, outcomes)
    with ParquetSink(out, DOWNLOAD_STATUS) as sink:
        for batch in status.to_batches():
            sink.write(batch)
    receipt.outputs.append(sink.output())
    counts = Counter(outcome.fetched.status for outcome in outcomes)
    receipt.rows_out = counts.pop("success", 0)
    receipt.drops.update(counts)
    receipt.facts["image_bytes"] = sum(outcome.size for outcome in outcomes)
    receipt.facts["source_bytes"] = sum(outcome.fetched.source_bytes or 0 for outcome in outcomes)
    receipt.facts["attempts"] = sum(outcome.fetched.attempts for outcome in outcomes)


def reached_nothing(receipt: Receipt) -> bool:
    """Whether no host of the new images of a list was reached."""
    return not receipt.rows_out and not receipt.drops.keys() - UNREACHED - {way.value for way in Obey}


def _check_reached(out: str, outcomes: list[Outcome], whole_list: bool) -> None:
    """Raise HeadtailError if no host was reached, so that Spark tries the list on another machine.

    Fewer than MIN_JUDGED images may all be gone. They count as gone if they are the new images of a list that was
    fetched before, or if this process has reached another host.
    """
    # What a host forbids was decided without asking it.
    outcomes = [one for one in outcomes if one.fetched.attempts or one.fetched.status not in FILES]
    statuses = Counter(outcome.fetched.status for outcome in outcomes)
    if reached := statuses.keys() - UNREACHED:
        _reached_by_process.update(reached)
    elif len(outcomes) >= MIN_JUDGED or (outcomes and whole_list and not _reached_by_process):
        status, count = statuses.most_common(1)[0]
        raise HeadtailError(
            f"{host_name()} reached none of the {counted(len(outcomes), 'images')} of {os.path.basename(out)} "
            f"({status} {count:,}): is it cut off from the network? download.min_success_share=0 accepts the result"
        )


def _download(rows: pa.Table, settings: DownloadSettings, folder: str, spool: Spool, hosts: Hosts) -> list[Outcome]:
    """Fetch the images of rows, or read them from their shards, into the spool; one outcome per row."""
    resolver = shared_resolver(settings.fetch.allow_private_hosts, settings.threads)
    places = rows.select(STORED.names).to_pylist() if STORED.names[0] in rows.column_names else None

    def fetch(row: int, url: str) -> Fetched:
        if places and places[row]["image_file"]:
            return take_image(places[row], settings.fetch.max_bytes, folder)
        return hosts.verdict(url) or fetcher.fetch(url)

    with Fetcher(settings.fetch, settings.threads, folder, resolver=resolver) as fetcher:
        return run_worker(rows["url"].combine_chunks(), fetch, settings.image, settings.threads, spool, folder)


def _write_images(status_path: str, rows: pa.Table, outcomes: list[Outcome], spool: Spool) -> None:
    """Copy the images from the spool into a tar, in the order of the rows, in which later stages read them."""
    with storage.AtomicFile(images_path(status_path)) as file, spool.open() as spooled:
        writer = TarWriter(file)
        for uid, outcome in zip(rows["uid"].to_pylist(), outcomes, strict=True):
            if outcome.encoded:
                spooled.seek(outcome.spooled)
                outcome.offset = writer.add(f"{uid}.{outcome.encoded.ext}", spooled.read(outcome.size))
        writer.close()


def _status_table(rows: pa.Table, outcomes: list[Outcome]) -> pa.Table:
    fetched = [outcome.fetched for outcome in outcomes]
    encoded = [asdict(outcome.encoded) if outcome.encoded else {} for outcome in outcomes]
    columns: dict[str, Any] = {name: rows[name].combine_chunks() for name in ("uid", "url", "order")}
    names = ("status", "error", "http_status", "content_type", "redirects", "attempts", "seconds")
    for name in (*names, "source_bytes", "sha256"):
        columns[name] = [getattr(one, name) for one in fetched]
    for name in ("width", "height", "original_width", "original_height", "ext"):
        columns[name] = [one.get(name) for one in encoded]
    columns["offset"] = [outcome.offset for outcome in outcomes]
    columns["bytes"] = [outcome.size if outcome.encoded else None for outcome in outcomes]
    return pa.table([pa.array(columns[field.name], field.type) for field in DOWNLOAD_STATUS], DOWNLOAD_STATUS)
