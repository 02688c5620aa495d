"""The passes of a report over a finished run (tests/golden), all in one process."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from curation.core.dropped import DroppedExamples, DroppedRow, dropped_path, write_dropped
from curation.core.receipts import Receipt
from curation.matching.entry_store import EntryStore
from curation.report.class_lists import ClassList
from curation.report.passes import ReportPasses
from curation.report.run_tables import RunTables
from curation.report.shown_entries import wanted_entries
from tests.golden.finished_run import lay_out

NAMES = ("pairs", "matches", "entry_counts", "thresholds", "curated", "lists", "downloads", "shards")


def run_here(function: Callable[[Any], Receipt], tasks: Sequence[Any], _: str = "") -> list[Receipt]:
    return [function(task).check() for task in tasks]


def write_example(path: str, uid: str) -> None:
    kept = DroppedExamples(0)
    kept.offer("short_text", np.array([0.5]), lambda _: [DroppedRow(0.5, uid, text="ab")])
    write_dropped(path, kept)


def statuses_of(tables: RunTables) -> list[dict[str, Any]]:
    files = [file for part in tables.parts["download_images"] for file in part.files]
    return [row for file in files for row in pq.read_table(file).to_pylist()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    lay_out(folder)
    return folder


@pytest.mark.parametrize("max_tasks", [1, 50])
def test_the_sums_are_those_of_the_manifests(folder: Path, tmp_path: Path, max_tasks: int) -> None:
    tables = RunTables.open({name: str(folder / "run" / name) for name in NAMES}, [])
    store = EntryStore.open(str(folder / "crawl/entries"), tables.edges)
    passes = ReportPasses(run_here, tables, store, 0, str(tmp_path), None)
    wanted = wanted_entries(tables.counts, tables.thresholds(), passes.seed)
    counted = passes.count(max_tasks, wanted)
    rows = {name: stage.receipt.rows_out for name, stage in tables.stages().items()}
    totals = counted.totals
    assert totals.matches.texts.total() == rows["match_pairs"] > 100
    assert totals.curated.images.total() >= rows["balance_pairs"] > 10
    assert totals.downloads.statuses["success"] == rows["download_images"] > 10
    assert totals.shards.langs.total() == rows["write_shards"] > 10
    assert counted.domains["images"] == totals.matches.texts_per_image.total()
    assert counted.entries is None
    assert set(counted.tail_texts) <= {(lang, i) for lang, ids in wanted.entries.items() for i in ids}
    dropped = {example.stage for example in passes.examples(counted.dropped, max_tasks)}
    assert dropped == {"match_pairs", "balance_pairs", "download_images", "write_shards"}
    path = dropped_path(tables.parts["extract_pairs"][-1].files[-1])
    write_example(path, "")
    uids = sorted({each.uid for each in passes.examples(counted.dropped, max_tasks) if each.stage == "balance_pairs"})
    tables.parts["write_shards"][0].manifest["examples"] = {"filter": uids[:2]}
    examples = [each for each in passes.examples(counted.dropped, max_tasks) if each.reason in ("short_text", "filter")]
    assert [each.text for each in examples if each.stage == "extract_pairs"] == ["ab"]
    assert [each.uid for each in examples if each.text and each.stage == "write_shards"] == uids[:2]
    arrived = next(row for row in statuses_of(tables) if row["status"] == "success")
    write_example(path, arrived["uid"])
    assert "ab" in {each.text for each in passes.examples(counted.dropped, max_tasks)}
    settings = tables.parts["extract_pairs"][-1].manifest["settings"]
    settings["urls"]["removals"] = [arrived["sha256"]]
    assert "ab" not in {each.text for each in passes.examples(counted.dropped, max_tasks)}
    settings["urls"]["removals"] = [str(tmp_path / "gone.txt")]
    assert passes.examples(counted.dropped, max_tasks) == []
    Path(path).unlink()
    listed = passes.lists([("en", 1)], "")
    assert {lang: each.entries for lang, each in listed.items()} == store.list_sizes(store.languages)
    assert list(listed["en"].texts) == ["1"]
    found = passes.classes([ClassList("a", "en", ("zz no such thing",))], ["en"])
    assert [each["match"] for each in found] == ["absent"]
