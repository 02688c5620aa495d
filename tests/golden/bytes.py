"""The bytes that runs make, for good: `python -m tests.golden.bytes` writes bytes.json.

A change of code that is to change no row and no shard leaves bytes.json as it is. It holds the SHA-256 of every shard
and side-car, and of the rows of every table. Times, attempts and folders are left out: they differ from run to run.
"""

import gzip
import hashlib
import json
import platform
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from conf.compose import compose_config
from conf.schema.jobs import BuildMetadataConfig, CurateConfig, ExtractPairsConfig
from curation.core.tables import Table
from curation.spark.session import close_session
from jobs import build_metadata, curate, extract_pairs
from tests.conftest import SHARED
from tests.sample.host import ImageHost
from tests.sample.make import make_sample
from tests.sample.run import LOCAL, settings

GOLDEN = Path(__file__).with_suffix(".json")
PORT = 8766
"""The image addresses hold the port, and the uids are hashes of the addresses: it has to be the same every time."""
SCALE = 0.25
PACKAGES = ("img2dataset", "numpy", "opencv-python-headless", "pillow", "pyarrow")
"""Packages that decide bytes."""
LEFT_OUT = ("seconds", "attempts", "offset", "redirects", "image_file")
"""Columns that tell when, where and how often: a server that fails once is asked twice by the first run only."""
TABLES = ("pairs", "matches", "entry_counts", "thresholds", "curated", "lists", "downloads")
SECOND_BALANCE = (
    "seed=5",
    "balance.t=30",
    "balance.headroom=0.7",
    "balance.unit=image",
    "download.resize=center_crop",
    "download.size=96",
    "filters.near_duplicates=true",
    "filter=original_width >= 100",
    "samples_per_shard=37",
    "download.images_per_list=64",
)
DUMP = "jawiki-66-pages-cut-off.xml.bz2"
SESSION = (LOCAL, "spark.driver_memory=1g")


def conditions() -> dict[str, str]:
    """What the bytes depend on beside the code: versions of packages, and the kind of processor."""
    return {
        "processor": platform.machine(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        **{name: version(name) for name in PACKAGES},
    }


def rows_hash(files: list[str]) -> str:
    """The SHA-256 of the rows of Parquet files, in their order."""
    digest = hashlib.sha256()
    for file in files:
        rows = pq.read_table(file)
        for row in rows.drop_columns([name for name in LEFT_OUT if name in rows.column_names]).to_pylist():
            digest.update(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def run_hashes(run: Path) -> dict[str, str]:
    """The SHA-256 of the rows of every table of a run, and of the bytes of every shard and side-car."""
    hashes = {name: rows_hash(Table(str(run / name)).files()) for name in TABLES if (run / name).exists()}
    shards = sorted([*(run / "shards").glob("*.tar"), *(run / "shards").glob("*.parquet")])
    return hashes | {f"shards/{file.name}": hashlib.sha256(file.read_bytes()).hexdigest() for file in shards}


def curate_run(output: Path, *overrides: str) -> dict[str, str]:
    """Run the chain into a folder; returns the hashes of what it made."""
    curate.run(compose_config("curate", CurateConfig, [f"output={output}", *SESSION, *overrides]))
    return run_hashes(output)


def sample_runs(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Runs over the sample crawl: as `make run`, with a second balance and filters, and over their own shards."""
    make_sample(folder / "crawl", PORT, SCALE)
    given = [each for each in settings(folder / "crawl", folder / "sample") if not each.startswith("output=")]
    with ImageHost(folder / "crawl", PORT):
        yield "sample", curate_run(folder / "sample", *given)
        first = (f"{name}={folder}/sample/{name}" for name in ("pairs", "matches", "entry_counts"))
        yield "second_balance", curate_run(folder / "second", *given, *first, *SECOND_BALANCE)
    again = [each for each in given if not each.startswith("source.")]
    shards = ("source=webdataset", f"source.paths={folder}/sample/shards", "download.resize=original")
    yield "webdataset", curate_run(folder / "webdataset", *again, *shards)


def real_runs(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Runs over the real data: WATs through the chain, the pairs of WARCs and tables, and entry lists."""
    (folder / "lists").mkdir()
    entries = (SHARED / "metadata" / "entries-en-415k.json.gz").read_bytes()
    (folder / "lists" / "en.json").write_bytes(gzip.decompress(entries))
    local = (f"entry_lists={folder}/lists", "download_images=false", "buckets=2")
    yield "real_wats", curate_run(folder / "wats", f"source.paths={SHARED}/wat", *local)
    for name, source in {
        "real_warcs": ("source=warc", f"source.paths={SHARED}/warc", "max_failed_share=1"),
        "laion": ("source=laion", f"source.paths={SHARED}/captions/laion-10000.parquet", "source.limit=2000"),
        "cc3m": ("source=cc3m", f"source.paths={SHARED}/captions/cc3m-validation.tsv", "source.limit=2000"),
    }.items():
        output = [f"output={folder / name}", *SESSION]
        extract_pairs.run(compose_config("extract_pairs", ExtractPairsConfig, [*output, *source]))
        yield name, run_hashes(folder / name)
    yield "entry_lists", lists_hashes(folder / "metadata")


def lists_hashes(output: Path) -> dict[str, str]:
    """The SHA-256 of the entry lists that the real dumps, page views and wordnets give."""
    sources = [f"pageviews={SHARED}/pageviews", f"wordnet={SHARED}/wordnet", f"dumps={SHARED}/wikidump/{DUMP}"]
    given = [f"output={output}", *SESSION, *sources, "languages=[ja,th]", "metadata=small"]
    build_metadata.run(compose_config("build_metadata", BuildMetadataConfig, given))
    files = sorted(output.glob("entry_lists/[!._]*"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()}


def main() -> None:
    """Write bytes.json."""
    with tempfile.TemporaryDirectory() as folder:
        runs = dict([*sample_runs(Path(folder)), *real_runs(Path(folder))])
    close_session()
    found: dict[str, Any] = {"conditions": conditions(), "runs": runs}
    Path(sys.argv[1] if len(sys.argv) > 1 else GOLDEN).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
