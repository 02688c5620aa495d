"""download_images and write_shards killed without warning, and started again, until both are done.

Inside `make test` two kills; `HEADTAIL_KILLS=20 python -m pytest tests/jobs/test_shards_killed.py` makes more.
"""

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import ROOT
from tests.http_server import ImageServer
from tests.shard_data import curate, curated_rows

KILLS = int(os.environ.get("HEADTAIL_KILLS", "2"))
IMAGES = 400
LISTS = 8


@pytest.fixture
def server() -> Iterator[ImageServer]:
    with ImageServer() as server:
        yield server


def start(job: str, *settings: str) -> subprocess.Popen:
    command = [sys.executable, "-m", f"jobs.{job}", *settings, "spark.master=local[2]", "spark.driver_memory=1g"]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True)


def kill(process: subprocess.Popen) -> bytes:
    """Kill the job with its Java and its workers, all at once; returns what it has said."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()[1]


def steps(folder: Path, *more: str) -> list[tuple[str, tuple[str, ...]]]:
    """The jobs and their settings; `more` are for write_shards."""
    allowed, lists = "urls.allow_private_hosts=[127.0.0.1/32]", f"download.images_per_list={IMAGES // LISTS}"
    return [
        ("download_images", (f"output={folder}", allowed, lists, "download.threads=2")),
        ("write_shards", (f"output={folder}", "samples_per_shard=20", *more)),
    ]


def write_scores(path: Path, urls: list[str]) -> list[str]:
    """Write boxes of faces, and embeddings, some of which are alike; return the settings that use them."""
    embeddings = np.random.default_rng(0).normal(size=(len(urls), 8))
    embeddings[::3][:-1] = embeddings[1::3][: len(urls[::3]) - 1] + 0.01
    boxes = [[[0.1, 0.1, 0.6, 0.7]] * (number % 2) for number in range(len(urls))]
    pq.write_table(pa.table({"url": urls, "face_bboxes": boxes, "embedding": list(embeddings)}), path)
    return [f"scores=[{path}]", "faces=blur", "filters.near_duplicates=embedding"]


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("shards/*.tar"))}


def finished(folder: Path) -> set[str]:
    """Paths of the images of finished lists: a list is finished when its receipt is there."""
    files = [path.with_suffix(".parquet") for path in folder.glob("downloads/part-*/range-*.json")]
    urls = [url for path in files for url in pq.read_table(path)["url"].to_pylist()]
    return {"/" + url.split("/", 3)[3] for url in urls}


def test_killed_jobs_end_like_undisturbed_ones(server: ImageServer, tmp_path: Path) -> None:
    rows = curated_rows([server.url(f"image/{k}.jpg" if k % 9 else f"gone/{k}") for k in range(IMAGES)])
    for name in ("undisturbed", "killed"):
        curate(tmp_path / name, rows)
    scores = write_scores(tmp_path / "scores.parquet", [row["url"] for row in rows])
    seconds = {}
    for job, settings in steps(tmp_path / "undisturbed", *scores):
        began = time.monotonic()
        process = start(job, *settings)
        assert process.wait() == 0, process.stderr.read()
        seconds[job] = time.monotonic() - began
    moments = random.Random(KILLS)
    # Bytes are the same, too, where the shards consume the downloads.
    for job, settings in steps(tmp_path / "killed", *scores, "keep_downloads=false"):
        told = b""
        for attempt in range(KILLS // 2 + 1):
            server.hits.clear()
            before = finished(tmp_path / "killed")
            process = start(job, *settings)
            if attempt < KILLS // 2:
                # Most of the time goes into starting; what is worth disturbing comes later.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(seconds[job] * moments.uniform(0.4, 1.0))
                told += kill(process)
            else:
                assert process.wait() == 0, process.stderr.read()
                told += process.stderr.read()
                assert (b"then need all images fetched again" in told) == (job == "write_shards"), told
            assert not before & set(server.hits), "an image of a finished list was fetched again"
    found = digests(tmp_path / "killed")
    assert len(found) > 10
    assert found == digests(tmp_path / "undisturbed")
    assert list(tmp_path.glob("undisturbed/downloads/part-*/*.tar"))
    assert not list(tmp_path.glob("killed/downloads/part-*/*.tar"))
    killed, whole = (
        json.loads((tmp_path / name / "shards/_manifest.json").read_text()) for name in ("killed", "undisturbed")
    )
    assert whole["drops"]["near_duplicate"] > 50
    assert whole["facts"]["blurred_images"] > 50
    for key in ("rows_in", "rows_out", "drops", "settings", "facts", "near_duplicates"):
        assert killed[key] == whole[key]
    assert not list((tmp_path / "killed" / "shards").glob(".[!n]*"))
