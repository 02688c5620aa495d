"""Requests a gigabyte to an object store, and what a listing of many objects takes: a server of its own at 127.0.0.1.

A file is written as the jobs write theirs, and read as they read: as an archive from its beginning, as a Parquet table,
as images by their ranges. Then a folder is listed, whose names the server makes up. The last line is one JSON object.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core import storage
from curation.core.choices import SourceKind
from curation.core.parquet_sink import ParquetSink
from curation.core.remote import open_patiently, read_range
from curation.extraction.inputs import list_sources
from tests.faulty_store import Faults, FaultyStore, store_found_in
from tests.store_answers import MANY

PLACE = "s3://bucket/data"
IMAGE_BYTES = 40_000
IMAGES = 20


def write_tar(data: bytes) -> None:
    """Write as shards and downloads are written."""
    with storage.AtomicFile(f"{PLACE}/a.tar") as file:
        for start in range(0, len(data), 1 << 16):
            file.write(data[start : start + (1 << 16)])


def write_table(data: bytes) -> None:
    """Write as all tables are written."""
    schema = pa.schema([("uid", pa.binary(24)), ("payload", pa.binary(1000))])
    rows = len(data) // 1000
    with ParquetSink(f"{PLACE}/a.parquet", schema) as sink:
        for start in range(0, rows, 20_000):
            count = min(20_000, rows - start)
            at = start * 1000
            payload = pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(1000), count, [None, pa.py_buffer(data[at : at + count * 1000])]
            )
            uids = pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(24), count, [None, pa.py_buffer(data[at : at + count * 24])]
            )
            sink.write(pa.record_batch([uids, payload], schema=schema))


def read_archive() -> int:
    """Read as archives are read."""
    with open_patiently(f"{PLACE}/a.tar") as file:
        return sum(len(piece) for piece in iter(lambda: file.read(1 << 20), b""))


def read_table() -> int:
    """Read as tables are read."""
    with storage.open_input(f"{PLACE}/a.parquet") as file:
        return sum(batch.nbytes for batch in pq.ParquetFile(file).iter_batches())


def read_images() -> int:
    """Read images of shards by their places."""
    return sum(len(read_range(f"{PLACE}/a.tar", at * 50_000, IMAGE_BYTES)) for at in range(IMAGES))


def asked(store: FaultyStore, action: Callable[[], object]) -> dict[str, Any]:
    """Return the requests of an action, all of them and a gigabyte."""
    store.begin(Faults())
    start = time.monotonic()
    action()
    gigabytes = (store.sent + store.received) / 1e9
    return {
        "gigabytes": round(gigabytes, 3),
        "seconds": round(time.monotonic() - start, 2),
        "requests": dict(store.requests),
        "requests_a_gigabyte": {kind: round(count / gigabytes, 1) for kind, count in store.requests.items()},
    }


def listed(store: FaultyStore, objects: int) -> dict[str, Any]:
    """Return what a listing of a crawl of so many archives takes in a process of its own."""
    store.keys = sorted(f"crawl/segments/{number // 800}/wat/{number:06}.warc.wat.gz" for number in range(objects))
    store.begin(Faults())
    command = [sys.executable, "-m", "tests.benchmarks.object_store", "megabytes=0"]
    done = subprocess.run(command, env={**os.environ, **store.environment}, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    if found["objects"] != objects:
        raise AssertionError(f"{found['objects']} files of {objects}")
    return found | {"requests": dict(store.requests)}


def list_crawl() -> dict[str, Any]:
    """List the crawl of the server that the environment names; the processor's seconds and the memory of that."""
    storage.exists(f"s3://{MANY}/nothing")  # imports, and the first connection
    cpu, start, before = time.process_time(), time.monotonic(), peak_kilobytes()
    files = list_sources([f"s3://{MANY}/crawl"], SourceKind.wat, prefix="")
    return {
        "objects": len(files),
        "seconds": round(time.monotonic() - start, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "megabytes": round((peak_kilobytes() - before) / 1024),
    }


def peak_kilobytes() -> int:
    """Return the most memory that this process has had; getrusage would count that of its parent."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])  # type: ignore[index]


def main(megabytes: str = "400", objects: str = "100000") -> None:
    """Write, read and list; with `megabytes=0`, only list."""
    if megabytes == "0":
        print(json.dumps(list_crawl()))
        return
    data = np.random.default_rng(1).bytes(int(megabytes) * 1_000_000)
    with tempfile.TemporaryDirectory() as folder, FaultyStore(Path(folder)) as store, store_found_in(store) as fs:
        fs.mkdir("bucket")
        found = {
            "write_tar": asked(store, lambda: write_tar(data)),
            "write_table": asked(store, lambda: write_table(data)),
            "read_archive": asked(store, read_archive),
            "read_table": asked(store, read_table),
            "read_images": asked(store, read_images),
            "listing": listed(store, int(objects)),
        }
    print(json.dumps({"benchmark": "object_store", **found}))


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
