"""What one task of extraction holds in memory at its peak, whatever its file is like: `make bench NAME=extract_memory`.

Each case is a task of a local Spark session with one core, in a Python worker of its own: what counts is the peak of
its resident memory, libraries and all, as the kernel tells it. The last line is one JSON object.

Arguments: megabytes=1000 pairs=10000000
"""

import gzip
import json
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.choices import SourceKind
from curation.core.receipts import Receipt
from curation.extraction.extract import ExtractTask, extract_file
from curation.spark.session import close_session, open_session
from curation.spark.tasks import run_tasks
from tests.benchmarks.generate_wat import SEED, write_wat
from tests.unit.extraction.settings import extraction_settings

RECORD_BYTES = 118_000_000
PAGE_BYTES = 40_000_000
BATCH_ROWS = 100_000


def write_record(path: Path) -> None:
    """One WAT record of RECORD_BYTES, all of it links of images."""
    links, size = [], 0
    while size < RECORD_BYTES:
        links.append(f'{{"path":"IMG@/src","url":"/images/{len(links)}.jpg","alt":"picture number {len(links)}"}}')
        size += len(links[-1]) + 1
    head = '{"Envelope":{"Payload-Metadata":{"HTTP-Response-Metadata":{"HTML-Metadata":{"Links":['
    _write_record(path, "metadata", f"{head}{','.join(links)}]}}}}}}}}}}".encode())


def write_page(path: Path) -> None:
    """One WARC record of PAGE_BYTES, all of it small elements."""
    page = b"<html><body>" + b'<p><img src=a.jpg alt="x">' * (PAGE_BYTES // 26)
    _write_record(path, "response", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + page)


def _write_record(path: Path, kind: str, body: bytes) -> None:
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: http://h.org/\r\nContent-Length: {len(body)}\r\n\r\n"
    path.write_bytes(gzip.compress(head.encode() + body + b"\r\n\r\n", 1, mtime=0))


def write_table(path: Path, rows: int) -> None:
    """So many rows, all distinct, in an order that no sorting helps."""
    schema = pa.schema([("url", pa.string()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, rows, BATCH_ROWS):
            numbers = (np.arange(start, min(start + BATCH_ROWS, rows)) * 2_654_435_761 % (1 << 32)).tolist()
            urls = [f"https://example.org/images/{number}.jpg" for number in numbers]
            writer.write_table(pa.table([urls, [f"picture {number}" for number in numbers]], schema))


def cases(folder: Path, megabytes: int, pairs: int) -> Iterator[tuple[str, Path, SourceKind]]:
    """Name, file and source of each case; files are made one by one."""
    first, second = folder / "first.wat.gz", folder / "second.wat.gz"
    write_wat(first, megabytes)
    yield f"wat_{megabytes}_megabytes", first, SourceKind.wat
    write_wat(second, megabytes, SEED + 1)
    with first.open("ab") as file, second.open("rb") as more:
        shutil.copyfileobj(more, file)
    second.unlink()
    yield f"wat_{2 * megabytes}_megabytes", first, SourceKind.wat
    first.unlink()
    write_record(folder / "record.wat.gz")
    yield f"wat_record_{RECORD_BYTES // 10**6}_megabytes", folder / "record.wat.gz", SourceKind.wat
    write_page(folder / "page.warc.gz")
    yield f"warc_page_{PAGE_BYTES // 10**6}_megabytes", folder / "page.warc.gz", SourceKind.warc
    write_table(folder / "pairs.parquet", pairs)
    yield f"table_{pairs}_distinct_pairs", folder / "pairs.parquet", SourceKind.table


@dataclass(frozen=True)
class MeasuredTask:
    """A file of a source and the file of its pairs."""

    input: str
    output: str
    source: SourceKind


def extract(task: MeasuredTask) -> Receipt:
    """Extract as the job does; the peak of this process is a fact."""
    receipt = extract_file(ExtractTask(task.input, task.output), extraction_settings(source=task.source))
    receipt.facts["peak_rss_megabytes"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return receipt


def measure(folder: Path, megabytes: int, pairs: int) -> dict[str, int]:
    """Run each case in a worker of its own; return the peak of each in MB."""
    spark = open_session("extract_memory", "local[1]", "1g", {"spark.python.worker.reuse": "false"})
    peaks = {}
    for case, path, source in cases(folder, megabytes, pairs):
        task = MeasuredTask(str(path), str(folder / "out.parquet"), source)
        (receipt,) = run_tasks(spark, extract, [task])
        peaks[case] = receipt.facts["peak_rss_megabytes"]
        print(f"{case}: {peaks[case]} MB, {receipt.rows_out:,} pairs in {receipt.seconds:.1f} s", flush=True)
    close_session()
    return peaks


def main(megabytes: int = 1000, pairs: int = 10_000_000) -> None:
    """Print the peaks."""
    with tempfile.TemporaryDirectory() as name:
        peaks = measure(Path(name), megabytes, pairs)
    print(json.dumps({"peak_rss_megabytes": peaks, "most": max(peaks.values())}))


if __name__ == "__main__":
    main(**{name: int(value) for name, value in (argument.split("=") for argument in sys.argv[1:])})
