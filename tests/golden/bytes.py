"""The bytes that runs make, for good: `python -m tests.golden.bytes` writes bytes.json.

A change of code that is to change no row and no shard leaves bytes.json as it is. It holds the SHA-256 of every shard
and side-car, and of the rows of every table. Times, attempts and folders are left out: they differ from run to run.
"""

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
from conf.schema.jobs import BuildMetadataConfig, ExtractPairsConfig, WriteShardsConfig
from curation.core.choices import LanguageRule
from curation.core.tables import Table
from curation.spark.session import close_session
from jobs import build_metadata, extract_pairs, write_shards
from tests.conftest import SHARED
from tests.shared_runs import PORT, SESSION, Sample, curate_real_wats, over_shards, shared_sample

GOLDEN = Path(__file__).with_suffix(".json")
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


def sample_hashes(sample: Sample, run: Path, again: Path, folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Hashes of runs over the sample crawl: as `make run`, with a second balance and filters, over the run's shards.

    The last are the shards of the first run in the form of before.
    """
    yield "sample", run_hashes(run)
    first = (f"{name}={run}/{name}" for name in ("pairs", "matches", "entry_counts"))
    yield "second_balance", run_hashes(sample.curate(folder / "second", *first, *SECOND_BALANCE))
    yield "webdataset", run_hashes(again)
    yield "sample_json_1", run_hashes(with_first_json(run, folder / "json_1"))


def with_first_json(run: Path, output: Path) -> Path:
    """The shards of a run once more, with the json that samples had before it had versions."""
    tables = [f"{name}={run}/{name}" for name in ("lists", "downloads")]
    given = [f"output={output}", *tables, "json_version=1", "samples_per_shard=100", *SESSION]
    write_shards.run(compose_config("write_shards", WriteShardsConfig, given))
    return output


def real_hashes(wats: Path, folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Hashes of runs over the real data: WATs through the chain, the pairs of each source, and entry lists.

    Pairs are made by both rules of languages. Tables are read whole, because the rows of a sample depend on the folder
    that they lie in.
    """
    yield "real_wats", run_hashes(wats)
    for name, source in {
        "wats": ("source=wat", f"source.paths={SHARED}/wat"),
        "warcs": ("source=warc", f"source.paths={SHARED}/warc", "max_failed_share=1"),
        "laion": ("source=laion", f"source.paths={SHARED}/captions/laion-10000.parquet"),
        "cc3m": ("source=cc3m", f"source.paths={SHARED}/captions/cc3m-validation.tsv"),
    }.items():
        for rule in LanguageRule:
            run = folder / f"{name}_{rule}"
            given = [f"output={run}", "seed=0", f"language.rule={rule}", *SESSION, *source]
            extract_pairs.run(compose_config("extract_pairs", ExtractPairsConfig, given))
            yield run.name, run_hashes(run)
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
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with shared_sample(folder) as sample:
            assert sample.port == PORT, f"another program uses port {PORT}, which the uids depend on"
            run = sample.curate(folder / "run")
            again = sample.curate(folder / "again", *over_shards(run))
            runs = dict(sample_hashes(sample, run, again, folder))
        runs |= dict(real_hashes(curate_real_wats(folder / "wats"), folder))
    close_session()
    found: dict[str, Any] = {"conditions": conditions(), "runs": runs}
    Path(sys.argv[1] if len(sys.argv) > 1 else GOLDEN).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
