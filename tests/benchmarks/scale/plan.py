"""A crawl of 100,000 archives: how long the driver plans, and how much memory it takes, before and between parts.

The archives are tiny (a page with one image each), in folders of 1,000 as CommonCrawl has them. The job is started as a
user starts it, with a heap of 512 MB:

- `plan_seconds_100k`: from the start of the process to the first file of the first task.
- `plan_driver_gib`: peak memory of the Python driver and of the whole JVM, which here holds Spark's executor too,
  until a first part of 1,000 files is done.
- `resume_seconds_100k`, `resume_driver_gib`: the same where all parts but the last are there (their manifests with as
  many inputs and files as real ones have).
- `done_seconds_100k`: the whole job where nothing is left to do.
"""

import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from curation.core.choices import SourceKind
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.extraction.inputs import list_sources
from tests.benchmarks.memory import PeakMemory
from tests.unit.extraction.test_extract import image, wat_record

PER_FOLDER = 1000
HEAP = "512m"


def measure(folder: Path, archives: int) -> dict[str, float]:
    """Make the crawl, start the job on it, and start it again on a table that is nearly done."""
    crawl, run = folder / "crawl", folder / "run"
    write_crawl(crawl, archives)
    fresh, manifest = start(crawl, run), run / "pairs/part-00000/_manifest.json"
    plan_seconds, memory = until(fresh, run / "pairs/part-00000", manifest)
    stop(fresh)
    shutil.rmtree(run / "pairs/part-00001", ignore_errors=True)
    finish_parts(run)
    last = run / f"pairs/part-{-(-archives // PER_FOLDER) - 1:05d}"
    shutil.rmtree(last)
    again = start(crawl, run)
    resume_seconds, resume_memory = until(again, last, last / "_manifest.json")
    again.wait(60)
    started = time.monotonic()
    done = start(crawl, run)
    with PeakMemory(done.pid) as done_memory:
        assert done.wait(600) == 0
    return {
        "plan_archives": archives,
        "plan_seconds_100k": plan_seconds,
        "plan_driver_gib": memory.driver_and_jvm,
        "plan_python_driver_gib": memory.driver,
        "resume_seconds_100k": resume_seconds,
        "resume_driver_gib": resume_memory.driver_and_jvm,
        "resume_python_driver_gib": resume_memory.driver,
        "done_seconds_100k": time.monotonic() - started,
        "done_python_driver_gib": done_memory.driver,
    }


def write_crawl(folder: Path, archives: int) -> None:
    """Write WATs of a page with one image each."""
    for number in range(archives):
        path = folder / f"segments/{number // PER_FOLDER:05d}/wat/CC-MAIN-20241201000000-{number:06d}.warc.wat.gz"
        if number % PER_FOLDER == 0:
            path.parent.mkdir(parents=True)
        record = wat_record(f"http://h.org/{number}/", [image("a.jpg", alt=f"a red kite, the {number}th")])
        path.write_bytes(gzip.compress(record, 1, mtime=0))


def start(crawl: Path, run: Path) -> subprocess.Popen:
    """Start the job as a process of its own."""
    command = [sys.executable, "-m", "jobs.extract_pairs", f"output={run}", f"source.paths={crawl}"]
    return subprocess.Popen([*command, f"spark.driver_memory={HEAP}", "spark.master=local[2]"])


def until(job: subprocess.Popen, first: Path, last: Path) -> tuple[float, PeakMemory]:
    """Return the seconds until the folder `first` holds a file, and the memory until the file `last` is there."""
    started, seconds = time.monotonic(), 0.0
    with PeakMemory(job.pid) as memory:
        while not last.exists():
            assert job.poll() in (None, 0), "the job failed"
            if not seconds and first.exists() and any(os.scandir(first)):
                seconds = time.monotonic() - started
            time.sleep(0.05)
    return seconds, memory


def stop(job: subprocess.Popen) -> None:
    """End the job as a user would."""
    job.send_signal(signal.SIGTERM)
    job.wait(60)


def finish_parts(run: Path) -> None:
    """Write the manifests of all other parts, as if their tasks had run."""
    table = Table(str(run / "pairs"))
    (first,) = table.parts()
    keys = ("stage", "logic_version", "settings")
    made = {key: first.manifest[key] for key in keys}
    crawl = str(run.parent / "crawl")
    recipe = Recipe(**made, inputs=[vars(file) for file in list_sources([crawl], SourceKind.wat, prefix="")])
    for number, part in table.plan_parts(recipe, PER_FOLDER, overwrite=False)[1]:
        folder = table.begin(number)
        receipts = [
            Receipt(file["path"], 1, 1, outputs=[{"path": f"{folder}/{index:05d}.parquet", "rows": 1, "bytes": 5000}])
            for index, file in enumerate(part.inputs)
        ]
        table.commit(number, part, receipts, 60.0)
