"""Parquet files of users are read within the bounds of `bounded_parquet`, whichever setting names them."""

import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.balancing.uid_mask import UidMask
from curation.core import bounded_parquet
from curation.core.choices import NearDuplicates
from curation.core.errors import HeadtailError
from curation.images.ranges import Ranges
from curation.matching.entry_lists import LICENCE, read_entries
from curation.matching.entry_store import EntryStore
from curation.shards.benchmark_files import HashFilesTask, hash_files
from curation.shards.benchmark_images import BENCHMARK_IMAGES, open_benchmarks, read_benchmarks, version_of
from curation.shards.other_sets import OtherFile, OtherKeysTask, deal_other_keys, open_others
from curation.shards.scores import open_scores
from metadata.sources.articles import site_of
from tests.http_server import draw
from tests.structure import ROOT

FEW = {"bounded_parquet", "parts", "table_reader"}
"""Modules that open Parquet files themselves: the two doors, and the inputs beside a manifest of ours."""


def keys_of(path: str) -> None:
    deal_other_keys(OtherKeysTask(0, OtherFile(path, ""), None, f"{path}-keys", ""), Ranges(1, 0))


READERS: dict[str, Callable[[str], object]] = {
    "scores": lambda path: open_scores([path]),
    "benchmark_images": lambda path: open_benchmarks([path]),
    "benchmark_images, version": lambda path: version_of(open_benchmarks([path])),
    "benchmark_images, rows": lambda path: read_benchmarks(open_benchmarks([path])),
    "images of hash_images": lambda path: hash_files(HashFilesTask("a", (path,), f"{path}-hashes")),
    "against": lambda path: open_others([path], NearDuplicates.false, None, ""),
    "against, rows": keys_of,
    "entry lists": read_entries,
    "entry lists, licence": lambda path: EntryStore.open(str(Path(path).parent)).licence("en"),
    "articles": site_of,
    "mask": UidMask,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_every_reader_of_a_users_table_refuses_a_large_footer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: Callable[[str], object]
) -> None:
    columns = {"uid": ["a" * 24], "text": ["cat"], "picture": [draw(1)], "score": [0.5]}
    columns |= {"benchmark": ["a"], "image": ["a.jpg"], "sha256": ["0" * 64], "phash": ["0" * 16]}
    table = pa.table(columns)
    facts = {**(BENCHMARK_IMAGES.metadata or {}), LICENCE: "CC0"}
    pq.write_table(table.replace_schema_metadata(facts), path := tmp_path / "en.parquet")
    if reader is READERS["scores"]:
        pq.write_table(table.select(["uid", "score"]), path)
    reader(str(path))
    read_benchmarks.cache_clear()
    monkeypatch.setattr(bounded_parquet, "MAX_FOOTER_BYTES", 10)
    with pytest.raises((HeadtailError, ValueError), match=r"a footer of [\d,]+ bytes, more than 10"):
        reader(str(path))


def test_no_other_module_opens_parquet_files_by_itself() -> None:
    opening = re.compile(r"\b(ParquetFile|ParquetDataset|read_table|read_schema|read_metadata)\(")
    own = re.compile(r"(def|import) .*|.*\bipc\.read_schema\(.*")
    found = {
        path.stem
        for package in ("curation", "metadata", "headtail", "jobs")
        for path in (ROOT / package).rglob("*.py")
        for line in path.read_text().splitlines()
        if re.search(r"\b(pq|parquet)\.", line) and opening.search(line) and not own.match(line.strip())
    }
    assert found == FEW
